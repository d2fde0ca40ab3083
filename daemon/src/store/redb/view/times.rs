//! Reading events that are earlier than their effective time.

use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::super::FILE_NAME;
use super::{RedbView, StoreResult};
use crate::store::{LateEvents, LateRange, StoreError};

/// Reads the index of late events.
pub(in crate::store::redb) fn late_events(
    view: &RedbView,
    stream: &StreamName,
    range: LateRange,
    limit: usize,
    budget: u64,
) -> StoreResult<LateEvents> {
    let mut found = LateEvents::default();
    let Some((number, info)) = view.tables.numbered(stream)? else {
        return Ok(found);
    };
    if range.after >= range.to {
        return Ok(found);
    }
    view.tables.whole(&view.tables.late_events)?;
    let (from, to) = (range.after.next().0, range.to.0);
    let entries = view
        .tables
        .late_events
        .range((number, from)..=(number, to))?;
    // The stream's record names the first of them.
    let clock_back_at = info.clock_back_at;
    let mut is_known = false;
    if let Some(first) = clock_back_at
        && view.tables.late_events.get((number, first.0))?.is_none()
    {
        return Err(misfit(stream));
    }
    for (looked_at, entry) in (0..).zip(entries) {
        view.stop.check()?;
        let (key, recorded_at) = entry?;
        if looked_at >= budget {
            found.unseen_from = Some(Revision(key.value().1));
            break;
        }
        is_known = is_known || clock_back_at.is_some_and(|first| first.0 <= key.value().1);
        if !is_known {
            return Err(misfit(stream));
        }
        let recorded_at = Timestamp::from_micros(recorded_at.value());
        if range.recorded_by.is_none_or(|at| recorded_at <= at) {
            found.count += 1;
            if found.revisions.len() < limit {
                found.revisions.push(Revision(key.value().1));
            }
        }
    }
    Ok(found)
}

fn misfit(stream: &StreamName) -> StoreError {
    StoreError::Damaged {
        place: format!("the index of late events in `{FILE_NAME}`"),
        detail: format!("it is not what the record of `{stream}` says"),
    }
}
