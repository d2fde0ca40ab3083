//! Reading from the store: off the async threads, and page by page.
//!
//! Owns the step from async to blocking, and the bound on what one page of events may weigh. Never writes.

use std::sync::Arc;

use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::search::Search;
use whodunit_core::shown::Shown;

use crate::limits::{PAGE_BYTES_MAX, SCAN_ENTRIES_MAX};
use crate::store::{Direction, LogFilter, Store, StoreError, View};

/// How many events are read before the page is weighed again.
const CHUNK: usize = 64;

/// Runs blocking work where blocking is allowed.
pub(crate) async fn blocking<T, E>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(E::from(StoreError::Engine {
            doing: "working on a request",
            source: error.into(),
        })),
    }
}

/// Runs blocking work on a read view of the log.
pub(crate) async fn read<T, E>(
    store: &Arc<dyn Store>,
    work: impl FnOnce(&dyn View) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let store = Arc::clone(store);
    blocking(move || {
        let view = store.view()?;
        work(view.as_ref())
    })
    .await
}

/// Events of a stream from a revision on, and the revision to go on from.
pub(crate) fn stream_page(
    view: &dyn View,
    stream: &StreamName,
    from: Revision,
    direction: Direction,
    limit: usize,
) -> Result<(Vec<Event>, Option<Revision>), StoreError> {
    let mut page: Vec<Event> = Vec::new();
    let mut bytes = 0;
    let mut next = Some(from);
    while let Some(from) = next
        && page.len() < limit
        && bytes < PAGE_BYTES_MAX
    {
        let wanted = CHUNK.min(limit - page.len());
        let events = view.stream_events(stream, from, direction, wanted)?;
        let last = events.last().filter(|_| events.len() == wanted);
        next = last.and_then(|last| match direction {
            Direction::Forward => Some(last.revision.next()),
            Direction::Backward => before(last.revision.0).map(Revision),
        });
        bytes += events.iter().map(weight).sum::<usize>();
        page.extend(events);
    }
    Ok((page, next))
}

/// A page of events as they may be shown.
#[derive(Debug, Default)]
pub(crate) struct ShownPage {
    pub(crate) events: Vec<Shown<Event>>,
    pub(crate) next: Option<Position>,
    pub(crate) scanned: u64,
}

/// Events of the log that pass a filter, as `show` lets them be seen, within the bounds on weight and on how many are looked
/// at.
///
/// A text is looked for in what is shown, not in what is stored: otherwise a search could guess at what is redacted.
pub(crate) fn log_page(
    view: &dyn View,
    filter: &LogFilter,
    from: Option<Position>,
    direction: Direction,
    limit: usize,
    show: &dyn Fn(Event) -> Shown<Event>,
) -> Result<ShownPage, StoreError> {
    let text = filter.text.as_deref().and_then(Search::new);
    let filter = LogFilter {
        text: None,
        ..filter.clone()
    };
    let mut page = ShownPage {
        next: from,
        ..ShownPage::default()
    };
    let mut bytes = 0;
    loop {
        // With a text most events are passed over, so it pays to read more of them at a time.
        let wanted = match text {
            Some(_) => CHUNK,
            None => CHUNK.min(limit - page.events.len()),
        };
        let budget = SCAN_ENTRIES_MAX - page.scanned;
        let part = view.log(&filter, page.next, direction, wanted, budget)?;
        page.scanned += part.scanned;
        page.next = part.next;
        for event in part.events {
            let (weight, position) = (weight(&event), event.position);
            let event = show(event);
            if text.as_ref().is_some_and(|text| !text.in_event(&event)) {
                continue;
            }
            bytes += weight;
            page.events.push(event);
            if page.events.len() >= limit && text.is_some() {
                // The rest of this part was not asked for; the next page begins right here.
                page.next = match direction {
                    Direction::Forward => {
                        Some(position.next()).filter(|next| *next <= view.head().position)
                    }
                    Direction::Backward => before(position.0).map(Position),
                };
                return Ok(page);
            }
        }
        let full = page.events.len() >= limit || bytes >= PAGE_BYTES_MAX;
        let spent = page.scanned >= SCAN_ENTRIES_MAX || part.scanned == 0;
        if full || spent || page.next.is_none() {
            return Ok(page);
        }
    }
}

fn weight(event: &Event) -> usize {
    let metadata = event.metadata.as_ref();
    event.data.as_str().len() + metadata.map_or(0, |json| json.as_str().len())
}

/// The number before this one, unless that is 0: neither revisions nor positions of events start there.
fn before(number: u64) -> Option<u64> {
    number.checked_sub(1).filter(|before| *before > 0)
}
