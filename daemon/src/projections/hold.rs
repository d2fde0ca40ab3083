//! The hold on projections while an import runs: what follows a log that grows as fast as it can takes the import's processors.
//!
//! Owns how long they are held back: as long as an import hands records to the store, and no longer than [`IMPORT_HOLD`] behind the
//! last of them. So an import that pauses, fails or panics holds nothing back for longer than that. What is behind says that it
//! waits, and a reader that waits for a position lifts the hold for its own projection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::limits::IMPORT_HOLD;

#[derive(Debug, Default)]
struct State {
    /// Imports that have handed records on.
    imports: usize,
    /// Until when projections are, or were last, held back.
    until: Option<Instant>,
}

/// What holds projections back.
#[derive(Debug, Default)]
pub(crate) struct Hold {
    state: Mutex<State>,
    lifted: Notify,
}

impl Hold {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when projections are held back, as far as is known; a moment of the past where they are not any more.
    pub(super) fn until(&self) -> Option<Instant> {
        self.lock().until
    }

    /// Until when they are held back; `None` where they are not.
    pub(super) fn is_on(&self, now: Instant) -> Option<Instant> {
        self.until().filter(|until| *until > now)
    }

    /// Waits until nothing is held back.
    pub(super) async fn lifted(&self) {
        while let Some(until) = self.is_on(Instant::now()) {
            // Whether it was lifted early or its time is over is looked at again.
            drop(tokio::time::timeout_at(until.into(), self.lifted.notified()).await);
        }
    }
}

/// An import's own part of a hold; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Held(Arc<Hold>);

impl Held {
    /// Begins to hold projections back.
    pub(super) fn begin(hold: &Arc<Hold>) -> Self {
        hold.lock().imports += 1;
        let held = Self(Arc::clone(hold));
        held.go_on();
        held
    }

    /// Says that the import goes on.
    pub(crate) fn go_on(&self) {
        self.0.lock().until = Some(Instant::now() + IMPORT_HOLD);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.imports = state.imports.saturating_sub(1);
        if state.imports == 0 {
            let now = Instant::now();
            state.until = state.until.map(|until| until.min(now));
        }
        drop(state);
        self.0.lifted.notify_one();
    }
}
