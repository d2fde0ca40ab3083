//! Streams by their last event, newest first, in pages that neither skip nor repeat one while others are written.
//!
//! Owns that order. It is the order at the log's head when the first page was read, which a cursor carries: a stream that
//! has grown since stands where it stood then, found by its own index, not at the top, where no later page would come by.

use redb::ReadTransaction;
use whodunit_core::ids::Position;

use super::engine;
use super::tables::{STREAM_EVENTS, STREAMS_BY_LAST};
use super::view::RedbView;
use crate::limits::MOVED_MAX;
use crate::store::{StoreError, StreamCursor, StreamFilter, StreamPage, View};

/// A stream's number and the position that it is listed at.
type Listed = (u64, u64);

pub(super) fn streams(
    txn: &ReadTransaction,
    view: &RedbView,
    filter: &StreamFilter,
    after: Option<&StreamCursor>,
    limit: usize,
    budget: u64,
) -> Result<StreamPage, StoreError> {
    let doing = "reading the streams";
    let now = view.head().position.0;
    let (before, head) = match after {
        Some(StreamCursor::BeforePosition { before, head }) => (before.0, head.0),
        _ => (now.saturating_add(1), now),
    };
    let mut moved = moved(txn, view, head, before)?;
    let by_last = txn.open_table(STREAMS_BY_LAST).map_err(engine(doing))?;
    let still = by_last
        .range(..before.min(head.saturating_add(1)))
        .map_err(engine(doing))?
        .rev();
    let mut still = still.map(|entry| -> Result<Listed, StoreError> {
        let (position, number) = entry.map_err(engine(doing))?;
        Ok((position.value(), number.value()))
    });
    let mut next_still = still.next().transpose()?;
    let mut page = StreamPage::default();
    let mut last = before;
    loop {
        view.stop().check()?;
        let (position, number) = match (moved.last(), next_still) {
            (None, None) => return Ok(page),
            (Some(&moved), None) => moved,
            (None, Some(still)) => still,
            (Some(&moved), Some(still)) => moved.max(still),
        };
        if page.streams.len() >= limit || page.scanned >= budget {
            page.next = Some(StreamCursor::BeforePosition {
                before: Position(last),
                head: Position(head),
            });
            return Ok(page);
        }
        if next_still == Some((position, number)) {
            next_still = still.next().transpose()?;
        } else {
            moved.pop();
        }
        last = position;
        page.scanned += 1;
        let info = view.info(number)?;
        if super::view::stream_passes(filter, &info) {
            page.streams.push(info);
        }
    }
}

/// The streams that have grown beyond a head and were listed before a position at that head, the last to be listed first.
fn moved(
    txn: &ReadTransaction,
    view: &RedbView,
    head: u64,
    before: u64,
) -> Result<Vec<Listed>, StoreError> {
    let doing = "reading the streams that have grown";
    let by_last = txn.open_table(STREAMS_BY_LAST).map_err(engine(doing))?;
    let events = txn.open_table(STREAM_EVENTS).map_err(engine(doing))?;
    let mut moved = Vec::new();
    let after_head = head.saturating_add(1);
    for (looked_at, entry) in (0..).zip(by_last.range(after_head..).map_err(engine(doing))?) {
        view.stop().check()?;
        if looked_at >= MOVED_MAX {
            return Err(StoreError::CursorTooOld);
        }
        let number = entry.map_err(engine(doing))?.1.value();
        let (mut low, mut high) = (0, view.info(number)?.revision.0);
        let mut at = None;
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let entry = events.get((number, middle)).map_err(engine(doing))?;
            match entry.map(|entry| entry.value().0) {
                Some(position) if position <= head => (low, at) = (middle, Some(position)),
                _ => high = middle - 1,
            }
        }
        moved.extend(at.filter(|at| *at < before).map(|at| (at, number)));
    }
    moved.sort_unstable();
    Ok(moved)
}
