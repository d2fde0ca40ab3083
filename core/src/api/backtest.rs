//! Wire types of the back-test.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::pipeline::RunOut;
use super::problem::Problem;
use super::what_if::{Causes, RecordedOutcome};
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// Groups of one kind that an answer names; the rest is counted together, under an empty name.
pub const GROUPS_MAX: usize = 100;
/// Reasons why commands could not be decided again that an answer names.
pub const FROZEN_MAX: usize = 20;

/// Body of `POST /v1/backtest`: the decision log, or a part of it, decided again under other rules. A changed decision changes what
/// later ones see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BacktestIn {
    /// Parameters of the rules, as a rules file has them: `model`, `lengths`, `rules`, `reason_required`, `forbid`. What they do not say
    /// is as it is without them.
    #[schema(value_type = Object)]
    pub rules: Map<String, Value>,
    /// Only commands of this category are decided by the other rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Only commands of such an actor; `*` stands for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Only commands decided not before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Only commands decided not after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// What becomes of a command whose direct cause is gone.
    #[serde(default)]
    pub causes: Causes,
    /// Whether passwords that commands give for recorded ones are right, where that was not found out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_correct: Option<bool>,
}

/// What became of a command.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BacktestKind {
    /// Decided as it was recorded.
    Same,
    /// It was accepted, and is refused.
    AcceptedToRefused,
    /// It was refused, and is accepted.
    RefusedToAccepted,
    /// Accepted with other events, or refused by another rule.
    Changed,
    /// Its direct cause is gone: it never comes.
    NotIssued,
    /// A recorded raw event that the store would refuse: another stream holds a key that it takes.
    RawRefused,
    /// It cannot be decided again, and stays as it was recorded.
    Frozen,
}

impl BacktestKind {
    /// Whether it differs from what was recorded.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::Same | Self::Frozen)
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::AcceptedToRefused => "accepted to refused",
            Self::RefusedToAccepted => "refused to accepted",
            Self::Changed => "changed",
            Self::NotIssued => "not issued",
            Self::RawRefused => "raw event refused",
            Self::Frozen => "frozen",
        }
    }
}

/// A command, or raw event, with another outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BacktestChange {
    /// What became of it.
    pub kind: BacktestKind,
    /// The sequence of the recorded decision; `null` for a raw event.
    pub decision: Option<u64>,
    /// The position of its first recorded event.
    #[schema(value_type = Option<u64>)]
    pub position: Option<Position>,
    /// The command's id.
    pub command_id: Option<String>,
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The stream's recorded revision before it.
    #[schema(value_type = u64)]
    pub base_revision: Revision,
    /// The command's type, or the raw event's.
    #[serde(rename = "type")]
    pub command_type: String,
    /// The actor.
    pub actor: Option<String>,
    /// When it was decided, or recorded.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    /// What was recorded of the command.
    pub was: Option<RecordedOutcome>,
    /// The types of the recorded events.
    pub was_events: Vec<String>,
    /// `accepted`, `rejected` or `not_issued`.
    pub outcome: String,
    /// The rule that refuses it now.
    pub rule: Option<String>,
    /// What the rule says, or which cause is gone.
    pub message: Option<String>,
    /// The types of the events it leads to now.
    pub events: Vec<String>,
    /// Whether it was decided by the other rules; else changed decisions reached it, and the rules in use were asked.
    pub in_range: bool,
}

impl BacktestChange {
    /// The rule that it differs by: the one that refuses it now, or that refused it.
    pub fn because(&self) -> Option<&str> {
        let was = self.was.as_ref().and_then(|was| was.rule.as_deref());
        self.rule.as_deref().or(was)
    }
}

/// How many commands came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct BacktestCounts {
    /// Decided as they were recorded.
    pub same: u64,
    /// Accepted, and now refused.
    pub accepted_to_refused: u64,
    /// Refused, and now accepted.
    pub refused_to_accepted: u64,
    /// Accepted with other events, or refused by another rule.
    pub changed: u64,
    /// Never issued, as their direct cause is gone.
    pub not_issued: u64,
    /// Cannot be decided again, and stay as recorded.
    pub frozen: u64,
}

impl BacktestCounts {
    /// Counts one.
    pub fn add(&mut self, kind: BacktestKind) {
        *match kind {
            BacktestKind::Same => &mut self.same,
            BacktestKind::AcceptedToRefused => &mut self.accepted_to_refused,
            BacktestKind::RefusedToAccepted => &mut self.refused_to_accepted,
            BacktestKind::Changed => &mut self.changed,
            BacktestKind::NotIssued => &mut self.not_issued,
            BacktestKind::Frozen => &mut self.frozen,
            // Raw events are counted apart: they are no commands.
            BacktestKind::RawRefused => return,
        } += 1;
    }

    /// Adds what was counted elsewhere.
    pub fn add_all(&mut self, other: &Self) {
        self.same += other.same;
        self.accepted_to_refused += other.accepted_to_refused;
        self.refused_to_accepted += other.refused_to_accepted;
        self.changed += other.changed;
        self.not_issued += other.not_issued;
        self.frozen += other.frozen;
    }

    /// Commands with another outcome.
    pub fn changes(&self) -> u64 {
        self.accepted_to_refused + self.refused_to_accepted + self.changed + self.not_issued
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.same + self.changes() + self.frozen
    }
}

/// What commands of one actor, type, rule or day came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BacktestGroup {
    /// The actor, type, rule or day; empty for those without one, and for the ones that are counted together.
    pub name: String,
    /// What they came to.
    pub counts: BacktestCounts,
}

/// Why commands could not be decided again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BacktestFrozen {
    /// The reason.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first of them: the sequence of its decision.
    pub first: u64,
}

/// A stream that differs from what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BacktestStream {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The first revision at which it says something else.
    #[schema(value_type = u64)]
    pub first_divergence: Revision,
    /// The first recorded decision on it with another outcome.
    pub decision: Option<u64>,
    /// Whether its state differs at the end, too.
    pub differs_at_end: bool,
}

/// What a back-test came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BacktestEnd {
    /// The answer in a sentence.
    pub answer: String,
    /// The model.
    pub model: String,
    /// What its other rules are known by.
    pub rules_hash: String,
    /// What the rules in use are known by.
    pub rules_in_use: String,
    /// Whether the other rules are those in use.
    pub same_rules: bool,
    /// The log's head: what was logged later was not looked at.
    #[schema(value_type = u64)]
    pub position: Position,
    /// Decisions that were looked at.
    pub looked_at: u64,
    /// What the commands that the other rules were asked about came to.
    pub counts: BacktestCounts,
    /// What commands outside the range came to that changed decisions reached; the rules in use decided them.
    pub outside: BacktestCounts,
    /// Raw events that the store would refuse, as another stream holds a key that they take.
    pub raw_refused: u64,
    /// Raw events that stay as they were recorded: no command led to them.
    pub raw_frozen: u64,
    /// By the rule that refuses them now, or that refused them: only those that differ.
    pub by_rule: Vec<BacktestGroup>,
    /// By actor, those with most changes first.
    pub by_actor: Vec<BacktestGroup>,
    /// By the command's type.
    pub by_type: Vec<BacktestGroup>,
    /// By the day on which they were decided, in UTC.
    pub by_day: Vec<BacktestGroup>,
    /// Why commands could not be decided again.
    pub frozen: Vec<BacktestFrozen>,
    /// Streams that differ from what happened.
    pub streams_changed: u64,
    /// New events, to which no handler could react: what would have followed from them is not known.
    pub without_reactions: u64,
    /// Commands that were recorded under other rules than those in use: what differs may come from those.
    pub recorded_under_others: u64,
    /// The log is a redacted copy: what depends on a secret is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted_copy: bool,
    /// The run, as it ended.
    pub run: RunOut,
}

/// A line of the answer to a back-test: an object with one of these keys. The last line is an `end`, or where it broke off a `broken`;
/// without either the connection was cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BacktestLine {
    /// A command with another outcome, in the order of the log.
    Change(Box<BacktestChange>),
    /// How far it is, in decisions of the log.
    Progress(Box<RunOut>),
    /// A stream that differs from what happened, by name, once all was decided.
    Stream(BacktestStream),
    /// What it came to: the last line.
    End(Box<BacktestEnd>),
    /// Why it broke off: the last line. What came before stands; what was not looked at is not known.
    Broken(Box<Problem>),
}
