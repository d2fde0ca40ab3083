//! Events and decisions inside the batches that brought them, and found by their ids.

use std::ops::Deref;
use std::sync::Arc;

use imbl::OrdSet;
use whodunit_core::event::Event;
use xxhash_rust::xxh3::xxh3_64;

use crate::store::write::{Batch, Placed};

/// An event of a batch.
#[derive(Debug, Clone)]
pub(crate) struct EventRef {
    batch: Arc<Batch>,
    index: usize,
}

impl EventRef {
    /// The event of this index, which the batch must have.
    pub(super) fn new(batch: &Arc<Batch>, index: usize) -> Self {
        let batch = Arc::clone(batch);
        Self { batch, index }
    }

    /// It, with what is derived of it in its stream.
    #[expect(
        clippy::indexing_slicing,
        reason = "made for events that the batch has, and batches never change"
    )]
    pub(crate) fn placed(&self) -> &Placed {
        &self.batch.events[self.index]
    }
}

impl Deref for EventRef {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.placed().event
    }
}

/// Numbers of records by a hash of an id: those that have it, or name it. Other ids may have the same hash, so each record is looked
/// at. Nothing of a record is touched where this is copied.
#[derive(Debug, Clone, Default)]
pub(super) struct ByHash(OrdSet<(u64, u64)>);

impl ByHash {
    pub(super) fn insert(&mut self, id: &str, number: u64) {
        self.0.insert((hash(id), number));
    }

    /// The numbers of the records that may have an id, in order.
    pub(super) fn numbers(&self, id: &str) -> impl Iterator<Item = u64> {
        let hash = hash(id);
        let entries = self.0.range((hash, 0)..=(hash, u64::MAX));
        entries.map(|(_, number)| *number)
    }
}

fn hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}
