//! Scopes: what a predicate is evaluated over.

use std::cell::OnceCell;

use serde_json::Value;

use crate::command::Decision;
use crate::event::Event;
use crate::json::State;
use crate::model::Model;

/// A state and what led to it. What is not given is undefined to a predicate that asks for it.
#[derive(Debug)]
pub struct Scope<'a> {
    pub(super) state: &'a State,
    pub(super) before: Option<&'a State>,
    pub(super) event: Option<&'a Event>,
    pub(super) decision: Option<&'a Decision>,
    /// Whose secrets are hidden.
    secrets: Option<&'a Model>,
    event_data: OnceCell<Value>,
    event_metadata: OnceCell<Value>,
    payload: OnceCell<Value>,
}

impl<'a> Scope<'a> {
    /// A state by itself. A secret field of the model reads as its mark, as it does wherever it is shown.
    pub fn new(model: &'a Model, state: &'a State) -> Self {
        Self {
            state,
            before: None,
            event: None,
            decision: None,
            secrets: Some(model).filter(|model| model.has_secrets()),
            event_data: OnceCell::new(),
            event_metadata: OnceCell::new(),
            payload: OnceCell::new(),
        }
    }

    /// The same, with the event that led to the state.
    #[must_use]
    pub fn with_event(mut self, event: Option<&'a Event>) -> Self {
        self.event = event;
        self.event_data = OnceCell::new();
        self.event_metadata = OnceCell::new();
        self
    }

    /// The same, with the state before that event, or the part of it that the predicate needs: see [`super::Before`].
    #[must_use]
    pub fn with_before(mut self, before: Option<&'a State>) -> Self {
        self.before = before;
        self
    }

    /// The same, with the decision.
    #[must_use]
    pub fn with_decision(mut self, decision: Option<&'a Decision>) -> Self {
        self.decision = decision;
        self.payload = OnceCell::new();
        self
    }

    /// Whether a field of this name is a secret.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        self.secrets.is_some_and(|model| model.is_secret(name))
    }

    pub(super) fn event_data(&self, event: &Event) -> &Value {
        self.event_data.get_or_init(|| event.data.to_value())
    }

    pub(super) fn event_metadata(&self, event: &Event) -> &Value {
        let metadata = event.metadata.as_ref();
        self.event_metadata
            .get_or_init(|| metadata.map_or(Value::Null, crate::json::Json::to_value))
    }

    pub(super) fn payload(&self, decision: &Decision) -> &Value {
        self.payload.get_or_init(|| decision.payload.to_value())
    }
}
