//! Long questions to the daemon: progress goes out in parts, and the answer is what the last line says.

use whodunit_core::api::backtest::BacktestLine;
use whodunit_core::api::inevitable::InevitableLine;
use whodunit_core::api::minimal::MinimalLine;
use whodunit_core::api::undo::UndoLine;

use crate::cli::backtest::OnScreen;
use crate::client::{Client, ClientError, Lines};
use crate::model::run::{Found, Of};
use crate::request::Parts;

/// Changes of a back-test that are kept for the screen; all of them are counted.
pub(crate) const CHANGES_MAX: usize = 5_000;

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
        Of::Backtest(asked) => backtest(client, &asked, parts).await,
    }
}

async fn backtest(client: &Client, asked: &OnScreen, parts: &Parts) -> Result<Found, ClientError> {
    let files = asked.asked();
    let (asked, mut approved) = files.map_err(|error| ClientError::Source(error.to_string()))?;
    let (mut changes, mut unapproved) = (Vec::new(), 0);
    let mut lines = client.backtest(&asked).await?;
    loop {
        match next(client, &mut lines).await? {
            BacktestLine::Change(change) => {
                if approved.as_mut().is_some_and(|own| own.takes(&change)) {
                    continue;
                }
                unapproved += 1;
                if changes.len() < CHANGES_MAX {
                    changes.push(*change);
                }
            }
            BacktestLine::Stream(_) => {}
            BacktestLine::Progress(run) => parts.progress(*run).await,
            BacktestLine::End(end) => {
                let came_to = approved.map(|own| own.came_to(unapproved, &end));
                return Ok(Found::Backtest(end, changes, came_to));
            }
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
