//! What names a cause in the tail: events and decisions by their causation ids.

use whodunit_core::ids::Position;

use super::records::ByHash;
use crate::store::write::Batch;

/// What names a cause. Events that were written with the decision on the command they name are not among them.
#[derive(Debug, Clone, Default)]
pub(super) struct CausesTail {
    events: ByHash,
    decisions: ByHash,
}

impl CausesTail {
    pub(super) fn apply(&mut self, batch: &Batch) {
        for (cause, event) in batch.caused_elsewhere() {
            self.events.insert(cause, event.position.0);
        }
        if let Some(decision) = &batch.decision
            && let Some(cause) = &decision.causation_id
        {
            self.decisions.insert(cause, decision.sequence);
        }
    }

    /// Positions of events that may name a cause, with those of its `own` events, in order.
    pub(super) fn events(&self, cause: &str, own: Vec<Position>) -> Vec<Position> {
        let mut positions = own;
        positions.extend(self.events.numbers(cause).map(Position));
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    /// Sequences of decisions that may name a cause, in order.
    pub(super) fn decisions(&self, cause: &str) -> Vec<u64> {
        self.decisions.numbers(cause).collect()
    }
}
