//! The sealed part of a log: a redb file that grows by whole batches, and is read beside a tail.
//!
//! Owns the mark in the file that says up to where the log is in it, and the one kind of commit that it knows: durable, and
//! such that the file opens at once however the process ended.

use std::path::{Path, PathBuf};
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

use super::file::{File, check_format, label_redacted_copy, open_error};
use super::key_view::hold_of;
use super::open_tables::OpenTables;
use super::record::{decode_decision, decode_event, decode_job, decode_stream};
use super::view::RedbView;
use super::{CACHE_BYTES, FILE_NAME, engine, opening, tables};
use crate::store::chain::Chain;
use crate::store::wal::Place;
use crate::store::write::{Batch, JobLookup, Lookup, WriteTxn, missing};
use crate::store::{Head, Job, KeyHold, Snapshot, StoreError, StreamInfo, View};

type StoreResult<T> = Result<T, StoreError>;

/// Key of the mark in `META`.
const SEALED: &str = "sealed";
/// Key of the store's id in `META`.
const STORE: &str = "store";

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
    file: File,
    path: PathBuf,
    durability: Durability,
}

/// What a file says of itself when it is opened.
pub(crate) struct Identity {
    /// The store that it belongs to.
    pub(crate) store: [u8; 16],
    /// Up to where the log is in it; `None` for one that was just made.
    pub(crate) mark: Option<Mark>,
}

impl SealedFile {
    /// Opens the file in a data directory, making both where they are absent. A new one belongs to the store `new`.
    pub(crate) fn open(
        directory: &Path,
        durable: bool,
        new: [u8; 16],
    ) -> StoreResult<(Self, Identity)> {
        let at_directory = |error: std::io::Error| StoreError::Engine {
            doing: "making the data directory",
            source: format!("{}: {error}", directory.display()).into(),
        };
        opening::make_directory(directory).map_err(at_directory)?;
        let path = directory.join(FILE_NAME);
        opening::make_private_file(&path).map_err(at_directory)?;
        let opened = opening::guarded(&path, || {
            let database = Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create(&path)
                .map_err(|error| open_error(&path, error))?;
            check_format(&database, &path)?;
            let identity = identity(&database, new)?;
            let durability = if durable {
                Durability::Immediate
            } else {
                Durability::None
            };
            let sealed = Self {
                file: File::new(database)?,
                path: path.clone(),
                durability,
            };
            Ok((sealed, identity))
        })?;
        opening::sync_directory(directory).map_err(at_directory)?;
        Ok(opened)
    }

    /// The file as it is now.
    pub(crate) fn read(&self) -> StoreResult<SealedRead> {
        self.file.with(|database| {
            let txn = database.begin_read().map_err(engine(READING))?;
            SealedRead::new(Arc::new(txn))
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
        std::fs::metadata(&self.path).map_or(0, |meta| meta.len())
    }

    /// Gives the file up. Idempotent.
    pub(crate) fn close(&self) -> StoreResult<()> {
        self.file.close()
    }
}

/// Reads which store a file belongs to, and gives a new one its store.
fn identity(database: &Database, new: [u8; 16]) -> StoreResult<Identity> {
    let doing = "reading what is sealed";
    let damaged = |what: &str| StoreError::Damaged {
        place: "the store's file".to_owned(),
        detail: format!("{what} does not decode"),
    };
    {
        let txn = database.begin_read().map_err(engine(doing))?;
        let meta = txn.open_table(tables::META).map_err(engine(doing))?;
        if let Some(store) = meta.get(STORE).map_err(engine(doing))? {
            let mark = meta.get(SEALED).map_err(engine(doing))?;
            let mark = mark.map(|mark| Mark::decode(mark.value()).ok_or(damaged("its mark")));
            return Ok(Identity {
                store: store
                    .value()
                    .try_into()
                    .map_err(|_length| damaged("its id"))?,
                mark: mark.transpose()?,
            });
        }
    }
    let doing = "making the store";
    let txn = database.begin_write().map_err(engine(doing))?;
    {
        let mut meta = txn.open_table(tables::META).map_err(engine(doing))?;
        meta.insert(STORE, new.as_slice()).map_err(engine(doing))?;
    }
    txn.commit().map_err(engine(doing))?;
    Ok(Identity {
        store: new,
        mark: None,
    })
}

const READING: &str = "reading what is sealed";

/// The file at one moment, with the tables open that planning looks into.
pub(crate) struct SealedRead {
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
    fn new(txn: Arc<ReadTransaction>) -> StoreResult<Self> {
        macro_rules! open {
            ($table:expr) => {
                txn.open_table($table).map_err(engine(READING))?
            };
        }
        let head = RedbView::of(Arc::clone(&txn))?.head();
        Ok(Self {
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
    pub(crate) fn view(&self) -> StoreResult<RedbView> {
        RedbView::of(Arc::clone(&self.txn))
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
