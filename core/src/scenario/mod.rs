//! Scenarios: a what-if with what is expected of its answer, kept as a file and checked again and again.
//!
//! Owns the file's form (TOML: `parse` reads it, `write` writes it) and the judgement of an answer (`judge`). Never asks a daemon
//! and never reads a file: what is to be asked goes out as a [`WhatIfIn`], and the answer comes in. `docs/SCENARIOS.md` is the manual.

mod from;
mod judge;
mod parse;
mod toml_value;
mod write;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::api::what_if::{Action, Causes, Continuation, DecisionRef, Edit, StepOutcome, WhatIfIn};
use crate::ids::{Position, Revision, StreamName};
use crate::pointer::Pointer;
use crate::predicate::Predicate;
use crate::time::Timestamp;

pub use self::from::again;
pub use judge::{Finding, is_step};

/// Largest scenario file, in bytes.
pub const SCENARIO_BYTES_MAX: usize = 1024 * 1024;

/// A what-if, and what is expected of its answer.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What it says, in a sentence.
    pub name: String,
    /// Where the history comes from; where the caller says when absent.
    pub history: Option<History>,
    /// The stream.
    pub stream: StreamName,
    /// The moment it begins at.
    pub base: Base,
    /// Whether passwords that commands give are right.
    pub password_correct: Option<bool>,
    /// What is changed and what happens, in order.
    pub when: Vec<When>,
    /// What becomes of the history after the base.
    pub continuation: Continuation,
    /// What becomes of commands whose direct cause is gone.
    pub causes: Causes,
    /// What is expected of the end.
    pub then: Then,
}

/// The history of a scenario that brings its own.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Where its events come from.
    pub source: Source,
    /// The models that fold and decide, by name.
    pub models: Vec<String>,
}

/// Where the events of a scenario come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A data folder or an export: a path, from the scenario's own folder.
    Path(String),
    /// They stand in the file: records as `import` takes them.
    Events(Vec<Value>),
}

/// The moment a scenario begins at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The stream's head, wherever that is.
    Head,
    /// After this revision of the stream.
    Revision(Revision),
    /// At this time.
    AsOf(Timestamp),
    /// After this position of the log.
    Position(Position),
    /// Just before this decision.
    Decision(DecisionRef),
}

/// Something that is changed or happens, and what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// A change to the recorded history.
    Edit(Box<Edit>),
    /// A command or an event at the base.
    Action {
        /// What happens.
        action: Box<Action>,
        /// What is expected of it.
        expected: Expected,
    },
}

/// What is expected of a command or an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// How it ends.
    pub outcome: Option<StepOutcome>,
    /// The rule that refuses it.
    pub rule: Option<String>,
    /// The types of the events that it leads to, in order.
    pub events: Option<Vec<String>>,
}

impl Expected {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is expected of the end.
#[derive(Debug, Clone, Default)]
pub struct Then {
    /// Values of the state.
    pub state: Vec<(Pointer, Value)>,
    /// What the state does not have.
    pub absent: Vec<Pointer>,
    /// Conditions on the state.
    pub holds: Vec<Predicate>,
    /// Exactly what differs from the state that was.
    pub differs: Option<Vec<Pointer>>,
    /// How many events the stream has.
    pub revision: Option<Revision>,
    /// Where it first differs from what happened; `Some(None)`: nowhere.
    pub first_divergence: Option<Option<Revision>>,
    /// Exactly the recorded commands whose decision differs, in words: `ChangeEmail of user-1: accepted`.
    pub flips: Option<Vec<String>>,
}

impl Then {
    fn is_empty(&self) -> bool {
        self.state.is_empty()
            && self.absent.is_empty()
            && self.holds.is_empty()
            && self.differs.is_none()
            && self.revision.is_none()
            && self.first_divergence.is_none()
            && self.flips.is_none()
    }
}

/// What is wrong with a scenario file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {}{message}", prefix(key))]
pub struct ScenarioError {
    /// The line, from 1.
    pub line: usize,
    /// The key, such as `when[2].command`; empty when the text is not TOML.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

fn prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("`{key}`: ")
    }
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// The first mistake, with its line. A scenario that expects nothing is one: it would always pass.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        parse::scenario(text)
    }

    /// The what-if that it asks.
    pub fn asked(&self) -> WhatIfIn {
        let mut asked = WhatIfIn::new(self.stream.clone());
        match &self.base {
            Base::Head => {}
            Base::Revision(revision) => asked.at_revision = Some(*revision),
            Base::AsOf(time) => asked.as_of = Some(*time),
            Base::Position(position) => asked.at_position = Some(*position),
            Base::Decision(decision) => asked.at_decision = Some(decision.clone()),
        }
        asked.password_correct = self.password_correct;
        asked.continuation = self.continuation;
        asked.causes = self.causes;
        for when in &self.when {
            match when {
                When::Edit(edit) => asked.edits.push(Edit::clone(edit)),
                When::Action { action, .. } => asked.actions.push(Action::clone(action)),
            }
        }
        asked
    }

    /// The first field of these names, at any depth, of what a command or an event says: for a caller who must not write
    /// secrets into a file.
    pub fn field_among(&self, names: &[String]) -> Option<String> {
        self.when.iter().find_map(|when| match when {
            When::Edit(edit) => in_edit(edit, names),
            When::Action { action, .. } => match &**action {
                Action::Command(command) => among(&Value::Object(command.payload.clone()), names),
                Action::Event(event) => among(&event.data.to_value(), names),
            },
        })
    }

    /// Whether anything is expected at all.
    pub fn expects(&self) -> bool {
        !self.then.is_empty()
            || self
                .when
                .iter()
                .any(|when| matches!(when, When::Action { expected, .. } if !expected.is_empty()))
    }
}

fn in_edit(edit: &Edit, names: &[String]) -> Option<String> {
    match edit {
        Edit::Replace(edit) => among(&edit.data.to_value(), names),
        Edit::Insert(edit) => among(&edit.data.to_value(), names),
        Edit::ReplaceCommand(edit) => among(&Value::Object(edit.payload.clone()?), names),
        Edit::InsertCommand(edit) => among(&Value::Object(edit.command.payload.clone()), names),
        Edit::Drop(_)
        | Edit::Change(_)
        | Edit::Move(_)
        | Edit::DropCommand(_)
        | Edit::MoveCommand(_) => None,
    }
}

fn among(value: &Value, names: &[String]) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            if names.contains(key) {
                return Some(key.clone());
            }
            among(value, names)
        }),
        Value::Array(items) => items.iter().find_map(|item| among(item, names)),
        _ => None,
    }
}
