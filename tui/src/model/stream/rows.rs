//! Rows of a history: revision 0, each event, and each rejected command after the revision it was decided on.
//!
//! Rows are computed, not kept: a stream may be long.

use whodunit_core::command::{Decision, Outcome};

use super::{Row, StreamScreen};

impl StreamScreen {
    pub(crate) fn set_decisions(&mut self, decisions: Vec<Decision>, more: bool) {
        self.rejected = (0..decisions.len())
            .filter(|&index| {
                decisions
                    .get(index)
                    .is_some_and(|d| matches!(d.result, Outcome::Rejected { .. }))
            })
            .collect();
        self.rejected
            .sort_by_key(|&index| decisions.get(index).map(|d| (d.base_revision, d.sequence)));
        self.decisions = decisions;
        self.more_decisions = more;
    }

    /// The rejected command of a row.
    pub(crate) fn rejected(&self, index: usize) -> Option<&Decision> {
        self.decisions.get(*self.rejected.get(index)?)
    }

    /// The row of a rejected command, by its sequence.
    pub(crate) fn rejected_row(&self, sequence: u64) -> Option<Row> {
        (0..self.rejected.len())
            .find(|&index| self.rejected(index).is_some_and(|d| d.sequence == sequence))
            .map(Row::Rejected)
    }

    pub(crate) fn rejected_count(&self) -> usize {
        self.rejected.len()
    }

    /// How many rejected commands stand before the row of a revision.
    fn rejected_before(&self, revision: u64) -> usize {
        self.rejected.partition_point(|&index| {
            self.decisions
                .get(index)
                .is_some_and(|d| d.base_revision.0 < revision)
        })
    }

    /// How many rows there are: revision 0, every event, every rejected command.
    pub(crate) fn rows(&self) -> usize {
        usize::try_from(self.head()).unwrap_or(usize::MAX - self.rejected.len() - 1)
            + 1
            + self.rejected.len()
    }

    /// Where a row stands.
    pub(crate) fn index_of(&self, row: Row) -> usize {
        let at = |revision: u64| usize::try_from(revision).unwrap_or(usize::MAX);
        match row {
            Row::Revision(revision) => at(revision).saturating_add(self.rejected_before(revision)),
            Row::Rejected(index) => {
                let base = self
                    .rejected(index)
                    .map_or(0, |decision| decision.base_revision.0);
                at(base).saturating_add(1 + index)
            }
        }
    }

    /// The row that stands at an index, the last one beyond the end.
    pub(crate) fn row_at(&self, index: usize) -> Row {
        let index = index.min(self.rows().saturating_sub(1));
        // Rejected commands stand at known indexes, in order; every other index is a revision.
        let before = (0..self.rejected.len())
            .collect::<Vec<_>>()
            .partition_point(|&rejected| self.index_of(Row::Rejected(rejected)) < index);
        if before < self.rejected.len() && self.index_of(Row::Rejected(before)) == index {
            return Row::Rejected(before);
        }
        Row::Revision(
            u64::try_from(index - before)
                .unwrap_or(u64::MAX)
                .min(self.head()),
        )
    }

    /// The revision the cursor is about: of a rejected command, the one it was decided on.
    pub(crate) fn revision(&self) -> u64 {
        match self.cursor {
            Row::Revision(revision) => revision,
            Row::Rejected(index) => self
                .rejected(index)
                .map_or(0, |decision| decision.base_revision.0),
        }
    }
}
