//! Long questions to the daemon: progress goes out in parts, and the answer is what the last line says.

use std::path::Path;

use serde_json::{Map, Value};
use whodunit_core::api::backtest::{BacktestIn, BacktestLine};
use whodunit_core::api::inevitable::InevitableLine;
use whodunit_core::api::minimal::MinimalLine;
use whodunit_core::api::undo::UndoLine;
use whodunit_core::api::what_if::Causes;

use crate::client::{Client, ClientError, Lines};
use crate::model::run::{Found, Of};
use crate::request::Parts;

/// Changes of a back-test that are kept for the screen; all of them are counted.
pub(crate) const CHANGES_MAX: usize = 5_000;
/// Bytes of a rules file that are read.
const RULES_BYTES_MAX: u64 = 1 << 20;

/// Asks, and waits for the answer.
pub(crate) async fn run(client: &Client, of: Of, parts: &Parts) -> Result<Found, ClientError> {
    match of {
        Of::Inevitable(asked) => {
            let mut lines = client.inevitable(&asked).await?;
            loop {
                match next(client, &mut lines).await? {
                    InevitableLine::Progress(run) => parts.progress(*run).await,
                    InevitableLine::End(end) => return Ok(Found::Inevitable(end)),
                    InevitableLine::Broken(why) => return Err(ClientError::Problem(why)),
                }
            }
        }
        Of::Minimal(asked) => {
            let mut lines = client.minimal(&asked).await?;
            loop {
                match next(client, &mut lines).await? {
                    MinimalLine::Progress(run) => parts.progress(*run).await,
                    MinimalLine::End(end) => return Ok(Found::Minimal(end)),
                    MinimalLine::Broken(why) => return Err(ClientError::Problem(why)),
                }
            }
        }
        Of::Undo(asked) => {
            let mut lines = client.undo(&asked).await?;
            loop {
                match next(client, &mut lines).await? {
                    UndoLine::Progress(run) => parts.progress(*run).await,
                    UndoLine::End(end) => return Ok(Found::Undo(end)),
                    UndoLine::Broken(why) => return Err(ClientError::Problem(why)),
                }
            }
        }
        Of::Backtest(path) => backtest(client, &path, parts).await,
    }
}

async fn backtest(client: &Client, path: &Path, parts: &Parts) -> Result<Found, ClientError> {
    let asked = BacktestIn {
        rules: read_rules(path).map_err(|error| ClientError::Source(error.to_string()))?,
        category: None,
        actor: None,
        since: None,
        until: None,
        causes: Causes::default(),
        password_correct: None,
    };
    let mut changes = Vec::new();
    let mut lines = client.backtest(&asked).await?;
    loop {
        match next(client, &mut lines).await? {
            BacktestLine::Change(change) if changes.len() < CHANGES_MAX => changes.push(*change),
            BacktestLine::Change(_) | BacktestLine::Stream(_) => {}
            BacktestLine::Progress(run) => parts.progress(*run).await,
            BacktestLine::End(end) => return Ok(Found::Backtest(end, changes)),
            BacktestLine::Broken(why) => return Err(ClientError::Problem(why)),
        }
    }
}

async fn next<T: serde::de::DeserializeOwned>(
    client: &Client,
    lines: &mut Lines<T>,
) -> Result<T, ClientError> {
    let cut_short = || ClientError::BadReply {
        url: client.url().to_owned(),
        reason: "its reply ended early".to_owned(),
    };
    lines.next().await?.ok_or_else(cut_short)
}

/// Reads a rules file. What its parameters mean is the daemon's to say.
fn read_rules(path: &Path) -> std::io::Result<Map<String, Value>> {
    let named = |what: String| std::io::Error::other(format!("{}: {what}", path.display()));
    let about = std::fs::metadata(path).map_err(|error| named(error.to_string()))?;
    if !about.is_file() {
        return Err(named("it is not a file".to_owned()));
    }
    if about.len() > RULES_BYTES_MAX {
        return Err(named("it is too large for a rules file".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        named(format!("line {line}: {}", error.message()))
    })
}
