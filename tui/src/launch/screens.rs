//! Opening the screens.
//!
//! Owns what must hold before they open: a terminal to draw on.

use std::io::{IsTerminal, stdin, stdout};

use whodunit_core::ids::StreamName;

use crate::app::{self, Options, Palette};
use crate::cli::terminal::Terminal;
use crate::cli::{CliError, Exit};
use crate::client::Client;
use crate::config::{self, Context};

/// Opens the screens on a daemon.
pub(crate) async fn of_daemon(
    client: &Client,
    context: Option<(String, Context)>,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    open(client, context, terminal, (false, None)).await
}

/// Opens the screens on a stream, at a revision or at its head.
pub(crate) async fn at_stream(
    client: &Client,
    context: Option<(String, Context)>,
    at: (StreamName, Option<u64>),
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    open(client, context, terminal, (false, Some(at))).await
}

/// Opens the screens on the demo, with the newcomer's guide.
pub(crate) async fn of_demo(
    client: &Client,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, CliError> {
    open(client, None, terminal, (true, None)).await
}

async fn open(
    client: &Client,
    context: Option<(String, Context)>,
    terminal: &mut Terminal<'_>,
    (guide, stream): (bool, Option<(StreamName, Option<u64>)>),
) -> Result<Exit, CliError> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return Err(CliError::usage(
            "the screens need a terminal",
            "give a command (`whodunit --help`), or `--no-tui` to `demo`, `open` and `open-link`",
        ));
    }
    terminal.flush()?;
    let path = config::path();
    let settings = path.and_then(|path| config::load(&path).ok());
    let queries = settings.unwrap_or_default().queries;
    let options = Options {
        client: client.clone(),
        context,
        queries,
        guide,
        ascii: terminal.form.ascii,
        palette: if terminal.form.colours {
            terminal.form.palette
        } else {
            Some(Palette::None)
        },
        stream,
    };
    match app::run(options).await {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => Err(CliError::daemon(format!("the screens failed: {error:#}"))),
    }
}
