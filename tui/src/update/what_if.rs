//! The what-if screen: changing a scenario, and asking what comes of it.
//!
//! Owns what is asked: each change asks again, and gives up on the question before it. Nothing is ever written to the log.

mod branch;
mod edits;
mod filled;
mod question;
mod save;

use whodunit_core::api::what_if::{Causes, WhatIfOut};
use whodunit_core::ids::{Revision, StreamName};

use super::{Effects, complain, moved, run as run_questions};
use crate::client::{DecisionsQuery, StreamEventsQuery};
use crate::effect::{Effect, Failure};
use crate::keys::Action;
use crate::model::tree::Tree;
use crate::model::what_if::{Row, RowId, WhatIfScreen};
use crate::model::{App, Overlay, Remote};
use crate::request::{Reply, Request, Slot};

pub(super) use crate::model::what_if::Pane;
pub(super) use branch::press as keep_key;
pub(super) use edits::commands_key;
pub(super) use filled::filled;
pub(super) use question::{ask, ask_of, press as question_key};
pub(super) use save::press as save_key;

/// Rows before the end of the loaded ones at which more steps are asked for.
const NEAR: usize = 50;
/// Events that are loaded at a time, and how many of them lie before the one that is looked at.
const WINDOW: u64 = 400;
const BEFORE: u64 = 200;
/// Decisions loaded of a stream.
const DECISIONS_MAX: usize = 1_000;

/// What the screen needs, from the start.
pub(super) fn load(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let mut effects = run(app, screen);
    if screen.model.value().is_none() {
        let category = screen.stream.category().to_owned();
        screen.model.reload();
        let what = format!("the model of `{category}`");
        effects.push(screen.asked.ask(app, what, Request::Model(category)));
    }
    effects.extend(load_history(app, screen));
    effects
}

/// Loads the history of the stream that is shown.
pub(super) fn load_history(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let name = screen.shown.clone();
    let query = DecisionsQuery {
        stream: Some(name.clone()),
        limit: Some(DECISIONS_MAX),
        ..DecisionsQuery::default()
    };
    let at = if screen.shown == screen.stream {
        screen.opened_at
    } else {
        let mut others = screen.others().into_iter();
        let world = others.find(|world| world.stream == name);
        let first = world.and_then(|world| world.first_divergence);
        first.map_or(1, |revision| revision.0)
    };
    screen.recorded_mut().failure = None;
    vec![
        screen.asked.ask(app, "", Request::Stream(name)),
        screen
            .asked
            .ask(app, "decisions", Request::Decisions(query)),
        window(app, screen, at.saturating_sub(BEFORE).max(1)),
    ]
}

/// Loads the events of the stream that is shown from a revision on, as many as are loaded at a time.
fn window(app: &mut App, screen: &mut WhatIfScreen, from: u64) -> Effect {
    screen.recorded_mut().until = from.saturating_add(WINDOW);
    rest_of_window(app, screen, from)
}

/// A page may be shorter than was asked for.
fn rest_of_window(app: &mut App, screen: &mut WhatIfScreen, from: u64) -> Effect {
    let name = screen.shown.clone();
    let until = screen.recorded_mut().until;
    let query = StreamEventsQuery {
        from: Some(Revision(from)),
        limit: usize::try_from(until.saturating_sub(from)).ok(),
        ..StreamEventsQuery::default()
    };
    let request = Request::Steps(name, query);
    screen.asked.ask(app, "the history", request)
}

/// Asks the daemon what comes of the scenario.
pub(super) fn run(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    screen.result.reload();
    screen.asked.forget(Slot::MoreWhatIf);
    let request = Request::WhatIf(screen.request());
    let on = screen.scenario.on.clone();
    vec![screen.asked.ask_in(app, "the what-if", request, on)]
}

/// Asks for the next page of steps when the end of those that are loaded is near.
fn more(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let rows = screen.rows();
    let near_end = screen.index(&rows) + NEAR >= rows.len();
    let is_asked = screen.asked.has(Slot::WhatIf) || screen.asked.has(Slot::MoreWhatIf);
    let cursor = screen
        .result
        .value()
        .and_then(|out| out.next_cursor.clone());
    match cursor {
        Some(cursor) if near_end && !is_asked && !screen.is_old() => {
            let request = Request::MoreWhatIf(screen.request(), cursor);
            let on = screen.scenario.on.clone();
            vec![screen.asked.ask_in(app, "more steps", request, on)]
        }
        _ => Vec::new(),
    }
}

pub(super) fn take(app: &mut App, screen: &mut WhatIfScreen, reply: Reply) -> Effects {
    match reply {
        Reply::WhatIf(out) => {
            screen.result = Remote::Ready(out);
            screen.answered = Some(screen.scenario.clone());
            screen.other = screen.other.min(screen.others().len().saturating_sub(1));
            screen.field = 0;
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
            let name = info.stream.clone();
            screen.histories.entry(name).or_default().info = Some(info);
        }
        Reply::Decisions(page) => {
            let recorded = screen.recorded_mut();
            recorded.more_decisions = page.next_cursor.is_some();
            recorded.decisions = page.items;
        }
        Reply::Steps(page) => {
            let recorded = screen.recorded_mut();
            let next = page.items.last().map(|step| step.event.revision.0 + 1);
            let next = next.filter(|next| page.next_cursor.is_some() && *next < recorded.until);
            recorded.is_loaded |= next.is_none();
            let steps = page.items.into_iter();
            recorded
                .steps
                .extend(steps.map(|step| (step.event.revision.0, step)));
            if let Some(next) = next {
                return vec![rest_of_window(app, screen, next)];
            }
        }
        Reply::SaveScenario(saved) => save::saved(app, screen, &saved),
        Reply::KeepBranch(out) => branch::kept(app, screen, &out),
        _ => {}
    }
    question::settle(app, screen)
}

pub(super) fn failed(
    app: &mut App,
    screen: &mut WhatIfScreen,
    slot: Slot,
    failure: Failure,
    is_away: bool,
) {
    match slot {
        Slot::WhatIf => screen.result.fail(failure, is_away),
        Slot::Model => {
            screen.model = Remote::Failed(failure);
            // An event can be edited without a model.
            question::settle(app, screen);
        }
        // What is on record is there as far as it was known.
        Slot::Stream | Slot::Decisions | Slot::Steps => {
            screen.want = None;
            screen.recorded_mut().failure = Some(failure);
        }
        Slot::SaveScenario => save::failed(app, &failure),
        Slot::KeepBranch => branch::failed(app, &failure),
        _ => complain(app, failure, is_away),
    }
}

pub(super) fn act(app: &mut App, screen: &mut WhatIfScreen, action: Action) -> Effects {
    screen.want = None;
    if let Some(effects) = go(app, screen, action) {
        return effects;
    }
    match action {
        Action::NextPane => {
            screen.pane = next_pane(screen);
            Vec::new()
        }
        Action::ToggleRules => toggle_rules(app, screen),
        Action::KeepCauses => keep_causes(app, screen),
        Action::Password => suppose_password(app, screen),
        Action::Undo => step_scenario(app, screen, true),
        Action::Redo => step_scenario(app, screen, false),
        Action::Drop => edits::drop_row(app, screen),
        Action::Enter => match screen.pane {
            Pane::Streams => open_other(app, screen),
            Pane::Fields => whole(app),
            Pane::Story => match row_at(screen) {
                RowId::Far(from) => vec![window(app, screen, from)],
                _ => edits::edit_row(app, screen),
            },
        },
        Action::AddCommand => edits::add_command(app, screen),
        Action::AddEvent => edits::add_event(app, screen),
        Action::GiveNow => edits::give_now(app, screen),
        Action::Save => {
            save::open(app, screen);
            Vec::new()
        }
        Action::Inevitable | Action::Minimal | Action::UndoPlan => {
            run_questions::open(app, screen, action);
            Vec::new()
        }
        Action::KeepBranch => {
            branch::open(app, screen);
            Vec::new()
        }
        Action::Whole => whole(app),
        _ => Vec::new(),
    }
}

fn whole(app: &mut App) -> Effects {
    app.overlay = Some(Overlay::Detail(Box::<Tree>::default()));
    Vec::new()
}

/// Moves the cursor of the pane that takes keys.
fn go(app: &mut App, screen: &mut WhatIfScreen, action: Action) -> Option<Effects> {
    let page = app.page();
    match screen.pane {
        Pane::Story => {
            let rows = screen.rows();
            let index = moved(screen.index(&rows), rows.len(), page, action)?;
            let row = rows.get(index).map(Row::id);
            go_to(screen, index, row);
            return Some(more(app, screen));
        }
        Pane::Streams => {
            screen.other = moved(screen.other, screen.others().len(), page, action)?;
        }
        Pane::Fields => {
            screen.field = moved(screen.field, screen.differences().len(), page, action)?;
        }
    }
    Some(Vec::new())
}

fn go_to(screen: &mut WhatIfScreen, index: usize, row: Option<RowId>) {
    screen.cursor_index = index;
    screen.cursor = row.unwrap_or(screen.cursor);
    if screen.shown == screen.stream {
        screen.main_cursor = screen.cursor;
    }
}

/// Selects a row of the story.
pub(super) fn select(screen: &mut WhatIfScreen, index: usize) {
    let row = screen.rows().get(index).map(Row::id);
    screen.pane = Pane::Story;
    go_to(screen, index, row);
}

/// The row at the cursor.
fn row_at(screen: &WhatIfScreen) -> RowId {
    let rows = screen.rows();
    let row = rows.get(screen.index(&rows));
    row.map_or(screen.cursor, Row::id)
}

fn next_pane(screen: &WhatIfScreen) -> Pane {
    let has = |pane: Pane| match pane {
        Pane::Story => true,
        Pane::Streams => !screen.others().is_empty(),
        Pane::Fields => !screen.differences().is_empty(),
    };
    let next = |pane: Pane| match pane {
        Pane::Story => Pane::Streams,
        Pane::Streams => Pane::Fields,
        Pane::Fields => Pane::Story,
    };
    let mut pane = next(screen.pane);
    while !has(pane) {
        pane = next(pane);
    }
    pane
}

/// Shows another stream's two worlds.
fn open_other(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let others = screen.others();
    let Some(world) = others.get(screen.other) else {
        return Vec::new();
    };
    let (name, at) = (world.stream.clone(), world.first_divergence);
    show(screen, name, RowId::Event(at.map_or(1, |at| at.0)));
    if screen.recorded().is_some_and(|recorded| recorded.is_loaded) {
        return Vec::new();
    }
    load_history(app, screen)
}

/// Shows the two worlds of a stream. What is on its way for another one is given up.
fn show(screen: &mut WhatIfScreen, name: StreamName, cursor: RowId) {
    for slot in [Slot::Stream, Slot::Decisions, Slot::Steps] {
        screen.asked.forget(slot);
    }
    screen.shown = name;
    screen.cursor = cursor;
    screen.cursor_index = 0;
    screen.pane = Pane::Story;
    screen.field = 0;
    screen.forget_histories();
}

/// Back to the stream that it is about; whether another one was shown.
pub(super) fn leave_other(screen: &mut WhatIfScreen) -> bool {
    if screen.shown == screen.stream {
        return false;
    }
    let (name, cursor) = (screen.stream.clone(), screen.main_cursor);
    show(screen, name, cursor);
    true
}

fn toggle_rules(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    if screen.scenario.on.is_some() {
        app.complain("in a branch the rules are always asked");
        return Vec::new();
    }
    let needs_rules = screen.scenario.needs_rules(&screen.stream);
    if !screen.scenario.as_recorded && needs_rules {
        app.complain(
            "only the rules can decide a changed command, actor, reason or time: u undoes it, then m",
        );
        return Vec::new();
    }
    screen.change(|scenario| scenario.as_recorded = !scenario.as_recorded);
    app.say(if screen.scenario.as_recorded {
        "the later events as recorded: rules not asked"
    } else {
        "the rules are asked again about later commands"
    });
    run(app, screen)
}

/// Whether commands whose direct cause is gone are issued anyway.
fn keep_causes(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    if screen.scenario.as_recorded {
        app.complain("no recorded command is asked: m asks the rules first");
        return Vec::new();
    }
    screen.change(|scenario| {
        scenario.causes = match scenario.causes {
            Causes::Follow => Causes::Keep,
            Causes::Keep => Causes::Follow,
        };
    });
    app.say(match screen.scenario.causes {
        Causes::Follow => "commands whose cause is gone are not issued",
        Causes::Keep => "commands whose cause is gone are issued anyway",
    });
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
        Some(true) => "assuming that the current password given is right",
        Some(false) => "assuming that the current password given is wrong",
        None => "nothing is assumed about the current password",
    });
    run(app, screen)
}

fn step_scenario(app: &mut App, screen: &mut WhatIfScreen, undo: bool) -> Effects {
    let (from, to) = if undo {
        (&mut screen.undo, &mut screen.redo)
    } else {
        (&mut screen.redo, &mut screen.undo)
    };
    let Some(scenario) = from.pop() else {
        app.say(if undo {
            "there is nothing to undo"
        } else {
            "there is nothing to redo"
        });
        return Vec::new();
    };
    to.push(std::mem::replace(&mut screen.scenario, scenario));
    run(app, screen)
}
