//! When a key does nothing, and why: conditions that rows of the key table refer to.

use crate::model::stream::{StreamScreen, diff_ends};
use crate::model::{Model, Screen};

/// Why a key does nothing now; `None` where it does something.
pub(crate) type WhyNot = fn(&Model) -> Option<&'static str>;

pub(super) fn always(_: &Model) -> Option<&'static str> {
    None
}

pub(super) fn earlier_place(model: &Model) -> Option<&'static str> {
    model.been.is_empty().then_some("there is no earlier place")
}

pub(super) fn later_place(model: &Model) -> Option<&'static str> {
    model.ahead.is_empty().then_some("there is no later place")
}

pub(super) fn held_moment(model: &Model) -> Option<&'static str> {
    let is_now = model.app.as_of.is_none();
    is_now.then_some("this is now already: no moment is held")
}

pub(super) fn subject(model: &Model) -> Option<&'static str> {
    if model.front.subject().is_some() {
        return None;
    }
    Some(if model.front.asked().is_empty() {
        "there is no event under the cursor to follow"
    } else {
        "what is under the cursor is still loading"
    })
}

fn stream(model: &Model) -> Option<&StreamScreen> {
    match &model.front {
        Screen::Stream(screen) if screen.info.value().is_some() => Some(screen),
        _ => None,
    }
}

pub(super) fn two_revisions(model: &Model) -> Option<&'static str> {
    let screen = stream(model)?;
    let (from, to) = diff_ends(&model.app, screen);
    match (from == to, screen.revision()) {
        (false, _) => None,
        (true, 0) => Some("this is the empty stream: there is nothing before it to compare with"),
        (true, _) => Some("this is the marked revision; go to another one to compare"),
    }
}

pub(super) fn row_before(model: &Model) -> Option<&'static str> {
    let screen = stream(model)?;
    let is_first = screen.index_of(screen.cursor) == 0;
    is_first.then_some("this is the empty stream before its first event")
}

pub(super) fn row_after(model: &Model) -> Option<&'static str> {
    let screen = stream(model)?;
    let is_last = screen.index_of(screen.cursor) + 1 >= screen.rows();
    is_last.then_some("this is the head")
}
