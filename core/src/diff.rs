//! Structural diff of two states, with JSON Pointer paths.
//!
//! Owns the comparison and its inverse, [`apply`]. Applying a diff to the state it was taken from gives the other state
//! exactly: the entries are in an order in which each path is right when its turn comes, as in RFC 6902.
//!
//! Lists are compared by content (see `lists`). Of a list what is gone comes first, from its end, by the places it had; then
//! what is new or changed, from its beginning, by the places it has.

mod lists;

use icu_normalizer::ComposingNormalizer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::caseless;
use crate::json::{State, pointer_token};
use crate::same::same;
use crate::stop::Stop;
use crate::text::is_unsafe;
use crate::weight::{self, TooLarge, Unfinished};
pub use lists::IDENTITIES;
use lists::{Alignment, align};
pub(crate) use lists::{identity_field, identity_label};

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
    /// The path for a reader, where it leads through a list whose elements have an identity: `/lines[id=7]/price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What differs, where the two values look alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A field that is there is `Some`, even when it is `null`.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Whether two diffs say the same: see [`crate::same`].
pub(crate) fn same_diff(a: &[DiffEntry], b: &[DiffEntry]) -> bool {
    let value = |a: &Option<Value>, b: &Option<Value>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => true,
        _ => false,
    };
    let entry = |(a, b): (&DiffEntry, &DiffEntry)| {
        (a.op, &a.path) == (b.op, &b.path)
            && value(&a.before, &b.before)
            && value(&a.after, &b.after)
    };
    a.len() == b.len() && a.iter().zip(b).all(entry)
}

/// The differences from `before` to `after`, in the order of `before`'s keys, then `after`'s new ones.
pub fn diff(before: &State, after: &State) -> Vec<DiffEntry> {
    let mut walk = Walk::new(usize::MAX, None);
    walk.objects(before, after);
    walk.out
}

/// The same, unless it is stopped, or weighs more than this.
pub fn diff_within(
    before: &State,
    after: &State,
    max: usize,
    stop: &Stop,
) -> Result<Vec<DiffEntry>, Unfinished> {
    let mut walk = Walk::new(max, Some(stop));
    walk.objects(before, after);
    stop.check()?;
    if walk.left.is_none() {
        let what = "the difference";
        return Err(TooLarge { what, max }.into());
    }
    Ok(walk.out)
}

/// What a merge patch changed: `before` is what it may touch, as it was; `after` is the whole state.
pub(crate) fn diff_of_patch(before: &State, after: &State, patch: &State) -> Vec<DiffEntry> {
    let mut walk = Walk::new(usize::MAX, None);
    walk.touched(before, after, patch);
    walk.out
}

/// Where a comparison is, and what it found.
struct Walk<'a> {
    /// What more it may weigh; `None` once it was too much.
    left: Option<usize>,
    stop: Option<&'a Stop>,
    path: String,
    label: String,
    /// How many lists by identity the path leads through.
    identities: usize,
    out: Vec<DiffEntry>,
}

impl<'a> Walk<'a> {
    fn new(max: usize, stop: Option<&'a Stop>) -> Self {
        Self {
            left: Some(max),
            stop,
            path: String::new(),
            label: String::new(),
            identities: 0,
            out: Vec::new(),
        }
    }

    /// Whether it goes on no longer.
    fn is_over(&self) -> bool {
        self.left.is_none() || self.stop.is_some_and(Stop::is_set)
    }

    fn found(&mut self, op: DiffOp, before: Option<&Value>, after: Option<&Value>) {
        if self.left != Some(usize::MAX) {
            let values = before.into_iter().chain(after);
            let weight = size_of::<DiffEntry>()
                + 2 * self.path.len()
                + values.map(weight::of_value).sum::<usize>();
            self.left = self.left.and_then(|left| left.checked_sub(weight));
            if self.left.is_none() {
                return;
            }
        }
        self.out.push(DiffEntry {
            path: self.path.clone(),
            op,
            before: before.cloned(),
            after: after.cloned(),
            label: (self.identities > 0).then(|| self.label.clone()),
            note: before
                .zip(after)
                .and_then(|(b, a)| alike(b, a))
                .map(str::to_owned),
        });
    }

    /// Does something below a key.
    fn below(&mut self, key: &str, act: impl FnOnce(&mut Self)) {
        let token = pointer_token(key);
        self.within(&token, &format!("/{token}"), act);
    }

    /// Does something at an element of a list.
    fn at_element(
        &mut self,
        index: usize,
        element: &Value,
        identity: Option<&'static str>,
        act: impl FnOnce(&mut Self),
    ) {
        let token = index.to_string();
        let named = identity.and_then(|field| Some((field, identity_label(element, field)?)));
        match named {
            None => self.within(&token, &format!("/{token}"), act),
            Some((field, id)) => {
                self.identities += 1;
                self.within(&token, &format!("[{field}={id}]"), act);
                self.identities -= 1;
            }
        }
    }

    fn within(&mut self, token: &str, label: &str, act: impl FnOnce(&mut Self)) {
        let (path, shown) = (self.path.len(), self.label.len());
        self.path.push('/');
        self.path.push_str(token);
        self.label.push_str(label);
        act(self);
        self.path.truncate(path);
        self.label.truncate(shown);
    }

    fn objects(&mut self, before: &State, after: &State) {
        for (key, old) in before {
            if self.is_over() {
                return;
            }
            match (old, after.get(key)) {
                (_, None) => self.below(key, |at| at.found(DiffOp::Remove, Some(old), None)),
                // Looked through once: what is the same in them is passed over there.
                (Value::Object(old), Some(Value::Object(new))) => {
                    self.below(key, |at| at.objects(old, new));
                }
                (_, Some(new)) if same(old, new) => {}
                (_, Some(new)) => self.below(key, |at| at.values(old, new)),
            }
        }
        for (key, new) in after {
            if self.is_over() {
                return;
            }
            if !before.contains_key(key) {
                self.below(key, |at| at.found(DiffOp::Add, None, Some(new)));
            }
        }
    }

    /// Two objects, where a patch touched them.
    fn touched(&mut self, before: &State, after: &State, patch: &State) {
        for (key, change) in patch {
            let Some(old) = before.get(key) else { continue };
            match (old, after.get(key), change) {
                (_, None, _) => self.below(key, |at| at.found(DiffOp::Remove, Some(old), None)),
                (Value::Object(old), Some(Value::Object(new)), Value::Object(change)) => {
                    self.below(key, |at| at.touched(old, new, change));
                }
                (_, Some(new), _) if same(old, new) => {}
                (_, Some(new), _) => self.below(key, |at| at.values(old, new)),
            }
        }
        for key in patch.keys().filter(|key| !before.contains_key(*key)) {
            if let Some(new) = after.get(key) {
                self.below(key, |at| at.found(DiffOp::Add, None, Some(new)));
            }
        }
    }

    /// Two values that are not the same.
    fn values(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => self.objects(before, after),
            (Value::Array(before), Value::Array(after)) => self.lists(before, after),
            _ => self.found(DiffOp::Replace, Some(before), Some(after)),
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value]) {
        // What both begin and end with needs no aligning: most changes are at an end.
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
        let old = &before[head..before.len() - tail];
        let new = &after[head..after.len() - tail];
        if self.is_over() {
            return;
        }
        let Alignment { pairs, identity } = align(old, new);
        let mut kept = pairs.iter().rev().peekable();
        for (index, element) in old.iter().enumerate().rev() {
            if self.is_over() {
                return;
            }
            if kept.next_if(|(old, _)| *old == index).is_none() {
                let gone = |at: &mut Self| at.found(DiffOp::Remove, Some(element), None);
                self.at_element(head + index, element, identity, gone);
            }
        }
        let mut kept = pairs.iter().peekable();
        for (index, element) in new.iter().enumerate() {
            if self.is_over() {
                return;
            }
            let paired = kept.next_if(|(_, new)| *new == index);
            let was = paired.map(|(was, _)| &old[*was]);
            if was.is_some_and(|was| same(was, element)) {
                continue;
            }
            self.at_element(head + index, element, identity, |at| match was {
                Some(was) => at.values(was, element),
                None => at.found(DiffOp::Add, None, Some(element)),
            });
        }
    }
}

/// Whether a value that is no text reads like this text.
fn reads(value: &Value, text: &str) -> bool {
    match value {
        Value::Null => text == "null",
        Value::Bool(value) => text == if *value { "true" } else { "false" },
        Value::Number(number) => text == number.as_str(),
        Value::String(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// What differs in two values that look alike.
fn alike(before: &Value, after: &Value) -> Option<&'static str> {
    let (a, b) = match (before, after) {
        (Value::String(a), Value::String(b)) => (a, b),
        (Value::String(text), other) => {
            return reads(other, text).then_some("it was a text and no longer is");
        }
        (other, Value::String(text)) => {
            return reads(other, text).then_some("it was not a text and now is");
        }
        _ => return None,
    };
    let nfc = ComposingNormalizer::new_nfc();
    let seen = |text: &str| text.chars().filter(|c| !is_unsafe(*c)).collect::<String>();
    if a.trim() == b.trim() {
        Some("they differ in leading or trailing white space")
    } else if nfc.normalize(a) == nfc.normalize(b) {
        Some("the same letters, with accents encoded differently")
    } else if seen(a) == seen(b) {
        Some("they differ in invisible characters")
    } else if caseless::skeleton(a) == caseless::skeleton(b) {
        Some("they differ in characters that look alike")
    } else {
        None
    }
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
///
/// # Errors
/// The first entry that does not fit the state.
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

/// Undoes a diff on the state it leads to, which gives the state it was taken from.
///
/// # Errors
/// The first entry that does not fit the state.
pub fn revert(state: &State, diff: &[DiffEntry]) -> Result<State, DoesNotFit> {
    let undone: Vec<DiffEntry> = diff
        .iter()
        .rev()
        .map(|entry| DiffEntry {
            op: match entry.op {
                DiffOp::Add => DiffOp::Remove,
                DiffOp::Replace => DiffOp::Replace,
                DiffOp::Remove => DiffOp::Add,
            },
            before: entry.after.clone(),
            after: entry.before.clone(),
            ..entry.clone()
        })
        .collect();
    apply(state, &undone)
}

#[cfg(test)]
mod tests;
