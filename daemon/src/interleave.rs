//! Merged reading of events and decisions, in commit order.
//!
//! Owns that order: a decision stands after the last event it led to; a rejection after the log's head at that time. A
//! restored decision may belong before one that was recorded earlier: then it stands right after that one, so decisions keep
//! their own order, and none is ever passed over. Live feeds and exports both read through here, batch by batch, each batch
//! from a view of its own, so that a slow reader holds nothing back.

use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use crate::limits::BATCH_BYTES_MAX;
use crate::reading::weight;
use crate::store::{
    DecisionFilter, Direction, Head, LogFilter, ReadDecisions, ReadEvents, StoreError,
};

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

/// Reads on from a cursor, up to a head, at most about `limit` events and as many decisions, and about
/// [`BATCH_BYTES_MAX`] of each.
pub(crate) fn batch(
    view: &(impl ReadEvents + ReadDecisions + ?Sized),
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
        let beyond = |decision: &Decision| decision.place() > last.position;
        let ready = decisions.iter().position(beyond);
        decisions.truncate(ready.unwrap_or(decisions.len()));
    }
    if !all_decisions && let Some(bound) = decisions.iter().map(Decision::place).max() {
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
            Some(event) => decision.place() < event.position,
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
    view: &(impl ReadEvents + ?Sized),
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
    view: &(impl ReadDecisions + ?Sized),
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

#[cfg(test)]
#[path = "interleave_tests.rs"]
mod tests;
