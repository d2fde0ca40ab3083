//! What a group of requests is planned on: the sealed part of the log, the tail behind it, and what the group has written.
//!
//! Owns how the two are laid over each other for planning. Decides nothing.

use std::sync::Arc;

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use crate::store::tail::{EventRef, JobState, Tail};
use crate::store::write::{Batch, JobLookup, Lookup, WriteTxn};
use crate::store::{Head, Job, KeyHold, StoreError, StreamInfo};

type StoreResult<T> = Result<T, StoreError>;

/// The log, with what is being written to it.
pub(super) struct Ground<'s, S: ?Sized> {
    sealed: &'s S,
    /// The tail, with what is being written.
    pub(super) tail: Tail,
    /// What is being written.
    pub(super) batches: Vec<Arc<Batch>>,
}

impl<'s, S: JobLookup + ?Sized> Ground<'s, S> {
    pub(super) fn new(sealed: &'s S, tail: Tail) -> Self {
        Self {
            sealed,
            tail,
            batches: Vec::new(),
        }
    }
}

impl<S: JobLookup + ?Sized> WriteTxn for Ground<'_, S> {
    fn apply(&mut self, batch: Arc<Batch>) -> StoreResult<()> {
        if !batch.is_empty() {
            self.tail.apply(&batch);
            self.batches.push(batch);
        }
        Ok(())
    }
}

fn event(found: &EventRef) -> Event {
    Event::clone(found)
}

impl<S: JobLookup + ?Sized> Lookup for Ground<'_, S> {
    fn head(&self) -> StoreResult<Head> {
        Ok(self.tail.head())
    }

    fn stream(&self, stream: &StreamName) -> StoreResult<Option<StreamInfo>> {
        match self.tail.streams().get(stream) {
            Some(found) => Ok(Some(found.info().clone())),
            None => self.sealed.stream(stream),
        }
    }

    fn event_at(&self, position: Position) -> StoreResult<Option<Event>> {
        match self.tail.event(position) {
            Some(found) => Ok(Some(event(found))),
            None => self.sealed.event_at(position),
        }
    }

    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Event>> {
        let entry = self.tail.streams().get(stream);
        match entry.and_then(|found| found.entry(revision)) {
            Some((position, _)) => self.event_at(position),
            None => self.sealed.event_at_revision(stream, revision),
        }
    }

    fn position_of(&self, event_id: &str) -> StoreResult<Option<Position>> {
        match self.tail.event_by_id(event_id) {
            Some(found) => Ok(Some(found.position)),
            None => self.sealed.position_of(event_id),
        }
    }

    fn decision(&self, sequence: u64) -> StoreResult<Option<Decision>> {
        match self.tail.decision(sequence) {
            Some(found) => Ok(Some(found.clone())),
            None => self.sealed.decision(sequence),
        }
    }

    fn sequence_of(&self, command_id: &str) -> StoreResult<Option<u64>> {
        match self.tail.decision_by_command(command_id) {
            Some(found) => Ok(Some(found.sequence)),
            None => self.sealed.sequence_of(command_id),
        }
    }

    fn last_hold(&self, category: &str, key: &UniqueKey) -> StoreResult<Option<KeyHold>> {
        // A hold that is sealed and ended here stands here too, and none that is sealed began after it.
        match self.tail.holds(category, key).next_back() {
            Some(hold) => Ok(Some(hold.clone())),
            None => self.sealed.last_hold(category, key),
        }
    }
}

impl<S: JobLookup + ?Sized> JobLookup for Ground<'_, S> {
    fn job(&self, id: u64) -> StoreResult<Option<Job>> {
        match self.tail.jobs().get(id) {
            Some(JobState::Is(job)) => Ok(Some(job.clone())),
            Some(JobState::Pruned) => Ok(None),
            None => self.sealed.job(id),
        }
    }

    fn last_job(&self) -> StoreResult<u64> {
        match self.tail.jobs().last() {
            Some(last) => Ok(last),
            None => self.sealed.last_job(),
        }
    }

    fn has_open_job(&self, position: Position, handler: &str) -> StoreResult<bool> {
        match self.tail.jobs().has_open(position, handler) {
            Some(open) => Ok(open),
            None => self.sealed.has_open_job(position, handler),
        }
    }

    fn jobs_under_way(&self) -> StoreResult<Vec<u64>> {
        let jobs = self.tail.jobs();
        let mut ids = self.sealed.jobs_under_way()?;
        ids.retain(|id| jobs.get(*id).is_none());
        ids.extend(jobs.ids(0, u64::MAX).filter(|id| {
            matches!(jobs.get(*id), Some(JobState::Is(job)) if job.status == JobStatus::Processing)
        }));
        Ok(ids)
    }

    fn completed_kept(&self, handler: &str) -> StoreResult<u64> {
        let growth = self.tail.jobs().growth_of(handler);
        let sealed = self.sealed.completed_kept(handler)?;
        Ok(sealed.saturating_add_signed(growth.completed - growth.pruned))
    }

    fn oldest_completed(&self, handler: &str, limit: usize) -> StoreResult<Vec<u64>> {
        let jobs = self.tail.jobs();
        // As many more as the tail may have taken out of the list.
        let taken = usize::try_from(jobs.growth_of(handler).pruned).unwrap_or(0);
        let mut ids = self
            .sealed
            .oldest_completed(handler, limit.saturating_add(taken))?;
        ids.retain(|id| jobs.get(*id).is_none());
        let own = jobs.of_status(handler, JobStatus::Completed, (0, u64::MAX));
        ids.extend(own.take(limit));
        ids.sort_unstable();
        ids.truncate(limit);
        Ok(ids)
    }
}
