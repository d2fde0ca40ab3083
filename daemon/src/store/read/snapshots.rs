//! Reading saved states.

use whodunit_core::ids::{Revision, StreamName};

use crate::store::StoreError;

/// Saved states.
pub trait ReadSnapshots {
    /// The snapshot of this stream and rules hash with the highest revision not above `at_most`.
    fn snapshot(
        &self,
        stream: &StreamName,
        rules_hash: &str,
        at_most: Revision,
    ) -> Result<Option<Snapshot>, StoreError>;

    /// Whether states that are read here may be saved: those of a branch are not.
    fn keeps_snapshots(&self) -> bool {
        true
    }
}

/// A saved state. Derived, never trusted over the events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The stream.
    pub stream: StreamName,
    /// The revision the state stands after.
    pub revision: Revision,
    /// Content hash of the model that folded it.
    pub rules_hash: String,
    /// The state, encoded by the time-travel layer.
    pub state: Vec<u8>,
}
