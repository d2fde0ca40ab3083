//! A state as a list of fields: what an event changed first, then the rest.
//!
//! Owns what is a row of a state, and in which order rows stand. A field is a value that holds no others; a list of plain values is
//! one field.

use serde_json::{Map, Value};
use whodunit_core::api::investigate::{BlameOut, BlamedFieldOut};
use whodunit_core::diff::{DiffEntry, DiffOp};
use whodunit_core::json::pointer_token;

/// Fields shown of a state at most: beyond, a person searches, not reads.
pub(crate) const ROWS_MAX: usize = 2_000;

/// A row of a state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field<'a> {
    /// JSON Pointer.
    pub(crate) path: String,
    /// The value; of a field that was removed, the one that it had.
    pub(crate) value: Option<&'a Value>,
    /// What the event changed in it, or above it.
    pub(crate) change: Option<&'a DiffEntry>,
}

impl Field<'_> {
    /// The path as people read it.
    pub(crate) fn name(&self) -> &str {
        let own = self.change.filter(|entry| entry.path == self.path);
        let path = own.and_then(|entry| entry.label.as_deref());
        let path = path.unwrap_or(&self.path);
        path.strip_prefix('/').unwrap_or(path)
    }

    /// Whether the event took it away.
    pub(crate) fn is_removed(&self) -> bool {
        let own = self.change.filter(|entry| entry.path == self.path);
        own.is_some_and(|entry| entry.op == DiffOp::Remove)
    }
}

/// The rows of a state, and how many more there are than are listed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Fields<'a> {
    pub(crate) rows: Vec<Field<'a>>,
    pub(crate) hidden: u64,
}

/// The leaves of a state in its own order.
pub(crate) fn leaves(state: &Map<String, Value>) -> Fields<'_> {
    fn walk<'a>(path: &str, value: &'a Value, out: &mut Fields<'a>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    walk(&format!("{path}/{}", pointer_token(key)), value, out);
                }
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                for (index, value) in items.iter().enumerate() {
                    walk(&format!("{path}/{index}"), value, out);
                }
            }
            _ if out.rows.len() >= ROWS_MAX => out.hidden += 1,
            _ => out.rows.push(Field {
                path: path.to_owned(),
                value: Some(value),
                change: None,
            }),
        }
    }
    let mut out = Fields::default();
    for (key, value) in state {
        walk(&format!("/{}", pointer_token(key)), value, &mut out);
    }
    out
}

/// The rows with what an event changed in them: in the state's order, removed ones at the end.
pub(crate) fn with_changes<'a>(state: &'a Map<String, Value>, diff: &'a [DiffEntry]) -> Fields<'a> {
    let mut fields = leaves(state);
    for row in &mut fields.rows {
        row.change = diff
            .iter()
            .filter(|entry| entry.op != DiffOp::Remove)
            .find(|entry| covers(&entry.path, &row.path) || covers(&row.path, &entry.path));
    }
    let removed = diff.iter().filter(|entry| entry.op == DiffOp::Remove);
    fields.rows.extend(removed.map(|entry| Field {
        path: entry.path.clone(),
        value: entry.before.as_ref(),
        change: Some(entry),
    }));
    fields
}

/// The rows, those that the event changed first.
pub(crate) fn changed_first<'a>(
    state: &'a Map<String, Value>,
    diff: &'a [DiffEntry],
) -> Fields<'a> {
    let mut fields = with_changes(state, diff);
    fields.rows.sort_by_key(|row| row.change.is_none());
    fields
}

/// Whether a path leads to another one, or is it.
fn covers(path: &str, other: &str) -> bool {
    other
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What last set a field: of all that is at or below its path, the latest.
pub(crate) fn set_by<'a>(blame: &'a BlameOut, path: &str) -> Option<&'a BlamedFieldOut> {
    let below = blame
        .fields
        .iter()
        .filter(|field| covers(path, &field.path));
    below.max_by_key(|field| field.revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(path: &str, op: &str) -> DiffEntry {
        serde_json::from_value(json!({"path": path, "op": op, "before": 1, "after": 2})).unwrap()
    }

    #[test]
    fn what_changed_stands_first_and_what_was_removed_is_named() {
        let state = json!({"a": 1, "b": {"c": 2, "d": [1, 2]}, "e": [{"f": 3}], "g": {}});
        let diff = [
            entry("/e", "replace"),
            entry("/b/d/1", "add"),
            entry("/z", "remove"),
        ];
        let fields = changed_first(state.as_object().unwrap(), &diff);
        let names: Vec<&str> = fields.rows.iter().map(Field::name).collect();
        assert_eq!(names, ["b/d", "e/0/f", "z", "a", "b/c", "g"]);
        assert!(fields.rows[2].is_removed() && !fields.rows[0].is_removed());
    }

    #[test]
    fn fields_beyond_the_bound_are_counted() {
        let state: Map<String, Value> = (0..ROWS_MAX + 3)
            .map(|n| (format!("f{n}"), json!(n)))
            .collect();
        let fields = leaves(&state);
        assert_eq!((fields.rows.len(), fields.hidden), (ROWS_MAX, 3));
    }

    #[test]
    fn a_list_was_set_by_the_last_of_its_elements() {
        let field = |path: &str, revision: u64| json!({"path": path, "value": 1, "revision": revision, "event": null});
        let blame: BlameOut = serde_json::from_value(json!({
            "stream": "user-1", "revision": 5, "head_revision": 5, "model": "merge", "snapshot_revision": 0,
            "fields": [field("/tags/0", 2), field("/tags/1", 4), field("/tagsmith", 5)],
        }))
        .unwrap();
        assert_eq!(set_by(&blame, "/tags").unwrap().revision.0, 4);
        assert!(set_by(&blame, "/nothing").is_none());
    }
}
