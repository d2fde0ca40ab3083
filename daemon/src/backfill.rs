//! Backfill: a range of history through handlers again.
//!
//! Owns the runs and what one goes through. For a handler it only makes jobs, which the outbox's workers then do like any
//! others; for a projection the documents that the events concern are re-folded. Handlers that are not named do
//! nothing. Never writes events.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::task::TaskTracker;
use whodunit_core::api::pipeline::{BackfillIn, RunOut};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, StreamName};

use crate::daemon::Parts;
use crate::limits::{BACKFILL_PAGE_EVENTS, BACKFILLS_KEPT, SCAN_ENTRIES_MAX};
use crate::outbox::{Handler, takes};
use crate::projections::RequestError;
use crate::reading::read;
use crate::runs::{End, Run};
use crate::store::{Direction, JobChange, LogFilter, StoreError};

/// Why a backfill does not begin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BackfillError {
    /// No handler or projection is named.
    #[error("`/handlers` must name at least one handler or projection")]
    NoHandlers,
    /// No handler or projection of this name is set up.
    #[error("there is no handler or projection `{0}`")]
    NoSuchHandler(String),
    /// The range ends before it begins.
    #[error("`/from_position` is {from}, after `/to_position`, {to}")]
    EmptyRange { from: u64, to: u64 },
    /// One at a time.
    #[error("backfill {0} is under way; one at a time")]
    AlreadyRunning(u64),
}

/// The backfills of a daemon: at most one under way, and the last ones.
#[derive(Default)]
pub(crate) struct Backfills {
    /// Newest last.
    runs: Mutex<VecDeque<Arc<Run>>>,
    numbers: AtomicU64,
    tasks: TaskTracker,
}

/// What a run goes through, checked.
struct Plan {
    handlers: Vec<String>,
    filter: LogFilter,
    event_types: Vec<String>,
    from: u64,
    to: u64,
}

impl Backfills {
    /// Begins a backfill of what the log holds now.
    pub(crate) fn begin(
        &self,
        parts: &Arc<Parts>,
        asked: BackfillIn,
    ) -> Result<RunOut, BackfillError> {
        let plan = plan(parts, asked)?;
        let mut runs = self.runs();
        if let Some(running) = runs.iter().find(|run| run.is_running()) {
            return Err(BackfillError::AlreadyRunning(running.id()));
        }
        let of = plan.handlers.join(", ");
        let run = Run::begin("backfill", &of, &parts.clock, &self.numbers);
        run.progress(0, plan.total());
        runs.push_back(Arc::clone(&run));
        if runs.len() > BACKFILLS_KEPT {
            runs.pop_front();
        }
        drop(runs);
        // Logged, since the run itself ends with the daemon: after a kill an operator knows from where to go on.
        let id = run.id();
        tracing::info!(id, of, from = plan.from, to = plan.to, "a backfill begins");
        let (parts, account) = (Arc::clone(parts), Arc::clone(&run));
        self.tasks.spawn(async move {
            let end = go_through(&parts, &plan, &account).await;
            let end = end.unwrap_or_else(End::Failed);
            let out = account.shown();
            let reached = plan.from + out.done;
            match &end {
                End::Failed(error) => {
                    tracing::error!(id, reached, jobs = out.jobs, error, "a backfill failed");
                }
                End::Completed | End::Cancelled => {
                    tracing::info!(id, reached, jobs = out.jobs, ?end, "a backfill ended");
                }
            }
            account.end(end);
        });
        Ok(run.shown())
    }

    fn runs(&self) -> MutexGuard<'_, VecDeque<Arc<Run>>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The runs, newest first.
    pub(crate) fn list(&self) -> Vec<RunOut> {
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

impl Plan {
    /// How many positions it spans.
    fn total(&self) -> u64 {
        (self.to + 1).saturating_sub(self.from)
    }
}

fn plan(parts: &Parts, asked: BackfillIn) -> Result<Plan, BackfillError> {
    let mut handlers = asked.handlers;
    handlers.sort();
    handlers.dedup();
    if handlers.is_empty() {
        return Err(BackfillError::NoHandlers);
    }
    for name in &handlers {
        let is_projection = parts.projections.names().contains(&name.as_str());
        if !is_projection && parts.outbox.handler(name).is_none() {
            return Err(BackfillError::NoSuchHandler(name.clone()));
        }
    }
    let head = parts.store.head().borrow().position.0;
    let from = asked.from_position.unwrap_or(1).max(1);
    if let Some(to) = asked.to_position
        && to < from
    {
        return Err(BackfillError::EmptyRange { from, to });
    }
    let filter = LogFilter {
        category: asked.category,
        // One type is looked up; of several, each event is asked.
        event_type: match asked.event_types.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        },
        since: asked.since,
        until: asked.until,
        ..LogFilter::default()
    };
    Ok(Plan {
        handlers,
        filter,
        event_types: asked.event_types,
        from,
        to: asked.to_position.unwrap_or(head).min(head),
    })
}

/// Goes through the range, page by page.
async fn go_through(parts: &Arc<Parts>, plan: &Plan, run: &Run) -> Result<End, String> {
    let mut next = plan.from;
    while next <= plan.to {
        if run.is_cancelled() || parts.stopping.is_cancelled() {
            return Ok(End::Cancelled);
        }
        let (filter, from) = (plan.filter.clone(), Position(next));
        let page = read(&parts.store, move |view| -> Result<_, StoreError> {
            let (limit, budget) = (BACKFILL_PAGE_EVENTS, SCAN_ENTRIES_MAX);
            view.log(&filter, Some(from), Direction::Forward, limit, budget)
        })
        .await
        .map_err(|error| error.to_string())?;
        let wanted: Vec<Event> = page
            .events
            .into_iter()
            .filter(|event| event.position.0 <= plan.to)
            .filter(|event| {
                plan.event_types.is_empty() || plan.event_types.contains(&event.event_type)
            })
            .collect();
        for name in &plan.handlers {
            if let Some(handler) = parts.outbox.handler(name) {
                through_handler(parts, handler.as_ref(), &wanted, run)
                    .await
                    .map_err(|error| error.to_string())?;
            } else {
                through_projection(parts, name, &wanted)
                    .await
                    .map_err(|error| error.to_string())?;
            }
        }
        next = page.next.map_or(plan.to + 1, |next| next.0);
        run.progress(next.min(plan.to + 1) - plan.from, plan.total());
    }
    Ok(End::Completed)
}

/// Makes the jobs of one handler for these events, where none is open.
async fn through_handler(
    parts: &Parts,
    handler: &dyn Handler,
    events: &[Event],
    run: &Run,
) -> Result<(), StoreError> {
    let name = handler.name();
    let changes: Vec<JobChange> = events
        .iter()
        .filter(|event| takes(handler.takes(), event.stream.category(), &event.event_type))
        .map(|event| JobChange::Add {
            handler: name.to_owned(),
            position: event.position,
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    let made = parts.store.change_jobs(changes, parts.clock.now()).await?;
    run.made_jobs(made.iter().flatten().count() as u64);
    parts.outbox.added(name);
    Ok(())
}

/// Re-folds the documents that these events concern.
async fn through_projection(
    parts: &Parts,
    name: &str,
    events: &[Event],
) -> Result<(), RequestError> {
    let streams: BTreeSet<&StreamName> = events.iter().map(|event| &event.stream).collect();
    let streams: Vec<StreamName> = streams.into_iter().cloned().collect();
    parts.projections.refold(name, &streams).await
}
