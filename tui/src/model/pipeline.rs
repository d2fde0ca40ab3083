//! The pipeline screen: projections, handlers, and the jobs that need somebody's eye.
//!
//! What the daemon said last, and where one is in it. All of it is asked for at once, so that its parts go together.

use whodunit_core::api::pipeline::{
    CheckOut, FindingOut, HandlerOut, JobOut, JobStatus, ProjectionOut, ProjectionStatus, RunOut,
    RunStatus,
};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::Remote;
use super::stream::quote;

/// Jobs of each status that are asked for.
pub(crate) const JOBS: usize = 100;
/// Shortest time between two looks, in microseconds.
pub(crate) const EVERY_MICROS: i64 = 1_000_000;

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

/// A part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pane {
    #[default]
    Projections,
    Handlers,
    Jobs,
}

impl Pane {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Projections => Self::Handlers,
            Self::Handlers => Self::Jobs,
            Self::Jobs => Self::Projections,
        }
    }
}

/// What a confirmation leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// A projection's read model is made anew.
    Rebuild(String),
    /// All failed jobs of a handler are tried again.
    RetryAll(String),
}

#[derive(Debug, Clone, Default)]
pub(crate) struct PipelineScreen {
    pub(crate) all: Remote<Pipeline>,
    pub(crate) pane: Pane,
    /// Selected rows; the first of the handlers stands for all of them.
    pub(crate) projection: usize,
    pub(crate) handler: usize,
    pub(crate) job: usize,
    /// The consistency check that was asked for last, and of which projection.
    pub(crate) check: Remote<CheckOut>,
    pub(crate) checked: Option<String>,
    /// Whether its answer came while nobody looked.
    pub(crate) check_unseen: bool,
    /// When the daemon was asked last.
    pub(crate) asked_at: Option<Timestamp>,
}

impl PipelineScreen {
    pub(crate) fn projections(&self) -> &[ProjectionOut] {
        self.all.value().map_or(&[], |all| &all.projections)
    }

    pub(crate) fn handlers(&self) -> &[HandlerOut] {
        self.all.value().map_or(&[], |all| &all.handlers)
    }

    /// Whether somebody does a handler's jobs; one that is not known yet is thought to be.
    pub(crate) fn is_set_up(&self, handler: &str) -> bool {
        let mut handlers = self.handlers().iter();
        handlers.all(|own| own.handler != handler || own.kind != "none")
    }

    pub(crate) fn jobs(&self) -> &[JobOut] {
        self.all.value().map_or(&[], |all| &all.jobs)
    }

    pub(crate) fn current_projection(&self) -> Option<&ProjectionOut> {
        self.projections().get(self.projection)
    }

    /// The selected handler; `None` when all are.
    pub(crate) fn current_handler(&self) -> Option<&HandlerOut> {
        self.handlers().get(self.handler.checked_sub(1)?)
    }

    pub(crate) fn current_job(&self) -> Option<&JobOut> {
        self.jobs().get(self.job)
    }

    pub(crate) fn findings(&self) -> &[FindingOut] {
        self.check.value().map_or(&[], |check| &check.findings)
    }

    /// Rows of the pane in front.
    pub(crate) fn rows(&self) -> usize {
        match self.pane {
            Pane::Projections => self.projections().len(),
            Pane::Handlers => self.handlers().len() + 1,
            Pane::Jobs => self.jobs().len(),
        }
    }

    /// The selected row of the pane in front.
    pub(crate) fn selected(&mut self) -> &mut usize {
        match self.pane {
            Pane::Projections => &mut self.projection,
            Pane::Handlers => &mut self.handler,
            Pane::Jobs => &mut self.job,
        }
    }

    /// Takes what the daemon said; each selection stays on what it was on.
    pub(crate) fn take(&mut self, all: Pipeline) {
        let projection = self.current_projection().map(|p| p.name.clone());
        let handler = self.current_handler().map(|h| h.handler.clone());
        let job = self.current_job().map(|job| job.id);
        let at = |index: Option<usize>, old: usize, len: usize| {
            index.unwrap_or(old).min(len.saturating_sub(1))
        };
        let of = all.projections.iter();
        let index = projection.and_then(|name| of.clone().position(|p| p.name == name));
        self.projection = at(index, self.projection, all.projections.len());
        // A handler that is gone leaves all of them selected: its jobs are no longer what is asked for.
        self.handler = handler
            .and_then(|name| all.handlers.iter().position(|h| h.handler == name))
            .map_or(0, |index| index + 1);
        let index = job.and_then(|id| all.jobs.iter().position(|job| job.id == id));
        self.job = at(index, self.job, all.jobs.len());
        self.all = Remote::Ready(all);
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        match self.pane {
            Pane::Projections => {
                let name = self.current_projection().map(|p| quote(&p.name));
                format!("whodunit projections {}", name.unwrap_or_default())
            }
            Pane::Handlers => match self.current_handler() {
                Some(handler) => format!("whodunit outbox --handler {}", quote(&handler.handler)),
                None => "whodunit outbox".to_owned(),
            },
            Pane::Jobs => match self.current_job() {
                Some(job) => format!("whodunit outbox {}", job.id),
                None => "whodunit outbox".to_owned(),
            },
        }
        .trim_end()
        .to_owned()
    }
}

/// Where the events of one stream stand in the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) stream: StreamName,
    /// The stream's jobs, newest first.
    pub(crate) jobs: Vec<JobOut>,
    /// Whether there are older ones.
    pub(crate) more: bool,
    pub(crate) projections: Vec<ProjectionOut>,
}

impl Standing {
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

    /// Whether it will change by itself before long: a job that is about to be tried, a projection on its way.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pipeline::{all, jobs, projections, run, stalled};

    #[test]
    fn selections_stay_on_what_they_were_on() {
        let mut screen = PipelineScreen::default();
        screen.take(all());
        (screen.projection, screen.handler, screen.job) = (1, 3, 4);
        let mut next = all();
        next.projections.reverse();
        next.handlers.remove(0);
        next.jobs.drain(..2);
        screen.take(next);
        assert_eq!((screen.projection, screen.handler, screen.job), (0, 2, 2));
        assert_eq!(screen.current_handler().unwrap().handler, "webhook:crm");
        let mut empty = all();
        (empty.projections, empty.handlers, empty.jobs) = Default::default();
        screen.take(empty);
        assert_eq!((screen.projection, screen.handler, screen.job), (0, 0, 0));
        assert_eq!(screen.call(), "whodunit projections");
    }

    #[test]
    fn a_handler_is_set_up_unless_it_is_said_not_to_be() {
        let mut screen = PipelineScreen::default();
        assert!(screen.is_set_up("old_audit"), "nothing is known yet");
        screen.take(all());
        assert!(screen.is_set_up("webhook:crm") && !screen.is_set_up("old_audit"));
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
        let mut standing = Standing {
            stream: crate::testing::sarah(),
            jobs: jobs().into_iter().rev().collect(),
            more: false,
            projections: projections(),
        };
        standing
            .jobs
            .retain(|job| job.stream.as_str() == "user-sarah");
        standing.jobs.reverse();
        assert_eq!(standing.jobs_of(4).unwrap()[0].id, 8830);
        assert_eq!(standing.jobs_of(2).unwrap().len(), 0, "it had no job");
        standing.more = true;
        assert_eq!(
            standing.jobs_of(1),
            None,
            "the oldest revision may have more"
        );
        assert!(standing.jobs_of(2).is_some());
    }

    #[test]
    fn only_what_moves_by_itself_is_looked_at_again() {
        let mut standing = Standing {
            stream: crate::testing::sarah(),
            jobs: jobs(),
            more: false,
            projections: projections(),
        };
        assert!(standing.is_moving(1));
        standing.jobs.retain(|job| {
            job.blocked_by.is_some()
                || matches!(job.status, JobStatus::Failed | JobStatus::Completed)
        });
        assert!(
            !standing.is_moving(18_190),
            "failed, held and done jobs rest"
        );
        assert!(standing.is_moving(18_191), "a projection is on its way");
        standing.projections = stalled();
        assert!(!standing.is_moving(18_191));
    }
}
