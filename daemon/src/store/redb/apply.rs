//! Writing a batch into the tables: records, and every index of them.
//!
//! Decides nothing: a batch says all that is to be written. Owns what only this engine has: the numbers of streams, the
//! indexes and the counters. An error leaves the transaction half written, so it must be given up.

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::open_tables::WriteTables;
use super::record::{
    Rejections, decode_rejections, encode_decision, encode_event, encode_job, encode_stream,
};
use super::tables::{PRUNED, day, status_code};
use crate::store::write::{Batch, JobWrite, KeyWrite, Placed, StreamWrite, WriteTxn, missing};
use crate::store::{Job, Snapshot, StoreError};

type StoreResult<T> = Result<T, StoreError>;

impl WriteTxn for WriteTables<'_> {
    fn apply(&mut self, batch: &Batch) -> StoreResult<()> {
        if let Some(write) = &batch.stream {
            self.write_stream(write, &batch.events)?;
        }
        for write in &batch.keys {
            self.write_key(write)?;
        }
        if let Some(decision) = &batch.decision {
            self.write_decision(decision)?;
        }
        for write in &batch.jobs {
            self.write_job(write)?;
        }
        Ok(())
    }
}

impl WriteTables<'_> {
    fn write_stream(&mut self, write: &StreamWrite, events: &[Placed]) -> StoreResult<()> {
        let StreamWrite { last_before, info } = write;
        let number = match last_before {
            None => self.new_number(&info.stream)?,
            Some(_) => self
                .number(&info.stream)?
                .ok_or_else(|| missing(format!("the number of `{}`", info.stream)))?,
        };
        self.streams
            .insert(number, encode_stream(info).as_slice())?;
        if events.is_empty() {
            return Ok(());
        }
        for placed in events {
            self.write_event(number, placed)?;
        }
        if let Some(last_before) = last_before {
            self.streams_by_last.remove(last_before.0)?;
        }
        self.streams_by_last.insert(info.last_position.0, number)?;
        let category = info.stream.category();
        let counts = self.categories.get(category)?;
        let (streams, total) = counts.map_or((0, 0), |counts| counts.value());
        let streams = streams + u64::from(last_before.is_none());
        let total = total + events.len() as u64;
        self.categories.insert(category, (streams, total))
    }

    fn new_number(&mut self, stream: &StreamName) -> StoreResult<u64> {
        let last = self.streams.last()?.map_or(0, |(number, _)| number.value());
        self.stream_numbers.insert(stream.as_str(), last + 1)?;
        Ok(last + 1)
    }

    fn write_event(&mut self, number: u64, placed: &Placed) -> StoreResult<()> {
        let event = &placed.event;
        let (position, micros) = (event.position.0, event.recorded_at.as_micros());
        let place = (number, event.revision.0);
        self.events
            .insert(position, encode_event(event).as_slice())?;
        self.event_ids.insert(event.event_id.as_str(), position)?;
        self.stream_events
            .insert(place, (position, placed.effective_at.as_micros()))?;
        if placed.is_late() {
            self.late_events.insert(place, micros)?;
        }
        self.by_category
            .insert((event.stream.category(), position), ())?;
        self.by_type
            .insert((event.event_type.as_str(), position), ())?;
        if let Some(actor) = event.actor.as_deref() {
            self.by_actor.insert((actor, position), ())?;
        }
        if let Some(correlation) = event.correlation_id.as_deref() {
            self.by_correlation.insert((correlation, position), ())?;
        }
        self.by_time.insert((day(micros), position), micros)
    }

    pub(super) fn write_key(&mut self, write: &KeyWrite) -> StoreResult<()> {
        let KeyWrite { key, hold } = write;
        let (name, value) = (key.name.as_str(), key.value.as_str());
        let until = hold.until.map_or(0, |until| until.0);
        let until_at = hold.until_at.map_or(0, Timestamp::as_micros);
        self.keys.insert(
            (write.category(), name, value, hold.since.0),
            (
                hold.stream.as_str(),
                until,
                hold.since_at.as_micros(),
                until_at,
            ),
        )
    }

    fn write_decision(&mut self, decision: &Decision) -> StoreResult<()> {
        let sequence = decision.sequence;
        let rejected = matches!(decision.result, Outcome::Rejected { .. });
        let before = match self.decisions.last()? {
            Some((last, record)) => decode_rejections(last.value(), record.value())?,
            None => Rejections::default(),
        };
        let record = encode_decision(decision, before.and(decision));
        self.decisions.insert(sequence, record.as_slice())?;
        self.command_ids
            .insert(decision.command_id.as_str(), sequence)?;
        self.stream_decisions
            .insert((decision.stream.as_str(), sequence), rejected)
    }

    pub(super) fn write_job(&mut self, write: &JobWrite) -> StoreResult<()> {
        match write {
            JobWrite::Made(job) => {
                self.jobs_by_stream
                    .insert((job.stream.as_str(), job.id), ())?;
                self.jobs_by_event.insert((job.position.0, job.id), ())?;
                self.put_job(job)
            }
            JobWrite::Changed { before, after } => {
                let (handler, status) = (before.handler.as_str(), status_code(before.status));
                self.jobs_by_handler.remove((handler, status, before.id))?;
                self.count_jobs(handler, status, -1)?;
                self.put_job(after)
            }
            JobWrite::Pruned(job) => {
                let (handler, status) = (job.handler.as_str(), status_code(job.status));
                self.jobs.remove(job.id)?;
                self.jobs_by_handler.remove((handler, status, job.id))?;
                self.jobs_by_stream.remove((job.stream.as_str(), job.id))?;
                self.jobs_by_event.remove((job.position.0, job.id))?;
                self.count_jobs(handler, PRUNED, 1)
            }
        }
    }

    /// Writes a job's record, and the indexes of its status.
    fn put_job(&mut self, job: &Job) -> StoreResult<()> {
        let (handler, stream) = (job.handler.as_str(), job.stream.as_str());
        let status = status_code(job.status);
        self.jobs.insert(job.id, encode_job(job).as_slice())?;
        self.jobs_by_handler.insert((handler, status, job.id), ())?;
        self.count_jobs(handler, status, 1)?;
        if job.is_open() {
            self.jobs_open.insert((handler, stream, job.id), ())
        } else {
            self.jobs_open.remove((handler, stream, job.id))
        }
    }

    fn count_jobs(&mut self, handler: &str, status: u8, change: i64) -> StoreResult<()> {
        let count = self.job_count(handler, status)?;
        let count = count.saturating_add_signed(change);
        self.job_counts.insert((handler, status), count)
    }

    /// Saves a snapshot of a stream that has events.
    pub(super) fn save_snapshot(&mut self, snapshot: &Snapshot) -> StoreResult<()> {
        let Some(number) = self.number(&snapshot.stream)? else {
            return Ok(());
        };
        let hash = snapshot.rules_hash.as_str();
        self.snapshots.insert(
            (number, hash, snapshot.revision.0),
            snapshot.state.as_slice(),
        )
    }
}
