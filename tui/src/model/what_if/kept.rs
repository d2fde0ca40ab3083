//! A branch as a scenario: what the lab makes of the edits and actions that it keeps, and how edits are said in words.

use whodunit_core::api::branch::{BranchOut, LogStanding};
use whodunit_core::api::what_if::{Action, CommandPlace, DecisionRef, Edit};
use whodunit_core::branch::LayerBase;
use whodunit_core::event::NewEvent;
use whodunit_core::text::shown;

use super::scenario::{Added, Around, Change, CommandEdit, EventEdit, Place, Scenario};
use crate::model::branches::Opened;

/// What the lab shows of a branch. One that is about several streams at once is not edited there: a what-if upon it is asked.
pub(crate) fn opened(out: &BranchOut) -> Opened {
    let branch = &out.branch;
    let stream = branch.stream.clone();
    let (last, below) = branch
        .layers
        .split_last()
        .map_or((None, &[][..]), |(last, below)| (Some(last), below));
    let is_one = below
        .iter()
        .all(|layer| layer.stream == stream && layer.actions.is_empty());
    let Some(last) = last.filter(|_| is_one) else {
        let said = format!(
            "{} combines what-ifs on several streams or at several moments: this one is built on it",
            branch.name
        );
        return Opened {
            said: Some(said),
            ..upon(out)
        };
    };
    let mut scenario = Scenario {
        causes: branch.causes,
        password_correct: branch.password_correct,
        ..Scenario::default()
    };
    for edit in branch.layers.iter().flat_map(|layer| &layer.edits) {
        take(&mut scenario.changes, edit);
    }
    let place = place(&last.base, out.log_standing);
    for action in &last.actions {
        let added = match action {
            Action::Command(command) => Added::Command(command.clone()),
            Action::Event(event) => Added::Event(event.clone()),
        };
        scenario.changes.push(Change::Add(place, added));
    }
    let has_moved = !last.actions.is_empty() && is_end(&last.base) && place != Place::Now;
    Opened {
        at: first_revision(&scenario).unwrap_or(last.base.revision.0),
        stream,
        scenario,
        name: Some(branch.name.clone()),
        said: has_moved.then(|| {
            format!(
                "the log has grown since: what {} adds at the end comes right after revision {} here",
                branch.name, last.base.revision
            )
        }),
    }
}

/// A what-if upon a branch, with nothing changed yet.
pub(crate) fn upon(out: &BranchOut) -> Opened {
    let branch = &out.branch;
    let base = branch
        .layers
        .last()
        .map_or(0, |layer| layer.base.revision.0);
    Opened {
        stream: branch.stream.clone(),
        scenario: Scenario {
            on: Some(branch.name.clone()),
            causes: branch.causes,
            password_correct: branch.password_correct,
            ..Scenario::default()
        },
        name: None,
        at: base,
        said: None,
    }
}

fn is_end(base: &LayerBase) -> bool {
    base.before_decision.is_none() && base.after_decision.is_some()
}

fn place(base: &LayerBase, standing: LogStanding) -> Place {
    let revision = base.revision.0;
    match base.before_decision {
        Some(decision) => Place::Before { decision, revision },
        None if is_end(base) && standing == LogStanding::Same => Place::Now,
        None => Place::After(revision),
    }
}

/// The first revision that is changed, to begin there.
fn first_revision(scenario: &Scenario) -> Option<u64> {
    let revisions = scenario.changes.iter().filter_map(|change| match change {
        Change::DropEvent(revision) => Some(*revision),
        Change::Event(edit) => Some(edit.revision),
        Change::Add(Place::After(revision), _) => Some(*revision),
        _ => None,
    });
    revisions.min()
}

fn take(changes: &mut Vec<Change>, edit: &Edit) {
    let of_event = |changes: &mut Vec<Change>, changed: EventEdit| {
        let known = changes.iter_mut().find_map(|change| match change {
            Change::Event(known) if known.revision == changed.revision => Some(known),
            _ => None,
        });
        match known {
            Some(known) if changed.data.is_some() => known.data = changed.data,
            Some(known) => known.around = changed.around,
            None => changes.push(Change::Event(changed)),
        }
    };
    match edit {
        Edit::Drop(edit) => changes.push(Change::DropEvent(edit.revision.0)),
        Edit::Replace(edit) => of_event(
            changes,
            EventEdit {
                revision: edit.revision.0,
                data: Some(edit.data.clone()),
                around: Around::default(),
            },
        ),
        Edit::Change(edit) => of_event(
            changes,
            EventEdit {
                revision: edit.revision.0,
                data: None,
                around: Around {
                    actor: edit.actor.clone(),
                    reason: edit.reason.clone(),
                    at: edit.recorded_at,
                },
            },
        ),
        Edit::Insert(edit) => {
            let event = NewEvent::new(edit.event_type.clone(), edit.data.clone());
            changes.push(Change::Add(
                Place::After(edit.after_revision.0),
                Added::Event(event),
            ));
        }
        Edit::DropCommand(edit) => match edit.decision {
            DecisionRef::Sequence(sequence) => changes.push(Change::DropCommand(sequence)),
            DecisionRef::Command(_) => changes.push(as_it_is(Edit::DropCommand(edit.clone()))),
        },
        Edit::ReplaceCommand(edit) => match edit.decision {
            DecisionRef::Sequence(decision)
                if edit.command_type.is_none() && edit.password_correct.is_none() =>
            {
                changes.push(Change::Command(CommandEdit {
                    decision,
                    payload: edit.payload.clone(),
                    around: Around {
                        actor: edit.actor.clone(),
                        reason: edit.reason.clone(),
                        at: edit.at,
                    },
                }));
            }
            _ => changes.push(as_it_is(Edit::ReplaceCommand(edit.clone()))),
        },
        Edit::InsertCommand(edit) => match edit.place {
            CommandPlace::AfterRevision(revision) if edit.stream.is_none() && edit.at.is_none() => {
                let added = Added::Command(edit.command.clone());
                changes.push(Change::Add(Place::After(revision.0), added));
            }
            _ => changes.push(as_it_is(Edit::InsertCommand(edit.clone()))),
        },
        other => changes.push(as_it_is(other.clone())),
    }
}

fn as_it_is(edit: Edit) -> Change {
    Change::Kept(Box::new(edit))
}

/// What an edit supposes, as it goes on from `what if`.
pub(crate) fn edit_words(edit: &Edit) -> String {
    let named = |decision: &DecisionRef| match decision {
        DecisionRef::Sequence(sequence) => format!("the command of decision {sequence}"),
        DecisionRef::Command(id) => format!("the command {}", shown(id)),
    };
    let place = |place: &CommandPlace| match place {
        CommandPlace::AfterRevision(revision) => format!("after revision {revision}"),
        other => {
            let text = crate::json::value(other).unwrap_or_default().to_string();
            format!("at {}", shown(&text))
        }
    };
    match edit {
        Edit::Drop(edit) => format!("the event at revision {} had not happened", edit.revision),
        Edit::Replace(edit) => {
            format!(
                "the event at revision {} had said something else",
                edit.revision
            )
        }
        Edit::Insert(edit) => format!(
            "{} had come after revision {}",
            shown(&edit.event_type),
            edit.after_revision
        ),
        Edit::Change(edit) => format!(
            "who, why or when of the event at revision {} had been different",
            edit.revision
        ),
        Edit::Move(edit) => format!(
            "the event at revision {} had come after revision {}",
            edit.revision, edit.after_revision
        ),
        Edit::DropCommand(edit) => format!("{} had not been given", named(&edit.decision)),
        Edit::ReplaceCommand(edit) => format!("{} had been another one", named(&edit.decision)),
        Edit::InsertCommand(edit) => format!(
            "{} had been given {}",
            shown(&edit.command.command_type),
            place(&edit.place)
        ),
        Edit::MoveCommand(edit) => {
            format!(
                "{} had been given {}",
                named(&edit.decision),
                place(&edit.place)
            )
        }
    }
}
