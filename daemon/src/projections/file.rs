//! A read model's file: opening it, telling whether it can be used, giving it up.
//!
//! Owns the tables and the stamp, which says by which rules and up to where a read model was made. Documents, indexes,
//! trail and stamp move in one transaction: that is what makes every event exactly once in effect. The file is derived
//! data: one that is damaged or of another format is moved aside and made anew, never an error for a reader.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::backends::InMemoryBackend;
use redb::{
    Database, Durability, ReadTransaction, ReadableDatabase, ReadableTableMetadata,
    TableDefinition, WriteTransaction,
};
use serde::{Deserialize, Serialize};
use whodunit_core::ids::Position;

use super::error::{ProjectionError, engine, panicked};
use super::projection::Projection;
use super::record::{Document, decode_document};
use crate::limits::READ_MODEL_CACHE_BYTES;
use crate::store::redb::opening::{make_directory, sync_directory};

/// Format number of the file.
const FORMAT: u32 = 1;

/// `format` → [`FORMAT`] as four bytes, little endian; `stamp` → the [`Stamp`] as JSON.
const META: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("meta");
/// Stream name → document, see `record`.
pub(super) const DOCUMENTS: TableDefinition<'static, &str, &[u8]> =
    TableDefinition::new("documents");
/// Stream name → number of the stream in this read model, from 1.
pub(super) const NUMBERS: TableDefinition<'static, &str, u64> = TableDefinition::new("numbers");
/// Row, from 0 → [`TRAIL_ROW_ENTRIES`] entries of the trail, see `record`; the last row may have fewer.
pub(super) const TRAIL: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("trail");
/// (Sort, sort value, stream name).
pub(super) const INDEX: TableDefinition<'static, (&str, &[u8], &str), ()> =
    TableDefinition::new("index");

/// Entries of a row of the trail.
pub(super) const TRAIL_ROW_ENTRIES: u64 = 512;

/// By which rules a read model was made, and up to where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// The projection's code and its models.
    pub(super) rules: String,
    /// The sorts that are indexed.
    pub(super) sorts: String,
    /// The last position that was looked at.
    pub(super) checkpoint: Position,
    /// Id of the event there: proves that the log is the one that the read model was made from.
    pub(super) proof: Option<String>,
    /// How many entries the trail has.
    pub(super) trail: u64,
    /// The last stream number given.
    pub(super) numbers: u64,
    /// Whether the indexes are complete. They are made last in a rebuild.
    pub(super) indexed: bool,
}

impl Stamp {
    /// That of a read model before its first event.
    pub(super) fn new(projection: &dyn Projection, rules: &str) -> Self {
        let sorts: Vec<_> = projection.sorts().iter().map(|sort| sort.name).collect();
        Self {
            rules: rules.to_owned(),
            sorts: sorts.join(","),
            checkpoint: Position::ZERO,
            proof: None,
            trail: 0,
            numbers: 0,
            indexed: true,
        }
    }
}

/// Why a file cannot be used as it is.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is damaged, or of another format or shape: it is to be moved aside.
    File(String),
    /// The disk or the directory failed: another file would not help.
    Disk(ProjectionError),
}

/// An open read model. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub(super) struct ReadModel(Arc<RwLock<Option<Database>>>);

impl ReadModel {
    /// One in memory, gone when it is closed.
    pub(super) fn in_memory(stamp: &Stamp) -> Result<Self, ProjectionError> {
        let database = Database::builder()
            .set_cache_size(READ_MODEL_CACHE_BYTES)
            .create_with_backend(InMemoryBackend::new())
            .map_err(engine("making a read model in memory"))?;
        make(&database, stamp)?;
        Ok(Self::of(database))
    }

    /// Opens a file, making it and its directory where they are absent, and reads its stamp. `fresh` is that of a new one.
    pub(super) fn open(path: &Path, fresh: &Stamp) -> Result<(Self, Stamp), Unusable> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let on_disk = |source: std::io::Error| {
            Unusable::Disk(ProjectionError::Disk {
                doing: format!("making `{}`", directory.display()),
                source,
            })
        };
        make_directory(directory).map_err(on_disk)?;
        let opened = guarded(|| {
            let database = Database::builder()
                .set_cache_size(READ_MODEL_CACHE_BYTES)
                .create(path)
                .map_err(engine("opening a read model"))?;
            let stamp = stamp_of(&database, fresh)?;
            Ok((Self::of(database), stamp))
        });
        let (model, stamp) = opened.map_err(|error| match error {
            ProjectionError::Panicked(_) | ProjectionError::Damaged { .. } => {
                Unusable::File(error.to_string())
            }
            error if error.is_damage() || is_no_database(&error) => {
                Unusable::File(error.to_string())
            }
            error => Unusable::Disk(error),
        })?;
        sync_directory(directory).map_err(on_disk)?;
        Ok((model, stamp))
    }

    fn of(database: Database) -> Self {
        Self(Arc::new(RwLock::new(Some(database))))
    }

    fn with<T>(
        &self,
        act: impl FnOnce(&Database) -> Result<T, ProjectionError>,
    ) -> Result<T, ProjectionError> {
        let database = self.0.read().unwrap_or_else(PoisonError::into_inner);
        act(database.as_ref().ok_or(ProjectionError::Closed)?)
    }

    /// Begins to write. With [`Durability::None`] a commit is seen at once and survives only with a later durable one.
    pub(super) fn write(
        &self,
        durability: Durability,
    ) -> Result<WriteTransaction, ProjectionError> {
        let doing = "beginning to write";
        self.with(|database| {
            let mut txn = database.begin_write().map_err(engine(doing))?;
            txn.set_durability(durability).map_err(engine(doing))?;
            // Opening after a kill is then a matter of milliseconds, not of reading the whole file.
            txn.set_quick_repair(matches!(durability, Durability::Immediate));
            Ok(txn)
        })
    }

    /// A consistent picture of the read model at one moment.
    pub(super) fn read(&self) -> Result<Picture, ProjectionError> {
        let doing = "beginning to read";
        let txn = self.with(|database| database.begin_read().map_err(engine(doing)))?;
        let stamp = {
            let meta = txn.open_table(META).map_err(engine(doing))?;
            let stamp = meta.get("stamp").map_err(engine(doing))?;
            decode_stamp(stamp.as_ref().map(redb::AccessGuard::value))?
        };
        Ok(Picture {
            txn,
            stamp,
            _model: self.clone(),
        })
    }

    /// Gives the file up. Later reads and writes answer [`ProjectionError::Closed`]. Idempotent.
    pub(super) fn close(&self) -> Result<(), ProjectionError> {
        let database = {
            let mut database = self.0.write().unwrap_or_else(PoisonError::into_inner);
            database.take()
        };
        database.map_or(Ok(()), |database| {
            database.close().map_err(engine("closing a read model"))
        })
    }
}

/// Writes the stamp as part of a transaction.
pub(super) fn write_stamp(txn: &WriteTransaction, stamp: &Stamp) -> Result<(), ProjectionError> {
    let doing = "writing the checkpoint";
    let bytes = serde_json::to_vec(stamp).unwrap_or_default();
    let mut meta = txn.open_table(META).map_err(engine(doing))?;
    meta.insert("stamp", bytes.as_slice())
        .map_err(engine(doing))?;
    Ok(())
}

/// A read model at one moment.
pub(super) struct Picture {
    pub(super) txn: ReadTransaction,
    pub(super) stamp: Stamp,
    /// A picture is of an open file only: one that was replaced meanwhile stays open for as long as it is looked at.
    _model: ReadModel,
}

impl Picture {
    /// How many documents there are.
    pub(super) fn documents(&self) -> Result<u64, ProjectionError> {
        let doing = "counting documents";
        let documents = self.txn.open_table(DOCUMENTS).map_err(engine(doing))?;
        documents.len().map_err(engine(doing))
    }

    /// The document of this key.
    pub(super) fn document(&self, key: &str) -> Result<Option<Document>, ProjectionError> {
        let doing = "reading a document";
        let documents = self.txn.open_table(DOCUMENTS).map_err(engine(doing))?;
        let record = documents.get(key).map_err(engine(doing))?;
        record
            .map(|record| decode_document(key, record.value()))
            .transpose()
    }
}

/// Moves a file that cannot be used out of the way, over one that was moved there before.
pub(super) fn move_aside(path: &Path) -> Result<PathBuf, ProjectionError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".damaged");
    let aside = path.with_file_name(name);
    replace(path, &aside)?;
    Ok(aside)
}

/// Puts a file in another's place, durably and at one moment.
pub(super) fn replace(from: &Path, to: &Path) -> Result<(), ProjectionError> {
    let renamed = std::fs::rename(from, to)
        .and_then(|()| sync_directory(to.parent().unwrap_or(Path::new("."))));
    renamed.map_err(|source| ProjectionError::Disk {
        doing: format!("putting `{}` in place", to.display()),
        source,
    })
}

/// Does something that a damaged file can make the engine panic at.
pub(super) fn guarded<T>(
    act: impl FnOnce() -> Result<T, ProjectionError>,
) -> Result<T, ProjectionError> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(act))
        .unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
}

fn is_no_database(error: &ProjectionError) -> bool {
    match error {
        ProjectionError::Engine { source, .. } => match &**source {
            redb::Error::UpgradeRequired(_) => true,
            redb::Error::Io(error) => matches!(
                error.kind(),
                std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
            ),
            _ => false,
        },
        _ => false,
    }
}

/// Reads the stamp of a database, or makes a new one.
fn stamp_of(database: &Database, fresh: &Stamp) -> Result<Stamp, ProjectionError> {
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
        return Err(damaged(format!("format {format:?}, not {FORMAT}")));
    }
    let stamp = meta.get("stamp").map_err(engine(doing))?;
    let stamp = decode_stamp(stamp.as_ref().map(redb::AccessGuard::value))?;
    if stamp.sorts != fresh.sorts {
        return Err(damaged(format!("it is indexed by {}", stamp.sorts)));
    }
    Ok(stamp)
}

fn decode_stamp(bytes: Option<&[u8]>) -> Result<Stamp, ProjectionError> {
    let bytes = bytes.ok_or_else(|| damaged("it has no stamp".to_owned()))?;
    serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))
}

fn damaged(detail: String) -> ProjectionError {
    ProjectionError::Damaged {
        place: "the head".to_owned(),
        detail,
    }
}

fn make(database: &Database, stamp: &Stamp) -> Result<(), ProjectionError> {
    let doing = "making a read model";
    let txn = database.begin_write().map_err(engine(doing))?;
    {
        let mut meta = txn.open_table(META).map_err(engine(doing))?;
        meta.insert("format", FORMAT.to_le_bytes().as_slice())
            .map_err(engine(doing))?;
        // All of them, so that readers find them.
        txn.open_table(DOCUMENTS).map_err(engine(doing))?;
        txn.open_table(NUMBERS).map_err(engine(doing))?;
        txn.open_table(TRAIL).map_err(engine(doing))?;
        txn.open_table(INDEX).map_err(engine(doing))?;
    }
    write_stamp(&txn, stamp)?;
    txn.commit().map_err(engine(doing))
}
