//! The streams screen: a list, and the state of the selected stream.

use whodunit_core::api::Page;
use whodunit_core::api::browse::Stream;

use super::{Effects, complain, moved};
use crate::client::At;
use crate::effect::{Effect, Failure};
use crate::keys::Action;
use crate::model::streams::{StreamList, StreamsScreen};
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Reply, Request, Slot};

/// Asks for the list from its start. A further page of the list before is not wanted any more.
pub(super) fn load(app: &mut App, screen: &mut StreamsScreen) -> Effects {
    screen.list.reload();
    screen.asked.forget(Slot::MoreStreams);
    screen.listed = screen.listed.take().filter(|_| !screen.is_outdated());
    let request = Request::Streams(screen.query());
    vec![screen.asked.ask(app, "streams", request)]
}

/// The preview of the selected stream, and the next page when the end is near.
fn selected(app: &mut App, screen: &mut StreamsScreen) -> Effects {
    let mut effects = preview(app, screen);
    effects.extend(more(app, screen));
    effects
}

/// Asks for the selected stream as of the moment that is held, or as it is now.
pub(super) fn preview(app: &mut App, screen: &mut StreamsScreen) -> Effects {
    let Some(stream) = screen.current() else {
        screen.preview = Remote::Absent;
        screen.asked.forget(Slot::Preview);
        return Vec::new();
    };
    let name = stream.stream.clone();
    let is_other = screen
        .preview
        .value()
        .is_some_and(|preview| preview.state.stream != name);
    if is_other || screen.preview_as_of != app.as_of {
        screen.preview = Remote::Absent;
    }
    screen.preview_as_of = app.as_of;
    screen.preview.reload();
    let at = app.as_of.map_or(At::Head, At::AsOf);
    vec![screen.asked.ask(app, "state", Request::Preview(name, at))]
}

fn more(app: &mut App, screen: &mut StreamsScreen) -> Option<Effect> {
    let near_end = screen.selected + 50 >= screen.streams().len();
    let next = screen.list.value().and_then(|list| list.next.clone())?;
    // The list on screen may not be the one that is asked for now; that one brings its own next page.
    let is_asked = screen.asked.has(Slot::MoreStreams) || screen.asked.has(Slot::Streams);
    if !near_end || is_asked || screen.is_outdated() {
        return None;
    }
    let mut query = screen.query();
    query.cursor = Some(next);
    Some(
        screen
            .asked
            .ask(app, "more streams", Request::MoreStreams(query)),
    )
}

/// Selects a row.
pub(super) fn go_to(app: &mut App, screen: &mut StreamsScreen, index: usize) -> Effects {
    if index == screen.selected {
        return Vec::new();
    }
    screen.selected = index;
    selected(app, screen)
}

pub(super) fn act(app: &mut App, screen: &mut StreamsScreen, action: Action) -> Effects {
    screen.open_first = false;
    let len = screen.streams().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        return go_to(app, screen, index);
    }
    match action {
        Action::Enter => {
            enter(app, screen);
            Vec::new()
        }
        Action::Filter => {
            screen.filtering = true;
            Vec::new()
        }
        Action::Sort => {
            screen.by_name = !screen.by_name;
            screen.selected = 0;
            load(app, screen)
        }
        Action::Category => {
            screen.categories.reload();
            app.overlay = Some(Overlay::Category { selected: 0 });
            vec![screen.asked.ask(app, "categories", Request::Categories())]
        }
        _ => Vec::new(),
    }
}

/// Opens the selected stream. While the list is still that of another filter there is none yet: the first one of the right
/// list is opened when it is there.
fn enter(app: &mut App, screen: &mut StreamsScreen) {
    if screen.is_outdated() && screen.asked.has(Slot::Streams) {
        screen.open_first = true;
        app.say("opening the first match as soon as the list is loaded");
        return;
    }
    match screen.current() {
        Some(stream) => app.deeper = Some(Deeper::Stream(stream.stream.clone(), None)),
        None => app.complain("there is no stream to open"),
    }
}

/// The category of a row of the choice; the first row is all of them.
pub(super) fn choose_category(app: &mut App, screen: &mut StreamsScreen, row: usize) -> Effects {
    let list = screen.categories.value().map_or(&[][..], Vec::as_slice);
    let chosen = row.checked_sub(1).and_then(|index| list.get(index));
    screen.category = chosen.map(|category| category.category.clone());
    screen.selected = 0;
    load(app, screen)
}

pub(super) fn take(app: &mut App, screen: &mut StreamsScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Streams(page) => first_page(app, screen, page),
        Reply::MoreStreams(page) => {
            if let Some(list) = screen.list.value_mut() {
                list.streams.extend(page.items);
                list.next = page.next_cursor;
            }
            Vec::new()
        }
        Reply::Preview(preview) => {
            screen.preview = Remote::Ready(preview);
            Vec::new()
        }
        Reply::Categories(page) => {
            screen.categories = Remote::Ready(page.items);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn first_page(app: &mut App, screen: &mut StreamsScreen, page: Page<Stream>) -> Effects {
    app.head.position = app.head.position.max(page.head);
    let list = StreamList {
        streams: page.items,
        next: page.next_cursor,
    };
    // The selection stays on its stream when the same list moves under it.
    let kept = screen.current().map(|stream| stream.stream.clone());
    let kept = kept.filter(|_| !screen.is_outdated());
    let index = kept.and_then(|name| list.streams.iter().position(|stream| stream.stream == name));
    let last = list.streams.len().saturating_sub(1);
    screen.list = Remote::Ready(list);
    screen.listed = Some(screen.query());
    screen.selected = index.unwrap_or(screen.selected).min(last);
    let effects = selected(app, screen);
    if std::mem::take(&mut screen.open_first) {
        app.notice = None;
        enter(app, screen);
    }
    effects
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut StreamsScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Streams => {
            screen.open_first = false;
            // A list of another filter is no answer to this one.
            let keeps = is_away && !screen.is_outdated();
            screen.list.fail(failure, keeps);
        }
        Slot::Preview => screen.preview = Remote::Failed(failure),
        Slot::Categories => screen.categories = Remote::Failed(failure),
        _ => complain(app, failure, is_away),
    }
}
