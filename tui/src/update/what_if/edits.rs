//! Changes to a scenario, at the row of the cursor.

use whodunit_core::api::what_if::WhatIfCommand;
use whodunit_core::shown::has_mark;

use super::super::Effects;
use super::{row_at, run};
use crate::model::form::{Form, Target};
use crate::model::what_if::{Added, Change, Place, RowId, WhatIfScreen, again};
use crate::model::{App, Overlay};

/// Says why nothing happens.
fn no(app: &mut App, why: impl Into<String>) -> Effects {
    app.complain(why);
    Vec::new()
}

/// Whether the stream that is shown is the one that revisions of edits are of.
fn is_main(screen: &WhatIfScreen) -> bool {
    screen.shown == screen.stream
}

const OF_ANOTHER: &str =
    "only commands can be changed on another stream: no command on record led to this event";

/// Drops the event or command at the cursor, or takes that or another change of it back.
pub(super) fn drop_row(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let change = match row_at(screen) {
        RowId::Event(0) => return no(app, "this is the empty stream: there is nothing to drop"),
        RowId::Event(revision) if is_main(screen) => Change::DropEvent(revision),
        RowId::Event(revision) => match screen.command_behind(revision) {
            Some(decision) => Change::DropCommand(decision.sequence),
            None => return no(app, OF_ANOTHER),
        },
        RowId::Refused(sequence) => Change::DropCommand(sequence),
        RowId::Added(index) => {
            screen.change(|scenario| {
                scenario.changes.remove(index);
            });
            return run(app, screen);
        }
        RowId::Far(_) | RowId::More => {
            return no(app, "this is not loaded: nothing can be dropped");
        }
    };
    let scenario = &screen.scenario;
    let known = match &change {
        Change::DropEvent(revision) => scenario.of_event(*revision),
        Change::DropCommand(sequence) => scenario.of_decision(*sequence),
        _ => None,
    };
    if known.is_none() && needs_rules(app, screen, &change) {
        return Vec::new();
    }
    screen.change(|scenario| match known {
        Some(index) => {
            scenario.changes.remove(index);
        }
        None => scenario.changes.push(change),
    });
    run(app, screen)
}

/// Drops an event or a refused command of the stream that it is about.
pub(super) fn drop_named(screen: &mut WhatIfScreen, row: RowId) {
    let change = match row {
        RowId::Event(revision) => Change::DropEvent(revision),
        RowId::Refused(sequence) => Change::DropCommand(sequence),
        RowId::Added(_) | RowId::Far(_) | RowId::More => return,
    };
    screen.change(|scenario| scenario.changes.push(change));
}

/// Says so where a change makes no sense without the rules, and they are not asked.
fn needs_rules(app: &mut App, screen: &WhatIfScreen, change: &Change) -> bool {
    let mut tried = screen.scenario.clone();
    tried.changes.push(change.clone());
    let needs = screen.scenario.as_recorded && tried.needs_rules(&screen.stream);
    if needs {
        app.complain("only the rules can decide that, and they are not asked: m asks them");
    }
    needs
}

/// Opens a form with what the row at the cursor says.
pub(super) fn edit_row(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    match row_at(screen) {
        RowId::Event(0) => no(app, "this is the empty stream: + adds a command here"),
        RowId::Event(revision) if is_main(screen) => edit_event(app, screen, revision),
        RowId::Event(revision) => match screen.command_behind(revision) {
            Some(decision) => edit_command(app, screen, decision.sequence),
            None => no(app, OF_ANOTHER),
        },
        RowId::Refused(sequence) => edit_command(app, screen, sequence),
        RowId::Added(index) => edit_added(app, screen, index),
        RowId::Far(_) | RowId::More => Vec::new(),
    }
}

fn edit_event(app: &mut App, screen: &WhatIfScreen, revision: u64) -> Effects {
    let recorded = screen.recorded();
    let Some(step) = recorded.and_then(|recorded| recorded.steps.get(&revision)) else {
        return no(app, "the event is not loaded yet");
    };
    let edit = screen
        .scenario
        .changes
        .iter()
        .find_map(|change| match change {
            Change::Event(edit) if edit.revision == revision => Some(edit),
            _ => None,
        });
    let form = Form::recorded(&step.event, edit);
    if has_mark(&step.event.data) && edit.is_none_or(|edit| edit.data.is_none()) {
        app.say("this event has redacted fields: the what-if will use what the form says, once the data is changed");
    }
    app.overlay = Some(Overlay::Form(Box::new(form)));
    Vec::new()
}

fn edit_command(app: &mut App, screen: &WhatIfScreen, sequence: u64) -> Effects {
    let Some(decision) = screen.decision(sequence) else {
        return no(app, "the command is not loaded yet");
    };
    let Some(spec) = screen.spec(&decision.command_type) else {
        return no(app, no_model(screen));
    };
    let edit = screen
        .scenario
        .changes
        .iter()
        .find_map(|change| match change {
            Change::Command(edit) if edit.decision == sequence => Some(edit),
            _ => None,
        });
    let mut command = again(decision);
    let mut at = None;
    if let Some(edit) = edit {
        command.payload = edit.payload.clone().unwrap_or(command.payload);
        command.actor = edit.around.actor.clone().or(command.actor);
        command.reason = edit.around.reason.clone().or(command.reason);
        at = edit.around.at;
    }
    let at = at.unwrap_or(decision.decided_at);
    let form = Form::given(spec, &without_secrets(screen, command), sequence, at);
    app.overlay = Some(Overlay::Form(Box::new(form)));
    Vec::new()
}

fn edit_added(app: &mut App, screen: &WhatIfScreen, index: usize) -> Effects {
    let form = match screen.scenario.changes.get(index) {
        Some(Change::Add(_, Added::Event(event))) => {
            Form::event(&event.event_type, event.data.as_str(), Target::Again(index))
        }
        Some(Change::Add(_, Added::Command(command))) => match screen.spec(&command.command_type) {
            Some(spec) => Form::command(spec, Some(&command.clone().into()), Target::Again(index)),
            None => return no(app, no_model(screen)),
        },
        _ => return Vec::new(),
    };
    app.overlay = Some(Overlay::Form(Box::new(form)));
    Vec::new()
}

/// A secret is not on record: it is typed again.
fn without_secrets(screen: &WhatIfScreen, mut command: WhatIfCommand) -> WhatIfCommand {
    command.payload.retain(|name, value| {
        let mark = whodunit_core::json::Json::from(&*value);
        !screen.is_secret(name) && !has_mark(&mark)
    });
    command
}

/// Where something is added at the cursor.
fn place(screen: &WhatIfScreen) -> Option<Place> {
    if !is_main(screen) {
        return None;
    }
    match row_at(screen) {
        RowId::Event(revision) => Some(Place::After(revision)),
        RowId::Refused(decision) => {
            let revision = screen.decision(decision)?.base_revision.0;
            Some(Place::Before { decision, revision })
        }
        RowId::Added(index) => match screen.scenario.changes.get(index) {
            Some(Change::Add(place, _)) => Some(*place),
            _ => None,
        },
        RowId::Far(_) | RowId::More => None,
    }
}

const NO_PLACE: &str = "nothing can be added here: select an event or a refused command of the stream that the what-if is about";

fn no_model(screen: &WhatIfScreen) -> String {
    let category = screen.stream.category();
    match screen.model.failure().map(|why| why.code.as_deref()) {
        None if screen.model.value().is_none() => "the model is not loaded yet".to_owned(),
        Some(code) if code != Some("no_such_model") => {
            "the model is not loaded; r loads it again".to_owned()
        }
        _ => format!(
            "category `{category}` has no model here that knows it (the daemon's `--model` chooses them); E adds a raw event"
        ),
    }
}

pub(super) fn add_command(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    if place(screen).is_none() {
        return no(app, NO_PLACE);
    }
    match screen.model.value() {
        Some(spec) if !spec.commands.is_empty() => {
            app.overlay = Some(Overlay::Commands { selected: 0 });
            Vec::new()
        }
        _ => no(app, no_model(screen)),
    }
}

pub(super) fn add_event(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    match place(screen) {
        None => no(app, NO_PLACE),
        Some(place) => {
            let form = Form::event("", "", Target::Add(place));
            app.overlay = Some(Overlay::Form(Box::new(form)));
            Vec::new()
        }
    }
}

/// Gives a key to the choice of commands.
pub(in crate::update) fn commands_key(
    app: &mut App,
    screen: &WhatIfScreen,
    selected: usize,
    key: &str,
) {
    let specs = screen.model.value().map_or(&[][..], |m| &m.commands);
    if key == "enter" {
        if let (Some(command), Some(place)) = (specs.get(selected), place(screen)) {
            let form = Form::command(command, None, Target::Add(place));
            app.overlay = Some(Overlay::Form(Box::new(form)));
        }
    } else if key != "q" {
        let selected = super::super::overlay::choose(selected, specs.len(), key);
        app.overlay = Some(Overlay::Commands { selected });
    }
}

/// Gives the command behind the row at the cursor once more, at the end of the log.
pub(super) fn give_now(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    if !is_main(screen) {
        return no(app, NO_PLACE);
    }
    let decision = match row_at(screen) {
        RowId::Event(revision) => screen.command_behind(revision),
        RowId::Refused(sequence) => screen.decision(sequence),
        RowId::Added(_) | RowId::Far(_) | RowId::More => None,
    };
    let Some(decision) = decision else {
        return no(app, "no command on record led to this: + adds one");
    };
    let command = again(decision);
    let Some(spec) = screen.spec(&decision.command_type) else {
        return no(app, no_model(screen));
    };
    let clean = without_secrets(screen, command.clone());
    if clean.payload.len() < command.payload.len() {
        // What is secret is typed again.
        let form = Form::command(spec, Some(&clean.into()), Target::Add(Place::Now));
        app.overlay = Some(Overlay::Form(Box::new(form)));
        return Vec::new();
    }
    let change = Change::Add(Place::Now, Added::Command(command));
    if needs_rules(app, screen, &change) {
        return Vec::new();
    }
    screen.change(|scenario| scenario.changes.push(change));
    let index = screen.changes() - 1;
    screen.cursor = RowId::Added(index);
    run(app, screen)
}
