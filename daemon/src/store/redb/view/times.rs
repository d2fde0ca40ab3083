//! Reading by time.

use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::{RedbView, StoreResult};
use crate::store::write::missing;
use crate::store::{Density, LateEvents, LateRange, ReadTimes};

impl RedbView {
    /// The last revision whose (position, effective time) fits; 0 when none does, `None` when the stream has no event. Where
    /// one fits, so do all before it: a search by halving.
    fn last_entry_where(
        &self,
        stream: &StreamName,
        fits: &dyn Fn((u64, i64)) -> bool,
    ) -> StoreResult<Option<Revision>> {
        let Some(number) = self.tables.number(stream)? else {
            return Ok(None);
        };
        let (mut low, mut high) = (0, self.tables.info(number)?.revision.0);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let entry = self.tables.stream_events.get((number, middle))?;
            let entry = entry.ok_or_else(|| missing(format!("revision {middle} of `{stream}`")))?;
            if fits(entry.value()) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Some(Revision(low)))
    }
}

impl ReadTimes for RedbView {
    fn revision_as_of(&self, stream: &StreamName, at: Timestamp) -> StoreResult<Option<Revision>> {
        // Effective times never go back along a stream.
        self.last_entry_where(stream, &|(_, effective)| effective <= at.as_micros())
    }

    fn revision_at(
        &self,
        stream: &StreamName,
        position: Position,
    ) -> StoreResult<Option<Revision>> {
        self.last_entry_where(stream, &|(its_position, _)| its_position <= position.0)
    }

    fn effective_at(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Timestamp>> {
        let Some(number) = self.tables.number(stream)? else {
            return Ok(None);
        };
        let entry = self.tables.stream_events.get((number, revision.0))?;
        Ok(entry.map(|entry| Timestamp::from_micros(entry.value().1)))
    }

    fn late_events(
        &self,
        stream: &StreamName,
        range: LateRange,
        limit: usize,
        budget: u64,
    ) -> StoreResult<LateEvents> {
        late_events(self, stream, range, limit, budget)
    }

    fn density(&self, stream: Option<&StreamName>, buckets: usize) -> StoreResult<Density> {
        super::density::density(self, stream, buckets)
    }
}

/// Reads the index of late events.
pub(in crate::store::redb) fn late_events(
    view: &RedbView,
    stream: &StreamName,
    range: LateRange,
    limit: usize,
    budget: u64,
) -> StoreResult<LateEvents> {
    let mut found = LateEvents::default();
    let Some(number) = view.tables.number(stream)? else {
        return Ok(found);
    };
    if range.after >= range.to {
        return Ok(found);
    }
    let (from, to) = (range.after.next().0, range.to.0);
    let entries = view
        .tables
        .late_events
        .range((number, from)..=(number, to))?;
    for (looked_at, entry) in (0..).zip(entries) {
        view.stop.check()?;
        let (key, recorded_at) = entry?;
        if looked_at >= budget {
            found.unseen_from = Some(Revision(key.value().1));
            break;
        }
        let recorded_at = Timestamp::from_micros(recorded_at.value());
        if range.recorded_by.is_none_or(|at| recorded_at <= at) {
            found.count += 1;
            if found.revisions.len() < limit {
                found.revisions.push(Revision(key.value().1));
            }
        }
    }
    Ok(found)
}
