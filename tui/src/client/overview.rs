//! Questions that take several requests: what a screen of the pipeline shows at once.
//!
//! Owns how their answers are put together. Each is asked for side by side, so that its parts go together.

use whodunit_core::api::pipeline::{
    HandlerOut, JobOut, JobStatus, ProjectionOut, ProjectionStatus, RunOut, RunStatus,
};
use whodunit_core::ids::StreamName;

use super::{Client, ClientError, Order, OutboxQuery};

/// Jobs of each status that are asked for.
const JOBS: usize = 100;
/// Jobs of one stream that are asked for.
const STREAM_JOBS: usize = 500;

/// What the daemon says about its pipeline.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Pipeline {
    pub(crate) head: u64,
    pub(crate) projections: Vec<ProjectionOut>,
    pub(crate) handlers: Vec<HandlerOut>,
    /// Jobs that are not done: failed ones, then those under way, then those that wait.
    pub(crate) jobs: Vec<JobOut>,
    /// Whether there are more than these.
    pub(crate) more: bool,
    /// Backfills since the daemon began.
    pub(crate) backfills: Vec<RunOut>,
}

impl Pipeline {
    /// The backfills worth a line: those under way, else the last one.
    pub(crate) fn backfills_shown(&self) -> Vec<&RunOut> {
        let running: Vec<&RunOut> = self
            .backfills
            .iter()
            .filter(|run| run.status == RunStatus::Running)
            .collect();
        if running.is_empty() {
            self.backfills
                .iter()
                .max_by_key(|run| run.id)
                .into_iter()
                .collect()
        } else {
            running
        }
    }
}

/// Whether a handler's jobs are done by this daemon; a handler that is not known yet is thought to be set up.
pub(crate) fn is_set_up(handlers: &[HandlerOut], name: &str) -> bool {
    let mut handlers = handlers.iter();
    handlers.all(|handler| handler.handler != name || handler.kind != "none")
}

/// How far jobs and projections are with the events of one stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StreamStatus {
    pub(crate) stream: StreamName,
    /// The stream's jobs, newest first.
    pub(crate) jobs: Vec<JobOut>,
    /// Whether there are older ones.
    pub(crate) more: bool,
    pub(crate) handlers: Vec<HandlerOut>,
    pub(crate) projections: Vec<ProjectionOut>,
}

impl StreamStatus {
    /// The jobs of a revision's event; `None` when they may be among those that were not asked for.
    pub(crate) fn jobs_of(&self, revision: u64) -> Option<Vec<&JobOut>> {
        let oldest = self.jobs.last().map_or(u64::MAX, |job| job.revision.0);
        if self.more && revision <= oldest {
            return None;
        }
        let mut jobs: Vec<&JobOut> = self
            .jobs
            .iter()
            .filter(|job| job.revision.0 == revision)
            .collect();
        jobs.sort_by_key(|job| job.id);
        Some(jobs)
    }

    /// Whether it will change by itself before long: a job that is about to be tried, a projection that is catching up.
    pub(crate) fn is_moving(&self, last_position: u64) -> bool {
        let job = |job: &JobOut| match job.status {
            JobStatus::Pending => job.blocked_by.is_none(),
            JobStatus::Processing => true,
            JobStatus::Completed | JobStatus::Failed => false,
        };
        let projection = |projection: &ProjectionOut| {
            projection.checkpoint < last_position && projection.status != ProjectionStatus::Stalled
        };
        self.jobs.iter().any(job) || self.projections.iter().any(projection)
    }
}

impl Client {
    /// All that the pipeline screen shows.
    pub(crate) async fn pipeline(&self, handler: Option<String>) -> Result<Pipeline, ClientError> {
        let with = |status| OutboxQuery {
            handler: handler.clone(),
            status: Some(status),
            limit: Some(JOBS),
            ..OutboxQuery::default()
        };
        let (failed, busy, waiting) = (
            with(JobStatus::Failed),
            with(JobStatus::Processing),
            with(JobStatus::Pending),
        );
        let (projections, backfills, failed, busy, waiting) = tokio::try_join!(
            self.projections(),
            self.backfills(),
            self.outbox(&failed),
            self.outbox(&busy),
            self.outbox(&waiting),
        )?;
        let mut all = Pipeline {
            projections: projections.items,
            backfills: backfills.items,
            ..Pipeline::default()
        };
        for page in [failed, busy, waiting] {
            all.more |= page.next_cursor.is_some();
            all.head = all.head.max(page.head);
            all.handlers = page.handlers;
            // A job may have moved from one list to another between two answers.
            for job in page.items {
                if !all.jobs.iter().any(|known| known.id == job.id) {
                    all.jobs.push(job);
                }
            }
        }
        Ok(all)
    }

    /// The newest jobs of a stream, and how far the projections are.
    pub(crate) async fn stream_status(
        &self,
        stream: StreamName,
    ) -> Result<StreamStatus, ClientError> {
        let query = OutboxQuery {
            stream: Some(stream.clone()),
            order: Order::Backward,
            limit: Some(STREAM_JOBS),
            ..OutboxQuery::default()
        };
        let (projections, jobs) = tokio::try_join!(self.projections(), self.outbox(&query))?;
        Ok(StreamStatus {
            stream,
            more: jobs.next_cursor.is_some(),
            jobs: jobs.items,
            handlers: jobs.handlers,
            projections: projections.items,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pipeline::{all, jobs, projections, run, stalled};

    #[test]
    fn a_handler_is_set_up_unless_the_daemon_says_otherwise() {
        assert!(is_set_up(&[], "old_audit"), "nothing is known yet");
        let handlers = all().handlers;
        assert!(is_set_up(&handlers, "webhook:crm") && !is_set_up(&handlers, "old_audit"));
    }

    #[test]
    fn backfills_under_way_go_before_the_last_one() {
        let mut all: Pipeline = all();
        let done = |id| RunOut {
            id,
            ..run("backfill", "x", RunStatus::Completed)
        };
        all.backfills = vec![done(1), done(2)];
        assert_eq!(all.backfills_shown()[0].id, 2);
        all.backfills
            .insert(0, run("backfill", "x", RunStatus::Running));
        assert_eq!(all.backfills_shown()[0].id, 3);
    }

    #[test]
    fn what_was_not_loaded_is_not_known() {
        let mut status = StreamStatus {
            stream: crate::testing::sarah(),
            jobs: jobs().into_iter().rev().collect(),
            more: false,
            handlers: Vec::new(),
            projections: projections(),
        };
        status
            .jobs
            .retain(|job| job.stream.as_str() == "user-sarah");
        status.jobs.reverse();
        assert_eq!(status.jobs_of(4).unwrap()[0].id, 8830);
        assert_eq!(status.jobs_of(2).unwrap().len(), 0, "it had no job");
        status.more = true;
        assert_eq!(status.jobs_of(1), None, "the oldest revision may have more");
        assert!(status.jobs_of(2).is_some());
    }

    #[test]
    fn only_what_moves_by_itself_is_looked_at_again() {
        let mut status = StreamStatus {
            stream: crate::testing::sarah(),
            jobs: jobs(),
            more: false,
            handlers: Vec::new(),
            projections: projections(),
        };
        assert!(status.is_moving(1));
        status.jobs.retain(|job| {
            job.blocked_by.is_some()
                || matches!(job.status, JobStatus::Failed | JobStatus::Completed)
        });
        assert!(
            !status.is_moving(18_190),
            "failed, blocked and done jobs rest"
        );
        assert!(status.is_moving(18_191), "a projection is on its way");
        status.projections = stalled();
        assert!(!status.is_moving(18_191));
    }
}
