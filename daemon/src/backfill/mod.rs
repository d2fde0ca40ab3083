//! Backfill: a range of history through handlers again.
//!
//! Owns the runs, and that none through a handler with effects starts without a plan that the operator has confirmed. For a
//! handler it only makes jobs, which the outbox's workers then do like any others; for a projection it re-folds the documents
//! that the events concern. Handlers that are not named do nothing. Never writes events.

mod plan;
mod run;

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whodunit_core::api::pipeline::{BackfillIn, BackfillPlan, RunOut};
use whodunit_core::counted::{clause, counted, number};

use self::plan::Selection;
use crate::clock::Clock;
use crate::limits::BACKFILLS_KEPT;
use crate::outbox::Outbox;
use crate::projections::Projections;
use crate::runs::{End, Run};
use crate::store::{Store, StoreError};

/// Why a backfill does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackfillError {
    /// No handler or projection is named.
    #[error("`/handlers` must name at least one handler or projection")]
    NoHandlers,
    /// No handler or projection of this name is set up.
    #[error("there is no handler or projection `{0}`")]
    NoSuchHandler(String),
    /// Neither a range nor all of it.
    #[error(
        "a backfill through handlers with effects needs a range, or a confirmation that all of history is meant"
    )]
    NoRange,
    /// A range and all of it.
    #[error("`/all_history` and a range cannot be given together")]
    RangeAndAllHistory,
    /// The range ends before it begins.
    #[error("`/from_position` is {from}, after `/to_position`, {to}")]
    EmptyRange { from: u64, to: u64 },
    /// The operator has not confirmed the plan.
    #[error("the plan is to create {}; nothing was started", counted(.0.jobs, "job"))]
    NotConfirmed(Box<BackfillPlan>),
    /// The confirmed count is not that of the plan as it is now.
    #[error("{} confirmed, but the plan is now to create {}; nothing was started", clause(*expected, "job", "was"), number(.plan.jobs))]
    PlanChanged {
        expected: u64,
        plan: Box<BackfillPlan>,
    },
    /// One at a time.
    #[error("backfill {0} is running; only one can run at a time")]
    AlreadyRunning(u64),
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Requested {
    /// Only the plan was asked for.
    Planned(BackfillPlan),
    /// It was started.
    Started(RunOut),
}

/// What a backfill uses of the daemon.
#[derive(Clone)]
pub(crate) struct Dependencies {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) projections: Arc<Projections>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Cancelled when the daemon begins to stop.
    pub(crate) stopping: CancellationToken,
}

/// The backfills of a daemon: at most one under way, and the last ones.
pub(crate) struct Backfills {
    dependencies: Dependencies,
    /// Newest last.
    runs: Mutex<VecDeque<Arc<Run>>>,
    numbers: AtomicU64,
    tasks: TaskTracker,
}

impl Backfills {
    pub(crate) fn new(dependencies: Dependencies) -> Self {
        Self {
            dependencies,
            runs: Mutex::default(),
            numbers: AtomicU64::new(0),
            tasks: TaskTracker::new(),
        }
    }

    /// Plans a backfill of what the log holds now, and starts it if the request confirms that plan. One through projections
    /// only has no effects, and needs no confirmation.
    pub(crate) async fn request(&self, asked: &BackfillIn) -> Result<Requested, BackfillError> {
        let selection = Selection::new(&self.dependencies, asked)?;
        if asked.dry_run || !selection.handlers.is_empty() {
            let plan = selection.plan(&self.dependencies.store).await?;
            if asked.dry_run {
                return Ok(Requested::Planned(plan));
            }
            let expected = asked.expected_jobs.filter(|_| asked.confirm);
            match expected {
                None => return Err(BackfillError::NotConfirmed(Box::new(plan))),
                Some(expected) if expected != plan.jobs => {
                    let plan = Box::new(plan);
                    return Err(BackfillError::PlanChanged { expected, plan });
                }
                Some(_) => {}
            }
        }
        self.start(selection).map(Requested::Started)
    }

    fn start(&self, selection: Selection) -> Result<RunOut, BackfillError> {
        let mut runs = self.runs();
        if let Some(running) = runs.iter().find(|run| run.is_running()) {
            return Err(BackfillError::AlreadyRunning(running.id()));
        }
        let names = selection.names();
        let run = Run::begin("backfill", &names, &self.dependencies.clock, &self.numbers);
        run.progress(0, selection.total());
        runs.push_back(Arc::clone(&run));
        if runs.len() > BACKFILLS_KEPT {
            runs.pop_front();
        }
        drop(runs);
        let (dependencies, spawned) = (self.dependencies.clone(), Arc::clone(&run));
        self.tasks
            .spawn(async move { go_through(&dependencies, &selection, &spawned).await });
        Ok(run.shown())
    }

    fn runs(&self) -> MutexGuard<'_, VecDeque<Arc<Run>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs, newest first.
    pub(crate) fn newest_first(&self) -> Vec<RunOut> {
        self.runs().iter().rev().map(|run| run.shown()).collect()
    }

    /// The run of this number.
    pub(crate) fn run(&self, id: u64) -> Option<Arc<Run>> {
        self.runs().iter().find(|run| run.id() == id).cloned()
    }

    /// Ends what is under way. Idempotent.
    pub(crate) async fn close(&self) {
        for run in self.runs().iter() {
            run.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A run from its start to its end, both logged: the record itself ends with the daemon, and after a kill an operator has to
/// know from where to go on.
async fn go_through(dependencies: &Dependencies, selection: &Selection, run: &Run) {
    let (id, of) = (run.id(), selection.names());
    let (from, to) = (selection.from, selection.to);
    tracing::info!(id, of, from, to, "a backfill begins");
    let end = run::go_through(dependencies, selection, run).await;
    let end = end.unwrap_or_else(End::Failed);
    let out = run.shown();
    let reached = from + out.done;
    match &end {
        End::Failed(error) => {
            tracing::error!(id, reached, jobs = out.jobs, error, "a backfill failed");
        }
        End::Completed | End::Cancelled => {
            tracing::info!(id, reached, jobs = out.jobs, ?end, "a backfill ended");
        }
    }
    run.end(end);
}
