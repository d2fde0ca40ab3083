//! Warnings of time-travel replies.
//!
//! Owns the conditions and the texts. Every lookup goes by the index of events that are out of order by
//! time, so it costs nothing where a stream has none.

use whodunit_core::api::warning::{WARNING_REVISIONS_MAX, Warning, WarningCode};
use whodunit_core::counted::{counted, verb};
use whodunit_core::fold::Folded;
use whodunit_core::ids::Revision;
use whodunit_core::time::Timestamp;

use super::{Point, Resolved};
use crate::limits::LATE_EVENTS_MAX;
use crate::store::{LateEvents, LateRange, ReadTimes, Store, StoreError};

/// What an *as of* leaves out though it was recorded by then.
pub fn left_out(
    view: &(impl ReadTimes + ?Sized),
    point: Point,
    found: &Resolved,
) -> Result<Option<Warning>, StoreError> {
    let Point::AsOf(at) = point else {
        return Ok(None);
    };
    let range = LateRange {
        after: found.revision,
        to: found.info.revision,
        recorded_by: Some(at),
    };
    let late = look_up(view, found, range)?;
    Ok(warning(late, WarningCode::LeftOut, |events, n| {
        let are = verb(n, "is");
        format!(
            "{events} recorded by {at} {are} left out: the stream's clock went back, and the state as of then ends \
             before the first event later than {at}"
        )
    }))
}

/// That the log is a redacted copy.
pub fn redacted_copy(store: &dyn Store) -> Option<Warning> {
    store.is_redacted_copy().then(|| Warning {
        code: WarningCode::RedactedCopy,
        detail:
            "this log is a redacted copy: values shown as `[redacted]` are not what was recorded"
                .to_owned(),
        revisions: Vec::new(),
    })
}

/// Where the clock of a stream went back, after one revision and up to another.
pub fn clock_went_back(
    view: &(impl ReadTimes + ?Sized),
    found: &Resolved,
    (after, to): (Revision, Revision),
) -> Result<Option<Warning>, StoreError> {
    let range = LateRange {
        after,
        to,
        recorded_by: None::<Timestamp>,
    };
    let late = look_up(view, found, range)?;
    Ok(warning(late, WarningCode::ClockWentBack, |events, n| {
        let have = verb(n, "has");
        format!(
            "the stream's clock went back: {events} {have} an earlier time than an event before it"
        )
    }))
}

/// Events that could not be applied on the way to a state.
pub fn faults(folded: &Folded) -> Option<Warning> {
    let total = folded.faults_total;
    let detail = format!(
        "{} could not be applied; the state is the last good one before {}",
        counted(total, "event"),
        if total == 1 { "it" } else { "them" }
    );
    let revisions = folded.faults.iter().map(|fault| fault.revision);
    (total > 0).then(|| Warning::new(WarningCode::Faults, detail, revisions))
}

fn look_up(
    view: &(impl ReadTimes + ?Sized),
    found: &Resolved,
    range: LateRange,
) -> Result<LateEvents, StoreError> {
    if found.info.clock_back_at.is_none() {
        return Ok(LateEvents::default());
    }
    let stream = &found.info.stream;
    view.late_events(stream, range, WARNING_REVISIONS_MAX, LATE_EVENTS_MAX)
}

/// `words` gets "1 event" or "7 events", and the number that its verb agrees with.
fn warning(
    late: LateEvents,
    code: WarningCode,
    words: impl Fn(&str, u64) -> String,
) -> Option<Warning> {
    let LateEvents {
        revisions,
        count,
        unseen_from,
    } = late;
    let mut detail = match (count, unseen_from) {
        (0, None) => return None,
        (count, None) => words(&counted(count, "event"), count),
        (count, Some(_)) => words(&format!("at least {}", counted(count, "event")), count),
    };
    if let Some(from) = unseen_from {
        detail = format!(
            "{detail} (counted only before revision {from}: at most {LATE_EVENTS_MAX} events that are out of order in \
             time are checked)"
        );
    } else if count > revisions.len() as u64 {
        detail = format!("{detail} (the first {} are listed)", revisions.len());
    }
    Some(Warning::new(code, detail, revisions))
}
