//! What a plan has to know of what is on record.
//!
//! Owns the two read traits that an engine implements for its write transaction. Each method is one look at a record or
//! an index; none decides anything.

use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use crate::store::{Head, Job, KeyHold, StoreError, StreamInfo};

/// Records of the log, each by its key.
pub(crate) trait Lookup {
    /// Position of the last event and sequence of the last decision.
    fn head(&self) -> Result<Head, StoreError>;

    /// The record of a stream; `None` when it has no event.
    fn stream(&self, stream: &StreamName) -> Result<Option<StreamInfo>, StoreError>;

    /// The event at a position.
    fn event_at(&self, position: Position) -> Result<Option<Event>, StoreError>;

    /// The event of a stream at a revision.
    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Event>, StoreError>;

    /// The position of the event with this id.
    fn position_of(&self, event_id: &str) -> Result<Option<Position>, StoreError>;

    /// The decision of a sequence.
    fn decision(&self, sequence: u64) -> Result<Option<Decision>, StoreError>;

    /// The sequence of the decision on a command.
    fn sequence_of(&self, command_id: &str) -> Result<Option<u64>, StoreError>;

    /// The hold of a key that began last, whether or not it has ended.
    fn last_hold(&self, category: &str, key: &UniqueKey) -> Result<Option<KeyHold>, StoreError>;
}

/// Jobs of the outbox.
pub(crate) trait JobLookup: Lookup {
    /// The job of this id.
    fn job(&self, id: u64) -> Result<Option<Job>, StoreError>;

    /// The highest id that a job was given; 0 when there was none yet.
    fn last_job(&self) -> Result<u64, StoreError>;

    /// Whether a job of this event and handler is not completed.
    fn has_open_job(&self, position: Position, handler: &str) -> Result<bool, StoreError>;

    /// Ids of all jobs under way.
    fn jobs_under_way(&self) -> Result<Vec<u64>, StoreError>;

    /// How many completed jobs of a handler are kept.
    fn completed_kept(&self, handler: &str) -> Result<u64, StoreError>;

    /// Ids of the oldest completed jobs of a handler that are kept, ascending.
    fn oldest_completed(&self, handler: &str, limit: usize) -> Result<Vec<u64>, StoreError>;
}

/// The error for a record that another one names and that is not there.
pub(crate) fn missing(place: String) -> StoreError {
    StoreError::Damaged {
        place,
        detail: "an index names it, but it is not there".to_owned(),
    }
}

/// The event at a position that an index names.
pub(super) fn named_event(lookup: &impl Lookup, position: Position) -> Result<Event, StoreError> {
    lookup
        .event_at(position)?
        .ok_or_else(|| missing(format!("the event at position {position}")))
}

/// The event of a stream at a revision that it has.
pub(super) fn recorded_event(
    lookup: &impl Lookup,
    stream: &StreamName,
    revision: Revision,
) -> Result<Event, StoreError> {
    lookup
        .event_at_revision(stream, revision)?
        .ok_or_else(|| missing(format!("revision {revision} of `{stream}`")))
}

/// The decision of a sequence that an index names.
pub(super) fn named_decision(lookup: &impl Lookup, sequence: u64) -> Result<Decision, StoreError> {
    lookup
        .decision(sequence)?
        .ok_or_else(|| missing(format!("decision {sequence}")))
}
