//! How events are spread over time, from indexes alone.

use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::{RedbView, StoreResult};
use crate::store::Density;

/// Counts of a stream's (or the log's) events in equal parts of the time they span.
pub(super) fn density(
    view: &RedbView,
    stream: Option<&StreamName>,
    buckets: usize,
) -> StoreResult<Density> {
    let buckets = buckets.max(1);
    match stream {
        None => of_log(view, buckets),
        Some(stream) => match view.tables.number(stream)? {
            Some(number) => of_stream(view, number, buckets),
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

fn of_stream(view: &RedbView, number: u64, buckets: usize) -> StoreResult<Density> {
    let range = || {
        view.tables
            .stream_events
            .range((number, 0)..=(number, u64::MAX))
    };
    let ends = (range()?.next(), range()?.next_back());
    let (Some(first), Some(last)) = ends else {
        return Ok(empty(buckets));
    };
    // Effective times never go back, so the ends of the index are the ends of the axis.
    let (first, last) = (first?.1.value().1, last?.1.value().1);
    let moments = range()?.map(|entry| -> StoreResult<_> { Ok(entry?.1.value().1) });
    spread(view, moments, (first, last), buckets)
}

fn of_log(view: &RedbView, buckets: usize) -> StoreResult<Density> {
    let index = &view.tables.by_time;
    let (Some(first), Some(last)) = (index.first()?, index.last()?) else {
        return Ok(empty(buckets));
    };
    let (first_day, last_day) = (first.0.value().0, last.0.value().0);
    // Days are in order, moments within a day are not: the ends of the axis lie in the first and the last day.
    let extremes = |day: i64| -> StoreResult<(i64, i64)> {
        let mut out = (i64::MAX, i64::MIN);
        for entry in index.range((day, 0)..=(day, u64::MAX))? {
            view.stop.check()?;
            let at = entry?.1.value();
            out = (out.0.min(at), out.1.max(at));
        }
        Ok(out)
    };
    let ends = (extremes(first_day)?.0, extremes(last_day)?.1);
    let moments = index
        .entries()?
        .map(|entry| -> StoreResult<_> { Ok(entry?.1.value()) });
    spread(view, moments, ends, buckets)
}

/// Counts moments between the ends of an axis.
fn spread(
    view: &RedbView,
    moments: impl Iterator<Item = StoreResult<i64>>,
    (first, last): (i64, i64),
    buckets: usize,
) -> StoreResult<Density> {
    let mut counts = vec![0; buckets];
    for at in moments {
        view.stop.check()?;
        if let Some(count) = counts.get_mut(bucket(at?, first, last, buckets)) {
            *count += 1;
        }
    }
    Ok(Density {
        first: Timestamp::from_micros(first),
        last: Timestamp::from_micros(last),
        counts,
    })
}
