//! Which positions of the log to look at for a filter, and in which order.
//!
//! Owns the choice of the indexes: those of all given words are walked together, each skipping to where the others are,
//! within the positions that the time range leaves. Candidates always come in the order of positions; whether an event
//! passes is then checked on the event itself, so an index only ever saves work.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use redb::{ReadOnlyTable, ReadTransaction, TableDefinition};
use whodunit_core::event::Event;

use super::super::engine;
use super::super::tables::{BY_ACTOR, BY_CATEGORY, BY_CORRELATION, BY_TIME, BY_TYPE, day};
use crate::store::{Direction, LogFilter, StoreError};

/// Positions to look at, in order.
pub(super) type Candidates = Box<dyn Iterator<Item = Result<u64, StoreError>>>;

/// Beyond this many days with events in a time range, the whole log is looked at instead.
const DAYS_MAX: usize = 366;
/// Entries that a list steps over one by one before it looks its target up instead.
const STEPS_MAX: usize = 8;
/// After so many rounds without agreement a position is looked at all the same, so that the caller's budget counts them.
const ROUNDS_MAX: usize = 64;

/// The positions in a range (or backwards) that may pass the filter.
pub(super) fn candidates(
    txn: &ReadTransaction,
    filter: &LogFilter,
    range: (u64, u64),
    direction: Direction,
) -> Result<Candidates, StoreError> {
    let timed = filter.since.is_some() || filter.until.is_some();
    let days = if timed { days(txn, filter)? } else { None };
    let (low, high) = match &days {
        Some(days) => narrowed(txn, days, range)?,
        None => range,
    };
    let start = match direction {
        Direction::Forward => low,
        Direction::Backward => high,
    };
    let mut lists = Vec::new();
    for (wanted, index) in [
        (&filter.correlation_id, BY_CORRELATION),
        (&filter.actor, BY_ACTOR),
        (&filter.event_type, BY_TYPE),
        (&filter.category, BY_CATEGORY),
    ] {
        if let Some(wanted) = wanted {
            lists.push(List::open(txn, index, wanted, (low, high), direction)?);
        }
    }
    if !lists.is_empty() {
        let target = (low <= high).then_some(start);
        return Ok(Box::new(Intersection {
            lists,
            target,
            direction,
        }));
    }
    if let Some(days) = days {
        return of_days(txn, &days, (low, high), direction);
    }
    Ok(match direction {
        Direction::Forward => Box::new((low..=high).map(Ok)),
        Direction::Backward => Box::new((low..=high).rev().map(Ok)),
    })
}

/// The positions that all lists have, in order; now and then another, see [`ROUNDS_MAX`].
struct Intersection {
    lists: Vec<List>,
    target: Option<u64>,
    direction: Direction,
}

impl Intersection {
    fn advance(&mut self) -> Result<Option<u64>, StoreError> {
        let Some(mut target) = self.target.take() else {
            return Ok(None);
        };
        for _ in 0..ROUNDS_MAX {
            let before = target;
            for list in &mut self.lists {
                match list.seek(target)? {
                    Some(found) => target = found,
                    None => return Ok(None),
                }
            }
            if target == before {
                break;
            }
        }
        self.target = match self.direction {
            Direction::Forward => target.checked_add(1),
            Direction::Backward => target.checked_sub(1),
        };
        Ok(Some(target))
    }
}

impl Iterator for Intersection {
    type Item = Result<u64, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// The positions of one word in one index, within a range.
struct List {
    index: ReadOnlyTable<(&'static str, u64), ()>,
    wanted: String,
    range: (u64, u64),
    direction: Direction,
    entries: redb::Range<'static, (&'static str, u64), ()>,
    current: Option<u64>,
}

impl List {
    fn open(
        txn: &ReadTransaction,
        index: TableDefinition<'static, (&'static str, u64), ()>,
        wanted: &str,
        range: (u64, u64),
        direction: Direction,
    ) -> Result<Self, StoreError> {
        let doing = "reading an index";
        let index = txn.open_table(index).map_err(engine(doing))?;
        let entries = index
            .range((wanted, range.0)..=(wanted, range.1))
            .map_err(engine(doing))?;
        Ok(Self {
            index,
            wanted: wanted.to_owned(),
            range,
            direction,
            entries,
            current: None,
        })
    }

    /// The first position at or after `target`, in the direction: by stepping when it is near, else by looking it up.
    fn seek(&mut self, target: u64) -> Result<Option<u64>, StoreError> {
        for _ in 0..STEPS_MAX {
            if let Some(at) = self.current
                && self.reaches(at, target)
            {
                return Ok(self.current);
            }
            self.current = self.step()?;
            if self.current.is_none() {
                return Ok(None);
            }
        }
        if let Some(at) = self.current
            && !self.reaches(at, target)
        {
            let (low, high) = match self.direction {
                Direction::Forward => (target, self.range.1),
                Direction::Backward => (self.range.0, target),
            };
            let wanted = self.wanted.as_str();
            self.entries = self
                .index
                .range((wanted, low)..=(wanted, high))
                .map_err(engine("reading an index"))?;
            self.current = self.step()?;
        }
        Ok(self.current)
    }

    fn reaches(&self, at: u64, target: u64) -> bool {
        match self.direction {
            Direction::Forward => at >= target,
            Direction::Backward => at <= target,
        }
    }

    fn step(&mut self) -> Result<Option<u64>, StoreError> {
        let entry = match self.direction {
            Direction::Forward => self.entries.next(),
            Direction::Backward => self.entries.next_back(),
        };
        let entry = entry.transpose().map_err(engine("reading an index"))?;
        Ok(entry.map(|(key, _)| key.value().1))
    }
}

/// The part of a range between the first and the last position of the days: little more than the days themselves in a log
/// that grew in the order of time. Empty (low above high) when the days have none.
fn narrowed(
    txn: &ReadTransaction,
    days: &[i64],
    (low, high): (u64, u64),
) -> Result<(u64, u64), StoreError> {
    let doing = "reading the time index";
    let table = txn.open_table(BY_TIME).map_err(engine(doing))?;
    let mut ends: Option<(u64, u64)> = None;
    for &day in days {
        let mut entries = table
            .range((day, low)..=(day, high))
            .map_err(engine(doing))?;
        let Some(first) = entries.next() else {
            continue;
        };
        let first = first.map_err(engine(doing))?.0.value().1;
        let last = match entries.next_back() {
            Some(last) => last.map_err(engine(doing))?.0.value().1,
            None => first,
        };
        ends = Some(ends.map_or((first, last), |(f, l)| (f.min(first), l.max(last))));
    }
    Ok(ends.unwrap_or((1, 0)))
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
pub(crate) fn passes(filter: &LogFilter, event: &Event) -> bool {
    let is = |wanted: &Option<String>, actual: Option<&str>| {
        wanted.as_deref().is_none_or(|w| actual == Some(w))
    };
    is(&filter.category, Some(event.stream.category()))
        && is(&filter.event_type, Some(&event.event_type))
        && is(&filter.actor, event.actor.as_deref())
        && is(&filter.correlation_id, event.correlation_id.as_deref())
        && filter.since.is_none_or(|since| event.recorded_at >= since)
        && filter.until.is_none_or(|until| event.recorded_at <= until)
}
