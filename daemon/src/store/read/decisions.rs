//! Reading the decision log.

use whodunit_core::command::Decision;
use whodunit_core::ids::{Position, StreamName};

use super::Direction;
use crate::store::StoreError;

/// The decision log.
pub trait ReadDecisions {
    /// Decisions that pass the filter, from sequence `from` on (up or down; `None`: from the end that the direction
    /// starts at), at most `limit`.
    fn decisions(
        &self,
        filter: &DecisionFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<DecisionPage, StoreError>;

    /// The decision of this sequence.
    fn decision(&self, sequence: u64) -> Result<Option<Decision>, StoreError>;

    /// The recorded decision of a command.
    fn decision_by_command(&self, command_id: &str) -> Result<Option<Decision>, StoreError>;

    /// The sequence of the last rejection before the first one that stands at `position` or after it: what comes after it
    /// is what a reader of events and rejections gets after the event at `position`. The last decision's when no rejection
    /// stands there or after; 0 when there is none before. Cost grows with the logarithm of the decision log's length.
    fn rejection_before(&self, position: Position) -> Result<u64, StoreError>;
}

/// Which decisions are wanted. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecisionFilter {
    /// Exactly this stream.
    pub stream: Option<StreamName>,
    /// Only rejected (`Some(true)`) or only accepted (`Some(false)`) ones.
    pub rejected: Option<bool>,
}

/// A page of decisions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecisionPage {
    /// The decisions, in the direction asked for.
    pub decisions: Vec<Decision>,
    /// The sequence to go on from; `None` at the end.
    pub next: Option<u64>,
}
