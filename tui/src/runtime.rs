//! The runtime: does what updates want done, and reports what came of it.
//!
//! Owns the tasks: one for each request under way, one for the live feed. Everything comes back as a message over one
//! bounded channel. Never touches the model.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use whodunit_core::time::Timestamp;

use crate::client::{Client, ClientError, Live, LiveCursor};
use crate::effect::{Effect, Failure, Ticket};
use crate::msg::Msg;

/// Pauses between tries to reach the daemon, in seconds; the last one repeats.
const BACK_OFF: [u64; 5] = [1, 2, 4, 8, 15];
/// Live messages taken together at most.
const BATCH_MAX: usize = 256;
/// How long changes are gathered before a screen is loaded again.
const REFRESH_AFTER: Duration = Duration::from_millis(150);

/// Runs effects.
pub(crate) struct Runtime {
    client: Client,
    messages: mpsc::Sender<Msg>,
    requests: HashMap<Ticket, JoinHandle<()>>,
    reconnect: watch::Sender<u64>,
    live: JoinHandle<()>,
}

/// Where the terminal's time comes from.
#[expect(clippy::disallowed_methods, reason = "the terminal's one clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::from(chrono::Utc::now())
}

impl Runtime {
    pub(crate) fn start(client: Client, messages: mpsc::Sender<Msg>) -> Self {
        let (reconnect, asked) = watch::channel(0);
        let live = tokio::spawn(follow(client.clone(), messages.clone(), asked));
        Self {
            client,
            messages,
            requests: HashMap::new(),
            reconnect,
            live,
        }
    }

    /// Does one effect; `Quit` and `Copy` are the loop's own business.
    pub(crate) fn run(&mut self, effect: Effect) {
        match effect {
            Effect::Ask { ticket, request } => {
                let (client, messages) = (self.client.clone(), self.messages.clone());
                let task = tokio::spawn(async move {
                    let reply = request.send(&client).await.map_err(|error| failure(&error));
                    let reply = Box::new(reply);
                    // The loop is gone only when the program ends.
                    let _ = messages.send(Msg::Replied { ticket, reply }).await;
                });
                self.requests.retain(|_, task| !task.is_finished());
                self.requests.insert(ticket, task);
            }
            Effect::Cancel(ticket) => {
                if let Some(task) = self.requests.remove(&ticket) {
                    task.abort();
                }
            }
            Effect::Reconnect => self.reconnect.send_modify(|times| *times += 1),
            Effect::RefreshSoon => {
                let messages = self.messages.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(REFRESH_AFTER).await;
                    let _ = messages.send(Msg::RefreshDue).await;
                });
            }
            Effect::Quit | Effect::Copy(_) => {}
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.live.abort();
        for (_, task) in self.requests.drain() {
            task.abort();
        }
    }
}

fn failure(error: &ClientError) -> Failure {
    Failure {
        code: error.code().map(|code| code.to_string()),
        message: error.to_string(),
        hint: error.hint(),
        unreachable: matches!(
            error,
            ClientError::Unreachable { .. } | ClientError::Timeout { .. }
        ),
    }
}

/// Keeps the live feed open: reads it, and when it ends tries again, resuming where it was.
async fn follow(client: Client, messages: mpsc::Sender<Msg>, mut asked: watch::Receiver<u64>) {
    let mut cursor: Option<LiveCursor> = None;
    let mut failures = 0;
    loop {
        let cause = match client.live(cursor).await {
            Ok(mut live) => {
                failures = 0;
                if messages.send(Msg::Connected(now())).await.is_err() {
                    return;
                }
                let cause = read(&mut live, &messages).await;
                cursor = Some(live.cursor()).filter(|cursor| *cursor != LiveCursor::default());
                cause
            }
            Err(error) => Some(error.to_string()),
        };
        let Some(cause) = cause else { return };
        let pause = BACK_OFF
            .get(failures)
            .or(BACK_OFF.last())
            .copied()
            .unwrap_or(15);
        failures += 1;
        let at = now();
        let retry_at = at.plus_micros(i64::try_from(pause * 1_000_000).unwrap_or_default());
        if messages
            .send(Msg::Disconnected {
                at,
                retry_at,
                cause,
            })
            .await
            .is_err()
        {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(pause)) => {}
            changed = asked.changed() => if changed.is_err() { return },
        }
    }
}

/// Hands the feed's messages on; why it ended, or `None` when the loop is gone.
async fn read(live: &mut Live, messages: &mpsc::Sender<Msg>) -> Option<String> {
    loop {
        let mut batch = Vec::new();
        match live.next().await {
            Ok(Some(message)) => batch.push(message),
            Ok(None) => return Some("the daemon ended the live feed".to_owned()),
            Err(error) => return Some(error.to_string()),
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
