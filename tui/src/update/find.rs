//! The find screen: a query line, what matches, and what each match did.

use whodunit_core::api::Page;
use whodunit_core::event::Event;

use super::input::edit;
use super::{Effects, complain, moved};
use crate::effect::{Effect, Failure};
use crate::keys::Action;
use crate::model::find::{FindScreen, Found};
use crate::model::log::parse_filter;
use crate::model::{App, Deeper, Remote};
use crate::request::{Reply, Request, Slot};

/// Asks for the first page. What belongs to an earlier query is not wanted any more.
pub(super) fn load(app: &mut App, screen: &mut FindScreen) -> Effects {
    if matches!(screen.found, Remote::Absent) && screen.typing {
        // Nothing was asked yet.
        return Vec::new();
    }
    screen.found.reload();
    screen.asked.forget_all();
    let request = Request::Find(screen.query());
    vec![screen.asked.ask(app, "what matches", request)]
}

/// What the rows in sight need, and the next page when the end is near.
fn at_cursor(app: &mut App, screen: &mut FindScreen) -> Effects {
    let mut effects = Vec::new();
    let unknown = screen.unknown_changes(usize::from(app.size.1));
    if !unknown.is_empty() && !screen.asked.has(Slot::Changes) {
        effects.push(screen.asked.ask(app, "", Request::Changes(unknown)));
    }
    effects.extend(more(app, screen));
    effects
}

fn more(app: &mut App, screen: &mut FindScreen) -> Option<Effect> {
    let near_end = screen.selected + 50 >= screen.events().len();
    let next = screen.found.value().and_then(|found| found.next.clone())?;
    let is_asked = screen.asked.has(Slot::MoreFound) || screen.asked.has(Slot::Find);
    if !near_end || is_asked {
        return None;
    }
    let mut query = screen.query();
    query.cursor = Some(next);
    Some(
        screen
            .asked
            .ask(app, "more matches", Request::MoreFound(query)),
    )
}

pub(super) fn act(app: &mut App, screen: &mut FindScreen, action: Action) -> Effects {
    let len = screen.events().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        screen.selected = index;
        return at_cursor(app, screen);
    }
    match action {
        Action::Filter | Action::Find => screen.typing = true,
        Action::Enter => match screen.current() {
            Some(event) => {
                let at = Some(event.revision.0);
                app.deeper = Some(Deeper::Stream(event.stream.clone(), at));
            }
            None => app.complain("there is no event to open"),
        },
        _ => {}
    }
    Vec::new()
}

/// A key while the line is open.
pub(super) fn press(app: &mut App, screen: &mut FindScreen, key: &str) -> Effects {
    match key {
        "enter" => match parse_filter(screen.input.value(), app.now) {
            Ok(query) => {
                if screen.applied != query || matches!(screen.found, Remote::Absent) {
                    // Rows of another query are no answer to this one.
                    screen.found = Remote::Loading(None);
                    screen.selected = 0;
                }
                screen.applied = query;
                screen.typing = false;
                screen.error = None;
                return load(app, screen);
            }
            Err(error) => screen.error = Some(error),
        },
        "esc" => {
            screen.typing = false;
            screen.error = None;
        }
        _ => {
            edit(&mut screen.input, key);
            screen.error = None;
        }
    }
    Vec::new()
}

pub(super) fn take(app: &mut App, screen: &mut FindScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Find(page) => first_page(app, screen, page),
        Reply::MoreFound(page) => {
            if let Some(found) = screen.found.value_mut() {
                found.events.extend(page.items);
                found.next = page.next_cursor;
            }
            at_cursor(app, screen)
        }
        Reply::Changes(changes) => {
            screen.add_changes(changes);
            at_cursor(app, screen)
        }
        _ => Vec::new(),
    }
}

fn first_page(app: &mut App, screen: &mut FindScreen, page: Page<Event>) -> Effects {
    app.head.position = app.head.position.max(page.head);
    let kept = screen.current().map(|event| event.event_id.clone());
    let index = kept.and_then(|id| page.items.iter().position(|event| event.event_id == id));
    let last = page.items.len().saturating_sub(1);
    screen.selected = index.unwrap_or(screen.selected).min(last);
    screen.found = Remote::Ready(Found {
        events: page.items,
        next: page.next_cursor,
    });
    at_cursor(app, screen)
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut FindScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Find => screen.found.fail(failure, is_away),
        _ => complain(app, failure, is_away),
    }
}
