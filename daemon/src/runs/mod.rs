//! Long runs (rebuild, check, backfill): their progress, and their result once they have ended.
//!
//! Owns progress, rate, time left, and the way to end one early. Shared by rebuilds, consistency checks and backfills; does no
//! work itself.

mod rate;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use whodunit_core::api::pipeline::{RunOut, RunStatus};
use whodunit_core::time::Timestamp;

use crate::clock::Clock;

pub(crate) use rate::{Rate, as_float};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It went through all of it.
    Completed,
    /// An operator ended it, or the daemon stops.
    Cancelled,
    /// An error, in a sentence.
    Failed(String),
}

/// A run.
pub(crate) struct Run {
    id: u64,
    kind: &'static str,
    target: String,
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
    jobs: u64,
    rate: Rate,
    moved: Instant,
    ended_at: Option<Timestamp>,
    error: Option<String>,
}

impl Run {
    /// Begins one.
    pub(crate) fn begin(
        kind: &'static str,
        target: &str,
        clock: &Arc<dyn Clock>,
        numbers: &AtomicU64,
    ) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            id: numbers.fetch_add(1, Ordering::Relaxed) + 1,
            kind,
            target: target.to_owned(),
            started_at: clock.now(),
            clock: Arc::clone(clock),
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State {
                status: RunStatus::Running,
                done: 0,
                total: 0,
                jobs: 0,
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
    pub(crate) fn progress(&self, done: u64, total: u64) {
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
    pub(crate) fn resume(&self, done: u64, total: u64) {
        let mut state = self.state();
        state.done = done;
        state.total = total.max(done);
    }

    /// When it last came any further.
    pub(crate) fn moved(&self) -> Instant {
        self.state().moved
    }

    /// Asks it to end.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Counts jobs that it made.
    pub(crate) fn made_jobs(&self, jobs: u64) {
        self.state().jobs += jobs;
    }

    /// Its number.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Notes how it ended.
    pub(crate) fn end(&self, end: End) {
        {
            let mut state = self.state();
            state.ended_at = Some(self.clock.now());
            state.status = match end {
                End::Completed => RunStatus::Completed,
                End::Cancelled => RunStatus::Cancelled,
                End::Failed(error) => {
                    state.error = Some(error);
                    RunStatus::Failed
                }
            };
        }
        self.ended.send_replace(true);
    }

    /// Whether it goes on.
    pub(crate) fn is_running(&self) -> bool {
        !*self.ended.borrow()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) {
        let mut ended = self.ended.subscribe();
        // The sender is `self`: it cannot be gone.
        drop(ended.wait_for(|ended| *ended).await);
    }

    /// What is shown of it.
    pub(crate) fn shown(&self) -> RunOut {
        let now = Instant::now();
        let state = self.state();
        let running = state.status == RunStatus::Running;
        let rate = state.rate.per_second(now);
        let left = state.total.saturating_sub(state.done);
        RunOut {
            kind: self.kind.to_owned(),
            id: self.id,
            of: self.target.clone(),
            status: state.status,
            done: state.done,
            total: state.total,
            jobs: state.jobs,
            events_per_second: if running { rate } else { 0.0 },
            // A search counts its tries, and knows of no more than it made.
            seconds_left: (running && rate >= 1.0 && left > 0).then(|| as_float(left) / rate),
            started_at: self.started_at,
            ended_at: state.ended_at,
            error: state.error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn a_run_tells_how_far_it_is_and_how_it_ended() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let numbers = AtomicU64::new(6);
        let run = Run::begin("backfill", "mail", &clock, &numbers);
        assert_eq!((run.id(), run.shown().seconds_left), (7, None));
        run.progress(25, 100);
        run.made_jobs(3);
        let out = run.shown();
        assert_eq!(
            (out.status, out.done, out.total, out.jobs),
            (RunStatus::Running, 25, 100, 3)
        );
        assert!(out.events_per_second > 0.0 && out.seconds_left.is_some());
        run.progress(100, 100);
        assert_eq!(
            run.shown().seconds_left,
            None,
            "how much is left is not known"
        );
        run.end(End::Failed("the disk is full".to_owned()));
        let out = run.shown();
        assert_eq!(out.status, RunStatus::Failed);
        assert_eq!(out.error.as_deref(), Some("the disk is full"));
        assert!(out.ended_at.is_some() && out.seconds_left.is_none());
    }
}
