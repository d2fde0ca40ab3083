//! The diff screen: two points, swapped, moved, and compared again.

use tui_input::Input;

use super::input::edit;
use super::{Effects, complain, moved};
use crate::effect::Failure;
use crate::keys::Action;
use crate::model::diff::DiffScreen;
use crate::model::{App, AskedSide, Deeper, Overlay, Remote};
use crate::request::{Reply, Request, Slot};

pub(super) fn load(app: &mut App, screen: &mut DiffScreen) -> Effects {
    screen.diff.reload();
    screen.sides.reload();
    let (from, to) = (screen.from.clone(), screen.to.clone());
    let compare = Request::Compare(from.stream.clone(), screen.query());
    let sides = Request::Sides((from.stream, from.at), (to.stream, to.at));
    vec![
        screen.asked.ask(app, "what differs", compare),
        screen.asked.ask(app, "", sides),
    ]
}

/// Compares something else: the answer of before is none to that.
fn ask(app: &mut App, screen: &mut DiffScreen) -> Effects {
    screen.diff = Remote::Loading(None);
    screen.sides = Remote::Loading(None);
    screen.selected = 0;
    load(app, screen)
}

pub(super) fn act(app: &mut App, screen: &mut DiffScreen, action: Action) -> Effects {
    let len = screen.rows().len();
    if let Some(index) = moved(screen.selected, len, app.page(), action) {
        screen.selected = index;
        return Vec::new();
    }
    match action {
        Action::Swap => {
            std::mem::swap(&mut screen.from, &mut screen.to);
            return ask(app, screen);
        }
        Action::Unchanged => {
            screen.unchanged = !screen.unchanged;
            let last = screen.rows().len().saturating_sub(1);
            screen.selected = screen.selected.min(last);
        }
        Action::Enter if len > 0 => app.overlay = Some(Overlay::Detail(Box::default())),
        Action::Enter => app.complain("there is no value here"),
        Action::Setter => match screen.set_by() {
            Some((_, 0)) => app.complain("it comes from the initial state: no event set it"),
            Some((stream, revision)) => {
                app.deeper = Some(Deeper::Stream(stream, Some(revision)));
            }
            None => app.complain("it is not known what set it"),
        },
        Action::LeftSide => open(app, false),
        Action::RightSide => open(app, true),
        _ => {}
    }
    Vec::new()
}

/// Asks for another point on one side.
fn open(app: &mut App, right: bool) {
    app.overlay = Some(Overlay::Side(AskedSide {
        right,
        input: Input::default(),
        error: None,
    }));
}

/// A key while another point is typed.
pub(super) fn side_key(
    app: &mut App,
    screen: &mut DiffScreen,
    mut asked: AskedSide,
    key: &str,
) -> Effects {
    if key != "enter" {
        if edit(&mut asked.input, key) {
            asked.error = None;
        }
        app.overlay = Some(Overlay::Side(asked));
        return Vec::new();
    }
    let side = if asked.right {
        &screen.to
    } else {
        &screen.from
    };
    match side.read(app, asked.input.value(), screen.time()) {
        Ok(end) if asked.right => screen.to = end,
        Ok(end) => screen.from = end,
        Err(error) => {
            asked.error = Some(error);
            app.overlay = Some(Overlay::Side(asked));
            return Vec::new();
        }
    }
    ask(app, screen)
}

pub(super) fn take(screen: &mut DiffScreen, reply: Reply) -> Effects {
    match reply {
        Reply::Compare(diff) => screen.diff = Remote::Ready(diff),
        Reply::Sides(sides) => screen.sides = Remote::Ready(sides),
        _ => return Vec::new(),
    }
    let last = screen.rows().len().saturating_sub(1);
    screen.selected = screen.selected.min(last);
    Vec::new()
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut DiffScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::Compare => screen.diff.fail(failure, is_away),
        // The comparison says what differs without.
        Slot::Sides => screen.sides = Remote::Failed(failure),
        _ => complain(app, failure, is_away),
    }
}
