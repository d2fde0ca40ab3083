//! Streams by their last event, newest first, in pages that neither skip nor repeat one while others are written.
//!
//! Owns that order. It is the order at the log's head when the first page was read, which a cursor carries: a stream that
//! has grown since stands where it stood then, found by its own index, not at the top, where no later page would come by.

use whodunit_core::ids::Position;

use super::super::FILE_NAME;
use super::super::lookup::counted;
use super::{RedbView, StoreResult};
use crate::limits::MOVED_MAX;
use crate::store::{StoreError, StreamCursor, StreamFilter, StreamPage};

/// A stream's number and the position that it is listed at.
type Listed = (u64, u64);

/// Finds the position of a revision of the stream of a number.
pub(in crate::store::redb) type PositionOf<'a> = dyn Fn(u64, u64) -> StoreResult<Option<u64>> + 'a;

pub(in crate::store::redb) fn streams(
    view: &RedbView,
    position_of: &PositionOf<'_>,
    filter: &StreamFilter,
    after: Option<&StreamCursor>,
    limit: usize,
    budget: u64,
) -> StoreResult<StreamPage> {
    let now = view.head.position.0;
    let (before, head) = match after {
        Some(StreamCursor::BeforePosition { before, head }) => (before.0, head.0),
        _ => (now.saturating_add(1), now),
    };
    let streams = view.tables.streams.len()?;
    counted(
        "streams by their last events",
        &view.tables.streams_by_last,
        streams,
    )?;
    let mut moved = moved(view, position_of, head, before)?;
    let by_last = &view.tables.streams_by_last;
    let still = by_last.range(..before.min(head.saturating_add(1)))?.rev();
    let mut still = still.map(|entry| -> StoreResult<Listed> {
        let (position, number) = entry?;
        Ok((position.value(), number.value()))
    });
    let mut next_still = still.next().transpose()?;
    let mut page = StreamPage::default();
    let mut last = before;
    loop {
        view.stop.check()?;
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
        let is_still = next_still == Some((position, number));
        if is_still {
            next_still = still.next().transpose()?;
        } else {
            moved.pop();
        }
        last = position;
        page.scanned += 1;
        let info = view.tables.info(number)?;
        if is_still && info.last_position.0 != position {
            return Err(StoreError::Damaged {
                place: format!("the index of streams by their last events in `{FILE_NAME}`"),
                detail: format!(
                    "the last event of `{}` is not at position {position}",
                    info.stream
                ),
            });
        }
        if super::streams::stream_passes(filter, &info) {
            page.streams.push(info);
        }
    }
}

/// The streams that have grown beyond a head and were listed before a position at that head, the last to be listed first.
fn moved(
    view: &RedbView,
    position_of: &PositionOf<'_>,
    head: u64,
    before: u64,
) -> StoreResult<Vec<Listed>> {
    let by_last = &view.tables.streams_by_last;
    let mut moved = Vec::new();
    let after_head = head.saturating_add(1);
    for (looked_at, entry) in (0..).zip(by_last.range(after_head..)?) {
        view.stop.check()?;
        if looked_at >= MOVED_MAX {
            return Err(StoreError::CursorTooOld);
        }
        let number = entry?.1.value();
        let (mut low, mut high) = (0, view.tables.info(number)?.revision.0);
        let mut at = None;
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            match position_of(number, middle)? {
                Some(position) if position <= head => (low, at) = (middle, Some(position)),
                _ => high = middle - 1,
            }
        }
        moved.extend(at.filter(|at| *at < before).map(|at| (at, number)));
    }
    moved.sort_unstable();
    Ok(moved)
}
