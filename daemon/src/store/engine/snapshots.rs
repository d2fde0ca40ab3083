//! Snapshots that are not in the file yet: they are written when the log is sealed.
//!
//! They are derived: when there are too many of them, or the process ends, losing them harms nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use imbl::OrdMap;
use whodunit_core::ids::{Revision, StreamName};

use crate::store::Snapshot;

/// Bytes of snapshots that are kept until they are written.
const BYTES_MAX: usize = 16 << 20;

type Key = (StreamName, String, Revision);

/// The snapshots that were unsaved at some moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(OrdMap<Key, Vec<u8>>);

/// The snapshots that are unsaved.
#[derive(Debug, Default)]
pub(super) struct Unsaved(Mutex<OrdMap<Key, Vec<u8>>>);

impl Unsaved {
    fn lock(&self) -> MutexGuard<'_, OrdMap<Key, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps one more; whether they should be written soon.
    pub(super) fn keep(&self, snapshot: Snapshot) -> bool {
        let mut kept = self.lock();
        kept.insert(
            (snapshot.stream, snapshot.rules_hash, snapshot.revision),
            snapshot.state,
        );
        let bytes: usize = kept.values().map(Vec::len).sum();
        bytes > BYTES_MAX
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Snapshot> {
        let kept = self.lock();
        kept.iter()
            .map(|((stream, rules_hash, revision), state)| Snapshot {
                stream: stream.clone(),
                revision: *revision,
                rules_hash: rules_hash.clone(),
                state: state.clone(),
            })
            .collect()
    }

    /// Those that are unsaved now. To be asked before what is published: what is gone by then from here, is there.
    pub(super) fn now(&self) -> Kept {
        Kept(self.lock().clone())
    }

    /// Forgets those that were written, once what is published has them.
    pub(super) fn written(&self, snapshots: &[Snapshot]) {
        let mut kept = self.lock();
        for one in snapshots {
            let key = (one.stream.clone(), one.rules_hash.clone(), one.revision);
            // One that has taken its place meanwhile stays.
            if kept.get(&key) == Some(&one.state) {
                kept.remove(&key);
            }
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.lock().len() as u64
    }
}

impl Kept {
    /// The one of a stream and rules hash with the highest revision not above `at_most`.
    pub(super) fn find(
        &self,
        stream: &StreamName,
        rules_hash: &str,
        at_most: Revision,
    ) -> Option<Snapshot> {
        let key = |revision| (stream.clone(), rules_hash.to_owned(), revision);
        let mut range = self.0.range(key(Revision::ZERO)..=key(at_most));
        let ((_, _, revision), state) = range.next_back()?;
        Some(Snapshot {
            stream: stream.clone(),
            revision: *revision,
            rules_hash: rules_hash.to_owned(),
            state: state.clone(),
        })
    }
}
