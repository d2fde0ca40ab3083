//! Wire types of the what-if.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::warning::Warning;
use super::write::CommandIn;
use crate::diff::DiffEntry;
use crate::event::{Event, NewEvent};
use crate::ids::{Revision, StreamName};
use crate::json::Json;
use crate::time::Timestamp;

/// Body of `POST /v1/what-if`. The scenario it evaluates: the recorded history up to the base with the edits made, then
/// `do`, then, as `continue` says, what was recorded after the base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatIfIn {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The base: the state after this revision. The head when neither is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub at_revision: Option<Revision>,
    /// The base: the state as it was recorded at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// Changes to the recorded history.
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// What happens at the base, in order.
    #[serde(default, rename = "do")]
    pub actions: Vec<Action>,
    /// What becomes of the history recorded after the base.
    #[serde(default, rename = "continue")]
    pub continuation: Continuation,
}

/// A change to the recorded history. Revisions are those of the recorded history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// As if this event had not happened.
    Drop(DropEdit),
    /// As if this event had said something else.
    Replace(ReplaceEdit),
    /// As if something more had happened.
    Insert(InsertEdit),
}

/// As if this event had not happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DropEdit {
    /// The recorded event.
    #[schema(value_type = u64)]
    pub revision: Revision,
}

/// As if this event had said something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceEdit {
    /// The recorded event.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// What it would have said.
    #[schema(value_type = Object)]
    pub data: Json,
}

/// As if something more had happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InsertEdit {
    /// Right after this recorded revision; 0 for before the first.
    #[schema(value_type = u64)]
    pub after_revision: Revision,
    /// What would have happened.
    pub event_type: String,
    /// What it would have said.
    #[schema(value_type = Object)]
    pub data: Json,
}

/// Something that happens at the base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A command: the rules run.
    Command(CommandIn),
    /// A raw event: no rules run.
    Event(NewEvent),
}

/// What becomes of the history recorded after the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Continuation {
    /// Nothing: the scenario ends after `do`.
    #[default]
    None,
    /// The recorded events are applied to the changed state; no rules run.
    Refold,
}

/// Answer of `POST /v1/what-if`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhatIfOut {
    /// What was done with the later history: `none` or `refold`. Re-folded is not re-decided.
    pub mode: Continuation,
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision the base was resolved to.
    #[schema(value_type = u64)]
    pub base_revision: Revision,
    /// Content hash of the rules.
    pub rules_hash: String,
    /// What happened in this scenario, from the first edit on.
    pub steps: Vec<WhatIfStep>,
    /// The state at its end.
    #[schema(value_type = Object)]
    pub state: Map<String, Value>,
    /// How many events the scenario has.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// What really was: the recorded state at the base, or at the head when the later history was re-folded.
    pub actual: ActualState,
    /// From the actual state to the scenario's.
    pub diff: Vec<DiffEntry>,
    /// The first revision at which the scenario differs from what happened; `null` when it never does.
    #[schema(value_type = Option<u64>)]
    pub first_divergence: Option<Revision>,
    /// Recorded commands whose decision differs in this scenario. Empty unless commands were re-decided.
    pub flips: Vec<Value>,
    /// JSON Pointers, from a state's root, of values redacted in this view.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// What to know about this answer before it is relied on; empty when there is nothing to say.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// The recorded state a what-if is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActualState {
    /// The revision it stands after.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The state.
    #[schema(value_type = Object)]
    pub state: Map<String, Value>,
}

/// Where a step of a what-if comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A command of `do`: the rules ran.
    Command,
    /// A raw event, of `do` or of an edit: no rules ran.
    Event,
    /// A recorded event, possibly dropped or replaced by an edit.
    Recorded,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// The rules accepted the command.
    Accepted,
    /// A rule refused the command.
    Rejected,
    /// The event was applied (or is of an unknown type and changed nothing).
    Applied,
    /// An edit took the recorded event out.
    Dropped,
    /// The event could not be applied: the last good state is carried on.
    Failed,
}

/// One step of a what-if.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhatIfStep {
    /// Where it comes from.
    pub kind: StepKind,
    /// Type of the command or event.
    #[serde(rename = "type")]
    pub step_type: String,
    /// What came of it.
    pub outcome: StepOutcome,
    /// The rule that refused the command.
    pub rule: Option<String>,
    /// What the rule says, or why the event failed.
    pub message: Option<String>,
    /// The events it led to, with the revisions they have in this scenario. Their positions are 0: they are in no log.
    pub events: Vec<Event>,
    /// What it did to the state.
    pub diff: Vec<DiffEntry>,
    /// The scenario's revision after it.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The revision of the recorded event behind it, if there is one.
    #[schema(value_type = Option<u64>)]
    pub recorded_revision: Option<Revision>,
    /// Whether an edit made or changed it.
    #[serde(default)]
    pub edited: bool,
}
