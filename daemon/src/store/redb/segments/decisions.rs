//! Reading the decisions of segments.

use std::ops::ControlFlow;
use std::sync::Arc;

use whodunit_core::command::Decision;
use whodunit_core::ids::Position;

use super::super::FILE_NAME;
use super::super::lookup::counted;
use super::super::record::Rejections;
use super::view::SegmentView;
use crate::store::bytes::Malformed;
use crate::store::segment::decisions::DecisionBlock;
use crate::store::write::missing;
use crate::store::{
    DecisionFilter, DecisionPage, Direction, ReadDecisions, Stoppable as _, StoreError,
};

type StoreResult<T> = Result<T, StoreError>;

impl SegmentView {
    fn recorded(&self, sequence: u64) -> StoreResult<Decision> {
        let decision = self.records().decision(sequence)?;
        decision.ok_or_else(|| missing(format!("decision {sequence}")))
    }

    /// A decision; `block` is where the one before it was found, and then where this one was.
    fn recorded_near(
        &self,
        block: &mut Option<Arc<DecisionBlock>>,
        sequence: u64,
    ) -> StoreResult<Decision> {
        let records = self.records();
        let own = block.take().filter(|block| block.has(sequence));
        let own = own.map_or_else(|| records.decided(sequence), Ok)?;
        let decision = own.decision(sequence);
        *block = Some(own);
        let decision = decision.map_err(|Malformed(detail)| StoreError::Damaged {
            place: format!("decision {sequence}"),
            detail: detail.into_owned(),
        })?;
        decision.ok_or_else(|| missing(format!("decision {sequence}")))
    }

    /// The rejections up to a decision.
    pub(super) fn rejections(&self, sequence: u64) -> StoreResult<Rejections> {
        self.base.tables.whole(&self.base.tables.rejections)?;
        let mut entries = self.base.tables.rejections.range(..=sequence)?;
        let Some(entry) = entries.next_back() else {
            return Ok(Rejections::default());
        };
        let (last, furthest) = entry?;
        Ok(Rejections {
            furthest: Position(furthest.value()),
            last: last.value(),
        })
    }

    /// Hands the sequences in a range of those that may pass a filter to `each`, until it breaks off.
    fn each_sequence(
        &self,
        filter: &DecisionFilter,
        (low, high): (u64, u64),
        direction: Direction,
        each: &mut dyn FnMut(u64) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<()> {
        type Sequences<'a> = Box<dyn DoubleEndedIterator<Item = StoreResult<Option<u64>>> + 'a>;
        let tables = &self.base.tables;
        if low > high {
            return Ok(());
        }
        let by_correlation = match (&filter.stream, &filter.correlation_id) {
            (None, Some(id)) => match self.correlated_decisions(id, (low, high))? {
                Some(sequences) => Some(sequences),
                None => return Ok(()),
            },
            _ => None,
        };
        let mut sequences: Sequences<'_> = match (&filter.stream, filter.rejected) {
            _ if by_correlation.is_some() => {
                let sequences = by_correlation.into_iter().flatten();
                Box::new(sequences.map(|sequence| sequence.map(Some)))
            }
            (Some(stream), wanted) => {
                let all = self.base.head.decision;
                counted("decisions by stream", &tables.stream_decisions, all)?;
                let name = stream.as_str();
                let entries = tables.stream_decisions.range((name, low)..=(name, high))?;
                Box::new(entries.map(move |entry| {
                    let (key, rejected) = entry?;
                    let (sequence, rejected) = (key.value().1, rejected.value());
                    if wanted.is_some() && rejected != tables.rejections.get(sequence)?.is_some() {
                        return Err(contradicted(sequence));
                    }
                    let is_wanted = wanted.is_none_or(|wanted| wanted == rejected);
                    Ok(is_wanted.then_some(sequence))
                }))
            }
            (None, Some(true)) => {
                tables.whole(&tables.rejections)?;
                let entries = tables.rejections.range(low..=high)?;
                Box::new(entries.map(|entry| Ok(Some(entry?.0.value()))))
            }
            (None, _) => Box::new((low..=high).map(|sequence| Ok(Some(sequence)))),
        };
        while let Some(sequence) = match direction {
            Direction::Forward => sequences.next(),
            Direction::Backward => sequences.next_back(),
        } {
            self.stop().check()?;
            if let Some(sequence) = sequence?
                && each(sequence)?.is_break()
            {
                break;
            }
        }
        Ok(())
    }
}

/// The error for two indexes that say different outcomes of a decision.
fn contradicted(sequence: u64) -> StoreError {
    StoreError::Damaged {
        place: format!("the index of rejections in `{FILE_NAME}`"),
        detail: format!("it is not what decision {sequence} is listed with by its stream"),
    }
}

impl ReadDecisions for SegmentView {
    fn decisions(
        &self,
        filter: &DecisionFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
    ) -> StoreResult<DecisionPage> {
        let last = self.base.head.decision;
        let range = match direction {
            Direction::Forward => (from.unwrap_or(1).max(1), last),
            Direction::Backward => (1, from.unwrap_or(last).min(last)),
        };
        let mut page = DecisionPage::default();
        let mut block = None;
        self.each_sequence(filter, range, direction, &mut |sequence| {
            if page.decisions.len() >= limit {
                page.next = Some(sequence);
                return Ok(ControlFlow::Break(()));
            }
            let decision = self.recorded_near(&mut block, sequence)?;
            if filter.is_met_by(&decision) {
                page.decisions.push(decision);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(page)
    }

    fn decision(&self, sequence: u64) -> StoreResult<Option<Decision>> {
        self.records().decision(sequence)
    }

    fn decision_by_command(&self, command_id: &str) -> StoreResult<Option<Decision>> {
        let sequence = self.records().sequence_of(command_id)?;
        sequence.map(|sequence| self.recorded(sequence)).transpose()
    }

    fn caused_decisions(&self, cause: &str, from: u64, limit: usize) -> StoreResult<Vec<Decision>> {
        self.decided_effects(cause, from, limit)
    }

    fn rejection_before(&self, position: Position) -> StoreResult<u64> {
        // A restored rejection may stand before others of a lower sequence; the furthest place so far never goes back.
        let (mut low, mut high) = (0, self.base.head.decision);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.rejections(middle)?.all_before(position) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if low == 0 || low == self.base.head.decision {
            return Ok(low);
        }
        Ok(self.rejections(low)?.last)
    }
}
