//! Time travel: resolves a time to a revision, and loads the state at a revision.
//!
//! Owns the steps: resolve the point, start from the nearest snapshot of the same rules, fold the tail. The state at
//! a revision is the same whichever way it is reached; a snapshot that is missing, stale, ahead of its stream or
//! undecodable costs time, never correctness. Never writes to the log.
//!
//! Everything here blocks; call it where blocking is allowed.

mod saver;
pub mod snapshots;
mod warnings;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use whodunit_core::api::time_travel::{Step, UpcastOut};
use whodunit_core::api::warning::Warning;
use whodunit_core::diff::DiffEntry;
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::model::Model;
use whodunit_core::time::{TimeError, Timestamp};
use whodunit_core::weight::{StateBound, TooLarge, of_object, of_value};

use crate::limits::{STATE_WEIGHT_MAX, STEPS_WEIGHT_MAX};
use crate::store::{
    Direction, ReadEvents, ReadSnapshots, ReadStreams, ReadTimes, Snapshot, Stoppable, Store,
    StoreError, StreamInfo, View, try_for_each_event,
};
use saver::Saver;
use snapshots::{Saved, Spacing, Undecoded};
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
    #[error(
        "stream `{stream}`: at revision {revision} {too_large}, which is the most that is worked on"
    )]
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
}

/// Whether loading a state offers snapshots on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SnapshotPolicy {
    /// Offers them to be saved.
    Offer,
    /// Leaves the store as it is.
    Never,
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
        self.load_state(view, model, stream, to, SnapshotPolicy::Offer)
    }

    /// The same, but leaves the store's bytes as they are.
    pub fn state_without_snapshots(
        &self,
        view: &(impl ReadEvents + ReadSnapshots + Stoppable + ?Sized),
        model: &Model,
        stream: &StreamName,
        to: Revision,
    ) -> Result<StateAt, TravelError> {
        self.load_state(view, model, stream, to, SnapshotPolicy::Never)
    }

    fn load_state(
        &self,
        view: &(impl ReadEvents + ReadSnapshots + Stoppable + ?Sized),
        model: &Model,
        stream: &StreamName,
        to: Revision,
        policy: SnapshotPolicy,
    ) -> Result<StateAt, TravelError> {
        let mut below = to;
        while below > Revision::ZERO
            && let Some(snapshot) = view.snapshot(stream, model.rules_hash(), below)?
        {
            match snapshots::decode(&snapshot, view.stop()) {
                Err(Undecoded::Stopped(stopped)) => return Err(StoreError::from(stopped).into()),
                Err(Undecoded::Unusable(reason)) => self.ignore(&snapshot, &reason),
                Ok(saved) => match self.fold(view, model, stream, Some(saved), to, policy)? {
                    Some(reached) => return Ok(reached),
                    None => self.ignore(&snapshot, "it stands after another event"),
                },
            }
            below = Revision(snapshot.revision.min(below).0.saturating_sub(1));
        }
        let reached = self.fold(view, model, stream, None, to, policy)?;
        reached.ok_or_else(|| {
            let damaged = StoreError::Damaged {
                place: format!("stream `{stream}`"),
                detail: "folding it from the beginning needed a snapshot".to_owned(),
            };
            damaged.into()
        })
    }

    fn ignore(&self, snapshot: &Snapshot, reason: &str) {
        self.ignored.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(stream = %snapshot.stream, revision = %snapshot.revision, reason, "a snapshot was ignored");
    }

    /// Folds from a snapshot, or from the beginning. `None` when the snapshot is of another history.
    fn fold(
        &self,
        view: &(impl ReadEvents + ?Sized),
        model: &Model,
        stream: &StreamName,
        saved: Option<Saved>,
        to: Revision,
        policy: SnapshotPolicy,
    ) -> Result<Option<StateAt>, TravelError> {
        let (mut folded, mut anchor) = match saved {
            Some(saved) => (saved.folded, Some(saved.anchor)),
            None => (Folded::start(model), None),
        };
        let start = folded.revision;
        let mut last = None;
        let mut spacing = Spacing::start();
        let mut bound = StateBound::new(STATE_WEIGHT_MAX, &folded.state);
        // With a snapshot its anchor event is read first: it must be the one that the snapshot names.
        let from = start.max(Revision(1));
        try_for_each_event(view, stream, (from, to), |event| {
            if let Some(expected) = &anchor {
                if !expected.fits(&event) {
                    return Ok(ControlFlow::Break(()));
                }
                anchor = None;
            } else {
                let added = bound.add(event.data.as_str(), || of_object(&folded.state));
                added.map_err(|too_large| TravelError::StateTooLarge {
                    stream: stream.clone(),
                    revision: event.revision,
                    too_large,
                })?;
                folded.push(model, &event);
                if policy == SnapshotPolicy::Offer && spacing.add(&event) {
                    self.snapshot(model, &event, &folded, &mut spacing);
                }
            }
            last = Some((event.position, event.recorded_at));
            Ok::<_, TravelError>(ControlFlow::Continue(()))
        })?;
        if anchor.is_some() {
            return Ok(None);
        }
        if folded.revision != to {
            return Err(StoreError::Damaged {
                place: format!("stream `{stream}`"),
                detail: format!(
                    "it ends at revision {}, before revision {to}",
                    folded.revision
                ),
            }
            .into());
        }
        Ok(Some(StateAt {
            folded,
            last,
            snapshot_revision: start,
        }))
    }

    fn snapshot(&self, model: &Model, event: &Event, folded: &Folded, spacing: &mut Spacing) {
        match snapshots::encode(model.rules_hash(), event, folded) {
            Ok(snapshot) if spacing.is_due(snapshot.state.len()) => self.saver.offer(snapshot),
            Ok(_) => {}
            Err(reason) => {
                // Try again after as many bytes; a state that cannot be encoded is folded from further back.
                spacing.is_due(0);
                tracing::warn!(stream = %event.stream, revision = %event.revision, reason, "a snapshot could not be made");
            }
        }
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
