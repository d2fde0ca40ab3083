//! The outbox inside a write transaction: making jobs, and moving them through their life.
//!
//! Owns the job records and their indexes, which always agree: every change goes through [`put`]. Decides nothing about
//! when a job is tried; a change that does not start from the status it needs does not apply.

use redb::{ReadableTable, WriteTransaction};
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::event::Event;
use whodunit_core::ids::Position;
use whodunit_core::time::Timestamp;

use super::engine;
use super::lookup::{event, head};
use super::record::{decode_job, encode_job};
use super::tables::{
    JOB_COUNTS, JOBS, JOBS_BY_HANDLER, JOBS_BY_STREAM, JOBS_OPEN, JOBS_OPEN_BY_EVENT, PRUNED,
    status_code,
};
use crate::limits::OUTBOX_COMPLETED_KEPT;
use crate::store::{Append, Job, JobChange, StoreError};

/// Makes the jobs that an append brings, for its events as they stand in the log.
pub(super) fn write_jobs(
    txn: &WriteTransaction,
    append: &Append,
    events: &[Event],
) -> Result<(), StoreError> {
    for new in &append.jobs {
        let Some(event) = events.get(new.event) else {
            continue;
        };
        make(txn, &new.handler, event, append.now)?;
    }
    Ok(())
}

/// Applies changes in order; see [`Store::change_jobs`](crate::store::Store::change_jobs).
pub(super) fn change(
    txn: &WriteTransaction,
    changes: &[JobChange],
    at: Timestamp,
) -> Result<Vec<Option<Job>>, StoreError> {
    changes
        .iter()
        .map(|change| apply(txn, change, at))
        .collect()
}

fn apply(
    txn: &WriteTransaction,
    change: &JobChange,
    at: Timestamp,
) -> Result<Option<Job>, StoreError> {
    use JobStatus::{Completed, Failed, Pending, Processing};
    match change {
        JobChange::Begin { id } => moved(txn, *id, Pending, Processing, at, |job| {
            job.attempts += 1;
            job.next_attempt_at = None;
        }),
        JobChange::Complete { id } => {
            let job = moved(txn, *id, Processing, Completed, at, |job| {
                job.last_error = None;
            })?;
            if let Some(job) = &job {
                prune(txn, &job.handler)?;
            }
            Ok(job)
        }
        JobChange::TryAgain {
            id,
            next_attempt_at,
            error,
        } => moved(txn, *id, Processing, Pending, at, |job| {
            job.next_attempt_at = Some(*next_attempt_at);
            job.last_error = Some(error.clone());
        }),
        JobChange::Fail { id, error } => moved(txn, *id, Processing, Failed, at, |job| {
            job.last_error = Some(error.clone());
        }),
        JobChange::Release { id } => moved(txn, *id, Processing, Pending, at, release),
        JobChange::Retry { id } => moved(txn, *id, Failed, Pending, at, |job| {
            job.attempts = 0;
            job.next_attempt_at = None;
        }),
        JobChange::ReleaseAll => release_all(txn, at).map(|()| None),
        JobChange::Add { handler, position } => add(txn, handler, *position, at),
    }
}

/// An attempt that was not made to its end does not count.
fn release(job: &mut Job) {
    job.attempts = job.attempts.saturating_sub(1);
}

/// Moves a job from one status to another; `None` when it is not there.
fn moved(
    txn: &WriteTransaction,
    id: u64,
    from: JobStatus,
    to: JobStatus,
    at: Timestamp,
    change: impl FnOnce(&mut Job),
) -> Result<Option<Job>, StoreError> {
    let Some(before) = load(txn, id)?.filter(|job| job.status == from) else {
        return Ok(None);
    };
    let mut job = before.clone();
    change(&mut job);
    (job.status, job.updated_at) = (to, at);
    put(txn, Some(&before), &job)?;
    Ok(Some(job))
}

fn release_all(txn: &WriteTransaction, at: Timestamp) -> Result<(), StoreError> {
    let doing = "giving jobs back";
    let under_way: Vec<u64> = {
        let counts = txn.open_table(JOB_COUNTS).map_err(engine(doing))?;
        let jobs = txn.open_table(JOBS_BY_HANDLER).map_err(engine(doing))?;
        let processing = status_code(JobStatus::Processing);
        let mut ids = Vec::new();
        for entry in counts.iter().map_err(engine(doing))? {
            let (key, _) = entry.map_err(engine(doing))?;
            let (handler, status) = key.value();
            if status != processing {
                continue;
            }
            let range = (handler, processing, 0)..=(handler, processing, u64::MAX);
            for job in jobs.range(range).map_err(engine(doing))? {
                ids.push(job.map_err(engine(doing))?.0.value().2);
            }
        }
        ids
    };
    for id in under_way {
        moved(
            txn,
            id,
            JobStatus::Processing,
            JobStatus::Pending,
            at,
            release,
        )?;
    }
    Ok(())
}

/// Makes a job for an event that is in the log, unless one is open.
fn add(
    txn: &WriteTransaction,
    handler: &str,
    position: Position,
    at: Timestamp,
) -> Result<Option<Job>, StoreError> {
    let doing = "making a job";
    let open = {
        let open = txn.open_table(JOBS_OPEN_BY_EVENT).map_err(engine(doing))?;
        open.get((position.0, handler))
            .map_err(engine(doing))?
            .is_some()
    };
    if open || position == Position::ZERO || position > head(txn)? {
        return Ok(None);
    }
    make(txn, handler, &event(txn, position.0)?, at).map(Some)
}

fn make(
    txn: &WriteTransaction,
    handler: &str,
    event: &Event,
    at: Timestamp,
) -> Result<Job, StoreError> {
    let doing = "making a job";
    let last = {
        let jobs = txn.open_table(JOBS).map_err(engine(doing))?;
        jobs.last()
            .map_err(engine(doing))?
            .map_or(0, |(id, _)| id.value())
    };
    let job = Job {
        id: last + 1,
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
    };
    put(txn, None, &job)?;
    Ok(job)
}

fn load(txn: &WriteTransaction, id: u64) -> Result<Option<Job>, StoreError> {
    let jobs = txn.open_table(JOBS).map_err(engine("opening the outbox"))?;
    let record = jobs.get(id).map_err(engine("reading a job"))?;
    record
        .map(|record| decode_job(id, record.value()))
        .transpose()
}

fn is_open(status: JobStatus) -> bool {
    status != JobStatus::Completed
}

/// Writes a job's record, and every index of it, in place of what it was before.
fn put(txn: &WriteTransaction, before: Option<&Job>, job: &Job) -> Result<(), StoreError> {
    let doing = "writing a job";
    let mut jobs = txn.open_table(JOBS).map_err(engine(doing))?;
    jobs.insert(job.id, encode_job(job).as_slice())
        .map_err(engine(doing))?;
    let (handler, stream) = (job.handler.as_str(), job.stream.as_str());
    let mut by_handler = txn.open_table(JOBS_BY_HANDLER).map_err(engine(doing))?;
    if let Some(before) = before {
        by_handler
            .remove((handler, status_code(before.status), job.id))
            .map_err(engine(doing))?;
        count(txn, handler, status_code(before.status), -1)?;
    } else {
        let mut by_stream = txn.open_table(JOBS_BY_STREAM).map_err(engine(doing))?;
        by_stream
            .insert((stream, job.id), ())
            .map_err(engine(doing))?;
    }
    by_handler
        .insert((handler, status_code(job.status), job.id), ())
        .map_err(engine(doing))?;
    count(txn, handler, status_code(job.status), 1)?;
    let mut open = txn.open_table(JOBS_OPEN).map_err(engine(doing))?;
    let mut by_event = txn.open_table(JOBS_OPEN_BY_EVENT).map_err(engine(doing))?;
    if is_open(job.status) {
        open.insert((handler, stream, job.id), ())
            .map_err(engine(doing))?;
        by_event
            .insert((job.position.0, handler), job.id)
            .map_err(engine(doing))?;
    } else {
        open.remove((handler, stream, job.id))
            .map_err(engine(doing))?;
        by_event
            .remove((job.position.0, handler))
            .map_err(engine(doing))?;
    }
    Ok(())
}

fn count(
    txn: &WriteTransaction,
    handler: &str,
    status: u8,
    change: i64,
) -> Result<u64, StoreError> {
    let doing = "counting jobs";
    let mut counts = txn.open_table(JOB_COUNTS).map_err(engine(doing))?;
    let before = counts
        .get((handler, status))
        .map_err(engine(doing))?
        .map_or(0, |count| count.value());
    let after = before.saturating_add_signed(change);
    if change != 0 {
        counts
            .insert((handler, status), after)
            .map_err(engine(doing))?;
    }
    Ok(after)
}

/// Drops the oldest completed jobs of a handler beyond [`OUTBOX_COMPLETED_KEPT`]. Their number stays counted.
fn prune(txn: &WriteTransaction, handler: &str) -> Result<(), StoreError> {
    let completed = status_code(JobStatus::Completed);
    let pruned = count(txn, handler, PRUNED, 0)?;
    let kept = count(txn, handler, completed, 0)?.saturating_sub(pruned);
    let doing = "pruning completed jobs";
    for _ in OUTBOX_COMPLETED_KEPT..kept {
        let oldest = {
            let by_handler = txn.open_table(JOBS_BY_HANDLER).map_err(engine(doing))?;
            let range = (handler, completed, 0)..=(handler, completed, u64::MAX);
            let mut range = by_handler.range(range).map_err(engine(doing))?;
            match range.next().transpose().map_err(engine(doing))? {
                Some((key, _)) => key.value().2,
                None => return Ok(()),
            }
        };
        let Some(job) = load(txn, oldest)? else {
            return Ok(());
        };
        let mut jobs = txn.open_table(JOBS).map_err(engine(doing))?;
        jobs.remove(oldest).map_err(engine(doing))?;
        let mut by_handler = txn.open_table(JOBS_BY_HANDLER).map_err(engine(doing))?;
        by_handler
            .remove((handler, completed, oldest))
            .map_err(engine(doing))?;
        let mut by_stream = txn.open_table(JOBS_BY_STREAM).map_err(engine(doing))?;
        by_stream
            .remove((job.stream.as_str(), oldest))
            .map_err(engine(doing))?;
        count(txn, handler, PRUNED, 1)?;
    }
    Ok(())
}
