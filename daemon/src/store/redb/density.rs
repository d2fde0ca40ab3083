//! How events are spread over time, from indexes alone.

use redb::{ReadTransaction, ReadableTable};
use whodunit_core::ids::StreamName;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use super::engine;
use super::tables::{BY_TIME, STREAM_EVENTS};
use super::view::RedbView;
use crate::store::{Density, StoreError, View};

/// Counts of a stream's (or the log's) events in equal parts of the time they span.
pub(super) fn density(
    txn: &ReadTransaction,
    view: &RedbView,
    stream: Option<&StreamName>,
    buckets: usize,
) -> Result<Density, StoreError> {
    let buckets = buckets.max(1);
    match stream {
        None => of_log(txn, view.stop(), buckets),
        Some(stream) => match view.stream_number(stream)? {
            Some(number) => of_stream(txn, view.stop(), number, buckets),
            None => Ok(empty(buckets)),
        },
    }
}

fn empty(buckets: usize) -> Density {
    let epoch = Timestamp::from_micros(0);
    Density {
        first: epoch,
        last: epoch,
        counts: vec![0; buckets],
    }
}

/// Which of `buckets` equal parts of `first..=last` a moment lies in.
pub(crate) fn bucket(at: i64, first: i64, last: i64, buckets: usize) -> usize {
    let span = i128::from(last) - i128::from(first) + 1;
    let offset = (i128::from(at) - i128::from(first)).clamp(0, span - 1);
    usize::try_from(offset * buckets as i128 / span)
        .unwrap_or_default()
        .min(buckets - 1)
}

fn of_stream(
    txn: &ReadTransaction,
    stop: &Stop,
    number: u64,
    buckets: usize,
) -> Result<Density, StoreError> {
    let doing = "reading a stream's index";
    let index = txn.open_table(STREAM_EVENTS).map_err(engine(doing))?;
    let range = || {
        index
            .range((number, 0)..=(number, u64::MAX))
            .map_err(engine(doing))
    };
    let ends = (range()?.next(), range()?.next_back());
    let (Some(first), Some(last)) = ends else {
        return Ok(empty(buckets));
    };
    // Effective times never go back, so the ends of the index are the ends of the axis.
    let first = first.map_err(engine(doing))?.1.value().1;
    let last = last.map_err(engine(doing))?.1.value().1;
    let mut counts = vec![0; buckets];
    for entry in range()? {
        stop.check()?;
        let at = entry.map_err(engine(doing))?.1.value().1;
        if let Some(count) = counts.get_mut(bucket(at, first, last, buckets)) {
            *count += 1;
        }
    }
    Ok(Density {
        first: Timestamp::from_micros(first),
        last: Timestamp::from_micros(last),
        counts,
    })
}

fn of_log(txn: &ReadTransaction, stop: &Stop, buckets: usize) -> Result<Density, StoreError> {
    let doing = "reading the time index";
    let index = txn.open_table(BY_TIME).map_err(engine(doing))?;
    let ends = (
        index.first().map_err(engine(doing))?,
        index.last().map_err(engine(doing))?,
    );
    let (Some(first), Some(last)) = ends else {
        return Ok(empty(buckets));
    };
    let (first_day, last_day) = (first.0.value().0, last.0.value().0);
    // Days are in order, moments within a day are not: the ends of the axis lie in the first and the last day.
    let extremes = |day: i64| -> Result<(i64, i64), StoreError> {
        let mut out = (i64::MAX, i64::MIN);
        for entry in index
            .range((day, 0)..=(day, u64::MAX))
            .map_err(engine(doing))?
        {
            stop.check()?;
            let at = entry.map_err(engine(doing))?.1.value();
            out = (out.0.min(at), out.1.max(at));
        }
        Ok(out)
    };
    let (first, last) = (extremes(first_day)?.0, extremes(last_day)?.1);
    let mut counts = vec![0; buckets];
    for entry in index.iter().map_err(engine(doing))? {
        stop.check()?;
        let at = entry.map_err(engine(doing))?.1.value();
        if let Some(count) = counts.get_mut(bucket(at, first, last, buckets)) {
            *count += 1;
        }
    }
    Ok(Density {
        first: Timestamp::from_micros(first),
        last: Timestamp::from_micros(last),
        counts,
    })
}
