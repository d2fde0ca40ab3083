//! Worlds that were computed, for a while: the least used ones go first where they weigh too much together.

use std::sync::{Arc, Mutex, PoisonError};

use super::overlay::Overlay;
use crate::limits::BRANCHES_CACHE_WEIGHT_MAX;
use crate::store::Head;

/// What a world follows from: what the branch says, the rules, and the log's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Hash of what the branch says, and of the rules.
    pub(crate) of: [u8; 32],
    pub(crate) head: Head,
}

/// The worlds; the one that was used last is the last.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Vec<(Key, Arc<Overlay>)>>);

impl Cache {
    /// The world of a key, where it is kept.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Overlay>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(own, _)| own == key)?;
        let found = kept.remove(at);
        let overlay = Arc::clone(&found.1);
        kept.push(found);
        Some(overlay)
    }

    /// Keeps a world, in place of one of an earlier head.
    pub(crate) fn put(&self, key: Key, overlay: &Arc<Overlay>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(own, _)| own.of != key.of);
        kept.push((key, Arc::clone(overlay)));
        let mut weight: usize = kept.iter().map(|(_, overlay)| overlay.weight()).sum();
        while weight > BRANCHES_CACHE_WEIGHT_MAX && !kept.is_empty() {
            weight -= kept.remove(0).1.weight();
        }
    }
}
