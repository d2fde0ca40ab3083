//! What a filled form makes of a scenario. Only what differs from what is on record is a change.

use serde_json::Value;
use whodunit_core::api::what_if::WhatIfCommand;
use whodunit_core::api::write::CommandIn;
use whodunit_core::event::{Event, NewEvent};
use whodunit_core::same::same;
use whodunit_core::time::Timestamp;

use super::super::Effects;
use super::run;
use crate::model::App;
use crate::model::form::{Filled, Form, Purpose, Target};
use crate::model::what_if::{
    Added, Around, Change, CommandEdit, EventEdit, RowId, WhatIfScreen, again,
};

/// Takes a filled form into the scenario.
pub(in crate::update) fn filled(
    app: &mut App,
    screen: &mut WhatIfScreen,
    form: &Form,
    filled: Filled,
) -> Effects {
    match (&form.purpose, filled) {
        (Purpose::Command(_, target), Filled::Command(command)) => {
            let mut command = WhatIfCommand::from(command);
            // Required, as for a real command; the command line has the same default.
            command.actor.get_or_insert_with(|| "what-if".to_owned());
            add(screen, *target, Added::Command(command));
        }
        (
            Purpose::Event(target),
            Filled::Event {
                event_type,
                data,
                reason,
                actor,
            },
        ) => {
            let event = NewEvent {
                reason,
                actor: Some(actor.unwrap_or_else(|| "what-if".to_owned())),
                ..NewEvent::new(event_type, data)
            };
            add(screen, *target, Added::Event(event));
        }
        (Purpose::Recorded(event), said @ Filled::Recorded { .. }) => {
            let revision = event.revision.0;
            let change = of_event(event, said).map(Change::Event);
            let known = screen.scenario.of_event(revision);
            return replace(app, screen, known, change);
        }
        (Purpose::Given(_, sequence, decided_at), Filled::Given(command, at)) => {
            let change = of_command(screen, *sequence, command, at, *decided_at);
            let known = screen.scenario.of_decision(*sequence);
            return replace(app, screen, known, change.map(Change::Command));
        }
        _ => return Vec::new(),
    }
    run(app, screen)
}

fn add(screen: &mut WhatIfScreen, target: Target, added: Added) {
    let mut index = None;
    screen.change(|scenario| match target {
        Target::Add(place) => {
            scenario.changes.push(Change::Add(place, added));
            index = Some(scenario.changes.len() - 1);
        }
        Target::Again(at) => {
            if let Some(Change::Add(_, earlier)) = scenario.changes.get_mut(at) {
                *earlier = added;
            }
        }
    });
    if let Some(index) = index {
        screen.cursor = RowId::Added(index);
    }
}

/// Puts a change in the place of an earlier one of the same fact; without one, it is as recorded again.
fn replace(
    app: &mut App,
    screen: &mut WhatIfScreen,
    known: Option<usize>,
    change: Option<Change>,
) -> Effects {
    let (before, stream) = (screen.scenario.clone(), screen.stream.clone());
    screen.change(|scenario| {
        if let Some(index) = known {
            scenario.changes.remove(index);
        }
        scenario.changes.extend(change);
        // Who, why and when, and commands, are a matter of the rules.
        scenario.as_recorded &= !scenario.needs_rules(&stream);
    });
    if screen.scenario == before {
        app.say("nothing was changed");
        return Vec::new();
    }
    if before.as_recorded && !screen.scenario.as_recorded {
        app.say("the rules are asked again: only they can decide that");
    }
    run(app, screen)
}

/// What differs from what is on record of an event; `None` where nothing does.
fn of_event(event: &Event, said: Filled) -> Option<EventEdit> {
    let Filled::Recorded {
        data,
        actor,
        reason,
        at,
    } = said
    else {
        return None;
    };
    let edit = EventEdit {
        revision: event.revision.0,
        data: (!same(&data.to_value(), &event.data.to_value())).then_some(data),
        around: Around {
            actor: actor.filter(|actor| Some(actor) != event.actor.as_ref()),
            reason: reason.filter(|reason| Some(reason) != event.reason.as_ref()),
            at: at.filter(|at| *at != event.recorded_at),
        },
    };
    let is_as_it_was = edit.data.is_none() && edit.around.is_as_it_was();
    (!is_as_it_was).then_some(edit)
}

/// What differs from what is on record of a command; `None` where nothing does.
fn of_command(
    screen: &WhatIfScreen,
    sequence: u64,
    command: CommandIn,
    at: Option<Timestamp>,
    decided_at: Timestamp,
) -> Option<CommandEdit> {
    let recorded = again(screen.decision(sequence)?);
    let shown = |fields: serde_json::Map<String, Value>| {
        let fields = fields.into_iter();
        Value::Object(fields.filter(|(name, _)| !screen.is_secret(name)).collect())
    };
    let has_secret = command.payload.keys().any(|name| screen.is_secret(name));
    let is_same = same(&shown(command.payload.clone()), &shown(recorded.payload));
    let edit = CommandEdit {
        decision: sequence,
        payload: (!is_same || has_secret).then_some(command.payload),
        around: Around {
            actor: command
                .actor
                .filter(|actor| Some(actor) != recorded.actor.as_ref()),
            reason: command
                .reason
                .filter(|reason| Some(reason) != recorded.reason.as_ref()),
            at: at.filter(|at| *at != decided_at),
        },
    };
    let is_as_it_was = edit.payload.is_none() && edit.around.is_as_it_was();
    (!is_as_it_was).then_some(edit)
}
