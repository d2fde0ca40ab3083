//! Demands: the values that a field must have for a predicate to hold, so that an index of values tells where it may.
//!
//! Owns which fields can be indexed and how a value is spelt in an index. A demand only ever says too little: where one is
//! not met, the predicate does not hold; where it is met, the predicate itself is still to be asked.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::str::FromStr;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Predicate;
use super::expr::{Comparison, Expr, Kind, Root};
use super::needs::path_of;
use super::parse::RESERVED;
use crate::json::State;
use crate::number::canonical;
use crate::pointer::Pointer;

/// Bytes of an indexed field, as it is written.
pub const FIELD_BYTES_MAX: usize = 120;
/// Bytes of a value as it is spelt in an index; a longer one is told by its digest.
const WORD_BYTES_MAX: usize = 100;

/// A field of states, of events' data, or of their metadata, that can be indexed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldPath {
    of: FieldOf,
    /// Its path in the state or in the event.
    tokens: Vec<String>,
}

/// What an indexed field is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldOf {
    /// The state after an event, and so the one before the next.
    State,
    /// An event's data.
    Data,
    /// An event's metadata.
    Metadata,
}

/// Why a text names no field that can be indexed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no field that can be indexed: write `state.email`, `event.data.email` or `event.metadata.ip`"
)]
pub struct NoField {
    text: String,
}

impl FieldPath {
    /// What it is of.
    pub fn root(&self) -> FieldOf {
        self.of
    }

    /// The names on its path.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// Hands each value that stands there, as an index spells it, to `each`: of a list its elements, of an object its keys.
    pub fn words(&self, root: &State, each: &mut dyn FnMut(String)) {
        let pointer = Pointer::new(self.tokens.clone());
        match pointer.lookup(root) {
            Some(Value::Array(items)) => items.iter().filter_map(word).for_each(each),
            Some(Value::Object(map)) => map.keys().map(|key| text_word(key)).for_each(each),
            Some(value) => word(value).into_iter().for_each(each),
            None => {}
        }
    }

    fn of_path(root: Root, path: Vec<String>) -> Option<Self> {
        let (of, tokens) = match root {
            Root::State | Root::Before => (FieldOf::State, path),
            Root::Decision => return None,
            Root::Event => {
                let mut path = path.into_iter();
                let of = match path.next()?.as_str() {
                    "data" => FieldOf::Data,
                    "metadata" => FieldOf::Metadata,
                    _ => return None,
                };
                (of, path.collect())
            }
        };
        (!tokens.is_empty()).then_some(Self { of, tokens })
    }

    fn of_expr(expr: &Expr) -> Option<Self> {
        match &expr.kind {
            Kind::Pointer(path) | Kind::Was(path) => {
                Self::of_path(Root::State, path.tokens().to_vec())
            }
            _ => {
                let (root, path) = path_of(expr)?;
                Self::of_path(root, path.tokens().to_vec())
            }
        }
    }
}

impl FromStr for FieldPath {
    type Err = NoField;

    fn from_str(text: &str) -> Result<Self, NoField> {
        let no_field = || NoField {
            text: text.chars().take(FIELD_BYTES_MAX).collect(),
        };
        let asked = Predicate::parse(&format!("{text} == null")).map_err(|_error| no_field())?;
        let Kind::Compare(Comparison::Equal, field, _) = &asked.expr.kind else {
            return Err(no_field());
        };
        let field = Self::of_expr(field).ok_or_else(no_field)?;
        let fits = field.to_string().len() <= FIELD_BYTES_MAX;
        fits.then_some(field).ok_or_else(no_field)
    }
}

/// As a predicate names it.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = match self.of {
            FieldOf::State => "state",
            FieldOf::Data => "event.data",
            FieldOf::Metadata => "event.metadata",
        };
        f.write_str(&dotted(root, &self.tokens))
    }
}

/// A path as a predicate writes it: `state.a["b c"]`.
pub fn dotted(root: &str, tokens: &[String]) -> String {
    let mut text = root.to_owned();
    for token in tokens {
        let mut letters = token.chars();
        let begins = letters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        let begins = begins && !RESERVED.contains(&token.as_str());
        // Writing into a text cannot fail.
        let _ = if begins && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            write!(text, ".{token}")
        } else {
            write!(text, "[{}]", Value::from(token.as_str()))
        };
    }
    text
}

/// What a predicate demands of a field: that it has, or had, one of these values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// The field.
    pub field: FieldPath,
    /// The values, as an index spells them.
    pub words: BTreeSet<String>,
}

impl Predicate {
    /// What must be the case, of each of these, for it to hold at an event: its stream's states, up to the one after it, or its
    /// events have had one of the values.
    pub fn demands(&self) -> Vec<Demand> {
        demands(&self.expr)
    }
}

fn demands(expr: &Expr) -> Vec<Demand> {
    match &expr.kind {
        Kind::And(parts) => parts.iter().flat_map(demands).collect(),
        Kind::Or(parts) => either(parts),
        Kind::Compare(Comparison::Equal, a, b) => {
            let one = equal(a, b).or_else(|| equal(b, a));
            one.into_iter().collect()
        }
        Kind::In(item, list) => {
            let listed = match &list.kind {
                Kind::Constant(Value::Array(items)) => {
                    let words: Option<BTreeSet<String>> = items.iter().map(word).collect();
                    FieldPath::of_expr(item).zip(words)
                }
                _ => None,
            };
            let one = listed.map(|(field, words)| Demand { field, words });
            one.or_else(|| equal(list, item)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn equal(field: &Expr, value: &Expr) -> Option<Demand> {
    let Kind::Constant(value) = &value.kind else {
        return None;
    };
    Some(Demand {
        field: FieldPath::of_expr(field)?,
        words: BTreeSet::from([word(value)?]),
    })
}

/// A field that each of the parts demands something of.
fn either(parts: &[Expr]) -> Vec<Demand> {
    let mut parts = parts.iter().map(demands);
    let mut kept = parts.next().unwrap_or_default();
    for others in parts {
        kept.retain_mut(|own| {
            let mut same = others.iter().filter(|other| other.field == own.field);
            let other = same.next();
            own.words
                .extend(other.into_iter().flat_map(|other| other.words.clone()));
            other.is_some()
        });
    }
    kept
}

/// How an index spells a value: equal values are spelt alike. `None` for a list or an object, which are not indexed as such.
fn word(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => bounded(canonical(number)),
        Value::String(text) => text_word(text),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

fn text_word(text: &str) -> String {
    bounded(Value::from(text).to_string())
}

fn bounded(word: String) -> String {
    if word.len() <= WORD_BYTES_MAX {
        return word;
    }
    let mut digest = String::from("#");
    for byte in Sha256::digest(word.as_bytes()).iter().take(16) {
        // Writing into a text cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}
