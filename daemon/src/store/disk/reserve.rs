//! Room on the disk that is kept for the last writes before it is full.
//!
//! Owns a file of zeros beside the store. When a write finds no room, the file is emptied and the write made again: so what was
//! begun is finished, and the engine, which takes no write after one that failed, never sees a full disk. From then on
//! nothing new is begun until the file can be made whole again.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Disk, DiskFile, Open};

/// The reserve of a store.
#[derive(Debug)]
pub(crate) struct Reserve {
    file: Arc<dyn DiskFile>,
    bytes: u64,
    whole: AtomicBool,
}

impl Reserve {
    /// Makes the file, or goes on with it. Where there is no room for it, the reserve begins used up.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let reserve = Self {
            file: disk.open(path, Open::OrMake)?,
            bytes: disk.reserve_bytes(),
            whole: AtomicBool::new(false),
        };
        reserve.restore();
        Ok(reserve)
    }

    /// Gives the room up, where that has not happened yet; whether it did.
    pub(crate) fn release(&self) -> bool {
        self.whole.swap(false, Ordering::SeqCst) && self.file.set_len(0).is_ok()
    }

    /// Does something that needs room; again, with the reserve given up, where there is none.
    pub(crate) fn with_room(
        &self,
        place: &Path,
        act: impl Fn() -> io::Result<()>,
    ) -> io::Result<()> {
        match act() {
            Err(error) if is_full(&error) && self.release() => {
                tracing::warn!(place = %place.display(), "the disk is full: the reserve is used");
                act()
            }
            done => done,
        }
    }

    /// Whether the room is kept; where it was given up, tries to have it again.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole.load(Ordering::SeqCst) || self.restore()
    }

    fn restore(&self) -> bool {
        let made = self.file.preallocate(self.bytes);
        if made.is_err() {
            // What little there is belongs to those who need it now.
            drop(self.file.set_len(0));
        }
        self.whole.store(made.is_ok(), Ordering::SeqCst);
        made.is_ok()
    }
}

/// Whether an error says that there is no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
