//! A disk in memory, for stores that are gone when they are closed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::{Disk, DiskFile, Identity, Open};

/// A disk in memory. All clones are the same one; there is room as long as there is memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Names>>);

#[derive(Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, Arc<Content>>,
    made: u64,
}

#[derive(Debug)]
struct Content {
    inode: u64,
    bytes: RwLock<Vec<u8>>,
    locked: AtomicBool,
}

/// An open file, and whether the lock on it is its own.
#[derive(Debug)]
struct MemoryFile {
    content: Arc<Content>,
    holds: AtomicBool,
}

impl Content {
    fn identity(&self) -> Identity {
        Identity {
            device: 0,
            inode: self.inode,
        }
    }
}

impl MemoryDisk {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn index(at: u64) -> io::Result<usize> {
    usize::try_from(at).map_err(|_too_large| io::ErrorKind::FileTooLarge.into())
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.names();
        let content = match (names.files.get(path), how) {
            (Some(content), _) => Arc::clone(content),
            (None, Open::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::OrMake) => {
                names.made += 1;
                let content = Arc::new(Content {
                    inode: names.made,
                    bytes: RwLock::default(),
                    locked: AtomicBool::new(false),
                });
                names.files.insert(path.to_owned(), Arc::clone(&content));
                content
            }
        };
        let holds = AtomicBool::new(false);
        Ok(Arc::new(MemoryFile { content, holds }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names();
        let content = names.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let removed = self.names().files.remove(path);
        removed.map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let names = self.names();
        let inside = names.files.keys().filter_map(|path| {
            let name = path
                .file_name()
                .filter(|_| path.parent() == Some(directory))?;
            Some(name.to_string_lossy().into_owned())
        });
        Ok(inside.collect())
    }

    fn sync_directory(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn make_directory(&self, _directory: &Path) -> io::Result<()> {
        Ok(())
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        let names = self.names();
        Ok(names.files.get(path).map(|content| content.identity()))
    }

    fn reserve_bytes(&self) -> u64 {
        0
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.content.bytes.read();
        let bytes = bytes.unwrap_or_else(PoisonError::into_inner);
        let from = index(offset)?;
        let found = bytes.get(from..from.saturating_add(out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, written: &[u8]) -> io::Result<()> {
        let bytes = self.content.bytes.write();
        let mut bytes = bytes.unwrap_or_else(PoisonError::into_inner);
        let from = index(offset)?;
        let end = from.saturating_add(written.len());
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        if let Some(place) = bytes.get_mut(from..end) {
            place.copy_from_slice(written);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let bytes = self.content.bytes.write();
        let mut bytes = bytes.unwrap_or_else(PoisonError::into_inner);
        bytes.resize(index(len)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let bytes = self.content.bytes.read();
        let bytes = bytes.unwrap_or_else(PoisonError::into_inner);
        Ok(bytes.len() as u64)
    }

    fn identity(&self) -> io::Result<Identity> {
        Ok(self.content.identity())
    }

    fn lock(&self) -> io::Result<bool> {
        let got = !self.content.locked.swap(true, Ordering::SeqCst);
        self.holds.fetch_or(got, Ordering::SeqCst);
        Ok(got)
    }

    fn unlock(&self) -> io::Result<()> {
        if self.holds.swap(false, Ordering::SeqCst) {
            self.content.locked.store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        drop(self.unlock());
    }
}
