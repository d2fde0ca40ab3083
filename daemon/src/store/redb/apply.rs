//! Writing the parts of a batch that are not in segments: keys, jobs and snapshots, and every index of them.
//!
//! Decides nothing: a batch says all that is to be written. Owns what only this engine has: the indexes and the counters. An
//! error leaves the transaction half written, so it must be given up.

use whodunit_core::time::Timestamp;

use super::open_tables::WriteTables;
use super::record::encode_job;
use super::tables::{PRUNED, status_code};
use crate::store::write::{JobWrite, KeyWrite};
use crate::store::{Job, Snapshot, StoreError};

type StoreResult<T> = Result<T, StoreError>;

impl WriteTables<'_> {
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
        let Some(number) = self.number_so_far(&snapshot.stream)? else {
            return Ok(());
        };
        let hash = snapshot.rules_hash.as_str();
        self.snapshots.insert(
            (number, hash, snapshot.revision.0),
            snapshot.state.as_slice(),
        )
    }
}
