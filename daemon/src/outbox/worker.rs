//! Worker of one handler: takes its jobs in order, several at a time, and records their outcomes.
//!
//! Owns the choice of the next job. Only the first open job of a stream is ever begun, so the jobs of one stream are handled
//! in order, and one that failed blocks its own stream and no other. The store is the only queue: what is kept here is
//! how far it was looked through, and which jobs wait for their time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::time::Timestamp;

use super::Settings;
use super::attempt::{JobContext, attempt};
use crate::clock::Clock;
use crate::limits::{FOLLOW_PAUSE, OUTBOX_PAUSE, OUTBOX_SCAN_JOBS, OUTBOX_WAITING_MAX};
use crate::reading::read;
use crate::store::{Direction, Head, Job, JobChange, JobFilter, StoreError};

/// Why a worker scans for jobs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WakeUp {
    /// This job is pending again.
    Ready(u64),
    /// Jobs were made without an append.
    Added,
    /// Many jobs are pending again: look through all of them.
    LookAgain,
}

/// A worker.
pub(super) struct Worker {
    pub(super) context: Arc<JobContext>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: Settings,
    pub(super) wake_ups: mpsc::Receiver<WakeUp>,
    pub(super) stopping: CancellationToken,
}

/// An attempt that came to its end.
type Ended = (Job, Result<(), String>);

/// What a worker keeps between two looks at the store.
#[derive(Default)]
struct WorkQueue {
    /// Jobs up to this id were looked at; those of them that were passed over are found when the job that blocks them ends.
    seen: u64,
    /// Jobs that may be begun now.
    ready: VecDeque<u64>,
    /// Jobs that failed before, by the time of their next attempt.
    waiting: BTreeSet<(Timestamp, u64)>,
    /// Whether there may be more jobs behind `seen`.
    more: bool,
}

impl Worker {
    /// Works until it is stopped; then releases the jobs that are not done in time.
    pub(super) async fn run(mut self) {
        let mut head = self.context.store.head();
        let mut queue = WorkQueue {
            more: true,
            ..WorkQueue::default()
        };
        let mut attempts: JoinSet<Ended> = JoinSet::new();
        let mut under_way: BTreeSet<u64> = BTreeSet::new();
        // Once the head has moved, it rests: what is appended meanwhile is looked for together.
        let mut rested = tokio::time::Instant::now();
        while !self.stopping.is_cancelled() {
            if let Err(error) = self.begin(&mut queue, &mut attempts, &mut under_way).await {
                if matches!(error, StoreError::Closed) {
                    break;
                }
                // What was about to begin is found again.
                (queue.seen, queue.more) = (0, true);
                tracing::warn!(handler = self.context.handler.name(), %error, "the outbox could not be read; trying again");
                tokio::select! {
                    () = self.stopping.cancelled() => break,
                    () = tokio::time::sleep(OUTBOX_PAUSE) => continue,
                }
            }
            let due = queue.next_due(self.clock.now());
            tokio::select! {
                () = self.stopping.cancelled() => break,
                Some(ended) = attempts.join_next() => {
                    self.end(ended, &mut queue, &mut attempts, &mut under_way).await;
                }
                wake_up = self.wake_ups.recv() => match wake_up {
                    Some(WakeUp::Ready(id)) => queue.ready.push_back(id),
                    Some(WakeUp::Added) => queue.more = true,
                    Some(WakeUp::LookAgain) => (queue.seen, queue.more) = (0, true),
                    None => break,
                },
                changed = changed_after(&mut head, rested) => {
                    if changed.is_err() {
                        break;
                    }
                    queue.more = true;
                    rested = tokio::time::Instant::now() + FOLLOW_PAUSE;
                }
                () = sleep_until_due(due) => {}
            }
        }
        self.finish(attempts, under_way).await;
    }

    /// Begins as many jobs as there is room for.
    async fn begin(
        &self,
        queue: &mut WorkQueue,
        attempts: &mut JoinSet<Ended>,
        under_way: &mut BTreeSet<u64>,
    ) -> Result<(), StoreError> {
        queue.take_due(self.clock.now());
        let at_a_time = self.settings.at_a_time.max(1);
        while attempts.len() < at_a_time {
            if queue.ready.is_empty() && !self.look(queue).await? {
                return Ok(());
            }
            let room = (at_a_time - attempts.len()).min(queue.ready.len());
            let changes = queue.ready.drain(..room).map(|id| JobChange::Begin { id });
            let begun = self
                .context
                .store
                .change_jobs(changes.collect(), self.clock.now())
                .await?;
            // A job that is not pending any more was begun before, or was changed meanwhile.
            for job in begun.into_iter().flatten() {
                under_way.insert(job.id);
                let context = Arc::clone(&self.context);
                attempts.spawn(async move {
                    let outcome = attempt(&context, &job).await;
                    (job, outcome)
                });
            }
        }
        Ok(())
    }

    /// Looks for jobs that were not seen yet; whether any is ready.
    async fn look(&self, queue: &mut WorkQueue) -> Result<bool, StoreError> {
        while queue.more && queue.ready.is_empty() && queue.waiting.len() < OUTBOX_WAITING_MAX {
            let filter = JobFilter {
                handler: Some(self.context.handler.name().to_owned()),
                status: Some(JobStatus::Pending),
                stream: None,
            };
            let from = queue.seen + 1;
            let page = read(&self.context.store, move |view| -> Result<_, StoreError> {
                view.jobs(
                    &filter,
                    Some(from),
                    Direction::Forward,
                    OUTBOX_SCAN_JOBS,
                    u64::MAX,
                )
            })
            .await?;
            queue.more = page.next.is_some();
            let now = self.clock.now();
            for job in page.jobs {
                queue.seen = queue.seen.max(job.id);
                if job.blocked_by.is_none() {
                    queue.place(&job, now);
                }
            }
        }
        Ok(!queue.ready.is_empty())
    }

    /// Puts on record how attempts ended, and finds the jobs they blocked.
    async fn end(
        &self,
        first: Result<Ended, tokio::task::JoinError>,
        queue: &mut WorkQueue,
        attempts: &mut JoinSet<Ended>,
        under_way: &mut BTreeSet<u64>,
    ) {
        // All that have ended by now share one durable commit.
        let mut ended = vec![first];
        while let Some(next) = attempts.try_join_next() {
            ended.push(next);
        }
        let ended: Vec<Ended> = ended.into_iter().filter_map(Result::ok).collect();
        let now = self.clock.now();
        let changes: Vec<JobChange> = ended
            .iter()
            .map(|(job, outcome)| self.change(job, outcome, now))
            .collect();
        let handler = self.context.handler.name();
        let stored = loop {
            match self.context.store.change_jobs(changes.clone(), now).await {
                Ok(stored) => break stored,
                Err(error) => {
                    tracing::warn!(handler, %error, "the outcome of a job could not be recorded; trying again");
                    tokio::select! {
                        // They are released when the store is opened again: done twice, never lost.
                        () = self.stopping.cancelled() => return,
                        () = tokio::time::sleep(OUTBOX_PAUSE) => {}
                    }
                }
            }
        };
        for (job, outcome) in &ended {
            under_way.remove(&job.id);
            if let Err(error) = outcome {
                tracing::warn!(handler, job = job.id, stream = %job.stream, revision = %job.revision, attempt = job.attempts, error, "an attempt failed");
            }
        }
        for job in stored.into_iter().flatten() {
            match job.status {
                JobStatus::Completed => self.next_of(&job, queue).await,
                JobStatus::Pending => queue.place(&job, now),
                JobStatus::Processing | JobStatus::Failed => {}
            }
        }
    }

    fn change(&self, job: &Job, outcome: &Result<(), String>, now: Timestamp) -> JobChange {
        let id = job.id;
        let Err(error) = outcome else {
            return JobChange::Complete { id };
        };
        let error = error.clone();
        match self.settings.retries.after(id, job.attempts) {
            None => JobChange::Fail { id, error },
            Some(distance) => JobChange::TryAgain {
                id,
                next_attempt_at: later(now, distance),
                error,
            },
        }
    }

    /// The job that this one blocked, if there is one.
    async fn next_of(&self, job: &Job, queue: &mut WorkQueue) {
        let (handler, stream) = (job.handler.clone(), job.stream.clone());
        let next = read(&self.context.store, move |view| -> Result<_, StoreError> {
            view.first_open_job(&handler, &stream)
        })
        .await;
        match next {
            // A job that was not seen yet is found by the next scan.
            Ok(Some(next)) if next.status == JobStatus::Pending && next.id <= queue.seen => {
                queue.place(&next, self.clock.now());
            }
            Ok(_) => {}
            Err(error) => {
                // Nothing is lost: looking through all jobs finds it.
                tracing::warn!(handler = job.handler, %error, "the next job of a stream could not be read");
                (queue.seen, queue.more) = (0, true);
            }
        }
    }

    /// Waits for the attempts under way, up to a limit, and releases the rest.
    async fn finish(self, mut attempts: JoinSet<Ended>, mut under_way: BTreeSet<u64>) {
        let mut queue = WorkQueue::default();
        let ends = async {
            while let Some(ended) = attempts.join_next().await {
                self.end(ended, &mut queue, &mut JoinSet::new(), &mut under_way)
                    .await;
            }
        };
        let in_time = tokio::time::timeout(self.settings.shutdown_timeout, ends).await;
        if in_time.is_err() {
            tracing::warn!(
                handler = self.context.handler.name(),
                "some jobs did not finish in time; they are tried again at the next start"
            );
        }
        attempts.abort_all();
        let changes: Vec<JobChange> = under_way
            .into_iter()
            .map(|id| JobChange::Release { id })
            .collect();
        if !changes.is_empty() {
            // When this fails they are released at the next start.
            drop(
                self.context
                    .store
                    .change_jobs(changes, self.clock.now())
                    .await,
            );
        }
    }
}

impl WorkQueue {
    fn place(&mut self, job: &Job, now: Timestamp) {
        match job.next_attempt_at {
            Some(at) if at > now => {
                self.waiting.insert((at, job.id));
            }
            _ => self.ready.push_back(job.id),
        }
    }

    fn take_due(&mut self, now: Timestamp) {
        while let Some(&(at, id)) = self.waiting.first()
            && at <= now
        {
            self.waiting.pop_first();
            self.ready.push_back(id);
        }
    }

    /// How long until a waiting job is due; `None` without one.
    fn next_due(&self, now: Timestamp) -> Option<Duration> {
        let (at, _) = self.waiting.first()?;
        let micros = at.as_micros().saturating_sub(now.as_micros());
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }
}

/// Waits for the head to move, and until a time before it looks. Cancel safe: a move that was not told of is found again.
async fn changed_after(
    head: &mut watch::Receiver<Head>,
    rested: tokio::time::Instant,
) -> Result<(), watch::error::RecvError> {
    tokio::time::sleep_until(rested).await;
    head.changed().await
}

async fn sleep_until_due(due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep(due).await,
        None => std::future::pending().await,
    }
}

fn later(now: Timestamp, distance: Duration) -> Timestamp {
    let micros = i64::try_from(distance.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros))
}
