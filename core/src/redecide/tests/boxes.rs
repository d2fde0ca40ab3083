//! A model for tests: boxes that are opened and closed, count, and hold keys that no other box may hold.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::command::{Command, Rejection};
use crate::decider::{Decider, DecodedEvent, Evolution};
use crate::event::NewEvent;
use crate::json::State;
use crate::keys::UniqueKey;
use crate::model::{CommandSpec, Model, ModelSpec, Models};

/// Rules that are planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Planted {
    /// None: the rules as they are.
    Nothing,
    /// Actor 1 may not close a box.
    NoClosing,
    /// Keys are taken in closed boxes as well.
    TakesClosed,
    /// An increment leads to two events.
    Doubles,
    /// Another rule comes first.
    Renamed,
}

struct Boxes(Planted);

fn keys(state: &State) -> Vec<String> {
    let keys = state.get("keys").and_then(Value::as_array);
    let texts = keys.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn number(state: &State) -> u64 {
    state.get("n").and_then(Value::as_u64).unwrap_or_default()
}

impl Decider for Boxes {
    fn evolve(&self, state: &mut State, event: &DecodedEvent<'_>) -> Result<Evolution, String> {
        let key = event.data.get("key").and_then(Value::as_str);
        let mut held = keys(state);
        match event.event_type {
            "Opened" => drop(state.insert("open".to_owned(), json!(true))),
            "Closed" => drop(state.insert("open".to_owned(), json!(false))),
            "Incremented" => drop(state.insert("n".to_owned(), json!(number(state) + 1))),
            "Taken" => {
                held.push(key.ok_or("no key")?.to_owned());
                state.insert("keys".to_owned(), json!(held));
            }
            "Released" => {
                held.retain(|held| Some(held.as_str()) != key);
                state.insert("keys".to_owned(), json!(held));
            }
            _ => return Ok(Evolution::Unknown),
        }
        Ok(Evolution::Applied)
    }

    fn decide(&self, state: &State, command: &Command) -> Result<Vec<NewEvent>, Rejection> {
        let is_open = state.get("open") == Some(&json!(true));
        let held = keys(state);
        let given = |name: &str| command.payload.get(name).and_then(Value::as_str);
        let event = |kind: &str, data: Value| NewEvent::new(kind, data);
        let refuse = |rule: &str| Err(Rejection::new(rule, format!("refused by {rule}")));
        let actor = command.actor.as_deref();
        match (self.0, command.command_type.as_str()) {
            (Planted::NoClosing, "Close") if is_open && actor == Some("actor1") => {
                return refuse("actor.not_allowed");
            }
            (Planted::TakesClosed, "Take") if !is_open => {
                return Ok(vec![event("Taken", json!({"key": given("key")}))]);
            }
            (Planted::Doubles, "Increment") if is_open => {
                let to = |n: u64| event("Incremented", json!({"to": number(state) + n}));
                return Ok(vec![to(1), to(2)]);
            }
            (Planted::Renamed, "Open") if is_open => return refuse("box.open_already"),
            _ => {}
        }
        match command.command_type.as_str() {
            "Open" if is_open => refuse("box.open"),
            "Open" => Ok(vec![event("Opened", json!({}))]),
            _ if !is_open => refuse("box.closed"),
            "Close" => Ok(vec![event("Closed", json!({"by": command.actor}))]),
            "Increment" => Ok(vec![event("Incremented", json!({"to": number(state) + 1}))]),
            "IncrementIfOdd" if number(state).is_multiple_of(2) => Ok(Vec::new()),
            "IncrementIfOdd" => Ok(vec![event("Incremented", json!({"to": number(state) + 1}))]),
            "Take" => {
                let key = given("key").unwrap_or_default();
                if held.iter().any(|held| held == key) {
                    return refuse("key.own");
                }
                Ok(vec![event("Taken", json!({"key": key}))])
            }
            "Swap" => {
                let key = given("key").unwrap_or_default();
                let Some(old) = held.first() else {
                    return refuse("box.empty");
                };
                Ok(vec![
                    event("Released", json!({"key": old})),
                    event("Taken", json!({"key": key})),
                ])
            }
            "TakeTwo" => Ok(vec![
                event("Taken", json!({"key": given("key")})),
                event("Taken", json!({"key": given("other")})),
            ]),
            _ => refuse("command.unknown"),
        }
    }
}

fn unique_keys(state: &State) -> Vec<UniqueKey> {
    let keys = keys(state);
    keys.iter()
        .map(|key| UniqueKey::caseless("key", key))
        .collect()
}

pub(super) const COMMANDS: [&str; 7] = [
    "Open",
    "Close",
    "Increment",
    "IncrementIfOdd",
    "Take",
    "Swap",
    "TakeTwo",
];

pub(super) fn models() -> Models {
    models_with(Planted::Nothing)
}

/// The model with planted rules, of which its rules hash tells.
pub(super) fn models_with(planted: Planted) -> Models {
    let events = ["Opened", "Closed", "Incremented", "Taken", "Released"];
    let commands = COMMANDS.map(|name| CommandSpec {
        name: name.to_owned(),
        description: String::new(),
        schema: json!({"type": "object"}),
        reason_required: false,
    });
    let spec = ModelSpec {
        name: "boxes".to_owned(),
        category: Some("box".to_owned()),
        description: String::new(),
        version: format!("1 {planted:?}"),
        commands: commands.to_vec(),
        events: events.map(|name| (name.to_owned(), 1)).into(),
        upcasters: Vec::new(),
        secret_fields: Vec::new(),
        plaintext_fields: Vec::new(),
        title: None,
        status: None,
        unique_keys: Some(unique_keys),
        indexed: Vec::new(),
    };
    Models::new([Model::new(spec, Arc::new(Boxes(planted)), None).unwrap()]).unwrap()
}
