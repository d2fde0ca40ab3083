//! The tail: the end of the log that is not sealed yet, in memory.
//!
//! Owns the batches behind the sealed head, in order, and what can be asked of them. A tail is a persistent value: a copy
//! of it takes no time and stays as it is while the log grows, so a view holds one. It is nothing but its batches, laid over
//! each other: what it says of a stream, a hold or a job takes the place of what is sealed; what it says of events,
//! decisions and counts comes on top. Looks nothing up, and knows no engine.

mod causes;
mod jobs;
mod records;
mod streams;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use imbl::{OrdMap, Vector};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::keys::UniqueKey;

use super::write::{Batch, KeyWrite};
use super::{AppendedDecision, Head, KeyHold};

pub(crate) use self::jobs::{JobState, JobsTail};
pub(crate) use self::records::EventRef;
pub(crate) use self::streams::{StreamTail, StreamsTail};

use self::causes::CausesTail;
use self::records::ByHash;

/// A key within its category.
type KeyPlace = (String, UniqueKey);

/// The end of the log.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    base: Head,
    batches: Vector<Arc<Batch>>,
    events: Vector<EventRef>,
    decisions: Vector<AppendedDecision>,
    /// Positions by event id.
    ids: ByHash,
    /// Sequences by command id.
    commands: ByHash,
    /// Sequences of a stream's decisions, and whether each is a rejection.
    of_stream: OrdMap<StreamName, Vector<(u64, bool)>>,
    /// Holds by where they began; each takes the place of the sealed one that began there.
    holds: OrdMap<KeyPlace, OrdMap<Position, KeyHold>>,
    streams: StreamsTail,
    jobs: JobsTail,
    causes: CausesTail,
    bytes: usize,
}

impl Tail {
    /// Nothing behind a sealed head.
    pub(crate) fn new(base: Head) -> Self {
        Self {
            base,
            batches: Vector::new(),
            events: Vector::new(),
            decisions: Vector::new(),
            ids: ByHash::default(),
            commands: ByHash::default(),
            of_stream: OrdMap::new(),
            holds: OrdMap::new(),
            streams: StreamsTail::default(),
            jobs: JobsTail::default(),
            causes: CausesTail::default(),
            bytes: 0,
        }
    }

    /// Lays a batch over it. Its events and its decision must be the next ones.
    pub(crate) fn apply(&mut self, batch: &Arc<Batch>) {
        for index in 0..batch.events.len() {
            let event = EventRef::new(batch, index);
            self.bytes += event_bytes(&event.placed().event);
            self.ids.insert(&event.event_id, event.position.0);
            self.events.push_back(event);
        }
        self.streams.apply(batch);
        self.causes.apply(batch);
        for write in &batch.keys {
            self.hold(write);
        }
        if let Some(decision) = AppendedDecision::of(batch) {
            self.decide(decision);
        }
        for write in &batch.jobs {
            self.bytes += RECORD_BYTES;
            self.jobs.apply(write);
        }
        self.batches.push_back(Arc::clone(batch));
    }

    fn hold(&mut self, write: &KeyWrite) {
        let place = (write.category().to_owned(), write.key.clone());
        let holds = self.holds.entry(place).or_default();
        holds.insert(write.hold.since, write.hold.clone());
    }

    fn decide(&mut self, decision: AppendedDecision) {
        let rejected = matches!(decision.result, Outcome::Rejected { .. });
        let of_stream = self.of_stream.entry(decision.stream.clone()).or_default();
        of_stream.push_back((decision.sequence, rejected));
        self.bytes += decision_bytes(&decision);
        self.commands
            .insert(&decision.command_id, decision.sequence);
        self.decisions.push_back(decision);
    }

    /// Without its first batches, which are sealed by now.
    #[must_use]
    pub(crate) fn without_first(&self, batches: usize) -> Self {
        let mut base = self.base;
        for batch in self.batches.iter().take(batches) {
            base = after(base, batch);
        }
        let mut rest = Self::new(base);
        for batch in self.batches.iter().skip(batches) {
            rest.apply(batch);
        }
        rest
    }

    /// The head that it stands behind.
    pub(crate) fn base(&self) -> Head {
        self.base
    }

    /// The head with it.
    pub(crate) fn head(&self) -> Head {
        Head {
            position: Position(self.base.position.0 + self.events.len() as u64),
            decision: self.base.decision + self.decisions.len() as u64,
        }
    }

    /// Its batches, in order.
    pub(crate) fn batches(&self) -> &Vector<Arc<Batch>> {
        &self.batches
    }

    /// About how many bytes it holds, counted by its texts.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The event at a position, with its effective time.
    pub(crate) fn event(&self, position: Position) -> Option<&EventRef> {
        let index = position.0.checked_sub(self.base.position.0 + 1)?;
        self.events.get(usize::try_from(index).ok()?)
    }

    /// Its events, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = &EventRef> {
        self.events.iter()
    }

    /// The event with this id.
    pub(crate) fn event_by_id(&self, event_id: &str) -> Option<&EventRef> {
        let mut found = self.ids.numbers(event_id);
        found.find_map(|at| {
            let event = self.event(Position(at))?;
            (event.event_id == event_id).then_some(event)
        })
    }

    /// The decision of a sequence.
    pub(crate) fn decision(&self, sequence: u64) -> Option<&Decision> {
        self.decided(sequence).map(|decision| &**decision)
    }

    fn decided(&self, sequence: u64) -> Option<&AppendedDecision> {
        let index = sequence.checked_sub(self.base.decision + 1)?;
        self.decisions.get(usize::try_from(index).ok()?)
    }

    fn decided_on(&self, command_id: &str) -> Option<&AppendedDecision> {
        let mut found = self.commands.numbers(command_id);
        found.find_map(|sequence| {
            let decision = self.decided(sequence)?;
            (decision.command_id == command_id).then_some(decision)
        })
    }

    /// The decision of a command.
    pub(crate) fn decision_by_command(&self, command_id: &str) -> Option<&Decision> {
        self.decided_on(command_id).map(|decision| &**decision)
    }

    /// The events that name a cause, in order.
    pub(crate) fn caused_events(&self, cause: &str) -> impl Iterator<Item = &EventRef> {
        let own = self.decided_on(cause);
        let own = own.map(AppendedDecision::own_positions);
        let positions = self.causes.events(cause, own.unwrap_or_default());
        let events = positions.into_iter().filter_map(|at| self.event(at));
        let events: Vec<_> = events
            .filter(|event| event.causation_id.as_deref() == Some(cause))
            .collect();
        events.into_iter()
    }

    /// The decisions on commands that name a cause, in order.
    pub(crate) fn caused_decisions(&self, cause: &str) -> impl Iterator<Item = &Decision> {
        let sequences = self.causes.decisions(cause);
        let decisions = sequences.into_iter().filter_map(|at| self.decision(at));
        let decisions: Vec<_> = decisions
            .filter(|decision| decision.causation_id.as_deref() == Some(cause))
            .collect();
        decisions.into_iter()
    }

    /// Sequences of a stream's decisions, ascending, and whether each is a rejection.
    pub(crate) fn decisions_of(
        &self,
        stream: &StreamName,
    ) -> impl DoubleEndedIterator<Item = (u64, bool)> + '_ {
        self.of_stream.get(stream).into_iter().flatten().copied()
    }

    /// The holds of a key that it has a say in, by where they began.
    pub(crate) fn holds(
        &self,
        category: &str,
        key: &UniqueKey,
    ) -> impl DoubleEndedIterator<Item = &KeyHold> {
        let place = (category.to_owned(), key.clone());
        let holds = self.holds.get(&place);
        holds.into_iter().flat_map(|holds| holds.values())
    }

    /// All holds that it has a say in.
    pub(crate) fn all_holds(&self) -> impl Iterator<Item = (&str, &UniqueKey, &KeyHold)> {
        self.holds.iter().flat_map(|((category, key), holds)| {
            let holds = holds.values();
            holds.map(move |hold| (category.as_str(), key, hold))
        })
    }

    /// Its streams.
    pub(crate) fn streams(&self) -> &StreamsTail {
        &self.streams
    }

    /// Its jobs.
    pub(crate) fn jobs(&self) -> &JobsTail {
        &self.jobs
    }
}

/// The head after a batch.
fn after(mut head: Head, batch: &Batch) -> Head {
    head.position.0 += batch.events.len() as u64;
    head.decision += u64::from(batch.decision.is_some());
    head
}

/// About how many bytes an event takes beside its texts.
const RECORD_BYTES: usize = 400;

fn event_bytes(event: &Event) -> usize {
    let metadata = event
        .metadata
        .as_ref()
        .map_or(0, |json| json.as_str().len());
    RECORD_BYTES + event.stream.as_str().len() + event.data.as_str().len() + metadata
}

fn decision_bytes(decision: &Decision) -> usize {
    RECORD_BYTES + decision.stream.as_str().len() + decision.payload.as_str().len()
}
