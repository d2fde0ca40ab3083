//! Conditions: which records a rule takes.

use serde_json::Value;

use super::expr::lookup;
use crate::same::same;

/// A condition on a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// About the value at a JSON Pointer.
    At(String, Test),
    /// All of these hold.
    All(Vec<Condition>),
    /// At least one of these holds.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
}

/// A condition on one value. `null` counts as absent; only `exists = false` holds for what is absent.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    /// It is there, or it is not.
    Exists(bool),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is a text that begins so.
    StartsWith(String),
    /// It is a text that ends so.
    EndsWith(String),
    /// It is a text with this in it.
    Contains(String),
}

impl Condition {
    pub(super) fn holds(&self, record: &Value) -> bool {
        match self {
            Self::At(pointer, test) => test.holds(lookup(record, pointer)),
            Self::All(conditions) => conditions.iter().all(|c| c.holds(record)),
            Self::Any(conditions) => conditions.iter().any(|c| c.holds(record)),
            Self::Not(condition) => !condition.holds(record),
        }
    }
}

impl Test {
    fn holds(&self, value: Option<&Value>) -> bool {
        let text = value.and_then(Value::as_str);
        match self {
            Self::Exists(wanted) => value.is_some() == *wanted,
            Self::OneOf(wanted) => value.is_some_and(|v| wanted.iter().any(|w| same(v, w))),
            Self::StartsWith(part) => text.is_some_and(|t| t.starts_with(part)),
            Self::EndsWith(part) => text.is_some_and(|t| t.ends_with(part)),
            Self::Contains(part) => text.is_some_and(|t| t.contains(part)),
        }
    }
}
