//! The sealed part of a log: a redb file that grows by whole batches, and is read beside a tail.
//!
//! Owns the mark in the file that says up to where the log is in it, and the one kind of commit that it knows: durable, and
//! such that the file opens at once however the process ended.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, Durability, ReadTransaction, ReadableDatabase, WriteTransaction};
use whodunit_core::api::verify::VerifyPlace;
use whodunit_core::ids::Position;
use whodunit_core::keys::UniqueKey;

use super::content::note_meta;
use super::file::{File, label_redacted_copy};
use super::guarded_view::GuardedView;
use super::open_tables::OpenTables;
use super::opening::{self, Found, NewStore};
use super::record::decode_stream;
use super::segments::{Parts, SealedCheck, SegmentLookup, SegmentView, head, seal};
use super::view::hold_of;
use super::{RESERVE_NAME, engine, place as watch, tables};
use crate::limits::SEALED_CACHE_BYTES;
use crate::store::chain::Chain;
use crate::store::check::{Check, Scope, pages};
use crate::store::disk::head::LogEnd;
use crate::store::disk::reserve::Reserve;
use crate::store::disk::{Disk, StoreId};
use crate::store::wal::Place;
use crate::store::write::{Batch, JobLookup};
use crate::store::{Head, KeyHold, ReadOnly, Snapshot, StoreError, StreamInfo, TableSize};

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
    parts: Arc<Parts>,
    durability: Durability,
}

impl SealedFile {
    /// Opens the file of a data directory, making both where they are absent. `replay` is given the file, its store, and up
    /// to where the log is in it (`None`: it was just made), and finds where the log ends behind that, and the ends of its
    /// frames on the way; no log that ends before what was acknowledged, or is another, is opened.
    pub(crate) fn open<T>(
        on: &Arc<dyn Disk>,
        directory: &Path,
        new: NewStore,
        durable: bool,
        replay: impl FnOnce(&Self, StoreId, Option<Mark>) -> StoreResult<(T, LogEnd, Vec<Mark>)>,
    ) -> StoreResult<(Self, T)> {
        let disk = on.as_ref();
        let found = opening::find(disk, directory, new)?;
        opening::guarded(&found.path.clone(), || {
            let store = found.pages.header().store;
            let mark = mark(&found.database)?;
            let noting = found.noting();
            let at_directory = opening::at_directory(directory);
            let reserve = Reserve::open(disk, &directory.join(RESERVE_NAME));
            let reserve = Arc::new(reserve.map_err(at_directory)?);
            let Found {
                database,
                pages,
                path,
                ..
            } = found;
            pages.set_reserve(Arc::clone(&reserve));
            let identity = pages.identity().map_err(at_directory)?;
            let place = watch::Place::new(Arc::clone(on), path, identity, reserve);
            let sealed = Self {
                file: Arc::new(File::new(database, pages, place)?),
                parts: Arc::new(Parts::new(store, SEALED_CACHE_BYTES)),
                durability: if durable {
                    Durability::Immediate
                } else {
                    Durability::None
                },
            };
            let (replayed, end, marks) = sealed.file.guarded(|| replay(&sealed, store, mark))?;
            let noted = noting.begin(disk, directory, end, &marks)?;
            if durable {
                // What a crash may take is not noted.
                sealed.file.note_in(noted);
            }
            Ok((sealed, replayed))
        })
    }

    /// Notes beside the store that everything up to here is acknowledged.
    pub(crate) fn acknowledge(&self, end: LogEnd) {
        self.file.acknowledge(end);
    }

    /// Why the note of what was acknowledged would be of no use; `None` when it would be, or there is none.
    pub(crate) fn head_note_misfit(&self) -> Option<String> {
        self.file.head_note_misfit()
    }

    /// Why nothing may be written now; `log` is the write-ahead log's own reason.
    pub(crate) fn read_only(&self, log: Option<ReadOnly>) -> Option<ReadOnly> {
        self.file.read_only(log)
    }

    /// Whether it is where it will be looked for.
    pub(crate) fn is_in_place(&self) -> bool {
        self.file.is_in_place()
    }

    /// The room that is kept for the last writes.
    pub(crate) fn reserve(&self) -> Arc<Reserve> {
        Arc::clone(self.file.reserve())
    }

    /// After a write that failed: looks whether the engine takes writes still.
    pub(crate) fn look_again(&self) {
        self.file.look_again();
    }

    /// Does something that may come upon a damaged page, which the error names then.
    pub(crate) fn guarded<T>(&self, act: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
        self.file.guarded(act)
    }

    /// The same for what writes: a panic that no damaged page explains goes on.
    pub(crate) fn guarded_write<T>(&self, act: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
        self.file.guarded_write(act)
    }

    /// The file as it is now.
    pub(crate) fn read(&self) -> StoreResult<SealedRead> {
        self.file.with(|database| {
            let txn = database.begin_read().map_err(engine(READING))?;
            SealedRead::new(&self.file, &self.parts, Arc::new(txn))
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
        if let Some(mark) = mark {
            let before = write_mark(&txn, mark)?;
            let before = before.map_or(Chain::START, |before| before.chain);
            let batches: Vec<&Batch> = batches.into_iter().collect();
            let mut tables = OpenTables::new(&&txn);
            seal(&mut tables, &self.parts, &batches, (before, mark.chain))?;
            tables.note_entries()?;
        }
        {
            let mut tables = OpenTables::new(&&txn);
            for snapshot in snapshots {
                tables.save_snapshot(snapshot)?;
            }
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
        self.file.pages().bytes_on_disk().unwrap_or(0)
    }

    /// Gives the file up. Idempotent.
    pub(crate) fn close(&self) -> StoreResult<()> {
        self.file.close()
    }
}

/// Writes up to where the log is in the file; what it said before.
pub(super) fn write_mark(txn: &WriteTransaction, mark: Mark) -> StoreResult<Option<Mark>> {
    let doing = "sealing the log";
    let mut meta = txn.open_table(tables::META).map_err(engine(doing))?;
    let before = meta.insert(SEALED, mark.encode().as_slice());
    let before = before.map_err(engine(doing))?;
    let before = before.map(|before| decode(before.value())).transpose()?;
    drop(meta);
    note_meta(txn)?;
    Ok(before)
}

/// Up to where the log is in a file; `None` where it was just made.
pub(super) fn mark(database: &Database) -> StoreResult<Option<Mark>> {
    mark_in(&database.begin_read().map_err(engine(READING))?)
}

fn mark_in(txn: &ReadTransaction) -> StoreResult<Option<Mark>> {
    let meta = txn.open_table(tables::META).map_err(engine(READING))?;
    let mark = meta.get(SEALED).map_err(engine(READING))?;
    mark.map(|mark| decode(mark.value())).transpose()
}

fn decode(mark: &[u8]) -> StoreResult<Mark> {
    Mark::decode(mark).ok_or_else(|| StoreError::Damaged {
        place: "the store's file".to_owned(),
        detail: "its mark does not decode".to_owned(),
    })
}

const READING: &str = "reading what is sealed";

/// The file at one moment.
pub(crate) struct SealedRead {
    file: Arc<File>,
    parts: Arc<Parts>,
    txn: Arc<ReadTransaction>,
    head: Head,
}

impl SealedRead {
    fn new(file: &Arc<File>, parts: &Arc<Parts>, txn: Arc<ReadTransaction>) -> StoreResult<Self> {
        let head = head(&OpenTables::new(&txn), parts)?;
        Ok(Self {
            file: Arc::clone(file),
            parts: Arc::clone(parts),
            txn,
            head,
        })
    }

    /// The transaction that it is read in.
    pub(super) fn txn(&self) -> &Arc<ReadTransaction> {
        &self.txn
    }

    /// Up to where the log is in it.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// A view of it.
    pub(crate) fn view(&self) -> GuardedView<SegmentView> {
        let view = SegmentView::new(&self.txn, Arc::clone(&self.parts), self.head);
        GuardedView::new(view, Arc::clone(&self.file))
    }

    /// Its records, for planning.
    pub(crate) fn lookup(&self) -> Box<dyn JobLookup + Send> {
        let parts = Arc::clone(&self.parts);
        Box::new(SegmentLookup::new(&self.txn, parts, self.head))
    }

    /// The chain's value behind it.
    pub(crate) fn chain(&self) -> StoreResult<Chain> {
        let mark = self.file.guarded(|| mark_in(&self.txn))?;
        Ok(mark.map_or(Chain::START, |mark| mark.chain))
    }

    /// Looks at everything that is sealed.
    pub(crate) fn check(&self, scope: Scope, check: &mut Check<'_>) -> StoreResult<()> {
        let place = || VerifyPlace::table("meta");
        let mark = self.file.guarded(|| mark_in(&self.txn));
        let Some(mark) = check.readable(place, mark)? else {
            return Ok(());
        };
        let sealed = SealedCheck::new(&self.file, &self.txn, self.head);
        match scope {
            Scope::Quick => sealed.quick(mark, check),
            Scope::All => sealed.all(mark, check),
        }
    }

    /// Reads every page of the file, those too that nothing refers to.
    pub(crate) fn check_pages(&self, check: &mut Check<'_>) -> StoreResult<()> {
        pages::check(self.file.pages(), check)
    }

    /// Hands the record of every stream to `each`; `None` for one that cannot be read.
    pub(crate) fn each_stream(
        &self,
        each: &mut dyn FnMut(Option<&StreamInfo>) -> StoreResult<()>,
    ) -> StoreResult<()> {
        self.file.guarded(|| {
            let tables = OpenTables::new(&self.txn);
            for entry in tables.streams.entries()? {
                let (number, record) = entry?;
                let info = decode_stream(number.value(), record.value());
                each(info.ok().as_ref())?;
            }
            Ok(())
        })
    }

    /// The hold of a key that began at a position.
    pub(crate) fn hold(
        &self,
        category: &str,
        key: &UniqueKey,
        since: Position,
    ) -> StoreResult<Option<KeyHold>> {
        self.file.guarded(|| {
            let tables = OpenTables::new(&self.txn);
            let place = (category, key.name.as_str(), key.value.as_str(), since.0);
            let hold = tables.keys.get(place)?;
            hold.map(|hold| hold_of(key, place, hold.value()))
                .transpose()
        })
    }

    /// Hands every hold of a key to `each`.
    pub(crate) fn each_hold(
        &self,
        each: &mut dyn FnMut(&str, &UniqueKey, &KeyHold) -> StoreResult<()>,
    ) -> StoreResult<()> {
        self.file.guarded(|| {
            let tables = OpenTables::new(&self.txn);
            for entry in tables.keys.entries()? {
                let (place, hold) = entry?;
                let (category, name, value, since) = place.value();
                let key = UniqueKey {
                    name: name.to_owned(),
                    value: value.to_owned(),
                };
                let hold = hold_of(&key, (category, name, value, since), hold.value())?;
                each(category, &key, &hold)?;
            }
            Ok(())
        })
    }

    /// What each table takes, and last what pages of the file take that no table uses.
    pub(crate) fn sizes(&self) -> StoreResult<Vec<TableSize>> {
        let mut sizes = OpenTables::new(&self.txn).sizes()?;
        let pages = self.file.pages().len().unwrap_or(0);
        let used: u64 = sizes.iter().map(TableSize::bytes).sum();
        sizes.push(TableSize {
            name: "no table",
            entries: 0,
            stored: 0,
            branches: 0,
            unused: pages.saturating_sub(used),
        });
        Ok(sizes)
    }

    /// How many streams and snapshots there are.
    pub(crate) fn counts(&self) -> StoreResult<(u64, u64)> {
        self.file.guarded(|| {
            let tables = OpenTables::new(&self.txn);
            tables.whole(&tables.streams)?;
            Ok((tables.streams.len()?, tables.snapshots.len()?))
        })
    }
}
