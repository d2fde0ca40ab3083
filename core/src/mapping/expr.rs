//! What stands in a placeholder: alternatives, and functions of them.

use std::borrow::Cow;

use serde_json::Value;

use super::bounds::{Budget, Misfit};
use super::function::Function;

/// An alternative of a placeholder.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// What stands at this JSON Pointer.
    Pointer(String),
    /// This text.
    Literal(String),
    /// JSON's `null`: in a merged state it removes a field.
    Null,
    /// A function of the first alternative that has a value.
    Call(Function, Vec<Expr>),
}

/// What a placeholder found.
pub(super) enum Found<'a> {
    Value(Cow<'a, Value>),
    /// An empty text, and no alternative with more.
    Empty,
    Nothing,
}

/// The value at a JSON Pointer; `null` counts as absent.
pub(super) fn lookup<'a>(record: &'a Value, pointer: &str) -> Option<&'a Value> {
    record.pointer(pointer).filter(|value| !value.is_null())
}

/// The first alternative that has a value. One that has an empty text is passed over; one that cannot use its value is
/// too, and is an error if no other can be taken.
pub(super) fn first<'a>(
    alternatives: &[Expr],
    record: &'a Value,
    budget: &mut Budget,
) -> Result<Found<'a>, Misfit> {
    let (mut unusable, mut empty) = (None, false);
    for alternative in alternatives {
        match alternative.value(record, budget) {
            Ok(Found::Value(value)) => return Ok(Found::Value(value)),
            Ok(Found::Empty) => empty = true,
            Ok(Found::Nothing) => {}
            Err(misfit @ (Misfit::Unusable { .. } | Misfit::Implausible { .. })) => {
                unusable = unusable.or(Some(misfit));
            }
            Err(misfit) => return Err(misfit),
        }
    }
    match unusable {
        Some(misfit) => Err(misfit),
        None if empty => Ok(Found::Empty),
        None => Ok(Found::Nothing),
    }
}

impl Expr {
    fn value<'a>(&self, record: &'a Value, budget: &mut Budget) -> Result<Found<'a>, Misfit> {
        match self {
            Self::Pointer(pointer) => Ok(match lookup(record, pointer) {
                None => Found::Nothing,
                Some(Value::String(text)) if text.is_empty() => Found::Empty,
                Some(value) => Found::Value(Cow::Borrowed(value)),
            }),
            Self::Literal(text) => Ok(Found::Value(Cow::Owned(Value::String(text.clone())))),
            Self::Null => Ok(Found::Value(Cow::Owned(Value::Null))),
            Self::Call(function, alternatives) => match first(alternatives, record, budget)? {
                Found::Nothing => Ok(Found::Nothing),
                Found::Empty => Ok(function.of_empty()),
                Found::Value(value) => {
                    budget.spend_value(value.as_ref())?;
                    match function.call(value.as_ref(), budget)? {
                        Some(Value::String(text)) if text.is_empty() => Ok(Found::Empty),
                        Some(made) => Ok(Found::Value(Cow::Owned(made))),
                        None => Err(Misfit::unusable(function.name(), value.as_ref())),
                    }
                }
            },
        }
    }
}
