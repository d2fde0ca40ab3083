//! Wire types of commands, raw appends and imports.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::event::{Event, ExpectedRevision, NewEvent};
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// Body of `POST /v1/streams/{stream}/commands`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandIn {
    /// The command's type, in the imperative, such as `SuspendUser`.
    #[serde(rename = "type")]
    pub command_type: String,
    /// The command's parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub payload: Map<String, Value>,
    /// The actor: the person, job or service that sends it. Required.
    #[serde(default)]
    pub actor: Option<String>,
    /// The reason.
    #[serde(default)]
    pub reason: Option<String>,
    /// Makes the command idempotent; assigned when absent.
    #[serde(default)]
    pub command_id: Option<String>,
    /// Correlation id: what it belongs to. The command's own id when absent.
    #[serde(default)]
    pub correlation_id: Option<String>,
    /// Causation id: the command or event that directly caused it.
    #[serde(default)]
    pub causation_id: Option<String>,
    /// What the stream's head must be; `any` when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "any")]
    pub expected_revision: Option<ExpectedRevision>,
}

/// 200 of `POST /v1/streams/{stream}/commands`. A rejection is a problem with code `rejected`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CommandAccepted {
    /// Always `accepted`.
    pub outcome: String,
    /// The command's id.
    pub command_id: String,
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The stream's head after the command's events.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Position of its last event: what to wait for in a query.
    #[schema(value_type = u64)]
    pub position: Position,
    /// The events it led to.
    pub events: Vec<Event>,
    /// Whether this repeats the recorded decision of an earlier request with the same `command_id`.
    #[serde(default)]
    pub repeated: bool,
}

/// Body of `POST /v1/streams/{stream}/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppendIn {
    /// What the stream's head must be; `any` when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "no_stream")]
    pub expected_revision: Option<ExpectedRevision>,
    /// The events, in order; at least one.
    pub events: Vec<NewEvent>,
}

/// 200 of `POST /v1/streams/{stream}/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AppendedOut {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The stream's head after them.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Position of the last one.
    #[schema(value_type = u64)]
    pub position: Position,
    /// The events as they stand in the log.
    pub events: Vec<Event>,
    /// Whether this repeats an earlier append with the same event ids.
    #[serde(default)]
    pub repeated: bool,
}

/// 200 of `POST /v1/import`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, as its reader looks for it"
)]
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// Lines read, blank ones not counted.
    pub read: u64,
    /// Events added to the log.
    pub added: u64,
    /// Events and decisions that were there already, by event id and command id.
    pub repeated: u64,
    /// Decisions added to the decision log.
    pub decisions: u64,
    /// Records that made no event: no rule of the mapping matches, or the matching rule says to skip them.
    pub skipped: u64,
    /// Those of them that no rule matches.
    #[serde(default)]
    pub unmatched: u64,
    /// Records that could not be imported.
    pub failed: u64,
    /// Why, equal reasons together. At most 100 different ones; `failed` counts the others too.
    pub errors: Vec<ImportError>,
    /// Added events whose own position could not be kept, because the log has other events before them.
    #[serde(default)]
    pub renumbered: u64,
    /// Added events without a time of their own: `recorded_at` is the daemon's clock.
    #[serde(default)]
    pub clock_used: u64,
    /// Added events whose own time lies after the daemon's clock.
    #[serde(default)]
    pub future: FutureCount,
    /// Events with a text that was too long and was cut; the whole is in their metadata (`full_reason`, `full_actor`).
    #[serde(default)]
    pub texts_cut: u64,
    /// Events whose own time has more digits than microseconds; the whole is in their metadata (`full_time`).
    #[serde(default)]
    pub times_cut: u64,
    /// Added events that were recorded before an event that stands before them in their stream.
    #[serde(default)]
    pub backwards: StreamCounts,
    /// Added events that could not keep their own revision (`renumber`): it is in their metadata (`source_revision`).
    #[serde(default)]
    pub gaps: StreamCounts,
    /// Notes added. They are kept beside the log.
    #[serde(default)]
    pub notes: u64,
    /// Lines of an incident file that are nothing for a log: what happened, branches and scenarios. `whodunit open` reads them.
    #[serde(default)]
    pub parts: u64,
    /// Of which parts of a log the file is, as its exports say: the first 20 of them. Empty where it is of a whole log, or says nothing.
    /// Events of a stream that misses others are added all the same, each with its own revision in its metadata (`source_revision`), where the
    /// log had nothing of the stream: `gaps` counts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<PartialImport>,
    /// Notes that are not in the file because they were damaged in the store that it was exported from.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub notes_unreadable: u64,
    /// Records that the file says it has and that are not there, as far as it says how many.
    #[serde(default)]
    pub missing: u64,
    /// Whether the file is an export that is not whole: records that it announces, its first or its last line are not
    /// there. What is there was imported; importing the whole file adds the rest.
    #[serde(default)]
    pub incomplete: bool,
    /// Whether the lines of the file are not those that were exported: some were changed, moved, added or taken out since.
    #[serde(default)]
    pub changed: bool,
    /// Whether the log is a redacted copy now.
    #[serde(default)]
    pub redacted_copy: bool,
    /// Whether nothing was imported and the counts are what an import would do (`dry_run`). Unique keys, and which events
    /// decisions name, are not looked at then.
    #[serde(default)]
    pub dry_run: bool,
    /// Streams that would have events of the import (`dry_run`); at most 100,000 are counted.
    #[serde(default)]
    pub streams: u64,
    /// The first events that would be added (`dry_run`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preview: Vec<Event>,
    /// Whether the import stopped at the first bad record (`strict`).
    pub stopped: bool,
    /// How many records each rule of the mapping took, in its order.
    #[serde(default)]
    pub rules: Vec<RuleCount>,
    /// Fields of records that the rule which takes them does not use.
    #[serde(default)]
    pub unused: UnusedFields,
    /// The log's head after the import.
    pub head: u64,
}

/// What an export of a part of a log says of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PartialImport {
    /// The query line that its events match.
    pub query: String,
    /// How many events the log had, of which these are some.
    pub of_events: u64,
    /// How many decisions the log had. None of them is in the export.
    pub of_decisions: u64,
    /// Events that the export left out because its line says neither yes nor no of them.
    pub undecided: u64,
}

/// Counts for one rule of a mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleCount {
    /// The rule's name.
    pub rule: String,
    /// Records that it made into events, including events already in the log.
    pub records: u64,
    /// Records that it skipped (`skip = true`).
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub skipped: u64,
    /// Records that it matched but could not make into an event.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub failed: u64,
    /// How many added events have the daemon's time, because the rule gives none.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub clock_used: u64,
    /// How many added events have a time of their own that lies after the daemon's clock.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub future: u64,
    /// How many events have a text that was cut.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub texts_cut: u64,
    /// How many events have a time of more digits than microseconds, which was cut.
    #[serde(default, skip_serializing_if = "crate::api::is_zero")]
    pub times_cut: u64,
    /// Lists of which the rule names some elements and leaves out others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<DroppedCount>,
}

/// Events dated after the daemon's clock: a clock that is wrong, a unit that was misread, or plans among facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FutureCount {
    /// How many.
    pub records: u64,
    /// Their first lines.
    pub lines: Vec<u64>,
    /// The latest of their times.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub latest: Option<Timestamp>,
}

/// Elements of a list in the records that a rule does not look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DroppedCount {
    /// JSON Pointer of the list.
    pub list: String,
    /// In how many records some were left out.
    pub records: u64,
    /// How many elements were left out.
    pub elements: u64,
}

/// Fields of records that the rule which takes them does not use: no template looks at them, and no condition says which
/// value they have. Empty ones are not counted; elements of lists are counted by rule (`dropped`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnusedFields {
    /// How many different ones; at least so many, when `more` says so.
    pub fields: u64,
    /// Whether there may be more than were counted: at most 1,000 are, and 200 in one record.
    pub more: bool,
    /// Those that the most records have.
    pub first: Vec<UnusedField>,
}

/// A field that is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnusedField {
    /// Its JSON Pointer, cut after 200 bytes.
    pub path: String,
    /// How many records have it, and are taken by a rule that does not use it.
    pub records: u64,
}

/// Records that could not be imported, for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportError {
    /// The line of the first one, from 1.
    pub line: u64,
    /// The reason.
    pub reason: String,
    /// How many records have this error.
    #[serde(default = "one_record")]
    pub count: u64,
    /// The first of their line numbers.
    #[serde(default)]
    pub lines: Vec<u64>,
}

fn one_record() -> u64 {
    1
}

/// Records that have something in common, by stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamCounts {
    /// How many records.
    pub records: u64,
    /// In how many streams; at least so many, when `more` says so.
    pub streams: u64,
    /// Whether there may be more streams than were counted.
    pub more: bool,
    /// The first streams.
    pub first: Vec<StreamCount>,
}

/// How many records of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamCount {
    /// The stream.
    pub stream: String,
    /// The first such record's line.
    pub line: u64,
    /// How many such records.
    pub records: u64,
}
