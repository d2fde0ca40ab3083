//! Reading the outbox: single jobs, lists of them, counts.
//!
//! Owns the choice of the index for a filter. A list without a stream is merged from one list per handler and status, so
//! that a few failed jobs are found among any number of others.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use whodunit_core::api::pipeline::{JobCounts, JobStatus};
use whodunit_core::counted;
use whodunit_core::ids::{Position, StreamName};

use super::super::FILE_NAME;
use super::super::lookup::counted;
use super::super::tables::{status_code, status_of};
use super::{RedbView, StoreResult};
use crate::store::write::missing;
use crate::store::{Direction, HandlerCounts, Job, JobFilter, JobPage, ReadJobs, StoreError};

/// Ids of jobs, in order.
type Ids<'a> = Box<dyn Iterator<Item = StoreResult<u64>> + 'a>;

impl ReadJobs for RedbView {
    fn job(&self, id: u64) -> StoreResult<Option<Job>> {
        let Some(mut job) = self.tables.job(id)? else {
            self.tables.whole(&self.tables.jobs)?;
            return Ok(None);
        };
        if job.status == JobStatus::Pending {
            let first = self.first_open(&job.handler, &job.stream)?;
            job.blocked_by = first.filter(|first| *first < id);
        }
        Ok(Some(job))
    }

    fn jobs(
        &self,
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
        for (looked_at, id) in (0..).zip(self.candidates(filter, range, direction)?) {
            self.stop.check()?;
            let id = id?;
            if page.jobs.len() >= limit || looked_at >= budget {
                page.next = Some(id);
                break;
            }
            let job = self.job(id)?;
            let job = job.ok_or_else(|| missing(format!("job {id}")))?;
            if fits(filter, &job) {
                page.jobs.push(job);
            }
        }
        Ok(page)
    }

    fn jobs_of_event(&self, position: Position) -> StoreResult<Vec<Job>> {
        let ids = self.tables.ids_of_event(position)?.into_iter();
        let job = |id| {
            self.job(id)?
                .ok_or_else(|| missing(format!("job {id} of the event at position {position}")))
        };
        ids.map(job).collect()
    }

    fn first_open_job(&self, handler: &str, stream: &StreamName) -> StoreResult<Option<Job>> {
        match self.first_open(handler, stream)? {
            Some(id) => self.job(id),
            None => Ok(None),
        }
    }

    fn job_counts(&self) -> StoreResult<Vec<HandlerCounts>> {
        let mut handlers: BTreeMap<String, JobCounts> = BTreeMap::new();
        let (mut said, mut pruned) = (0_u64, 0_u64);
        self.tables.whole(&self.tables.job_counts)?;
        for entry in self.tables.job_counts.entries()? {
            let (key, count) = entry?;
            let (handler, status) = key.value();
            let counts = handlers.entry(handler.to_owned()).or_default();
            said = said.saturating_add(count.value());
            let place = match status_of(status) {
                Some(JobStatus::Pending) => &mut counts.pending,
                Some(JobStatus::Processing) => &mut counts.processing,
                Some(JobStatus::Completed) => &mut counts.completed,
                Some(JobStatus::Failed) => &mut counts.failed,
                // How many were pruned, of those that are completed.
                None => {
                    said = said.saturating_sub(count.value());
                    pruned = pruned.saturating_add(count.value());
                    continue;
                }
            };
            *place = count.value();
        }
        let kept = self.tables.jobs.len()?;
        if said.saturating_sub(pruned) != kept {
            return Err(StoreError::Damaged {
                place: format!("the counts of jobs in `{FILE_NAME}`"),
                detail: format!(
                    "they count {}, {pruned} of them pruned, but {kept} are kept",
                    counted::counted(said, "job")
                ),
            });
        }
        Ok(handlers
            .into_iter()
            .map(|(handler, counts)| HandlerCounts { handler, counts })
            .collect())
    }
}

impl RedbView {
    /// Id of the first job of this handler and stream that is not completed.
    fn first_open(&self, handler: &str, stream: &StreamName) -> StoreResult<Option<u64>> {
        self.tables.whole(&self.tables.jobs_open)?;
        let stream = stream.as_str();
        let range = (handler, stream, 0)..=(handler, stream, u64::MAX);
        let first = self.tables.jobs_open.range(range)?.next().transpose()?;
        Ok(first.map(|(key, _)| key.value().2))
    }

    /// Ids of the jobs that may pass a filter, by the index that leaves the fewest.
    fn candidates(
        &self,
        filter: &JobFilter,
        range: RangeInclusive<u64>,
        direction: Direction,
    ) -> StoreResult<Ids<'_>> {
        let (low, high) = range.into_inner();
        if low > high {
            return Ok(Box::new(std::iter::empty()));
        }
        let jobs = self.tables.jobs.len()?;
        if let Some(stream) = &filter.stream {
            counted("jobs by stream", &self.tables.jobs_by_stream, jobs)?;
            let range = (stream.as_str(), low)..=(stream.as_str(), high);
            let entries = self.tables.jobs_by_stream.range(range)?;
            let ids = entries.map(|entry| -> StoreResult<_> { Ok(entry?.0.value().1) });
            return Ok(directed(ids, direction));
        }
        if filter.handler.is_none() && filter.status.is_none() {
            self.tables.whole(&self.tables.jobs)?;
            let entries = self.tables.jobs.range(low..=high)?;
            let ids = entries.map(|entry| -> StoreResult<_> { Ok(entry?.0.value()) });
            return Ok(directed(ids, direction));
        }
        counted("jobs by handler", &self.tables.jobs_by_handler, jobs)?;
        let handlers = match &filter.handler {
            Some(handler) => vec![handler.clone()],
            None => {
                let counts = self.job_counts()?.into_iter();
                counts.map(|counted| counted.handler).collect()
            }
        };
        let mut lists = Vec::new();
        for handler in &handlers {
            for status in JobStatus::ALL {
                if filter.status.is_some_and(|own| own != status) {
                    continue;
                }
                let key = |id| (handler.as_str(), status_code(status), id);
                let entries = self.tables.jobs_by_handler.range(key(low)..=key(high))?;
                let ids = entries.map(|entry| -> StoreResult<_> { Ok(entry?.0.value().2) });
                lists.push(directed(ids, direction).peekable());
            }
        }
        Ok(Box::new(Merged { lists, direction }))
    }
}

fn fits(filter: &JobFilter, job: &Job) -> bool {
    filter
        .handler
        .as_ref()
        .is_none_or(|own| *own == job.handler)
        && filter.status.is_none_or(|own| own == job.status)
        && filter.stream.as_ref().is_none_or(|own| *own == job.stream)
}

fn directed<'a>(
    ids: impl DoubleEndedIterator<Item = StoreResult<u64>> + 'a,
    direction: Direction,
) -> Ids<'a> {
    match direction {
        Direction::Forward => Box::new(ids),
        Direction::Backward => Box::new(ids.rev()),
    }
}

/// Lists of ids that have none in common, as one.
struct Merged<'a> {
    lists: Vec<std::iter::Peekable<Ids<'a>>>,
    direction: Direction,
}

impl Iterator for Merged<'_> {
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
