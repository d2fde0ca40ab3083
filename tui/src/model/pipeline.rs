//! The pipeline screen: projections, handlers, and the jobs that need attention.
//!
//! What the daemon said last, and where one is in it. All of it is asked for at once, so that its parts go together.

use whodunit_core::api::pipeline::{
    BackfillIn, BackfillPlan, CheckOut, FindingOut, HandlerOut, JobOut, ProjectionOut,
};
use whodunit_core::time::Timestamp;

use super::stream::quote;
use super::{Asked, Overlay, Remote};
use crate::client::Pipeline;

/// Shortest time between two looks, in microseconds.
pub(crate) const EVERY_MICROS: i64 = 1_000_000;

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
    /// A projection's read model is rebuilt.
    Rebuild(String),
    /// All failed jobs of a handler are tried again.
    RetryAll(String),
    /// A backfill is started as planned.
    Backfill(Box<PlannedBackfill>),
    /// A branch is deleted.
    RemoveBranch(String),
    /// A branch is read on a log that it was not made on.
    AdoptBranch(String),
}

/// A backfill and what the daemon says it would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlannedBackfill {
    pub(crate) body: BackfillIn,
    pub(crate) plan: BackfillPlan,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct PipelineScreen {
    pub(crate) asked: Asked,
    pub(crate) all: Remote<Pipeline>,
    /// The handler whose jobs were asked for last, and the one whose jobs are there; `None` stands for all handlers.
    pub(crate) asked_of: Option<String>,
    pub(crate) jobs_of: Option<String>,
    pub(crate) pane: Pane,
    /// Selected rows; the first of the handlers stands for all of them.
    pub(crate) projection: usize,
    pub(crate) handler: usize,
    pub(crate) job: usize,
    /// The consistency check that was asked for last, and of which projection.
    pub(crate) check: Remote<CheckOut>,
    pub(crate) checked: Option<String>,
    /// Whether its result came while its box was closed.
    pub(crate) check_unseen: bool,
    /// The backfill whose plan was asked for.
    pub(crate) planned: Option<BackfillIn>,
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

    /// The jobs of the selected handler, as far as they are there.
    pub(crate) fn jobs(&self) -> &[JobOut] {
        let all = self.all.value().filter(|_| self.has_jobs());
        all.map_or(&[], |all| &all.jobs)
    }

    /// Whether the jobs that are there are those of the selected handler, and not of one that was selected before.
    pub(crate) fn has_jobs(&self) -> bool {
        let selected = self.current_handler().map(|handler| &handler.handler);
        self.jobs_of.as_ref() == selected
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

    /// Takes what the daemon replied; each selection stays on what it was on.
    pub(crate) fn set(&mut self, all: Pipeline) {
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

    /// The command that gives the same answer as the screen, or does the same as what lies over it.
    pub(crate) fn call(&self, overlay: Option<&Overlay>) -> String {
        match overlay {
            Some(Overlay::Findings { .. }) => {
                let name = self.checked.as_deref().map(quote).unwrap_or_default();
                format!("whodunit projections {name} --check")
            }
            Some(Overlay::Projection { .. }) => {
                let name = self.current_projection().map(|p| quote(&p.name));
                format!("whodunit projections {}", name.unwrap_or_default())
            }
            Some(Overlay::Confirm(Confirmed::Rebuild(name))) => {
                format!("whodunit rebuild {}", quote(name))
            }
            Some(Overlay::Confirm(Confirmed::RetryAll(name))) => {
                format!("whodunit outbox --retry-all {}", quote(name))
            }
            Some(Overlay::Confirm(Confirmed::Backfill(planned))) => {
                format!("{} --yes", super::backfill::call(&planned.body))
            }
            Some(Overlay::Form(form)) => match form.filled() {
                Some(super::form::Filled::Backfill(body)) => super::backfill::call(&body),
                _ => "whodunit backfill".to_owned(),
            },
            _ => self.own_call(),
        }
    }

    fn own_call(&self) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pipeline::all;

    #[test]
    fn selections_stay_on_what_they_were_on() {
        let mut screen = PipelineScreen::default();
        screen.set(all());
        (screen.projection, screen.handler, screen.job) = (1, 3, 4);
        screen.jobs_of = Some("webhook:crm".to_owned());
        let mut next = all();
        next.projections.reverse();
        next.handlers.remove(0);
        next.jobs.drain(..2);
        screen.set(next);
        assert_eq!((screen.projection, screen.handler, screen.job), (0, 2, 2));
        assert_eq!(screen.current_handler().unwrap().handler, "webhook:crm");
        let mut empty = all();
        (empty.projections, empty.handlers, empty.jobs) = Default::default();
        screen.set(empty);
        assert_eq!((screen.projection, screen.handler, screen.job), (0, 0, 0));
        assert_eq!(screen.call(None), "whodunit projections");
    }
}
