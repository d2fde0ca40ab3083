//! Whether a decision fits the events that it led to, or was decided on.

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::counted::counted;
use whodunit_core::ids::{Position, Revision, StreamName};

use crate::store::StoreError;

type StoreResult<T> = Result<T, StoreError>;

/// The events of the log, as far as a decision needs them.
pub(crate) trait Events {
    /// The last position.
    fn last(&self) -> Position;

    /// Stream and revision of the event at a position that the log has.
    fn key_at(&self, position: Position) -> StoreResult<Option<(StreamName, Revision)>>;

    /// The position of a revision of a stream.
    fn position_of(&self, stream: &StreamName, revision: Revision)
    -> StoreResult<Option<Position>>;
}

/// Why a decision does not fit; `None` when it does.
pub(crate) fn misfit(events: &impl Events, decision: &Decision) -> StoreResult<Option<String>> {
    let base = decision.base_position;
    if base > events.last() {
        return Ok(Some(format!(
            "it was decided at position {base}, which the log does not have"
        )));
    }
    let Outcome::Accepted {
        revision,
        position,
        events: count,
    } = decision.result
    else {
        return Ok(None);
    };
    let count = u64::from(count);
    if decision.base_revision.0.checked_add(count) != Some(revision.0) {
        return Ok(Some(format!(
            "it was decided on revision {} and led to {}, but ended at revision {revision}",
            decision.base_revision,
            counted(count, "event")
        )));
    }
    if count == 0 {
        return Ok(None);
    }
    if position > events.last() || position == Position::ZERO {
        return Ok(Some(format!(
            "it ended at position {position}, which the log does not have"
        )));
    }
    if events.key_at(position)? != Some((decision.stream.clone(), revision)) {
        return Ok(Some(format!(
            "the event at position {position} is not revision {revision} of its stream"
        )));
    }
    let first = Revision(revision.0 + 1 - count);
    let first = events.position_of(&decision.stream, first)?;
    Ok(match first {
        Some(first) if first > base && first <= position => None,
        _ => Some(format!(
            "its first event does not stand after position {base}, at which it was decided"
        )),
    })
}
