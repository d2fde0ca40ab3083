//! Edits of a what-if: what of the recorded history is changed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{DecisionRef, WhatIfCommand};
use crate::ids::{Revision, StreamName};
use crate::json::Json;
use crate::time::Timestamp;

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
    /// As if another actor, reason or time had been recorded with this event. Needs `continue: redecide`, as the ones below do.
    Change(ChangeEdit),
    /// As if this event had happened at another place of its stream.
    Move(MoveEdit),
    /// As if this command had not been given.
    DropCommand(DropCommandEdit),
    /// As if this command had been another one, or had come from another actor, for another reason, at another time.
    ReplaceCommand(ReplaceCommandEdit),
    /// As if one more command had been given.
    InsertCommand(InsertCommandEdit),
    /// As if this command had been given at another place of the log.
    MoveCommand(MoveCommandEdit),
}

impl Edit {
    /// Whether it makes sense only where recorded commands are decided again.
    pub fn needs_rules(&self) -> bool {
        !matches!(self, Self::Drop(_) | Self::Replace(_) | Self::Insert(_))
    }
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

/// As if something else had been recorded around an event. What is absent is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeEdit {
    /// The recorded event.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When. Its place among the events stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub recorded_at: Option<Timestamp>,
}

/// As if an event had happened at another place of its stream, at the time of that place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveEdit {
    /// The recorded event.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Right after this recorded revision; 0 for before the first.
    #[schema(value_type = u64)]
    pub after_revision: Revision,
}

/// As if a command had not been given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DropCommandEdit {
    /// The recorded decision on it, of any stream.
    pub decision: DecisionRef,
}

/// As if a command had been another one. What is absent is as it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplaceCommandEdit {
    /// The recorded decision on it, of any stream.
    pub decision: DecisionRef,
    /// What is asked for.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub command_type: Option<String>,
    /// Its parameters, as the real endpoint takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Map<String, Value>>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it is decided: what its rules see as now. Its place in the log stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Whether a password that it gives for a recorded one is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_correct: Option<bool>,
}

/// A place in the log, right beside a recorded decision or event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandPlace {
    /// Right before this decision.
    Before(DecisionRef),
    /// Right after this decision.
    After(DecisionRef),
    /// Right after this recorded revision of the what-if's stream, and what was written with it; 0 for before the first.
    #[schema(value_type = u64)]
    AfterRevision(Revision),
}

/// As if one more command had been given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InsertCommandEdit {
    /// Where in the log.
    pub place: CommandPlace,
    /// To which stream; that of the what-if when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stream: Option<StreamName>,
    /// The command.
    pub command: WhatIfCommand,
    /// When; the time of the decision beside it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
}

/// As if a command had been given at another place of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveCommandEdit {
    /// The recorded decision on it, of any stream.
    pub decision: DecisionRef,
    /// Where it comes to stand.
    pub place: CommandPlace,
    /// When; the time of the decision beside it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
}
