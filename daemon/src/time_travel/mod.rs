//! Time travel: resolves a time to a revision, and loads the state at a revision.
//!
//! Owns the steps: resolve the point, start from the nearest snapshot of the same rules, fold the tail. The state at
//! a revision is the same whichever way it is reached; a snapshot that is missing, stale, ahead of its stream or
//! undecodable costs time, never correctness. Never writes to the log.
//!
//! Everything here blocks; call it where blocking is allowed.

mod field;
mod load;
mod saver;
pub mod snapshots;
mod warnings;

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use whodunit_core::api::time_travel::{Step, UpcastOut};
use whodunit_core::api::warning::Warning;
use whodunit_core::blame::Blame;
use whodunit_core::diff::DiffEntry;
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::model::Model;
use whodunit_core::time::{TimeError, Timestamp};
use whodunit_core::weight::{StateBound, TooLarge, of_object, of_value};

use crate::limits::{STATE_WEIGHT_MAX, STEPS_WEIGHT_MAX};
use crate::store::{
    Direction, ReadEvents, ReadSnapshots, ReadStreams, ReadTimes, Stoppable, Store, StoreError,
    StreamInfo, View,
};
pub use field::{FieldValue, FieldValues};
use load::Loading;
use saver::Saver;
pub use warnings::{clock_went_back, faults, left_out, redacted_copy};

/// A point of a stream's history, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Point {
    /// Its head.
    #[default]
    Head,
    /// After this revision.
    Revision(Revision),
    /// As it was recorded at this time.
    AsOf(Timestamp),
}

impl FromStr for Point {
    type Err = TimeError;

    /// A number is a revision, everything else a time.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        match text.parse() {
            Ok(revision) => Ok(Self::Revision(Revision(revision))),
            Err(_) => text.parse().map(Self::AsOf),
        }
    }
}

/// Why there is no such point.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TravelError {
    /// The stream has no event.
    #[error("stream `{stream}` has no event")]
    NoSuchStream {
        /// Its name.
        stream: StreamName,
    },
    /// The stream's head is before the revision asked for.
    #[error("stream `{stream}` is at revision {head}; there is no revision {revision} yet")]
    BeyondHead {
        /// The stream.
        stream: StreamName,
        /// What was asked for.
        revision: Revision,
        /// What there is.
        head: Revision,
    },
    /// The time asked for is before the stream's first event.
    #[error(
        "stream `{stream}` has nothing yet at {at}: its first event was recorded at {first}{}",
        and_left_out(left_out.as_ref())
    )]
    BeforeFirst {
        /// The stream.
        stream: StreamName,
        /// What was asked for.
        at: Timestamp,
        /// When its history begins.
        first: Timestamp,
        /// What was recorded by then all the same, after the first event.
        left_out: Option<Warning>,
    },
    /// A state on the way is too large to be worked on.
    #[error("stream `{stream}`: at revision {revision} {too_large}, which is the limit")]
    StateTooLarge {
        /// The stream.
        stream: StreamName,
        /// Where it was too large.
        revision: Revision,
        /// How large it may be.
        too_large: TooLarge,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an error says of the events that it leaves out.
fn and_left_out(warning: Option<&Warning>) -> String {
    warning.map_or_else(String::new, |warning| format!("; {}", warning.detail))
}

/// A point that exists.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The revision it was resolved to.
    pub revision: Revision,
    /// The stream.
    pub info: StreamInfo,
}

/// Finds the revision of a point.
pub fn resolve(
    view: &(impl ReadStreams + ReadTimes + ?Sized),
    stream: &StreamName,
    point: Point,
) -> Result<Resolved, TravelError> {
    let stream = stream.clone();
    let Some(info) = view.stream(&stream)? else {
        return Err(TravelError::NoSuchStream { stream });
    };
    let head = info.revision;
    let revision = match point {
        Point::Head => head,
        Point::Revision(revision) if revision > head => {
            return Err(TravelError::BeyondHead {
                stream,
                revision,
                head,
            });
        }
        Point::Revision(revision) => revision,
        Point::AsOf(at) => match view.revision_as_of(&stream, at)? {
            Some(revision) if revision > Revision::ZERO => revision,
            _ => {
                let first = info.first_at;
                let revision = Revision::ZERO;
                let left_out = left_out(view, point, &Resolved { revision, info })?;
                return Err(TravelError::BeforeFirst {
                    stream,
                    at,
                    first,
                    left_out,
                });
            }
        },
    };
    Ok(Resolved { revision, info })
}

/// The state at a revision, and where it was read from.
#[derive(Debug, Clone)]
pub struct StateAt {
    /// The state, its revision, and the faults on the way to it.
    pub folded: Folded,
    /// Where and when its last event was recorded; `None` at revision 0.
    pub last: Option<(Position, Timestamp)>,
    /// Revision of the snapshot it was folded from; 0 for the beginning.
    pub snapshot_revision: Revision,
    /// What set its fields, where that was asked for.
    pub blame: Option<Blame>,
}

/// Loads states, and offers snapshots on the way.
pub struct TimeTravel {
    saver: Saver,
    ignored: AtomicU64,
}

impl TimeTravel {
    /// Starts the task that saves snapshots to this store.
    pub fn start(store: Arc<dyn Store>) -> Self {
        Self {
            saver: Saver::start(store),
            ignored: AtomicU64::new(0),
        }
    }

    /// How many snapshots were found unusable so far.
    pub fn snapshots_ignored(&self) -> u64 {
        self.ignored.load(Ordering::Relaxed)
    }

    /// Waits until the snapshots taken so far are saved.
    pub async fn settled(&self) {
        self.saver.settled().await;
    }

    /// The state after revision `to`, which must exist. May leave snapshots on the way.
    pub fn state(
        &self,
        view: &(impl ReadEvents + ReadSnapshots + Stoppable + ?Sized),
        model: &Model,
        stream: &StreamName,
        to: Revision,
    ) -> Result<StateAt, TravelError> {
        self.load_state(view, model, (stream, to), Loading::STATE)
    }

    /// The same, but leaves the store's bytes as they are.
    pub fn state_without_snapshots(
        &self,
        view: &(impl ReadEvents + ReadSnapshots + Stoppable + ?Sized),
        model: &Model,
        stream: &StreamName,
        to: Revision,
    ) -> Result<StateAt, TravelError> {
        self.load_state(view, model, (stream, to), Loading::STATE_WITHOUT_SNAPSHOTS)
    }

    /// The state after revision `to`, which must exist, with what set its fields. What was removed is only known when it is
    /// folded from the beginning.
    pub fn state_with_blame(
        &self,
        view: &(impl ReadEvents + ReadSnapshots + Stoppable + ?Sized),
        model: &Model,
        stream: &StreamName,
        to: Revision,
        with_removed: bool,
    ) -> Result<StateAt, TravelError> {
        let loading = if with_removed {
            Loading::BLAME_WITH_REMOVED
        } else {
            Loading::BLAME
        };
        self.load_state(view, model, (stream, to), loading)
    }

    /// What each of these consecutive events of a stream did to the state: of all of them, or, where those would weigh too
    /// much together, of the first ones, or of the last ones when the page is read `backward`. At least of one.
    pub fn steps(
        &self,
        view: &dyn View,
        model: &Model,
        events: Vec<Event>,
        direction: Direction,
    ) -> Result<VecDeque<Step>, TravelError> {
        let Some(first) = events.first() else {
            return Ok(VecDeque::new());
        };
        let before = Revision(first.revision.0.saturating_sub(1));
        let mut folded = self.state(view, model, &first.stream, before)?.folded;
        let mut bound = StateBound::new(STATE_WEIGHT_MAX, &folded.state);
        let (mut steps, mut weight) = (VecDeque::with_capacity(events.len()), 0);
        for event in events {
            view.stop().check().map_err(StoreError::from)?;
            let weigh = || of_object(&folded.state);
            if let Err(too_large) = bound.add(event.data.as_str(), weigh) {
                if direction == Direction::Forward && !steps.is_empty() {
                    break;
                }
                let (stream, revision) = (event.stream, event.revision);
                return Err(TravelError::StateTooLarge {
                    stream,
                    revision,
                    too_large,
                });
            }
            let change = folded.push_with_diff(model, &event);
            let step = Step {
                event,
                diff: change.diff,
                applied: change.effect,
                upcast: change.upcast.map(|now| UpcastOut {
                    event_type: now.event_type,
                    schema_version: now.schema_version,
                    data: now.data,
                }),
            };
            weight += step_weight(&step);
            if weight > STEPS_WEIGHT_MAX && direction == Direction::Forward && !steps.is_empty() {
                break;
            }
            steps.push_back(step);
            while weight > STEPS_WEIGHT_MAX && steps.len() > 1 {
                weight -= steps.pop_front().as_ref().map_or(0, step_weight);
            }
        }
        Ok(steps)
    }
}

fn step_weight(step: &Step) -> usize {
    let of_entry = |entry: &DiffEntry| {
        let values = entry.before.iter().chain(&entry.after);
        size_of::<DiffEntry>() + 2 * entry.path.len() + values.map(of_value).sum::<usize>()
    };
    let upcast = step.upcast.as_ref();
    size_of::<Step>()
        + step.event.data.as_str().len()
        + step.diff.iter().map(of_entry).sum::<usize>()
        + upcast.map_or(0, |upcast| of_object(&upcast.data))
}
