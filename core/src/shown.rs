//! What may be shown: values without their secrets.
//!
//! Owns redaction and its mark. A model names its secret fields; they are taken out wherever a field of such a name stands,
//! at any depth, of data, metadata, payloads, states and diffs. [`Shown`] is made by [`Reveal::show`] alone. What is folded,
//! decided or stored never goes through here.

use std::ops::Deref;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::api::time_travel::{DiffOut, StateOut, Step};
use crate::api::what_if::WhatIfOut;
use crate::api::write::{AppendedOut, CommandAccepted};
use crate::command::Decision;
use crate::diff::{DiffEntry, IDENTITIES};
use crate::event::Event;
use crate::ids::StreamName;
use crate::json::{Json, State, Token, pointer_token};
use crate::model::{Model, Models};
use crate::stop::{Stop, Stopped};

mod event;
mod investigate;
mod payload;
mod value;

pub use event::ShownEvent;
use payload::redact_json;
pub use value::value;

/// What stands where a secret stands in the store. Never a plausible value; the list beside it says where it is ours.
pub const REDACTED: &str = "[redacted]";

/// A value as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Shown<T> {
    #[serde(flatten)]
    value: T,
    /// JSON Pointers, from the root of this object, of values replaced by a mark.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redacted: Vec<String>,
}

impl<T> Deref for Shown<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Shown<T> {
    /// JSON Pointers of the values that were replaced by a mark.
    pub fn redacted(&self) -> &[String] {
        &self.redacted
    }

    /// The value. It stays without its secrets, but its type no longer says so.
    pub fn into_inner(self) -> T {
        self.value
    }
}

/// Whether secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reveal(bool);

impl Reveal {
    /// Secrets stay hidden.
    pub const NO: Self = Self(false);

    /// Secrets are shown where a client asks for them; `note` leaves a trace of that.
    pub fn asked(reveal: bool, note: impl FnOnce()) -> Self {
        if reveal {
            note();
        }
        Self(reveal)
    }

    /// Whether secrets are shown.
    pub fn yes(self) -> bool {
        self.0
    }

    /// A value as it may be shown.
    pub fn show<T: Redact>(self, models: &Models, value: T) -> Shown<T> {
        self.redact(models, value, &Stop::new())
    }

    /// The same, unless it is stopped: for values that may be large.
    pub fn show_until<T: Redact>(
        self,
        models: &Models,
        value: T,
        stop: &Stop,
    ) -> Result<Shown<T>, Stopped> {
        let shown = self.redact(models, value, stop);
        // A token that is not set now was not set before: nothing was passed over.
        stop.check().map(|()| shown)
    }

    fn redact<T: Redact>(self, models: &Models, mut value: T, stop: &Stop) -> Shown<T> {
        let redacted = if self.0 {
            Vec::new()
        } else {
            let model = models.for_stream(value.stream()).clone();
            value.redact(&Redaction {
                model: &model,
                models: Some(models),
                stop: stop.clone(),
            })
        };
        Shown { value, redacted }
    }

    /// Values as they may be shown.
    pub fn show_all<T: Redact>(self, models: &Models, values: Vec<T>) -> Vec<Shown<T>> {
        values
            .into_iter()
            .map(|value| self.show(models, value))
            .collect()
    }
}

/// What is taken out of a value, and until when.
#[derive(Debug, Clone)]
pub struct Redaction<'a> {
    model: &'a Model,
    /// Of other streams that a value is of as well.
    models: Option<&'a Models>,
    stop: Stop,
}

impl<'a> Redaction<'a> {
    /// Redacts the secrets of a model, without a stop token of a caller.
    pub fn new(model: &'a Model) -> Self {
        Self {
            model,
            models: None,
            stop: Stop::new(),
        }
    }

    /// The same for a part of a value that is of another stream.
    fn for_stream(&self, stream: &StreamName) -> Self {
        Self {
            model: self
                .models
                .map_or(self.model, |models| models.for_stream(stream)),
            ..self.clone()
        }
    }
}

/// A value that may hold secrets of a category's model.
pub trait Redact {
    /// The stream it is of.
    fn stream(&self) -> &StreamName;

    /// Takes the secrets out. Returns where they were, as JSON Pointers from the value's root, unless the value has a place
    /// of its own for that. Once stopped, it need not go on: the value is not shown then.
    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String>;
}

impl Redact for Event {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        let mut found = redact_json(by.model, &mut self.data, "/data");
        if let Some(metadata) = &mut self.metadata {
            found.extend(redact_json(by.model, metadata, "/metadata"));
        }
        found
    }
}

impl Redact for Decision {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        redact_json(by.model, &mut self.payload, "/payload")
    }
}

impl Redact for StateOut {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        self.redacted = redact_state_by(by, &mut self.state);
        Vec::new()
    }
}

impl Redact for Step {
    fn stream(&self) -> &StreamName {
        &self.event.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        let mut found: Vec<_> = below("/event", self.event.redact(by)).collect();
        found.extend(below("/diff", redact_diff(by, &mut self.diff)));
        if let Some(upcast) = &mut self.upcast {
            found.extend(below("/upcast/data", redact_state_by(by, &mut upcast.data)));
        }
        found
    }
}

impl Redact for DiffOut {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        redact_diff(by, &mut self.diff);
        self.redacted = marked(&self.diff);
        Vec::new()
    }
}

/// The paths of differences in which a mark stands.
fn marked(diff: &[DiffEntry]) -> Vec<String> {
    let marked = diff.iter().filter(|entry| {
        let values = [&entry.before, &entry.after];
        values.into_iter().flatten().any(is_marked)
    });
    marked.map(|entry| entry.path.clone()).collect()
}

impl Redact for WhatIfOut {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        for step in &mut self.steps {
            let by = &by.for_stream(step.stream.as_ref().unwrap_or(&self.stream));
            redact_diff(by, &mut step.diff);
            for event in &mut step.events {
                event.redact(by);
            }
        }
        for worlds in self.redecided.iter_mut().flat_map(|out| &mut out.streams) {
            let by = &by.for_stream(&worlds.stream);
            redact_diff(by, &mut worlds.diff);
            redact_state_by(by, &mut worlds.state);
            redact_state_by(by, &mut worlds.actual);
        }
        redact_diff(by, &mut self.diff);
        self.redacted = redact_state_by(by, &mut self.state);
        for pointer in redact_state_by(by, &mut self.actual.state) {
            if !self.redacted.contains(&pointer) {
                self.redacted.push(pointer);
            }
        }
        Vec::new()
    }
}

impl Redact for CommandAccepted {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        redact_events(by, &mut self.events)
    }
}

impl Redact for AppendedOut {
    fn stream(&self) -> &StreamName {
        &self.stream
    }

    fn redact(&mut self, by: &Redaction<'_>) -> Vec<String> {
        redact_events(by, &mut self.events)
    }
}

fn redact_events(by: &Redaction<'_>, events: &mut [Event]) -> Vec<String> {
    let mut found = Vec::new();
    for (index, event) in events.iter_mut().enumerate() {
        found.extend(below(&format!("/events/{index}"), event.redact(by)));
    }
    found
}

fn below(prefix: &str, pointers: Vec<String>) -> impl Iterator<Item = String> {
    pointers
        .into_iter()
        .map(move |pointer| format!("{prefix}{pointer}"))
}

/// Takes the secrets out of a state; returns the JSON Pointers at which there was one.
///
/// `null` stays: that there is no value is no secret.
pub fn redact_state(model: &Model, state: &mut State) -> Vec<String> {
    redact_state_by(&Redaction::new(model), state)
}

fn redact_state_by(by: &Redaction<'_>, state: &mut State) -> Vec<String> {
    let mut found = Vec::new();
    if by.model.has_secrets() {
        in_object(by, state, &mut String::new(), &mut found);
    }
    found
}

/// Takes the secrets out of a diff of states: that a secret changed is shown, from what to what is not. Returns JSON
/// Pointers into the list.
pub(crate) fn redact_diff(by: &Redaction<'_>, diff: &mut [DiffEntry]) -> Vec<String> {
    let mut found = Vec::new();
    let model = by.model;
    if !model.has_secrets() {
        return found;
    }
    let tells = IDENTITIES.iter().any(|field| model.is_secret(field));
    for (index, entry) in diff.iter_mut().enumerate() {
        if tells {
            entry.label = None;
        }
        let secret = is_secret_path(model, &entry.path);
        let values = [("before", &mut entry.before), ("after", &mut entry.after)];
        for (name, value) in values {
            let Some(value) = value else { continue };
            let mut path = format!("/{index}/{name}");
            if secret {
                entry.note = None;
                mark(value, &path, &mut found);
            } else {
                in_value(by, value, &mut path, &mut found);
            }
        }
    }
    found
}

/// Whether a JSON Pointer leads to a secret or into one.
fn is_secret_path(model: &Model, path: &str) -> bool {
    path.split('/')
        .skip(1)
        .any(|token| model.is_secret(&token.replace("~1", "/").replace("~0", "~")))
}

/// Whether a mark stands in a payload, as a client sees it that was not told where.
pub fn has_mark(json: &Json) -> bool {
    json.tokens()
        .any(|token| matches!(token, Token::Text(text) if text.decoded() == REDACTED))
}

/// Whether a mark of ours stands in a value.
fn is_marked(value: &Value) -> bool {
    match value {
        Value::String(text) => text == REDACTED,
        Value::Array(items) => items.iter().any(is_marked),
        Value::Object(map) => map.values().any(is_marked),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn mark(value: &mut Value, path: &str, found: &mut Vec<String>) {
    if !value.is_null() {
        *value = Value::String(REDACTED.to_owned());
        found.push(path.to_owned());
    }
}

fn in_object(
    by: &Redaction<'_>,
    object: &mut Map<String, Value>,
    path: &mut String,
    found: &mut Vec<String>,
) {
    for (key, value) in object {
        if by.stop.is_set() {
            return;
        }
        let length = path.len();
        path.push('/');
        path.push_str(&pointer_token(key));
        if by.model.is_secret(key) {
            mark(value, path, found);
        } else {
            in_value(by, value, path, found);
        }
        path.truncate(length);
    }
}

fn in_value(by: &Redaction<'_>, value: &mut Value, path: &mut String, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => in_object(by, object, path, found),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                if by.stop.is_set() {
                    return;
                }
                let length = path.len();
                path.push('/');
                path.push_str(&index.to_string());
                in_value(by, item, path, found);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
