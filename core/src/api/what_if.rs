//! Wire types of the what-if.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::warning::Warning;
use super::write::CommandIn;
use crate::diff::DiffEntry;
use crate::event::{Event, ExpectedRevision, NewEvent};
use crate::ids::{Position, Revision, StreamName};
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
    /// The base: after this revision of the stream. At most one base may be given; without one it is the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub at_revision: Option<Revision>,
    /// The base: this time. Who held a key then goes by the effective times of the streams, not by positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// The base: after this position of the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub at_position: Option<Position>,
    /// The base: just before this decision, by its sequence or its command's id. A rejected one has a place in the log too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_decision: Option<DecisionRef>,
    /// Whether passwords that commands give for recorded ones are right; a command may say it for itself. A what-if never
    /// compares a password with a recorded one: where it is not said, a step that depends on it is `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_correct: Option<bool>,
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

impl WhatIfIn {
    /// Nothing changed and nothing done, on the head of a stream.
    pub fn new(stream: StreamName) -> Self {
        Self {
            stream,
            at_revision: None,
            as_of: None,
            at_position: None,
            at_decision: None,
            password_correct: None,
            edits: Vec::new(),
            actions: Vec::new(),
            continuation: Continuation::None,
        }
    }
}

/// Names a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum DecisionRef {
    /// Its sequence in the decision log: a JSON number.
    Sequence(u64),
    /// The id of its command: a JSON string.
    Command(String),
}

impl FromStr for DecisionRef {
    type Err = Infallible;

    /// A number is a sequence, everything else a command's id.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text
            .parse()
            .map_or_else(|_id| Self::Command(text.to_owned()), Self::Sequence))
    }
}

impl fmt::Display for DecisionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => sequence.fmt(f),
            Self::Command(id) => f.write_str(id),
        }
    }
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
    Command(WhatIfCommand),
    /// A raw event: no rules run.
    Event(NewEvent),
}

/// A command of a what-if: what the real endpoint takes, and what is supposed of its password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhatIfCommand {
    /// What is asked for, in the imperative.
    #[serde(rename = "type")]
    pub command_type: String,
    /// Its parameters.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub payload: Map<String, Value>,
    /// Who asks. Required, as for the real command.
    #[serde(default)]
    pub actor: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Its id; one of the what-if's own when absent.
    #[serde(default)]
    pub command_id: Option<String>,
    /// What it belongs to; the command's own id when absent.
    #[serde(default)]
    pub correlation_id: Option<String>,
    /// What directly caused it.
    #[serde(default)]
    pub causation_id: Option<String>,
    /// What the stream's revision in the what-if must be; `any` when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "any")]
    pub expected_revision: Option<ExpectedRevision>,
    /// Whether a password that it gives for a recorded one is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_correct: Option<bool>,
}

impl From<CommandIn> for WhatIfCommand {
    fn from(command: CommandIn) -> Self {
        Self {
            command_type: command.command_type,
            payload: command.payload,
            actor: command.actor,
            reason: command.reason,
            command_id: command.command_id,
            correlation_id: command.correlation_id,
            causation_id: command.causation_id,
            expected_revision: command.expected_revision,
            password_correct: None,
        }
    }
}

impl From<WhatIfCommand> for CommandIn {
    fn from(command: WhatIfCommand) -> Self {
        Self {
            command_type: command.command_type,
            payload: command.payload,
            actor: command.actor,
            reason: command.reason,
            command_id: command.command_id,
            correlation_id: command.correlation_id,
            causation_id: command.causation_id,
            expected_revision: command.expected_revision,
        }
    }
}

/// Which steps of a what-if a reply lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepSelection {
    /// Those that were made or changed by an edit or by `do`, and recorded ones that had another effect than they had.
    #[default]
    Changed,
    /// Every step from the first edit or action on.
    All,
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
    /// The base as it was resolved: what a later request can name to get the same answer.
    pub base: WhatIfBase,
    /// What happened in this scenario, from the first edit on: the page of it that was asked for.
    pub steps: Vec<WhatIfStep>,
    /// How many steps there are from the first edit or action on.
    #[serde(default)]
    pub steps_total: u64,
    /// How many of them are not listed because they had the very effect that they had (`steps=changed`).
    #[serde(default)]
    pub steps_unchanged: u64,
    /// What came of all of them.
    #[serde(default)]
    pub outcomes: OutcomeCounts,
    /// Give it back as `cursor` for the next page of steps; `null` at the end.
    #[serde(default)]
    pub next_cursor: Option<String>,
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

/// The moment of the log that a what-if starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatIfBase {
    /// The stream's revision.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The log's position by which it is asked who held a key; `null` where that goes by time.
    #[schema(value_type = Option<u64>)]
    pub position: Option<Position>,
    /// The time: when everything invented there happens.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The sequence of the decision that it is just before, if it was asked for by one.
    pub decision: Option<u64>,
}

/// How many steps ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct OutcomeCounts {
    /// Commands that the rules accepted.
    pub accepted: u64,
    /// Commands that a rule refused.
    pub rejected: u64,
    /// Events that were applied.
    pub applied: u64,
    /// Recorded events that an edit took out.
    pub dropped: u64,
    /// Events that could not be applied.
    pub failed: u64,
    /// Commands whose outcome is unknown.
    pub unknown: u64,
}

impl OutcomeCounts {
    /// Counts one more.
    pub fn add(&mut self, outcome: StepOutcome) {
        *match outcome {
            StepOutcome::Accepted => &mut self.accepted,
            StepOutcome::Rejected => &mut self.rejected,
            StepOutcome::Applied => &mut self.applied,
            StepOutcome::Dropped => &mut self.dropped,
            StepOutcome::Failed => &mut self.failed,
            StepOutcome::Unknown => &mut self.unknown,
        } += 1;
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
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
    /// What the rules would say depends on a recorded secret, which a what-if never looks at. Later steps go on as if the
    /// command had not been given; the message says what the caller may suppose.
    Unknown,
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
