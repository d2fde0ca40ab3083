//! Decisions of a branch: those that are as recorded, and those that are otherwise or not on record, as one.

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::{Position, Revision};

use super::BranchView;
use crate::store::{DecisionFilter, DecisionPage, Direction, ReadDecisions, StoreError};

impl BranchView {
    /// A recorded decision as it stands here; `None` where it is otherwise, or was never made.
    fn as_recorded(&self, mut decision: Decision) -> Option<Decision> {
        let decisions = &self.overlay.decisions;
        let sequence = decision.sequence;
        if decisions.gone.contains(&sequence) || decisions.own.contains_key(&sequence) {
            return None;
        }
        if let Some(other) = self.other(&decision.stream) {
            // Its stream may be ahead or behind, and as it was otherwise.
            let base = decisions.based.get(&sequence).copied();
            let base = base.unwrap_or_else(|| other.base_here(&decision));
            decision.base_revision = base;
            if let Outcome::Accepted {
                revision, events, ..
            } = &mut decision.result
            {
                *revision = Revision(base.0 + u64::from(*events));
            }
        }
        Some(decision)
    }

    fn own_decision(&self, sequence: u64) -> Option<&Decision> {
        self.overlay.decisions.own.get(&sequence)
    }
}

impl ReadDecisions for BranchView {
    fn decisions(
        &self,
        filter: &DecisionFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
    ) -> Result<DecisionPage, StoreError> {
        let page = self.base.decisions(filter, from, direction, limit)?;
        let is_between = |at: u64| match direction {
            Direction::Forward => {
                from.is_none_or(|from| at >= from) && page.next.is_none_or(|next| at < next)
            }
            Direction::Backward => {
                from.is_none_or(|from| at <= from) && page.next.is_none_or(|next| at > next)
            }
        };
        let own = self.overlay.decisions.own.iter();
        let own = own.filter(|(at, own)| is_between(**at) && filter.is_met_by(own));
        let own = own.map(|(_, own)| own.clone());
        let recorded = page.decisions.into_iter();
        let recorded = recorded.filter_map(|decision| self.as_recorded(decision));
        let mut decisions: Vec<Decision> = recorded.chain(own).collect();
        decisions.sort_by_key(|decision| decision.sequence);
        if direction == Direction::Backward {
            decisions.reverse();
        }
        let mut next = page.next;
        if let Some(first) = decisions.get(limit.max(1)) {
            next = Some(first.sequence);
            decisions.truncate(limit.max(1));
        }
        Ok(DecisionPage { decisions, next })
    }

    fn decision(&self, sequence: u64) -> Result<Option<Decision>, StoreError> {
        if let Some(own) = self.own_decision(sequence) {
            return Ok(Some(own.clone()));
        }
        let recorded = self.base.decision(sequence)?;
        Ok(recorded.and_then(|decision| self.as_recorded(decision)))
    }

    fn decision_by_command(&self, command_id: &str) -> Result<Option<Decision>, StoreError> {
        let own = self.overlay.decisions.own_by_command.get(command_id);
        if let Some(own) = own.and_then(|sequence| self.own_decision(*sequence)) {
            return Ok(Some(own.clone()));
        }
        let recorded = self.base.decision_by_command(command_id)?;
        Ok(recorded.and_then(|decision| self.as_recorded(decision)))
    }

    fn caused_decisions(
        &self,
        cause: &str,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Decision>, StoreError> {
        let own = self.overlay.decisions.own_by_cause.get(cause);
        let own = own.into_iter().flatten().filter(|at| **at >= from);
        let mut found: Vec<Decision> = own
            .filter_map(|sequence| self.own_decision(*sequence).cloned())
            .collect();
        let (own, mut next) = (found.len(), Some(from));
        while let Some(from) = next
            && found.len() - own < limit
        {
            let decisions = self.base.caused_decisions(cause, from, limit)?;
            let last = decisions.last().filter(|_| decisions.len() >= limit);
            next = last.map(|decision| decision.sequence + 1);
            let recorded = decisions.into_iter();
            found.extend(recorded.filter_map(|decision| self.as_recorded(decision)));
        }
        found.sort_by_key(|decision| decision.sequence);
        found.truncate(limit);
        Ok(found)
    }

    fn rejection_before(&self, position: Position) -> Result<u64, StoreError> {
        self.base.rejection_before(position)
    }
}
