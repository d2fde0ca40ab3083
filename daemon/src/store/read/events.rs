//! Reading events: of a stream, of the log, and single ones.

use std::ops::ControlFlow;

use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::Direction;
use crate::store::StoreError;

/// Events of a log.
pub trait ReadEvents {
    /// Events of a stream with revisions from `from` on (up or down), at most `limit`. An unknown stream has none.
    fn stream_events(
        &self,
        stream: &StreamName,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;

    /// Hands the events with revisions in `from..=to` to `each`, in order, without holding them all, until it breaks off
    /// or fails.
    fn for_each_event(
        &self,
        stream: &StreamName,
        from: Revision,
        to: Revision,
        each: &mut dyn FnMut(Event) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError>;

    /// Events of the log that pass the filter, from position `from` on (up or down; `None`: from the end that the
    /// direction starts at), at most `limit`, looking at no more than `budget` events.
    fn log(
        &self,
        filter: &LogFilter,
        from: Option<Position>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> Result<LogPage, StoreError>;

    /// The event at this position.
    fn event_at(&self, position: Position) -> Result<Option<Event>, StoreError>;

    /// The event of a stream at this revision.
    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Event>, StoreError>;

    /// The event with this id.
    fn event_by_id(&self, event_id: &str) -> Result<Option<Event>, StoreError>;

    /// Events whose causation id is this one, by position from `from` on, at most `limit`. Cost does not grow with the log.
    fn caused_events(
        &self,
        cause: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError>;
}

/// Hands events to `each` as [`ReadEvents::for_each_event`] does, for work that fails in ways of its own.
pub fn try_for_each_event<E: From<StoreError>>(
    events: &(impl ReadEvents + ?Sized),
    stream: &StreamName,
    (from, to): (Revision, Revision),
    mut each: impl FnMut(Event) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut failed = None;
    events.for_each_event(stream, from, to, &mut |event| {
        Ok(each(event).unwrap_or_else(|error| {
            failed = Some(error);
            ControlFlow::Break(())
        }))
    })?;
    failed.map_or(Ok(()), Err)
}

/// Which events of the log are wanted. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogFilter {
    /// Exactly this category.
    pub category: Option<String>,
    /// Exactly this event type.
    pub event_type: Option<String>,
    /// Exactly this actor.
    pub actor: Option<String>,
    /// Exactly this correlation id.
    pub correlation_id: Option<String>,
    /// `recorded_at` not before this.
    pub since: Option<Timestamp>,
    /// `recorded_at` not after this.
    pub until: Option<Timestamp>,
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogPage {
    /// The events, in the direction asked for.
    pub events: Vec<Event>,
    /// Where to go on: the first position not yet looked at, `None` at the end. Set even when `events` is short or
    /// empty because the scan budget was used up.
    pub next: Option<Position>,
    /// How many events (or index entries) were looked at.
    pub scanned: u64,
}
