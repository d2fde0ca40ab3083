//! The what-if screen: changing a scenario, and asking what comes of it.

mod edits;

use whodunit_core::api::what_if::{Continuation, WhatIfOut};

use super::{Effects, complain, moved};
use crate::effect::{Effect, Failure};
use crate::keys::Action;
use crate::model::form::Form;
use crate::model::stream::StreamScreen;
use crate::model::what_if::WhatIfScreen;
use crate::model::{App, Overlay, Remote};
use crate::request::{Reply, Request, Slot};

use edits::{add_command, drop_event, edit};
pub(super) use edits::{commands_key, filled};

/// Rows before the end of the loaded ones at which more are asked for.
const NEAR: usize = 50;

/// What a what-if that has just been opened needs.
pub(super) fn open(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    // On an event, its own effect is what one wants to change: the base is right after it, and the row is selected.
    screen.row = screen.row_of(screen.scenario.base);
    load(app, screen)
}

pub(super) fn load(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let mut effects = run(app, screen);
    if screen.model.value().is_none() {
        let category = screen.stream.category().to_owned();
        screen.model.reload();
        let what = format!("the model of `{category}`");
        effects.push(screen.asked.ask(app, what, Request::Model(category)));
    }
    effects.push(head(app, screen));
    effects
}

/// Asks how far the stream goes.
pub(super) fn head(app: &mut App, screen: &mut WhatIfScreen) -> Effect {
    let request = Request::Stream(screen.stream.clone());
    screen.asked.ask(app, "", request)
}

/// Asks the daemon what comes of the scenario.
fn run(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    screen.result.reload();
    screen.asked.forget(Slot::MoreWhatIf);
    let request = Request::WhatIf(screen.request());
    vec![screen.asked.ask(app, "the what-if", request)]
}

/// Asks for the next page of steps when the end of those that are loaded is near.
fn more(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let near_end = screen.row + NEAR >= screen.worlds().len();
    let is_asked = screen.asked.has(Slot::WhatIf) || screen.asked.has(Slot::MoreWhatIf);
    let cursor = screen
        .result
        .value()
        .and_then(|out| out.next_cursor.clone());
    match cursor {
        Some(cursor) if near_end && !is_asked => {
            let request = Request::MoreWhatIf(screen.request(), cursor);
            vec![screen.asked.ask(app, "more steps", request)]
        }
        _ => Vec::new(),
    }
}

pub(super) fn take(app: &mut App, screen: &mut WhatIfScreen, reply: Reply) -> Effects {
    match reply {
        Reply::WhatIf(out) => {
            screen.result = Remote::Ready(out);
            return more(app, screen);
        }
        Reply::MoreWhatIf(page) => {
            if let Some(out) = screen.result.value_mut() {
                let mut steps = std::mem::take(&mut out.steps);
                steps.extend(page.steps);
                *out = WhatIfOut { steps, ..page };
            }
            return more(app, screen);
        }
        Reply::Model(spec) => screen.model = Remote::Ready(spec),
        Reply::Stream(info) => {
            app.head.position = app.head.position.max(info.last_position.0);
            screen.head = info.revision.0;
        }
        _ => {}
    }
    Vec::new()
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut WhatIfScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::WhatIf => screen.result = Remote::Failed(failure),
        Slot::Model => screen.model = Remote::Failed(failure),
        // The history is there as far as it was known.
        Slot::Stream => {}
        _ => complain(app, failure, is_away),
    }
}

pub(super) fn act(
    app: &mut App,
    screen: &mut WhatIfScreen,
    history: Option<&StreamScreen>,
    action: Action,
) -> Effects {
    let page = app.page();
    let (index, len) = match screen.pane {
        0 => (screen.change, screen.changes()),
        1 => (screen.row, screen.worlds().len()),
        _ => (screen.state_scroll, 10_000),
    };
    if let Some(index) = moved(index, len, page, action) {
        match screen.pane {
            0 => screen.change = index,
            1 => screen.row = index,
            _ => screen.state_scroll = index,
        }
        return more(app, screen);
    }
    match action {
        Action::NextPane => {
            screen.pane = (screen.pane + 1) % 3;
            Vec::new()
        }
        Action::BaseEarlier => base(app, screen, |base, _| base.saturating_sub(1)),
        Action::BaseLater => base(app, screen, |base, head| (base + 1).min(head)),
        Action::ToggleRefold => {
            screen.change(|scenario| {
                scenario.continuation = match scenario.continuation {
                    Continuation::None => Continuation::Refold,
                    Continuation::Refold | Continuation::Redecide | Continuation::Auto => {
                        Continuation::None
                    }
                };
            });
            run(app, screen)
        }
        Action::Password => suppose_password(app, screen),
        Action::Undo => step_scenario(app, screen, true),
        Action::Redo => step_scenario(app, screen, false),
        Action::Remove => remove(app, screen),
        Action::DropEvent => drop_event(app, screen),
        Action::ReplaceEvent => edit(app, screen, history),
        Action::InsertEvent => {
            let after = selected(screen).unwrap_or(screen.scenario.base);
            app.overlay = Some(Overlay::Form(Box::new(Form::insert(after))));
            Vec::new()
        }
        Action::AddCommand => add_command(app, screen),
        Action::AddEvent => {
            app.overlay = Some(Overlay::Form(Box::new(Form::event("", "", None))));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// The recorded revision of the selected row.
fn selected(screen: &WhatIfScreen) -> Option<u64> {
    screen
        .worlds()
        .get(screen.row)
        .and_then(crate::model::what_if::World::recorded)
}

fn base(app: &mut App, screen: &mut WhatIfScreen, to: impl Fn(u64, u64) -> u64) -> Effects {
    let target = to(screen.scenario.base, screen.head);
    if target == screen.scenario.base {
        app.say("the base cannot move further");
        return Vec::new();
    }
    let row = selected(screen);
    screen.change(|scenario| {
        scenario.base = target;
        scenario.decision = None;
    });
    screen.row = row.map_or(screen.row, |revision| screen.row_of(revision));
    run(app, screen)
}

/// Answers what a what-if never looks up: whether the passwords that commands give are the recorded ones.
fn suppose_password(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    screen.change(|scenario| {
        scenario.password_correct = match scenario.password_correct {
            None => Some(true),
            Some(true) => Some(false),
            Some(false) => None,
        };
    });
    app.say(match screen.scenario.password_correct {
        Some(true) => "supposing that the current password given is right",
        Some(false) => "supposing that the current password given is wrong",
        None => "nothing is supposed about the current password",
    });
    run(app, screen)
}

fn step_scenario(app: &mut App, screen: &mut WhatIfScreen, undo: bool) -> Effects {
    let (from, to) = if undo {
        (&mut screen.undo, &mut screen.redo)
    } else {
        (&mut screen.redo, &mut screen.undo)
    };
    match from.pop() {
        Some(scenario) => {
            to.push(std::mem::replace(&mut screen.scenario, scenario));
            screen.change = screen.change.min(screen.changes().saturating_sub(1));
            run(app, screen)
        }
        None => {
            app.say(if undo {
                "there is nothing to undo"
            } else {
                "there is nothing to redo"
            });
            Vec::new()
        }
    }
}

fn remove(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    if screen.changes() == 0 {
        app.complain("there is no change to remove");
        return Vec::new();
    }
    let (index, edits) = (screen.change, screen.scenario.edits.len());
    screen.change(|scenario| {
        if index < edits {
            scenario.edits.remove(index);
        } else if index - edits < scenario.actions.len() {
            scenario.actions.remove(index - edits);
        }
    });
    screen.change = index.min(screen.changes().saturating_sub(1));
    run(app, screen)
}
