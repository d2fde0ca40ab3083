//! Reading the decision log.

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::Position;

use super::super::record::{Rejections, decode_rejections};
use super::{RedbView, StoreResult};
use crate::store::write::{Lookup, missing};
use crate::store::{DecisionFilter, DecisionPage, Direction, ReadDecisions};

impl RedbView {
    /// The decision of a sequence that an index names.
    fn decision_record(&self, sequence: u64) -> StoreResult<Decision> {
        self.tables
            .decision(sequence)?
            .ok_or_else(|| missing(format!("decision {sequence}")))
    }

    /// The rejections up to a decision.
    pub(super) fn rejections(&self, sequence: u64) -> StoreResult<Rejections> {
        let record = self.tables.decisions.get(sequence)?;
        let record = record.ok_or_else(|| missing(format!("decision {sequence}")))?;
        decode_rejections(sequence, record.value())
    }
}

impl ReadDecisions for RedbView {
    fn decisions(
        &self,
        filter: &DecisionFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
    ) -> StoreResult<DecisionPage> {
        let last = self.head.decision;
        let (low, high) = match direction {
            Direction::Forward => (from.unwrap_or(1).max(1), last),
            Direction::Backward => (1, from.unwrap_or(last).min(last)),
        };
        let mut page = DecisionPage::default();
        let mut take = |sequence: u64, rejected: Option<bool>| -> StoreResult<bool> {
            self.stop.check()?;
            if filter.rejected.is_some() && rejected.is_some() && rejected != filter.rejected {
                return Ok(true);
            }
            if page.decisions.len() >= limit {
                page.next = Some(sequence);
                return Ok(false);
            }
            let decision = self.decision_record(sequence)?;
            let is_rejected = matches!(decision.result, Outcome::Rejected { .. });
            if filter.rejected.is_none_or(|wanted| wanted == is_rejected) {
                page.decisions.push(decision);
            }
            Ok(true)
        };
        if let Some(stream) = &filter.stream {
            let name = stream.as_str();
            let range = (name, low)..=(name, high);
            let mut entries = self.tables.stream_decisions.range(range)?;
            while let Some(entry) = match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            } {
                let (key, rejected) = entry?;
                if !take(key.value().1, Some(rejected.value()))? {
                    break;
                }
            }
        } else {
            let mut all = (low..=high).map(Some);
            while let Some(Some(sequence)) = match direction {
                Direction::Forward => all.next(),
                Direction::Backward => all.next_back(),
            } {
                if !take(sequence, None)? {
                    break;
                }
            }
        }
        Ok(page)
    }

    fn decision(&self, sequence: u64) -> StoreResult<Option<Decision>> {
        if (1..=self.head.decision).contains(&sequence) {
            self.decision_record(sequence).map(Some)
        } else {
            Ok(None)
        }
    }

    fn decision_by_command(&self, command_id: &str) -> StoreResult<Option<Decision>> {
        let sequence = self.tables.sequence_of(command_id)?;
        sequence
            .map(|sequence| self.decision_record(sequence))
            .transpose()
    }

    fn rejection_before(&self, position: Position) -> StoreResult<u64> {
        // A restored rejection may stand before others of a lower sequence; the furthest place so far never goes back.
        let (mut low, mut high) = (0, self.head.decision);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.rejections(middle)?.all_before(position) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if low == 0 || low == self.head.decision {
            return Ok(low);
        }
        Ok(self.rejections(low)?.last)
    }
}
