//! The log's chains: a hash that says what every event was, in the order of the log, and one that says it of every decision.
//!
//! Owns its definition, so that another program can compute it from an export:
//!
//! - The *leaf* of an event is the SHA-256 of: the byte 1, then position and revision, the time it was recorded (microseconds
//!   since 1970), the schema version, then stream, id, type, actor, reason, correlation id, causation id, data and metadata.
//! - The leaf of a decision is the SHA-256 of: the byte 2, then sequence, base revision, base position, the time it was decided,
//!   then command id, stream, command type, payload, actor, reason, correlation id, causation id and rules hash; then the byte
//!   0 with revision, position and number of events where it was accepted, the byte 1 with rule and message where it was
//!   rejected.
//! - Numbers are eight bytes, little endian, times signed. A text is its length in bytes as such a number, and its UTF-8. A text that
//!   may be absent is the byte 0 where it is, else the byte 1 before it. JSON is the text as it was recorded, to the letter.
//! - A chain's value is 32 zero bytes before its first record; behind a record, the SHA-256 of the value before it and its
//!   leaf. Events are chained by position, decisions by sequence, so each chain is computed again from what it is of alone.
//! - The head's hash is the SHA-256 of both values, the events' first.
//!
//! Jobs, labels and keys are in no chain: they are made from events, or are no history.

use sha2::{Digest, Sha256};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::{EventView, IdText};

use super::write::Batch;

/// Hash of one record.
pub(crate) type Leaf = [u8; 32];

/// The chains' values behind some record: that of the events, then that of the decisions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Chain(pub(crate) [u8; CHAIN_BYTES]);

/// Bytes of both values.
pub(crate) const CHAIN_BYTES: usize = 64;

impl Chain {
    /// Before the first record.
    pub(crate) const START: Self = Self([0; CHAIN_BYTES]);

    /// Behind one more event.
    pub(crate) fn event<'a>(&mut self, event: impl Into<EventView<'a>>) {
        let (value, _) = self.0.split_at_mut(CHAIN_BYTES / 2);
        next(value, event_leaf(event));
    }

    /// Behind one more decision.
    pub(crate) fn decision(&mut self, decision: &Decision) {
        let (_, value) = self.0.split_at_mut(CHAIN_BYTES / 2);
        next(value, decision_leaf(decision));
    }

    /// Behind all records of a batch.
    #[must_use]
    pub(crate) fn after(mut self, batch: &Batch) -> Self {
        for placed in &batch.events {
            self.event(&placed.event);
        }
        if let Some(decision) = &batch.decision {
            self.decision(decision);
        }
        self
    }

    /// The value of the events' chain.
    pub(crate) fn of_events(&self) -> &[u8] {
        self.0.split_at(CHAIN_BYTES / 2).0
    }

    /// The value of the decisions' chain.
    pub(crate) fn of_decisions(&self) -> &[u8] {
        self.0.split_at(CHAIN_BYTES / 2).1
    }

    /// The hash of a head that they stand behind.
    pub(crate) fn head_hash(&self) -> HeadHash {
        HeadHash(Sha256::digest(self.0).into())
    }
}

/// Moves a chain's value along.
fn next(value: &mut [u8], leaf: Leaf) {
    let mut hash = Sha256::new();
    hash.update(&*value);
    hash.update(leaf);
    value.copy_from_slice(&hash.finalize());
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chain({})", self.head_hash())
    }
}

/// What a log was up to its head: another, if a record of it was changed, removed, inserted or moved.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HeadHash(pub [u8; 32]);

impl Default for HeadHash {
    /// That of an empty log.
    fn default() -> Self {
        Chain::START.head_hash()
    }
}

impl std::fmt::Display for HeadHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for HeadHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeadHash({self})")
    }
}

/// What a leaf is the hash of, as one text: many short pieces take longer to hash.
struct Record(Vec<u8>);

/// Bytes that there is room for without allocating more.
const BYTES_USUAL: usize = 512;

impl Record {
    fn of_kind(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(BYTES_USUAL);
        bytes.push(kind);
        Self(bytes)
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn optional(&mut self, text: Option<&str>) -> &mut Self {
        self.0.push(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
        self
    }

    fn leaf(self) -> Leaf {
        Sha256::digest(&self.0).into()
    }
}

/// The leaf of an event.
pub(crate) fn event_leaf<'a>(event: impl Into<EventView<'a>>) -> Leaf {
    let event = event.into();
    let mut record = Record::of_kind(1);
    record
        .number(event.position.0)
        .number(event.revision.0)
        .number(event.recorded_at.as_micros().cast_unsigned())
        .number(u64::from(event.schema_version))
        .text(event.stream.as_str())
        .text(event.event_id.as_str())
        .text(event.event_type)
        .optional(event.actor)
        .optional(event.reason)
        .optional(event.correlation_id.as_ref().map(IdText::as_str))
        .optional(event.causation_id.as_ref().map(IdText::as_str))
        .text(event.data)
        .optional(event.metadata);
    record.leaf()
}

/// The leaf of a decision.
pub(crate) fn decision_leaf(decision: &Decision) -> Leaf {
    let mut record = Record::of_kind(2);
    record
        .number(decision.sequence)
        .number(decision.base_revision.0)
        .number(decision.base_position.0)
        .number(decision.decided_at.as_micros().cast_unsigned())
        .text(&decision.command_id)
        .text(decision.stream.as_str())
        .text(&decision.command_type)
        .text(decision.payload.as_str())
        .optional(decision.actor.as_deref())
        .optional(decision.reason.as_deref())
        .optional(decision.correlation_id.as_deref())
        .optional(decision.causation_id.as_deref())
        .text(&decision.rules_hash);
    match &decision.result {
        Outcome::Accepted {
            revision,
            position,
            events,
        } => {
            record.0.push(0);
            record
                .number(revision.0)
                .number(position.0)
                .number(u64::from(*events));
        }
        Outcome::Rejected { rule, message } => {
            record.0.push(1);
            record.text(rule).text(message);
        }
    }
    record.leaf()
}
