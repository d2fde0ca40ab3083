//! Wire types of branches.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::warning::Warning;
use super::what_if::{Action, Causes, Continuation, DecisionRef, Edit};
use crate::branch::{Branch, BuiltOn};
use crate::diff::DiffEntry;
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// Body of `POST /v1/branches` and `PUT /v1/branches/{name}`: a what-if that asks the rules, with a name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BranchIn {
    /// Its name: letters, digits, `.`, `_` and `-`, 64 of them at most. Required where the path does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The branch that it is built on. It gets the edits and actions that that one has now; later changes of that one do not
    /// reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// The stream that edits of events and `do` are about.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The base: after this revision of the stream, as the log has it. At most one base may be given; without one it is the
    /// head, as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub at_revision: Option<Revision>,
    /// The base: this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub as_of: Option<Timestamp>,
    /// The base: after this position of the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub at_position: Option<Position>,
    /// The base: just before this decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_decision: Option<DecisionRef>,
    /// Whether passwords that commands give for recorded ones are right; that of the branch it is built on when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_correct: Option<bool>,
    /// Changes to what is recorded. Revisions and decisions are those of the log, also where it is built on another branch.
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// What happens at the base, in order.
    #[serde(default, rename = "do")]
    pub actions: Vec<Action>,
    /// `redecide`, also when absent: in a branch the rules are asked.
    #[serde(default, rename = "continue", skip_serializing_if = "Option::is_none")]
    pub continuation: Option<Continuation>,
    /// Whether a recorded command is asked again when its direct cause is gone; as the branch it is built on when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causes: Option<Causes>,
}

/// Body of `PATCH /v1/branches/{name}`: what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BranchPatch {
    /// Its new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for; empty for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// `true` takes the log as it is now for the branch's own: for one that was imported, or whose log was restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<bool>,
}

/// What has become of the log that a branch was made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStanding {
    /// It is as it was.
    Same,
    /// More was logged since: the branch goes on through it.
    Grown,
    /// It is another one, or another history: the branch is not read.
    Other,
}

/// A branch, and how the log under it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BranchOut {
    /// The branch.
    pub branch: Branch,
    /// What has become of its log.
    pub log_standing: LogStanding,
    /// What to know before it is relied on: another log, other rules.
    pub warnings: Vec<Warning>,
    /// JSON Pointers, from this answer's root, of values redacted in this view.
    pub redacted: Vec<String>,
}

/// A branch in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BranchLine {
    /// Its name.
    pub name: String,
    /// How often it was changed: 1 when it is new.
    pub revision: u64,
    /// What it is for.
    #[schema(required)]
    pub note: Option<String>,
    /// Who made it.
    #[schema(required)]
    pub actor: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub changed_at: Timestamp,
    /// The branch that it is built on.
    #[schema(required)]
    pub on: Option<BuiltOn>,
    /// The stream of its own edits and actions.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// How many edits it has, with those of the branch below.
    pub edits: u64,
    /// How many actions, likewise.
    pub actions: u64,
    /// What has become of its log.
    pub log_standing: LogStanding,
}

/// A page of branches, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BranchPage {
    /// The branches.
    pub items: Vec<BranchLine>,
    /// Give it back as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
    /// How many branches there are altogether.
    pub branches: u64,
    /// Lines of their file that are damaged.
    pub unreadable: u64,
}

/// The branch that a reply was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BranchRead {
    /// Its name.
    pub name: String,
    /// How often it had been changed.
    pub revision: u64,
    /// The last position of the log that it goes through.
    #[schema(value_type = u64)]
    pub log_position: Position,
    /// What to know about it before the reply is relied on.
    pub warnings: Vec<Warning>,
}

/// How a command ended in a world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorldOutcome {
    /// `accepted`, `rejected`, or `absent`: it never came.
    pub outcome: String,
    /// The rule that refused it.
    #[schema(required)]
    pub rule: Option<String>,
    /// How many events it led to.
    pub events: u64,
}

/// A command that ended otherwise in one world than in the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BranchFlip {
    /// Its id.
    pub command_id: String,
    /// The sequence of its recorded decision; `null` where it is in no log.
    #[schema(required)]
    pub decision: Option<u64>,
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The command's type.
    #[serde(rename = "type")]
    pub command_type: String,
    /// Who gave it.
    #[schema(required)]
    pub actor: Option<String>,
    /// How it ended in the world that is compared with.
    pub from: WorldOutcome,
    /// How it ended in the branch.
    pub to: WorldOutcome,
}

/// A stream that differs between two worlds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BranchStream {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Its last revision in the world that is compared with; 0 where it is not there.
    #[schema(value_type = u64)]
    pub from_revision: Revision,
    /// Its last revision in the branch.
    #[schema(value_type = u64)]
    pub to_revision: Revision,
    /// The first revision at which they have different events.
    #[schema(value_type = Option<u64>, required)]
    pub first_divergence: Option<Revision>,
    /// From the last state there to the last state in the branch; empty where only the events differ.
    pub diff: Vec<DiffEntry>,
    /// JSON Pointers of values redacted in this view.
    pub redacted: Vec<String>,
}

/// Answer of `GET /v1/branches/{name}/compare`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BranchCompareOut<T> {
    /// The world that is compared with: a branch, or `log`.
    pub with: String,
    /// That branch; `null` for the log.
    #[schema(required)]
    pub with_branch: Option<BranchRead>,
    /// What differs, in a sentence.
    pub answer: String,
    /// Streams that differ, by name.
    pub streams: Vec<T>,
    /// How many there are.
    pub streams_total: u64,
    /// Give it back as `cursor` for the next page of streams; `null` at the end.
    pub next_cursor: Option<String>,
    /// Commands that ended otherwise, the first hundred of them.
    pub flips: Vec<BranchFlip>,
    /// How many there are.
    pub flips_total: u64,
}
