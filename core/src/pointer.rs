//! JSON Pointers (RFC 6901): paths into states and payloads.
//!
//! Owns the type that code below uses for a path: checked once, unescaped once. `json::at` looks a pointer's text up without it.

use std::fmt;
use std::str::FromStr;

use crate::json::{State, Value, pointer_token};

/// A path into a JSON value: a key or an index for each level. Without tokens it is the whole value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Pointer(Vec<String>);

/// Why a text is no JSON Pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// It does not begin with `/`.
    #[error("a JSON Pointer begins with `/`, like `/address/city`")]
    NoSlash,
    /// A `~` that is neither `~0` nor `~1`.
    #[error("in a JSON Pointer `~` is written `~0`, and a `/` within a key `~1`")]
    Escape,
}

impl Pointer {
    /// The path of these tokens, which are not escaped.
    pub fn new(tokens: Vec<String>) -> Self {
        Self(tokens)
    }

    /// Its tokens, not escaped.
    pub fn tokens(&self) -> &[String] {
        &self.0
    }

    /// Whether it is the path of the whole value.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this path leads to `other` or to something that holds it.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The value at this path of a state; `None` for the root, which is no value of its own, and where there is nothing.
    pub fn lookup<'a>(&self, state: &'a State) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(state.get(first)?, child)
    }
}

/// What a token leads to within a value.
#[expect(clippy::ptr_arg, reason = "it is used on lists of tokens")]
fn child<'a>(value: &'a Value, token: &String) -> Option<&'a Value> {
    step(value, token)
}

/// What a token leads to within a value: a field of an object, or an element of a list.
pub fn step<'a>(value: &'a Value, token: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(token),
        Value::Array(items) => items.get(index(token)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// A token as an index: digits without a leading zero.
pub fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit());
    let plain = plain && (token == "0" || !token.starts_with('0'));
    plain.then(|| token.parse().ok()).flatten()
}

/// A key without its escapes.
///
/// # Errors
/// When a `~` is no escape.
pub fn unescape(token: &str) -> Result<String, PointerError> {
    if !token.contains('~') {
        return Ok(token.to_owned());
    }
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match (c, c == '~') {
            (_, false) => out.push(c),
            _ => out.push(match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError::Escape),
            }),
        }
    }
    Ok(out)
}

impl FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let rest = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        rest.split('/')
            .map(unescape)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|token| write!(f, "/{}", pointer_token(token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_is_read_written_and_looked_up() {
        let Value::Object(state) = json!({"a/b": {"~": [1, {"": 2}]}, "0": 3}) else {
            unreachable!()
        };
        for (text, found) in [
            ("/a~1b/~0/0", Some(json!(1))),
            ("/a~1b/~0/1/", Some(json!(2))),
            ("/a~1b/~0/01", None),
            ("/a~1b/~0/2", None),
            ("/0", Some(json!(3))),
            ("/0/x", None),
            ("", None),
        ] {
            let pointer: Pointer = text.parse().unwrap();
            assert_eq!(pointer.lookup(&state), found.as_ref(), "{text}");
            assert_eq!(pointer.to_string(), text);
        }
        assert_eq!("a".parse::<Pointer>(), Err(PointerError::NoSlash));
        assert_eq!("/a~2".parse::<Pointer>(), Err(PointerError::Escape));
        assert_eq!("/a~".parse::<Pointer>(), Err(PointerError::Escape));
    }
}
