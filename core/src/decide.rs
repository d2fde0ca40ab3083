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
    /// Keys the stream takes and gives up with them, in order.
    pub keys: Vec<KeyChange>,
}

/// A unique key that a stream takes or gives up with one of several events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// Index of the event in its list.
    pub event: usize,
    /// The key.
    pub key: UniqueKey,
    /// Whether the stream takes it; else it gives it up.
    pub taken: bool,
}

/// Runs the rules on a prepared command. `revision` is the one that `state` stands after.
///
/// # Errors
/// The rule that rejects the command.
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
        // Always: this is how an event is known as one of its command's.
        event.causation_id = Some(command.command_id.clone());
    }
    let (after, keys) = state_and_keys_after(
        model,
        &command.stream,
        state,
        revision,
        &events,
        command.issued_at,
    );
    Ok(DecisionOutcome {
        events,
        state: after,
        keys,
    })
}

/// The state after events that are not in the log yet, and the keys that change hands on the way: those of every state in
/// between as well, so that several events in one append are judged as they would be one by one. `now` stands in for the
/// time of events that bring none.
pub fn state_and_keys_after(
    model: &Model,
    stream: &StreamName,
    state: &State,
    revision: Revision,
    events: &[NewEvent],
    now: Timestamp,
) -> (State, Vec<KeyChange>) {
    let mut after = state.clone();
    let mut revision = revision;
    let mut held = model.unique_keys(state);
    let mut changes = Vec::new();
    for (index, event) in events.iter().enumerate() {
        revision = revision.next();
        step(
            model,
            &mut after,
            &provisional(model, stream, revision, event, now),
        );
        let holds = model.unique_keys(&after);
        let change = |key: &UniqueKey, taken| KeyChange {
            event: index,
            key: key.clone(),
            taken,
        };
        let given_up = held.iter().filter(|key| !holds.contains(key));
        changes.extend(given_up.map(|key| change(key, false)));
        let taken = holds.iter().filter(|key| !held.contains(key));
        changes.extend(taken.map(|key| change(key, true)));
        held = holds;
    }
    (after, changes)
}

/// A new event as a decider sees it before it is in a log: its position is 0.
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
