//! Reading the outbox.

use whodunit_core::api::pipeline::{JobCounts, JobStatus};
use whodunit_core::ids::{Position, StreamName};

use super::Direction;
use crate::store::{Job, StoreError};

/// The jobs of the outbox.
pub trait ReadJobs {
    /// The job of this id; completed ones are pruned after a time.
    fn job(&self, id: u64) -> Result<Option<Job>, StoreError>;

    /// Jobs that pass the filter, from id `from` on (up or down; `None`: from the end that the direction starts at), at
    /// most `limit`, looking at no more than `budget` jobs.
    fn jobs(
        &self,
        filter: &JobFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> Result<JobPage, StoreError>;

    /// The jobs of the event at this position, in the order in which they were made; completed ones are pruned after a
    /// time.
    fn jobs_of_event(&self, position: Position) -> Result<Vec<Job>, StoreError>;

    /// The jobs of the event with this id at this position: in a branch several may have the same position.
    fn jobs_of(&self, position: Position, _event_id: &str) -> Result<Vec<Job>, StoreError> {
        self.jobs_of_event(position)
    }

    /// The first job of this handler and stream that is not completed: the only one that may be worked on.
    fn first_open_job(&self, handler: &str, stream: &StreamName)
    -> Result<Option<Job>, StoreError>;

    /// How the jobs of each handler stand, by name. Handlers that never had a job are not among them.
    fn job_counts(&self) -> Result<Vec<HandlerCounts>, StoreError>;
}

/// Which jobs are wanted. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Exactly this handler.
    pub handler: Option<String>,
    /// Exactly this status.
    pub status: Option<JobStatus>,
    /// Exactly this stream.
    pub stream: Option<StreamName>,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobPage {
    /// The jobs, in the direction asked for.
    pub jobs: Vec<Job>,
    /// The id to go on from; `None` at the end. May be set though `jobs` is short: the scan budget was used up.
    pub next: Option<u64>,
}

/// How the jobs of a handler stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerCounts {
    /// The handler.
    pub handler: String,
    /// Its jobs. Completed ones are counted for good, though only the newest are kept.
    pub counts: JobCounts,
}
