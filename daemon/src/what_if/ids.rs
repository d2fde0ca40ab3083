//! Ids of what a scenario does: one that is taken at the base is refused as the real endpoint refuses it.
//!
//! For the same command or event again the real endpoint would answer with what is on record, and do nothing. In a what-if
//! that would look as if the rules had been asked.

use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::api::what_if::{Action, WhatIfBase, WhatIfIn};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;

use super::{WhatIfFailure, refused};
use crate::store::{StoreError, View};

/// Checks the ids that the scenario brings.
pub(super) fn check_ids(
    view: &dyn View,
    request: &WhatIfIn,
    base: &WhatIfBase,
) -> Result<(), WhatIfFailure> {
    // Where the later history comes as well, an id that it uses is taken too.
    let at_head = request.continuation.asks_rules()
        || request.at_revision.is_none()
            && request.as_of.is_none()
            && request.at_position.is_none()
            && request.at_decision.is_none();
    for (index, action) in request.actions.iter().enumerate() {
        let (what, field, id, code) = match action {
            Action::Command(command) => (
                "command",
                "command/command_id",
                &command.command_id,
                Code::CommandIdConflict,
            ),
            Action::Event(event) => (
                "event",
                "event/event_id",
                &event.event_id,
                Code::EventIdConflict,
            ),
        };
        let Some(id) = id else { continue };
        let place = match action {
            Action::Command(_) => {
                let decision = view.decision_by_command(id)?;
                let decision = decision.filter(|decision| at_head || is_decided(base, decision));
                decision.map(|decision| format!("decision {}", decision.sequence))
            }
            Action::Event(_) => match view.event_by_id(id)? {
                Some(event) if at_head || is_recorded(view, base, &event)? => {
                    Some(format!("position {}", event.position))
                }
                _ => None,
            },
        };
        let Some(place) = place else { continue };
        let id = echo(id);
        let detail = format!("{what} id `{id}` is on record at the base ({place})");
        let problem = Problem::new(code, detail).field(format!("/do/{index}/{field}"));
        return Err(refused(problem.hint(
            "leave the id out to ask again; the real endpoint would answer with what is on record under it",
        )));
    }
    Ok(())
}

/// Whether a decision was made by the moment of the base. A rejected one stands after the event that was the last then.
fn is_decided(base: &WhatIfBase, decision: &Decision) -> bool {
    match (base.decision, base.position) {
        (Some(sequence), _) => decision.sequence < sequence,
        (None, Some(position)) => match decision.result {
            Outcome::Accepted { .. } => decision.place() <= position,
            Outcome::Rejected { .. } => decision.base_position < position,
        },
        (None, None) => decision.decided_at <= base.at,
    }
}

/// Whether an event was recorded by the moment of the base.
fn is_recorded(view: &dyn View, base: &WhatIfBase, event: &Event) -> Result<bool, StoreError> {
    Ok(match base.position {
        Some(position) => event.position <= position,
        None => {
            let effective = view.effective_at(&event.stream, event.revision)?;
            effective.unwrap_or(event.recorded_at) <= base.at
        }
    })
}
