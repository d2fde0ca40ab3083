//! Lag and status of a projection.
//!
//! Owns lag and status. Lag is measured against the log's head at the moment of asking; one that is behind and does
//! not move is stalled, whatever it says of itself.

use std::time::{Duration, Instant};

use whodunit_core::api::pipeline::ProjectionStatus;

use crate::limits::PROJECTION_STALLED_AFTER;
use crate::runs::Rate;

/// A projection that is at most this far behind, and for less than [`NEARLY`], counts as up to date.
const NEARLY_EVENTS: u64 = 1_000;
const NEARLY: Duration = Duration::from_secs(1);

/// What a consumer publishes about its progress.
#[derive(Debug)]
pub(super) struct Progress {
    /// When the log's head went past the checkpoint; `None` while level.
    behind_since: Option<Instant>,
    moved: Instant,
    rate: Rate,
    error: Option<String>,
    failing: bool,
}

/// Lag and status at a moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LagStatus {
    pub(super) lag_seconds: f64,
    pub(super) events_per_second: f64,
    pub(super) status: ProjectionStatus,
    pub(super) error: Option<String>,
}

impl Progress {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            behind_since: None,
            moved: now,
            rate: Rate::new(now),
            error: None,
            failing: false,
        }
    }

    /// Notes the head and the checkpoint.
    pub(super) fn compare(&mut self, head: u64, checkpoint: u64, now: Instant) {
        if checkpoint >= head {
            self.behind_since = None;
        } else if self.behind_since.is_none() {
            self.behind_since = Some(now);
        }
    }

    /// Notes that events were applied.
    pub(super) fn moved(&mut self, events: u64, now: Instant) {
        self.moved = now;
        self.rate.add(events, now);
    }

    /// Notes what keeps it from going on.
    pub(super) fn failed(&mut self, error: String) {
        self.error = Some(error);
        self.failing = true;
    }

    /// Notes that nothing keeps it from going on any more. What last did stays to be seen.
    pub(super) fn recovered(&mut self) {
        self.failing = false;
    }

    /// How it keeps up. `busy` is when a rebuild that replaces its work last came any further, `held` until when an import holds or
    /// has last held it back.
    pub(super) fn lag_status(
        &mut self,
        (head, checkpoint): (u64, u64),
        (busy, held): (Option<Instant>, Option<Instant>),
        now: Instant,
    ) -> LagStatus {
        self.compare(head, checkpoint, now);
        let lag = self
            .behind_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let waits = busy.is_none() && held.is_some_and(|until| until > now);
        let moved = [busy, held].into_iter().flatten().max();
        let moved = moved.map_or(self.moved, |moved| moved.max(self.moved));
        let still = now.saturating_duration_since(moved).min(lag);
        let status = if checkpoint >= head {
            ProjectionStatus::Live
        } else if still >= PROJECTION_STALLED_AFTER || self.failing && busy.is_none() {
            ProjectionStatus::Stalled
        } else if waits {
            ProjectionStatus::WaitsForImport
        } else if head - checkpoint <= NEARLY_EVENTS && lag < NEARLY && busy.is_none() {
            ProjectionStatus::Live
        } else {
            ProjectionStatus::CatchingUp
        };
        LagStatus {
            lag_seconds: lag.as_secs_f64(),
            events_per_second: self.rate.per_second(now),
            status,
            error: self.error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn lag_counts_from_when_the_head_went_ahead() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        let lag_status = progress.lag_status((5, 5), (None, None), start + seconds(100));
        assert_eq!(
            (lag_status.lag_seconds, lag_status.status),
            (0.0, ProjectionStatus::Live)
        );
        progress.compare(6, 5, start + seconds(100));
        let lag_status = progress.lag_status((6, 5), (None, None), start + seconds(100));
        assert_eq!(
            (lag_status.lag_seconds, lag_status.status),
            (0.0, ProjectionStatus::Live)
        );
        let lag_status = progress.lag_status((6, 5), (None, None), start + seconds(102));
        assert_eq!(lag_status.status, ProjectionStatus::CatchingUp);
        assert!((lag_status.lag_seconds - 2.0).abs() < 1e-6);
    }

    #[test]
    fn behind_and_standing_still_is_stalled() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        progress.compare(1, 0, start);
        let later = start + PROJECTION_STALLED_AFTER;
        let lag_status = progress.lag_status((1, 0), (None, None), later);
        assert_eq!(lag_status.status, ProjectionStatus::Stalled);
        // A rebuild that moves counts instead.
        let lag_status = progress.lag_status((1, 0), (Some(later), None), later);
        assert_eq!(lag_status.status, ProjectionStatus::CatchingUp);
        progress.moved(1, later);
        let lag_status = progress.lag_status((9, 1), (None, None), later);
        assert_eq!(lag_status.status, ProjectionStatus::CatchingUp);
    }

    #[test]
    fn what_an_import_holds_back_waits_and_is_not_stalled() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        progress.compare(1, 0, start);
        let later = start + 2 * PROJECTION_STALLED_AFTER;
        let held = later + seconds(1);
        let status = |progress: &mut Progress, at| {
            let lag_status = progress.lag_status((9, 0), (None, Some(held)), at);
            (lag_status.status, lag_status.lag_seconds > 0.0)
        };
        let waits = ProjectionStatus::WaitsForImport;
        assert_eq!(status(&mut progress, later), (waits, true));
        // Its time begins when nothing holds it back any more.
        let catches_up = ProjectionStatus::CatchingUp;
        assert_eq!(status(&mut progress, held), (catches_up, true));
        let stalled = ProjectionStatus::Stalled;
        let much_later = held + PROJECTION_STALLED_AFTER;
        assert_eq!(status(&mut progress, much_later), (stalled, true));
        progress.failed("no".to_owned());
        assert_eq!(status(&mut progress, later), (stalled, true));
    }

    #[test]
    fn a_failure_stalls_at_once_and_is_remembered() {
        let start = Instant::now();
        let mut progress = Progress::new(start);
        progress.failed("no".to_owned());
        assert_eq!(
            progress.lag_status((1, 0), (None, None), start).status,
            ProjectionStatus::Stalled
        );
        assert_eq!(
            progress.lag_status((1, 1), (None, None), start).status,
            ProjectionStatus::Live
        );
        progress.recovered();
        let lag_status = progress.lag_status((2, 1), (None, None), start);
        assert_eq!(lag_status.status, ProjectionStatus::Live);
        assert_eq!(lag_status.error.as_deref(), Some("no"));
    }
}
