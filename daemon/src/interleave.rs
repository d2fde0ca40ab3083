//! Merged reading of events and decisions, in commit order.
//!
//! Owns that order: a decision stands after the last event it led to; a rejection after the log's head at that time. Live
//! feeds and exports both read through here, batch by batch, each batch from a view of its own, so that a slow reader holds
//! nothing back.

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
                let here = block
                    .into_iter()
                    .map(|(_, place)| place)
                    .chain(so_far)
                    .max();
                furthest.push(here.unwrap_or_default());
            }
            furthest.partition_point(|furthest| *furthest < position)
        };
        for index in blocks.. {
            let block = block(view, index)?;
            if let Some((sequence, _)) = block.iter().find(|(_, place)| *place >= position) {
                return Ok(sequence - 1);
            }
            if block.len() < BLOCK {
                break;
            }
        }
        Ok(view.head().decision)
    }
}

/// Sequences and places of a block's decisions.
fn block(view: &dyn View, index: usize) -> Result<Vec<(u64, Position)>, StoreError> {
    let filter = DecisionFilter::default();
    let mut next = Some((index * BLOCK) as u64 + 1);
    let mut block = Vec::with_capacity(BLOCK);
    while block.len() < BLOCK && next.is_some() {
        let wanted = CHUNK.min(BLOCK - block.len());
        let page = view.decisions(&filter, next, Direction::Forward, wanted)?;
        next = page.next;
        let places = page.decisions.iter();
        block.extend(places.map(|decision| (decision.sequence, place(decision))));
    }
    Ok(block)
}
