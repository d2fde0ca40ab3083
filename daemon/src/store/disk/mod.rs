//! The seam to the disk: files, directories, and what it takes to make them durable.
//!
//! Every file of a data directory is reached through [`Disk`], so that a simulated disk can stand under all of them in tests:
//! one that loses what was not synced, tears what was being written, lies about syncing, or is full. Above the raw files
//! stand `pages`, whose pages carry checksums. Never knows what the files hold.

pub(crate) mod head;
mod memory;
pub(crate) mod pages;
mod real;
pub(crate) mod reserve;
#[cfg(test)]
pub(crate) mod simulated;

use std::fmt::{Debug, Display, Formatter};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use memory::MemoryDisk;
pub use real::RealDisk;

use crate::limits::RESERVE_BYTES;

/// Which file an open handle is of, whatever its name is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
}

/// Whether opening makes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// The file must be there.
    Existing,
    /// The file is made where it is absent, and opened as it is where it is not.
    OrMake,
}

/// Where files are.
pub trait Disk: Debug + Send + Sync {
    /// Opens a file to be read and written. One that is made may be read by its owner alone.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, over what has that name. Durable once the directory is synced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable once the directory is synced.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, in order.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// Makes the entries of a directory durable: syncing a new file does not, and a power cut could take the whole file.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// Makes a directory and those above it where they are absent, each durably, for their owner alone.
    fn make_directory(&self, directory: &Path) -> io::Result<()>;

    /// Which file has this name now; `None` when none has.
    fn identity(&self, path: &Path) -> io::Result<Option<Identity>>;

    /// How many bytes a store keeps in reserve here: more than what one sealing and the log's next file take.
    fn reserve_bytes(&self) -> u64 {
        RESERVE_BYTES
    }
}

/// An open file. All reads and writes are whole or an error; a write that failed may have been made in part.
#[expect(
    clippy::len_without_is_empty,
    reason = "of a file only its length is ever asked for"
)]
pub trait DiskFile: Debug + Send + Sync {
    /// Fills `out` from this place. [`io::ErrorKind::UnexpectedEof`] where the file ends before.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` to this place, making the file longer where it ends before.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or makes it longer with zeros that need not take room yet.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the file at least this long with zeros that do take room, so that a write there does not fail for want of it.
    fn preallocate(&self, len: u64) -> io::Result<()> {
        self.fill(len)
    }

    /// Makes the file at least this long by writing zeros.
    fn fill(&self, len: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];
        let mut at = self.len()?;
        while at < len {
            let part = ZEROS
                .len()
                .min(usize::try_from(len - at).unwrap_or(usize::MAX));
            self.write_at(at, ZEROS.get(..part).unwrap_or(&ZEROS))?;
            at += part as u64;
        }
        Ok(())
    }

    /// Makes everything written so far durable, the file's length included.
    fn sync_data(&self) -> io::Result<()>;

    /// How long it is.
    fn len(&self) -> io::Result<u64>;

    /// Which file it is.
    fn identity(&self) -> io::Result<Identity>;

    /// Takes the file for this handle alone; `false` when another handle has it, of this process or another.
    fn lock(&self) -> io::Result<bool>;

    /// Gives the lock up.
    fn unlock(&self) -> io::Result<()>;
}

/// Which store a file belongs to: the same number in every file of a data directory.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreId(pub [u8; 16]);

impl StoreId {
    /// That of a new store.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes))
    }
}

impl Display for StoreId {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Debug for StoreId {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "StoreId({self})")
    }
}
