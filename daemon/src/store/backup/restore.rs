//! A backup becomes a store: made beside its place, checked, and given its name at the end.
//!
//! Owns the order: nothing that is there is written over, everything of the backup is checked while it is put in, the
//! store is opened and compared with what the backup promised, and only then it gets its name. A restore that did not come to
//! its end leaves a directory whose name says so.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::{Blocks, each_value};
use super::{BackupError, BackupHeader, Checked, Sink, walk};
use crate::notes;
use crate::store::chain::Chain;
use crate::store::disk::head::{Acknowledged, HeadFile, LogEnd};
use crate::store::disk::{Disk, RealDisk, StoreId};
use crate::store::engine::{LOG_NAME, LoggedStore, NewStore, StoreOptions};
use crate::store::redb::HEAD_NAME;
use crate::store::redb::backup::Filling;
use crate::store::redb::opening::{make_directory, sync_directory};
use crate::store::redb::sealed::Mark;
use crate::store::segment::Segment;
use crate::store::wal::{FILE_BYTES, Folder, Place, Wal, WalOptions};
use crate::store::write::Batch;
use crate::store::{Head, Store, StoreError};
use whodunit_core::note::Note;

/// The file that a restore under way holds a lock on.
const LOCK_NAME: &str = "restoring";

/// A store that was put back.
#[derive(Debug, Clone)]
pub struct Restored {
    /// The backup that it was made of.
    pub backup: Checked,
}

/// Puts a store back into a directory that is absent or empty; `progress` is told how many bytes of the backup were read.
///
/// # Errors
/// When something is there already, the backup is not whole or not what was written, or the disk fails. Then no store is made.
pub fn restore(
    from: impl Read,
    directory: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Restored, BackupError> {
    refuse_what_is_there(directory)?;
    let mut blocks = Blocks::begin(from)?;
    let header = blocks.header().clone();
    let work = Work::begin(directory)?;
    let mut filled = Filled::begin(&work.path, blocks.store(), &header)?;
    let checked = walk(&mut blocks, &mut filled, progress)?;
    filled.finish(&header)?;
    verify(&work.path, &header)?;
    work.finish(directory)?;
    Ok(Restored { backup: checked })
}

fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    move |source| BackupError::Disk {
        doing,
        path: path.display().to_string(),
        source,
    }
}

fn refuse_what_is_there(directory: &Path) -> Result<(), BackupError> {
    let in_the_way = |what| {
        let path = directory.display().to_string();
        Err(BackupError::InTheWay { path, what })
    };
    match std::fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            Some(_) => in_the_way("is not empty"),
            None => Ok(()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            in_the_way("is a file, or below one")
        }
        Err(error) => Err(disk("read", directory)(error)),
    }
}

/// The directory in which a store is made, beside the one that it is to be.
struct Work {
    path: PathBuf,
    /// Locked as long as this restore is under way.
    lock: File,
}

impl Work {
    fn begin(directory: &Path) -> Result<Self, BackupError> {
        let Some(name) = directory.file_name() else {
            let path = directory.display().to_string();
            let what = "has no name of its own, such as `backup/restored`";
            return Err(BackupError::InTheWay { path, what });
        };
        let mut beside = OsString::from(name);
        beside.push(".restoring");
        let path = directory.with_file_name(beside);
        let lock_path = path.join(LOCK_NAME);
        if path.exists() && !lock_path.is_file() {
            let path = path.display().to_string();
            let what = "is in the way, and was not left by a restore";
            return Err(BackupError::InTheWay { path, what });
        }
        make_directory(&path).map_err(disk("make", &path))?;
        let lock = File::options().create(true).append(true).open(&lock_path);
        let lock = lock.map_err(disk("make", &lock_path))?;
        if lock.try_lock().is_err() {
            let path = path.display().to_string();
            let what = "belongs to another restore, which is under way";
            return Err(BackupError::InTheWay { path, what });
        }
        let work = Self { path, lock };
        work.clear()?;
        Ok(work)
    }

    /// Removes what a restore that did not come to its end left.
    fn clear(&self) -> Result<(), BackupError> {
        let entries = std::fs::read_dir(&self.path).map_err(disk("read", &self.path))?;
        for entry in entries {
            let entry = entry.map_err(disk("read", &self.path))?;
            let path = entry.path();
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(&path),
                Ok(_) if entry.file_name() == LOCK_NAME => Ok(()),
                _ => std::fs::remove_file(&path),
            };
            removed.map_err(disk("remove", &path))?;
        }
        Ok(())
    }

    /// Gives the store its name.
    fn finish(self, directory: &Path) -> Result<(), BackupError> {
        // Looked for again: making the store took its time.
        refuse_what_is_there(directory)?;
        let lock_path = self.path.join(LOCK_NAME);
        std::fs::remove_file(&lock_path).map_err(disk("remove", &lock_path))?;
        drop(self.lock);
        sync_directory(&self.path).map_err(disk("sync", &self.path))?;
        match std::fs::remove_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(disk("replace", directory)(error));
            }
            _ => {}
        }
        std::fs::rename(&self.path, directory).map_err(disk("name", directory))?;
        let above = directory
            .parent()
            .filter(|above| !above.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        sync_directory(above).map_err(disk("sync", above))
    }
}

/// The files of a store while they are filled.
struct Filled {
    on: Arc<dyn Disk>,
    path: PathBuf,
    store: StoreId,
    file: Option<Filling>,
    /// The chain's value behind the sealed log.
    sealed: Chain,
    wal: Option<Wal>,
    end: LogEnd,
    notes: Vec<Note>,
}

fn salt() -> u64 {
    getrandom::u64().unwrap_or_default()
}

impl Filled {
    fn begin(path: &Path, store: StoreId, header: &BackupHeader) -> Result<Self, BackupError> {
        let on: Arc<dyn Disk> = Arc::new(RealDisk);
        let file = Filling::begin(on.as_ref(), path, store)?;
        Ok(Self {
            on,
            path: path.to_owned(),
            store,
            file: Some(file),
            sealed: Chain::START,
            wal: None,
            notes: Vec::new(),
            end: LogEnd {
                head: Head {
                    position: whodunit_core::ids::Position(header.position),
                    decision: header.decisions,
                },
                frame: 0,
                chain: Chain::START.head_hash().0,
            },
        })
    }

    fn file(&mut self) -> Result<&mut Filling, BackupError> {
        self.file
            .as_mut()
            .ok_or(BackupError::Store(StoreError::Closed))
    }

    /// The write-ahead log, made when it is first asked for.
    fn wal(&mut self) -> Result<&mut Wal, BackupError> {
        if self.wal.is_none() {
            let folder = self.path.join(LOG_NAME);
            make_directory(&folder).map_err(disk("make", &folder))?;
            let options = WalOptions {
                store: self.store.0,
                file_bytes: FILE_BYTES,
                ahead: false,
                durable: true,
                salt,
            };
            let folder = Folder::new(Arc::clone(&self.on), &folder);
            let (wal, _) = Wal::open(folder, options, None).map_err(StoreError::from)?;
            self.wal = Some(wal);
        }
        self.wal
            .as_mut()
            .ok_or(BackupError::Store(StoreError::Closed))
    }

    /// Makes everything durable, and closes it.
    fn finish(mut self, header: &BackupHeader) -> Result<(), BackupError> {
        self.wal()?.stop();
        let mark = Mark {
            place: Place::START,
            chain: self.sealed,
        };
        if let Some(file) = self.file.take() {
            file.finish(mark, header.redacted_copy)?;
        }
        if !self.notes.is_empty() {
            let written = notes::write_new(self.on.as_ref(), &self.path, self.store, &self.notes);
            written.map_err(disk("write the notes in", &self.path))?;
        }
        let noted_in = self.path.join(HEAD_NAME);
        let now = Acknowledged {
            store: self.store,
            end: self.end,
        };
        let noted = HeadFile::begin(self.on.as_ref(), &noted_in, now);
        noted.map_err(disk("write", &noted_in))?;
        sync_directory(&self.path).map_err(disk("sync", &self.path))
    }
}

impl Sink for Filled {
    fn segment(&mut self, number: u64, segment: &Segment) -> Result<(), BackupError> {
        self.sealed = segment.manifest.chain_after;
        self.end.chain = self.sealed.head_hash().0;
        Ok(self.file()?.segment(number, segment)?)
    }

    fn rows(&mut self, table: &str, rows: &[u8]) -> Result<u64, BackupError> {
        if table == notes::TABLE {
            let (before, mut broken) = (self.notes.len(), false);
            each_value(rows, &mut |value| match serde_json::from_slice(value) {
                Ok(note) => self.notes.push(note),
                Err(_no_note) => broken = true,
            })?;
            if broken {
                return Err(BackupError::damaged(0, "a note does not decode"));
            }
            return Ok((self.notes.len() - before) as u64);
        }
        let put = self.file()?.rows(table, rows)?;
        put.ok_or_else(|| BackupError::damaged(0, format!("a store has no table `{table}`")))
    }

    fn log(&mut self, payload: &[u8], _: &[Batch], chain: Chain) -> Result<(), BackupError> {
        let place = self.wal()?.append(payload).map_err(StoreError::from)?;
        self.end.frame = place.frame;
        self.end.chain = chain.head_hash().0;
        Ok(())
    }
}

/// Opens the store as a daemon would, and compares it with what the backup promised.
fn verify(path: &Path, header: &BackupHeader) -> Result<(), BackupError> {
    let on: Arc<dyn Disk> = Arc::new(RealDisk);
    let new = NewStore::WhereNothingIsLeft;
    let store = LoggedStore::open_on(&on, path, StoreOptions::Durable, new)?;
    let stats = store.stats()?;
    let found = (
        store.id().to_string(),
        stats.head.position.0,
        stats.head.decision,
        stats.head_hash.to_string(),
        store.is_redacted_copy(),
    );
    let said = (
        header.store_id.clone(),
        header.position,
        header.decisions,
        header.head_hash.clone(),
        header.redacted_copy,
    );
    if found != said {
        return Err(BackupError::Store(StoreError::Damaged {
            place: "the restored store".to_owned(),
            detail: format!("it says {found:?}, and the backup {said:?}"),
        }));
    }
    Ok(())
}
