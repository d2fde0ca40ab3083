//! Reading the decision log.

use whodunit_core::command::{Decision, Outcome};
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

    /// Decisions on commands whose causation id is this one, by sequence from `from` on, at most `limit`. Cost does not grow
    /// with the log.
    fn caused_decisions(
        &self,
        cause: &str,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Decision>, StoreError>;

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
    /// Exactly this correlation id.
    pub correlation_id: Option<String>,
}

impl DecisionFilter {
    /// Whether a decision is wanted.
    pub fn is_met_by(&self, decision: &Decision) -> bool {
        let is_rejected = matches!(decision.result, Outcome::Rejected { .. });
        let (stream, correlation) = (&self.stream, &self.correlation_id);
        self.rejected.is_none_or(|wanted| wanted == is_rejected)
            && stream
                .as_ref()
                .is_none_or(|stream| *stream == decision.stream)
            && (correlation.is_none() || *correlation == decision.correlation_id)
    }
}

/// A page of decisions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecisionPage {
    /// The decisions, in the direction asked for.
    pub decisions: Vec<Decision>,
    /// The sequence to go on from; `None` at the end.
    pub next: Option<u64>,
}
