//! Wire types of the question how inevitable an outcome was.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::pipeline::RunOut;
use super::problem::Problem;
use super::what_if::Causes;
use crate::ids::{Revision, StreamName};
use crate::time::Timestamp;

/// Body of `POST /v1/inevitable`: which recorded commands an outcome depended on, and until when a single command would have avoided it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InevitableIn {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The outcome: a condition on the state that the stream ends with.
    pub predicate: String,
    /// What becomes of a command whose direct cause is gone.
    #[serde(default)]
    pub causes: Causes,
    /// Whether passwords that commands give for recorded ones are right, where that was not found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_correct: Option<bool>,
}

/// What a command is to an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Necessity {
    /// Without it the outcome does not come.
    Necessary,
    /// Without it the stream differs, and the outcome comes all the same.
    Masked,
    /// Without it the stream is as it was.
    WithoutEffect,
    /// It cannot be told: without it, commands would be asked that cannot be decided again.
    Unknown,
}

/// A recorded command, and what it is to the outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NecessityOut {
    /// The sequence of its decision.
    pub decision: u64,
    /// The command's id.
    pub command_id: String,
    /// Its stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Its type.
    #[serde(rename = "type")]
    pub command_type: String,
    /// The actor.
    pub actor: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    /// The stream's revision before it.
    #[schema(value_type = u64)]
    pub base_revision: Revision,
    /// What it is to the outcome.
    pub necessity: Necessity,
    /// Of a masked one: another one, without which as well the outcome does not come, though it comes without either alone.
    pub masked_by: Option<u64>,
    /// Its responsibility: 1 / (1 + k), with k others that must be gone before it is necessary. 1 for a necessary one, 0.5 for one of
    /// a pair; `null` where it is not known, as more than one other would have to be gone.
    pub responsibility: Option<f64>,
}

/// A moment: right before an event of the stream, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MomentOut {
    /// The revision that the stream has at this moment.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// When the next event comes; of the end, when the last one came.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Commands that were tried there.
    pub tried: u64,
    /// Those that the rules accept there.
    pub legal: u64,
    /// Those with which the outcome does not come.
    pub avoiding: u64,
    /// Those of which it cannot be told.
    pub unknown: u64,
    /// One that avoids it.
    pub example: Option<CommandTried>,
}

/// A command that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CommandTried {
    /// Its type.
    #[serde(rename = "type")]
    pub command_type: String,
    /// Its payload.
    #[schema(value_type = Object)]
    pub payload: Map<String, Value>,
}

/// Commands of the model that were not tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotTried {
    /// The command's type.
    #[serde(rename = "type")]
    pub command_type: String,
    /// Why.
    pub reason: String,
}

/// How inevitable an outcome was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InevitableEnd {
    /// The answer in a sentence or two.
    pub answer: String,
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The outcome, as it was read.
    pub predicate: String,
    /// The revision that the stream ends with.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Whether the outcome came. Where it did not, nothing was tried.
    pub holds: bool,
    /// The commands that were dropped, in the order of the log; those without effect are only counted.
    pub commands: Vec<NecessityOut>,
    /// Commands that were dropped, one at a time.
    pub dropped: u64,
    /// Those without effect.
    pub without_effect: u64,
    /// Whether every command that could have reached the stream was dropped. Else the log has too many: only those of this stream were,
    /// and of the streams of their causes.
    pub all_dropped: bool,
    /// Commands left out beyond the bound, older ones first.
    pub left_out: u64,
    /// Whether every pair of masked commands was tried.
    pub all_pairs: bool,
    /// The moments, oldest first: the curve.
    pub moments: Vec<MomentOut>,
    /// Older moments that were left out beyond the bound.
    pub moments_left_out: u64,
    /// The last moment at which a single command on this stream still avoids the outcome: the point of no return comes right after it.
    /// `null` where none does.
    pub point_of_no_return: Option<MomentOut>,
    /// Commands that are tried at each moment.
    pub commands_tried: Vec<CommandTried>,
    /// Commands of the model that are not.
    pub not_tried: Vec<NotTried>,
    /// How often the log was decided again.
    pub runs: u64,
    /// Commands that were decided again in all of them.
    pub asked: u64,
    /// The run, as it ended.
    pub run: RunOut,
}

/// A line of the answer: an object with one of these keys. The last line is an `end` or a `broken`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InevitableLine {
    /// How far it is, in times that the log is decided again.
    Progress(Box<RunOut>),
    /// What it came to.
    End(Box<InevitableEnd>),
    /// Why it broke off.
    Broken(Box<Problem>),
}
