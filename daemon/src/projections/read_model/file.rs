//! A read model's file: opening it, telling whether it can be used, giving it up.
//!
//! Owns the tables and the meta, which says by which rules and up to where a read model was made. Documents, indexes,
//! log and meta move in one transaction: that is what makes every event exactly once in effect. The file is derived
//! data: one that is damaged or of another format is moved aside and rebuilt, never an error for a reader.

mod errors;
mod moves;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use redb::backends::InMemoryBackend;
use redb::{Database, Durability, ReadableDatabase, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use whodunit_core::ids::Position;

use super::super::error::ProjectionError;
use super::super::projection::Projection;
use super::read_view::ReadView;
use crate::limits::READ_MODEL_CACHE_BYTES;
use crate::store::StoreId;
use crate::store::disk::pages::{Kind, OpenError, PageFile, PageHeader};
use crate::store::disk::{Disk, RealDisk};
use crate::store::redb::backend::PageBackend;
use crate::store::redb::opening::unfinished;
pub(crate) use errors::{engine, guarded};
pub(crate) use moves::{move_aside, replace, try_room};

/// Format number of the file.
const FORMAT: u32 = 3;

/// `format` → [`FORMAT`] as four bytes, little endian; `checkpoint` → the [`CheckpointMeta`] as JSON.
const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
/// Stream name → document, see `record`.
pub(crate) const DOCUMENTS: TableDefinition<'static, &str, &[u8]> =
    TableDefinition::new("documents");
/// Stream name → number of the stream in this read model, from 1.
pub(crate) const NUMBERS: TableDefinition<'static, &str, u64> = TableDefinition::new("numbers");
/// Row, from 0 → [`APPLY_LOG_ROW_ENTRIES`] entries of the apply log, see `record`; the last row may have fewer.
pub(crate) const APPLY_LOG: TableDefinition<'static, u64, &[u8]> =
    TableDefinition::new("apply_log");
/// (Sort, sort value, stream name).
pub(crate) const INDEX: TableDefinition<'static, (&str, &[u8], &str), ()> =
    TableDefinition::new("index");

/// Entries of a row of the apply log.
pub(crate) const APPLY_LOG_ROW_ENTRIES: u64 = 512;

/// By which rules a read model was made, and up to where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckpointMeta {
    /// The projection's code and its models.
    pub(crate) rules: String,
    /// The sorts that are indexed.
    pub(crate) sorts: String,
    /// The last position that was looked at.
    pub(crate) checkpoint: Position,
    /// Id of the event there: proves that the log is the one that the read model was made from.
    pub(crate) anchor: Option<String>,
    /// How many entries the apply log has.
    pub(crate) applied: u64,
    /// The last stream number given.
    pub(crate) numbers: u64,
    /// Whether the indexes are complete. They are made last in a rebuild.
    pub(crate) indexed: bool,
}

impl CheckpointMeta {
    /// That of a read model before its first event.
    pub(crate) fn new(projection: &dyn Projection, rules: &str) -> Self {
        let sorts: Vec<_> = projection.sorts().iter().map(|sort| sort.name).collect();
        Self {
            rules: rules.to_owned(),
            sorts: sorts.join(","),
            checkpoint: Position::ZERO,
            anchor: None,
            applied: 0,
            numbers: 0,
            indexed: true,
        }
    }
}

/// When what is committed is to survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// From the commit on.
    Now,
    /// With a later commit that is durable; until then it is seen, and may be lost.
    Later,
}

/// Why a file cannot be used as it is.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It is damaged, or of another format or shape: it is to be moved aside.
    File(String),
    /// The disk or the directory failed: another file would not help.
    Disk(ProjectionError),
}

/// An open read model. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub(crate) struct ReadModel(Arc<RwLock<Option<Database>>>);

impl ReadModel {
    /// One in memory, gone when it is closed.
    pub(crate) fn in_memory(meta: &CheckpointMeta) -> Result<Self, ProjectionError> {
        let database = Database::builder()
            .set_cache_size(READ_MODEL_CACHE_BYTES)
            .create_with_backend(InMemoryBackend::new())
            .map_err(engine("making a read model in memory"))?;
        make(&database, meta)?;
        Ok(Self::from_database(database))
    }

    /// Opens a file of this store, making it and its directory where they are absent, and reads its meta. `fresh` is that of a
    /// new one.
    pub(crate) fn open(
        path: &Path,
        fresh: &CheckpointMeta,
        store: StoreId,
    ) -> Result<(Self, CheckpointMeta), Unusable> {
        let disk = &RealDisk;
        let directory = path.parent().unwrap_or(Path::new("."));
        let on_disk = |source: std::io::Error| {
            Unusable::Disk(ProjectionError::Disk {
                doing: format!("making `{}`", directory.display()),
                source,
            })
        };
        disk.make_directory(directory).map_err(on_disk)?;
        let is_there = disk.identity(path).map_err(on_disk)?.is_some();
        let opened = if is_there {
            open_pages(disk, path, store).and_then(|pages| on_pages(pages, fresh))
        } else {
            make_pages(disk, path, store).and_then(|pages| {
                let made = on_pages(pages, fresh)?;
                disk.rename(&unfinished(path), path).map_err(on_disk)?;
                Ok(made)
            })
        };
        let opened = opened?;
        disk.sync_directory(directory).map_err(on_disk)?;
        Ok(opened)
    }

    /// One whose engine is set up already.
    pub(crate) fn from_database(database: Database) -> Self {
        Self(Arc::new(RwLock::new(Some(database))))
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, ProjectionError>,
    ) -> Result<T, ProjectionError> {
        let database = self.0.read().unwrap_or_else(PoisonError::into_inner);
        act(database.as_ref().ok_or(ProjectionError::Closed)?)
    }

    /// Begins to write.
    pub(crate) fn write(&self, durable: Durable) -> Result<WriteTransaction, ProjectionError> {
        let doing = "beginning to write";
        self.with(|database| {
            let mut txn = database.begin_write().map_err(engine(doing))?;
            txn.set_durability(match durable {
                Durable::Now => Durability::Immediate,
                Durable::Later => Durability::None,
            })
            .map_err(engine(doing))?;
            // Opening after a kill is then a matter of milliseconds, not of reading the whole file.
            txn.set_quick_repair(durable == Durable::Now);
            Ok(txn)
        })
    }

    /// A read view: the read model at one moment.
    pub(crate) fn read(&self) -> Result<ReadView, ProjectionError> {
        let doing = "beginning to read";
        let txn = self.with(|database| database.begin_read().map_err(engine(doing)))?;
        let meta = {
            let meta = txn.open_table(META).map_err(engine(doing))?;
            let meta = meta.get("checkpoint").map_err(engine(doing))?;
            decode_meta(meta.as_ref().map(redb::AccessGuard::value))?
        };
        Ok(ReadView {
            txn,
            meta,
            _model: self.clone(),
        })
    }

    /// Gives the file up. Later reads and writes answer [`ProjectionError::Closed`]. Idempotent.
    pub(crate) fn close(&self) -> Result<(), ProjectionError> {
        let database = {
            let mut database = self.0.write().unwrap_or_else(PoisonError::into_inner);
            database.take()
        };
        database.map_or(Ok(()), |database| {
            database.close().map_err(engine("closing a read model"))
        })
    }
}

/// Opens the pages of a file that is there.
fn open_pages(disk: &dyn Disk, path: &Path, store: StoreId) -> Result<PageFile, Unusable> {
    let pages = PageFile::open(disk, path, Kind::ReadModel, FORMAT)
        .map_err(|error| unusable(path, error))?;
    let of = pages.header().store;
    if of != store {
        return Err(Unusable::File(format!("it belongs to the store {of}")));
    }
    Ok(pages)
}

/// Makes the pages of a file that is not there, under the name that it has until it is whole.
fn make_pages(disk: &dyn Disk, path: &Path, store: StoreId) -> Result<PageFile, Unusable> {
    let header = PageHeader {
        format: FORMAT,
        kind: Kind::ReadModel,
        store,
    };
    PageFile::make(disk, &unfinished(path), path, header).map_err(|error| unusable(path, error))
}

/// The checkpoint of a file that is closed; `None` where it cannot be read, for any reason.
pub(crate) fn checkpoint_of(path: &Path, store: StoreId) -> Option<Position> {
    let pages = open_pages(&RealDisk, path, store).ok()?;
    let read = guarded(|| {
        let doing = "reading a checkpoint";
        let database = Database::builder()
            .create_with_backend(PageBackend(Arc::new(pages)))
            .map_err(engine(doing))?;
        let model = ReadModel::from_database(database);
        let checkpoint = model.read()?.meta.checkpoint;
        model.close()?;
        Ok(checkpoint)
    });
    read.ok()
}

/// The storage under a file that is closed, to look into it or to stand something else between.
#[cfg(test)]
pub(crate) fn storage(path: &Path) -> PageBackend {
    let pages = PageFile::open(&RealDisk, path, Kind::ReadModel, FORMAT).unwrap();
    PageBackend(Arc::new(pages))
}

fn unusable(path: &Path, error: OpenError) -> Unusable {
    match error {
        OpenError::Disk(source) => Unusable::Disk(ProjectionError::Disk {
            doing: format!("opening `{}`", path.display()),
            source,
        }),
        OpenError::InUse => Unusable::Disk(ProjectionError::Disk {
            doing: format!("opening `{}`", path.display()),
            source: std::io::Error::other(error.to_string()),
        }),
        error => Unusable::File(error.to_string()),
    }
}

/// Sets the engine up on pages and reads the meta, or makes it in new ones.
fn on_pages(
    pages: PageFile,
    fresh: &CheckpointMeta,
) -> Result<(ReadModel, CheckpointMeta), Unusable> {
    let pages = Arc::new(pages);
    let opened = guarded(|| {
        let database = Database::builder()
            .set_cache_size(READ_MODEL_CACHE_BYTES)
            .create_with_backend(PageBackend(Arc::clone(&pages)))
            .map_err(engine("opening a read model"))?;
        let meta = meta_of(&database, fresh)?;
        Ok((ReadModel::from_database(database), meta))
    });
    opened.map_err(|error| match (error, pages.damage()) {
        (_, Some((place, detail))) => Unusable::File(format!("{place}: {detail}")),
        (error @ (ProjectionError::Panicked(_) | ProjectionError::Damaged { .. }), None) => {
            Unusable::File(error.to_string())
        }
        (error, None) => Unusable::Disk(error),
    })
}

/// Makes everything committed so far durable.
pub(crate) fn make_durable(
    model: &ReadModel,
    meta: &CheckpointMeta,
) -> Result<(), ProjectionError> {
    let txn = model.write(Durable::Now)?;
    write_meta(&txn, meta)?;
    txn.commit().map_err(engine("making a checkpoint durable"))
}

/// Writes the meta as part of a transaction.
pub(crate) fn write_meta(
    txn: &WriteTransaction,
    meta: &CheckpointMeta,
) -> Result<(), ProjectionError> {
    let doing = "writing the checkpoint";
    let bytes = serde_json::to_vec(meta).unwrap_or_default();
    let mut meta = txn.open_table(META).map_err(engine(doing))?;
    meta.insert("checkpoint", bytes.as_slice())
        .map_err(engine(doing))?;
    Ok(())
}

/// Reads the meta of a database, or makes a new one.
fn meta_of(database: &Database, fresh: &CheckpointMeta) -> Result<CheckpointMeta, ProjectionError> {
    let doing = "reading a read model's format";
    let txn = database.begin_read().map_err(engine(doing))?;
    let is_new = txn.list_tables().map_err(engine(doing))?.next().is_none();
    if is_new {
        drop(txn);
        make(database, fresh)?;
        return Ok(fresh.clone());
    }
    let meta = txn.open_table(META).map_err(engine(doing))?;
    let format = meta.get("format").map_err(engine(doing))?;
    let format = format.as_ref().map(redb::AccessGuard::value);
    if format != Some(FORMAT.to_le_bytes().as_slice()) {
        return Err(damaged(
            match format.and_then(|bytes| bytes.try_into().ok()) {
                Some(bytes) => format!(
                    "it has format {}, this version writes format {FORMAT}",
                    u32::from_le_bytes(bytes)
                ),
                None => "it has no format number".to_owned(),
            },
        ));
    }
    let meta = meta.get("checkpoint").map_err(engine(doing))?;
    let meta = decode_meta(meta.as_ref().map(redb::AccessGuard::value))?;
    if meta.sorts != fresh.sorts {
        return Err(damaged(format!("it is indexed by {}", meta.sorts)));
    }
    Ok(meta)
}

fn decode_meta(bytes: Option<&[u8]>) -> Result<CheckpointMeta, ProjectionError> {
    let bytes = bytes.ok_or_else(|| damaged("it has no meta".to_owned()))?;
    serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))
}

fn damaged(detail: String) -> ProjectionError {
    ProjectionError::Damaged {
        place: "the head".to_owned(),
        detail,
    }
}

fn make(database: &Database, meta: &CheckpointMeta) -> Result<(), ProjectionError> {
    let doing = "making a read model";
    let txn = database.begin_write().map_err(engine(doing))?;
    {
        let mut meta = txn.open_table(META).map_err(engine(doing))?;
        meta.insert("format", FORMAT.to_le_bytes().as_slice())
            .map_err(engine(doing))?;
        // All of them, so that readers find them.
        txn.open_table(DOCUMENTS).map_err(engine(doing))?;
        txn.open_table(NUMBERS).map_err(engine(doing))?;
        txn.open_table(APPLY_LOG).map_err(engine(doing))?;
        txn.open_table(INDEX).map_err(engine(doing))?;
    }
    write_meta(&txn, meta)?;
    txn.commit().map_err(engine(doing))
}
