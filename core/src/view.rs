//! Views: facts as they may be shown.
//!
//! Owns how a model's secrets are taken out of events, decisions, states and diffs. A view is for showing only; what is
//! folded, decided or stored never goes through here.

use serde_json::{Map, Value};

use crate::command::Decision;
use crate::diff::DiffEntry;
use crate::event::Event;
use crate::json::{Json, State};
use crate::model::Model;
use crate::redact::{REDACTED, covers, redact};

/// An event without its secrets.
pub fn redact_event(model: &Model, mut event: Event) -> Event {
    if let Some((data, found)) = redact_json(&event.data, &model.spec().event_secrets) {
        event.data = data;
        event
            .redacted
            .extend(found.into_iter().map(|pointer| format!("/data{pointer}")));
    }
    event
}

/// A decision without its secrets.
pub fn redact_decision(model: &Model, mut decision: Decision) -> Decision {
    if let Some((payload, found)) = redact_json(&decision.payload, &model.spec().command_secrets) {
        decision.payload = payload;
        decision.redacted.extend(
            found
                .into_iter()
                .map(|pointer| format!("/payload{pointer}")),
        );
    }
    decision
}

/// Takes the secrets out of a state; returns the JSON Pointers at which there was one.
pub fn redact_state(model: &Model, state: &mut State) -> Vec<String> {
    redact(state, &model.spec().state_secrets)
}

/// Takes the secrets out of an event's decoded payload.
pub fn redact_data(model: &Model, data: &mut Map<String, Value>) -> Vec<String> {
    redact(data, &model.spec().event_secrets)
}

/// Takes the secrets out of a diff of states: that a secret changed is shown, from what to what is not.
pub fn redact_diff(model: &Model, diff: &mut [DiffEntry]) {
    let secrets = &model.spec().state_secrets;
    for entry in diff {
        for value in [&mut entry.before, &mut entry.after].into_iter().flatten() {
            if covers(secrets, &entry.path) {
                if !value.is_null() {
                    *value = Value::String(REDACTED.to_owned());
                }
            } else if let Value::Object(inner) = value {
                let below: Vec<String> = secrets
                    .iter()
                    .filter_map(|secret| secret.strip_prefix(entry.path.as_str()))
                    .filter(|rest| rest.starts_with('/'))
                    .map(str::to_owned)
                    .collect();
                redact(inner, &below);
            }
        }
    }
}

fn redact_json(json: &Json, pointers: &[String]) -> Option<(Json, Vec<String>)> {
    if pointers.is_empty() {
        return None;
    }
    let Value::Object(mut object) = json.to_value() else {
        return None;
    };
    let found = redact(&mut object, pointers);
    if found.is_empty() {
        None
    } else {
        Some((Json::from(Value::Object(object)), found))
    }
}
