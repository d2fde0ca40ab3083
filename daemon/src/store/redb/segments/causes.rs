//! What the ids of causes and correlations lead to: indexes over the sealed records by hashes of these ids.
//!
//! Owns what is in them. An event that was written together with the decision on the command that it names as its cause is
//! not in the index of causes: that decision says where it stands. Several ids may have the same hash, so every record that
//! an entry leads to is checked.

use std::ops::{ControlFlow, RangeInclusive};

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use super::super::open_tables::{Entry, WriteTables};
use super::log::Ask;
use super::view::SegmentView;
use super::{HashKey, NUMBER_MAX, hash_key, number_of};
use crate::store::redb::passes;
use crate::store::write::Batch;
use crate::store::{Direction, LogPage, Stoppable as _, StoreError};

type StoreResult<T> = Result<T, StoreError>;

/// Writes what is named by the records of batches, each table in the order of its keys.
pub(super) fn write(tables: &mut WriteTables<'_>, batches: &[&Batch]) -> StoreResult<()> {
    let (mut correlations, mut causes) = (Vec::new(), Vec::new());
    let (mut decided, mut answered) = (Vec::new(), Vec::new());
    for batch in batches {
        for placed in &batch.events {
            let (id, position) = (&placed.event.correlation_id, placed.event.position);
            correlations.extend(id.as_deref().map(|id| hash_key(id, position.0)));
        }
        let named = batch.caused_elsewhere();
        causes.extend(named.map(|(cause, event)| hash_key(cause, event.position.0)));
        if let Some(decision) = &batch.decision {
            let key = |id: &Option<String>| Some(hash_key(id.as_deref()?, decision.sequence));
            decided.extend(key(&decision.correlation_id));
            answered.extend(key(&decision.causation_id));
        }
    }
    for (keys, table) in [
        (correlations, &mut tables.event_correlations),
        (causes, &mut tables.event_causes),
        (decided, &mut tables.decision_correlations),
        (answered, &mut tables.decision_causes),
    ] {
        let mut keys: Vec<HashKey> = keys;
        keys.sort_unstable();
        for key in keys {
            table.insert(&key, ())?;
        }
    }
    Ok(())
}

/// The keys of an id with numbers in a range; `None` where there can be none.
fn keys(id: &str, (low, high): (u64, u64)) -> Option<(HashKey, HashKey)> {
    let high = high.min(NUMBER_MAX);
    (low <= high).then(|| (hash_key(id, low), hash_key(id, high)))
}

type IdHash = &'static [u8; 12];

fn number(entry: StoreResult<Entry<'_, IdHash, ()>>) -> StoreResult<u64> {
    Ok(number_of(entry?.0.value()))
}

impl SegmentView {
    /// A page of the log's events of a correlation id, from a position on, by their index.
    pub(super) fn correlated(
        &self,
        id: &str,
        ask: &Ask<'_>,
        from: Position,
    ) -> StoreResult<LogPage> {
        let mut page = LogPage::default();
        let range = match ask.direction {
            Direction::Forward => (from.0, self.base.head.position.0),
            Direction::Backward => (1, from.0),
        };
        let Some((low, high)) = keys(id, range) else {
            return Ok(page);
        };
        let table = &self.base.tables.event_correlations;
        self.base.tables.whole(table)?;
        let mut entries = table.range::<&HashKey>(&low..=&high)?;
        while let Some(entry) = match ask.direction {
            Direction::Forward => entries.next(),
            Direction::Backward => entries.next_back(),
        } {
            self.stop().check()?;
            let position = Position(number(entry)?);
            if ask.is_full(&page) {
                page.next = Some(position);
                break;
            }
            page.scanned += 1;
            let found = self.records().event_at(position)?;
            page.events
                .extend(found.filter(|event| passes(ask.filter, event)));
        }
        Ok(page)
    }

    /// The sequences in a range of decisions that may have this correlation id.
    pub(super) fn correlated_decisions(
        &self,
        id: &str,
        range: (u64, u64),
    ) -> StoreResult<Option<impl DoubleEndedIterator<Item = StoreResult<u64>>>> {
        let Some((low, high)) = keys(id, range) else {
            return Ok(None);
        };
        let table = &self.base.tables.decision_correlations;
        self.base.tables.whole(table)?;
        let entries = table.range::<&HashKey>(&low..=&high)?;
        Ok(Some(entries.map(|entry| Ok(number_of(entry?.0.value())))))
    }

    /// Events that name this cause, from a position on.
    pub(super) fn effects(
        &self,
        cause: &str,
        from: Position,
        limit: usize,
    ) -> StoreResult<Vec<Event>> {
        let mut own = self.own_positions(cause)?.peekable();
        let mut events = Vec::new();
        let mut add = |position: u64| -> StoreResult<ControlFlow<()>> {
            self.stop().check()?;
            if position >= from.0 {
                let found = self.records().event_at(Position(position))?;
                events.extend(found.filter(|event| event.causation_id.as_deref() == Some(cause)));
            }
            Ok(if events.len() < limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        let table = &self.base.tables.event_causes;
        self.base.tables.whole(table)?;
        if let Some((low, high)) = keys(cause, (from.0, NUMBER_MAX)) {
            for entry in table.range::<&HashKey>(&low..=&high)? {
                let position = number(entry)?;
                while let Some(own) = own.next_if(|own| *own <= position) {
                    // The events of a decision that was restored are in both.
                    if own < position && add(own)?.is_break() {
                        return Ok(events);
                    }
                }
                if add(position)?.is_break() {
                    return Ok(events);
                }
            }
        }
        for position in own {
            if add(position)?.is_break() {
                break;
            }
        }
        Ok(events)
    }

    /// Positions at which the events of a command stand, if it was decided when they were written.
    fn own_positions(&self, command_id: &str) -> StoreResult<RangeInclusive<u64>> {
        let sequence = self.records().sequence_of(command_id)?;
        let decision = match sequence {
            Some(sequence) => self.records().decision(sequence)?,
            None => None,
        };
        Ok(match decision.map(|decision| decision.result) {
            Some(Outcome::Accepted {
                position, events, ..
            }) => (position.0 + 1).saturating_sub(u64::from(events)).max(1)..=position.0,
            _ => RangeInclusive::new(1, 0),
        })
    }

    /// Decisions that name this cause, from a sequence on.
    pub(super) fn decided_effects(
        &self,
        cause: &str,
        from: u64,
        limit: usize,
    ) -> StoreResult<Vec<Decision>> {
        let mut decisions = Vec::new();
        let Some((low, high)) = keys(cause, (from, NUMBER_MAX)).filter(|_| limit > 0) else {
            return Ok(decisions);
        };
        let table = &self.base.tables.decision_causes;
        self.base.tables.whole(table)?;
        for entry in table.range::<&HashKey>(&low..=&high)? {
            self.stop().check()?;
            let found = self.records().decision(number(entry)?)?;
            decisions.extend(found.filter(|found| found.causation_id.as_deref() == Some(cause)));
            if decisions.len() >= limit {
                break;
            }
        }
        Ok(decisions)
    }
}
