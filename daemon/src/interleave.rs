//! Merged reading of events and decisions, in commit order.
//!
//! Owns that order: a decision stands after the last event it led to; a rejection after the log's head at that time. A
//! restored decision may belong before one that was recorded earlier: then it stands right after that one, so decisions keep
//! their own order, and none is ever passed over. Live feeds and exports both read through here, batch by batch, each batch
//! from a view of its own, so that a slow reader holds nothing back.

use std::sync::{Mutex, PoisonError};

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use crate::limits::BATCH_BYTES_MAX;
use crate::reading::weight;
use crate::store::{DecisionFilter, Direction, Head, LogFilter, StoreError, View};

/// How many events or decisions are read before the batch is weighed again.
const CHUNK: usize = 8;

/// An event or a decision.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Event(Box<Event>),
    Decision(Box<Decision>),
}

/// How far both have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    pub(crate) position: u64,
    pub(crate) decision: u64,
}

/// What comes after a cursor.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The entries, each with the cursor after it.
    pub(crate) entries: Vec<(Entry, Cursor)>,
    /// How far this batch has read: past its entries also past decisions that were not wanted.
    pub(crate) end: Cursor,
}

/// The position that a decision stands right after.
fn place(decision: &Decision) -> Position {
    match decision.result {
        Outcome::Accepted { position, .. } => position,
        Outcome::Rejected { .. } => decision.base_position,
    }
}

/// Reads on from a cursor, up to a head, at most about `limit` events and as many decisions, and about
/// [`BATCH_BYTES_MAX`] of each.
pub(crate) fn batch(
    view: &dyn View,
    from: Cursor,
    until: Head,
    only_rejected: bool,
    limit: usize,
) -> Result<Batch, StoreError> {
    let (mut events, all_events) = events_after(view, from, until, limit)?;
    let (mut decisions, all_decisions) = decisions_after(view, from, until, only_rejected, limit)?;
    // Where one of the two goes on beyond its batch, the other may not run ahead of it.
    if !all_events && let Some(last) = events.last() {
        // What comes first in the decision log goes first, even where a restored decision stands before it: to skip one
        // would be to lose it.
        let beyond = |decision: &Decision| place(decision) > last.position;
        let ready = decisions.iter().position(beyond);
        decisions.truncate(ready.unwrap_or(decisions.len()));
    }
    if !all_decisions && let Some(bound) = decisions.iter().map(place).max() {
        events.retain(|event| event.position <= bound);
    }
    let mut batch = Batch {
        entries: Vec::with_capacity(events.len() + decisions.len()),
        end: from,
    };
    let mut decisions = decisions.into_iter().peekable();
    let mut events = events.into_iter().peekable();
    loop {
        let before_next = |decision: &Decision| match events.peek() {
            Some(event) => place(decision) < event.position,
            None => true,
        };
        if let Some(decision) = decisions.next_if(before_next) {
            batch.end.decision = decision.sequence;
            batch
                .entries
                .push((Entry::Decision(Box::new(decision)), batch.end));
        } else if let Some(event) = events.next() {
            batch.end.position = event.position.0;
            batch
                .entries
                .push((Entry::Event(Box::new(event)), batch.end));
        } else {
            break;
        }
    }
    if all_events && all_decisions {
        batch.end.decision = batch.end.decision.max(until.decision);
    }
    Ok(batch)
}

/// The events after a cursor, and whether those are all.
fn events_after(
    view: &dyn View,
    from: Cursor,
    until: Head,
    limit: usize,
) -> Result<(Vec<Event>, bool), StoreError> {
    let filter = LogFilter::default();
    let (mut events, mut bytes) = (Vec::new(), 0);
    let mut next = Some(Position(from.position + 1));
    loop {
        let Some(start) = next.filter(|start| *start <= until.position) else {
            return Ok((events, true));
        };
        if events.len() >= limit || bytes >= BATCH_BYTES_MAX {
            return Ok((events, false));
        }
        let wanted = CHUNK.min(limit - events.len());
        let page = view.log(
            &filter,
            Some(start),
            Direction::Forward,
            wanted,
            wanted as u64,
        )?;
        next = page.next;
        bytes += page.events.iter().map(weight).sum::<usize>();
        let within = |event: &Event| event.position <= until.position;
        events.extend(page.events.into_iter().filter(within));
    }
}

/// The decisions after a cursor, and whether those are all.
fn decisions_after(
    view: &dyn View,
    from: Cursor,
    until: Head,
    only_rejected: bool,
    limit: usize,
) -> Result<(Vec<Decision>, bool), StoreError> {
    let filter = DecisionFilter {
        rejected: only_rejected.then_some(true),
        ..DecisionFilter::default()
    };
    let (mut decisions, mut bytes) = (Vec::new(), 0);
    let mut next = Some(from.decision + 1);
    loop {
        let Some(start) = next.filter(|start| *start <= until.decision) else {
            return Ok((decisions, true));
        };
        if decisions.len() >= limit || bytes >= BATCH_BYTES_MAX {
            return Ok((decisions, false));
        }
        let wanted = CHUNK.min(limit - decisions.len());
        let page = view.decisions(&filter, Some(start), Direction::Forward, wanted)?;
        next = page.next;
        let length = |decision: &Decision| decision.payload.as_str().len();
        bytes += page.decisions.iter().map(length).sum::<usize>();
        let within = |decision: &Decision| decision.sequence <= until.decision;
        decisions.extend(page.decisions.into_iter().filter(within));
    }
}

/// Decisions of one block.
const BLOCK: u64 = 1_000;

/// Where rejections stand in the log, by blocks of the decision log.
///
/// Restored decisions may stand before others that were recorded earlier, so what stands after a position cannot be found by
/// halving the decision log itself. The furthest place up to the end of each block never goes back; it is read once and kept.
/// Accepted decisions do not count: a live feed does not bring them, so they do not move a rejection in it.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Vec<Furthest>>);

/// Of the rejections up to the end of a block.
#[derive(Debug, Clone, Copy, Default)]
struct Furthest {
    place: Position,
    /// The last one's sequence.
    sequence: u64,
}

impl Places {
    /// The last rejection before the first one that stands at `position` or after it: what comes after it is what a feed
    /// from the beginning brings after the event at `position`.
    pub(crate) fn decision_before(
        &self,
        view: &dyn View,
        position: Position,
    ) -> Result<u64, StoreError> {
        let head = view.head().decision;
        let (blocks, known) = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            while (known.len() as u64 + 1) * BLOCK <= head {
                let mut furthest = known.last().copied().unwrap_or_default();
                for (sequence, place) in block(view, known.len() as u64)? {
                    furthest.place = furthest.place.max(place);
                    furthest.sequence = sequence;
                }
                known.push(furthest);
            }
            let blocks = known.partition_point(|furthest| furthest.place < position);
            let last = blocks.checked_sub(1).and_then(|last| known.get(last));
            (blocks, last.copied().unwrap_or_default())
        };
        let mut before = known.sequence;
        for index in blocks as u64..=head / BLOCK {
            for (sequence, place) in block(view, index)? {
                if place >= position {
                    return Ok(before);
                }
                before = sequence;
            }
        }
        Ok(head)
    }
}

/// Sequences and places of the rejections of a block, without their payloads.
fn block(view: &dyn View, index: u64) -> Result<Vec<(u64, Position)>, StoreError> {
    let filter = DecisionFilter::default();
    let limit = usize::try_from(BLOCK).unwrap_or(usize::MAX);
    let (mut next, mut read) = (Some(index * BLOCK + 1), 0);
    let mut block = Vec::new();
    while read < limit && next.is_some() {
        let wanted = CHUNK.min(limit - read);
        let page = view.decisions(&filter, next, Direction::Forward, wanted)?;
        next = page.next;
        read += page.decisions.len();
        let rejected = |decision: &&Decision| matches!(decision.result, Outcome::Rejected { .. });
        let places = page.decisions.iter().filter(rejected);
        block.extend(places.map(|decision| (decision.sequence, place(decision))));
    }
    Ok(block)
}

#[cfg(test)]
#[path = "interleave_tests.rs"]
mod tests;
