//! The sealed part of a log: a redb file that grows by whole batches, and is read beside a tail.
//!
//! Owns the mark in the file that says up to where the log is in it, and the one kind of commit that it knows: durable, and
//! such that the file opens at once however the process ended.

use std::path::Path;
use std::sync::Arc;

use redb::{
    Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata,
};
use whodunit_core::api::pipeline::JobStatus;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use super::file::{File, label_redacted_copy};
use super::guarded_view::GuardedView;
use super::key_view::hold_of;
use super::open_tables::OpenTables;
use super::opening::{self, Found, NewStore};
use super::record::{decode_decision, decode_event, decode_job, decode_stream};
use super::view::RedbView;
use super::{engine, tables};
use crate::store::chain::Chain;
use crate::store::disk::pages::PageFile;
use crate::store::disk::{Disk, StoreId};
use crate::store::wal::Place;
use crate::store::write::{Batch, JobLookup, Lookup, WriteTxn, missing};
use crate::store::{Head, Job, KeyHold, Snapshot, StoreError, StreamInfo, View};

type StoreResult<T> = Result<T, StoreError>;

/// Key of the mark in `META`.
const SEALED: &str = "sealed";

/// Up to where a log is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The last frame of the write-ahead log whose batches are all in the file.
    pub(crate) place: Place,
    /// The chain's value behind it.
    pub(crate) chain: Chain,
}

impl Mark {
    fn encode(&self) -> Vec<u8> {
        let Place {
            frame,
            file,
            sector,
        } = self.place;
        let mut bytes = Vec::new();
        for number in [frame, file, sector] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.chain.0);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (numbers, chain) = bytes.split_at_checked(24)?;
        let mut numbers = numbers
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(u64::from_le_bytes);
        let place = Place {
            frame: numbers.next()?,
            file: numbers.next()?,
            sector: numbers.next()?,
        };
        let chain = Chain(chain.try_into().ok()?);
        Some(Self { place, chain })
    }
}

/// The file.
pub(crate) struct SealedFile {
    file: Arc<File>,
    durability: Durability,
}

impl SealedFile {
    /// Opens the file of a data directory, making both where they are absent. `replay` is given the file, its store, and up
    /// to where the log is in it (`None`: it was just made), and finds where the log ends behind that; no log that ends before
    /// what was acknowledged is opened.
    pub(crate) fn open<T>(
        disk: &dyn Disk,
        directory: &Path,
        durable: bool,
        replay: impl FnOnce(&Self, StoreId, Option<Mark>) -> StoreResult<(T, Head)>,
    ) -> StoreResult<(Self, T)> {
        let found = opening::find(disk, directory, NewStore::WhereNothingIsLeft)?;
        opening::guarded(&found.path.clone(), || {
            let store = found.pages.header().store;
            let mark = mark(&found.database)?;
            let noting = found.noting();
            let Found {
                database, pages, ..
            } = found;
            let sealed = Self {
                file: Arc::new(File::new(database, Some(pages), None)?),
                durability: if durable {
                    Durability::Immediate
                } else {
                    Durability::None
                },
            };
            let (replayed, head) = sealed.file.guarded(|| replay(&sealed, store, mark))?;
            sealed.file.note_in(noting.begin(disk, directory, head)?);
            Ok((sealed, replayed))
        })
    }

    /// Notes beside the store that everything up to here is acknowledged.
    pub(crate) fn acknowledge(&self, head: Head) {
        self.file.acknowledge(head);
    }

    /// Does something that may come upon a damaged page, which the error names then.
    pub(crate) fn guarded<T>(&self, act: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
        self.file.guarded(act)
    }

    /// The file as it is now.
    pub(crate) fn read(&self) -> StoreResult<SealedRead> {
        self.file.with(|database| {
            let txn = database.begin_read().map_err(engine(READING))?;
            SealedRead::new(Arc::clone(&self.file), Arc::new(txn))
        })
    }

    /// Writes batches, snapshots and the mark behind them.
    pub(crate) fn seal<'a>(
        &self,
        batches: impl IntoIterator<Item = &'a Batch>,
        snapshots: &[Snapshot],
        mark: Option<Mark>,
    ) -> StoreResult<()> {
        let doing = "sealing the log";
        let mut txn = self
            .file
            .with(|database| database.begin_write().map_err(engine(doing)))?;
        txn.set_quick_repair(true);
        txn.set_durability(self.durability).map_err(engine(doing))?;
        {
            let mut tables = OpenTables::new(&txn);
            for batch in batches {
                tables.apply(batch)?;
            }
            for snapshot in snapshots {
                tables.save_snapshot(snapshot)?;
            }
        }
        if let Some(mark) = mark {
            let mut meta = txn.open_table(tables::META).map_err(engine(doing))?;
            meta.insert(SEALED, mark.encode().as_slice())
                .map_err(engine(doing))?;
        }
        txn.commit().map_err(engine(doing))
    }

    /// Labels the log as a redacted copy.
    pub(crate) fn label_redacted_copy(&self) -> StoreResult<()> {
        let doing = "labelling a redacted copy";
        let mut txn = self
            .file
            .with(|database| database.begin_write().map_err(engine(doing)))?;
        txn.set_quick_repair(true);
        txn.set_durability(self.durability).map_err(engine(doing))?;
        label_redacted_copy(&txn)?;
        txn.commit().map_err(engine(doing))?;
        self.file.now_redacted_copy();
        Ok(())
    }

    /// Whether it holds a redacted copy.
    pub(crate) fn is_redacted_copy(&self) -> bool {
        self.file.is_redacted_copy()
    }

    /// Bytes of the file.
    pub(crate) fn bytes(&self) -> u64 {
        let on_disk = self.file.pages().map(PageFile::bytes_on_disk);
        on_disk.map_or(0, |bytes| bytes.unwrap_or(0))
    }

    /// Gives the file up. Idempotent.
    pub(crate) fn close(&self) -> StoreResult<()> {
        self.file.close()
    }
}

/// Up to where the log is in a file; `None` where it was just made.
fn mark(database: &Database) -> StoreResult<Option<Mark>> {
    let txn = database.begin_read().map_err(engine(READING))?;
    let meta = txn.open_table(tables::META).map_err(engine(READING))?;
    let mark = meta.get(SEALED).map_err(engine(READING))?;
    let damaged = || StoreError::Damaged {
        place: "the store's file".to_owned(),
        detail: "its mark does not decode".to_owned(),
    };
    mark.map(|mark| Mark::decode(mark.value()).ok_or_else(damaged))
        .transpose()
}

const READING: &str = "reading what is sealed";

/// The file at one moment, with the tables open that planning looks into.
pub(crate) struct SealedRead {
    file: Arc<File>,
    txn: Arc<ReadTransaction>,
    head: Head,
    events: ReadOnlyTable<u64, &'static [u8]>,
    decisions: ReadOnlyTable<u64, &'static [u8]>,
    numbers: ReadOnlyTable<&'static str, u64>,
    streams: ReadOnlyTable<u64, &'static [u8]>,
    of_stream: ReadOnlyTable<(u64, u64), (u64, i64)>,
    ids: ReadOnlyTable<&'static str, u64>,
    commands: ReadOnlyTable<&'static str, u64>,
    keys: ReadOnlyTable<tables::HoldKey, tables::Hold>,
    jobs: ReadOnlyTable<u64, &'static [u8]>,
    jobs_by_handler: ReadOnlyTable<(&'static str, u8, u64), ()>,
    jobs_open_by_event: ReadOnlyTable<(u64, &'static str), u64>,
    job_counts: ReadOnlyTable<(&'static str, u8), u64>,
}

impl SealedRead {
    fn new(file: Arc<File>, txn: Arc<ReadTransaction>) -> StoreResult<Self> {
        macro_rules! open {
            ($table:expr) => {
                txn.open_table($table).map_err(engine(READING))?
            };
        }
        let head = RedbView::of(Arc::clone(&txn))?.head();
        Ok(Self {
            file,
            head,
            events: open!(tables::EVENTS),
            decisions: open!(tables::DECISIONS),
            numbers: open!(tables::STREAM_NUMBERS),
            streams: open!(tables::STREAMS),
            of_stream: open!(tables::STREAM_EVENTS),
            ids: open!(tables::EVENT_IDS),
            commands: open!(tables::COMMAND_IDS),
            keys: open!(tables::KEYS),
            jobs: open!(tables::JOBS),
            jobs_by_handler: open!(tables::JOBS_BY_HANDLER),
            jobs_open_by_event: open!(tables::JOBS_OPEN_BY_EVENT),
            job_counts: open!(tables::JOB_COUNTS),
            txn,
        })
    }

    /// A view of it.
    pub(crate) fn view(&self) -> StoreResult<GuardedView> {
        let view = self.file.guarded(|| RedbView::of(Arc::clone(&self.txn)))?;
        Ok(GuardedView::new(view, Arc::clone(&self.file)))
    }

    /// How many streams and snapshots there are.
    pub(crate) fn counts(&self) -> StoreResult<(u64, u64)> {
        let snapshots = self
            .txn
            .open_table(tables::SNAPSHOTS)
            .map_err(engine(READING))?;
        Ok((
            self.streams.len().map_err(engine(READING))?,
            snapshots.len().map_err(engine(READING))?,
        ))
    }

    /// How many jobs of a handler are of a status, or were pruned.
    fn job_count(&self, handler: &str, status: u8) -> StoreResult<u64> {
        let count = self.job_counts.get((handler, status));
        let count = count.map_err(engine(READING))?;
        Ok(count.map_or(0, |count| count.value()))
    }
}

impl Lookup for SealedRead {
    fn head(&self) -> StoreResult<Head> {
        Ok(self.head)
    }

    fn stream(&self, stream: &StreamName) -> StoreResult<Option<StreamInfo>> {
        let number = self.numbers.get(stream.as_str()).map_err(engine(READING))?;
        let Some(number) = number.map(|number| number.value()) else {
            return Ok(None);
        };
        let record = self.streams.get(number).map_err(engine(READING))?;
        let record = record.ok_or_else(|| missing(format!("the record of `{stream}`")))?;
        decode_stream(number, record.value()).map(Some)
    }

    fn event_at(&self, position: Position) -> StoreResult<Option<Event>> {
        let record = self.events.get(position.0).map_err(engine(READING))?;
        record
            .map(|record| decode_event(position.0, record.value()))
            .transpose()
    }

    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Event>> {
        let number = self.numbers.get(stream.as_str()).map_err(engine(READING))?;
        let Some(number) = number.map(|number| number.value()) else {
            return Ok(None);
        };
        let entry = self.of_stream.get((number, revision.0));
        match entry.map_err(engine(READING))? {
            Some(entry) => self.event_at(Position(entry.value().0)),
            None => Ok(None),
        }
    }

    fn position_of(&self, event_id: &str) -> StoreResult<Option<Position>> {
        let position = self.ids.get(event_id).map_err(engine(READING))?;
        Ok(position.map(|position| Position(position.value())))
    }

    fn decision(&self, sequence: u64) -> StoreResult<Option<Decision>> {
        let record = self.decisions.get(sequence).map_err(engine(READING))?;
        record
            .map(|record| decode_decision(sequence, record.value()))
            .transpose()
    }

    fn sequence_of(&self, command_id: &str) -> StoreResult<Option<u64>> {
        let sequence = self.commands.get(command_id).map_err(engine(READING))?;
        Ok(sequence.map(|sequence| sequence.value()))
    }

    fn last_hold(&self, category: &str, key: &UniqueKey) -> StoreResult<Option<KeyHold>> {
        let (name, value) = (key.name.as_str(), key.value.as_str());
        let range = (category, name, value, 0)..=(category, name, value, u64::MAX);
        let mut holds = self.keys.range(range).map_err(engine(READING))?;
        match holds.next_back().transpose().map_err(engine(READING))? {
            Some((place, hold)) => hold_of(key, place.value(), hold.value()).map(Some),
            None => Ok(None),
        }
    }
}

impl JobLookup for SealedRead {
    fn job(&self, id: u64) -> StoreResult<Option<Job>> {
        let record = self.jobs.get(id).map_err(engine(READING))?;
        record
            .map(|record| decode_job(id, record.value()))
            .transpose()
    }

    fn last_job(&self) -> StoreResult<u64> {
        let last = self.jobs.last().map_err(engine(READING))?;
        Ok(last.map_or(0, |(id, _)| id.value()))
    }

    fn has_open_job(&self, position: Position, handler: &str) -> StoreResult<bool> {
        let open = self.jobs_open_by_event.get((position.0, handler));
        Ok(open.map_err(engine(READING))?.is_some())
    }

    fn jobs_under_way(&self) -> StoreResult<Vec<u64>> {
        let processing = tables::status_code(JobStatus::Processing);
        let mut ids = Vec::new();
        for entry in self.job_counts.iter().map_err(engine(READING))? {
            let (key, _) = entry.map_err(engine(READING))?;
            let (handler, status) = key.value();
            if status != processing {
                continue;
            }
            let range = (handler, processing, 0)..=(handler, processing, u64::MAX);
            for job in self.jobs_by_handler.range(range).map_err(engine(READING))? {
                ids.push(job.map_err(engine(READING))?.0.value().2);
            }
        }
        Ok(ids)
    }

    fn completed_kept(&self, handler: &str) -> StoreResult<u64> {
        let completed = self.job_count(handler, tables::status_code(JobStatus::Completed))?;
        Ok(completed.saturating_sub(self.job_count(handler, tables::PRUNED)?))
    }

    fn oldest_completed(&self, handler: &str, limit: usize) -> StoreResult<Vec<u64>> {
        let completed = tables::status_code(JobStatus::Completed);
        let range = (handler, completed, 0)..=(handler, completed, u64::MAX);
        let oldest = self.jobs_by_handler.range(range).map_err(engine(READING))?;
        oldest
            .take(limit)
            .map(|entry| Ok(entry.map_err(engine(READING))?.0.value().2))
            .collect()
    }
}
