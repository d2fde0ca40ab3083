//! The live feed, and whether the daemon behind it still answers.
//!
//! Owns the connection that is always open: reads it, opens it again when it ends, and meanwhile asks for signs of life. A
//! daemon that hangs keeps its connections, so that only a question without an answer tells.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use whodunit_core::api::problem::Code;

use super::{no_answer, now};
use crate::client::{Client, ClientError, Live, LiveCursor};
use crate::effect::NoAnswer;
use crate::msg::Msg;

/// Pauses between tries to reach the daemon, in seconds; the last one repeats.
const BACK_OFF: [u64; 5] = [1, 2, 4, 8, 15];
/// Live messages taken together at most.
const BATCH_MAX: usize = 256;

/// How long is waited for a sign of life.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Pause between two signs of life.
    every: Duration,
    /// How long the daemon may take to give one before the screen says that it does not answer.
    within: Duration,
    /// How long it may take to open the feed.
    open: Duration,
}

impl Patience {
    /// A daemon that hangs is noticed after seven seconds at most.
    pub(super) const USUAL: Self = Self {
        every: Duration::from_secs(3),
        within: Duration::from_secs(4),
        open: Duration::from_secs(8),
    };
}

/// Keeps the live feed open: reads it, and when it ends tries again, resuming where it was.
pub(super) async fn follow(
    client: Client,
    messages: mpsc::Sender<Msg>,
    mut asked: watch::Receiver<u64>,
    patience: Patience,
) {
    let mut cursor: Option<LiveCursor> = None;
    let mut failures = 0;
    loop {
        let (cause, why) = match open(&client, cursor, patience).await {
            Ok(mut live) => {
                failures = 0;
                if messages.send(Msg::Connected(now())).await.is_err() {
                    return;
                }
                let ended = tokio::select! {
                    ended = read(&mut live, &messages) => ended,
                    () = watch_over(&client, &messages, patience) => None,
                };
                cursor = Some(live.cursor()).filter(|cursor| *cursor != LiveCursor::default());
                let Some(ended) = ended else { return };
                ended
            }
            Err(error) => {
                if is_of_another_history(&error) {
                    // The next try begins with what comes then; what is on screen is asked for again.
                    cursor = None;
                }
                reason(&error)
            }
        };
        let pause = BACK_OFF
            .get(failures)
            .or(BACK_OFF.last())
            .copied()
            .unwrap_or(15);
        failures += 1;
        let at = now();
        let retry_at = at.plus_micros(i64::try_from(pause * 1_000_000).unwrap_or_default());
        let lost = Msg::Disconnected {
            at,
            retry_at,
            cause,
            why,
        };
        if messages.send(lost).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(pause)) => {}
            changed = asked.changed() => if changed.is_err() { return },
        }
    }
}

async fn open(
    client: &Client,
    cursor: Option<LiveCursor>,
    patience: Patience,
) -> Result<Live, ClientError> {
    match tokio::time::timeout(patience.open, client.live(cursor)).await {
        Ok(opened) => opened,
        Err(_elapsed) => Err(ClientError::Timeout {
            url: client.url().to_owned(),
            seconds: patience.open.as_secs(),
        }),
    }
}

/// Whether the daemon has another log by now than the one that was followed.
fn is_of_another_history(error: &ClientError) -> bool {
    matches!(error, ClientError::Problem(problem) if problem.code == Code::OtherHistory)
}

fn reason(error: &ClientError) -> (String, NoAnswer) {
    let why = no_answer(error).unwrap_or(NoAnswer::Unreachable);
    (error.to_string(), why)
}

/// Hands the feed's messages on; why it ended, or `None` when the loop is gone.
async fn read(live: &mut Live, messages: &mpsc::Sender<Msg>) -> Option<(String, NoAnswer)> {
    loop {
        let mut batch = Vec::new();
        match live.next().await {
            Ok(Some(message)) => batch.push(message),
            Ok(None) => {
                let cause = "the daemon ended the live feed".to_owned();
                return Some((cause, NoAnswer::Unreachable));
            }
            Err(error) => return Some(reason(&error)),
        }
        // What is there already comes along, so that a burst is one update.
        while batch.len() < BATCH_MAX {
            match tokio::time::timeout(Duration::ZERO, live.next()).await {
                Ok(Ok(Some(message))) => batch.push(message),
                _ => break,
            }
        }
        if messages.send(Msg::Live(batch)).await.is_err() {
            return None;
        }
    }
}

/// Says when the daemon does not answer any more, and when it does again. Ends only when the loop is gone.
async fn watch_over(client: &Client, messages: &mpsc::Sender<Msg>, patience: Patience) {
    loop {
        tokio::time::sleep(patience.every).await;
        let since = now();
        let mut answer = std::pin::pin!(sign_of_life(client, patience));
        if tokio::time::timeout(patience.within, &mut answer)
            .await
            .is_ok()
        {
            continue;
        }
        let silent = Msg::Silent { at: now(), since };
        if messages.send(silent).await.is_err() {
            return;
        }
        answer.await;
        if messages.send(Msg::Answered(now())).await.is_err() {
            return;
        }
    }
}

/// Waits until the daemon has answered, whatever it says, asking again as often as it takes.
async fn sign_of_life(client: &Client, patience: Patience) {
    while let Err(error) = client.health().await {
        if no_answer(&error).is_none() {
            return;
        }
        tokio::time::sleep(patience.every).await;
    }
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
