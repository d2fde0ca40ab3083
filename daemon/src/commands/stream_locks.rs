//! Per-stream locks: writes that depend on a stream's head go one after another.
//!
//! Owns a fixed number of locks, each for a share of the streams. What makes concurrent writes correct is the store's
//! check of the expected revision; the locks only spare the losers of a race from loading and hashing again and again.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use whodunit_core::ids::StreamName;

const LOCKS: usize = 1_024;

/// The locks.
pub(super) struct StreamLocks {
    locks: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
}

impl Default for StreamLocks {
    fn default() -> Self {
        Self {
            locks: (0..LOCKS).map(|_| Arc::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl StreamLocks {
    /// Waits for the stream's turn, which lasts as long as the answer is kept.
    pub(super) async fn enter(&self, stream: &StreamName) -> Option<OwnedMutexGuard<()>> {
        let hash = self.hasher.hash_one(stream.as_str());
        let lock = usize::try_from(hash % LOCKS as u64).unwrap_or_default();
        match self.locks.get(lock) {
            Some(lock) => Some(Arc::clone(lock).lock_owned().await),
            None => None,
        }
    }
}
