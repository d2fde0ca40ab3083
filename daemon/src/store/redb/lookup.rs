//! Single records, read inside a transaction. Inside a write transaction, what earlier batches of the same group wrote is
//! there already.

use redb::{Key, Value};
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::counted;
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::keys::UniqueKey;

use super::FILE_NAME;
use super::open_tables::{OpenTables, Slot, Transaction};
use super::record::{decode_job, decode_stream};
use super::tables::{PRUNED, status_code};
use super::view::hold_of;
use crate::store::write::missing;
use crate::store::{Job, KeyHold, StoreError, StreamInfo};

type StoreResult<T> = Result<T, StoreError>;

/// Refuses an index that has another number of entries than there are records: what it does not have may be there all the same.
pub(super) fn counted<T: Transaction, K: Key + 'static, V: Value + 'static>(
    what: &str,
    index: &Slot<T, K, V>,
    records: u64,
) -> StoreResult<()> {
    let entries = index.len()?;
    if entries == records {
        return Ok(());
    }
    Err(StoreError::Damaged {
        place: format!("the index of {what} in `{FILE_NAME}`"),
        detail: format!(
            "it has {} for {}; `whodunit verify` says more",
            counted::counted(entries, "entry"),
            counted::counted(records, "record")
        ),
    })
}

impl<T: Transaction> OpenTables<T> {
    /// A stream's number. That there is none is believed only of an index that has as many entries as there are streams.
    pub(super) fn number(&self, stream: &StreamName) -> StoreResult<Option<u64>> {
        let number = self.number_so_far(stream)?;
        if number.is_none() {
            counted("stream names", &self.stream_numbers, self.streams.len()?)?;
        }
        Ok(number)
    }

    /// A stream's number, while streams are being written.
    pub(super) fn number_so_far(&self, stream: &StreamName) -> StoreResult<Option<u64>> {
        let number = self.stream_numbers.get(stream.as_str())?;
        Ok(number.map(|number| number.value()))
    }

    /// The record of a stream that has this number.
    pub(super) fn info(&self, number: u64) -> StoreResult<StreamInfo> {
        let record = self.streams.get(number)?;
        let record = record.ok_or_else(|| missing(format!("the record of stream {number}")))?;
        decode_stream(number, record.value())
    }

    /// The ids of an event's jobs, in the order in which they were made.
    pub(super) fn ids_of_event(&self, position: Position) -> StoreResult<Vec<u64>> {
        counted("jobs by event", &self.jobs_by_event, self.jobs.len()?)?;
        let range = (position.0, 0)..=(position.0, u64::MAX);
        let entries = self.jobs_by_event.range(range)?;
        entries.map(|entry| Ok(entry?.0.value().1)).collect()
    }

    /// How many jobs of a handler are of a status, or under [`PRUNED`] were pruned.
    pub(super) fn job_count(&self, handler: &str, status: u8) -> StoreResult<u64> {
        let count = self.job_counts.get((handler, status))?;
        Ok(count.map_or(0, |count| count.value()))
    }
}

impl<T: Transaction> OpenTables<T> {
    /// A stream's number and its record, which is of that name.
    pub(super) fn numbered(&self, stream: &StreamName) -> StoreResult<Option<(u64, StreamInfo)>> {
        let Some(number) = self.number(stream)? else {
            return Ok(None);
        };
        let info = self.info_of(number, stream.as_str())?;
        Ok(Some((number, info)))
    }

    /// The record of the stream of a number, which a name led to.
    pub(super) fn info_of(&self, number: u64, name: &str) -> StoreResult<StreamInfo> {
        let info = self.info(number)?;
        if info.stream.as_str() == name {
            return Ok(info);
        }
        Err(StoreError::Damaged {
            place: format!("the numbers of the streams in `{FILE_NAME}`"),
            detail: format!("`{name}` leads to the record of `{}`", info.stream),
        })
    }

    /// The record of a stream.
    pub(super) fn stream(&self, stream: &StreamName) -> StoreResult<Option<StreamInfo>> {
        Ok(self.numbered(stream)?.map(|(_, info)| info))
    }

    /// The last hold of a key.
    pub(super) fn last_hold(
        &self,
        category: &str,
        key: &UniqueKey,
    ) -> StoreResult<Option<KeyHold>> {
        self.whole(&self.keys)?;
        let (name, value) = (key.name.as_str(), key.value.as_str());
        let range = (category, name, value, 0)..=(category, name, value, u64::MAX);
        match self.keys.range(range)?.next_back().transpose()? {
            Some((place, hold)) => hold_of(key, place.value(), hold.value()).map(Some),
            None => Ok(None),
        }
    }
}

impl<T: Transaction> OpenTables<T> {
    /// The record of a job.
    pub(super) fn job(&self, id: u64) -> StoreResult<Option<Job>> {
        let record = self.jobs.get(id)?;
        record
            .map(|record| decode_job(id, record.value()))
            .transpose()
    }

    /// The id of the last job; 0 when there is none.
    pub(super) fn last_job(&self) -> StoreResult<u64> {
        self.whole(&self.jobs)?;
        Ok(self.jobs.last()?.map_or(0, |(id, _)| id.value()))
    }

    /// Whether an event has an open job of a handler.
    pub(super) fn has_open_job(&self, position: Position, handler: &str) -> StoreResult<bool> {
        for id in self.ids_of_event(position)? {
            let job = self.job(id)?;
            if job.is_some_and(|job| job.handler == handler && job.is_open()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ids of the jobs that are being processed.
    pub(super) fn jobs_under_way(&self) -> StoreResult<Vec<u64>> {
        let processing = status_code(JobStatus::Processing);
        self.whole(&self.job_counts)?;
        counted("jobs by handler", &self.jobs_by_handler, self.jobs.len()?)?;
        let mut ids = Vec::new();
        for entry in self.job_counts.entries()? {
            let (key, _) = entry?;
            let (handler, status) = key.value();
            if status != processing {
                continue;
            }
            let range = (handler, processing, 0)..=(handler, processing, u64::MAX);
            for job in self.jobs_by_handler.range(range)? {
                ids.push(job?.0.value().2);
            }
        }
        Ok(ids)
    }

    /// How many completed jobs of a handler are kept.
    pub(super) fn completed_kept(&self, handler: &str) -> StoreResult<u64> {
        let completed = self.job_count(handler, status_code(JobStatus::Completed))?;
        Ok(completed.saturating_sub(self.job_count(handler, PRUNED)?))
    }

    /// Ids of the oldest completed jobs of a handler that are kept.
    pub(super) fn oldest_completed(&self, handler: &str, limit: usize) -> StoreResult<Vec<u64>> {
        let completed = status_code(JobStatus::Completed);
        counted("jobs by handler", &self.jobs_by_handler, self.jobs.len()?)?;
        let range = (handler, completed, 0)..=(handler, completed, u64::MAX);
        let oldest = self.jobs_by_handler.range(range)?.take(limit);
        oldest.map(|entry| Ok(entry?.0.value().2)).collect()
    }
}
