//! The life of a job: making jobs, and moving them from one status to the next.
//!
//! Decides nothing about when a job is tried; a change that does not start from the status it needs does not apply.

use std::collections::{BTreeMap, BTreeSet};

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::event::Event;
use whodunit_core::ids::Position;
use whodunit_core::time::Timestamp;

use super::batch::{Batch, JobWrite};
use super::lookup::{JobLookup, named_event};
use crate::limits::OUTBOX_COMPLETED_KEPT;
use crate::store::{Job, JobChange, StoreError};

/// Plans changes in order, each on what the one before it left; see [`Store::change_jobs`](crate::store::Store::change_jobs)
/// for the answers.
pub(crate) fn plan_jobs(
    lookup: &impl JobLookup,
    changes: &[JobChange],
    at: Timestamp,
) -> Result<(Batch, Vec<Option<Job>>), StoreError> {
    let mut planner = Planner {
        lookup,
        at,
        now: BTreeMap::new(),
        open: BTreeMap::new(),
        last_job: None,
        completed: BTreeMap::new(),
        writes: Vec::new(),
    };
    let jobs = changes
        .iter()
        .map(|change| planner.change(change))
        .collect::<Result<_, _>>()?;
    planner.prune()?;
    let batch = Batch {
        jobs: planner.writes,
        ..Batch::default()
    };
    Ok((batch, jobs))
}

#[cfg(not(test))]
fn kept_max() -> u64 {
    OUTBOX_COMPLETED_KEPT
}

#[cfg(test)]
fn kept_max() -> u64 {
    KEPT_MAX.get()
}

#[cfg(test)]
thread_local! {
    /// How many completed jobs a store without threads keeps, for tests that come to fewer.
    pub(crate) static KEPT_MAX: std::cell::Cell<u64> = const { std::cell::Cell::new(OUTBOX_COMPLETED_KEPT) };
}

/// A job that was just made.
pub(super) fn new_job(id: u64, handler: &str, event: &Event, at: Timestamp) -> Job {
    Job {
        id,
        handler: handler.to_owned(),
        position: event.position,
        stream: event.stream.clone(),
        revision: event.revision,
        event_id: event.event_id.clone(),
        event_type: event.event_type.clone(),
        status: JobStatus::Pending,
        attempts: 0,
        next_attempt_at: None,
        last_error: None,
        created_at: at,
        updated_at: at,
        blocked_by: None,
    }
}

/// The changes of one request so far, over what is on record.
struct Planner<'l, L> {
    lookup: &'l L,
    at: Timestamp,
    /// Jobs as they are now, of those that were made or changed.
    now: BTreeMap<u64, Job>,
    /// Whether an event's job of a handler is open now, of those that were made or changed.
    open: BTreeMap<(Position, String), bool>,
    last_job: Option<u64>,
    /// Ids of the jobs that were completed, by handler.
    completed: BTreeMap<String, BTreeSet<u64>>,
    writes: Vec<JobWrite>,
}

impl<L: JobLookup> Planner<'_, L> {
    fn change(&mut self, change: &JobChange) -> Result<Option<Job>, StoreError> {
        use JobStatus::{Completed, Failed, Pending, Processing};
        match change {
            JobChange::Begin { id } => self.moved(*id, Pending, Processing, |job| {
                job.attempts += 1;
                job.next_attempt_at = None;
            }),
            JobChange::Complete { id } => {
                let job = self.moved(*id, Processing, Completed, |job| job.last_error = None)?;
                if let Some(job) = &job {
                    let completed = self.completed.entry(job.handler.clone()).or_default();
                    completed.insert(job.id);
                }
                Ok(job)
            }
            JobChange::TryAgain {
                id,
                next_attempt_at,
                error,
            } => self.moved(*id, Processing, Pending, |job| {
                job.next_attempt_at = Some(*next_attempt_at);
                job.last_error = Some(error.clone());
            }),
            JobChange::Fail { id, error } => self.moved(*id, Processing, Failed, |job| {
                job.last_error = Some(error.clone());
            }),
            JobChange::Release { id } => self.moved(*id, Processing, Pending, release),
            JobChange::Retry { id } => self.moved(*id, Failed, Pending, |job| {
                job.attempts = 0;
                job.next_attempt_at = None;
            }),
            JobChange::ReleaseAll => self.release_all().map(|()| None),
            JobChange::Add { handler, position } => self.add(handler, *position),
        }
    }

    /// A job as it is now.
    fn job(&self, id: u64) -> Result<Option<Job>, StoreError> {
        match self.now.get(&id) {
            Some(job) => Ok(Some(job.clone())),
            None => self.lookup.job(id),
        }
    }

    /// Moves a job from one status to another; `None` when it is not there.
    fn moved(
        &mut self,
        id: u64,
        from: JobStatus,
        to: JobStatus,
        change: impl FnOnce(&mut Job),
    ) -> Result<Option<Job>, StoreError> {
        let Some(before) = self.job(id)?.filter(|job| job.status == from) else {
            return Ok(None);
        };
        let mut after = before.clone();
        change(&mut after);
        (after.status, after.updated_at) = (to, self.at);
        self.keep(&after);
        self.writes.push(JobWrite::Changed {
            before,
            after: after.clone(),
        });
        Ok(Some(after))
    }

    fn keep(&mut self, job: &Job) {
        let of_event = (job.position, job.handler.clone());
        self.open.insert(of_event, job.is_open());
        self.now.insert(job.id, job.clone());
    }

    fn release_all(&mut self) -> Result<(), StoreError> {
        let mut ids: BTreeSet<u64> = self.lookup.jobs_under_way()?.into_iter().collect();
        ids.extend(self.now.keys());
        for id in ids {
            self.moved(id, JobStatus::Processing, JobStatus::Pending, release)?;
        }
        Ok(())
    }

    /// Makes a job for an event that is in the log, unless one is open.
    fn add(&mut self, handler: &str, position: Position) -> Result<Option<Job>, StoreError> {
        let open = match self.open.get(&(position, handler.to_owned())) {
            Some(open) => *open,
            None => self.lookup.has_open_job(position, handler)?,
        };
        let there = (Position(1)..=self.lookup.head()?.position).contains(&position);
        if open || !there {
            return Ok(None);
        }
        let last = match self.last_job {
            Some(last) => last,
            None => self.lookup.last_job()?,
        };
        let event = named_event(self.lookup, position)?;
        let job = new_job(last + 1, handler, &event, self.at);
        self.last_job = Some(job.id);
        self.keep(&job);
        self.writes.push(JobWrite::Made(job.clone()));
        Ok(Some(job))
    }

    /// Drops the oldest completed jobs of each handler beyond [`OUTBOX_COMPLETED_KEPT`]. Their number stays counted.
    fn prune(&mut self) -> Result<(), StoreError> {
        for (handler, completed) in std::mem::take(&mut self.completed) {
            let kept = self.lookup.completed_kept(&handler)? + completed.len() as u64;
            let excess = kept.saturating_sub(kept_max());
            let excess = usize::try_from(excess).unwrap_or(usize::MAX);
            if excess == 0 {
                continue;
            }
            let mut ids = completed;
            ids.extend(self.lookup.oldest_completed(&handler, excess)?);
            for id in ids.into_iter().take(excess) {
                if let Some(job) = self.job(id)? {
                    self.writes.push(JobWrite::Pruned(job));
                }
            }
        }
        Ok(())
    }
}

/// An attempt that was not made to its end does not count.
fn release(job: &mut Job) {
    job.attempts = job.attempts.saturating_sub(1);
}
