//! Merged reading of events and decisions, in commit order.
//!
//! Owns that order: a decision stands after the last event it led to; a rejection after the log's head at that time. A
//! restored decision may belong before one that was recorded earlier: then it stands right after that one, so decisions keep
//! their own order, and none is ever passed over. Live feeds and exports both read through here, batch by batch, each batch
//! from a view of its own, so that a slow reader holds nothing back.

use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use crate::store::{
    DecisionFilter, Direction, Head, LogFilter, ReadDecisions, ReadEvents, StoreError,
};

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

/// Reads on from a cursor, up to a head, at most about `limit` events and as many decisions.
pub(crate) fn batch(
    view: &(impl ReadEvents + ReadDecisions + ?Sized),
    from: Cursor,
    until: Head,
    only_rejected: bool,
    limit: usize,
) -> Result<Batch, StoreError> {
    let mut events = events_after(view, from, until, limit)?;
    let mut decisions = decisions_after(view, from, until, only_rejected, limit)?;
    let (all_events, all_decisions) = (events.len() < limit, decisions.len() < limit);
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

fn events_after(
    view: &(impl ReadEvents + ?Sized),
    from: Cursor,
    until: Head,
    limit: usize,
) -> Result<Vec<Event>, StoreError> {
    if from.position >= until.position.0 {
        return Ok(Vec::new());
    }
    let start = Some(Position(from.position + 1));
    let filter = LogFilter::default();
    let page = view.log(&filter, start, Direction::Forward, limit, limit as u64)?;
    let within = |event: &Event| event.position <= until.position;
    Ok(page.events.into_iter().filter(within).collect())
}

fn decisions_after(
    view: &(impl ReadDecisions + ?Sized),
    from: Cursor,
    until: Head,
    only_rejected: bool,
    limit: usize,
) -> Result<Vec<Decision>, StoreError> {
    if from.decision >= until.decision {
        return Ok(Vec::new());
    }
    let filter = DecisionFilter {
        rejected: only_rejected.then_some(true),
        ..DecisionFilter::default()
    };
    let start = Some(from.decision + 1);
    let page = view.decisions(&filter, start, Direction::Forward, limit)?;
    let within = |decision: &Decision| decision.sequence <= until.decision;
    Ok(page.decisions.into_iter().filter(within).collect())
}

#[cfg(test)]
#[path = "interleave_tests.rs"]
mod tests;
