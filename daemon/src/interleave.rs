//! Merged reading of events and decisions, in commit order.
//!
//! Owns that order: a decision stands after the last event it led to; a rejection after the log's head at that time. A
//! restored decision may belong before one that was recorded earlier: then it stands right after that one, so decisions keep
//! their own order, and none is ever passed over. Live feeds and exports both read through here, batch by batch, each batch
//! from a view of its own, so that a slow reader holds nothing back.

use std::ops::ControlFlow;

use whodunit_core::command::Decision;
use whodunit_core::event::{Event, EventView};
use whodunit_core::ids::Position;

use crate::limits::BATCH_BYTES_MAX;
use crate::store::{DecisionFilter, Direction, Head, ReadDecisions, ReadEvents, StoreError};

/// How many decisions are read before the batch is weighed again.
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
    let mut entries = Vec::new();
    let ask = Ask {
        from,
        until,
        only_rejected,
        limit,
    };
    let end = walk(view, ask, &mut |entry, cursor| {
        let entry = match entry {
            EntryView::Event(event) => Entry::Event(Box::new(event.to_event())),
            EntryView::Decision(decision) => Entry::Decision(Box::new(decision)),
        };
        entries.push((entry, cursor));
        Ok(())
    })?;
    Ok(Batch { entries, end })
}

/// What is read: from a cursor up to a head, at most about so many events and as many decisions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask {
    pub(crate) from: Cursor,
    pub(crate) until: Head,
    pub(crate) only_rejected: bool,
    pub(crate) limit: usize,
}

/// An event where it stands, or a decision.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives for one call; a box would cost more than the room"
)]
pub(crate) enum EntryView<'a> {
    Event(&'a EventView<'a>),
    Decision(Decision),
}

/// Hands what comes after a cursor to `each`, with the cursor after it, within the bounds of [`batch`]; returns how far it has read.
pub(crate) fn walk(
    view: &(impl ReadEvents + ReadDecisions + ?Sized),
    ask: Ask,
    each: &mut dyn FnMut(EntryView<'_>, Cursor) -> Result<(), StoreError>,
) -> Result<Cursor, StoreError> {
    let Ask { from, until, .. } = ask;
    let (decisions, all_decisions) = decisions_after(view, ask)?;
    let mut decisions = decisions.into_iter().peekable();
    let (mut end, mut all_events) = (from, true);
    let (mut count, mut bytes) = (0, 0);
    view.walk_log(Position(from.position + 1), &mut |event| {
        if event.position > until.position {
            return Ok(ControlFlow::Break(()));
        }
        if count >= ask.limit || bytes >= BATCH_BYTES_MAX {
            all_events = false;
            return Ok(ControlFlow::Break(()));
        }
        // What comes first in the decision log goes first, even where a restored decision stands before it: to skip one
        // would be to lose it.
        while let Some(decision) = decisions.next_if(|own| own.place() < event.position) {
            end.decision = decision.sequence;
            each(EntryView::Decision(decision), end)?;
        }
        // The next decision is not read yet: it may belong before this event.
        if decisions.peek().is_none() && !all_decisions {
            all_events = false;
            return Ok(ControlFlow::Break(()));
        }
        count += 1;
        bytes += event.payload_bytes();
        end.position = event.position.0;
        each(EntryView::Event(event), end)?;
        Ok(ControlFlow::Continue(()))
    })?;
    if all_events {
        for decision in decisions {
            end.decision = decision.sequence;
            each(EntryView::Decision(decision), end)?;
        }
        if all_decisions {
            end.decision = end.decision.max(until.decision);
        }
    }
    Ok(end)
}

/// The decisions after a cursor, and whether those are all.
fn decisions_after(
    view: &(impl ReadDecisions + ?Sized),
    ask: Ask,
) -> Result<(Vec<Decision>, bool), StoreError> {
    let (until, limit) = (ask.until, ask.limit);
    let filter = DecisionFilter {
        rejected: ask.only_rejected.then_some(true),
        ..DecisionFilter::default()
    };
    let (mut decisions, mut bytes) = (Vec::new(), 0);
    let mut next = Some(ask.from.decision + 1);
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
