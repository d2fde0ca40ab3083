//! Reading segments by time.

use std::ops::ControlFlow;

use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::super::view::{bucket, late_events};
use super::records::Found;
use super::view::SegmentView;
use crate::store::engine::SealedView;
use crate::store::write::missing;
use crate::store::{
    Density, Direction, LateEvents, LateRange, ReadTimes, Stoppable as _, StoreError,
};

type StoreResult<T> = Result<T, StoreError>;

impl SegmentView {
    /// The last revision whose event fits; 0 when none does, `None` when the stream has no event. Where one fits, so do all
    /// before it: a search by halving.
    fn last_where(
        &self,
        stream: &StreamName,
        fits: &dyn Fn(&Found) -> bool,
    ) -> StoreResult<Option<Revision>> {
        let Some((number, info)) = self.base.tables.numbered(stream)? else {
            return Ok(None);
        };
        let (mut low, mut high) = (0, info.revision.0);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let found = self.records().revision(number, stream, Revision(middle))?;
            if fits(&found) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Some(Revision(low)))
    }

    /// The first and last of the times that [`SealedView::each_time`] has; `None` when it has none.
    fn time_ends(&self, stream: Option<&StreamName>) -> StoreResult<Option<(i64, i64)>> {
        let Some(stream) = stream else {
            let mut ends: Option<(i64, i64)> = None;
            for segment in self.records().segments()? {
                let segment = segment?;
                if segment.manifest.events > 0 {
                    let (first, last) = segment.manifest.recorded;
                    let own = (first.as_micros(), last.as_micros());
                    let both = |ends: (i64, i64)| (ends.0.min(own.0), ends.1.max(own.1));
                    ends = Some(ends.map_or(own, both));
                }
            }
            return Ok(ends);
        };
        // Effective times never go back.
        let info = self.base.tables.stream(stream)?;
        Ok(info.map(|info| (info.first_at.as_micros(), info.last_at.as_micros())))
    }

    pub(super) fn each_time_of(
        &self,
        stream: Option<&StreamName>,
        each: &mut dyn FnMut(i64),
    ) -> StoreResult<()> {
        let records = self.records();
        if let Some(stream) = stream {
            let all = (Revision(1), Revision(u64::MAX));
            return self.each_found(stream, all, Direction::Forward, &mut |(block, within)| {
                let at = block.effective_at(*within);
                each(
                    at.ok_or_else(|| missing(format!("an event of `{stream}`")))?
                        .as_micros(),
                );
                Ok(ControlFlow::Continue(()))
            });
        }
        for segment in records.segments()? {
            self.stop().check()?;
            let columns = records.columns(&*segment?)?;
            for index in 0..columns.len() {
                each(columns.recorded_at(index).map_or(0, Timestamp::as_micros));
            }
        }
        Ok(())
    }
}

impl ReadTimes for SegmentView {
    fn revision_as_of(&self, stream: &StreamName, at: Timestamp) -> StoreResult<Option<Revision>> {
        // Effective times never go back along a stream.
        self.last_where(stream, &|(block, within)| {
            block.effective_at(*within).is_some_and(|own| own <= at)
        })
    }

    fn revision_at(
        &self,
        stream: &StreamName,
        position: Position,
    ) -> StoreResult<Option<Revision>> {
        self.last_where(stream, &|(block, within)| {
            block.position(*within).is_some_and(|own| own <= position)
        })
    }

    fn effective_at(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Timestamp>> {
        let found = self.records().in_stream(stream, revision)?;
        Ok(found.and_then(|(block, within)| block.effective_at(within)))
    }

    fn late_events(
        &self,
        stream: &StreamName,
        range: LateRange,
        limit: usize,
        budget: u64,
    ) -> StoreResult<LateEvents> {
        late_events(&self.base, stream, range, limit, budget)
    }

    fn density(&self, stream: Option<&StreamName>, buckets: usize) -> StoreResult<Density> {
        let buckets = buckets.max(1);
        let mut counts = vec![0; buckets];
        let Some((first, last)) = self.time_ends(stream)? else {
            let epoch = Timestamp::from_micros(0);
            return Ok(Density {
                first: epoch,
                last: epoch,
                counts,
            });
        };
        self.each_time(stream, &mut |at| {
            if let Some(count) = counts.get_mut(bucket(at, first, last, buckets)) {
                *count += 1;
            }
        })?;
        Ok(Density {
            first: Timestamp::from_micros(first),
            last: Timestamp::from_micros(last),
            counts,
        })
    }
}
