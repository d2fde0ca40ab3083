//! Wire types of minimal histories.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pipeline::RunOut;
use super::problem::Problem;
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// Body of `POST /v1/minimal`: the smallest part of a history that still leads to an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MinimalIn {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The outcome: a condition on the state that the stream ends with.
    pub predicate: String,
    /// Parts of what.
    #[serde(default)]
    pub of: MinimalOf,
}

/// What a minimal history is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MinimalOf {
    /// Events of the stream, applied as recorded: rules are not asked.
    #[default]
    Events,
    /// Recorded commands that may reach the stream: the rules are asked again.
    Commands,
}

/// An event or a command that is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MinimalItem {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Of an event: its revision.
    #[schema(value_type = Option<u64>)]
    pub revision: Option<Revision>,
    /// Of an event: its position.
    #[schema(value_type = Option<u64>)]
    pub position: Option<Position>,
    /// Of a command: the sequence of its decision.
    pub decision: Option<u64>,
    /// Its type.
    #[serde(rename = "type")]
    pub item_type: String,
    /// The actor.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it was recorded, or decided.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A minimal history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MinimalEnd {
    /// The answer in a sentence: `873 events to 2, in 41 re-folds`.
    pub answer: String,
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The outcome, as it was read.
    pub predicate: String,
    /// Parts of what.
    pub of: MinimalOf,
    /// Whether the outcome came. Where it did not, nothing was tried.
    pub holds: bool,
    /// How many there were.
    pub before: u64,
    /// What is left, in order: without any single one of them the outcome does not come.
    pub kept: Vec<MinimalItem>,
    /// How often a part was re-folded, or the log decided again.
    pub tests: u64,
    /// Whether every command that could have reached the stream was among them.
    pub all: bool,
    /// The run, as it ended.
    pub run: RunOut,
}

/// A line of the answer: an object with one of these keys. The last line is an `end` or a `broken`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MinimalLine {
    /// How far it is, in tests.
    Progress(Box<RunOut>),
    /// What it came to.
    End(Box<MinimalEnd>),
    /// Why it broke off.
    Broken(Box<Problem>),
}
