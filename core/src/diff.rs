//! Structural diff of two states, with JSON Pointer paths.
//!
//! Owns the comparison and its inverse, [`apply`]. Applying a diff to the state it was taken from gives the other state
//! exactly: the entries are in an order in which each path is right when its turn comes, as in RFC 6902.
//!
//! Arrays are compared by common head and tail: what differs in between is replaced item by item, and the surplus is
//! added or removed (from the end, so that paths stay right). That is linear and shows an insertion or removal as one
//! entry; it makes no attempt to find moved items.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::json::{State, pointer_token};
use crate::same::same;

/// What happened to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiffOp {
    /// It was not there before.
    Add,
    /// It was there with another value.
    Replace,
    /// It is there no longer.
    Remove,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiffEntry {
    /// Where, as a JSON Pointer (RFC 6901).
    pub path: String,
    /// What happened there.
    pub op: DiffOp,
    /// The value before; absent for `add`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub before: Option<Value>,
    /// The value after; absent for `remove`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub after: Option<Value>,
}

/// A field that is there is `Some`, even when it is `null`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl DiffEntry {
    fn new(path: String, op: DiffOp, before: Option<&Value>, after: Option<&Value>) -> Self {
        Self {
            path,
            op,
            before: before.cloned(),
            after: after.cloned(),
        }
    }
}

/// The differences from `before` to `after`, in the order of `before`'s keys, then `after`'s new ones.
pub fn diff(before: &State, after: &State) -> Vec<DiffEntry> {
    let mut out = Vec::new();
    objects(&mut String::new(), before, after, &mut out);
    out
}

fn objects(path: &mut String, before: &State, after: &State, out: &mut Vec<DiffEntry>) {
    for (key, old) in before {
        let rollback = push(path, key);
        match after.get(key) {
            None => out.push(DiffEntry::new(
                path.clone(),
                DiffOp::Remove,
                Some(old),
                None,
            )),
            Some(new) => values(path, old, new, out),
        }
        path.truncate(rollback);
    }
    for (key, new) in after {
        if !before.contains_key(key) {
            let rollback = push(path, key);
            out.push(DiffEntry::new(path.clone(), DiffOp::Add, None, Some(new)));
            path.truncate(rollback);
        }
    }
}

fn values(path: &mut String, before: &Value, after: &Value, out: &mut Vec<DiffEntry>) {
    match (before, after) {
        _ if same(before, after) => {}
        (Value::Object(before), Value::Object(after)) => objects(path, before, after, out),
        (Value::Array(before), Value::Array(after)) => arrays(path, before, after, out),
        _ => out.push(DiffEntry::new(
            path.clone(),
            DiffOp::Replace,
            Some(before),
            Some(after),
        )),
    }
}

fn arrays(path: &mut String, before: &[Value], after: &[Value], out: &mut Vec<DiffEntry>) {
    let head = before
        .iter()
        .zip(after)
        .take_while(|(a, b)| same(a, b))
        .count();
    let tail = before[head..]
        .iter()
        .rev()
        .zip(after[head..].iter().rev())
        .take_while(|(a, b)| same(a, b))
        .count();
    let (old, new) = (
        &before[head..before.len() - tail],
        &after[head..after.len() - tail],
    );
    let common = old.len().min(new.len());
    for index in 0..common {
        let rollback = push(path, &(head + index).to_string());
        values(path, &old[index], &new[index], out);
        path.truncate(rollback);
    }
    for (index, value) in old.iter().enumerate().skip(common).rev() {
        out.push(DiffEntry::new(
            format!("{path}/{}", head + index),
            DiffOp::Remove,
            Some(value),
            None,
        ));
    }
    for (index, value) in new.iter().enumerate().skip(common) {
        out.push(DiffEntry::new(
            format!("{path}/{}", head + index),
            DiffOp::Add,
            None,
            Some(value),
        ));
    }
}

/// Appends a key to a path; returns the length to truncate back to.
fn push(path: &mut String, key: &str) -> usize {
    let rollback = path.len();
    path.push('/');
    path.push_str(&pointer_token(key));
    rollback
}

/// Why a diff does not apply to a state: it was not taken from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the diff does not fit: there is nothing to {op} at `{path}`")]
pub struct DoesNotFit {
    /// The entry's path.
    pub path: String,
    /// What was to be done there.
    pub op: &'static str,
}

/// Applies a diff to the state it was taken from.
pub fn apply(state: &State, diff: &[DiffEntry]) -> Result<State, DoesNotFit> {
    let mut root = Value::Object(state.clone());
    for entry in diff {
        let (parent, token) = entry.path.rsplit_once('/').unwrap_or(("", ""));
        let key = token.replace("~1", "/").replace("~0", "~");
        let misfit = |op| DoesNotFit {
            path: entry.path.clone(),
            op,
        };
        match (root.pointer_mut(parent), entry.op, &entry.after) {
            (Some(Value::Object(map)), DiffOp::Add | DiffOp::Replace, Some(after)) => {
                map.insert(key, after.clone());
            }
            (Some(Value::Object(map)), DiffOp::Remove, _) => {
                map.shift_remove(&key).ok_or_else(|| misfit("remove"))?;
            }
            (Some(Value::Array(items)), op, after) => {
                let index: usize = key.parse().map_err(|_not_an_index| misfit("index"))?;
                match (op, after) {
                    (DiffOp::Add, Some(after)) if index <= items.len() => {
                        items.insert(index, after.clone());
                    }
                    (DiffOp::Replace, Some(after)) if index < items.len() => {
                        items[index] = after.clone();
                    }
                    (DiffOp::Remove, _) if index < items.len() => {
                        items.remove(index);
                    }
                    _ => return Err(misfit("change")),
                }
            }
            _ => return Err(misfit("change")),
        }
    }
    match root {
        Value::Object(state) => Ok(state),
        _ => Err(DoesNotFit {
            path: String::new(),
            op: "replace",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn state(value: Value) -> State {
        match value {
            Value::Object(state) => state,
            other => unreachable!("not an object: {other}"),
        }
    }

    fn check(before: Value, after: Value, expected: &Value) {
        let found = diff(&state(before), &state(after));
        assert_eq!(&serde_json::to_value(found).unwrap(), expected);
    }

    #[test]
    fn a_changed_field_is_one_replace() {
        check(
            json!({"status": "active", "email": "s@x"}),
            json!({"status": "suspended", "email": "s@x"}),
            &json!([{"path": "/status", "op": "replace", "before": "active", "after": "suspended"}]),
        );
    }

    #[test]
    fn null_is_a_value_and_absence_is_not() {
        check(
            json!({"a": null, "b": 1}),
            json!({"b": null}),
            &json!([{"path": "/a", "op": "remove", "before": null}, {"path": "/b", "op": "replace", "before": 1, "after": null}]),
        );
        let entry: DiffEntry =
            serde_json::from_value(json!({"path": "/a", "op": "remove", "before": null})).unwrap();
        assert_eq!((entry.before, entry.after), (Some(Value::Null), None));
    }

    #[test]
    fn an_insertion_in_the_middle_of_an_array_is_one_entry() {
        check(
            json!({"tags": [1, 2, 3]}),
            json!({"tags": [1, 9, 2, 3]}),
            &json!([{"path": "/tags/1", "op": "add", "after": 9}]),
        );
        check(
            json!({"tags": [1, 2, 3, 4]}),
            json!({"tags": [1, 4]}),
            &json!([{"path": "/tags/2", "op": "remove", "before": 3}, {"path": "/tags/1", "op": "remove", "before": 2}]),
        );
    }

    #[test]
    fn keys_with_slashes_and_tildes_are_escaped() {
        check(
            json!({"a/b~c": 1}),
            json!({"a/b~c": 2}),
            &json!([{"path": "/a~1b~0c", "op": "replace", "before": 1, "after": 2}]),
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..4i64).prop_map(Value::from),
            "[ab/~]{0,2}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("[ab/~]{0,2}", inner), 0..4)
                    .prop_map(|pairs| pairs.into_iter().collect::<Value>())
            ]
        })
    }

    fn any_state() -> impl Strategy<Value = State> {
        prop::collection::vec(("[abc/~]{0,2}", any_value()), 0..5)
            .prop_map(|pairs| pairs.into_iter().collect())
    }

    proptest! {
        #[test]
        fn applying_a_diff_gives_the_other_state(before in any_state(), after in any_state()) {
            let forth = diff(&before, &after);
            prop_assert_eq!(&apply(&before, &forth).unwrap(), &after);
            prop_assert_eq!(forth.is_empty(), before == after);
            prop_assert_eq!(apply(&after, &diff(&after, &before)).unwrap(), before);
        }
    }
}
