//! What can be said of the log while a frame is on its way to the disk.
//!
//! Owns a copy of the little that others ask for: health, readiness and writers that have not begun must not wait for a disk
//! that stalls. The log tells it of each change, and never while it writes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Behind;
use super::keeper::Keeper;
use crate::store::ReadOnly;

/// The log as it was when it last told. Clones see the same.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    keeper: Arc<Keeper>,
    told: Arc<Mutex<Told>>,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    /// The files that are needed, the current one last.
    pub(super) files: Vec<Behind>,
    /// Bytes of its files.
    pub(super) bytes: u64,
    /// Why it takes no writes.
    pub(super) refusal: Option<ReadOnly>,
}

impl Seen {
    pub(super) fn new(keeper: Arc<Keeper>) -> Self {
        let told = Arc::default();
        Self { keeper, told }
    }

    pub(super) fn tell(&self, told: Told) {
        *self.lock() = told;
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the files that are needed are where they are looked for.
    pub(crate) fn is_in_place(&self) -> bool {
        let told = self.lock();
        let in_place = |file: &Behind| self.keeper.is_in_place(file.number, file.identity);
        told.files.iter().all(in_place)
    }

    /// Bytes of the log's files, but for one that is being made.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Why it takes no writes, if it did not when it last told.
    pub(crate) fn refusal(&self) -> Option<ReadOnly> {
        self.lock().refusal
    }
}
