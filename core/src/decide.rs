//! Deciding: a prepared command on a state, with what surrounds the decider.
//!
//! Owns the steps that are the same for a real command and for one in a what-if: run the decider, move the state past
//! its events, and find the unique keys that the stream takes or gives up. Whether another stream holds such a key is
//! for the caller to see to: the store in its transaction, the what-if as of its base.

use crate::command::{Command, Rejection};
use crate::event::{Event, NewEvent};
use crate::fold::step;
use crate::ids::{Position, Revision, StreamName};
use crate::json::State;
use crate::keys::UniqueKey;
use crate::model::Model;
use crate::time::Timestamp;

/// What an accepted command leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionOutcome {
    /// The events, with actor, reason, correlation and causation of the command.
    pub events: Vec<NewEvent>,
    /// The state after them.
    pub state: State,
    /// Keys the stream takes with them.
    pub claims: Vec<UniqueKey>,
    /// Keys the stream gives up with them.
    pub releases: Vec<UniqueKey>,
}

/// Runs the rules on a prepared command. `revision` is the one that `state` stands after.
pub fn decide(
    model: &Model,
    state: &State,
    revision: Revision,
    command: &Command,
) -> Result<DecisionOutcome, Rejection> {
    let mut events = model.decider().decide(state, command)?;
    for event in &mut events {
        event
            .schema_version
            .get_or_insert(model.schema_version(&event.event_type));
        event.actor = event.actor.take().or_else(|| command.actor.clone());
        event.reason = event.reason.take().or_else(|| command.reason.clone());
        event.correlation_id = event
            .correlation_id
            .take()
            .or_else(|| command.correlation_id.clone());
        event.causation_id = event
            .causation_id
            .take()
            .or_else(|| Some(command.command_id.clone()));
    }
    let after = state_after(
        model,
        &command.stream,
        state,
        revision,
        &events,
        command.issued_at,
    );
    let (claims, releases) = key_changes(model, state, &after);
    Ok(DecisionOutcome {
        events,
        state: after,
        claims,
        releases,
    })
}

/// The state after events that are not in the log yet. `now` stands in for the time of those that bring none.
pub fn state_after(
    model: &Model,
    stream: &StreamName,
    state: &State,
    revision: Revision,
    events: &[NewEvent],
    now: Timestamp,
) -> State {
    let mut after = state.clone();
    let mut revision = revision;
    for event in events {
        revision = revision.next();
        step(
            model,
            &mut after,
            &provisional(model, stream, revision, event, now),
        );
    }
    after
}

/// Keys that a stream takes and gives up when it goes from one state to another.
pub fn key_changes(
    model: &Model,
    before: &State,
    after: &State,
) -> (Vec<UniqueKey>, Vec<UniqueKey>) {
    let (held, holds) = (model.unique_keys(before), model.unique_keys(after));
    let claims = holds
        .iter()
        .filter(|key| !held.contains(key))
        .cloned()
        .collect();
    let releases = held
        .into_iter()
        .filter(|key| !holds.contains(key))
        .collect();
    (claims, releases)
}

/// A fact as an event that is in no log: its position is 0.
pub fn provisional(
    model: &Model,
    stream: &StreamName,
    revision: Revision,
    event: &NewEvent,
    now: Timestamp,
) -> Event {
    Event {
        position: Position::ZERO,
        stream: stream.clone(),
        revision,
        event_id: event.event_id.clone().unwrap_or_default(),
        event_type: event.event_type.clone(),
        schema_version: event
            .schema_version
            .unwrap_or_else(|| model.schema_version(&event.event_type)),
        recorded_at: event.recorded_at.unwrap_or(now),
        actor: event.actor.clone(),
        reason: event.reason.clone(),
        correlation_id: event.correlation_id.clone(),
        causation_id: event.causation_id.clone(),
        data: event.data.clone(),
        metadata: event.metadata.clone(),
    }
}
