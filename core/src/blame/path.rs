//! Field paths: JSON Pointers that may name an element of a list by its identity.

use std::fmt;
use std::str::FromStr;

use crate::diff::IDENTITIES;
use crate::json::{State, Value};
use crate::pointer::{Pointer, PointerError, step};

/// A path of a state. An element of a list is named by its index, or as in `/lines[id=7]/price` by its identity: then it
/// is followed wherever it moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath(Pointer);

impl FieldPath {
    /// The value at this path.
    pub fn lookup<'a>(&self, state: &'a State) -> Option<&'a Value> {
        let (first, rest) = self.0.tokens().split_first()?;
        let at = match state.get(first) {
            Some(value) => Some(value),
            None => by_identity(first, |key| state.get(key), &mut Vec::new()),
        };
        rest.iter().try_fold(at?, |value, token| {
            step(value, token)
                .or_else(|| by_identity(token, |key| step(value, key), &mut Vec::new()))
        })
    }

    /// Where it leads in a state, as a JSON Pointer; `None` where there is nothing.
    pub fn resolve(&self, state: &State) -> Option<Pointer> {
        let (first, rest) = self.0.tokens().split_first()?;
        let mut tokens = Vec::new();
        let mut at = match state.get(first) {
            Some(value) => {
                tokens.push(first.clone());
                value
            }
            None => by_identity(first, |key| state.get(key), &mut tokens)?,
        };
        for token in rest {
            at = match step(at, token) {
                Some(value) => {
                    tokens.push(token.clone());
                    value
                }
                None => by_identity(token, |key| step(at, key), &mut tokens)?,
            };
        }
        Some(Pointer::new(tokens))
    }

    /// Its first key, without which there is nothing at it.
    pub fn first_key(&self) -> Option<&str> {
        let first = self.0.tokens().first()?;
        let end = IDENTITIES
            .iter()
            .filter_map(|field| first.find(&format!("[{field}=")));
        first.get(..end.min().unwrap_or(first.len()))
    }

    /// The keys it leads through, and the fields by which it names elements.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let plain = self.0.tokens().iter().map(String::as_str);
        let parts = plain.clone().flat_map(|token| token.split(['[', ']', '=']));
        plain.chain(parts)
    }

    /// The fields by which it names elements.
    pub fn identity_fields(&self) -> impl Iterator<Item = &str> {
        let named = self
            .0
            .tokens()
            .iter()
            .flat_map(|token| token.split('[').skip(1));
        named.filter_map(|part| Some(part.split_once('=')?.0))
    }

    /// The path as a pointer, where it names no element by identity.
    pub fn as_pointer(&self) -> &Pointer {
        &self.0
    }
}

/// The element that `key[id=7]` names, in the list that `key` leads to; adds the tokens that lead to it.
fn by_identity<'a>(
    token: &str,
    lookup: impl FnOnce(&str) -> Option<&'a Value>,
    tokens: &mut Vec<String>,
) -> Option<&'a Value> {
    let (key, named) = token.split_once('[')?;
    let mut value = lookup(key)?;
    tokens.push(key.to_owned());
    for part in named.strip_suffix(']')?.split("][") {
        let (field, id) = part.split_once('=')?;
        IDENTITIES.contains(&field).then_some(())?;
        let items = value.as_array()?;
        let is_it = |item: &Value| item.get(field).is_some_and(|found| is_identity(found, id));
        let (index, item) = items.iter().enumerate().find(|(_, item)| is_it(item))?;
        tokens.push(index.to_string());
        value = item;
    }
    Some(value)
}

/// Whether a value is this identity, however it is spelt.
fn is_identity(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text == id,
        Value::Number(number) => id.parse().is_ok_and(|id| crate::number::same(number, &id)),
        _ => false,
    }
}

/// Why a text is no path of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldPathError {
    /// It is no JSON Pointer.
    #[error(transparent)]
    Pointer(#[from] PointerError),
    /// It is the whole state.
    #[error("a field's path names at least one key, like `/status`")]
    Root,
}

impl FromStr for FieldPath {
    type Err = FieldPathError;

    fn from_str(text: &str) -> Result<Self, FieldPathError> {
        let pointer: Pointer = text.parse()?;
        if pointer.is_root() {
            return Err(FieldPathError::Root);
        }
        Ok(Self(pointer))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_element_is_named_by_index_or_identity() {
        let Value::Object(state) = json!({
            "lines": [{"id": 7, "n": [{"name": "x", "v": 1}]}, {"id": "a b", "n": []}],
            "odd[id=7]": 2
        }) else {
            unreachable!()
        };
        for (path, found) in [
            ("/lines/0/id", Some(json!(7))),
            ("/lines[id=7]/n[name=x]/v", Some(json!(1))),
            ("/lines[id=a b]/n", Some(json!([]))),
            ("/lines[id=7.0]/id", Some(json!(7))),
            ("/lines[id=8]/n", None),
            ("/lines[price=7]/n", None),
            ("/odd[id=7]", Some(json!(2))),
            ("/nothing", None),
        ] {
            let path: FieldPath = path.parse().unwrap();
            assert_eq!(path.lookup(&state), found.as_ref(), "{path}");
            let pointer = path.resolve(&state);
            assert_eq!(pointer.is_some(), found.is_some(), "{path}");
            assert_eq!(pointer.and_then(|at| at.lookup(&state).cloned()), found);
        }
        let path: FieldPath = "/lines[id=7]/n".parse().unwrap();
        assert_eq!(path.first_key(), Some("lines"));
        assert!(
            ["lines", "id", "n"]
                .iter()
                .all(|name| path.names().any(|found| found == *name))
        );
        assert_eq!("".parse::<FieldPath>(), Err(FieldPathError::Root));
    }
}
