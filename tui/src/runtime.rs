//! The runtime: does what updates want done, and reports what came of it.
//!
//! Owns the tasks: one for each request under way, one for the live feed and whether the daemon answers. Everything comes back as a message over one
//! bounded channel. Never touches the model.

mod feed;

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use whodunit_core::time::Timestamp;

use crate::client::{Client, ClientError};
use crate::effect::{Effect, Failure, NoAnswer, Ticket};
use crate::msg::Msg;
use crate::request::Parts;

use feed::Patience;

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
        let feed = feed::follow(client.clone(), messages.clone(), asked, Patience::USUAL);
        let live = tokio::spawn(feed);
        Self {
            client,
            messages,
            requests: HashMap::new(),
            reconnect,
            live,
        }
    }

    /// Does one effect; `Quit`, `Suspend` and `Copy` are the loop's own business.
    pub(crate) fn run(&mut self, effect: Effect) {
        match effect {
            Effect::Ask {
                ticket,
                request,
                branch,
            } => {
                let client = self.client.clone().with_branch(branch.as_deref());
                let messages = self.messages.clone();
                let parts = Parts {
                    ticket,
                    messages: messages.clone(),
                };
                let task = tokio::spawn(async move {
                    let reply = request.send(&client, &parts).await;
                    let reply = reply.map_err(|error| failure(&error));
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
            Effect::Quit | Effect::Suspend | Effect::Copy(_) => {}
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
        no_answer: no_answer(error),
    }
}

fn no_answer(error: &ClientError) -> Option<NoAnswer> {
    match error {
        ClientError::Unreachable { .. } => Some(NoAnswer::Unreachable),
        ClientError::Timeout { .. } => Some(NoAnswer::TimedOut),
        ClientError::BadUrl { .. }
        | ClientError::ReadOnlyContext { .. }
        | ClientError::Problem(_)
        | ClientError::BadReply { .. }
        | ClientError::Source(_) => None,
    }
}
