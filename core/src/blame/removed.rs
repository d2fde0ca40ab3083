//! Removed fields: what a state had and has no longer.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diff::{DiffEntry, DiffOp};
use crate::ids::Revision;
use crate::json::pointer_token;
use crate::weight::of_value;

/// Removed fields that are kept; of more, those that went first are only counted.
pub const REMOVED_MAX: usize = 10_000;
/// Weight of their values.
const REMOVED_WEIGHT_MAX: usize = 8 << 20;

/// A field that is no longer there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemovedField {
    /// Its JSON Pointer when it was removed. An index in it is that of then.
    pub path: String,
    /// The path for a reader, where it leads through lists whose elements have an identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its last value.
    pub value: Value,
    /// The revision that had set it.
    pub set_by: Revision,
    /// The revision that removed it.
    pub removed_by: Revision,
}

/// What was removed and not set again since.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RemovedFields {
    /// By path as a reader sees it.
    kept: BTreeMap<String, RemovedField>,
    /// In the order in which they went.
    order: VecDeque<(String, Revision)>,
    weight: usize,
    dropped: u64,
}

impl RemovedFields {
    /// Those that are kept, by path.
    pub fn iter(&self) -> impl Iterator<Item = &RemovedField> {
        self.kept.values()
    }

    /// How many more there were that are no longer kept.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Takes note of a difference. `set_by` says what set a part of the value that was there before.
    pub(super) fn observe(
        &mut self,
        revision: Revision,
        entry: &DiffEntry,
        is_element: bool,
        set_by: impl Fn(&[String]) -> Revision,
    ) {
        let name = entry.label.as_ref().unwrap_or(&entry.path);
        // An element without an identity never comes back: another at its place is another.
        let unnamed = is_element && !name.ends_with(']');
        if let Some(before) = &entry.before
            && entry.op != DiffOp::Add
        {
            let is_gone = entry.op == DiffOp::Remove;
            let mut leaves = Vec::new();
            fields(before, &mut Vec::new(), &mut |below, value| {
                if is_gone || !below.is_empty() {
                    leaves.push((below.to_vec(), value.clone()));
                }
            });
            for (below, value) in leaves {
                let rest = below
                    .iter()
                    .map(|token| format!("/{}", pointer_token(token)));
                let rest: String = rest.collect();
                let field = RemovedField {
                    path: format!("{}{rest}", entry.path),
                    label: entry.label.as_ref().map(|label| format!("{label}{rest}")),
                    value,
                    set_by: set_by(&below),
                    removed_by: revision,
                };
                let place = if unnamed {
                    format!("@{revision}")
                } else {
                    String::new()
                };
                let key = format!("{name}{rest}{place}");
                self.keep(&key, field);
            }
        }
        if let Some(after) = &entry.after {
            self.forget(name, after);
        }
    }

    fn keep(&mut self, key: &str, field: RemovedField) {
        self.weight += weight(key, &field);
        self.order.push_back((key.to_owned(), field.removed_by));
        if let Some(old) = self.kept.insert(key.to_owned(), field) {
            self.weight -= weight(key, &old);
        }
        while self.kept.len() > REMOVED_MAX || self.weight > REMOVED_WEIGHT_MAX {
            let Some((oldest, removed_by)) = self.order.pop_front() else {
                break;
            };
            let is_it = |field: &RemovedField| field.removed_by == removed_by;
            if self.kept.get(&oldest).is_some_and(is_it) {
                self.take_out(&oldest);
                self.dropped += 1;
            }
        }
        if self.order.len() > 2 * REMOVED_MAX {
            let kept = &self.kept;
            self.order
                .retain(|(key, by)| kept.get(key).is_some_and(|field| field.removed_by == *by));
        }
    }

    fn take_out(&mut self, key: &str) {
        if let Some(old) = self.kept.remove(key) {
            self.weight -= weight(key, &old);
        }
    }

    /// What is there again, at a path and below.
    fn forget(&mut self, path: &str, value: &Value) {
        if self.kept.is_empty() {
            return;
        }
        self.take_out(path);
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    self.forget(&format!("{path}/{}", pointer_token(key)), inner);
                }
            }
            Value::Array(items) => {
                for (index, inner) in items.iter().enumerate() {
                    self.forget(&format!("{path}/{index}"), inner);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn weight(key: &str, field: &RemovedField) -> usize {
    let texts = 2 * key.len() + field.path.len() + field.label.as_ref().map_or(0, String::len);
    size_of::<RemovedField>() + texts + of_value(&field.value)
}

/// Hands each field of a value to `each`, with its path below.
fn fields(value: &Value, path: &mut Vec<String>, each: &mut impl FnMut(&[String], &Value)) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, inner) in map {
                path.push(key.clone());
                fields(inner, path, each);
                path.pop();
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, inner) in items.iter().enumerate() {
                path.push(index.to_string());
                fields(inner, path, each);
                path.pop();
            }
        }
        field => each(path, field),
    }
}
