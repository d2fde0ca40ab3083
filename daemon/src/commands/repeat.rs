//! Commands that were decided before: the same `command_id` gets the recorded answer.

use serde_json::{Map, Value};
use whodunit_core::api::write::CommandAccepted;
use whodunit_core::command::{Command, Decision, Outcome};
use whodunit_core::ids::{Position, Revision};
use whodunit_core::model::Model;
use whodunit_core::same::same;

use super::{CommandResult, Commands, WriteError};
use crate::reading::read;
use crate::store::{AppendError, Direction, StoreError, View};

impl Commands {
    /// The recorded answer to this command, if there is one.
    pub(super) async fn recorded(
        &self,
        command: &Command,
    ) -> Result<Option<CommandResult>, WriteError> {
        let id = command.command_id.clone();
        let found = read(&self.store, move |view| -> Result<_, StoreError> {
            match view.decision_by_command(&id)? {
                None => Ok(None),
                Some(decision) => answer(view, decision).map(Some),
            }
        })
        .await?;
        let Some((decision, answer)) = found else {
            return Ok(None);
        };
        let model = self.models.for_stream(&command.stream);
        if is_same(model, command, &decision) {
            return Ok(Some(answer));
        }
        Err(WriteError::Append(AppendError::CommandIdConflict {
            command_id: decision.command_id,
            sequence: decision.sequence,
        }))
    }
}

fn answer(view: &dyn View, decision: Decision) -> Result<(Decision, CommandResult), StoreError> {
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

/// Whether a decision is of this command. What was secret in the payload is not on record, so it cannot be compared.
fn is_same(model: &Model, command: &Command, decision: &Decision) -> bool {
    let recorded = match decision.payload.to_value() {
        Value::Object(recorded) => recorded,
        _ => Map::new(),
    };
    let secret = |name: &String| model.spec().plaintext_fields.contains(name);
    let payload = command
        .payload
        .iter()
        .filter(|(name, _)| !secret(name))
        .all(|(name, value)| recorded.get(name).is_some_and(|known| same(known, value)));
    payload
        && decision.stream == command.stream
        && decision.command_type == command.command_type
        && decision.actor == command.actor
        && decision.reason == command.reason
}
