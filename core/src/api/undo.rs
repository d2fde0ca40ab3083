//! Wire types of undo plans.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::pipeline::RunOut;
use super::problem::Problem;
use crate::ids::{Revision, StreamName};

/// Body of `POST /v1/undo`: commands that the rules accept now, and that bring fields back to what they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoIn {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Back to what they were at this revision.
    #[schema(value_type = u64)]
    pub to_revision: Revision,
    /// The fields, as JSON Pointers.
    pub fields: Vec<String>,
    /// Who would send the commands; `what-if` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// At most this many commands in a plan: 1 to 4; 3 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
}

/// A command of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlannedCommand {
    /// Its type.
    #[serde(rename = "type")]
    pub command_type: String,
    /// Its payload.
    #[schema(value_type = Object)]
    pub payload: Map<String, Value>,
}

/// Commands, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UndoPlan {
    /// The commands; none where the fields are what they were.
    pub commands: Vec<PlannedCommand>,
}

/// A field, now and with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UndoneField {
    /// The field.
    pub path: String,
    /// Its value now; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Value>,
    /// Its value at the revision, and after the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Value>,
}

/// An undo plan, or that there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UndoEnd {
    /// The answer in a sentence.
    pub answer: String,
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision now: the plan is for this one.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// The revision that the fields go back to.
    #[schema(value_type = u64)]
    pub to_revision: Revision,
    /// The fields.
    pub fields: Vec<UndoneField>,
    /// A shortest plan. It was run on the state as it is before it was answered; nothing was written. `null` where there is none within the
    /// bounds.
    pub plan: Option<UndoPlan>,
    /// What would differ after the plan beside these fields.
    pub side_effects: Vec<crate::diff::DiffEntry>,
    /// Commands that plans were made of.
    pub commands_tried: Vec<PlannedCommand>,
    /// Commands that were asked on a state.
    pub attempts: u64,
    /// Whether all plans of so many commands were tried, where there is none.
    pub exhausted: bool,
    /// Commands of a plan at most.
    pub steps: usize,
    /// The run, as it ended.
    pub run: RunOut,
}

/// A line of the answer: an object with one of these keys. The last line is an `end` or a `broken`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UndoLine {
    /// How far it is, in attempts.
    Progress(Box<RunOut>),
    /// What it came to.
    End(Box<UndoEnd>),
    /// Why it broke off.
    Broken(Box<Problem>),
}
