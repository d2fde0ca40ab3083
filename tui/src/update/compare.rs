//! The comparison of two worlds: page by page, and into the streams that differ.

use super::{Effects, complain, moved};
use crate::effect::Failure;
use crate::keys::Action;
use crate::model::compare::{CompareScreen, Row};
use crate::model::world::WorldScreen;
use crate::model::{App, Deeper, Overlay, Remote};
use crate::request::{Reply, Request, Slot};

/// Rows before the end of the loaded ones at which more are asked for.
const NEAR: usize = 50;

pub(super) fn load(app: &mut App, screen: &mut CompareScreen) -> Effects {
    screen.found.reload();
    screen.asked.forget(Slot::MoreCompared);
    let request = Request::CompareBranch(screen.name.clone(), screen.query(None));
    vec![screen.asked.ask(app, "what differs", request)]
}

fn more(app: &mut App, screen: &mut CompareScreen) -> Effects {
    let near_end = screen.selected + NEAR >= screen.rows().len();
    let next = screen
        .found
        .value()
        .and_then(|found| found.next_cursor.clone());
    let is_asked = screen.asked.has(Slot::CompareBranch) || screen.asked.has(Slot::MoreCompared);
    match next {
        Some(next) if near_end && !is_asked => {
            let request = Request::MoreCompared(screen.name.clone(), screen.query(Some(next)));
            vec![screen.asked.ask(app, "more streams", request)]
        }
        _ => Vec::new(),
    }
}

/// Selects a row.
pub(super) fn go_to(app: &mut App, screen: &mut CompareScreen, index: usize) -> Effects {
    screen.selected = index;
    more(app, screen)
}

pub(super) fn act(app: &mut App, screen: &mut CompareScreen, action: Action) -> Effects {
    let len = screen.rows().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        return go_to(app, screen, index);
    }
    let branch = screen.name.clone();
    match action {
        Action::Enter => match screen.rows().get(screen.selected) {
            Some(Row::Stream(of)) => {
                let last = of.to_revision.0;
                let at = of.first_divergence.map_or(last, |first| first.0.min(last));
                let stream = Deeper::Stream(of.stream.clone(), Some(at));
                app.deeper = Some(Deeper::In(branch, Box::new(stream)));
            }
            Some(Row::Flip(flip)) => {
                let stream = Deeper::Stream(flip.stream.clone(), None);
                app.deeper = Some(Deeper::In(branch, Box::new(stream)));
            }
            None => app.complain("there is no stream to open"),
        },
        Action::Whole if len > 0 => app.overlay = Some(Overlay::Detail(Box::default())),
        Action::Whole => app.complain("there is nothing here"),
        Action::World => {
            let world = Deeper::World(Box::new(WorldScreen::of(None)));
            app.deeper = Some(Deeper::In(branch, Box::new(world)));
        }
        _ => {}
    }
    Vec::new()
}

pub(super) fn take(app: &mut App, screen: &mut CompareScreen, reply: Reply) -> Effects {
    match reply {
        Reply::CompareBranch(found) => screen.found = Remote::Ready(found),
        Reply::MoreCompared(page) => {
            if let Some(found) = screen.found.value_mut() {
                found.streams.extend(page.streams);
                found.next_cursor = page.next_cursor;
            }
        }
        _ => return Vec::new(),
    }
    let last = screen.rows().len().saturating_sub(1);
    screen.selected = screen.selected.min(last);
    more(app, screen)
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut CompareScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::CompareBranch => screen.found.fail(failure, is_away),
        _ => complain(app, failure, is_away),
    }
}
