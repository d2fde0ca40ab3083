//! What a what-if answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Continuation, Flip, RecordedOutcome, Redecided, StepChange};
use crate::api::warning::Warning;
use crate::diff::DiffEntry;
use crate::event::Event;
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// Answer of `POST /v1/what-if`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhatIfOut {
    /// What was done with the later history: `none`, `refold` (events as recorded, rules not asked) or `redecide` (rules asked
    /// again).
    pub mode: Continuation,
    /// Why it was done: because it was asked for, or because of what is on record (`continue: auto`).
    #[serde(default)]
    pub mode_reason: ModeReason,
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
    /// Recorded commands whose decision differs in this scenario, the first hundred. Empty unless commands were re-decided.
    pub flips: Vec<Flip>,
    /// What came of deciding again, in every stream; `null` unless commands were re-decided.
    #[serde(default)]
    pub redecided: Option<Redecided>,
    /// JSON Pointers, from a state's root, of values redacted in this view.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// What to know about this answer before it is relied on; empty when there is nothing to say.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// Why the later history was treated as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModeReason {
    /// The request said so, or said nothing.
    #[default]
    Asked,
    /// Commands are on record for what is changed, or nothing on record is reached: the rules are asked.
    CommandsOnRecord,
    /// None of the recorded events that the changes reach has a command on record: there is nothing to ask the rules about.
    NoCommandOnRecord,
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
    /// Commands and events that never come, because their direct cause is gone.
    #[serde(default)]
    pub not_issued: u64,
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
            StepOutcome::NotIssued => &mut self.not_issued,
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
    /// A recorded command: the rules ran again, unless `change` says otherwise.
    Redecided,
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
    /// Its direct cause is gone: it never comes.
    NotIssued,
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
    /// The stream, where commands are decided again: steps are then of every stream that was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stream: Option<StreamName>,
    /// The sequence of the recorded decision behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<u64>,
    /// What became of the recorded command or event, where commands are decided again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<StepChange>,
    /// What was recorded of the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<RecordedOutcome>,
}
