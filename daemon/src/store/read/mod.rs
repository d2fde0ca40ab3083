//! The read side of the seam: small traits, one for each kind of thing that is read, and the [`View`] that is all of them.
//!
//! Owns the words of filters and pages. Code takes the smallest trait that it needs, so that something else than a store
//! can stand in: an overlay over a log, or lists in memory.

mod decisions;
mod events;
mod jobs;
mod keys;
mod snapshots;
mod streams;
mod times;
mod words;

use whodunit_core::stop::Stop;

pub use self::decisions::{DecisionFilter, DecisionPage, ReadDecisions};
pub use self::events::{EachView, LogFilter, LogPage, ReadEvents, try_for_each_event};
pub use self::jobs::{HandlerCounts, JobFilter, JobPage, ReadJobs};
pub use self::keys::{KeyHold, ReadKeys};
pub use self::snapshots::{ReadSnapshots, Snapshot};
pub use self::streams::{
    CategoryInfo, ReadStreams, StreamCursor, StreamFilter, StreamInfo, StreamLabel, StreamOrder,
    StreamPage,
};
pub use self::times::{Density, LateEvents, LateRange, ReadTimes};
pub use self::words::{ReadWords, WordField, WordPage};

use super::Head;

/// Something whose reads end early.
pub trait Stoppable {
    /// The token at which this view's reads end early; work on top of them looks at it too.
    fn stop(&self) -> &Stop;
}

/// A read view: the log at one moment, consistent however long it is read. All methods block on memory or disk, never on
/// the writer.
///
/// Whatever goes through more than one record looks at the stop token at each of them, and ends with
/// [`StoreError::Stopped`](super::StoreError::Stopped) once it is set.
pub trait View:
    Stoppable
    + ReadEvents
    + ReadTimes
    + ReadStreams
    + ReadWords
    + ReadDecisions
    + ReadKeys
    + ReadJobs
    + ReadSnapshots
    + Send
{
    /// The head this view is of.
    fn head(&self) -> Head;

    /// Whether several records may have the same place: so in a branch, where what is not on record has the place of what it
    /// comes after.
    fn places_are_shared(&self) -> bool {
        false
    }

    /// Gives the view a token of its caller's.
    fn set_stop(&mut self, stop: Stop);
}

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// From old to new.
    #[default]
    Forward,
    /// From new to old.
    Backward,
}
