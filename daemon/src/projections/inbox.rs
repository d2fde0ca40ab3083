//! How a follower is woken, given orders, and ended.
//!
//! Owns one bounded queue and one condition. A follower is a thread of its own: it needs no runtime to wait.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use whodunit_core::ids::StreamName;

use super::error::ProjectionError;
use super::read_model::{ReadModel, Stamp};
use crate::limits::PROJECTION_ORDERS_MAX;

/// What a follower is asked to do between two batches.
pub(super) enum Order {
    /// Bring a rebuilt read model up to date and put it in the place of the live one.
    Adopt(
        Box<(ReadModel, Stamp)>,
        mpsc::SyncSender<Result<(), ProjectionError>>,
    ),
    /// Fold the documents of these streams anew.
    Rederive(
        Vec<StreamName>,
        oneshot::Sender<Result<(), ProjectionError>>,
    ),
    /// Throw a damaged read model away.
    BeginAnew(String),
}

#[derive(Default)]
struct State {
    stopping: bool,
    woken: bool,
    orders: VecDeque<Order>,
}

/// A follower's inbox.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

/// What was in it.
pub(super) struct Mail {
    pub(super) stopping: bool,
    pub(super) orders: VecDeque<Order>,
}

impl Inbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the log has grown.
    pub(super) fn wake(&self) {
        self.state().woken = true;
        self.changed.notify_all();
    }

    /// Asks the follower to end.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.changed.notify_all();
    }

    /// Gives an order, or gives it back when there are too many or the follower is about to end.
    pub(super) fn order(&self, order: Order) -> Result<(), Order> {
        let mut state = self.state();
        if state.stopping || state.orders.len() >= PROJECTION_ORDERS_MAX {
            return Err(order);
        }
        state.orders.push_back(order);
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits for an order, the end or, if `for_events`, a longer log; at most as long as `at_most`.
    pub(super) fn wait(&self, for_events: bool, at_most: Option<Duration>) -> Mail {
        let until = at_most.map(|at_most| Instant::now() + at_most);
        let mut state = self.state();
        while !(state.stopping || !state.orders.is_empty() || for_events && state.woken) {
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
        Mail {
            stopping: state.stopping,
            orders: std::mem::take(&mut state.orders),
        }
    }
}
