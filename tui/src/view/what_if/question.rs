//! What is asked, in a sentence: what was changed, in the words of what is on record.

use whodunit_core::command::Decision;

use crate::model::App;
use crate::model::what_if::edit_words;
use crate::model::what_if::{Added, Around, Change, Place, Recorded, WhatIfScreen};
use crate::text::{counted, safe};

/// Changes that are told of one by one.
const NAMED: usize = 2;

pub(super) fn question(app: &App, screen: &WhatIfScreen) -> String {
    let recorded = screen.histories.get(&screen.stream);
    let changes = &screen.scenario.changes;
    let other = if screen.shown == screen.stream {
        String::new()
    } else {
        format!("  ·  {}", safe(screen.shown.as_str()))
    };
    let upon = screen.scenario.on.as_ref();
    let upon = upon.map_or_else(String::new, |on| format!(", on the branch {}", safe(on)));
    let other = format!("{upon}{other}");
    if changes.is_empty() {
        return format!("What if … ?{other}");
    }
    let named = changes.iter().take(NAMED);
    let named: Vec<String> = named.map(|change| phrase(app, recorded, change)).collect();
    let named = named.join(", and ");
    let more = match changes.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(", and {}", counted(n, "more change")),
    };
    format!("What if {named}{more}?{other}")
}

fn phrase(app: &App, recorded: Option<&Recorded>, change: &Change) -> String {
    match change {
        Change::DropEvent(revision) => {
            format!("{} had not happened", event(recorded, *revision))
        }
        Change::DropCommand(sequence) => {
            format!("{} had not been given", command(recorded, *sequence))
        }
        Change::Event(edit) => {
            let said = edit
                .data
                .as_ref()
                .map(|_| "had said something else".to_owned());
            let event = event(recorded, edit.revision);
            let how = said.into_iter().chain(around(app, &edit.around));
            format!("{event} {}", how.collect::<Vec<_>>().join(" and "))
        }
        Change::Command(edit) => {
            let said = edit
                .payload
                .as_ref()
                .map(|_| "had asked for something else".to_owned());
            let command = command(recorded, edit.decision);
            let how = said.into_iter().chain(around(app, &edit.around));
            format!("{command} {}", how.collect::<Vec<_>>().join(" and "))
        }
        Change::Kept(edit) => edit_words(edit),
        Change::Add(place, added) => {
            let (what, by) = match added {
                Added::Command(command) => (&command.command_type, &command.actor),
                Added::Event(event) => (&event.event_type, &event.actor),
            };
            let by = by.as_ref().filter(|actor| *actor != "what-if");
            let by = by.map_or_else(String::new, |actor| format!(" by {}", safe(actor)));
            let what = safe(what);
            match place {
                Place::After(0) => format!("{what}{by} had come first"),
                Place::After(revision) => {
                    format!("{what}{by} had come after {}", event(recorded, *revision))
                }
                Place::Before { decision, .. } => {
                    format!(
                        "{what}{by} had come before {}",
                        command(recorded, *decision)
                    )
                }
                Place::Now => format!("{what}{by} came now"),
            }
        }
    }
}

fn around(app: &App, around: &Around) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(actor) = &around.actor {
        out.push(format!("had come from {}", safe(actor)));
    }
    if let Some(reason) = &around.reason {
        out.push(format!("had been for the reason \"{}\"", safe(reason)));
    }
    if let Some(at) = around.at {
        out.push(format!("had come at {}", app.zone.long(at)));
    }
    out
}

/// `UserSuspended (rev 3, fraud-scan)`.
fn event(recorded: Option<&Recorded>, revision: u64) -> String {
    let step = recorded.and_then(|recorded| recorded.steps.get(&revision));
    let Some(step) = step else {
        return format!("the event at rev {revision}");
    };
    let actor = step.event.actor.as_deref();
    let actor = actor.map_or_else(String::new, |actor| format!(", {}", safe(actor)));
    format!("{} (rev {revision}{actor})", safe(&step.event.event_type))
}

/// `ChangeEmail by sarah`.
fn command(recorded: Option<&Recorded>, sequence: u64) -> String {
    let all = recorded.map_or(&[][..], |recorded| &recorded.decisions);
    let decision: Option<&Decision> = all.iter().find(|d| d.sequence == sequence);
    let Some(decision) = decision else {
        return format!("the command of decision {sequence}");
    };
    let actor = decision.actor.as_deref();
    let actor = actor.map_or_else(String::new, |actor| format!(" by {}", safe(actor)));
    format!("{}{actor}", safe(&decision.command_type))
}
