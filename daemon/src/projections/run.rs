//! Long runs: what is known of one while it goes on and after it has ended.
//!
//! Owns progress, rate, time left, and the way to end one early.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use whodunit_core::api::pipeline::{RunOut, RunStatus};
use whodunit_core::time::Timestamp;

use super::error::ProjectionError;
use super::rate::{Rate, as_float};
use crate::clock::Clock;

/// A run.
pub(super) struct Run {
    id: u64,
    kind: &'static str,
    of: String,
    started_at: Timestamp,
    clock: Arc<dyn Clock>,
    cancelled: AtomicBool,
    state: Mutex<State>,
    ended: watch::Sender<bool>,
}

struct State {
    status: RunStatus,
    done: u64,
    total: u64,
    rate: Rate,
    moved: Instant,
    ended_at: Option<Timestamp>,
    error: Option<String>,
}

impl Run {
    /// Begins one.
    pub(super) fn begin(
        kind: &'static str,
        of: &str,
        clock: &Arc<dyn Clock>,
        numbers: &AtomicU64,
    ) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            id: numbers.fetch_add(1, Ordering::Relaxed) + 1,
            kind,
            of: of.to_owned(),
            started_at: clock.now(),
            clock: Arc::clone(clock),
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State {
                status: RunStatus::Running,
                done: 0,
                total: 0,
                rate: Rate::new(now),
                moved: now,
                ended_at: None,
                error: None,
            }),
            ended: watch::Sender::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far it has come, of how much.
    pub(super) fn progress(&self, done: u64, total: u64) {
        let now = Instant::now();
        let mut state = self.state();
        let more = done.saturating_sub(state.done);
        state.rate.add(more, now);
        if more > 0 {
            state.moved = now;
        }
        state.done = done;
        state.total = total.max(done);
    }

    /// Notes that it begins in the middle, so that what was done before does not count as speed.
    pub(super) fn resume(&self, done: u64, total: u64) {
        let mut state = self.state();
        state.done = done;
        state.total = total.max(done);
    }

    /// When it last came any further.
    pub(super) fn moved(&self) -> Instant {
        self.state().moved
    }

    /// Asks it to end.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Notes how it ended.
    pub(super) fn end(&self, result: Result<(), &ProjectionError>) {
        {
            let mut state = self.state();
            state.ended_at = Some(self.clock.now());
            state.status = match result {
                Ok(()) => RunStatus::Completed,
                Err(ProjectionError::Stopped) => RunStatus::Cancelled,
                Err(error) => {
                    state.error = Some(error.to_string());
                    RunStatus::Failed
                }
            };
        }
        self.ended.send_replace(true);
    }

    /// Whether it goes on.
    pub(super) fn is_running(&self) -> bool {
        !*self.ended.borrow()
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        // The sender is `self`: it cannot be gone.
        drop(ended.wait_for(|ended| *ended).await);
    }

    /// What is shown of it.
    pub(super) fn shown(&self) -> RunOut {
        let now = Instant::now();
        let state = self.state();
        let running = state.status == RunStatus::Running;
        let rate = state.rate.per_second(now);
        let left = state.total.saturating_sub(state.done);
        RunOut {
            kind: self.kind.to_owned(),
            id: self.id,
            of: self.of.clone(),
            status: state.status,
            done: state.done,
            total: state.total,
            jobs: 0,
            events_per_second: if running { rate } else { 0.0 },
            seconds_left: (running && rate >= 1.0).then(|| as_float(left) / rate),
            started_at: self.started_at,
            ended_at: state.ended_at,
            error: state.error.clone(),
        }
    }
}
