//! The command that gives the same answer as a what-if on screen.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use whodunit_core::api::what_if::{
    Action, Causes, Continuation, DecisionRef, Edit, WhatIfCommand, WhatIfIn,
};

use super::super::quote::quote;

/// The command line. What is secret in a payload is masked: it is typed again where the call is used.
pub(super) fn call(asked: &WhatIfIn, is_secret: &dyn Fn(&str) -> bool) -> String {
    let mut call = format!("whodunit what-if {}", quote(asked.stream.as_str()));
    if let Some(revision) = asked.at_revision {
        let _ = write!(call, " --at-revision {revision}");
    }
    if let Some(DecisionRef::Sequence(sequence)) = asked.at_decision {
        let _ = write!(call, " --at-decision {sequence}");
    }
    // The command line keeps kinds of edits apart; edits of different entries have no order.
    for edit in &asked.edits {
        call.push_str(&of_edit(edit, is_secret));
    }
    let surroundings = surroundings(&asked.actions);
    if surroundings.is_none() {
        // One actor and one reason go for all of them there.
        return format!(
            "echo {} | whodunit what-if --file -",
            quote(&body(asked, is_secret))
        );
    }
    for action in &asked.actions {
        let (option, name, data) = match action {
            Action::Command(command) => {
                let payload = masked(command.payload.clone(), is_secret);
                ("command", &command.command_type, payload)
            }
            Action::Event(event) => match event.data.to_value() {
                Value::Object(data) => ("event", &event.event_type, data),
                _ => ("event", &event.event_type, Map::new()),
            },
        };
        let data = Value::Object(data);
        let _ = write!(call, " --{option} {}", quote(&format!("{name}={data}")));
    }
    let (actor, reason) = surroundings.unwrap_or_default();
    // `what-if` is who asks there when nothing is said.
    if let Some(actor) = actor.filter(|actor| actor != "what-if") {
        let _ = write!(call, " --actor {}", quote(&actor));
    }
    if let Some(reason) = reason {
        let _ = write!(call, " --reason {}", quote(&reason));
    }
    match asked.password_correct {
        Some(true) => call.push_str(" --password-correct yes"),
        Some(false) => call.push_str(" --password-correct no"),
        None => {}
    }
    if asked.causes == Causes::Keep {
        call.push_str(" --causes keep");
    }
    match asked.continuation {
        Continuation::Refold => call.push_str(" --refold"),
        Continuation::Redecide => call.push_str(" --redecide"),
        Continuation::None => call.push_str(" --no-later"),
        Continuation::Auto => {}
    }
    call
}

fn of_edit(edit: &Edit, is_secret: &dyn Fn(&str) -> bool) -> String {
    match edit {
        Edit::Drop(edit) => format!(" --drop {}", edit.revision),
        Edit::Replace(edit) => {
            let value = format!("{}={}", edit.revision, edit.data.as_str());
            format!(" --replace {}", quote(&value))
        }
        Edit::Insert(edit) => {
            let (after, data) = (edit.after_revision, edit.data.as_str());
            let value = format!("{after}:{}={data}", edit.event_type);
            format!(" --insert {}", quote(&value))
        }
        Edit::DropCommand(edit) => format!(" --drop-command {}", edit.decision),
        other => format!(" --edit {}", quote(&json(&masked_edit(other, is_secret)))),
    }
}

/// The actor and the reason of all actions; `None` where they are not the same for all.
fn surroundings(actions: &[Action]) -> Option<(Option<String>, Option<String>)> {
    let mut all = actions.iter().map(|action| match action {
        Action::Command(command) => (command.actor.clone(), command.reason.clone()),
        Action::Event(event) => (event.actor.clone(), event.reason.clone()),
    });
    let first = all.next().unwrap_or_default();
    all.all(|other| other == first).then_some(first)
}

fn body(asked: &WhatIfIn, is_secret: &dyn Fn(&str) -> bool) -> String {
    let mut asked = asked.clone();
    for action in &mut asked.actions {
        if let Action::Command(command) = action {
            mask(command, is_secret);
        }
    }
    for edit in &mut asked.edits {
        *edit = masked_edit(edit, is_secret);
    }
    json(&asked)
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn masked_edit(edit: &Edit, is_secret: &dyn Fn(&str) -> bool) -> Edit {
    let mut edit = edit.clone();
    match &mut edit {
        Edit::InsertCommand(edit) => mask(&mut edit.command, is_secret),
        Edit::ReplaceCommand(edit) => {
            let payload = edit.payload.take();
            edit.payload = payload.map(|payload| masked(payload, is_secret));
        }
        _ => {}
    }
    edit
}

fn mask(command: &mut WhatIfCommand, is_secret: &dyn Fn(&str) -> bool) {
    command.payload = masked(std::mem::take(&mut command.payload), is_secret);
}

fn masked(mut payload: Map<String, Value>, is_secret: &dyn Fn(&str) -> bool) -> Map<String, Value> {
    for (name, value) in &mut payload {
        if is_secret(name) {
            *value = "-".into();
        }
    }
    payload
}
