//! When a key does nothing, and why: conditions that rows of the key table refer to.

use whodunit_core::api::branch::LogStanding;

use crate::model::stream::{StreamScreen, diff_ends};
use crate::model::what_if::WhatIfScreen;
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

fn what_if(model: &Model) -> Option<&WhatIfScreen> {
    match &model.front {
        Screen::WhatIf(screen) => Some(screen),
        _ => None,
    }
}

pub(super) fn story(model: &Model) -> Option<&'static str> {
    let is_empty = what_if(model)?.changes() == 0;
    is_empty.then_some("nothing is changed yet: there is nothing to save")
}

pub(super) fn branch(model: &Model) -> Option<&'static str> {
    match &model.front {
        Screen::Branches(screen) if screen.current().is_none() => {
            Some("there is no branch under the cursor")
        }
        _ => None,
    }
}

pub(super) fn adoptable(model: &Model) -> Option<&'static str> {
    let Screen::Branches(screen) = &model.front else {
        return None;
    };
    match screen.current() {
        None => Some("there is no branch under the cursor"),
        Some(line) if line.log_standing != LogStanding::Other => {
            Some("the branch was made on this log: there is nothing to adopt")
        }
        Some(_) => None,
    }
}

pub(super) fn undo(model: &Model) -> Option<&'static str> {
    let is_empty = what_if(model)?.undo.is_empty();
    is_empty.then_some("there is nothing to undo")
}

pub(super) fn redo(model: &Model) -> Option<&'static str> {
    let is_empty = what_if(model)?.redo.is_empty();
    is_empty.then_some("there is nothing to redo")
}

pub(super) fn rules(model: &Model) -> Option<&'static str> {
    let as_recorded = what_if(model)?.scenario.as_recorded;
    as_recorded.then_some("no recorded command is asked: m asks the rules first")
}
