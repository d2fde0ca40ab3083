//! `whodunit open`: the screens on a store or an export, without a daemon beside.

use std::path::PathBuf;

use clap::Args;
use whodunit_daemon::builtin::BuiltIn;

use super::embedded::asked_to_end;
use super::history::{History, Opened};
use super::screens;
use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit};
use crate::config::Context;

/// Arguments of `whodunit open`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A file of records is read into a temporary store, which is gone when you leave.

Examples:
  whodunit open ~/.local/share/whodunit            the store of a daemon that is not running
  whodunit open backup.ndjson                      what `whodunit export` wrote
  whodunit open incident.ndjson                    what `whodunit bundle` wrote: read only, with its branches and notes
  whodunit open cloudtrail.ndjson --mapping cloudtrail"
)]
pub(crate) struct OpenArgs {
    /// A daemon's data folder, or a file with one JSON record per line
    path: PathBuf,
    /// How records become events: a mapping file (TOML), or the name of one that comes with whodunit (`cloudtrail`)
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// A model to fold and decide by: `users` for category `user`. May be given several times. Categories without a model
    /// are folded by JSON Merge Patch, and have no commands
    #[arg(long, value_name = "NAME")]
    model: Vec<BuiltIn>,
    /// No screens: print the address, and keep serving until interrupted
    #[arg(long)]
    no_tui: bool,
    /// The port to serve on; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Runs it.
pub(crate) async fn run(args: &OpenArgs, terminal: &mut Terminal<'_>) -> Result<Exit, CliError> {
    let asked = asked_to_end();
    tokio::pin!(asked);
    let history = History::at(&args.path)?;
    if matches!(history, History::Store(_)) && args.mapping.is_some() {
        return Err(CliError::usage(
            "a store needs no mapping",
            "leave `--mapping` out, or name a file of records",
        ));
    }
    let opened = history.open(&args.model, args.port).await?;
    let result = tokio::select! {
        result = show(args, &history, &opened, terminal) => result,
        () = &mut asked => Ok(Exit::Ok),
    };
    opened.stop().await?;
    result
}

async fn show(
    args: &OpenArgs,
    history: &History,
    opened: &Opened,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    opened
        .fill(history, args.mapping.as_deref(), terminal)
        .await?;
    let client = &opened.embedded.client;
    if !args.no_tui {
        if matches!(history, History::Incident(..)) {
            let name = "incident file";
            let context = Context {
                address: client.url().to_owned(),
                read_only: true,
                color: None,
            };
            let client = client.clone().with_read_only(Some(name));
            let context = Some((name.to_owned(), context));
            return screens::of_daemon(&client, context, terminal).await;
        }
        return screens::of_daemon(client, None, terminal).await;
    }
    terminal.line(format!("listening on {}", client.url()))?;
    terminal.flush()?;
    // Until the caller is asked to end.
    std::future::pending::<()>().await;
    Ok(Exit::Ok)
}
