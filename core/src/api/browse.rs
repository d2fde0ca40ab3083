//! Wire types of browsing: streams, categories, models, density, live.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// A stream in a list (`GET /v1/streams`) or by itself (`GET /v1/streams/{stream}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stream {
    /// Its name.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The part of the name before the first `-`; a name without `-` is its own category.
    pub category: String,
    /// The model that folds it, such as `users`; `merge` when none was asked for.
    pub model: String,
    /// The revision of its last event.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Position of its first event.
    #[schema(value_type = u64)]
    pub first_position: Position,
    /// Position of its last event.
    #[schema(value_type = u64)]
    pub last_position: Position,
    /// When its first event was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub first_recorded_at: Timestamp,
    /// Effective time of its last event.
    #[schema(value_type = String, format = DateTime)]
    pub last_recorded_at: Timestamp,
    /// Type of its last event.
    pub last_event_type: String,
    /// The actor of its last event.
    pub last_actor: Option<String>,
    /// The reason.
    pub last_reason: Option<String>,
    /// A title for people, such as a user's email.
    pub title: Option<String>,
    /// The status, such as `active` or `deleted`.
    pub status: Option<String>,
    /// The first revision recorded earlier than its predecessor, when the stream's clock ever went backwards.
    #[schema(value_type = Option<u64>)]
    pub clock_back_at: Option<Revision>,
}

/// A category and how much it holds (`GET /v1/categories`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    /// Its name.
    pub category: String,
    /// How many streams it has.
    pub streams: u64,
    /// How many events they have together.
    pub events: u64,
    /// The model that folds it, such as `users`; `merge` when none was asked for.
    pub model: String,
}

/// A model (`GET /v1/models`, `GET /v1/models/{category}`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelOut {
    /// Its name, such as `users`.
    pub name: String,
    /// Its category; `*` for the one that takes every category without a model.
    pub category: String,
    /// A description.
    pub description: String,
    /// Content hash of its rules.
    pub rules_hash: String,
    /// The commands it knows.
    pub commands: Vec<CommandOut>,
    /// The event types it knows, with their current schema version.
    pub events: BTreeMap<String, u32>,
    /// Names of fields that hold secrets, at any depth.
    pub secrets: Vec<String>,
}

/// A command of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandOut {
    /// Its type.
    pub name: String,
    /// A description.
    pub description: String,
    /// Whether the rules ask for a reason.
    pub reason_required: bool,
    /// JSON Schema (2020-12) of its payload. Beside the standard keywords: `writeOnly` marks a secret, `x-rule` says
    /// what the rules will ask of the field.
    pub schema: Value,
}

/// The number of events over time (`GET /v1/density`, `GET /v1/streams/{stream}/density`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DensityOut {
    /// Start of the time axis.
    #[schema(value_type = String, format = DateTime)]
    pub first: Timestamp,
    /// End of the time axis.
    #[schema(value_type = String, format = DateTime)]
    pub last: Timestamp,
    /// Event counts of equal intervals, oldest first.
    pub counts: Vec<u64>,
}

/// Data of a `head` message of `GET /v1/live`: how far the log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LiveHead {
    /// The log's head.
    pub position: u64,
    /// Sequence of the last decision.
    pub decision: u64,
    /// Whether the log is a redacted copy: some of what its events say is not what was recorded. Absent where it is not.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub redacted_copy: bool,
    /// Events and decisions since the feed began of which its query line says neither yes nor no: they were left out. Absent where
    /// there were none.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub undecided: u64,
    /// The position up to which the first of them stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undecided_from: Option<u64>,
}
