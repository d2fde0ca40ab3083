//! The file: opening it, refusing what is not ours, and closing it while readers may still ask.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use redb::{Database, DatabaseError, ReadableDatabase, WriteTransaction};

use super::content::note_meta;
use super::place::Place;
use super::{engine, tables};
use crate::store::disk::head::{HeadFile, LogEnd};
use crate::store::disk::pages::PageFile;
use crate::store::disk::reserve::Reserve;
use crate::store::{ReadOnly, StoreError};

/// The database until it is closed. Locked only for as long as it takes to begin a transaction.
pub(super) struct File {
    database: RwLock<Option<Database>>,
    /// What it is kept in.
    pages: Arc<PageFile>,
    /// Where the acknowledged head is noted.
    acknowledged: OnceLock<HeadFile>,
    /// Where it is.
    place: Place,
    /// Whether a write failed in such a way that the engine takes no more.
    refuses: AtomicBool,
    redacted_copy: AtomicBool,
}

impl File {
    pub(super) fn new(
        database: Database,
        pages: Arc<PageFile>,
        place: Place,
    ) -> Result<Self, StoreError> {
        let redacted = is_redacted_copy(&database)?;
        Ok(Self {
            database: RwLock::new(Some(database)),
            pages,
            acknowledged: OnceLock::new(),
            place,
            refuses: AtomicBool::new(false),
            redacted_copy: AtomicBool::new(redacted),
        })
    }

    /// Whether it holds a redacted copy.
    pub(super) fn is_redacted_copy(&self) -> bool {
        self.redacted_copy.load(Ordering::SeqCst)
    }

    /// Notes that the label of a redacted copy is durable.
    pub(super) fn now_redacted_copy(&self) {
        self.redacted_copy.store(true, Ordering::SeqCst);
    }

    /// Does something with the database, unless it is closed.
    pub(super) fn with<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        act(database.as_ref().ok_or(StoreError::Closed)?)
    }

    /// From now on notes what is acknowledged there; the first place stays.
    pub(super) fn note_in(&self, acknowledged: HeadFile) {
        drop(self.acknowledged.set(acknowledged));
    }

    /// Notes beside the store that everything up to here is acknowledged.
    pub(super) fn acknowledge(&self, end: LogEnd) {
        if let Some(acknowledged) = self.acknowledged.get() {
            acknowledged.acknowledge(end);
        }
    }

    /// Why the note of what was acknowledged would be of no use; `None` when it would be, or there is none.
    pub(super) fn head_note_misfit(&self) -> Option<String> {
        self.acknowledged.get()?.misfit()
    }

    /// The file of pages.
    pub(super) fn pages(&self) -> &PageFile {
        &self.pages
    }

    /// Does something that may come upon a damaged page: see [`guarded`].
    pub(super) fn guarded<T>(
        &self,
        act: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        guarded(self.pages(), act)
    }

    /// The same for what writes: a panic that no damaged page explains goes on, as nothing is known of what was written by then.
    pub(super) fn guarded_write<T>(
        &self,
        act: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let pages = self.pages();
        match catch_unwind(AssertUnwindSafe(act)) {
            Ok(done) => guarded(pages, || done),
            Err(panic) => match pages.damage() {
                Some((place, detail)) => Err(StoreError::Damaged { place, detail }),
                None => resume_unwind(panic),
            },
        }
    }

    /// After a failed commit: looks whether the engine takes writes still. It does not when the disk failed it.
    pub(super) fn look_again(&self) {
        let begun = self.with(|database| {
            let txn = database.begin_write().map_err(engine("beginning"))?;
            txn.abort().map_err(engine("beginning"))
        });
        if begun.is_err() && !self.refuses.swap(true, Ordering::SeqCst) {
            tracing::error!(
                "the disk failed a write: the store is read only until the daemon is started again"
            );
        }
    }

    /// Why nothing may be written now; `log` is the write-ahead log's own reason.
    pub(super) fn read_only(&self, log: Option<ReadOnly>) -> Option<ReadOnly> {
        if self.refuses.load(Ordering::SeqCst) {
            return Some(ReadOnly::DiskFailed);
        }
        self.place.refusal(log)
    }

    /// Whether it is where it will be looked for.
    pub(super) fn is_in_place(&self) -> bool {
        !self.place.is_gone()
    }

    /// The room that is kept for the last writes.
    pub(super) fn reserve(&self) -> &Arc<Reserve> {
        self.place.reserve()
    }

    /// Makes everything durable and gives the file up, so that it can be opened again at once. Idempotent.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        let database = {
            let mut database = self
                .database
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            database.take()
        };
        let Some(database) = database else {
            return Ok(());
        };
        if let Some(acknowledged) = self.acknowledged.get() {
            acknowledged
                .sync()
                .map_err(|error| engine("closing")(redb::Error::Io(error)))?;
        }
        // It frees pages, and may come upon a damaged one.
        guarded(self.pages(), || database.close().map_err(engine("closing")))
    }
}

/// Does something that may come upon a damaged page. Where it does, the error names the page, whatever the engine made of it.
pub(super) fn guarded<T>(
    pages: &PageFile,
    act: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Err(error)) if is_corruption(&error) => Err(damaged(pages)),
        Ok(done) => done,
        // Its message is in the log. A page that the disk left as it was before is whole, and makes no sense all the same.
        Err(_panic) => Err(damaged(pages)),
    }
}

/// The damaged page that was come upon; where no checksum says which, the file.
fn damaged(pages: &PageFile) -> StoreError {
    if let Some((place, detail)) = pages.damage() {
        return StoreError::Damaged { place, detail };
    }
    StoreError::Damaged {
        place: format!("`{}`", pages.name()),
        detail: "it contradicts itself, though no checksum says so; `whodunit verify` says more, and a backup restores it".to_owned(),
    }
}

/// Whether the engine says that its file contradicts itself, which is what it makes of a damaged page.
fn is_corruption(error: &StoreError) -> bool {
    match error {
        StoreError::Engine { source, .. } => {
            matches!(
                source.downcast_ref::<redb::Error>(),
                Some(redb::Error::Corrupted(_))
            )
        }
        _ => false,
    }
}

pub(super) fn open_error(path: &Path, error: DatabaseError) -> StoreError {
    let path = path.display().to_string();
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path },
        DatabaseError::UpgradeRequired(version) => StoreError::UnknownFormat {
            path,
            found: format!("of engine version {version}"),
            known: tables::FORMAT,
        },
        DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::InvalidData =>
        {
            not_ours(path)
        }
        DatabaseError::Storage(redb::StorageError::Corrupted(_)) => not_ours(path),
        other => StoreError::Engine {
            doing: "opening the store",
            source: format!("{path}: {other}").into(),
        },
    }
}

fn not_ours(path: String) -> StoreError {
    StoreError::UnknownFormat {
        path,
        found: "none (it is not a store, or it is damaged)".to_owned(),
        known: tables::FORMAT,
    }
}

/// Refuses a file of another format; makes a new one ours, with every table, so that readers find them.
pub(super) fn check_format(database: &Database, path: &Path) -> Result<(), StoreError> {
    let doing = "reading the store's format";
    let unknown = |found: String| StoreError::UnknownFormat {
        path: path.display().to_string(),
        found,
        known: tables::FORMAT,
    };
    {
        let txn = database.begin_read().map_err(engine(doing))?;
        let is_new = txn.list_tables().map_err(engine(doing))?.next().is_none();
        if !is_new {
            let meta = txn
                .open_table(tables::META)
                .map_err(|_no_such_table| unknown("none".to_owned()))?;
            let format = meta
                .get("format")
                .map_err(engine(doing))?
                .ok_or_else(|| unknown("none".to_owned()))?;
            return match format.value().try_into().map(u32::from_le_bytes) {
                Ok(tables::FORMAT) => Ok(()),
                Ok(other) => Err(unknown(other.to_string())),
                Err(_) => Err(unknown("unreadable".to_owned())),
            };
        }
    }
    let doing = "making the store";
    let txn = database.begin_write().map_err(engine(doing))?;
    {
        let mut meta = txn.open_table(tables::META).map_err(engine(doing))?;
        meta.insert("format", tables::FORMAT.to_le_bytes().as_slice())
            .map_err(engine(doing))?;
        tables::open_all(&txn).map_err(engine(doing))?;
    }
    txn.commit().map_err(engine(doing))
}

/// Key of the mark of a redacted copy in `META`.
const REDACTED_COPY: &str = "redacted_copy";

fn is_redacted_copy(database: &Database) -> Result<bool, StoreError> {
    let doing = "reading the store's label";
    let txn = database.begin_read().map_err(engine(doing))?;
    let meta = txn.open_table(tables::META).map_err(engine(doing))?;
    let mark = meta.get(REDACTED_COPY).map_err(engine(doing))?;
    Ok(mark.is_some())
}

/// Writes the mark of a redacted copy.
pub(super) fn label_redacted_copy(txn: &WriteTransaction) -> Result<(), StoreError> {
    let doing = "labelling a redacted copy";
    let mut meta = txn.open_table(tables::META).map_err(engine(doing))?;
    let labelled = meta.insert(REDACTED_COPY, [1].as_slice());
    labelled.map(drop).map_err(engine(doing))?;
    drop(meta);
    note_meta(txn)
}
