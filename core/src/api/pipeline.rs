//! Wire types of the pipeline: outbox, projections, read models, and the long runs over them.

mod backfill;
mod projections;

use serde::{Deserialize, Serialize};

use utoipa::ToSchema;

use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

pub use backfill::*;
pub use projections::*;

/// Status of a job.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waiting for a worker, for its next attempt, or for an earlier job of its stream.
    Pending,
    /// A worker is handling it.
    Processing,
    /// The handler has handled the event.
    Completed,
    /// Every attempt failed; nothing happens until an operator retries it.
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

    /// The value as it is written in JSON.
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
    /// The handler.
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
    /// Attempts since it was created or last retried by hand.
    pub attempts: u32,
    /// When it is tried next, for a pending job that failed before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// The error of the last failed attempt.
    pub last_error: Option<String>,
    /// When it was created.
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
    /// Being handled.
    pub processing: u64,
    /// Completed since the store was created; the list keeps only the newest of them.
    pub completed: u64,
    /// Failed.
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
    /// In progress.
    Running,
    /// Completed.
    Completed,
    /// Cancelled by an operator or by the daemon's shutdown; nothing was replaced.
    Cancelled,
    /// Ended by an error; nothing was replaced.
    Failed,
}

/// A long run: a rebuild, a backfill, a consistency check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunOut {
    /// `rebuild`, `backfill` or `check`.
    pub kind: String,
    /// Its number, counted from 1 since the daemon started.
    pub id: u64,
    /// Its target: a projection's name, or the handlers of a backfill.
    pub of: String,
    /// Its status.
    pub status: RunStatus,
    /// Events processed.
    pub done: u64,
    /// Events to process, as far as is known; grows with the log during a rebuild.
    pub total: u64,
    /// Jobs created, by a backfill.
    #[serde(default)]
    pub jobs: u64,
    /// Events per second, recently.
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
