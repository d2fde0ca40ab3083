//! Wire types of investigation: blame, field history, bisect.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::problem::Problem;
use super::warning::Warning;
use super::why::RefusedAttempts;
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// The event behind a value: when, who and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventCause {
    /// Position of the event in the whole log.
    #[schema(value_type = u64)]
    pub position: Position,
    /// Its id.
    pub event_id: String,
    /// Its type.
    pub event_type: String,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// The actor.
    pub actor: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// What it belongs to.
    pub correlation_id: Option<String>,
    /// The command that led to it, where its decision is on record.
    pub command_id: Option<String>,
    /// That command's type.
    pub command_type: Option<String>,
}

/// A field of a state, and the event that last set it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlamedFieldOut {
    /// Its JSON Pointer.
    pub path: String,
    /// The path for a reader, where it leads through lists whose elements have an identity: `/lines[id=7]/price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its value.
    pub value: Value,
    /// The revision that last set it; 0 for what the model's initial state has.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The event of that revision; `null` for revision 0.
    #[schema(required)]
    pub event: Option<EventCause>,
    /// Commands refused since then that would have changed it: those whose payload names it, and those of the type that set it.
    #[serde(default, skip_serializing_if = "RefusedAttempts::is_empty")]
    pub refused: RefusedAttempts,
}

/// A field that was removed and not set again since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RemovedFieldOut {
    /// Its JSON Pointer when it was removed. An index in it is that of then.
    pub path: String,
    /// The path for a reader, where it leads through lists whose elements have an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its last value.
    pub value: Value,
    /// The revision that had set it.
    #[schema(value_type = u64)]
    pub set_by: Revision,
    /// The revision that removed it.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The event that removed it.
    #[schema(required)]
    pub event: Option<EventCause>,
}

/// Blame of a state (`GET /v1/streams/{stream}/blame`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BlameOut {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision of the state.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Its fields, in its order: values that hold no others.
    pub fields: Vec<BlamedFieldOut>,
    /// Fields that are no longer there; absent where they were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Vec<RemovedFieldOut>>,
    /// How many more were removed that are no longer known.
    #[serde(default)]
    pub removed_dropped: u64,
    /// JSON Pointers of fields whose values are redacted in this view.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// The stream's head, to tell the past from the present.
    #[schema(value_type = u64)]
    pub head_revision: Revision,
    /// The model that folded it.
    pub model: String,
    /// Revision of the snapshot the fold started from; 0 when it started from the beginning.
    #[schema(value_type = u64)]
    pub snapshot_revision: Revision,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// A value that a field had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldValueOut {
    /// The revision that brought it; 0 for what the model's initial state has.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Whether the field was no longer there from this revision on.
    pub absent: bool,
    /// The value; `null` where it was absent.
    #[schema(required)]
    pub value: Value,
    /// The event of that revision; `null` for revision 0.
    #[schema(required)]
    pub event: Option<EventCause>,
    /// Commands refused while it had this value that would have changed it: those whose payload names it, and those of the type
    /// that brought the value.
    #[serde(default, skip_serializing_if = "RefusedAttempts::is_empty")]
    pub refused: RefusedAttempts,
}

/// The values that a field had (`GET /v1/streams/{stream}/field`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FieldOut {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The field's path.
    pub path: String,
    /// Up to which revision it was followed.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The values, in the order asked for.
    pub values: Vec<FieldValueOut>,
    /// Commands refused before the field had any value that would have given it one; on the page with the first value.
    #[serde(default, skip_serializing_if = "RefusedAttempts::is_empty")]
    pub refused_before: RefusedAttempts,
    /// Send it as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
    /// Places in `values` (JSON Pointers) of values redacted in this view.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// A bisect (`POST /v1/bisect`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BisectIn {
    /// The stream. Either this, or a category, or the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stream: Option<StreamName>,
    /// Every stream of this category. The answer comes as lines (NDJSON), see `BisectLine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Every stream of the log. The answer comes as lines.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub log: bool,
    /// The condition: see the section on predicates of the README.
    pub predicate: String,
    /// The first revision to check; 0, the empty state, when absent. Of one stream only, as `to` and `one_flip` are.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    pub from: Option<Revision>,
    /// The last revision to check; the head when absent.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    pub to: Option<Revision>,
    /// Which revisions are wanted.
    #[serde(default)]
    pub find: FindIn,
    /// The same as `"find": "flips"`.
    #[serde(default)]
    pub all: bool,
    /// The client's word that the condition flips once between the ends at most. Then a few states are loaded instead of all
    /// being looked at; where it is not so, the answer is one flip of several, or none.
    #[serde(default)]
    pub one_flip: bool,
    /// Matches of a stream at most: 1 to 1000, 100 when absent. More are counted.
    #[serde(default)]
    pub limit: Option<usize>,
}

/// Which revisions are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum FindIn {
    /// The first at which the condition holds.
    #[default]
    First,
    /// The last at which it holds.
    Last,
    /// Every one from which on it holds, or no longer holds.
    Flips,
}

/// A revision that a bisect found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BisectMatch {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Whether the condition holds there.
    pub holds: bool,
    /// The event of that revision; `null` for revision 0.
    #[schema(required)]
    pub event: Option<EventCause>,
}

/// Revisions at which a condition says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UndefinedOut {
    /// How many of those looked at. There the condition does not hold.
    pub revisions: u64,
    /// The first of them.
    #[schema(value_type = u64)]
    pub first: Revision,
    /// Why it says nothing there.
    pub reason: String,
}

/// What a bisect found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BisectOut {
    /// The condition as it was read.
    pub predicate: String,
    /// The first revision to check.
    #[schema(value_type = u64)]
    pub from: Revision,
    /// The last revision of the range.
    #[schema(value_type = u64)]
    pub to: Revision,
    /// The revisions found, in order.
    pub matches: Vec<BisectMatch>,
    /// How many there are.
    pub matches_total: u64,
    /// Whether the condition holds at the beginning of the range.
    pub holds_at_start: bool,
    /// Whether it holds at its end; `null` where the search was over before.
    #[schema(required)]
    pub holds_at_end: Option<bool>,
    /// Whether the answer rests on the client's word that there is one flip at most. Otherwise every revision up to the end
    /// of the search was looked at.
    pub assumed_one_flip: bool,
    /// How many folds it took: loads of a state, or passes over the range.
    pub folds: u64,
    /// How many revisions were looked at.
    pub revisions: u64,
    /// At how many of them the condition was evaluated: at the others nothing that it asks about had changed.
    pub evaluations: u64,
    /// Where the condition says nothing; `null` where it always says something.
    #[schema(required)]
    pub undefined: Option<UndefinedOut>,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// A line of the answer to a bisect over a category or the log: an object with one of these keys. The last line is an `end`, or
/// where it broke off a `broken`; without either the connection was cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BisectLine {
    /// A revision that was found; streams come by name.
    Match(BisectMatch),
    /// How far it is.
    Progress(BisectProgress),
    /// A stream that could not be looked at.
    Failed(BisectFailure),
    /// What it came to: the last line.
    End(BisectEnd),
    /// Why it broke off: the last line. What was found before stands; what was not looked at is not known.
    Broken(Box<Problem>),
}

/// How far a bisect is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BisectProgress {
    /// Streams that were looked at.
    pub streams: u64,
    /// Revisions that were looked at, in these and in the one that is being looked at.
    pub revisions: u64,
    /// How far it is within a stream that takes long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<BisectWithin>,
}

/// How far a bisect is within one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BisectWithin {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision it has come to.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The last one that is looked at.
    #[schema(value_type = u64)]
    pub to: Revision,
}

/// A stream that a bisect could not look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BisectFailure {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Why not.
    pub detail: String,
}

/// Revisions of several streams at which a condition says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UndefinedStreams {
    /// How many of those looked at.
    pub revisions: u64,
    /// A stream of them.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Its first such revision.
    #[schema(value_type = u64)]
    pub first: Revision,
    /// Why it says nothing there.
    pub reason: String,
}

/// What a bisect over a category or the log came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BisectEnd {
    /// The condition as it was read.
    pub predicate: String,
    /// The log's head when it was asked for: what was logged later was not looked at.
    #[schema(value_type = u64)]
    pub position: Position,
    /// Streams that were looked at.
    pub streams: u64,
    /// Streams in which it was found to hold.
    pub streams_holding: u64,
    /// How many matches there are in all of them.
    pub matches_total: u64,
    /// How many revisions were looked at.
    pub revisions: u64,
    /// At how many of them the condition was evaluated.
    pub evaluations: u64,
    /// How many folds it took: one pass over each stream.
    pub folds: u64,
    /// Where the condition says nothing; `null` where it always says something.
    #[schema(required)]
    pub undefined: Option<UndefinedStreams>,
    /// Streams that could not be looked at.
    pub failed: u64,
    /// Whether the log is a redacted copy.
    pub redacted_copy: bool,
}
