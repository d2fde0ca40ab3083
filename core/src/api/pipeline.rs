//! Wire types of the pipeline: outbox, projections, read models, and the long runs over them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// Status of a job.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// It waits: for a worker, for its next attempt, or for an earlier job of its stream.
    Pending,
    /// A worker is at it.
    Processing,
    /// Its handler is done with the event.
    Completed,
    /// Every attempt failed; it waits until an operator retries it.
    Failed,
}

impl JobStatus {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Processing,
        Self::Completed,
        Self::Failed,
    ];

    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// One handler's work on one event (`GET /v1/outbox/{id}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobOut {
    /// Its number, from 1, in the order the jobs were made.
    pub id: u64,
    /// Whose work it is.
    pub handler: String,
    /// Position of the event.
    #[schema(value_type = u64)]
    pub position: Position,
    /// Stream of the event.
    #[schema(value_type = String)]
    pub stream: StreamName,
    /// Revision of the event.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Id of the event.
    pub event_id: String,
    /// Type of the event.
    pub event_type: String,
    /// Its status.
    pub status: JobStatus,
    /// How often it was tried since it was made or last retried by hand.
    pub attempts: u32,
    /// When it is tried next, for a pending job that failed before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// What the last failed attempt said.
    pub last_error: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its status last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// The earlier job of the same stream and handler that has to end first, for a pending one that is blocked.
    #[serde(default)]
    pub blocked_by: Option<u64>,
}

/// How many jobs of a handler have which status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct JobCounts {
    /// Waiting.
    pub pending: u64,
    /// Under way.
    pub processing: u64,
    /// Done, ever; the list keeps only the newest of them.
    pub completed: u64,
    /// Given up.
    pub failed: u64,
}

/// A handler of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandlerOut {
    /// Its name.
    pub handler: String,
    /// `mail`, `webhook`, or `none` for one that has jobs on record and is not set up now.
    pub kind: String,
    /// Where its effects go: a folder, a mail server, a URL. Never a credential.
    pub target: String,
    /// The event types it takes, as `category/EventType` or `EventType`.
    pub event_types: Vec<String>,
    /// How many jobs it has, by status.
    pub counts: JobCounts,
}

/// A page of the outbox (`GET /v1/outbox`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxPage {
    /// The jobs, in the order asked for.
    pub items: Vec<JobOut>,
    /// Give it back as `cursor` for the next page; `null` at the end. May be set on a short page when the scan budget
    /// was used up.
    pub next_cursor: Option<String>,
    /// The log's head when the page was read.
    pub head: u64,
    /// Every handler and the status of its jobs, whatever the filter.
    pub handlers: Vec<HandlerOut>,
}

/// 200 of `POST /v1/outbox/retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetriedOut {
    /// How many failed jobs are pending again.
    pub retried: u64,
}

/// Status of a long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Under way.
    Running,
    /// Done.
    Completed,
    /// Cancelled by an operator or by the daemon's end; what was there before is as it was.
    Cancelled,
    /// Ended by an error; what was there before is as it was.
    Failed,
}

/// A long run: a rebuild, a backfill, a consistency check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunOut {
    /// `rebuild`, `backfill` or `check`.
    pub kind: String,
    /// Its number, from 1, since the daemon began.
    pub id: u64,
    /// What it is about: a projection's name, or the handlers of a backfill.
    pub of: String,
    /// Its status.
    pub status: RunStatus,
    /// Events gone through.
    pub done: u64,
    /// Events to go through, as far as is known; grows with the log during a rebuild.
    pub total: u64,
    /// Jobs made, by a backfill.
    #[serde(default)]
    pub jobs: u64,
    /// Events a second, lately.
    pub events_per_second: f64,
    /// Seconds left at this rate; `null` when unknown.
    pub seconds_left: Option<f64>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
}

/// How a projection keeps up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProjectionStatus {
    /// Level with the log's head, or moving and nearly so.
    Live,
    /// Behind, and moving.
    CatchingUp,
    /// Behind, and standing still: `error` says why if it is known.
    Stalled,
}

/// A projection (`GET /v1/projections`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProjectionOut {
    /// Its name, which is its read model's.
    pub name: String,
    /// What it keeps, in one sentence.
    pub description: String,
    /// The log's head.
    pub head: u64,
    /// Position of the last event that its read model reflects.
    pub checkpoint: u64,
    /// Head minus checkpoint.
    pub lag_events: u64,
    /// Seconds since it was last level with the log's head; 0 while it is.
    pub lag_seconds: f64,
    /// Events a second, lately.
    pub events_per_second: f64,
    /// How it keeps up.
    pub status: ProjectionStatus,
    /// How many documents its read model holds.
    pub documents: u64,
    /// Hash of the projection's code version and of the models it folds by.
    pub rules_hash: String,
    /// What keeps it from going on, or did last.
    pub error: Option<String>,
    /// The rebuild under way, or the last one since the daemon began.
    pub rebuild: Option<RunOut>,
    /// The consistency check under way, or the last one since the daemon began.
    pub check: Option<RunOut>,
}

/// What is wrong with a document of a read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The event was passed over.
    Missed,
    /// The event was applied a second time.
    AppliedTwice,
    /// The event was applied after one that follows it.
    OutOfOrder,
    /// The event was applied in its turn, and the log now holds another in its place: it was changed on disk.
    EventChanged,
    /// The event was applied in its turn, by other rules: its effect was another.
    RulesChanged,
    /// The events were applied as they should, and the document is not what they led to.
    Altered,
    /// The events were applied as they should, and there is no such document.
    Lost,
    /// There is a document, and no event that it could come from.
    Orphan,
}

impl FindingKind {
    /// The wire word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::AppliedTwice => "applied_twice",
            Self::OutOfOrder => "out_of_order",
            Self::EventChanged => "event_changed",
            Self::RulesChanged => "rules_changed",
            Self::Altered => "altered",
            Self::Lost => "lost",
            Self::Orphan => "orphan",
        }
    }
}

/// The first point at which a document and the log part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingOut {
    /// What is wrong.
    pub kind: FindingKind,
    /// Key of the document.
    pub key: String,
    /// Position of the first event after which document and log part; 0 when no event is to blame.
    pub position: u64,
    /// Its revision; 0 when no event is to blame.
    pub revision: u64,
    /// Its type; empty when no event is to blame.
    pub event_type: String,
    /// A sentence.
    pub detail: String,
}

/// 200 of `POST /v1/projections/{name}/check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckOut {
    /// The projection.
    pub projection: String,
    /// The position up to which read model and log were compared.
    pub checkpoint: u64,
    /// Documents compared.
    pub documents: u64,
    /// Events folded.
    pub events: u64,
    /// Whether nothing is wrong.
    pub ok: bool,
    /// The first findings, at most 1000, one a document.
    pub findings: Vec<FindingOut>,
    /// How many there are.
    pub findings_total: u64,
}

/// A read model (`GET /v1/read-models`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadModelOut {
    /// Its name.
    pub name: String,
    /// What it keeps, in one sentence.
    pub description: String,
    /// How many documents it holds.
    pub documents: u64,
    /// Position of the last event that it reflects.
    pub checkpoint: u64,
    /// The fields that `sort=` takes.
    pub sorts: Vec<String>,
    /// The parameters that find documents by a field, such as `username`.
    pub fields: Vec<String>,
}

/// A document of a read model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentOut {
    /// Its key: the stream it is made from.
    pub key: String,
    /// The stream's revision that it reflects.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Position of that revision's event.
    #[schema(value_type = u64)]
    pub position: Position,
    /// What it says.
    #[schema(value_type = Object)]
    pub document: Map<String, Value>,
    /// Position of the last event that its read model reflects: the document is the newest as of this.
    #[serde(default)]
    pub checkpoint: u64,
}

/// A page of a read model (`GET /v1/read-models/{name}`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentPage {
    /// The documents, in the order asked for.
    pub items: Vec<DocumentOut>,
    /// Give it back as `cursor` for the next page; `null` at the end. May be set on a short page when the scan budget
    /// was used up.
    pub next_cursor: Option<String>,
    /// Position of the last event that the page reflects.
    pub checkpoint: u64,
    /// The log's head when the page was read.
    pub head: u64,
    /// How many documents were looked at to find these.
    #[serde(default)]
    pub scanned: u64,
}

/// 202 of a query with `min_position=`: the read model has not come that far within the time it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotYetOut {
    /// Always `not_yet`.
    pub status: String,
    /// What was asked for.
    pub min_position: u64,
    /// Position of the last event that the read model reflects.
    pub checkpoint: u64,
    /// The log's head.
    pub head: u64,
    /// What to do about it.
    pub hint: String,
}

/// Body of `POST /v1/backfill`: which events, and whose work on them is to be done again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillIn {
    /// Handlers and projections, by name; at least one. Effects beyond the daemon happen only when named here.
    pub handlers: Vec<String>,
    /// First position; the log's first when absent.
    #[serde(default)]
    pub from_position: Option<u64>,
    /// Last position; the log's head when absent.
    #[serde(default)]
    pub to_position: Option<u64>,
    /// `recorded_at` not before this.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// `recorded_at` not after this.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Exactly this category.
    #[serde(default)]
    pub category: Option<String>,
    /// Only these event types; all when empty.
    #[serde(default)]
    pub event_types: Vec<String>,
    /// The whole log, where no range is given. A backfill through handlers with effects needs a range or this.
    #[serde(default)]
    pub all_history: bool,
    /// Only the plan: nothing is started.
    #[serde(default)]
    pub dry_run: bool,
    /// That the plan is known and its effects are wanted. Needed, with `expected_jobs`, for handlers with effects.
    #[serde(default)]
    pub confirm: bool,
    /// The plan's `jobs`. Where it is not the plan's any more, nothing is started.
    #[serde(default)]
    pub expected_jobs: Option<u64>,
}

/// What a backfill would do (200 of `POST /v1/backfill` with `dry_run`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackfillPlan {
    /// First position of the range.
    pub from_position: u64,
    /// Last position of the range.
    pub to_position: u64,
    /// The log's head when the plan was made.
    pub head: u64,
    /// Events in the range that are selected.
    pub events: u64,
    /// Jobs that would be made, all handlers together: mails that would be sent, webhooks that would be called. An event
    /// whose job for the same handler is still open by then gets no second one.
    pub jobs: u64,
    /// Of each handler with effects.
    pub handlers: Vec<HandlerPlan>,
    /// Projections whose documents would be re-folded; no effects beyond their read models.
    pub projections: Vec<String>,
}

/// What a backfill would do through one handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandlerPlan {
    /// Its name.
    pub handler: String,
    /// `mail`, `webhook`, ….
    pub kind: String,
    /// Where its effects go. Never a credential.
    pub target: String,
    /// Jobs that would be made.
    pub jobs: u64,
    /// By event type.
    pub event_types: Vec<EventCount>,
}

/// How many events of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventCount {
    /// The type.
    pub event_type: String,
    /// How many.
    pub events: u64,
}
