//! Merged reading of events and decisions, in commit order.
//!
//! Owns that order: a decision stands after the last event it led to; a rejection after the log's head at that time. Live
//! feeds and exports both read through here, batch by batch, each batch from a view of its own, so that a slow reader holds
//! nothing back.

use std::sync::{Mutex, PoisonError};

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use crate::store::{DecisionFilter, Direction, Head, LogFilter, StoreError, View};

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

/// Reads on from a cursor, up to a head, at most about `limit` events and as many decisions.
pub(crate) fn batch(
    view: &dyn View,
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
        let beyond = |decision: &Decision| place(decision) > last.position;
        let ready = decisions.iter().position(beyond);
        decisions.truncate(ready.unwrap_or(decisions.len()));
    }
    if !all_decisions && let Some(last) = decisions.last() {
        let bound = place(last);
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

fn events_after(
    view: &dyn View,
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
    view: &dyn View,
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

/// Decisions of one block.
const BLOCK: usize = 1_000;

/// Where decisions stand in the log, by blocks of the decision log.
///
/// Restored decisions may stand before others that were recorded earlier, so what stands after a position cannot be found by
/// halving the decision log itself. The furthest place up to the end of each block never goes back; it is read once and kept.
#[derive(Debug, Default)]
pub(crate) struct Places(Mutex<Vec<Position>>);

impl Places {
    /// The last decision before the first one that stands at `position` or after it: all that do come after it.
    pub(crate) fn decision_before(
        &self,
        view: &dyn View,
        position: Position,
    ) -> Result<u64, StoreError> {
        let blocks = {
            let mut furthest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            while ((furthest.len() + 1) * BLOCK) as u64 <= view.head().decision {
                let block = block(view, furthest.len())?;
                let so_far = furthest.last().copied();
                let here = block.iter().map(place).chain(so_far).max();
                furthest.push(here.unwrap_or_default());
            }
            furthest.partition_point(|furthest| *furthest < position)
        };
        for index in blocks.. {
            let block = block(view, index)?;
            if let Some(found) = block.iter().find(|decision| place(decision) >= position) {
                return Ok(found.sequence - 1);
            }
            if block.len() < BLOCK {
                break;
            }
        }
        Ok(view.head().decision)
    }
}

fn block(view: &dyn View, index: usize) -> Result<Vec<Decision>, StoreError> {
    let filter = DecisionFilter::default();
    let first = (index * BLOCK) as u64 + 1;
    let page = view.decisions(&filter, Some(first), Direction::Forward, BLOCK)?;
    Ok(page.decisions)
}
