//! Reading by time: which revision a moment or a position comes to, and how events are spread over time.

use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use crate::store::StoreError;

/// The times and positions of streams.
pub trait ReadTimes {
    /// The last revision whose effective time is not after `at`; revision 0 when all are later. `None` when the
    /// stream has no event. Cost grows with the logarithm of the stream's length.
    fn revision_as_of(
        &self,
        stream: &StreamName,
        at: Timestamp,
    ) -> Result<Option<Revision>, StoreError>;

    /// The last revision of a stream that the log had at a position; revision 0 before the first. `None` when the stream has
    /// no event. Cost grows with the logarithm of the stream's length.
    fn revision_at(
        &self,
        stream: &StreamName,
        position: Position,
    ) -> Result<Option<Revision>, StoreError>;

    /// Effective time of a revision: the running maximum of `recorded_at` up to it.
    fn effective_at(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// Events of a stream that are out of order by time, by an index of those alone: names `limit` of them and looks at no
    /// more than `budget`.
    fn late_events(
        &self,
        stream: &StreamName,
        range: LateRange,
        limit: usize,
        budget: u64,
    ) -> Result<LateEvents, StoreError>;

    /// Counts of events in `buckets` equal parts of the time between the first and last moment (by effective time
    /// for a stream, by `recorded_at` for the log), for a density sparkline.
    fn density(&self, stream: Option<&StreamName>, buckets: usize) -> Result<Density, StoreError>;
}

/// Which events that are out of order by time are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateRange {
    /// After this revision.
    pub after: Revision,
    /// Up to this one.
    pub to: Revision,
    /// Recorded at this time or before; `None` for any time.
    pub recorded_by: Option<Timestamp>,
}

/// Events whose `recorded_at` is earlier than their effective time: the stream's clock went back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LateEvents {
    /// The first of them.
    pub revisions: Vec<Revision>,
    /// How many there are.
    pub count: u64,
    /// Where the budget ended; what lies there and after it is not counted. `None` when all were looked at.
    pub unseen_from: Option<Revision>,
}

/// Counts of events along a time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Density {
    /// The axis's start: the earliest moment.
    pub first: Timestamp,
    /// The axis's end: the latest moment.
    pub last: Timestamp,
    /// Counts, oldest part first; all the events are in one of them.
    pub counts: Vec<u64>,
}
