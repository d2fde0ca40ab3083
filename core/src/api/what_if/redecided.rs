//! What a what-if says of commands that were decided again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::command::Outcome;
use crate::diff::DiffEntry;
use crate::ids::{Revision, StreamName};
use crate::time::Timestamp;

/// Flips that a reply names; it counts them all.
pub const FLIPS_MAX: usize = 100;
/// Streams that a reply shows in both worlds; it counts them all.
pub const STREAMS_MAX: usize = 20;

/// What becomes of a recorded command or event whose direct cause is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Causes {
    /// It is not issued either.
    #[default]
    Follow,
    /// It comes all the same, and is asked.
    Keep,
}

impl Causes {
    /// Whether it is what is meant when nothing is said.
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "the serializer passes fields by reference"
    )]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of a recorded fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepChange {
    /// A command that was decided again as it was, to the byte.
    Same,
    /// A command that was decided again: accepted as it was, with other events, or refused as it was, by another rule.
    Changed,
    /// A command that was accepted and is refused, or the other way round.
    Flip,
    /// Its direct cause is gone: it never comes.
    NotIssued,
    /// It cannot be decided again, and stays as it was recorded.
    Frozen,
    /// A recorded raw event that the store would refuse: another stream holds a key that it takes.
    Refused,
    /// An edit fixed what it comes to.
    Edited,
    /// An edit took it out.
    Dropped,
    /// It was added by an edit or by `do`.
    Added,
}

/// What was recorded of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedOutcome {
    /// `accepted` or `rejected`.
    pub outcome: String,
    /// The rule that refused it.
    pub rule: Option<String>,
    /// What the rule said.
    pub message: Option<String>,
    /// How many events it led to.
    pub events: u32,
}

impl From<&Outcome> for RecordedOutcome {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted { events, .. } => Self {
                outcome: "accepted".to_owned(),
                rule: None,
                message: None,
                events: *events,
            },
            Outcome::Rejected { rule, message } => Self {
                outcome: "rejected".to_owned(),
                rule: Some(rule.clone()),
                message: Some(message.clone()),
                events: 0,
            },
        }
    }
}

/// A recorded command whose decision differs in the other world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Flip {
    /// The sequence of the recorded decision.
    pub decision: u64,
    /// The command's id.
    pub command_id: String,
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The command's type.
    #[serde(rename = "type")]
    pub command_type: String,
    /// The actor.
    pub actor: Option<String>,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    /// What was recorded.
    pub was: RecordedOutcome,
    /// `accepted`, `rejected`, or `not_issued`.
    pub outcome: String,
    /// The rule that refuses it in the other world.
    pub rule: Option<String>,
    /// What the rule says, or which cause is gone.
    pub message: Option<String>,
}

/// How many recorded facts came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RedecidedCounts {
    /// Commands that were decided again as they were.
    pub same: u64,
    /// Commands with other events, or refused by another rule.
    pub changed: u64,
    /// Commands accepted in one world and refused in the other.
    pub flips: u64,
    /// Commands and events that never come, because their direct cause is gone.
    pub not_issued: u64,
    /// Commands and events that cannot be decided again and stay as recorded, on a changed state.
    pub frozen: u64,
    /// Raw events that the store would refuse.
    pub refused: u64,
    /// Commands and events that an edit fixed or took out.
    pub edited: u64,
    /// Commands and events that were added.
    pub added: u64,
}

/// A reached stream in both worlds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamWorlds {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// How many events it has in the other world.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// How many events are recorded.
    #[schema(value_type = u64)]
    pub actual_revision: Revision,
    /// The first revision at which it differs from what happened; `null` when it never does.
    #[schema(value_type = Option<u64>)]
    pub first_divergence: Option<Revision>,
    /// Its state at the end of the other world; empty where it is as recorded.
    #[schema(value_type = Object)]
    pub state: Map<String, Value>,
    /// Its recorded state; empty where the two are the same.
    #[schema(value_type = Object)]
    pub actual: Map<String, Value>,
    /// From the recorded state to the other one.
    pub diff: Vec<DiffEntry>,
}

impl Redecided {
    /// Whether something on record was reached, and none of it has a command: there was nothing to ask the rules about.
    pub fn reached_raw_events_only(&self) -> bool {
        self.reached > 0 && self.reached_commands == 0
    }
}

/// What came of deciding again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Redecided {
    /// The answer in a sentence or two.
    pub answer: String,
    /// What became of commands whose direct cause is gone.
    pub causes: Causes,
    /// Recorded commands that the changes could reach, and whose rules ran again.
    pub asked: u64,
    /// Recorded commands after the first change.
    pub later: u64,
    /// Recorded commands and raw events that the changes reached, edited ones too.
    #[serde(default)]
    pub reached: u64,
    /// Of those, the ones that have a command on record.
    #[serde(default)]
    pub reached_commands: u64,
    /// What they, and the raw events on changed states, came to.
    pub counts: RedecidedCounts,
    /// Flips beyond those that are named.
    pub flips_left_out: u64,
    /// Streams that the changes reached, those that differ first: the first of them.
    pub streams: Vec<StreamWorlds>,
    /// Streams that were reached.
    pub streams_reached: u64,
    /// Streams that differ from what happened, at some revision or at the end.
    pub streams_changed: u64,
    /// Streams of the log that were not reached: they are as recorded, and were not asked.
    pub streams_untouched: u64,
    /// New events, to which no handler could react: what would have followed from them is not known.
    pub without_reactions: u64,
    /// Commands that were decided under other rules than those that were asked now.
    pub other_rules: u64,
}
