//! Jobs, sealed and not, as one.

use std::collections::BTreeMap;

use whodunit_core::api::pipeline::{JobCounts, JobStatus};
use whodunit_core::ids::{Position, StreamName};

use super::view::{MergedView, SealedView};
use crate::store::tail::JobState;
use crate::store::{
    Direction, HandlerCounts, Job, JobFilter, JobPage, ReadJobs, Stoppable, StoreError,
};

type StoreResult<T> = Result<T, StoreError>;

/// Sealed jobs that are read at a time.
const CHUNK: usize = 64;

pub(super) fn job<V: SealedView>(view: &MergedView<V>, id: u64) -> StoreResult<Option<Job>> {
    let mut job = match view.tail.jobs().get(id) {
        Some(JobState::Is(job)) => job.clone(),
        Some(JobState::Pruned) => return Ok(None),
        None => match view.sealed.job(id)? {
            Some(job) => job,
            None => return Ok(None),
        },
    };
    job.blocked_by = match job.status {
        JobStatus::Pending => {
            first_open(view, &job.handler, &job.stream)?.filter(|first| *first < id)
        }
        JobStatus::Processing | JobStatus::Completed | JobStatus::Failed => None,
    };
    Ok(Some(job))
}

/// All jobs of an event that are kept.
pub(super) fn of_event<V: SealedView>(
    view: &MergedView<V>,
    position: Position,
) -> StoreResult<Vec<Job>> {
    let sealed = view.sealed.jobs_of_event(position)?;
    let mut ids: Vec<u64> = sealed.iter().map(|job| job.id).collect();
    ids.extend(view.tail.jobs().of_event(position));
    ids.sort_unstable();
    ids.dedup();
    let mut jobs = Vec::new();
    for id in ids {
        jobs.extend(job(view, id)?);
    }
    Ok(jobs)
}

/// Id of the first job of a handler and stream that is not completed.
pub(super) fn first_open<V: SealedView>(
    view: &MergedView<V>,
    handler: &str,
    stream: &StreamName,
) -> StoreResult<Option<u64>> {
    let own = view.tail.jobs().first_open(handler, stream);
    let filter = JobFilter {
        handler: Some(handler.to_owned()),
        stream: Some(stream.clone()),
        status: None,
    };
    // The sealed ones that are open still: none before the first that is open there.
    let Some(first) = view.sealed.first_open_job(handler, stream)? else {
        return Ok(own);
    };
    let mut sealed = Sealed::new(view, &filter, Some(first.id), Direction::Forward);
    while let Some(job) = sealed.next()? {
        if own.is_some_and(|own| own < job.id) {
            break;
        }
        if job.is_open() {
            return Ok(Some(job.id));
        }
    }
    Ok(own)
}

/// Sealed jobs that pass a filter and of which the tail says nothing, a few at a time.
struct Sealed<'v, V> {
    view: &'v MergedView<V>,
    filter: &'v JobFilter,
    direction: Direction,
    ready: std::vec::IntoIter<Job>,
    /// Where the next ones begin.
    from: Option<u64>,
    at_end: bool,
}

impl<'v, V: SealedView> Sealed<'v, V> {
    fn new(
        view: &'v MergedView<V>,
        filter: &'v JobFilter,
        from: Option<u64>,
        direction: Direction,
    ) -> Self {
        Self {
            view,
            filter,
            direction,
            ready: Vec::new().into_iter(),
            from,
            at_end: false,
        }
    }

    fn next(&mut self) -> StoreResult<Option<Job>> {
        loop {
            for job in self.ready.by_ref() {
                if self.view.tail.jobs().get(job.id).is_none() {
                    return Ok(Some(job));
                }
            }
            if self.at_end {
                return Ok(None);
            }
            let from = self.from;
            let page =
                self.view
                    .sealed
                    .jobs(self.filter, from, self.direction, CHUNK, CHUNK as u64)?;
            self.ready = page.jobs.into_iter();
            (self.from, self.at_end) = (page.next, page.next.is_none());
        }
    }
}

pub(super) fn jobs<V: SealedView>(
    view: &MergedView<V>,
    filter: &JobFilter,
    from: Option<u64>,
    direction: Direction,
    limit: usize,
    budget: u64,
) -> StoreResult<JobPage> {
    let range = match direction {
        Direction::Forward => (from.unwrap_or(0), u64::MAX),
        Direction::Backward => (0, from.unwrap_or(u64::MAX)),
    };
    let mut own = in_tail(view, filter, range);
    if direction == Direction::Backward {
        own.reverse();
    }
    let mut own = own.into_iter().peekable();
    let mut sealed = Sealed::new(view, filter, from, direction);
    let mut next_sealed = sealed.next()?.map(|job| job.id);
    let mut page = JobPage::default();
    for looked_at in 0.. {
        view.stop().check()?;
        let id = match (own.peek().copied(), next_sealed) {
            (None, None) => break,
            (Some(own), None) => own,
            (None, Some(sealed)) => sealed,
            (Some(own), Some(sealed)) => match direction {
                Direction::Forward => own.min(sealed),
                Direction::Backward => own.max(sealed),
            },
        };
        if page.jobs.len() >= limit || looked_at >= budget {
            page.next = Some(id);
            break;
        }
        if next_sealed == Some(id) {
            next_sealed = sealed.next()?.map(|job| job.id);
        } else {
            own.next();
        }
        page.jobs.extend(job(view, id)?);
    }
    Ok(page)
}

/// Ids of the jobs of the tail that pass, ascending.
fn in_tail<V: SealedView>(view: &MergedView<V>, filter: &JobFilter, range: (u64, u64)) -> Vec<u64> {
    let jobs = view.tail.jobs();
    if range.0 > range.1 {
        return Vec::new();
    }
    let passes = |id: &u64| {
        matches!(jobs.get(*id), Some(JobState::Is(job))
            if filter.handler.as_ref().is_none_or(|own| *own == job.handler)
                && filter.status.is_none_or(|own| own == job.status)
                && filter.stream.as_ref().is_none_or(|own| *own == job.stream))
    };
    match (&filter.stream, &filter.handler, filter.status) {
        (Some(stream), ..) => jobs.of_stream(stream, range).filter(passes).collect(),
        (None, Some(handler), Some(status)) => jobs.of_status(handler, status, range).collect(),
        _ => jobs.ids(range.0, range.1).filter(passes).collect(),
    }
}

pub(super) fn counts<V: SealedView>(view: &MergedView<V>) -> StoreResult<Vec<HandlerCounts>> {
    let sealed = view.sealed.job_counts()?;
    let mut handlers: BTreeMap<String, JobCounts> = sealed
        .into_iter()
        .map(|own| (own.handler, own.counts))
        .collect();
    for (handler, growth) in view.tail.jobs().growths() {
        let counts = handlers.entry(handler.to_owned()).or_default();
        for (count, more) in [
            (&mut counts.pending, growth.pending),
            (&mut counts.processing, growth.processing),
            (&mut counts.completed, growth.completed),
            (&mut counts.failed, growth.failed),
        ] {
            *count = count.saturating_add_signed(more);
        }
    }
    Ok(handlers
        .into_iter()
        .map(|(handler, counts)| HandlerCounts { handler, counts })
        .collect())
}
