//! Jobs that were made, changed or pruned in the tail: they take the place of what is sealed.

use imbl::{OrdMap, OrdSet};
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::ids::{Position, StreamName};

use crate::store::Job;
use crate::store::write::JobWrite;

/// By how many jobs of a handler there are more, or fewer, than are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct JobGrowth {
    /// Pending ones.
    pub(crate) pending: i64,
    /// Those under way.
    pub(crate) processing: i64,
    /// Completed ones, those that were pruned among them.
    pub(crate) completed: i64,
    /// Failed ones.
    pub(crate) failed: i64,
    /// Completed ones that were pruned.
    pub(crate) pruned: i64,
}

impl JobGrowth {
    fn of(&mut self, status: JobStatus) -> &mut i64 {
        match status {
            JobStatus::Pending => &mut self.pending,
            JobStatus::Processing => &mut self.processing,
            JobStatus::Completed => &mut self.completed,
            JobStatus::Failed => &mut self.failed,
        }
    }
}

/// What the tail says of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState<'a> {
    /// As it is now.
    Is(&'a Job),
    /// It was pruned.
    Pruned,
}

/// The jobs.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobsTail {
    /// As they are; `None` for those that were pruned.
    jobs: OrdMap<u64, Option<Job>>,
    by_status: OrdSet<(String, u8, u64)>,
    by_stream: OrdSet<(StreamName, u64)>,
    open: OrdSet<(String, StreamName, u64)>,
    by_event: OrdSet<(Position, u64)>,
    /// Whether an event's job of a handler is open.
    of_event: OrdMap<(Position, String), bool>,
    growth: OrdMap<String, JobGrowth>,
    last: Option<u64>,
}

fn code(status: JobStatus) -> u8 {
    match status {
        JobStatus::Pending => 0,
        JobStatus::Processing => 1,
        JobStatus::Completed => 2,
        JobStatus::Failed => 3,
    }
}

impl JobsTail {
    pub(super) fn apply(&mut self, write: &JobWrite) {
        match write {
            JobWrite::Made(job) => {
                self.last = self.last.max(Some(job.id));
                *self.growth(&job.handler).of(job.status) += 1;
                self.put(job);
            }
            JobWrite::Changed { before, after } => {
                let growth = self.growth(&after.handler);
                *growth.of(before.status) -= 1;
                *growth.of(after.status) += 1;
                self.take(before);
                self.put(after);
            }
            JobWrite::Pruned(job) => {
                self.growth(&job.handler).pruned += 1;
                self.take(job);
                self.jobs.insert(job.id, None);
            }
        }
    }

    fn growth(&mut self, handler: &str) -> &mut JobGrowth {
        self.growth.entry(handler.to_owned()).or_default()
    }

    /// Takes a job as it was out of every index.
    fn take(&mut self, job: &Job) {
        let handler = || job.handler.clone();
        self.by_status
            .remove(&(handler(), code(job.status), job.id));
        self.by_stream.remove(&(job.stream.clone(), job.id));
        self.open.remove(&(handler(), job.stream.clone(), job.id));
        self.by_event.remove(&(job.position, job.id));
    }

    fn put(&mut self, job: &Job) {
        let handler = || job.handler.clone();
        self.by_status.insert((handler(), code(job.status), job.id));
        self.by_stream.insert((job.stream.clone(), job.id));
        self.by_event.insert((job.position, job.id));
        if job.is_open() {
            self.open.insert((handler(), job.stream.clone(), job.id));
        }
        self.of_event
            .insert((job.position, handler()), job.is_open());
        self.jobs.insert(job.id, Some(job.clone()));
    }

    /// What the tail says of a job; `None` where it stays as it is sealed.
    pub(crate) fn get(&self, id: u64) -> Option<JobState<'_>> {
        self.jobs.get(&id).map(|job| match job {
            Some(job) => JobState::Is(job),
            None => JobState::Pruned,
        })
    }

    /// The highest id of a job that was made here.
    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }

    /// Whether a job of this event and handler is open; `None` where that is as it is sealed.
    pub(crate) fn has_open(&self, position: Position, handler: &str) -> Option<bool> {
        self.of_event.get(&(position, handler.to_owned())).copied()
    }

    /// Ids of the jobs that it has, within bounds.
    pub(crate) fn ids(&self, low: u64, high: u64) -> impl DoubleEndedIterator<Item = u64> {
        let range = self.jobs.range::<_, u64>(low..=high);
        range.filter_map(|(id, job)| job.is_some().then_some(*id))
    }

    /// Ids of the jobs of a handler and status, within bounds.
    pub(crate) fn of_status(
        &self,
        handler: &str,
        status: JobStatus,
        (low, high): (u64, u64),
    ) -> impl DoubleEndedIterator<Item = u64> {
        let key = |id| (handler.to_owned(), code(status), id);
        let range = self.by_status.range(key(low)..=key(high));
        range.map(|(_, _, id)| *id)
    }

    /// Ids of the jobs of a stream, within bounds.
    pub(crate) fn of_stream(
        &self,
        stream: &StreamName,
        (low, high): (u64, u64),
    ) -> impl DoubleEndedIterator<Item = u64> {
        let key = |id| (stream.clone(), id);
        let range = self.by_stream.range(key(low)..=key(high));
        range.map(|(_, id)| *id)
    }

    /// Ids of the jobs of an event.
    pub(crate) fn of_event(&self, position: Position) -> impl Iterator<Item = u64> {
        let range = self.by_event.range((position, 0)..=(position, u64::MAX));
        range.map(|(_, id)| *id)
    }

    /// The first job of a handler and stream here that is not completed.
    pub(crate) fn first_open(&self, handler: &str, stream: &StreamName) -> Option<u64> {
        let key = |id| (handler.to_owned(), stream.clone(), id);
        let mut range = self.open.range(key(0)..=key(u64::MAX));
        range.next().map(|(_, _, id)| *id)
    }

    /// By how much the counts of each handler differ from those that are sealed.
    pub(crate) fn growths(&self) -> impl Iterator<Item = (&str, JobGrowth)> {
        let growths = self.growth.iter();
        growths.map(|(handler, growth)| (handler.as_str(), *growth))
    }

    /// By how much those of one handler do.
    pub(crate) fn growth_of(&self, handler: &str) -> JobGrowth {
        self.growth.get(handler).copied().unwrap_or_default()
    }
}
