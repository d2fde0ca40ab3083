//! Outbox: jobs of handlers, stored with the events that caused them.
//!
//! Owns the table from event types to handlers, the workers, and the order of a job's life. A job is stored with its event;
//! it is handled at least once, in order within its stream and handler. Never writes events.
//!
//! A job goes `pending → processing → completed`. An attempt that fails makes it `pending` again, for a later time, and the
//! last one makes it `failed`, which blocks its stream for its handler until an operator retries it. A crash makes
//! `processing` jobs `pending` again at the next start.

mod attempt;
mod backoff;
mod handler;
mod routes;
mod worker;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whodunit_core::api::pipeline::{HandlerOut, JobStatus};
use whodunit_core::model::Models;

use crate::clock::Clock;
use crate::limits::{
    JOB_TIMEOUT, OUTBOX_JOBS_AT_A_TIME, OUTBOX_PAUSE, OUTBOX_RETRY_BATCH, OUTBOX_SHUTDOWN_TIMEOUT,
    OUTBOX_WAKE_UPS_MAX,
};
use crate::reading::read;
use crate::store::{Direction, Job, JobChange, JobFilter, ReadJobs, Store, StoreError};
use crate::time_travel::TimeTravel;
use attempt::JobContext;
use worker::{WakeUp, Worker};

pub use backoff::Retries;
pub use handler::{Delivery, EventPattern, Handler, HandlerError, Handlers};
pub use routes::Routes;
pub(crate) use routes::takes;

/// How jobs are worked on.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often and how far apart a job is tried.
    pub retries: Retries,
    /// Time that one attempt may take.
    pub timeout: Duration,
    /// Jobs of one handler that are worked on at a time.
    pub at_a_time: usize,
    /// Time that attempts under way get to finish when the daemon stops.
    pub shutdown_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retries: Retries::default(),
            timeout: JOB_TIMEOUT,
            at_a_time: OUTBOX_JOBS_AT_A_TIME,
            shutdown_timeout: OUTBOX_SHUTDOWN_TIMEOUT,
        }
    }
}

/// What the workers share with the rest of the daemon.
pub(crate) struct Dependencies {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) models: Arc<Models>,
    pub(crate) travel: Arc<TimeTravel>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why a job was not retried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetryError {
    #[error("there is no job {0}")]
    NoSuchJob(u64),
    #[error("the handler of job {id}, `{handler}`, is not set up now, so the job would never run")]
    NotSetUp { id: u64, handler: String },
    #[error("job {id} is {}, and only a failed job can be retried", status.as_str())]
    NotFailed { id: u64, status: JobStatus },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The outbox with its workers.
pub(crate) struct Outbox {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    handlers: Vec<WorkerHandle>,
    workers: TaskTracker,
    stopping: CancellationToken,
}

/// A handler at work.
struct WorkerHandle {
    handler: Arc<dyn Handler>,
    wake_ups: mpsc::Sender<WakeUp>,
}

impl Outbox {
    /// Starts a worker for each handler, once the jobs that a crash left under way are released. Must be called within a
    /// tokio runtime.
    pub(crate) fn start(
        dependencies: Dependencies,
        handlers: Vec<Arc<dyn Handler>>,
        settings: Settings,
    ) -> Self {
        let stopping = CancellationToken::new();
        let (mut running, mut waiting) = (Vec::new(), Vec::new());
        for handler in handlers {
            let (wake_ups, received) = mpsc::channel(OUTBOX_WAKE_UPS_MAX);
            let context = Arc::new(JobContext {
                handler: Arc::clone(&handler),
                store: Arc::clone(&dependencies.store),
                models: Arc::clone(&dependencies.models),
                travel: Arc::clone(&dependencies.travel),
                limit: settings.timeout,
            });
            waiting.push(Worker {
                context,
                clock: Arc::clone(&dependencies.clock),
                settings,
                wake_ups: received,
                stopping: stopping.clone(),
            });
            running.push(WorkerHandle { handler, wake_ups });
        }
        let workers = TaskTracker::new();
        let (store, clock) = (
            Arc::clone(&dependencies.store),
            Arc::clone(&dependencies.clock),
        );
        let (tracker, stop) = (workers.clone(), stopping.clone());
        // Also without any handler: what a handler that is not set up any more had under way is not under way.
        workers.spawn(async move {
            if release_all(&store, clock.as_ref(), &stop).await {
                for worker in waiting {
                    tracker.spawn(worker.run());
                }
            }
        });
        Self {
            store: dependencies.store,
            clock: dependencies.clock,
            handlers: running,
            workers,
            stopping,
        }
    }

    /// The handler of this name, if it is set up.
    pub(crate) fn handler(&self, name: &str) -> Option<&Arc<dyn Handler>> {
        let running = self.running(name)?;
        Some(&running.handler)
    }

    fn running(&self, name: &str) -> Option<&WorkerHandle> {
        self.handlers.iter().find(|own| own.handler.name() == name)
    }

    /// Every handler that is set up or has jobs on record, and the status of its jobs.
    pub(crate) fn handlers(&self, view: &dyn ReadJobs) -> Result<Vec<HandlerOut>, StoreError> {
        let mut counted = view.job_counts()?;
        let mut out = Vec::new();
        for WorkerHandle { handler, .. } in &self.handlers {
            let counts = counted
                .iter()
                .position(|own| own.handler == handler.name())
                .map(|index| counted.swap_remove(index).counts)
                .unwrap_or_default();
            out.push(HandlerOut {
                handler: handler.name().to_owned(),
                kind: handler.kind().to_owned(),
                target: handler.target(),
                event_types: handler.takes().iter().map(ToString::to_string).collect(),
                counts,
            });
        }
        out.extend(counted.into_iter().map(|own| HandlerOut {
            handler: own.handler,
            kind: "none".to_owned(),
            target: String::new(),
            event_types: Vec::new(),
            counts: own.counts,
        }));
        out.sort_by(|a, b| a.handler.cmp(&b.handler));
        Ok(out)
    }

    /// Makes a failed job pending again.
    pub(crate) async fn retry(&self, id: u64) -> Result<Job, RetryError> {
        let job = read(&self.store, move |view| view.job(id)).await?;
        let job = job.ok_or(RetryError::NoSuchJob(id))?;
        if job.status == JobStatus::Failed && self.running(&job.handler).is_none() {
            let handler = job.handler;
            return Err(RetryError::NotSetUp { id, handler });
        }
        let change = vec![JobChange::Retry { id }];
        let changed = self.store.change_jobs(change, self.clock.now()).await?;
        if let Some(job) = changed.into_iter().flatten().next() {
            self.wake_up(&job.handler, WakeUp::Ready(id));
            return Ok(job);
        }
        let job = read(&self.store, move |view| view.job(id)).await?;
        Err(match job {
            None => RetryError::NoSuchJob(id),
            Some(job) => RetryError::NotFailed {
                id,
                status: job.status,
            },
        })
    }

    /// Makes every failed job of a handler pending again; how many there were.
    pub(crate) async fn retry_all(&self, handler: &str) -> Result<u64, StoreError> {
        let filter = JobFilter {
            handler: Some(handler.to_owned()),
            status: Some(JobStatus::Failed),
            stream: None,
        };
        let (mut retried, mut from) = (0, None);
        loop {
            let filter = filter.clone();
            let page = read(&self.store, move |view| -> Result<_, StoreError> {
                view.jobs(
                    &filter,
                    from,
                    Direction::Forward,
                    OUTBOX_RETRY_BATCH,
                    u64::MAX,
                )
            })
            .await?;
            let changes: Vec<_> = page
                .jobs
                .iter()
                .map(|job| JobChange::Retry { id: job.id })
                .collect();
            let changed = self.store.change_jobs(changes, self.clock.now()).await?;
            retried += changed.iter().flatten().count() as u64;
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        self.wake_up(handler, WakeUp::LookAgain);
        Ok(retried)
    }

    /// Tells a handler's worker that jobs were made without an append.
    pub(crate) fn added(&self, handler: &str) {
        self.wake_up(handler, WakeUp::Added);
    }

    fn wake_up(&self, handler: &str, wake_up: WakeUp) {
        let Some(running) = self.running(handler) else {
            return;
        };
        if running.wake_ups.try_send(wake_up).is_err() {
            // Too many wake-ups: the worker finds all of the jobs when it scans them again.
            let (wake_ups, tracker) = (running.wake_ups.clone(), self.workers.clone());
            tracker.spawn(async move {
                // A worker that has ended needs no wake-up.
                let _ = wake_ups.send(WakeUp::LookAgain).await;
            });
        }
    }

    /// Stops taking jobs, and waits until those under way are done or released. Idempotent.
    pub(crate) async fn close(&self) {
        self.stopping.cancel();
        self.workers.close();
        self.workers.wait().await;
    }
}

/// Releases the jobs that a crash left under way, if there are any; writes nothing otherwise.
async fn release_once(store: &Arc<dyn Store>, clock: &dyn Clock) -> Result<(), StoreError> {
    let counts = read(store, |view| -> Result<_, StoreError> { view.job_counts() }).await?;
    if counts.iter().any(|own| own.counts.processing > 0) {
        let changes = vec![JobChange::ReleaseAll];
        store.change_jobs(changes, clock.now()).await?;
    }
    Ok(())
}

/// Releases what a crash left under way, however often it takes; whether the workers may begin.
async fn release_all(
    store: &Arc<dyn Store>,
    clock: &dyn Clock,
    stopping: &CancellationToken,
) -> bool {
    loop {
        match release_once(store, clock).await {
            Ok(()) => return true,
            Err(StoreError::Closed) => return false,
            Err(error) => tracing::warn!(%error, "jobs could not be released; trying again"),
        }
        tokio::select! {
            () = stopping.cancelled() => return false,
            () = tokio::time::sleep(OUTBOX_PAUSE) => {}
        }
    }
}
