//! Times of a branch's streams.

use std::ops::ControlFlow;

use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::BranchView;
use crate::store::{
    Density, Direction, LateEvents, LateRange, ReadEvents as _, ReadTimes, StoreError,
};

impl ReadTimes for BranchView {
    fn revision_as_of(
        &self,
        stream: &StreamName,
        at: Timestamp,
    ) -> Result<Option<Revision>, StoreError> {
        let Some(other) = self.other(stream) else {
            return self.base.revision_as_of(stream, at);
        };
        if other.info.is_none() {
            return Ok(None);
        }
        let here = other.last_where(|slot| slot.effective <= at);
        if here >= other.first || other.first == Revision(1) {
            return Ok(Some(here));
        }
        let recorded = self.base.revision_as_of(stream, at)?;
        Ok(recorded.map(|recorded| recorded.min(here)))
    }

    fn revision_at(
        &self,
        stream: &StreamName,
        position: Position,
    ) -> Result<Option<Revision>, StoreError> {
        let Some(other) = self.other(stream) else {
            return self.base.revision_at(stream, position);
        };
        if other.info.is_none() {
            return Ok(None);
        }
        // Before the first position there is nothing, whatever was put there.
        let is_then = |at: Position| position > Position::ZERO && at <= position;
        let here = other.last_where(|slot| is_then(slot.position));
        if here >= other.first || other.first == Revision(1) {
            return Ok(Some(here));
        }
        let recorded = self.base.revision_at(stream, position)?;
        Ok(recorded.map(|recorded| recorded.min(here)))
    }

    fn effective_at(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Timestamp>, StoreError> {
        match self.other(stream) {
            Some(other) if revision >= other.first => {
                Ok(other.slot(revision).map(|slot| slot.effective))
            }
            _ => self.base.effective_at(stream, revision),
        }
    }

    fn late_events(
        &self,
        stream: &StreamName,
        range: LateRange,
        limit: usize,
        budget: u64,
    ) -> Result<LateEvents, StoreError> {
        let Some(other) = self.other(stream) else {
            return self.base.late_events(stream, range, limit, budget);
        };
        let before = Revision(other.first.0 - 1);
        let mut late = if range.after < before {
            let recorded = LateRange {
                to: range.to.min(before),
                ..range
            };
            self.base.late_events(stream, recorded, limit, budget)?
        } else {
            LateEvents::default()
        };
        if late.unseen_from.is_some() {
            return Ok(late);
        }
        for (revision, slot) in (other.first.0..).map(Revision).zip(&other.slots) {
            let is_late = slot.recorded_at < slot.effective;
            let is_wanted = range.recorded_by.is_none_or(|by| slot.recorded_at <= by);
            if is_late && is_wanted && revision > range.after && revision <= range.to {
                late.count += 1;
                if late.revisions.len() < limit {
                    late.revisions.push(revision);
                }
            }
        }
        Ok(late)
    }

    fn density(&self, stream: Option<&StreamName>, buckets: usize) -> Result<Density, StoreError> {
        if stream.is_some_and(|stream| self.other(stream).is_none()) {
            return self.base.density(stream, buckets);
        }
        let mut times = Vec::new();
        let mut each = |at: Timestamp| times.push(at);
        match stream {
            Some(stream) => {
                let all = (Revision(1), Revision(u64::MAX));
                let mut effective = Timestamp::MIN;
                self.walk_stream(stream, all, Direction::Forward, &mut |event| {
                    effective = effective.max(event.recorded_at);
                    each(effective);
                    Ok(ControlFlow::Continue(()))
                })?;
            }
            None => self.walk_log(Position(0), &mut |event| {
                each(event.recorded_at);
                Ok(ControlFlow::Continue(()))
            })?,
        }
        Ok(spread(&times, buckets))
    }
}

/// Counts of times in equal parts of the time between the first and the last one.
fn spread(times: &[Timestamp], buckets: usize) -> Density {
    let first = times.iter().min().copied().unwrap_or(Timestamp::MIN);
    let last = times.iter().max().copied().unwrap_or(Timestamp::MIN);
    let mut counts = vec![0; buckets];
    let span = i128::from(last.as_micros()) - i128::from(first.as_micros()) + 1;
    for at in times {
        let offset = i128::from(at.as_micros()) - i128::from(first.as_micros());
        let parts = i128::try_from(buckets).unwrap_or(i128::MAX);
        let index = usize::try_from(offset * parts / span).unwrap_or_default();
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
    }
    Density {
        first,
        last,
        counts,
    }
}
