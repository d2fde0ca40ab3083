//! The what-if screen: telling another story.

use whodunit_core::api::what_if::{
    Action as Happening, Continuation, DropEdit, Edit, InsertEdit, ReplaceEdit,
};
use whodunit_core::event::NewEvent;
use whodunit_core::ids::Revision;
use whodunit_core::shown::has_mark;

use super::{Effects, moved};
use crate::effect::{Request, Slot};
use crate::keys::Action;
use crate::model::form::{Filled, Form, Purpose};
use crate::model::what_if::WhatIfScreen;
use crate::model::{Model, Overlay};

/// Asks the daemon what comes of the story.
pub(super) fn run(model: &mut Model) -> Effects {
    let Some(screen) = &mut model.what_if else {
        return Vec::new();
    };
    screen.result.reload();
    let request = Request::WhatIf(screen.request());
    vec![model.ask(Slot::WhatIf, "the story", request)]
}

pub(super) fn act(model: &mut Model, action: Action) -> Effects {
    let page = model.page();
    let Some(screen) = &mut model.what_if else {
        return Vec::new();
    };
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
        return Vec::new();
    }
    match action {
        Action::NextPane => {
            screen.pane = (screen.pane + 1) % 3;
            Vec::new()
        }
        Action::BaseEarlier => base(model, |base, _| base.saturating_sub(1)),
        Action::BaseLater => base(model, |base, head| (base + 1).min(head)),
        Action::ToggleRefold => {
            screen.change(|story| {
                story.continuation = match story.continuation {
                    Continuation::None => Continuation::Refold,
                    Continuation::Refold => Continuation::None,
                };
            });
            run(model)
        }
        Action::Undo => step_story(model, true),
        Action::Redo => step_story(model, false),
        Action::Remove => remove(model),
        Action::DropEvent => drop_event(model),
        Action::ReplaceEvent => edit(model),
        Action::InsertEvent => {
            let after = selected(screen).unwrap_or(screen.story.base);
            model.overlay = Some(Overlay::Form(Box::new(Form::insert(after))));
            Vec::new()
        }
        Action::AddCommand => add_command(model),
        Action::AddEvent => {
            model.overlay = Some(Overlay::Form(Box::new(Form::event("", "", None))));
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

fn base(model: &mut Model, to: impl Fn(u64, u64) -> u64) -> Effects {
    let Some(screen) = &mut model.what_if else {
        return Vec::new();
    };
    let target = to(screen.story.base, screen.head);
    if target == screen.story.base {
        model.say("the base is at the end of the history already");
        return Vec::new();
    }
    let row = selected(screen);
    screen.change(|story| story.base = target);
    screen.row = row.map_or(screen.row, |revision| screen.row_of(revision));
    run(model)
}

fn step_story(model: &mut Model, undo: bool) -> Effects {
    let Some(screen) = &mut model.what_if else {
        return Vec::new();
    };
    let (from, to) = if undo {
        (&mut screen.undo, &mut screen.redo)
    } else {
        (&mut screen.redo, &mut screen.undo)
    };
    match from.pop() {
        Some(story) => {
            to.push(std::mem::replace(&mut screen.story, story));
            screen.change = screen.change.min(screen.changes().saturating_sub(1));
            run(model)
        }
        None => {
            model.say(if undo {
                "there is nothing to undo"
            } else {
                "there is nothing to redo"
            });
            Vec::new()
        }
    }
}

fn remove(model: &mut Model) -> Effects {
    let Some(screen) = &mut model.what_if else {
        return Vec::new();
    };
    if screen.changes() == 0 {
        model.complain("there is no change to remove");
        return Vec::new();
    }
    let (index, edits) = (screen.change, screen.story.edits.len());
    screen.change(|story| {
        if index < edits {
            story.edits.remove(index);
        } else if index - edits < story.actions.len() {
            story.actions.remove(index - edits);
        }
    });
    screen.change = index.min(screen.changes().saturating_sub(1));
    run(model)
}

/// The revision an edit of a recorded event is about.
fn edited(edit: &Edit) -> Option<u64> {
    match edit {
        Edit::Drop(edit) => Some(edit.revision.0),
        Edit::Replace(edit) => Some(edit.revision.0),
        Edit::Insert(_) => None,
    }
}

/// Makes room for an edit of a recorded event: an earlier edit of it goes, and an event after the base needs the later
/// history to be re-folded.
fn make_edit(screen: &mut WhatIfScreen, revision: u64, edit: Edit) {
    screen.change(|story| {
        story.edits.retain(|other| edited(other) != Some(revision));
        story.edits.push(edit);
        if revision > story.base {
            story.continuation = Continuation::Refold;
        }
    });
    screen.change = screen.story.edits.len().saturating_sub(1);
}

fn drop_event(model: &mut Model) -> Effects {
    let Some(screen) = &mut model.what_if else {
        return Vec::new();
    };
    if screen.pane == 0 {
        return remove(model);
    }
    let Some(revision) = selected(screen) else {
        model.complain("only a recorded event can be dropped; Delete removes a change");
        return Vec::new();
    };
    let was_dropped = screen
        .story
        .edits
        .iter()
        .any(|e| matches!(e, Edit::Drop(_)) && edited(e) == Some(revision));
    if was_dropped {
        screen.change(|story| story.edits.retain(|other| edited(other) != Some(revision)));
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
    run(model)
}

/// Edits the selected change, or the payload of the selected recorded event.
fn edit(model: &mut Model) -> Effects {
    let Some(screen) = &model.what_if else {
        return Vec::new();
    };
    if screen.pane == 0 {
        return edit_change(model);
    }
    let Some(revision) = selected(screen) else {
        model.complain("select a recorded event, or a change on the left");
        return Vec::new();
    };
    let replaced = screen.story.edits.iter().find_map(|edit| match edit {
        Edit::Replace(edit) if edit.revision.0 == revision => Some(edit.data.as_str().to_owned()),
        _ => None,
    });
    let step = model
        .stream
        .as_ref()
        .and_then(|stream| stream.steps.get(&revision));
    let Some(step) = step else {
        model.complain(format!(
            "revision {revision} is not loaded; step to it on the stream screen first"
        ));
        return Vec::new();
    };
    let redacted = has_mark(&step.event.data) && replaced.is_none();
    let data = replaced.unwrap_or_else(|| step.event.data.as_str().to_owned());
    let form = Form::replace(revision, &step.event.event_type, &data);
    model.overlay = Some(Overlay::Form(Box::new(form)));
    if redacted {
        model.say("this event has redacted fields: in the story they hold what the form says");
    }
    Vec::new()
}

fn edit_change(model: &mut Model) -> Effects {
    let Some(screen) = &model.what_if else {
        return Vec::new();
    };
    let edits = screen.story.edits.len();
    let form = match screen.change.checked_sub(edits) {
        None => match screen.story.edits.get(screen.change) {
            Some(Edit::Replace(edit)) => Some(Form::replace(
                edit.revision.0,
                "the event",
                edit.data.as_str(),
            )),
            _ => None,
        },
        Some(index) => match screen.story.actions.get(index) {
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
                .map(|spec| Form::command(spec, Some(command), Some(index))),
            None => None,
        },
    };
    match form {
        Some(form) => model.overlay = Some(Overlay::Form(Box::new(form))),
        None => model.complain("this change has nothing to edit; Delete removes it"),
    }
    Vec::new()
}

fn add_command(model: &mut Model) -> Effects {
    let Some(screen) = &model.what_if else {
        return Vec::new();
    };
    let category = screen.stream.category().to_owned();
    let no_model = screen
        .model
        .failure()
        .is_some_and(|why| why.code.as_deref() == Some("no_such_model"));
    match screen.model.value() {
        Some(spec) if !spec.commands.is_empty() => {
            model.overlay = Some(Overlay::Commands { selected: 0 });
        }
        None if !no_model => model.complain("the model is not loaded; r loads it again"),
        Some(_) | None => {
            model.complain(format!(
                "category `{category}` has no model, so no commands; E adds a raw event"
            ));
        }
    }
    Vec::new()
}

/// Takes a filled form into the story.
pub(super) fn filled(model: &mut Model, form: &Form, filled: Filled) -> Effects {
    let Some(screen) = &mut model.what_if else {
        return Vec::new();
    };
    match (&form.purpose, filled) {
        (Purpose::Command(_, index), Filled::Command(command)) => {
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
            screen.change(|story| {
                story.edits.push(edit);
                if after > story.base {
                    story.continuation = Continuation::Refold;
                }
            });
        }
        _ => {}
    }
    run(model)
}

fn act_at(screen: &mut WhatIfScreen, index: Option<usize>, action: Happening) {
    screen.change(
        |story| match index.and_then(|index| story.actions.get_mut(index)) {
            Some(slot) => *slot = action,
            None => story.actions.push(action),
        },
    );
    screen.change = screen.changes().saturating_sub(1);
}
