//! Mailbox of a consumer: wake-ups, commands, and its end.
//!
//! Owns one bounded queue and one condition. A consumer is a thread of its own: it needs no runtime to wait.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use whodunit_core::ids::StreamName;

use super::error::ProjectionError;
use super::read_model::{CheckpointMeta, ReadModel};
use crate::limits::PROJECTION_COMMANDS_MAX;

/// What a consumer is asked to do between two batches.
pub(super) enum Command {
    /// Bring a rebuilt read model up to date and put it in the place of the live one.
    SwapIn(
        Box<(ReadModel, CheckpointMeta)>,
        mpsc::SyncSender<Result<(), ProjectionError>>,
    ),
    /// Re-fold the documents of these streams.
    Refold(
        Vec<StreamName>,
        oneshot::Sender<Result<(), ProjectionError>>,
    ),
    /// Throw a damaged read model away.
    Reset {
        /// What is wrong with it.
        reason: String,
        /// How often it had been reset when that was found.
        resets: u64,
    },
}

#[derive(Default)]
struct State {
    stopping: bool,
    woken: bool,
    commands: VecDeque<Command>,
}

/// A consumer's mailbox.
#[derive(Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

/// What was in it.
pub(super) struct Received {
    pub(super) stopping: bool,
    pub(super) commands: VecDeque<Command>,
}

impl Mailbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the log has grown.
    pub(super) fn wake(&self) {
        self.state().woken = true;
        self.changed.notify_all();
    }

    /// Asks the consumer to end.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }

    /// Gives a command, or gives it back when there are too many or the consumer is about to end.
    pub(super) fn send(&self, command: Command) -> Result<(), Command> {
        let mut state = self.state();
        if state.stopping || state.commands.len() >= PROJECTION_COMMANDS_MAX {
            return Err(command);
        }
        state.commands.push_back(command);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits for a command, the end or, if `for_events`, a longer log; at most as long as `at_most`.
    pub(super) fn wait(&self, for_events: bool, at_most: Option<Duration>) -> Received {
        let until = at_most.map(|at_most| Instant::now() + at_most);
        let mut state = self.state();
        while !(state.stopping || !state.commands.is_empty() || for_events && state.woken) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => break,
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
        if for_events {
            state.woken = false;
        }
        Received {
            stopping: state.stopping,
            commands: std::mem::take(&mut state.commands),
        }
    }
}
