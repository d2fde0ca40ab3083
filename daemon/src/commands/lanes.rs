//! Lanes: writes that depend on a stream's head go one after another.
//!
//! Owns a fixed number of locks, each for a share of the streams. What makes concurrent writes correct is the store's
//! check of the expected revision; the lanes only spare the losers of a race from loading and hashing again and again.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use whodunit_core::ids::StreamName;

const LANES: usize = 1_024;

/// The locks.
pub(super) struct Lanes {
    lanes: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            lanes: (0..LANES).map(|_| Arc::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Lanes {
    /// Waits for the stream's turn, which lasts as long as the answer is kept.
    pub(super) async fn enter(&self, stream: &StreamName) -> Option<OwnedMutexGuard<()>> {
        let hash = self.hasher.hash_one(stream.as_str());
        let lane = usize::try_from(hash % LANES as u64).unwrap_or_default();
        match self.lanes.get(lane) {
            Some(lane) => Some(Arc::clone(lane).lock_owned().await),
            None => None,
        }
    }
}
