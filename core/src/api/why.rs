//! Wire types of why: the chain behind a value, necessity, and refused attempts to change a field.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::causes::{CauseEnd, CauseNode};
use super::investigate::EventCause;
use super::warning::Warning;
use crate::command::{Decision, Outcome};
use crate::ids::{Revision, StreamName};
use crate::time::Timestamp;

/// A refused command that would have changed a field, as far as its record tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedAttempt {
    /// Its index in the decision log.
    pub sequence: u64,
    /// The command's id.
    pub command_id: String,
    /// Its type.
    pub command_type: String,
    /// The actor.
    pub actor: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// When it was refused.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    /// The revision it was decided on.
    #[schema(value_type = u64)]
    pub base_revision: Revision,
    /// The rule that refused it.
    pub rule: String,
    /// What that rule said.
    pub message: String,
}

impl RefusedAttempt {
    /// What a decision tells; `None` for one that was accepted.
    pub fn of_decision(decision: &Decision) -> Option<Self> {
        let Outcome::Rejected { rule, message } = &decision.result else {
            return None;
        };
        Some(Self {
            sequence: decision.sequence,
            command_id: decision.command_id.clone(),
            command_type: decision.command_type.clone(),
            actor: decision.actor.clone(),
            reason: decision.reason.clone(),
            decided_at: decision.decided_at,
            base_revision: decision.base_revision,
            rule: rule.clone(),
            message: message.clone(),
        })
    }
}

/// Refused attempts to change a field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RefusedAttempts {
    /// How many there are.
    pub total: u64,
    /// The last of them, in the order in which they were refused: twenty at most.
    pub last: Vec<RefusedAttempt>,
}

impl RefusedAttempts {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

/// Where a value was made: what to ask next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyNext {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The path of the field that has the value there, where there is one: ask why of it.
    pub path: Option<String>,
}

/// A cause of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhyHop {
    /// The event or command.
    #[serde(flatten)]
    pub cause: CauseNode,
    /// Where the value stands in its data or payload (a JSON Pointer); `null` where it does not.
    pub pointer: Option<String>,
    /// Whether it only gave the value on. Such causes are there only if they were asked for.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub copy: bool,
    /// How many causes that only gave the value on stand between this one and the one before it here.
    #[serde(default)]
    pub skipped: u64,
    /// What to ask next: of an event, where its stream has the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<WhyNext>,
}

/// What an event is to the value of a field at a later revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NecessityKind {
    /// Without it the field would have another value.
    Necessary,
    /// A later event overwrote the difference that it made.
    Masked,
    /// A later event, which changed nothing, would have set the same.
    Overdetermined,
    /// It makes no difference to the field.
    NoEffect,
}

/// Whether a field would have its value without the event that set it, found by folding the later events again without it.
/// Commands are not decided again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NecessityOut {
    /// What the event is to the value.
    pub kind: NecessityKind,
    /// Of what is necessary: whether the field would not be there without it.
    pub absent_without: bool,
    /// Of what is necessary: the value that the field would have without it; `null` where it would have none.
    #[schema(required)]
    pub without: Option<Value>,
    /// The revision that masks it or would have set the same.
    #[schema(value_type = Option<u64>)]
    pub by: Option<Revision>,
    /// The event of that revision.
    pub event: Option<EventCause>,
    /// How many later events could not be applied without it, of those that were.
    pub faults_more: u64,
    /// How many events were folded again.
    pub events: u64,
}

/// The chain behind a value (`GET /v1/streams/{stream}/why`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyOut {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision of the state that was asked about.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The field's path. Of a path that leads to several fields it is the one that was set last.
    pub path: String,
    /// The path for a reader, where it leads through lists whose elements have an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How many more fields the path asked for leads to.
    pub other_fields: u64,
    /// Whether the field is no longer there: then it is told why not.
    pub absent: bool,
    /// Its value; `null` where it is absent.
    #[schema(required)]
    pub value: Value,
    /// The revision that set or removed it; 0 for what the model's initial state has.
    #[schema(value_type = u64)]
    pub set_by: Revision,
    /// The causes: first the event of that revision. Empty for revision 0.
    pub hops: Vec<WhyHop>,
    /// Where they end.
    pub end: CauseEnd,
    /// The cause that the last one names, where it is not on record or in the chain already.
    pub end_id: Option<String>,
    /// What the event is to the value, where that was asked for and there is an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub necessity: Option<NecessityOut>,
    /// Places in this answer (JSON Pointers) of values redacted in this view. Of a secret it is not looked for where it
    /// was copied from.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// The stream's head, to tell the past from the present.
    #[schema(value_type = u64)]
    pub head_revision: Revision,
    /// The model that folded it.
    pub model: String,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}
