//! The question that a what-if begins with, from any event on any screen.

use super::super::overlay::choose;
use super::super::{Effects, complain_text, history};
use super::edits;
use crate::client::Subject;
use crate::model::stream::Row as HistoryRow;
use crate::model::what_if::{Question, RowId, Scenario, Want, WhatIfScreen};
use crate::model::{App, Deeper, Model, Overlay, Screen};
use crate::request::Slot;

/// Asks what of the event under the cursor is to be otherwise.
pub(in crate::update) fn ask(model: &mut Model) -> Effects {
    let Some(subject) = model.front.subject() else {
        return open_empty(model);
    };
    ask_of(model, &subject)
}

/// Asks what of an event or a refused command is to be otherwise.
pub(in crate::update) fn ask_of(model: &mut Model, subject: &Subject) -> Effects {
    let left = model.left_what_if(subject.stream());
    let question = Question {
        left: left.map(WhatIfScreen::changes),
        selected: 0,
        subject: subject.clone(),
    };
    model.app.overlay = Some(Overlay::Question(Box::new(question)));
    Vec::new()
}

/// Before the first event there is nothing to ask about, but something may be added.
fn open_empty(model: &mut Model) -> Effects {
    let here = match &model.front {
        Screen::Stream(screen) => match screen.cursor {
            HistoryRow::Revision(revision) => Some((screen.stream.clone(), revision)),
            HistoryRow::Rejected(_) => None,
        },
        _ => None,
    };
    let Some((stream, revision)) = here else {
        return complain_text(&mut model.app, "there is no event under the cursor");
    };
    let screen = match model.take_what_if(&stream) {
        Some(screen) => screen,
        None => Box::new(WhatIfScreen::new(stream, RowId::Event(revision), revision)),
    };
    history::open(model, Deeper::WhatIf(screen))
}

pub(in crate::update) fn press(
    model: &mut Model,
    mut question: Box<Question>,
    key: &str,
) -> Effects {
    let choices = question.choices();
    let chosen = match key {
        "q" => return Vec::new(),
        "enter" => choices.get(question.selected),
        key => choices.iter().find(|choice| choice.key == key),
    };
    if let Some(choice) = chosen {
        return open(model, &question.subject, choice.want);
    }
    question.selected = choose(question.selected, choices.len(), key);
    model.app.overlay = Some(Overlay::Question(question));
    Vec::new()
}

/// Opens the what-if of an event or a refused command. The one that was left on this stream goes on where nothing is asked for;
/// else a new one begins, and what there was can be had back with undo.
fn open(model: &mut Model, subject: &Subject, want: Option<Want>) -> Effects {
    let (stream, revision) = (subject.stream().clone(), subject.revision().0);
    let row = match subject {
        Subject::Event(_) => RowId::Event(revision),
        Subject::Decision(decision) => RowId::Refused(decision.sequence),
    };
    let mut screen = match model.take_what_if(&stream) {
        Some(screen) => screen,
        None => Box::new(WhatIfScreen::new(stream, row, revision)),
    };
    super::leave_other(&mut screen);
    if want.is_some() || screen.changes() == 0 {
        screen.change(|scenario| *scenario = Scenario::default());
        screen.opened_at = revision;
        screen.cursor = row;
        screen.main_cursor = row;
    }
    screen.want = want;
    // To drop something takes nothing but its name.
    if want == Some(Want::Drop) {
        screen.want = None;
        edits::drop_named(&mut screen, row);
    }
    history::open(model, Deeper::WhatIf(screen))
}

/// Does what was asked for, once what it takes is loaded.
pub(super) fn settle(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let is_loaded = screen.recorded().is_some_and(|recorded| recorded.is_loaded)
        && !screen.asked.has(Slot::Decisions)
        && !screen.asked.has(Slot::Model);
    let Some(want) = screen.want.filter(|_| is_loaded && app.overlay.is_none()) else {
        return Vec::new();
    };
    screen.want = None;
    match want {
        Want::Drop => edits::drop_row(app, screen),
        Want::Edit => edits::edit_row(app, screen),
        Want::Add => edits::add_command(app, screen),
        Want::Now => edits::give_now(app, screen),
    }
}
