//! Entries of a log and their places: a decision with its events, or a raw event.
//!
//! Owns the one order in which a log is decided again. It is that of positions, not of sequences: a decision that was restored
//! from an export stands where its events stand.

use crate::command::{Command, Decision, Outcome};
use crate::event::Event;
use crate::ids::{Position, Revision, StreamName};
use crate::json::{Map, Value};

/// A place in a log: of an entry, or right before or after one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The last event before it.
    after: Position,
    /// What brings no event comes before the entry that brings the next one.
    brings_events: bool,
    /// Of the decision; 0 for a raw event.
    sequence: u64,
    side: Side,
    nth: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Side {
    Before,
    Itself,
    After,
}

impl Place {
    /// After everything that is on record.
    pub const END: Self = Self::after_position(Position(u64::MAX));

    /// The place of a decision.
    pub fn of_decision(decision: &Decision) -> Self {
        Self {
            after: decision.base_position,
            brings_events: matches!(decision.result, Outcome::Accepted { events, .. } if events > 0),
            sequence: decision.sequence,
            side: Side::Itself,
            nth: 0,
        }
    }

    /// The place of an event that no decision on record led to.
    pub fn of_raw_event(position: Position) -> Self {
        Self {
            after: Position(position.0.saturating_sub(1)),
            brings_events: true,
            sequence: 0,
            side: Side::Itself,
            nth: 0,
        }
    }

    /// Right after an event; a rejection that was decided there stands after it.
    pub const fn after_position(position: Position) -> Self {
        Self {
            after: position,
            brings_events: false,
            sequence: 0,
            side: Side::Before,
            nth: 0,
        }
    }

    /// The end of a log whose head was at this position and whose last decision had this sequence: before whatever was
    /// logged later.
    pub const fn after_head(position: Position, decision: u64) -> Self {
        Self {
            sequence: decision.saturating_add(1),
            ..Self::after_position(position)
        }
    }

    /// Right before this place; of several such places, this one.
    #[must_use]
    pub fn before(self, nth: usize) -> Self {
        self.beside(Side::Before, nth)
    }

    /// Right after this place; of several such places, this one.
    #[must_use]
    pub fn after(self, nth: usize) -> Self {
        self.beside(Side::After, nth)
    }

    fn beside(self, side: Side, nth: usize) -> Self {
        let nth = u32::try_from(nth).unwrap_or(u32::MAX);
        Self { side, nth, ..self }
    }

    /// The position of the last event before it.
    pub fn position(self) -> Position {
        self.after
    }
}

/// What is written into a log at once: a decision with the events it led to, or one raw event.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// The stream.
    pub stream: StreamName,
    /// The decision; `None` for a raw event.
    pub decision: Option<Box<Decision>>,
    /// The events, in order: those that the decision led to, or the raw one.
    pub events: Vec<Event>,
    /// What its texts say, where they were read ahead.
    pub(super) ahead: Option<Box<Ahead>>,
}

/// What the texts of an entry say: payloads as trees.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ahead {
    /// The command that was decided.
    pub(super) command: Option<Command>,
    /// The data of each event; none where it is no object.
    pub(super) data: Vec<Option<Map<String, Value>>>,
}

/// Names an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryRef {
    /// The decision of this sequence.
    Decision(u64),
    /// The raw event at this position.
    Event(Position),
}

impl Entry {
    /// A decision with its events.
    pub fn decided(decision: Decision, events: Vec<Event>) -> Self {
        Self {
            place: Place::of_decision(&decision),
            stream: decision.stream.clone(),
            decision: Some(Box::new(decision)),
            events,
            ahead: None,
        }
    }

    /// An event that no decision on record led to.
    pub fn raw(event: Event) -> Self {
        Self {
            place: Place::of_raw_event(event.position),
            stream: event.stream.clone(),
            decision: None,
            events: vec![event],
            ahead: None,
        }
    }

    /// Bytes of the payloads that it holds.
    pub fn payload_bytes(&self) -> usize {
        let decided = self.decision.iter().map(|own| own.payload.as_str().len());
        let events = self.events.iter().map(|event| event.data.as_str().len());
        decided.chain(events).sum()
    }

    /// The same, with its texts read: on another thread than the one that decides, that is time saved.
    #[must_use]
    pub fn read_ahead(mut self) -> Self {
        let data = |event: &Event| match event.data.to_value() {
            Value::Object(data) => Some(data),
            _ => None,
        };
        self.ahead = Some(Box::new(Ahead {
            command: self.decision.as_deref().map(command_of),
            data: self.events.iter().map(data).collect(),
        }));
        self
    }

    /// The revision of its stream before it.
    pub fn base_revision(&self) -> Revision {
        match (self.events.first(), &self.decision) {
            (Some(event), _) => Revision(event.revision.0.saturating_sub(1)),
            (None, Some(decision)) => decision.base_revision,
            (None, None) => Revision::ZERO,
        }
    }

    /// The log's head after it.
    pub fn end_position(&self) -> Position {
        let last = self.events.last();
        last.map_or(self.place.position(), |event| event.position)
    }

    /// The id of its direct cause: of a command's events it is the command, so the cause is the command's.
    pub fn causation_id(&self) -> Option<&str> {
        match &self.decision {
            Some(decision) => decision.causation_id.as_deref(),
            None => self.events.first()?.causation_id.as_deref(),
        }
    }

    /// The type of its command or raw event.
    pub fn type_name(&self) -> &str {
        match (&self.decision, self.events.first()) {
            (Some(decision), _) => &decision.command_type,
            (None, Some(event)) => &event.event_type,
            (None, None) => "",
        }
    }
}

/// The command that was decided: what preparing made of it is part of it.
pub(super) fn command_of(decision: &Decision) -> Command {
    let payload = match decision.payload.to_value() {
        Value::Object(payload) => payload,
        _ => Map::new(),
    };
    Command {
        command_id: decision.command_id.clone(),
        stream: decision.stream.clone(),
        command_type: decision.command_type.clone(),
        payload,
        actor: decision.actor.clone(),
        reason: decision.reason.clone(),
        correlation_id: decision.correlation_id.clone(),
        causation_id: decision.causation_id.clone(),
        issued_at: decision.decided_at,
    }
}
