//! Jobs across the seam: one handler's work on one event, as the store keeps it.
//!
//! Owns the words. Which handler takes which event is the outbox's knowledge; the store only keeps what it is told, in the
//! same transaction as the event.

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

/// A job to be made with an append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Which of the append's events it is about, from 0.
    pub event: usize,
    /// Whose work it is.
    pub handler: String,
}

/// One handler's work on one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its number, from 1, in the order the jobs were made.
    pub id: u64,
    /// Whose work it is.
    pub handler: String,
    /// Position of the event.
    pub position: Position,
    /// Stream of the event.
    pub stream: StreamName,
    /// Revision of the event.
    pub revision: Revision,
    /// Id of the event.
    pub event_id: String,
    /// Type of the event.
    pub event_type: String,
    /// Where it stands.
    pub status: JobStatus,
    /// How often it was tried since it was made or last retried by hand.
    pub attempts: u32,
    /// When it is tried next, for a pending one that failed before.
    pub next_attempt_at: Option<Timestamp>,
    /// What the last failed attempt said.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its status last changed.
    pub updated_at: Timestamp,
    /// The earlier job of the same stream and handler that has to end first; never set on a job that is being written.
    pub blocked_by: Option<u64>,
}

impl Job {
    /// Whether there is still something to do about it: it holds back the later jobs of its stream and handler.
    pub fn is_open(&self) -> bool {
        self.status != JobStatus::Completed
    }
}

/// A change of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobChange {
    /// A pending job is begun: one more attempt. Need not be durable when it returns: a crash gives the job back anyway.
    Begin {
        /// Which.
        id: u64,
    },
    /// A job under way is done.
    Complete {
        /// Which.
        id: u64,
    },
    /// A job under way failed and is tried again at that time.
    TryAgain {
        /// Which.
        id: u64,
        /// When.
        next_attempt_at: Timestamp,
        /// What the attempt said.
        error: String,
    },
    /// A job under way failed for the last time.
    Fail {
        /// Which.
        id: u64,
        /// What the attempt said.
        error: String,
    },
    /// A job under way is released untried: the attempt does not count.
    Release {
        /// Which.
        id: u64,
    },
    /// A failed job is pending again, with all its attempts before it.
    Retry {
        /// Which.
        id: u64,
    },
    /// Every job under way is released: the process that worked on them is gone.
    ReleaseAll,
    /// An event's work is to be done (again) by a handler. Nothing happens when a job for it is pending or under way.
    Add {
        /// Whose work.
        handler: String,
        /// Which event.
        position: Position,
    },
}
