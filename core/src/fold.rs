//! Folding: from a state and events to the state after them.
//!
//! Owns the one way a state moves past an event; steps, states, diffs and what-ifs all go through [`step`]. Never
//! stops: an event that cannot be decoded or applied leaves the last good state, and the fault is a value. What an event
//! did to a state is found by comparing only the part that it may touch: no state is copied whole for one event.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::decider::{DecodedEvent, Evolution, Touched};
use crate::diff::{DiffEntry, diff, diff_of_patch};
use crate::event::Event;
use crate::ids::Revision;
use crate::json::State;
use crate::model::{Model, Upcast};

/// What an event did to the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum EventEffect {
    /// The event was applied.
    Applied,
    /// Its type is unknown to the model: the state is unchanged.
    Unknown,
    /// It could not be decoded, upcast or applied: the last good state is carried on.
    Failed {
        /// The error, in a sentence.
        error: String,
    },
}

/// An event that could not be applied on the way to a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Fault {
    /// Revision of the event.
    #[schema(value_type = u64)]
    pub revision: Revision,
    /// Type of the event.
    pub event_type: String,
    /// The error, in a sentence.
    pub error: String,
}

/// A state and how it was reached.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Folded {
    /// The state.
    pub state: State,
    /// The revision it stands after.
    pub revision: Revision,
    /// The first [`FAULTS_MAX`] events that could not be applied on the way.
    pub faults: Vec<Fault>,
    /// How many events could not be applied on the way.
    pub faults_total: u64,
}

/// How many faults a fold names at most; it counts them all.
pub const FAULTS_MAX: usize = 20;

impl Folded {
    /// The empty stream, before its first event.
    pub fn start(model: &Model) -> Self {
        Self {
            state: model.decider().initial_state(),
            revision: Revision::ZERO,
            faults: Vec::new(),
            faults_total: 0,
        }
    }

    /// Moves past the next event.
    pub fn push(&mut self, model: &Model, event: &Event) -> EventEffect {
        let effect = step(model, &mut self.state, event);
        self.passed(event, &effect);
        effect
    }

    /// Moves past the next event, and tells whether it may have changed something below this key of the state.
    pub fn push_and_tell(
        &mut self,
        model: &Model,
        event: &Event,
        key: &str,
    ) -> (EventEffect, bool) {
        self.push_and_tell_any(model, event, &[key])
    }

    /// The same for several keys: whether it may have changed something below any of them.
    pub fn push_and_tell_any(
        &mut self,
        model: &Model,
        event: &Event,
        keys: &[impl AsRef<str>],
    ) -> (EventEffect, bool) {
        let (effect, may_touch) = step_and_tell(model, &mut self.state, event, keys);
        self.passed(event, &effect);
        (effect, may_touch)
    }

    /// Moves past the next event, and says what it did to the state.
    pub fn push_with_diff(&mut self, model: &Model, event: &Event) -> Change {
        let change = step_with_diff(model, &mut self.state, event);
        self.passed(event, &change.effect);
        change
    }

    fn passed(&mut self, event: &Event, effect: &EventEffect) {
        self.revision = event.revision;
        if let EventEffect::Failed { error } = effect {
            self.faults_total += 1;
            if self.faults.len() < FAULTS_MAX {
                self.faults.push(Fault {
                    revision: event.revision,
                    event_type: event.event_type.clone(),
                    error: error.clone(),
                });
            }
        }
    }
}

/// Folds events onto the empty state.
pub fn fold<'a>(model: &Model, events: impl IntoIterator<Item = &'a Event>) -> Folded {
    let mut folded = Folded::start(model);
    for event in events {
        folded.push(model, event);
    }
    folded
}

/// What an event did to a state.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Whether it was applied.
    pub effect: EventEffect,
    /// The differences.
    pub diff: Vec<DiffEntry>,
    /// The payload as it was read, where that is not as it is stored.
    pub upcast: Option<Upcast>,
}

/// Moves a state past one event: decode, upcast, evolve.
pub fn step(model: &Model, state: &mut State, event: &Event) -> EventEffect {
    match current(model, event) {
        Err(error) => EventEffect::Failed { error },
        Ok(upcast) => evolve(model, state, &decoded(event, &upcast)),
    }
}

/// The same, with the event's data as a tree.
pub(crate) fn step_read(
    model: &Model,
    state: &mut State,
    event: &Event,
    data: Map<String, Value>,
) -> EventEffect {
    match current_of(model, event, data) {
        Err(error) => EventEffect::Failed { error },
        Ok(upcast) => evolve(model, state, &decoded(event, &upcast)),
    }
}

/// Moves a state past one event, and tells whether that may have changed something below one of these keys.
fn step_and_tell(
    model: &Model,
    state: &mut State,
    event: &Event,
    keys: &[impl AsRef<str>],
) -> (EventEffect, bool) {
    let upcast = match current(model, event) {
        Err(error) => return (EventEffect::Failed { error }, false),
        Ok(upcast) => upcast,
    };
    let seen = decoded(event, &upcast);
    let may_touch = match model.decider().touched(&seen) {
        Touched::All => true,
        Touched::Patch(patch) => keys.iter().any(|key| patch.contains_key(key.as_ref())),
    };
    (evolve(model, state, &seen), may_touch)
}

/// Moves a state past one event, and says what that did to it.
pub fn step_with_diff(model: &Model, state: &mut State, event: &Event) -> Change {
    let upcast = match current(model, event) {
        Err(error) => {
            return Change {
                effect: EventEffect::Failed { error },
                diff: Vec::new(),
                upcast: None,
            };
        }
        Ok(upcast) => upcast,
    };
    let seen = decoded(event, &upcast);
    let touched = model.decider().touched(&seen);
    let before = part(state, touched);
    let effect = evolve(model, state, &seen);
    let diff = match (&effect, touched) {
        (EventEffect::Failed { .. }, _) => Vec::new(),
        (_, Touched::All) => diff(&before, state),
        (_, Touched::Patch(patch)) => diff_of_patch(&before, state, patch),
    };
    let is_newer = (upcast.event_type.as_str(), upcast.schema_version)
        != (event.event_type.as_str(), event.schema_version);
    Change {
        effect,
        diff,
        upcast: is_newer.then_some(upcast),
    }
}

fn decoded<'a>(event: &'a Event, upcast: &'a Upcast) -> DecodedEvent<'a> {
    DecodedEvent {
        event_type: &upcast.event_type,
        data: &upcast.data,
        recorded_at: event.recorded_at,
        event,
    }
}

fn evolve(model: &Model, state: &mut State, event: &DecodedEvent<'_>) -> EventEffect {
    match model.decider().evolve(state, event) {
        Ok(Evolution::Applied) => EventEffect::Applied,
        Ok(Evolution::Unknown) => EventEffect::Unknown,
        Err(error) => EventEffect::Failed { error },
    }
}

/// A copy of the part of a state that may be touched.
fn part(state: &State, touched: Touched<'_>) -> State {
    let Touched::Patch(patch) = touched else {
        return state.clone();
    };
    let within = |(key, change): (&String, &Value)| {
        let value = match (state.get(key)?, change) {
            (Value::Object(inner), Value::Object(change)) => {
                Value::Object(part(inner, Touched::Patch(change)))
            }
            (value, _) => value.clone(),
        };
        Some((key.clone(), value))
    };
    patch.iter().filter_map(within).collect()
}

/// An event's payload in the model's current shape, through as many upcasters as it takes.
pub fn current(model: &Model, event: &Event) -> Result<Upcast, String> {
    let Value::Object(data) = event.data.to_value() else {
        return Err("its data is not a JSON object".to_owned());
    };
    current_of(model, event, data)
}

fn current_of(model: &Model, event: &Event, data: Map<String, Value>) -> Result<Upcast, String> {
    let mut now = Upcast {
        event_type: event.event_type.clone(),
        schema_version: event.schema_version,
        data,
    };
    // Each upcaster is used at most once on the way: a chain that comes round again would never end.
    for _ in &model.spec().upcasters {
        let Some(upcaster) = model
            .spec()
            .upcasters
            .iter()
            .find(|u| u.event_type == now.event_type && u.from == now.schema_version)
        else {
            break;
        };
        now = (upcaster.upcast)(&now.data).map_err(|error| {
            format!(
                "schema {} of {}: {error}",
                now.schema_version, now.event_type
            )
        })?;
    }
    let reads = |event_type: &str| {
        let upcasters = model.spec().upcasters.iter();
        let oldest = upcasters.filter(|u| u.event_type == event_type);
        let current = model.spec().events.get(event_type).copied();
        current.into_iter().chain(oldest.map(|u| u.from)).max()
    };
    match reads(&now.event_type) {
        Some(newest) if now.schema_version > newest => Err(format!(
            "schema {} of {} is newer than this model knows: it reads schema {newest}",
            now.schema_version, now.event_type
        )),
        Some(known) if now.schema_version != known => Err(format!(
            "schema {} of {} is unknown; this model reads schema {known}",
            now.schema_version, now.event_type
        )),
        _ => Ok(now),
    }
}

#[cfg(test)]
pub(crate) mod tests;
