//! Blame: for each field of a state, the event that last set it.
//!
//! Owns the rule. A field is set by the last event that changed it, by the differences of states (see [`crate::diff`]): an
//! event that writes the value that is there already changes nothing. What is below a value that came as a whole is set by the
//! event that it came with. Elements of lists are followed by identity or content as differences are, so that an element
//! keeps its blame when others come before it. An object or list that lost its last element was set by the event that took it.
//!
//! Blame goes along with a fold: of each event it is told the differences, never the whole state.

mod history;
mod marks;
mod necessity;
mod path;
mod refused;
mod removed;
mod why;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diff::{DiffEntry, DiffOp, identity_field, identity_label};
use crate::event::Event;
use crate::fold::{Change, Folded};
use crate::ids::Revision;
use crate::json::{State, pointer_token};
use crate::model::Model;
use crate::pointer::{Pointer, step};
pub use history::{FieldChange, FieldHistory};
use marks::Mark;
pub use necessity::{Necessity, Refold};
pub use path::FieldPath;
pub use refused::{REFUSED_NAMED_MAX, Refusals};
pub use removed::{REMOVED_MAX, RemovedField, RemovedFields};
pub use why::{Causes, Chain, ChainEnd, HOPS_MAX, Hop, Link, why};

/// A field and what set it. A field is a value that holds no others: no object or list, unless it is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct BlamedField<'a> {
    /// Its JSON Pointer.
    pub path: &'a str,
    /// The path for a reader, where it leads through lists whose elements have an identity: `/lines[id=7]/price`.
    pub label: Option<&'a str>,
    /// Its value.
    pub value: &'a Value,
    /// The revision that last set it; 0 for what the model's initial state has.
    pub set_by: Revision,
}

/// What set each field of a state that is being folded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blame {
    root: Mark,
    removed: Option<RemovedFields>,
}

impl Default for Blame {
    fn default() -> Self {
        Self::start()
    }
}

impl Blame {
    /// Blame of the initial state.
    pub fn start() -> Self {
        Self {
            root: Mark::new(Revision::ZERO),
            removed: None,
        }
    }

    /// The same, which also keeps what was removed.
    pub fn start_with_removed() -> Self {
        Self {
            removed: Some(RemovedFields::default()),
            ..Self::start()
        }
    }

    /// Moves a state past an event, and goes along.
    pub fn push(&mut self, model: &Model, folded: &mut Folded, event: &Event) -> Change {
        let change = folded.push_with_diff(model, event);
        self.observe(event.revision, &change.diff, &folded.state);
        change
    }

    /// Takes note of what an event changed; `after` is the state after it.
    pub fn observe(&mut self, revision: Revision, diff: &[DiffEntry], after: &State) {
        let mut emptied = false;
        for entry in diff {
            let Ok(path) = entry.path.parse::<Pointer>() else {
                continue;
            };
            let Some((last, inner)) = path.tokens().split_last() else {
                continue;
            };
            let is_list = is_list(inner, after);
            if let Some(removed) = &mut self.removed {
                let set_by = |below: &[String]| self.root.set_by(path.tokens().iter().chain(below));
                removed.observe(revision, entry, is_list, set_by);
            }
            let parent = self.root.descend(inner, after);
            match entry.op {
                DiffOp::Remove => {
                    parent.remove(last, is_list);
                    emptied = true;
                }
                DiffOp::Add => parent.add(last, is_list, revision),
                DiffOp::Replace => parent.replace(last, is_list, revision),
            }
        }
        if emptied {
            self.mark_emptied(revision, diff, after);
        }
    }

    /// What lost its last element was set by the event that took it.
    fn mark_emptied(&mut self, revision: Revision, diff: &[DiffEntry], after: &State) {
        for entry in diff.iter().filter(|entry| entry.op == DiffOp::Remove) {
            let Some((parent, _)) = entry.path.rsplit_once('/') else {
                continue;
            };
            let Ok(parent) = parent.parse::<Pointer>() else {
                continue;
            };
            if parent.lookup(after).is_some_and(is_empty) {
                *self.root.descend(parent.tokens(), after) = Mark::new(revision);
            }
        }
    }

    /// Hands each field of the state at or below a path to `each`, in the state's order, until it breaks off. `state` is the
    /// one that this blame went along with. Returns whether there is anything at that path.
    pub fn for_each_field(
        &self,
        state: &State,
        under: &Pointer,
        each: &mut dyn FnMut(BlamedField<'_>) -> ControlFlow<()>,
    ) -> bool {
        let mut walk = Walk {
            path: String::new(),
            label: String::new(),
            identities: 0,
            each,
        };
        let Some((first, rest)) = under.tokens().split_first() else {
            let _ = walk.fields(state, &self.root, self.root.by());
            return true;
        };
        let mut at = state.get(first);
        let (mut mark, mut by) = (self.root.below(first, false), self.root.by());
        walk.key(first);
        for token in rest {
            by = mark.map_or(by, Mark::by);
            let Some(inner) = at else { return false };
            mark = mark.and_then(|mark| mark.below(token, inner.is_array()));
            walk.token_of(inner, token);
            at = step(inner, token);
        }
        let Some(value) = at else { return false };
        let _ = walk.value(value, mark, by);
        true
    }

    /// What was removed and not set again since; `None` where that was not kept.
    pub fn removed(&self) -> Option<&RemovedFields> {
        self.removed.as_ref()
    }
}

/// Whether a path leads to a list.
fn is_list(path: &[String], state: &State) -> bool {
    let found = Pointer::new(path.to_vec());
    found.lookup(state).is_some_and(Value::is_array)
}

/// Whether a value is an object or list without anything in it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Where a walk over the fields is.
struct Walk<'a> {
    path: String,
    label: String,
    /// How many lists by identity the path leads through.
    identities: usize,
    each: &'a mut dyn FnMut(BlamedField<'_>) -> ControlFlow<()>,
}

impl Walk<'_> {
    fn key(&mut self, key: &str) {
        let token = pointer_token(key);
        for text in [&mut self.path, &mut self.label] {
            text.push('/');
            text.push_str(&token);
        }
    }

    fn element(&mut self, index: usize, element: &Value, identity: Option<&'static str>) {
        let token = format!("/{index}");
        self.path.push_str(&token);
        let named = identity.and_then(|field| Some((field, identity_label(element, field)?)));
        match named {
            None => self.label.push_str(&token),
            Some((field, id)) => {
                self.identities += 1;
                self.label.push_str(&["[", field, "=", &id, "]"].concat());
            }
        }
    }

    /// One token of a path that leads to where the walk begins.
    fn token_of(&mut self, value: &Value, token: &str) {
        match value {
            Value::Array(items) => {
                let index = crate::pointer::index(token);
                match index.and_then(|index| Some((index, items.get(index)?))) {
                    Some((index, element)) => self.element(index, element, identity_field(items)),
                    None => self.key(token),
                }
            }
            _ => self.key(token),
        }
    }

    fn value(
        &mut self,
        value: &Value,
        mark: Option<&Mark>,
        inherited: Revision,
    ) -> ControlFlow<()> {
        let by = mark.map_or(inherited, Mark::by);
        match value {
            Value::Object(map) if !map.is_empty() => match mark {
                Some(mark) => self.fields(map, mark, by),
                None => self.fields(map, &Mark::new(by), by),
            },
            Value::Array(items) if !items.is_empty() => {
                let identity = identity_field(items);
                for (index, element) in items.iter().enumerate() {
                    let saved = (self.path.len(), self.label.len(), self.identities);
                    self.element(index, element, identity);
                    let below = mark.and_then(|mark| mark.element(index));
                    self.value(element, below, by)?;
                    self.back_to(saved);
                }
                ControlFlow::Continue(())
            }
            field => (self.each)(BlamedField {
                path: &self.path,
                label: (self.identities > 0).then_some(self.label.as_str()),
                value: field,
                set_by: by,
            }),
        }
    }

    fn fields(&mut self, map: &State, mark: &Mark, by: Revision) -> ControlFlow<()> {
        for (key, value) in map {
            let saved = (self.path.len(), self.label.len(), self.identities);
            self.key(key);
            self.value(value, mark.below(key, false), by)?;
            self.back_to(saved);
        }
        ControlFlow::Continue(())
    }

    fn back_to(&mut self, (path, label, identities): (usize, usize, usize)) {
        self.path.truncate(path);
        self.label.truncate(label);
        self.identities = identities;
    }
}

#[cfg(test)]
mod tests;
