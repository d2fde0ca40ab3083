//! Pages of the log for projections: large in events, bounded in bytes.
//!
//! Owns how many events are read at a time: few large ones or many small ones.

use std::sync::mpsc;

use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use super::error::{ProjectionError, panicked};
use crate::limits::{PROJECTION_PAGE_BYTES, PROJECTION_PAGE_EVENTS};
use crate::store::{Direction, LogFilter, ReadEvents, View};

/// Events of the first page, before it is known what they weigh.
const FIRST: usize = 64;

/// Pages that wait to be worked on.
const AHEAD: usize = 4;

/// A page of events.
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    /// Bytes of their payloads.
    pub(super) bytes: usize,
    /// The last position up to which everything was handed out, this page included.
    pub(super) up_to: Position,
}

/// A range of the log, page by page.
pub(super) struct Pages<'v> {
    view: &'v dyn ReadEvents,
    filter: LogFilter,
    /// Where to go on; `None` at the end.
    next: Option<Position>,
    until: Position,
    wanted: usize,
}

impl<'v> Pages<'v> {
    /// The events of a range.
    pub(super) fn new(view: &'v dyn ReadEvents, range: LogRange<'_>) -> Self {
        let LogRange {
            category,
            after,
            until,
        } = range;
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
        let up_to = self.next.map_or(self.until, |next| Position(next.0 - 1));
        Ok(Some(Page {
            events,
            bytes,
            up_to,
        }))
    }

    /// Hands the pages to `each`, of together at most `events` events, until it returns `false`.
    pub(super) fn for_each(
        mut self,
        mut events: usize,
        mut each: impl FnMut(Page) -> Result<bool, ProjectionError>,
    ) -> Result<(), ProjectionError> {
        while events > 0
            && let Some(page) = self.next(events)?
        {
            events -= page.events.len();
            if !each(page)? {
                break;
            }
        }
        Ok(())
    }
}

/// A range of the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogRange<'s> {
    /// The one category that is wanted; `None` for all.
    pub(super) category: Option<&'s str>,
    pub(super) after: Position,
    pub(super) until: Position,
}

/// As [`Pages::for_each`], on a thread that reads the next pages while one is worked on. Takes a view of its own.
pub(super) fn read_ahead(
    view: Box<dyn View>,
    range: LogRange<'_>,
    events: usize,
    mut each: impl FnMut(Page) -> Result<bool, ProjectionError>,
) -> Result<(), ProjectionError> {
    std::thread::scope(|scope| {
        let (to, pages) = mpsc::sync_channel(AHEAD);
        let reader = std::thread::Builder::new().name("read-ahead".to_owned());
        let reading = reader.spawn_scoped(scope, move || {
            // When the receiver is gone, the rest is not wanted.
            Pages::new(view.as_ref(), range).for_each(events, |page| Ok(to.send(page).is_ok()))
        });
        let reading = reading.map_err(|source| ProjectionError::Disk {
            doing: "starting to read ahead".to_owned(),
            source,
        })?;
        for page in &pages {
            if !each(page)? {
                break;
            }
        }
        drop(pages);
        reading
            .join()
            .unwrap_or_else(|panic| Err(panicked(panic.as_ref())))
    })
}

fn weight(event: &Event) -> usize {
    let metadata = event.metadata.as_ref();
    event.data.as_str().len() + metadata.map_or(0, |json| json.as_str().len()) + 128
}
