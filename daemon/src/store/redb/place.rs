//! Where the open files are, and whether there is room: what must be so before a write is acknowledged.
//!
//! Owns the watch over the name of the file. A file that was deleted or moved away, or whose directory was, takes writes as
//! before, but they would be found by none: such a write is not acknowledged.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::ReadOnly;
use crate::store::disk::reserve::Reserve;
use crate::store::disk::{Disk, Identity};

/// The place of a store's file.
#[derive(Debug)]
pub(super) struct Place {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    identity: Identity,
    reserve: Arc<Reserve>,
    /// What was said last, so that a change is logged once.
    said: Mutex<Option<ReadOnly>>,
}

impl Place {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        identity: Identity,
        reserve: Arc<Reserve>,
    ) -> Self {
        Self {
            disk,
            path,
            identity,
            reserve,
            said: Mutex::new(None),
        }
    }

    /// The room that is kept.
    pub(super) fn reserve(&self) -> &Arc<Reserve> {
        &self.reserve
    }

    /// Whether the file is no longer where it is looked for.
    pub(super) fn is_gone(&self) -> bool {
        !matches!(self.disk.identity(&self.path), Ok(Some(found)) if found == self.identity)
    }

    /// Why nothing may be written now; `log` is the write-ahead log's own reason.
    pub(super) fn refusal(&self, log: Option<ReadOnly>) -> Option<ReadOnly> {
        let refusal = if self.is_gone() {
            Some(ReadOnly::FileGone)
        } else if log.is_some() {
            log
        } else if self.reserve.is_whole() {
            None
        } else {
            Some(ReadOnly::DiskFull)
        };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != refusal {
            match refusal {
                Some(why) => {
                    tracing::error!(file = %self.path.display(), "{why}: the store is read only");
                }
                None => tracing::info!(file = %self.path.display(), "the store is written again"),
            }
            *said = refusal;
        }
        refusal
    }
}
