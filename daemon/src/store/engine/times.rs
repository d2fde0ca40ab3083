//! How events are spread over time, sealed and not.

use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::view::{MergedView, SealedView};
use crate::store::redb::bucket;
use crate::store::tail::StreamTail;
use crate::store::{Density, StoreError};

/// Counts of a stream's (or the log's) events in equal parts of the time they span.
pub(super) fn density<V: SealedView>(
    view: &MergedView<V>,
    stream: Option<&StreamName>,
    buckets: usize,
) -> Result<Density, StoreError> {
    let buckets = buckets.max(1);
    let own: Vec<i64> = match stream {
        None => view
            .tail
            .events()
            .map(|event| event.recorded_at.as_micros())
            .collect(),
        Some(stream) => {
            let found = view.tail.streams().get(stream);
            let entries = found.into_iter().flat_map(StreamTail::entries);
            entries
                .map(|(_, effective)| effective.as_micros())
                .collect()
        }
    };
    if own.is_empty() {
        return view.sealed.density(stream, buckets);
    }
    let mut ends = (i64::MAX, i64::MIN);
    let mut widen = |at: i64| ends = (ends.0.min(at), ends.1.max(at));
    own.iter().copied().for_each(&mut widen);
    view.sealed.each_time(stream, &mut widen)?;
    let (first, last) = ends;
    let mut counts = vec![0; buckets];
    let mut count = |at: i64| {
        if let Some(count) = counts.get_mut(bucket(at, first, last, buckets)) {
            *count += 1;
        }
    };
    own.iter().copied().for_each(&mut count);
    view.sealed.each_time(stream, &mut count)?;
    Ok(Density {
        first: Timestamp::from_micros(first),
        last: Timestamp::from_micros(last),
        counts,
    })
}
