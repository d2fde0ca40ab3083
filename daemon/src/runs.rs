//! Long runs: how far they are, how fast, how they end.
//!
//! Owns the account of one run, shared by whoever does the work and whoever asks about it. Does no work itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use whodunit_core::api::pipeline::{RunOut, RunStatus};
use whodunit_core::time::Timestamp;

/// The account of a run.
#[derive(Debug)]
pub(crate) struct Run {
    kind: &'static str,
    id: u64,
    of: String,
    started_at: Timestamp,
    started: Instant,
    done: AtomicU64,
    total: AtomicU64,
    jobs: AtomicU64,
    end: Mutex<Option<End>>,
    cancelled: CancellationToken,
}

#[derive(Debug, Clone)]
struct End {
    status: RunStatus,
    at: Timestamp,
    seconds: f64,
    error: Option<String>,
}

impl Run {
    /// A run that begins now.
    pub(crate) fn begin(kind: &'static str, id: u64, of: String, now: Timestamp) -> Self {
        Self {
            kind,
            id,
            of,
            started_at: now,
            started: Instant::now(),
            done: AtomicU64::new(0),
            total: AtomicU64::new(0),
            jobs: AtomicU64::new(0),
            end: Mutex::new(None),
            cancelled: CancellationToken::new(),
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// How far it is, of how much.
    pub(crate) fn at(&self, done: u64, total: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    /// Counts jobs that it made.
    pub(crate) fn made_jobs(&self, n: u64) {
        self.jobs.fetch_add(n, Ordering::Relaxed);
    }

    /// Asks it to end as soon as it can.
    pub(crate) fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Whether somebody asked it to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Whether it is under way.
    pub(crate) fn is_running(&self) -> bool {
        self.ended().is_none()
    }

    fn ended(&self) -> Option<End> {
        self.end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Closes the account. The first end counts.
    pub(crate) fn end(&self, outcome: Result<RunStatus, String>, at: Timestamp) {
        let (status, error) = match outcome {
            Ok(status) => (status, None),
            Err(error) => (RunStatus::Failed, Some(error)),
        };
        let seconds = self.started.elapsed().as_secs_f64();
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.get_or_insert(End {
            status,
            at,
            seconds,
            error,
        });
    }

    /// The account as it is shown.
    pub(crate) fn out(&self) -> RunOut {
        let end = self.ended();
        let done = self.done.load(Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed).max(done);
        let seconds = end
            .as_ref()
            .map_or_else(|| self.started.elapsed().as_secs_f64(), |end| end.seconds);
        let rate = if seconds > 0.0 {
            float(done) / seconds
        } else {
            0.0
        };
        let is_running = end.is_none();
        RunOut {
            kind: self.kind.to_owned(),
            id: self.id,
            of: self.of.clone(),
            status: end.as_ref().map_or(RunStatus::Running, |end| end.status),
            done,
            total,
            jobs: self.jobs.load(Ordering::Relaxed),
            events_per_second: rate,
            seconds_left: (is_running && rate > 0.0).then(|| float(total - done) / rate),
            started_at: self.started_at,
            ended_at: end.as_ref().map(|end| end.at),
            error: end.and_then(|end| end.error),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for people, who read two digits of it"
)]
fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_tells_how_far_it_is_and_its_first_end_counts() {
        let run = Run::begin("backfill", 1, "mail".to_owned(), Timestamp::from_micros(5));
        assert_eq!(run.out().seconds_left, None);
        run.at(25, 100);
        let out = run.out();
        assert_eq!(
            (out.status, out.done, out.total),
            (RunStatus::Running, 25, 100)
        );
        assert!(out.events_per_second > 0.0 && out.seconds_left.is_some());
        run.end(Ok(RunStatus::Cancelled), Timestamp::from_micros(9));
        run.end(Err("too late".to_owned()), Timestamp::from_micros(10));
        let out = run.out();
        assert_eq!((out.status, out.error), (RunStatus::Cancelled, None));
        assert_eq!(out.ended_at, Some(Timestamp::from_micros(9)));
        assert_eq!(out.seconds_left, None);
    }
}
