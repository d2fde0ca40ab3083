//! Writes across the seam: what an append and a restored decision bring, and the answers they get.

use std::ops::Deref;
use std::sync::Arc;

use whodunit_core::command::{Command, Decision, Rejection};
use whodunit_core::decide::KeyChange;
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::write::{Batch, Placed};
use super::{NewJob, StreamLabel};

/// One atomic append to one stream.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream that grows.
    pub stream: StreamName,
    /// What its author believes its head to be.
    pub expected: ExpectedRevision,
    /// The facts, in order; empty is allowed only with a decision.
    pub events: Vec<NewEvent>,
    /// The daemon's clock: `recorded_at` of events that bring none, even where the stream has later ones already.
    pub now: Timestamp,
    /// Ids for those events that bring none, as many as there are events.
    pub fresh_ids: Vec<String>,
    /// The command behind the events, to be recorded with its outcome in the same transaction.
    pub decision: Option<PendingDecision>,
    /// Keys the stream takes and gives up with its events, in order. One that another stream holds turns a decided append
    /// into a recorded rejection (`{name}.taken`) and fails an undecided one with [`AppendError::KeyTaken`](super::AppendError::KeyTaken), even where a
    /// later event of the append would give it up again: the log would say that two held it. Giving up what it does not
    /// hold is no error.
    pub keys: Vec<KeyChange>,
    /// How lists name the stream from now on; `None` leaves what was there.
    pub label: Option<StreamLabel>,
    /// Work on the events that is stored with them. Not when the append repeats an earlier one or is a rejection.
    pub jobs: Vec<NewJob>,
}

impl Append {
    /// A plain append of facts at the daemon's time `now`, with no decision behind it.
    pub fn facts(
        stream: StreamName,
        expected: ExpectedRevision,
        events: Vec<NewEvent>,
        now: Timestamp,
    ) -> Self {
        Self {
            stream,
            expected,
            events,
            now,
            fresh_ids: Vec::new(),
            decision: None,
            keys: Vec::new(),
            label: None,
            jobs: Vec::new(),
        }
    }
}

/// A command and what its rules answered, before it has a place in the decision log.
#[derive(Debug, Clone)]
pub struct PendingDecision {
    /// The prepared command: no plaintext secrets.
    pub command: Command,
    /// The revision it was decided on. With events, the append's `expected` should be exactly this.
    pub base_revision: Revision,
    /// Content hash of the model that decided.
    pub rules_hash: String,
    /// `Some` when a rule refused it; then the append has no events.
    pub rejection: Option<Rejection>,
}

/// A decision of an export on its way back into a log, with the events that tell its place there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredDecision {
    /// As it was exported.
    pub decision: Decision,
    /// The events that tell its place.
    pub place: DecisionPlace,
}

/// Which events tell where a decision stands. Ids stay what they are in any log; positions and revisions do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionPlace {
    /// Those it led to, in order: as many as it says, and each caused by its command.
    Events(Vec<String>),
    /// It led to none. The last event of the log and the last one of its stream when it was decided; `None` where there
    /// was none yet.
    After {
        /// Of the log.
        log: Option<String>,
        /// Of its stream.
        stream: Option<String>,
    },
}

/// The answer to an append.
#[derive(Debug, Clone, PartialEq)]
pub struct AppendResult {
    /// The events as they stand in the log (the first answer's, when the append was a repetition).
    pub events: AppendedEvents,
    /// The decision as it stands in the decision log. It may be a rejection even though the rules accepted, when
    /// another stream holds a claimed key.
    pub decision: Option<AppendedDecision>,
    /// The stream's head after the append.
    pub revision: Revision,
    /// The log's position of the last event of the append, or the head when it had none.
    pub position: Position,
    /// Whether this repeats an earlier append (same event ids or same command id): nothing was written.
    pub repeated: bool,
    /// How many of its events were recorded before the stream's effective time: the stream's clock went back.
    pub clock_back: usize,
}

/// Events that an append has brought. They are shared with the log: none of them is copied.
#[derive(Clone)]
pub struct AppendedEvents(Arc<Batch>);

impl AppendedEvents {
    pub(super) fn of(batch: &Arc<Batch>) -> Self {
        Self(Arc::clone(batch))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.events.is_empty()
    }

    /// They, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Event> + DoubleEndedIterator {
        self.0.events.iter().map(|placed| &placed.event)
    }

    /// The first one.
    pub fn first(&self) -> Option<&Event> {
        self.iter().next()
    }

    /// The last one.
    pub fn last(&self) -> Option<&Event> {
        self.iter().next_back()
    }

    /// Copies of them.
    pub fn to_vec(&self) -> Vec<Event> {
        self.iter().cloned().collect()
    }
}

impl FromIterator<Event> for AppendedEvents {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Self {
        let placed = |event: Event| Placed {
            effective_at: event.recorded_at,
            event,
        };
        Self(Arc::new(Batch {
            events: events.into_iter().map(placed).collect(),
            ..Batch::default()
        }))
    }
}

impl std::ops::Index<usize> for AppendedEvents {
    type Output = Event;

    #[expect(clippy::indexing_slicing, reason = "it is what indexing means")]
    fn index(&self, index: usize) -> &Event {
        &self.0.events[index].event
    }
}

impl std::fmt::Debug for AppendedEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for AppendedEvents {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl PartialEq<AppendedEvents> for Vec<Event> {
    fn eq(&self, other: &AppendedEvents) -> bool {
        self.iter().eq(other.iter())
    }
}

/// The decision that an append has brought, shared with the log.
#[derive(Clone)]
pub struct AppendedDecision(Arc<Batch>);

impl AppendedDecision {
    /// `None` for a batch without one.
    pub(super) fn of(batch: &Arc<Batch>) -> Option<Self> {
        batch.decision.is_some().then(|| Self(Arc::clone(batch)))
    }

    /// The positions of the events that were written with it.
    pub(super) fn own_positions(&self) -> Vec<Position> {
        let events = self.0.events.iter();
        events.map(|placed| placed.event.position).collect()
    }
}

impl From<Decision> for AppendedDecision {
    fn from(decision: Decision) -> Self {
        Self(Arc::new(Batch {
            decision: Some(decision),
            ..Batch::default()
        }))
    }
}

impl Deref for AppendedDecision {
    type Target = Decision;

    #[expect(
        clippy::unreachable,
        reason = "made of batches that have one, and batches never change"
    )]
    fn deref(&self) -> &Decision {
        match &self.0.decision {
            Some(decision) => decision,
            None => unreachable!(),
        }
    }
}

impl std::fmt::Debug for AppendedDecision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for AppendedDecision {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
