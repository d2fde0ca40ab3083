//! Wire types of causes: what led to what, across streams.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pipeline::JobStatus;
use crate::command::{Decision, Outcome};
use crate::diff::DiffEntry;
use crate::event::Event;
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

use super::warning::Warning;

/// What a node of a tree of causes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// An event.
    Event,
    /// A command, with what the rules answered.
    Command,
}

/// What the rules answered to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseOutcome {
    /// It led to events, possibly none.
    Accepted,
    /// A rule refused it.
    Rejected,
}

/// A handler's work on an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CauseJob {
    /// The job's id.
    pub id: u64,
    /// The handler.
    pub handler: String,
    /// How it stands.
    pub status: JobStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last failed attempt said.
    pub last_error: Option<String>,
}

/// An event or a command in a tree of causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CauseNode {
    /// What it is.
    pub kind: CauseKind,
    /// The event's id, or the command's.
    pub id: String,
    /// How many causes stand above it in this answer. A node's effects follow it, one deeper, before the next one of its own
    /// depth.
    pub depth: u64,
    /// The id it names as its cause.
    pub causation_id: Option<String>,
    /// The stream it is of.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// An event's revision; the one that a command was decided on.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// An event's position; the log's head when a command was decided.
    #[schema(value_type = u64)]
    pub position: Position,
    /// A command's index in the decision log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The event's type, or the command's.
    #[serde(rename = "type")]
    pub kind_of: String,
    /// When the event was recorded, or the command decided.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The actor.
    pub actor: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// What it belongs to.
    pub correlation_id: Option<String>,
    /// What the rules answered to a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<CauseOutcome>,
    /// How many events an accepted command led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u32>,
    /// The rule that refused a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What that rule said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How many events and commands name it as their cause; absent where its effects were not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<u64>,
    /// Whether it does not carry the correlation id that was asked for; an effect of what does.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub outside: bool,
    /// The jobs of an event; completed ones are pruned after a time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<CauseJob>,
}

impl CauseNode {
    /// The node of an event.
    pub fn of_event(event: &Event) -> Self {
        Self {
            kind: CauseKind::Event,
            id: event.event_id.clone(),
            depth: 0,
            causation_id: event.causation_id.clone(),
            stream: event.stream.clone(),
            revision: event.revision,
            position: event.position,
            sequence: None,
            kind_of: event.event_type.clone(),
            at: event.recorded_at,
            actor: event.actor.clone(),
            reason: event.reason.clone(),
            correlation_id: event.correlation_id.clone(),
            outcome: None,
            events: None,
            rule: None,
            message: None,
            effects: None,
            outside: false,
            jobs: Vec::new(),
        }
    }

    /// The node of a command.
    pub fn of_decision(decision: &Decision) -> Self {
        let (outcome, events, rule, message) = match &decision.result {
            Outcome::Accepted { events, .. } => (CauseOutcome::Accepted, Some(*events), None, None),
            Outcome::Rejected { rule, message } => (
                CauseOutcome::Rejected,
                None,
                Some(rule.clone()),
                Some(message.clone()),
            ),
        };
        Self {
            kind: CauseKind::Command,
            id: decision.command_id.clone(),
            depth: 0,
            causation_id: decision.causation_id.clone(),
            stream: decision.stream.clone(),
            revision: decision.base_revision,
            position: decision.base_position,
            sequence: Some(decision.sequence),
            kind_of: decision.command_type.clone(),
            at: decision.decided_at,
            actor: decision.actor.clone(),
            reason: decision.reason.clone(),
            correlation_id: decision.correlation_id.clone(),
            outcome: Some(outcome),
            events,
            rule,
            message,
            effects: None,
            outside: false,
            jobs: Vec::new(),
        }
    }

    /// Where it stands in the log: a command stands behind the event that was the last one when it was decided.
    pub fn place(&self) -> (Position, Option<u64>) {
        (self.position, self.sequence)
    }
}

/// What is wrong with a chain of causes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CauseFindingCode {
    /// It names a cause that is not on record.
    MissingCause,
    /// Its causes lead back to itself.
    Cycle,
    /// It was recorded at an earlier time than its cause.
    RecordedBeforeCause,
    /// It stands before its cause in the log, though not by its time: as where streams were imported one after another.
    LoggedBeforeCause,
    /// It is a command whose decision tells of more events than there are that name it.
    EventsMissing,
    /// Its cause's id is that of a command and of an event; the command is taken.
    AmbiguousCause,
    /// There is more than is looked at.
    TooLarge,
}

/// Something wrong with a chain of causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CauseFinding {
    /// The kind of finding.
    pub code: CauseFindingCode,
    /// The same in a sentence.
    pub detail: String,
    /// The id of the event or command that it is about.
    pub id: String,
    /// The id of its cause.
    pub causation_id: Option<String>,
}

/// Where a chain of causes ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CauseEnd {
    /// The last one names no cause of its own.
    First,
    /// The last one names a cause that is not on record.
    NotOnRecord,
    /// The last one names a cause that is in the chain already.
    Cycle,
    /// There are more causes than are followed.
    Cut,
}

/// What led to an event or command, and what it led to (`GET /v1/events/{event_id}/causes`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CausesOut {
    /// The id asked for.
    pub id: String,
    /// What it is.
    pub kind: CauseKind,
    /// Its causes: first its own, last the root.
    pub causes: Vec<CauseNode>,
    /// Where they end.
    pub end: CauseEnd,
    /// The cause that the last one names, where it is not on record or in the chain already.
    pub end_id: Option<String>,
    /// The tree of its effects on this page, itself first; from the root on with `whole`.
    pub items: Vec<CauseNode>,
    /// Send it as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
    /// How many nodes the tree has.
    pub nodes: u64,
    /// Whether there are more that were not looked at.
    pub cut: bool,
    /// What is wrong with chain and tree: the first hundred.
    pub findings: Vec<CauseFinding>,
    /// How many findings there are.
    pub findings_total: u64,
    /// The log's head: the answer is of what was logged up to there.
    pub head: u64,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// What a correlation has of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CorrelatedStream {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision before the first event of the correlation.
    #[schema(value_type = u64)]
    pub revision_before: Revision,
    /// The revision of its last event; that before where it has none.
    #[schema(value_type = u64)]
    pub revision_after: Revision,
    /// How many events of the correlation it has.
    pub events: u64,
    /// How many events between these two revisions are not of the correlation.
    pub other_events: u64,
    /// How many commands of the correlation were refused.
    pub refused: u64,
}

/// Everything of a correlation (`GET /v1/correlations/{correlation_id}`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CorrelationOut {
    /// The correlation id.
    pub correlation_id: String,
    /// Its events and commands on this page, each below its cause, with what they led to.
    pub items: Vec<CauseNode>,
    /// Send it as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
    /// How many nodes there are.
    pub nodes: u64,
    /// How many of them are events of the correlation.
    pub events: u64,
    /// How many are commands of the correlation.
    pub commands: u64,
    /// How many of these were refused.
    pub refused: u64,
    /// How many are effects of it that carry another correlation id, or none.
    pub outside: u64,
    /// Its first moment.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// Its last moment.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// The streams it has to do with, by name: the first thousand. With the differences it made:
    /// `GET /v1/correlations/{correlation_id}/streams`.
    pub streams: Vec<CorrelatedStream>,
    /// How many streams there are.
    pub streams_total: u64,
    /// Whether there is more that was not looked at.
    pub cut: bool,
    /// What is wrong with its causes: the first hundred.
    pub findings: Vec<CauseFinding>,
    /// How many findings there are.
    pub findings_total: u64,
    /// The log's head: the answer is of what was logged up to there.
    pub head: u64,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// What a correlation did to a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamImpact {
    /// The stream.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// The revision before the first event of the correlation.
    #[schema(value_type = u64)]
    pub revision_before: Revision,
    /// The revision of its last event; that before where it has none.
    #[schema(value_type = u64)]
    pub revision_after: Revision,
    /// How many events of the correlation it has.
    pub events: u64,
    /// How many events between these two revisions are not of the correlation.
    pub other_events: u64,
    /// How many commands of the correlation were refused.
    pub refused: u64,
    /// The differences between the states before and after; where others wrote between, theirs too.
    pub diff: Vec<DiffEntry>,
    /// Why there are no differences here, where they could not be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Reasons to be careful with this answer; empty when there are none.
    #[serde(default)]
    pub warnings: Vec<Warning>,
}

/// The streams of a correlation with what it did to each (`GET /v1/correlations/{correlation_id}/streams`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImpactPage<I = StreamImpact> {
    /// The correlation id.
    pub correlation_id: String,
    /// The streams of this page, by name.
    pub items: Vec<I>,
    /// Send it as `cursor` for the next page; `null` at the end.
    pub next_cursor: Option<String>,
    /// How many streams there are.
    pub streams_total: u64,
    /// Whether there is more of the correlation that was not looked at.
    pub cut: bool,
    /// The log's head: the answer is of what was logged up to there.
    pub head: u64,
}
