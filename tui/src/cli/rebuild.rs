//! `whodunit rebuild`: a read model anew from the log, beside the one that answers meanwhile.

use clap::Args;
use whodunit_core::text::shown;

use super::exit::{CliError, Exit};
use super::progress::{self, Watched};
use super::terminal::Terminal;
use crate::client::Client;

/// Arguments of `whodunit rebuild`.
#[derive(Debug, Args)]
#[command(
    after_help = "The read model answers as before until the new one takes its place. No mail is sent, no webhook called. \
Ctrl-C stops watching; the rebuild continues.

Examples:
  whodunit rebuild users                     and show its progress
  whodunit rebuild users --no-wait           start it; watch it with `whodunit projections users`
  whodunit rebuild users --cancel            the read model stays as it is"
)]
pub(crate) struct RebuildArgs {
    /// The projection (see `whodunit projections`)
    #[arg(value_name = "NAME")]
    name: String,
    /// Start it and return at once
    #[arg(long)]
    no_wait: bool,
    /// Cancel the rebuild that is running
    #[arg(long, conflicts_with = "no_wait")]
    cancel: bool,
}

/// Runs it.
pub(crate) async fn run(
    args: &RebuildArgs,
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    let name = args.name.as_str();
    let what = format!("rebuild of {}", shown(name));
    let cancel = format!("whodunit rebuild {} --cancel", shown(name));
    if args.cancel {
        let run = client.cancel_rebuild(name).await?;
        // To have it cancelled is what was asked for.
        progress::report(terminal, &Watched::Ended(run), &what, &cancel)?;
        return Ok(Exit::Ok);
    }
    let started = client.rebuild(name).await?;
    if args.no_wait {
        return progress::report(terminal, &Watched::Ended(started), &what, &cancel);
    }
    let bar = progress::bar(terminal, &what);
    let look = || async { Ok(client.projection(name).await?.rebuild) };
    let watched = progress::watch(
        started,
        &bar,
        progress::EVERY,
        progress::interrupted(),
        look,
    )
    .await;
    bar.finish_and_clear();
    progress::report(terminal, &watched?, &what, &cancel)
}
