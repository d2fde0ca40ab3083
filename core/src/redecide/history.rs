//! What re-deciding reads of a log: a small trait, so that a store, a branch over one, or a list in memory can stand behind it.

use super::place::{Entry, EntryRef, Place};
use crate::api::what_if::DecisionRef;
use crate::ids::{Position, Revision, StreamName};
use crate::json::State;
use crate::keys::UniqueKey;
use crate::time::Timestamp;

/// A log as it was recorded. Nothing of it can be changed through here.
pub trait History {
    /// Why something could not be read.
    type Error;
    /// Goes through entries one after another.
    type Walk;

    /// The state of a stream after a revision.
    fn state(&mut self, stream: &StreamName, at: Revision) -> Result<State, Self::Error>;

    /// The revision that a stream had when the log ended at a position; 0 before its first event.
    fn revision(&mut self, stream: &StreamName, at: Position) -> Result<Revision, Self::Error>;

    /// The effective time of a revision; of revision 0, the time of the stream's first event; `None` for an empty stream.
    fn effective_at(
        &mut self,
        stream: &StreamName,
        at: Revision,
    ) -> Result<Option<Timestamp>, Self::Error>;

    /// The stream that held a key of a category when the log ended at a position.
    fn holder(
        &mut self,
        category: &str,
        key: &UniqueKey,
        at: Position,
    ) -> Result<Option<StreamName>, Self::Error>;

    /// The entries after a position that took a key.
    fn takers(
        &mut self,
        category: &str,
        key: &UniqueKey,
        after: Position,
    ) -> Result<Vec<(Place, EntryRef)>, Self::Error>;

    /// The decisions after a place that were refused because another stream held a key.
    fn refused_for_keys(
        &mut self,
        category: &str,
        after: Place,
    ) -> Result<Vec<(Place, EntryRef)>, Self::Error>;

    /// The entries that name this id as their direct cause. A command's own events are none.
    fn effects(&mut self, id: &str) -> Result<Vec<(Place, EntryRef)>, Self::Error>;

    /// An entry that was named by one of the above.
    fn entry(&mut self, named: EntryRef) -> Result<Entry, Self::Error>;

    /// The entry that brought an event of a stream.
    fn entry_of_event(
        &mut self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Entry>, Self::Error>;

    /// The entry of a decision.
    fn decision(&mut self, named: &DecisionRef) -> Result<Option<Entry>, Self::Error>;

    /// The entry that an id names: of a command, or of an event.
    fn entry_of_id(&mut self, id: &str) -> Result<Option<Entry>, Self::Error>;

    /// Begins to go through the entries after a place, in the order of their places: of one stream, or of the log.
    fn walk(
        &mut self,
        stream: Option<&StreamName>,
        after: Place,
    ) -> Result<Self::Walk, Self::Error>;

    /// The next entry of a walk.
    fn next(&mut self, walk: &mut Self::Walk) -> Result<Option<Entry>, Self::Error>;

    /// How many decisions stand after a place.
    fn decisions_after(&mut self, place: Place) -> Result<u64, Self::Error>;

    /// How many streams the log has.
    fn streams(&mut self) -> Result<u64, Self::Error>;
}
