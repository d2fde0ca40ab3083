//! Wire types of worlds: the states of many streams at one moment, and what differs between two.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::investigate::UndefinedStreams;
use super::warning::Warning;
use crate::diff::DiffEntry;
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// A stream at a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorldItem {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Its revision at that moment.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Position of that revision's event.
    #[schema(value_type = u64)]
    pub position: Position,
    /// When that event was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// The state.
    #[schema(value_type = Object)]
    pub state: Map<String, Value>,
    /// JSON Pointers, from the state's root, of values redacted in this view.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// The stream's head, to tell the past from the present.
    #[schema(value_type = u64)]
    pub head_revision: Revision,
    /// Reasons to be careful with this state; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// A stream that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorldFailure {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Why not.
    pub detail: String,
}

/// How far the pages of a world are, and what was left out of this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorldProgress {
    /// How many streams there are to look at, those included that began later.
    pub streams_total: u64,
    /// How many were looked at for this page and those before it.
    pub looked_at: u64,
    /// How many of this page's had no event yet at the moment, or at neither of two.
    pub not_yet: u64,
    /// Where the condition says nothing, of this page; `null` where it always says something. There it does not hold.
    #[schema(required)]
    pub undefined: Option<UndefinedStreams>,
    /// Streams of this page that could not be looked at: a hundred are named.
    pub failed: Vec<WorldFailure>,
    /// How many could not be.
    pub failed_total: u64,
}

/// The states of streams at one moment (`GET /v1/world`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorldOut<I = WorldItem> {
    /// The category; `null` for all streams.
    pub category: Option<String>,
    /// The time, where one was asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// The position of the log up to which events count.
    #[schema(value_type = u64)]
    pub at_position: Position,
    /// The condition as it was read.
    pub predicate: Option<String>,
    /// The streams of this page, by name.
    pub items: Vec<I>,
    /// Send it as `cursor` for the next page; `null` at the end. A page ends early, also without any item, when it took long.
    pub next_cursor: Option<String>,
    /// How far it is.
    pub progress: WorldProgress,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// A moment of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorldMoment {
    /// The time, where one was asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// The position of the log up to which events count.
    #[schema(value_type = u64)]
    pub at_position: Position,
}

/// What became of a stream between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorldChangeKind {
    /// It has events at the second moment alone.
    Appeared,
    /// It has events at the first moment alone: the second is the earlier one.
    Disappeared,
    /// Its state is another.
    Changed,
}

/// A stream that differs between two moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorldChange {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// What became of it.
    pub change: WorldChangeKind,
    /// Its revision at the first moment; 0 where it had no event.
    #[schema(value_type = u64)]
    pub from: Revision,
    /// Its revision at the second moment.
    #[schema(value_type = u64)]
    pub to: Revision,
    /// Whether the condition holds at the first moment, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_from: Option<bool>,
    /// Whether it holds at the second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_to: Option<bool>,
    /// The differences.
    pub diff: Vec<DiffEntry>,
    /// JSON Pointers of values redacted in this view.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// Reasons to be careful with these states; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// What differs between two moments (`GET /v1/world/diff`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorldDiffOut<I = WorldChange> {
    /// The category; `null` for all streams.
    pub category: Option<String>,
    /// The first moment.
    pub from: WorldMoment,
    /// The second one; possibly the earlier.
    pub to: WorldMoment,
    /// The condition as it was read: streams for which it holds at one of the two moments at least.
    pub predicate: Option<String>,
    /// The streams of this page that differ, by name.
    pub items: Vec<I>,
    /// Send it as `cursor` for the next page; `null` at the end. A page ends early, also without any item, when it took long.
    pub next_cursor: Option<String>,
    /// How many streams of this page have events between the two moments and the same state.
    pub same_state: u64,
    /// How far it is.
    pub progress: WorldProgress,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}
