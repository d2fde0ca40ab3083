//! Events: the immutable facts of the log, and new events on their way into it.
//!
//! Owns their shape, which is also their wire and export shape. Never assigns a position, an id or a time.

mod view;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::view::{EventView, IdText};

use crate::ids::{Position, Revision, StreamName};
use crate::json::Json;
use crate::same::{same_optional, same_text};
use crate::time::Timestamp;

/// An immutable fact. Absent fields are `null` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Index in the whole log, from 1, gapless.
    #[schema(value_type = u64)]
    pub position: Position,
    /// The stream it belongs to, `category-id`.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Index in its stream, from 1, gapless.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Unique in the log.
    pub event_id: String,
    /// The event's type: what happened, in the past tense.
    pub event_type: String,
    /// Version of this event type's payload shape, from 1.
    pub schema_version: u32,
    /// When it was recorded (UTC); for imported events the source's own time.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// The actor: the person, job or service that caused it.
    pub actor: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// Correlation id: what it belongs to, copied from the command that led to it.
    pub correlation_id: Option<String>,
    /// Causation id: the command or event that directly caused it.
    pub causation_id: Option<String>,
    /// The payload: a JSON object.
    #[schema(value_type = Object)]
    pub data: Json,
    /// What surrounds the payload (source address, request id, …).
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Json>,
}

impl Event {
    /// Whether two events say that the same happened at the same time: by content (see [`crate::same`]), whatever their
    /// place in the log, their ids and who caused them.
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        self.event_type == other.event_type
            && self.schema_version == other.schema_version
            && self.recorded_at == other.recorded_at
            && same_text(&self.data, &other.data)
            && same_optional(self.metadata.as_ref(), other.metadata.as_ref())
    }
}

/// A new event: what its author provides; the store assigns the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvent {
    /// The event's type: what happened, in the past tense.
    pub event_type: String,
    /// The payload: a JSON object.
    #[schema(value_type = Object)]
    pub data: Json,
    /// Version of the payload's shape; the model's current one (or 1) when absent.
    #[serde(default)]
    pub schema_version: Option<u32>,
    /// Makes the append idempotent; assigned when absent.
    #[serde(default)]
    pub event_id: Option<String>,
    /// The source's own time; the daemon's clock when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub recorded_at: Option<Timestamp>,
    /// The actor: the person, job or service that caused it.
    #[serde(default)]
    pub actor: Option<String>,
    /// The reason.
    #[serde(default)]
    pub reason: Option<String>,
    /// Correlation id: what it belongs to.
    #[serde(default)]
    pub correlation_id: Option<String>,
    /// Causation id: the command or event that directly caused it.
    #[serde(default)]
    pub causation_id: Option<String>,
    /// What surrounds the payload.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Json>,
}

impl NewEvent {
    /// An event of this type and payload, with every other field absent.
    pub fn new(event_type: impl Into<String>, data: impl Into<Json>) -> Self {
        Self {
            event_type: event_type.into(),
            data: data.into(),
            schema_version: None,
            event_id: None,
            recorded_at: None,
            actor: None,
            reason: None,
            correlation_id: None,
            causation_id: None,
            metadata: None,
        }
    }

    /// Whether an event on record says what this one says, as far as its author said anything.
    pub fn is_repeated_by(&self, event: &Event) -> bool {
        self.event_type == event.event_type
            && same_text(&self.data, &event.data)
            && same_optional(self.metadata.as_ref(), event.metadata.as_ref())
            && self.schema_version.unwrap_or(1) == event.schema_version
            && self.recorded_at.is_none_or(|at| at == event.recorded_at)
            && self.actor == event.actor
            && self.reason == event.reason
            && self.correlation_id == event.correlation_id
            && self.causation_id == event.causation_id
    }
}

/// Precondition of an append: the revision that the client expects the stream's head to be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpectedRevision {
    /// No precondition.
    #[default]
    Any,
    /// The stream has no event yet.
    NoStream,
    /// The stream has at least one event.
    StreamExists,
    /// The stream's head is exactly this revision; 0 is the same as [`Self::NoStream`].
    Exact(Revision),
}

impl ExpectedRevision {
    /// Whether a stream at `head` meets the precondition.
    pub fn admits(self, head: Revision) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => head == Revision::ZERO,
            Self::StreamExists => head > Revision::ZERO,
            Self::Exact(revision) => head == revision,
        }
    }
}

impl std::fmt::Display for ExpectedRevision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::NoStream => f.write_str("no_stream"),
            Self::StreamExists => f.write_str("stream_exists"),
            Self::Exact(revision) => revision.fmt(f),
        }
    }
}

/// A text or value is no expected revision. Does not say which: it may be anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is neither `any`, `no_stream`, `stream_exists` nor a revision")]
pub struct NoExpectedRevision;

impl std::str::FromStr for ExpectedRevision {
    type Err = NoExpectedRevision;

    fn from_str(text: &str) -> Result<Self, NoExpectedRevision> {
        match text {
            "any" => Ok(Self::Any),
            "no_stream" => Ok(Self::NoStream),
            "stream_exists" => Ok(Self::StreamExists),
            number => number
                .parse()
                .map(|n| Self::Exact(Revision(n)))
                .map_err(|_not_a_number| NoExpectedRevision),
        }
    }
}

impl Serialize for ExpectedRevision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exact(revision) => revision.serialize(serializer),
            word => serializer.collect_str(word),
        }
    }
}

impl<'de> Deserialize<'de> for ExpectedRevision {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(word) => word.parse().map_err(serde::de::Error::custom),
            serde_json::Value::Number(number) if number.is_u64() => {
                Ok(Self::Exact(Revision(number.as_u64().unwrap_or_default())))
            }
            _ => Err(serde::de::Error::custom(NoExpectedRevision)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_revision_reads_words_and_numbers() {
        let cases = [
            (r#""any""#, ExpectedRevision::Any),
            (r#""no_stream""#, ExpectedRevision::NoStream),
            (r#""stream_exists""#, ExpectedRevision::StreamExists),
            ("4", ExpectedRevision::Exact(Revision(4))),
            (r#""4""#, ExpectedRevision::Exact(Revision(4))),
        ];
        for (text, expected) in cases {
            assert_eq!(
                serde_json::from_str::<ExpectedRevision>(text).unwrap(),
                expected,
                "{text}"
            );
        }
        for text in ["-1", "1.5", "null", r#""sometimes""#] {
            assert!(
                serde_json::from_str::<ExpectedRevision>(text).is_err(),
                "{text}"
            );
        }
    }
}
