//! Which positions of the log to look at for a filter, and in which order.
//!
//! Owns the choice of the index. Candidates always come in the order of positions; whether an event passes is then checked
//! on the event itself, so an index only ever saves work.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use redb::{ReadTransaction, TableDefinition};
use whodunit_core::event::Event;

use super::engine;
use super::tables::{BY_ACTOR, BY_CATEGORY, BY_CORRELATION, BY_TIME, BY_TYPE, day};
use crate::store::{Direction, LogFilter, StoreError};

/// Positions to look at, in order.
pub(super) type Candidates = Box<dyn Iterator<Item = Result<u64, StoreError>>>;

/// Beyond this many days with events in a time range, the whole log is looked at instead.
const DAYS_MAX: usize = 366;

/// The positions in `from..=to` (or backwards) that may pass the filter: those of its most selective index.
pub(super) fn candidates(
    txn: &ReadTransaction,
    filter: &LogFilter,
    (low, high): (u64, u64),
    direction: Direction,
) -> Result<Candidates, StoreError> {
    let by_text = [
        (&filter.correlation_id, BY_CORRELATION),
        (&filter.actor, BY_ACTOR),
        (&filter.event_type, BY_TYPE),
        (&filter.category, BY_CATEGORY),
    ];
    for (wanted, index) in by_text {
        if let Some(wanted) = wanted {
            return of_text(txn, index, wanted, (low, high), direction);
        }
    }
    if (filter.since.is_some() || filter.until.is_some())
        && let Some(days) = days(txn, filter)?
    {
        return of_days(txn, &days, (low, high), direction);
    }
    Ok(match direction {
        Direction::Forward => Box::new((low..=high).map(Ok)),
        Direction::Backward => Box::new((low..=high).rev().map(Ok)),
    })
}

fn of_text(
    txn: &ReadTransaction,
    index: TableDefinition<'static, (&'static str, u64), ()>,
    wanted: &str,
    (low, high): (u64, u64),
    direction: Direction,
) -> Result<Candidates, StoreError> {
    let doing = "reading an index";
    let table = txn.open_table(index).map_err(engine(doing))?;
    let entries = table
        .range((wanted, low)..=(wanted, high))
        .map_err(engine(doing))?;
    let position =
        move |entry: Result<(redb::AccessGuard<'static, (&str, u64)>, _), redb::StorageError>| {
            entry
                .map(|(key, _): (_, redb::AccessGuard<'static, ()>)| key.value().1)
                .map_err(engine(doing))
        };
    Ok(match direction {
        Direction::Forward => Box::new(entries.map(position)),
        Direction::Backward => Box::new(entries.rev().map(position)),
    })
}

/// The days of the range that have events; `None` when they are too many to be of use.
fn days(txn: &ReadTransaction, filter: &LogFilter) -> Result<Option<Vec<i64>>, StoreError> {
    let doing = "reading the time index";
    let table = txn.open_table(BY_TIME).map_err(engine(doing))?;
    let last = filter.until.map_or(i64::MAX, |at| day(at.as_micros()));
    let mut next = filter.since.map_or(i64::MIN, |at| day(at.as_micros()));
    let mut days = Vec::new();
    while next <= last {
        let mut entries = table
            .range((next, 0)..=(last, u64::MAX))
            .map_err(engine(doing))?;
        let Some(entry) = entries.next() else { break };
        let found = entry.map_err(engine(doing))?.0.value().0;
        if days.len() == DAYS_MAX {
            return Ok(None);
        }
        days.push(found);
        let Some(after) = found.checked_add(1) else {
            break;
        };
        next = after;
    }
    Ok(Some(days))
}

/// Merges the days' positions into one order. In a log that grew in the order of time the days follow each other; after
/// an import they may overlap.
fn of_days(
    txn: &ReadTransaction,
    days: &[i64],
    (low, high): (u64, u64),
    direction: Direction,
) -> Result<Candidates, StoreError> {
    let doing = "reading the time index";
    let table = txn.open_table(BY_TIME).map_err(engine(doing))?;
    let mut entries = Vec::with_capacity(days.len());
    for &day in days {
        entries.push(
            table
                .range((day, low)..=(day, high))
                .map_err(engine(doing))?,
        );
    }
    let sign = move |position: u64| match direction {
        Direction::Forward => Reverse(i128::from(position)),
        Direction::Backward => Reverse(-i128::from(position)),
    };
    let mut pull = move |index: usize| -> Option<Result<u64, StoreError>> {
        let entries = entries.get_mut(index)?;
        let entry = match direction {
            Direction::Forward => entries.next(),
            Direction::Backward => entries.next_back(),
        };
        Some(entry?.map(|(key, _)| key.value().1).map_err(engine(doing)))
    };
    let mut heap = BinaryHeap::new();
    for index in 0..days.len() {
        if let Some(position) = pull(index).transpose()? {
            heap.push((sign(position), position, index));
        }
    }
    Ok(Box::new(std::iter::from_fn(move || {
        let (_, position, index) = heap.pop()?;
        match pull(index) {
            Some(Ok(next)) => heap.push((sign(next), next, index)),
            Some(Err(error)) => return Some(Err(error)),
            None => {}
        }
        Some(Ok(position))
    })))
}

/// Whether an event passes the filter.
pub(super) fn passes(filter: &LogFilter, event: &Event) -> bool {
    let is = |wanted: &Option<String>, actual: Option<&str>| {
        wanted.as_deref().is_none_or(|w| actual == Some(w))
    };
    is(&filter.category, Some(event.stream.category()))
        && is(&filter.event_type, Some(&event.event_type))
        && is(&filter.actor, event.actor.as_deref())
        && is(&filter.correlation_id, event.correlation_id.as_deref())
        && filter.since.is_none_or(|since| event.recorded_at >= since)
        && filter.until.is_none_or(|until| event.recorded_at <= until)
        && filter
            .text
            .as_deref()
            .is_none_or(|text| event.mentions(&text.to_lowercase()))
}
