//! The read view of a sealed log: events and decisions from segments, everything else from the tables beside them.

use std::ops::ControlFlow;
use std::sync::Arc;

use redb::ReadTransaction;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use super::super::FILE_NAME;
use super::super::view::{RedbView, recent};
use super::log::{self, Ask};
use super::parts::Parts;
use super::records::{Found, Records, view};
use crate::store::engine::SealedView;
use crate::store::{
    CategoryInfo, Direction, EachView, HandlerCounts, Head, Job, JobFilter, JobPage, KeyHold,
    LogFilter, LogPage, ReadEvents, ReadJobs, ReadKeys, ReadSnapshots, ReadStreams, Snapshot,
    Stoppable, StoreError, StreamCursor, StreamFilter, StreamInfo, StreamOrder, StreamPage, View,
};

type StoreResult<T> = Result<T, StoreError>;

/// A view of the sealed log of a transaction.
pub(crate) struct SegmentView {
    pub(super) base: RedbView,
    parts: Arc<Parts>,
}

impl SegmentView {
    pub(in crate::store::redb) fn new(
        txn: &Arc<ReadTransaction>,
        parts: Arc<Parts>,
        head: Head,
    ) -> Self {
        let base = RedbView::with_head(txn, head);
        Self { base, parts }
    }

    pub(super) fn records(&self) -> Records<'_, Arc<ReadTransaction>> {
        Records {
            tables: &self.base.tables,
            parts: &self.parts,
            head: self.base.head,
        }
    }

    /// Hands where a stream's events of a range of revisions are to `each`, until it breaks off.
    pub(super) fn each_found(
        &self,
        stream: &StreamName,
        (low, high): (Revision, Revision),
        direction: Direction,
        each: &mut dyn FnMut(&Found) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<()> {
        let Some((number, info)) = self.base.tables.numbered(stream)? else {
            return Ok(());
        };
        let last = info.revision;
        let (low, high) = (low.max(Revision(1)), high.min(last));
        let mut next = match direction {
            Direction::Forward => low,
            Direction::Backward => high,
        };
        let mut at: Option<Found> = None;
        while (low..=high).contains(&next) {
            self.stop().check()?;
            let found = match at
                .take()
                .filter(|at| at.0.key(at.1) == Some((number, next)))
            {
                Some(found) => found,
                None => self.records().revision(number, stream, next)?,
            };
            if each(&found)?.is_break() {
                break;
            }
            let (block, within) = found;
            let (after, beside) = match direction {
                Direction::Forward => (Some(next.next()), within.checked_add(1)),
                Direction::Backward => (next.0.checked_sub(1).map(Revision), within.checked_sub(1)),
            };
            at = beside.map(|within| (block, within));
            let Some(after) = after else { break };
            next = after;
        }
        Ok(())
    }

    /// Refuses a hold of a key that began or ended at an event of another stream, or at none.
    fn began(&self, key: &UniqueKey, hold: &KeyHold) -> StoreResult<()> {
        for position in [Some(hold.since), hold.until].into_iter().flatten() {
            let records = self.records();
            let is_own = records.has(position) && {
                let (block, within) = records.at(position)?;
                block.stream(within) == Some(&hold.stream)
            };
            if !is_own {
                return Err(StoreError::Damaged {
                    place: format!("the index of unique keys in `{FILE_NAME}`"),
                    detail: format!(
                        "{key} is on record as changing hands at position {position}, which is not an event of {}",
                        hold.stream
                    ),
                });
            }
        }
        Ok(())
    }

    /// The position of a revision of a stream.
    fn position_of(&self, number: u64, revision: u64) -> StoreResult<Option<u64>> {
        let found = self.records().of_stream(number, Revision(revision))?;
        Ok(found.and_then(|(block, within)| Some(block.position(within)?.0)))
    }
}

impl Stoppable for SegmentView {
    fn stop(&self) -> &Stop {
        self.base.stop()
    }
}

impl View for SegmentView {
    fn head(&self) -> Head {
        self.base.head
    }

    fn set_stop(&mut self, stop: Stop) {
        self.base.set_stop(stop);
    }
}

impl ReadEvents for SegmentView {
    fn log(
        &self,
        filter: &LogFilter,
        from: Option<Position>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> StoreResult<LogPage> {
        let head = self.base.head.position;
        let from = match direction {
            Direction::Forward => from.unwrap_or(Position(1)).max(Position(1)),
            Direction::Backward => from.unwrap_or(head).min(head),
        };
        let ask = Ask {
            filter,
            direction,
            limit,
            budget,
            stop: self.stop(),
        };
        if let Some(id) = &filter.correlation_id {
            return self.correlated(id, &ask, from);
        }
        log::page(&self.records(), &ask, from)
    }

    fn walk_stream(
        &self,
        stream: &StreamName,
        range: (Revision, Revision),
        direction: Direction,
        each: EachView<'_>,
    ) -> StoreResult<()> {
        self.each_found(stream, range, direction, &mut |found| each(&view(found)?))
    }

    fn walk_log(&self, from: Position, each: EachView<'_>) -> StoreResult<()> {
        log::walk(&self.records(), from, self.stop(), each)
    }

    fn event_at(&self, position: Position) -> StoreResult<Option<Event>> {
        self.records().event_at(position)
    }

    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Event>> {
        self.records().event_at_revision(stream, revision)
    }

    fn event_by_id(&self, event_id: &str) -> StoreResult<Option<Event>> {
        match self.records().position_of(event_id)? {
            Some(position) => self.event_at(position),
            None => Ok(None),
        }
    }

    fn caused_events(&self, cause: &str, from: Position, limit: usize) -> StoreResult<Vec<Event>> {
        self.effects(cause, from, limit)
    }
}

impl ReadStreams for SegmentView {
    fn stream(&self, stream: &StreamName) -> StoreResult<Option<StreamInfo>> {
        self.base.stream(stream)
    }

    fn streams(
        &self,
        filter: &StreamFilter,
        order: StreamOrder,
        after: Option<StreamCursor>,
        limit: usize,
        budget: u64,
    ) -> StoreResult<StreamPage> {
        let recent = |after: Option<StreamCursor>| {
            let position_of = |number, revision| self.position_of(number, revision);
            let after = after.as_ref();
            recent::streams(&self.base, &position_of, filter, after, limit, budget)
        };
        match order {
            StreamOrder::Name => self.base.streams_by_name(filter, after, limit, budget),
            StreamOrder::Recent => recent(after),
        }
    }

    fn categories(&self) -> StoreResult<Vec<CategoryInfo>> {
        self.base.categories()
    }
}

impl ReadKeys for SegmentView {
    fn key_holder(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Option<Position>,
    ) -> StoreResult<Option<KeyHold>> {
        let hold = self.base.key_holder(category, key, at)?;
        hold.iter().try_for_each(|hold| self.began(key, hold))?;
        Ok(hold)
    }

    fn key_holds_since(
        &self,
        category: &str,
        key: &UniqueKey,
        after: Position,
    ) -> StoreResult<Vec<KeyHold>> {
        self.base.key_holds_since(category, key, after)
    }

    fn key_holder_as_of(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Timestamp,
        except: &StreamName,
    ) -> StoreResult<Option<KeyHold>> {
        let hold = self.base.key_holder_as_of(category, key, at, except)?;
        hold.iter().try_for_each(|hold| self.began(key, hold))?;
        Ok(hold)
    }
}

impl ReadJobs for SegmentView {
    fn job(&self, id: u64) -> StoreResult<Option<Job>> {
        self.base.job(id)
    }

    fn jobs(
        &self,
        filter: &JobFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> StoreResult<JobPage> {
        self.base.jobs(filter, from, direction, limit, budget)
    }

    fn jobs_of_event(&self, position: Position) -> StoreResult<Vec<Job>> {
        self.base.jobs_of_event(position)
    }

    fn first_open_job(&self, handler: &str, stream: &StreamName) -> StoreResult<Option<Job>> {
        self.base.first_open_job(handler, stream)
    }

    fn job_counts(&self) -> StoreResult<Vec<HandlerCounts>> {
        self.base.job_counts()
    }
}

impl ReadSnapshots for SegmentView {
    fn snapshot(
        &self,
        stream: &StreamName,
        rules_hash: &str,
        at_most: Revision,
    ) -> StoreResult<Option<Snapshot>> {
        self.base.snapshot(stream, rules_hash, at_most)
    }
}

impl SealedView for SegmentView {
    fn holds(&self, category: &str, key: &UniqueKey, at: Position) -> StoreResult<Vec<KeyHold>> {
        let holds = self.base.holds(category, key, at)?;
        for hold in &holds {
            self.began(key, hold)?;
        }
        Ok(holds)
    }

    fn each_time(&self, stream: Option<&StreamName>, each: &mut dyn FnMut(i64)) -> StoreResult<()> {
        self.each_time_of(stream, each)
    }

    fn last_rejection(&self) -> StoreResult<u64> {
        Ok(self.rejections(self.base.head.decision)?.last)
    }
}
