//! What names a cause in the tail: events and decisions by hashes of their causation ids.

use imbl::OrdSet;
use whodunit_core::ids::Position;
use xxhash_rust::xxh3::xxh3_64;

use crate::store::write::Batch;

/// A hash of an id, and the position or sequence of what names it.
type Entry = (u64, u64);

/// What names a cause. Other ids may have the same hash. Events that were written with the decision on the command they name
/// are not among them.
#[derive(Debug, Clone, Default)]
pub(super) struct CausesTail {
    events: OrdSet<Entry>,
    decisions: OrdSet<Entry>,
}

impl CausesTail {
    pub(super) fn apply(&mut self, batch: &Batch) {
        for (cause, event) in batch.caused_elsewhere() {
            self.events.insert((hash(cause), event.position.0));
        }
        if let Some(decision) = &batch.decision
            && let Some(cause) = &decision.causation_id
        {
            self.decisions.insert((hash(cause), decision.sequence));
        }
    }

    /// Positions of events that may name a cause, with those of its `own` events, in order.
    pub(super) fn events(&self, cause: &str, own: Vec<Position>) -> Vec<Position> {
        let mut positions = own;
        positions.extend(named(&self.events, cause).map(Position));
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// Sequences of decisions that may name a cause, in order.
    pub(super) fn decisions(&self, cause: &str) -> Vec<u64> {
        named(&self.decisions, cause).collect()
    }
}

fn hash(id: &str) -> u64 {
    xxh3_64(id.as_bytes())
}

fn named<'a>(entries: &'a OrdSet<Entry>, id: &str) -> impl Iterator<Item = u64> + 'a {
    let hash = hash(id);
    entries
        .range((hash, 0)..=(hash, u64::MAX))
        .map(|(_, number)| *number)
}
