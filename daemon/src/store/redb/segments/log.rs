//! The log by a filter: segment after segment, from their columns.
//!
//! Owns what is looked at, and what that counts for. Whether an event passes is checked on the event itself; what a segment keeps of
//! it by position only saves the reading. A segment that is passed over counts as one that was looked at.

use std::ops::ControlFlow;

use redb::ReadTransaction;
use std::sync::Arc;
use whodunit_core::ids::Position;
use whodunit_core::stop::Stop;

use super::super::view::passes;
use super::parts::Sealed;
use super::records::{Records, event, view};
use super::words;
use crate::store::segment::events::EventBlock;
use crate::store::segment::positions::{Positions, Test, Wanted};
use crate::store::write::missing;
use crate::store::{Direction, EachView, LogFilter, LogPage, StoreError};

type StoreResult<T> = Result<T, StoreError>;

/// What is asked, and how much of it.
pub(super) struct Ask<'a> {
    pub(super) filter: &'a LogFilter,
    pub(super) direction: Direction,
    pub(super) limit: usize,
    pub(super) budget: u64,
    pub(super) stop: &'a Stop,
}

impl Ask<'_> {
    pub(super) fn is_full(&self, page: &LogPage) -> bool {
        page.events.len() >= self.limit || page.scanned >= self.budget
    }

    fn next(&self, position: Position) -> Option<Position> {
        match self.direction {
            Direction::Forward => Some(position.next()),
            Direction::Backward => position.0.checked_sub(1).map(Position),
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            event_type: self.filter.event_type.as_deref(),
            actor: self.filter.actor.as_deref(),
            category: self.filter.category.as_deref(),
            since: self.filter.since,
            until: self.filter.until,
            words: &self.filter.words,
        }
    }

    /// Whether a segment may have an event at a wanted time.
    fn may_have(&self, segment: &Sealed) -> bool {
        let (first, last) = segment.manifest.recorded;
        self.filter.since.is_none_or(|since| last >= since)
            && self.filter.until.is_none_or(|until| first <= until)
    }
}

/// A page of the log, from a position on.
pub(super) fn page(
    records: &Records<'_, Arc<ReadTransaction>>,
    ask: &Ask<'_>,
    from: Position,
) -> StoreResult<LogPage> {
    let mut page = LogPage::default();
    // Segments that are passed over are found by their index alone.
    records.tables.whole(&records.tables.segments_by_position)?;
    let wanted = words::segments(records.tables, ask.filter)?;
    let mut next = Some(from);
    while let Some(position) = next.filter(|position| records.has(*position)) {
        ask.stop.check()?;
        if ask.is_full(&page) {
            page.next = Some(position);
            break;
        }
        let place = records.place_of(position)?;
        if wanted
            .as_ref()
            .is_some_and(|wanted| !wanted.contains(&place.1))
        {
            page.scanned += 1;
            next = match ask.direction {
                Direction::Forward => records.behind(place)?,
                Direction::Backward => ask.next(Position(place.0)),
            };
            continue;
        }
        let segment = records.segment_at(position)?;
        let scanned = page.scanned;
        if ask.may_have(&segment) {
            let columns = records.columns(&segment)?;
            if let Some(test) = columns.test(&ask.wanted()) {
                let tested = (&*columns, &test);
                let walked = in_segment(records, ask, (&segment, position), tested, &mut page)?;
                if walked.is_break() {
                    break;
                }
            }
        }
        if page.scanned == scanned {
            page.scanned += 1;
        }
        next = match ask.direction {
            Direction::Forward => Some(segment.manifest.head().position.next()),
            Direction::Backward => ask.next(segment.manifest.first_position),
        };
    }
    Ok(page)
}

/// The events of a segment from a position on; breaks off when there is no room for the next one.
fn in_segment(
    records: &Records<'_, Arc<ReadTransaction>>,
    ask: &Ask<'_>,
    (segment, from): (&Sealed, Position),
    (columns, test): (&Positions, &Test),
    page: &mut LogPage,
) -> StoreResult<ControlFlow<()>> {
    let (first, last) = (
        segment.manifest.first_position,
        segment.manifest.head().position,
    );
    let mut next = Some(from);
    while let Some(position) = next.filter(|position| (first..=last).contains(position)) {
        next = ask.next(position);
        let index = usize::try_from(position.0 - first.0).unwrap_or(usize::MAX);
        if !columns.passes(test, index) {
            continue;
        }
        ask.stop.check()?;
        if ask.is_full(page) {
            page.next = Some(position);
            return Ok(ControlFlow::Break(()));
        }
        page.scanned += 1;
        let event = event(&records.ranked(segment, columns, position)?)?;
        if passes(ask.filter, &event) {
            page.events.push(event);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Hands the events from a position on to `each`, until it breaks off.
pub(super) fn walk(
    records: &Records<'_, Arc<ReadTransaction>>,
    from: Position,
    stop: &Stop,
    each: EachView<'_>,
) -> StoreResult<()> {
    let mut next = from.max(Position(1));
    while records.has(next) {
        let segment = records.segment_at(next)?;
        let columns = records.columns(&segment)?;
        let (first, last) = (
            segment.manifest.first_position,
            segment.manifest.head().position,
        );
        // Neighbours in the log are of different streams, so of different blocks: each block is looked up once.
        let mut blocks: Vec<Option<Arc<EventBlock>>> = vec![None; segment.manifest.blocks.len()];
        while next <= last {
            stop.check()?;
            let lost = || missing(format!("the event at position {next}"));
            let index = usize::try_from(next.0 - first.0).unwrap_or(usize::MAX);
            let rank = columns.rank(index).ok_or_else(lost)?;
            let (number, within) = segment.manifest.block_of(rank).ok_or_else(lost)?;
            let place = blocks.get_mut(number).ok_or_else(lost)?;
            let block = match place {
                Some(block) => Arc::clone(block),
                None => Arc::clone(place.insert(records.events(&segment, number)?)),
            };
            if block.position(within) != Some(next) {
                return Err(lost());
            }
            if each(&view(&(block, within))?)?.is_break() {
                return Ok(());
            }
            next = next.next();
        }
    }
    Ok(())
}
