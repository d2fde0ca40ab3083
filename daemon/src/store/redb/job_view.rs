//! Reading the outbox: single jobs, lists of them, counts.
//!
//! Owns the choice of the index for a filter. A list without a stream is merged from one list per handler and status, so
//! that a few failed jobs are found among any number of others.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use redb::{ReadTransaction, ReadableTable};
use whodunit_core::api::pipeline::{JobCounts, JobStatus};
use whodunit_core::ids::StreamName;
use whodunit_core::stop::Stop;

use super::engine;
use super::record::decode_job;
use super::tables::{
    JOB_COUNTS, JOBS, JOBS_BY_HANDLER, JOBS_BY_STREAM, JOBS_OPEN, status_code, status_of,
};
use crate::store::{Direction, HandlerCounts, Job, JobFilter, JobPage, StoreError};

type StoreResult<T> = Result<T, StoreError>;

/// Ids of jobs, in order.
type Ids = Box<dyn Iterator<Item = StoreResult<u64>>>;

pub(super) fn job(txn: &ReadTransaction, id: u64) -> StoreResult<Option<Job>> {
    let doing = "reading a job";
    let jobs = txn.open_table(JOBS).map_err(engine(doing))?;
    let Some(record) = jobs.get(id).map_err(engine(doing))? else {
        return Ok(None);
    };
    let mut job = decode_job(id, record.value())?;
    if job.status == JobStatus::Pending {
        job.blocked_by = first_open(txn, &job.handler, &job.stream)?.filter(|first| *first < id);
    }
    Ok(Some(job))
}

/// Id of the first job of this handler and stream that is not completed.
fn first_open(
    txn: &ReadTransaction,
    handler: &str,
    stream: &StreamName,
) -> StoreResult<Option<u64>> {
    let doing = "reading the open jobs";
    let open = txn.open_table(JOBS_OPEN).map_err(engine(doing))?;
    let stream = stream.as_str();
    let mut range = open
        .range((handler, stream, 0)..=(handler, stream, u64::MAX))
        .map_err(engine(doing))?;
    let first = range.next().transpose().map_err(engine(doing))?;
    Ok(first.map(|(key, _)| key.value().2))
}

pub(super) fn first_open_job(
    txn: &ReadTransaction,
    handler: &str,
    stream: &StreamName,
) -> StoreResult<Option<Job>> {
    match first_open(txn, handler, stream)? {
        Some(id) => job(txn, id),
        None => Ok(None),
    }
}

pub(super) fn jobs(
    txn: &ReadTransaction,
    stop: &Stop,
    filter: &JobFilter,
    from: Option<u64>,
    direction: Direction,
    limit: usize,
    budget: u64,
) -> StoreResult<JobPage> {
    let range = match direction {
        Direction::Forward => from.unwrap_or(0)..=u64::MAX,
        Direction::Backward => 0..=from.unwrap_or(u64::MAX),
    };
    let mut page = JobPage::default();
    for (looked_at, id) in (0..).zip(candidates(txn, filter, range, direction)?) {
        stop.check()?;
        let id = id?;
        if page.jobs.len() >= limit || looked_at >= budget {
            page.next = Some(id);
            break;
        }
        if let Some(job) = job(txn, id)?.filter(|job| fits(filter, job)) {
            page.jobs.push(job);
        }
    }
    Ok(page)
}

fn fits(filter: &JobFilter, job: &Job) -> bool {
    filter
        .handler
        .as_ref()
        .is_none_or(|own| *own == job.handler)
        && filter.status.is_none_or(|own| own == job.status)
        && filter.stream.as_ref().is_none_or(|own| *own == job.stream)
}

fn candidates(
    txn: &ReadTransaction,
    filter: &JobFilter,
    range: RangeInclusive<u64>,
    direction: Direction,
) -> StoreResult<Ids> {
    let doing = "reading the outbox";
    let (low, high) = range.into_inner();
    if low > high {
        return Ok(Box::new(std::iter::empty()));
    }
    if let Some(stream) = &filter.stream {
        let index = txn.open_table(JOBS_BY_STREAM).map_err(engine(doing))?;
        let ids = index
            .range((stream.as_str(), low)..=(stream.as_str(), high))
            .map_err(engine(doing))?
            .map(move |entry| Ok(entry.map_err(engine(doing))?.0.value().1));
        return Ok(directed(ids, direction));
    }
    if filter.handler.is_none() && filter.status.is_none() {
        let jobs = txn.open_table(JOBS).map_err(engine(doing))?;
        let ids = jobs
            .range(low..=high)
            .map_err(engine(doing))?
            .map(move |entry| Ok(entry.map_err(engine(doing))?.0.value()));
        return Ok(directed(ids, direction));
    }
    let index = txn.open_table(JOBS_BY_HANDLER).map_err(engine(doing))?;
    let handlers = match &filter.handler {
        Some(handler) => vec![handler.clone()],
        None => counts(txn)?.into_iter().map(|own| own.handler).collect(),
    };
    let mut lists = Vec::new();
    for handler in &handlers {
        for status in JobStatus::ALL {
            if filter.status.is_some_and(|own| own != status) {
                continue;
            }
            let key = |id| (handler.as_str(), status_code(status), id);
            let ids = index
                .range(key(low)..=key(high))
                .map_err(engine(doing))?
                .map(move |entry| Ok(entry.map_err(engine(doing))?.0.value().2));
            lists.push(directed(ids, direction).peekable());
        }
    }
    Ok(Box::new(Merged { lists, direction }))
}

fn directed(
    ids: impl DoubleEndedIterator<Item = StoreResult<u64>> + 'static,
    direction: Direction,
) -> Ids {
    match direction {
        Direction::Forward => Box::new(ids),
        Direction::Backward => Box::new(ids.rev()),
    }
}

/// Lists of ids that have none in common, as one.
struct Merged {
    lists: Vec<std::iter::Peekable<Ids>>,
    direction: Direction,
}

impl Iterator for Merged {
    type Item = StoreResult<u64>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut best: Option<(usize, u64)> = None;
        for (index, list) in self.lists.iter_mut().enumerate() {
            match list.peek() {
                None => {}
                // An error goes out at once.
                Some(Err(_)) => return list.next(),
                Some(&Ok(id)) => {
                    let closer = |other: u64| match self.direction {
                        Direction::Forward => id < other,
                        Direction::Backward => id > other,
                    };
                    if best.is_none_or(|(_, other)| closer(other)) {
                        best = Some((index, id));
                    }
                }
            }
        }
        let (index, _) = best?;
        self.lists.get_mut(index)?.next()
    }
}

pub(super) fn counts(txn: &ReadTransaction) -> StoreResult<Vec<HandlerCounts>> {
    let doing = "counting jobs";
    let table = txn.open_table(JOB_COUNTS).map_err(engine(doing))?;
    let mut handlers: BTreeMap<String, JobCounts> = BTreeMap::new();
    for entry in table.iter().map_err(engine(doing))? {
        let (key, count) = entry.map_err(engine(doing))?;
        let (handler, status) = key.value();
        let counts = handlers.entry(handler.to_owned()).or_default();
        let place = match status_of(status) {
            Some(JobStatus::Pending) => &mut counts.pending,
            Some(JobStatus::Processing) => &mut counts.processing,
            Some(JobStatus::Completed) => &mut counts.completed,
            Some(JobStatus::Failed) => &mut counts.failed,
            // How many were pruned.
            None => continue,
        };
        *place = count.value();
    }
    Ok(handlers
        .into_iter()
        .map(|(handler, counts)| HandlerCounts { handler, counts })
        .collect())
}
