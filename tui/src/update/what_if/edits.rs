//! Changes to a scenario: edits of recorded events, and commands and events at the base.

use whodunit_core::api::what_if::{
    Action as Happening, Continuation, DropEdit, Edit, InsertEdit, ReplaceEdit, WhatIfCommand,
};
use whodunit_core::event::NewEvent;
use whodunit_core::ids::Revision;
use whodunit_core::shown::has_mark;

use super::super::Effects;
use super::{remove, run, selected};
use crate::model::form::{Filled, Form, Purpose};
use crate::model::stream::StreamScreen;
use crate::model::what_if::WhatIfScreen;
use crate::model::{App, Overlay};

/// The revision an edit of a recorded event is about.
fn edited(edit: &Edit) -> Option<u64> {
    match edit {
        Edit::Drop(edit) => Some(edit.revision.0),
        Edit::Replace(edit) => Some(edit.revision.0),
        _ => None,
    }
}

/// Makes room for an edit of a recorded event: an earlier edit of it goes, and an event after the base needs the later
/// history to be re-folded.
fn make_edit(screen: &mut WhatIfScreen, revision: u64, edit: Edit) {
    screen.change(|scenario| {
        scenario
            .edits
            .retain(|other| edited(other) != Some(revision));
        scenario.edits.push(edit);
        if revision > scenario.base {
            scenario.continuation = Continuation::Refold;
        }
    });
    screen.change = screen.scenario.edits.len().saturating_sub(1);
}

pub(super) fn drop_event(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    if screen.pane == 0 {
        return remove(app, screen);
    }
    let Some(revision) = selected(screen) else {
        app.complain("only a recorded event can be dropped; Delete removes a change");
        return Vec::new();
    };
    let was_dropped = screen
        .scenario
        .edits
        .iter()
        .any(|e| matches!(e, Edit::Drop(_)) && edited(e) == Some(revision));
    if was_dropped {
        screen.change(|scenario| {
            scenario
                .edits
                .retain(|other| edited(other) != Some(revision));
        });
    } else {
        make_edit(
            screen,
            revision,
            Edit::Drop(DropEdit {
                revision: Revision(revision),
            }),
        );
    }
    screen.row = screen.row_of(revision);
    run(app, screen)
}

/// Edits the selected change, or the payload of the selected recorded event.
pub(super) fn edit(
    app: &mut App,
    screen: &mut WhatIfScreen,
    history: Option<&StreamScreen>,
) -> Effects {
    if screen.pane == 0 {
        return edit_change(app, screen);
    }
    let Some(revision) = selected(screen) else {
        app.complain("select a recorded event, or a change on the left");
        return Vec::new();
    };
    let replaced = screen.scenario.edits.iter().find_map(|edit| match edit {
        Edit::Replace(edit) if edit.revision.0 == revision => Some(edit.data.as_str().to_owned()),
        _ => None,
    });
    let step = history.and_then(|stream| stream.steps.get(&revision));
    let Some(step) = step else {
        app.complain(format!(
            "revision {revision} is not loaded; step to it on the stream screen first"
        ));
        return Vec::new();
    };
    let redacted = has_mark(&step.event.data) && replaced.is_none();
    let data = replaced.unwrap_or_else(|| step.event.data.as_str().to_owned());
    let form = Form::replace(revision, &step.event.event_type, &data);
    app.overlay = Some(Overlay::Form(Box::new(form)));
    if redacted {
        app.say("this event has redacted fields: the what-if will use what the form says");
    }
    Vec::new()
}

fn edit_change(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let edits = screen.scenario.edits.len();
    let form = match screen.change.checked_sub(edits) {
        None => match screen.scenario.edits.get(screen.change) {
            Some(Edit::Replace(edit)) => Some(Form::replace(
                edit.revision.0,
                "the event",
                edit.data.as_str(),
            )),
            _ => None,
        },
        Some(index) => match screen.scenario.actions.get(index) {
            Some(Happening::Event(event)) => Some(Form::event(
                &event.event_type,
                event.data.as_str(),
                Some(index),
            )),
            Some(Happening::Command(command)) => screen
                .model
                .value()
                .and_then(|m| {
                    m.commands
                        .iter()
                        .find(|spec| spec.name == command.command_type)
                })
                .map(|spec| Form::command(spec, Some(&command.clone().into()), Some(index))),
            None => None,
        },
    };
    match form {
        Some(form) => app.overlay = Some(Overlay::Form(Box::new(form))),
        None => app.complain("this change cannot be edited; Delete removes it"),
    }
    Vec::new()
}

pub(super) fn add_command(app: &mut App, screen: &mut WhatIfScreen) -> Effects {
    let category = screen.stream.category().to_owned();
    let no_model = screen
        .model
        .failure()
        .is_some_and(|why| why.code.as_deref() == Some("no_such_model"));
    match screen.model.value() {
        Some(spec) if !spec.commands.is_empty() => {
            app.overlay = Some(Overlay::Commands { selected: 0 });
        }
        None if !no_model => app.complain("the model is not loaded; r loads it again"),
        Some(_) | None => {
            app.complain(format!(
                "category `{category}` has no model here, so no commands (the daemon's `--model` chooses them); E adds a raw event"
            ));
        }
    }
    Vec::new()
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
        if let Some(command) = specs.get(selected) {
            app.overlay = Some(Overlay::Form(Box::new(Form::command(command, None, None))));
        }
    } else if key != "q" {
        let selected = super::super::overlay::choose(selected, specs.len(), key);
        app.overlay = Some(Overlay::Commands { selected });
    }
}

/// Takes a filled form into the scenario.
pub(in crate::update) fn filled(
    app: &mut App,
    screen: &mut WhatIfScreen,
    form: &Form,
    filled: Filled,
) -> Effects {
    match (&form.purpose, filled) {
        (Purpose::Command(_, index), Filled::Command(command)) => {
            let mut command = WhatIfCommand::from(command);
            // Required, as for a real command; the command line has the same default.
            command.actor.get_or_insert_with(|| "what-if".to_owned());
            act_at(screen, *index, Happening::Command(command));
        }
        (
            Purpose::Event(index),
            Filled::Event {
                event_type,
                data,
                reason,
                actor,
            },
        ) => {
            let event = NewEvent {
                reason,
                actor,
                ..NewEvent::new(event_type, data)
            };
            act_at(screen, *index, Happening::Event(event));
        }
        (Purpose::Replace(revision), Filled::Data(data)) => {
            let edit = Edit::Replace(ReplaceEdit {
                revision: Revision(*revision),
                data,
            });
            make_edit(screen, *revision, edit);
        }
        (
            Purpose::Insert(after),
            Filled::Event {
                event_type, data, ..
            },
        ) => {
            let after = *after;
            let edit = Edit::Insert(InsertEdit {
                after_revision: Revision(after),
                event_type,
                data,
            });
            screen.change(|scenario| {
                scenario.edits.push(edit);
                if after > scenario.base {
                    scenario.continuation = Continuation::Refold;
                }
            });
        }
        _ => {}
    }
    run(app, screen)
}

fn act_at(screen: &mut WhatIfScreen, index: Option<usize>, action: Happening) {
    screen.change(
        |scenario| match index.and_then(|index| scenario.actions.get_mut(index)) {
            Some(slot) => *slot = action,
            None => scenario.actions.push(action),
        },
    );
    screen.change = screen.changes().saturating_sub(1);
}
