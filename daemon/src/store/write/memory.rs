//! The store's meaning in memory: lists that batches are applied to. A test double, and the reference for any engine.
//!
//! Owns no decision. It checks what every batch promises: dense positions, revisions, sequences and job ids, and rows that
//! are changed from what they were.

use std::collections::BTreeMap;
use std::sync::Arc;

use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use super::{Batch, JobLookup, JobWrite, Lookup, Placed, WriteTxn};
use crate::store::{Head, Job, KeyHold, StoreError, StreamInfo};

/// Category and key.
pub(crate) type KeyPlace = (String, UniqueKey);

/// Everything that a store keeps, as plainly as possible.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Memory {
    pub(crate) events: Vec<Placed>,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) streams: BTreeMap<StreamName, StreamInfo>,
    /// The holds of each key, in the order in which they began.
    pub(crate) holds: BTreeMap<KeyPlace, Vec<KeyHold>>,
    pub(crate) jobs: BTreeMap<u64, Job>,
    /// How many completed jobs of a handler were pruned.
    pub(crate) pruned: BTreeMap<String, u64>,
    last_job: u64,
}

impl Memory {
    /// The events of a stream.
    pub(crate) fn stream_events<'a>(
        &'a self,
        stream: &'a StreamName,
    ) -> impl DoubleEndedIterator<Item = &'a Placed> {
        self.events
            .iter()
            .filter(move |placed| placed.event.stream == *stream)
    }

    fn completed<'a>(&'a self, handler: &'a str) -> impl Iterator<Item = &'a Job> {
        self.jobs
            .values()
            .filter(move |job| job.handler == handler && job.status == JobStatus::Completed)
    }

    fn write_job(&mut self, write: &JobWrite) {
        match write {
            JobWrite::Made(job) => {
                assert_eq!(job.id, self.last_job + 1, "job ids are dense");
                self.last_job = job.id;
                self.jobs.insert(job.id, job.clone());
            }
            JobWrite::Changed { before, after } => {
                assert_eq!(before.id, after.id);
                let was = self.jobs.insert(after.id, after.clone());
                assert_eq!(was.as_ref(), Some(before));
            }
            JobWrite::Pruned(job) => {
                assert_eq!(job.status, JobStatus::Completed);
                assert_eq!(self.jobs.remove(&job.id).as_ref(), Some(job));
                *self.pruned.entry(job.handler.clone()).or_default() += 1;
            }
        }
    }
}

impl Lookup for Memory {
    fn head(&self) -> Result<Head, StoreError> {
        Ok(Head {
            position: Position(self.events.len() as u64),
            decision: self.decisions.len() as u64,
        })
    }

    fn stream(&self, stream: &StreamName) -> Result<Option<StreamInfo>, StoreError> {
        Ok(self.streams.get(stream).cloned())
    }

    fn event_at(&self, position: Position) -> Result<Option<Event>, StoreError> {
        let mut events = self.events.iter().map(|placed| &placed.event);
        Ok(events.find(|event| event.position == position).cloned())
    }

    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Event>, StoreError> {
        let mut events = self.stream_events(stream).map(|placed| &placed.event);
        Ok(events.find(|event| event.revision == revision).cloned())
    }

    fn position_of(&self, event_id: &str) -> Result<Option<Position>, StoreError> {
        let mut events = self.events.iter().map(|placed| &placed.event);
        let found = events.find(|event| event.event_id == event_id);
        Ok(found.map(|event| event.position))
    }

    fn decision(&self, sequence: u64) -> Result<Option<Decision>, StoreError> {
        let mut decisions = self.decisions.iter();
        let found = decisions.find(|decision| decision.sequence == sequence);
        Ok(found.cloned())
    }

    fn sequence_of(&self, command_id: &str) -> Result<Option<u64>, StoreError> {
        let mut decisions = self.decisions.iter();
        let found = decisions.find(|decision| decision.command_id == command_id);
        Ok(found.map(|decision| decision.sequence))
    }

    fn last_hold(&self, category: &str, key: &UniqueKey) -> Result<Option<KeyHold>, StoreError> {
        let holds = self.holds.get(&(category.to_owned(), key.clone()));
        Ok(holds.and_then(|holds| holds.last()).cloned())
    }
}

impl JobLookup for Memory {
    fn job(&self, id: u64) -> Result<Option<Job>, StoreError> {
        Ok(self.jobs.get(&id).cloned())
    }

    fn last_job(&self) -> Result<u64, StoreError> {
        Ok(self.last_job)
    }

    fn has_open_job(&self, position: Position, handler: &str) -> Result<bool, StoreError> {
        let mut jobs = self.jobs.values();
        Ok(jobs.any(|job| job.position == position && job.handler == handler && job.is_open()))
    }

    fn jobs_under_way(&self) -> Result<Vec<u64>, StoreError> {
        let jobs = self.jobs.values();
        let under_way = jobs.filter(|job| job.status == JobStatus::Processing);
        Ok(under_way.map(|job| job.id).collect())
    }

    fn completed_kept(&self, handler: &str) -> Result<u64, StoreError> {
        Ok(self.completed(handler).count() as u64)
    }

    fn oldest_completed(&self, handler: &str, limit: usize) -> Result<Vec<u64>, StoreError> {
        let oldest = self.completed(handler).take(limit);
        Ok(oldest.map(|job| job.id).collect())
    }
}

impl WriteTxn for Memory {
    fn apply(&mut self, batch: Arc<Batch>) -> Result<(), StoreError> {
        for placed in &batch.events {
            let event = &placed.event;
            assert_eq!(event.position, self.head()?.position.next());
            let before = self.stream_events(&event.stream).next_back();
            let revision = before.map_or(Revision::ZERO, |placed| placed.event.revision);
            assert_eq!(event.revision, revision.next());
            let effective = before.map_or(event.recorded_at, |placed| placed.effective_at);
            assert_eq!(placed.effective_at, effective.max(event.recorded_at));
            assert_eq!(self.position_of(&event.event_id)?, None);
            self.events.push(placed.clone());
        }
        if let Some(write) = &batch.stream {
            let before = self
                .streams
                .insert(write.info.stream.clone(), StreamInfo::clone(&write.info));
            assert_eq!(before.map(|info| info.last_position), write.last_before);
        }
        for write in &batch.keys {
            let place = (write.category().to_owned(), write.key.clone());
            let holds = self.holds.entry(place).or_default();
            holds.retain(|hold| hold.since != write.hold.since);
            holds.push(write.hold.clone());
            assert!(holds.is_sorted_by_key(|hold| hold.since));
        }
        if let Some(decision) = &batch.decision {
            assert_eq!(decision.sequence, self.head()?.decision + 1);
            assert_eq!(self.sequence_of(&decision.command_id)?, None);
            self.decisions.push(decision.clone());
        }
        for write in &batch.jobs {
            self.write_job(write);
        }
        Ok(())
    }
}
