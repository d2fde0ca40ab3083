//! Commands that were decided before: the same `command_id` gets the recorded answer.

use std::sync::Arc;

use serde_json::Value;
use whodunit_core::api::write::CommandAccepted;
use whodunit_core::command::{Command, Decision, Outcome};
use whodunit_core::event::ExpectedRevision;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::json::State;
use whodunit_core::model::Model;
use whodunit_core::same::same_object;

use super::{CommandResult, Commands, WriteError, unprepared};
use crate::reading::{blocking_aside, read};
use crate::store::{AppendError, Direction, ReadEvents, StoreError};
use crate::time_travel::TravelError;

impl Commands {
    /// The recorded answer to this command, if there is one.
    pub(super) async fn recorded(
        &self,
        model: &Model,
        command: &Command,
        expected: ExpectedRevision,
    ) -> Result<Option<CommandResult>, WriteError> {
        let (id, of) = (command.command_id.clone(), model.clone());
        let (travel, stream) = (Arc::clone(&self.travel), command.stream.clone());
        let found = read(&self.store, move |view| -> Result<_, TravelError> {
            let Some(decision) = view.decision_by_command(&id)? else {
                return Ok(None);
            };
            let base = match of.prepare() {
                Some(_) if decision.stream == stream => {
                    travel
                        .state(view, &of, &stream, decision.base_revision)?
                        .folded
                        .state
                }
                _ => State::new(),
            };
            Ok(Some((answer(view, decision)?, base)))
        })
        .await?;
        let Some(((decision, answer), base)) = found else {
            return Ok(None);
        };
        let envelope = same_envelope(command, expected, &decision);
        if envelope && same_payload(model, base, command, &decision).await? {
            return Ok(Some(answer));
        }
        // A repeated command with a password can be used to guess it, so every attempt is logged.
        tracing::warn!(
            stream = command.stream.as_str(),
            decision = decision.sequence,
            "a command was sent with the id of a different, recorded one"
        );
        Err(WriteError::Append(AppendError::CommandIdConflict {
            command_id: decision.command_id,
            sequence: decision.sequence,
        }))
    }
}

fn answer(
    view: &dyn ReadEvents,
    decision: Decision,
) -> Result<(Decision, CommandResult), StoreError> {
    let Outcome::Accepted {
        revision,
        position,
        events,
    } = decision.result
    else {
        return Ok((
            decision.clone(),
            CommandResult::Rejected(Box::new(decision)),
        ));
    };
    let first = Revision(revision.0.saturating_sub(u64::from(events)) + 1);
    let count = usize::try_from(events).unwrap_or(usize::MAX);
    let events = match count {
        0 => Vec::new(),
        _ => view.stream_events(&decision.stream, first, Direction::Forward, count)?,
    };
    let accepted = CommandAccepted {
        outcome: "accepted".to_owned(),
        command_id: decision.command_id.clone(),
        stream: decision.stream.clone(),
        revision,
        position: position.max(Position::ZERO),
        events,
        repeated: true,
    };
    Ok((decision, CommandResult::Accepted(Box::new(accepted))))
}

/// Whether a decision is of a command with all of this but its payload. What revision its author expected is not on record:
/// it must be one that the decision could have been made with.
fn same_envelope(command: &Command, expected: ExpectedRevision, decision: &Decision) -> bool {
    decision.stream == command.stream
        && decision.command_type == command.command_type
        && decision.actor == command.actor
        && decision.reason == command.reason
        && decision.correlation_id == command.correlation_id
        && decision.causation_id == command.causation_id
        && expected.admits(decision.base_revision)
}

/// Whether a decision is of a command with the whole of this payload, secrets included. `base` is the state it was decided
/// on. Slow where a secret is compared with a hash.
async fn same_payload(
    model: &Model,
    base: State,
    command: &Command,
    decision: &Decision,
) -> Result<bool, WriteError> {
    let Value::Object(recorded) = decision.payload.to_value() else {
        return Ok(false);
    };
    if model.prepare().is_none() {
        return Ok(same_object(&command.payload, &recorded));
    }
    let (model, command) = (model.clone(), command.clone());
    blocking_aside(move || match model.prepare() {
        None => Ok(false),
        Some(prepare) => prepare
            .repeats(&base, &command, &recorded)
            .map_err(unprepared),
    })
    .await
}
