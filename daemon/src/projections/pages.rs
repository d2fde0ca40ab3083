//! Reading the log in big pages that still weigh little.
//!
//! Owns how many events are read at a time: few large ones or many small ones.

use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use super::error::ProjectionError;
use crate::limits::{PROJECTION_PAGE_BYTES, PROJECTION_PAGE_EVENTS};
use crate::store::{Direction, LogFilter, View};

/// Events of the first page, before it is known what they weigh.
const FIRST: usize = 64;

/// A page of events.
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    /// Bytes of their payloads.
    pub(super) bytes: usize,
}

/// A stretch of the log.
pub(super) struct Pages<'v> {
    view: &'v dyn View,
    filter: LogFilter,
    /// Where to go on; `None` at the end.
    next: Option<Position>,
    until: Position,
    wanted: usize,
}

impl<'v> Pages<'v> {
    /// The events of a category, or of all, after a position and up to another.
    pub(super) fn new(
        view: &'v dyn View,
        category: Option<&str>,
        after: Position,
        until: Position,
    ) -> Self {
        Self {
            view,
            filter: LogFilter {
                category: category.map(str::to_owned),
                ..LogFilter::default()
            },
            next: Some(after.next()).filter(|next| *next <= until),
            until,
            wanted: FIRST,
        }
    }

    /// The next page, of at most `limit` events; `None` at the end.
    pub(super) fn next(&mut self, limit: usize) -> Result<Option<Page>, ProjectionError> {
        let Some(from) = self.next else {
            return Ok(None);
        };
        let wanted = self.wanted.min(limit).max(1);
        let budget = PROJECTION_PAGE_EVENTS as u64;
        let page = self
            .view
            .log(&self.filter, Some(from), Direction::Forward, wanted, budget)?;
        let mut events = page.events;
        events.retain(|event| event.position <= self.until);
        // A page without a single event looked at would come again and again.
        let next = page.next.filter(|next| *next > from);
        self.next = next.filter(|next| *next <= self.until);
        let bytes: usize = events.iter().map(weight).sum();
        let average = bytes / events.len().max(1);
        self.wanted = (PROJECTION_PAGE_BYTES / average.max(1)).clamp(1, PROJECTION_PAGE_EVENTS);
        Ok(Some(Page { events, bytes }))
    }

    /// The last position up to which everything was handed out.
    pub(super) fn looked_at(&self) -> Position {
        match self.next {
            Some(next) => Position(next.0 - 1),
            None => self.until,
        }
    }
}

fn weight(event: &Event) -> usize {
    let metadata = event.metadata.as_ref();
    event.data.as_str().len() + metadata.map_or(0, |json| json.as_str().len()) + 128
}
