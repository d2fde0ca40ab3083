//! Models: a decider with what surrounds it for one category.
//!
//! Owns the description (commands with their JSON Schema, upcasters, secret fields, unique keys), the rules hash, and
//! the choice of the model for a category. Never decides or folds by itself.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::decider::{Decider, Prepare};
use crate::json::{Json, State, at};
use crate::keys::UniqueKey;
use crate::payload::{FieldError, PayloadSchema};

mod choice;
mod rules;

pub use choice::Models;
pub use rules::{OtherRules, RulesError};

/// What a command looks like.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandSpec {
    /// Its type, in the imperative.
    pub name: String,
    /// What it does, in one sentence.
    pub description: String,
    /// JSON Schema (2020-12) of its payload. Says what is well formed; what is allowed is the rules' business. Forms are
    /// drawn from it: `title`, `description`, `format`, `writeOnly` (a secret), and `x-rule` (what the rules will ask).
    pub schema: Value,
    /// Whether the rules ask for a reason.
    pub reason_required: bool,
}

/// Turns an event's payload of one schema version into the next, possibly under another type.
#[derive(Clone)]
pub struct Upcaster {
    /// The event type it applies to.
    pub event_type: String,
    /// The schema version it reads.
    pub from: u32,
    /// The change: the new event type, its schema version, and payload.
    pub upcast: fn(&Map<String, Value>) -> Result<Upcast, String>,
}

/// A payload in a newer shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Upcast {
    /// The event type it has become.
    pub event_type: String,
    /// The schema version it has become.
    pub schema_version: u32,
    /// The payload in that shape.
    pub data: Map<String, Value>,
}

/// What a model says about itself.
#[derive(Clone)]
pub struct ModelSpec {
    /// Its name, by which a daemon is asked to use it.
    pub name: String,
    /// The category it is for; `None` for the one that folds every category without a model.
    pub category: Option<String>,
    /// What it models, in one sentence.
    pub description: String,
    /// Names the rules; changes whenever they do. Hashed into the rules hash.
    pub version: String,
    /// The commands it knows.
    pub commands: Vec<CommandSpec>,
    /// The event types it knows, with their current schema version.
    pub events: BTreeMap<String, u32>,
    /// Bring old payloads to the current shape.
    pub upcasters: Vec<Upcaster>,
    /// Names of fields that hold secrets, at any depth of a state, of an event's data and metadata, and of a prepared
    /// command's payload. An event may set one or take it away; what it does to the rest of the state must not depend on
    /// one: read models go on from states without secrets.
    pub secret_fields: Vec<String>,
    /// Names of fields that only ever hold plaintext secrets: an event that has one anywhere is refused.
    pub plaintext_fields: Vec<String>,
    /// JSON Pointer of the state's field that names a stream in lists.
    pub title: Option<String>,
    /// JSON Pointer of the state's field that says how it stands (`active`, `deleted`).
    pub status: Option<String>,
    /// The keys a state holds; no two streams may hold the same. `None` for a model that knows no such keys, whose
    /// appends then need no state.
    pub unique_keys: Option<fn(&State) -> Vec<UniqueKey>>,
    /// Fields whose values are indexed, so that a search for one need not read the log: `state.email`, `event.data.email`.
    /// They have no part in the rules hash: no state depends on them.
    pub indexed: Vec<String>,
}

/// Why a description makes no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A command's schema is no JSON Schema.
    #[error("model `{model}`: the schema of `{command}` is wrong: {reason}")]
    Schema {
        /// The model.
        model: String,
        /// The command.
        command: String,
        /// What is wrong.
        reason: String,
    },
    /// Two commands have the same name.
    #[error("model `{model}` has two commands `{command}`")]
    CommandTwice {
        /// The model.
        model: String,
        /// The command.
        command: String,
    },
    /// Two models are for the same category.
    #[error("models `{first}` and `{second}` are both for category `{category}`")]
    CategoryTwice {
        /// The category.
        category: String,
        /// One model.
        first: String,
        /// The other.
        second: String,
    },
}

/// A decider with what surrounds it for one category.
#[derive(Clone)]
pub struct Model {
    spec: Arc<ModelSpec>,
    decider: Arc<dyn Decider>,
    prepare: Option<Arc<dyn Prepare>>,
    other_rules: Option<Arc<dyn OtherRules>>,
    /// Of `spec.commands`, in that order.
    payloads: Arc<[PayloadSchema]>,
    rules_hash: Arc<str>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Model({} {})", self.name(), self.rules_hash)
    }
}

impl Model {
    /// Puts a model together, and compiles its commands' schemas.
    ///
    /// # Errors
    /// When a schema is none, or when two commands have the same name.
    pub fn new(
        spec: ModelSpec,
        decider: Arc<dyn Decider>,
        prepare: Option<Arc<dyn Prepare>>,
    ) -> Result<Self, ModelError> {
        let mut payloads = Vec::with_capacity(spec.commands.len());
        for (index, command) in spec.commands.iter().enumerate() {
            if spec
                .commands
                .iter()
                .take(index)
                .any(|c| c.name == command.name)
            {
                return Err(ModelError::CommandTwice {
                    model: spec.name,
                    command: command.name.clone(),
                });
            }
            match PayloadSchema::compile(&command.schema) {
                Ok(schema) => payloads.push(schema),
                Err(reason) => {
                    return Err(ModelError::Schema {
                        command: command.name.clone(),
                        model: spec.name,
                        reason,
                    });
                }
            }
        }
        Ok(Self::assemble(spec, decider, prepare, payloads))
    }

    /// A model without commands, which cannot be wrong.
    pub(crate) fn without_commands(mut spec: ModelSpec, decider: Arc<dyn Decider>) -> Self {
        spec.commands.clear();
        Self::assemble(spec, decider, None, Vec::new())
    }

    fn assemble(
        spec: ModelSpec,
        decider: Arc<dyn Decider>,
        prepare: Option<Arc<dyn Prepare>>,
        payloads: Vec<PayloadSchema>,
    ) -> Self {
        let rules_hash = rules_hash(&spec).into();
        Self {
            spec: Arc::new(spec),
            decider,
            prepare,
            other_rules: None,
            payloads: payloads.into(),
            rules_hash,
        }
    }

    /// The same, where parameters of its rules can be changed.
    #[must_use]
    pub fn taking_rules(mut self, other_rules: Arc<dyn OtherRules>) -> Self {
        self.other_rules = Some(other_rules);
        self
    }

    /// Whether parameters of its rules can be changed.
    pub fn takes_rules(&self) -> bool {
        self.other_rules.is_some()
    }

    /// The model with other parameters.
    ///
    /// # Errors
    /// Which parameter does not fit, or that it takes none.
    pub fn with_rules(&self, parameters: &Map<String, Value>) -> Result<Self, RulesError> {
        match &self.other_rules {
            Some(other_rules) => other_rules.with_rules(parameters),
            None => Err(RulesError::new(
                "/model",
                "names a model whose rules take no parameters",
            )),
        }
    }

    /// What it says about itself.
    pub fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// Its name, such as `users`, or `merge` for the one that folds every category without a model.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Whether there are commands that can be run on its streams.
    pub fn has_commands(&self) -> bool {
        !self.spec.commands.is_empty()
    }

    /// Whether its states can hold unique keys, so that a raw append must be folded to find them.
    pub fn has_unique_keys(&self) -> bool {
        self.spec.unique_keys.is_some()
    }

    /// Whether the store keeps something that is derived from states: unique keys, a title, a status.
    pub fn derives_from_states(&self) -> bool {
        self.has_unique_keys() || self.spec.title.is_some() || self.spec.status.is_some()
    }

    /// The domain logic.
    pub fn decider(&self) -> &dyn Decider {
        self.decider.as_ref()
    }

    /// The step before `decide`, if its commands need one.
    pub fn prepare(&self) -> Option<&dyn Prepare> {
        self.prepare.as_deref()
    }

    /// Content hash of the rules: snapshots and decisions carry it. 16 hexadecimal digits.
    pub fn rules_hash(&self) -> &str {
        &self.rules_hash
    }

    /// The command of this type.
    pub fn command(&self, name: &str) -> Option<&CommandSpec> {
        self.spec
            .commands
            .iter()
            .find(|command| command.name == name)
    }

    /// What is malformed in the payload of a command of this type, by field; `None` when there is no such command.
    pub fn check_payload(
        &self,
        command: &str,
        payload: &Map<String, Value>,
    ) -> Option<Vec<FieldError>> {
        let index = self.spec.commands.iter().position(|c| c.name == command)?;
        Some(self.payloads.get(index)?.check(payload))
    }

    /// The keys a state holds.
    pub fn unique_keys(&self, state: &State) -> Vec<UniqueKey> {
        self.spec
            .unique_keys
            .map_or_else(Vec::new, |unique_keys| unique_keys(state))
    }

    /// The current schema version of an event type; 1 for an unknown one.
    pub fn schema_version(&self, event_type: &str) -> u32 {
        self.spec.events.get(event_type).copied().unwrap_or(1)
    }

    /// How lists name a stream in this state.
    pub fn title(&self, state: &State) -> Option<String> {
        text_at(state, self.spec.title.as_deref()?)
    }

    /// How a stream in this state stands.
    pub fn status(&self, state: &State) -> Option<String> {
        text_at(state, self.spec.status.as_deref()?)
    }

    /// Whether a field of this name holds a secret, wherever it stands.
    pub fn is_secret(&self, name: &str) -> bool {
        let is = |known: &String| known == name;
        self.spec.secret_fields.iter().any(is) || self.spec.plaintext_fields.iter().any(is)
    }

    /// Whether there is anything to take out of what is shown.
    pub fn has_secrets(&self) -> bool {
        !self.spec.secret_fields.is_empty() || !self.spec.plaintext_fields.is_empty()
    }

    /// Whether a plaintext secret's name may stand in a payload: written out, or hidden in escapes.
    pub fn may_hold_plaintext(&self, json: &Json) -> bool {
        let (text, names) = (json.as_str(), &self.spec.plaintext_fields);
        let stands = |name: &String| text.contains(name.as_str());
        !names.is_empty() && (text.contains('\\') || names.iter().any(stands))
    }

    /// The first field of a raw event's payload (or metadata) that would put a plaintext secret into the log, as a JSON
    /// Pointer.
    pub fn plaintext_field(&self, value: &Value) -> Option<String> {
        fn find(value: &Value, names: &[String], path: &str) -> Option<String> {
            match value {
                Value::Object(map) => map.iter().find_map(|(key, inner)| {
                    let path = format!("{path}/{}", crate::json::pointer_token(key));
                    if names.contains(key) {
                        Some(path)
                    } else {
                        find(inner, names, &path)
                    }
                }),
                Value::Array(items) => items
                    .iter()
                    .enumerate()
                    .find_map(|(index, inner)| find(inner, names, &format!("{path}/{index}"))),
                _ => None,
            }
        }
        find(value, &self.spec.plaintext_fields, "")
    }
}

fn text_at(state: &State, pointer: &str) -> Option<String> {
    match at(state, pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

fn rules_hash(spec: &ModelSpec) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(spec.category.as_deref().unwrap_or_default());
    part(&spec.version);
    for command in &spec.commands {
        part(&command.name);
        part(&command.schema.to_string());
    }
    for (event_type, version) in &spec.events {
        part(event_type);
        part(&version.to_string());
    }
    for upcaster in &spec.upcasters {
        part(&upcaster.event_type);
        part(&upcaster.from.to_string());
    }
    for name in spec.secret_fields.iter().chain(&spec.plaintext_fields) {
        part(name);
    }
    let mut hex = String::with_capacity(16);
    for byte in hash.finalize().iter().take(8) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
