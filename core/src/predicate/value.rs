//! Values as a predicate sees them.
//!
//! Owns their equality and order: sameness as JSON values, numbers as decimals, and of a secret no more than its mark.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use serde_json::{Map, Number, Value};

use super::eval::{Fail, Steps};
use super::scope::Scope;
use crate::command::Decision;
use crate::event::Event;
use crate::number;
use crate::shown::REDACTED;
use crate::time::Timestamp;

#[derive(Debug, Clone)]
pub(super) enum Seen<'a> {
    Null,
    Bool(bool),
    Number(&'a Number),
    Owned(Number),
    Text(&'a str),
    Time(Timestamp),
    List(&'a [Value]),
    Items(Rc<[Seen<'a>]>),
    Map(&'a Map<String, Value>),
    Event(&'a Event),
    Decision(&'a Decision),
}

impl<'a> Seen<'a> {
    pub(super) fn from_value(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items),
            Value::Object(map) => Self::Map(map),
        }
    }

    /// A field's value: of a secret its mark, unless it is `null`.
    pub(super) fn from_field(name: &str, value: &'a Value, scope: &Scope<'_>) -> Self {
        if !value.is_null() && scope.is_secret(name) {
            return Self::Text(REDACTED);
        }
        Self::from_value(value)
    }

    pub(super) fn number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Owned(number) => Some(number),
            _ => None,
        }
    }

    /// What it is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) | Self::Owned(_) => "a number",
            Self::Text(_) => "a text",
            Self::Time(_) => "a time",
            Self::List(_) | Self::Items(_) => "a list",
            Self::Map(_) => "an object",
            Self::Event(_) => "an event",
            Self::Decision(_) => "a decision",
        }
    }

    /// The order of two values of one type that has an order.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            _ => Some(number::compare(self.number()?, other.number()?)),
        }
    }

    /// Whether two values are the same; values of different types are not.
    pub(super) fn same(
        &self,
        other: &Self,
        scope: &Scope<'_>,
        steps: &Steps,
    ) -> Result<bool, Fail> {
        steps.spend(1)?;
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => same_objects(a, b, scope, steps)?,
            (Self::List(_) | Self::Items(_), Self::List(_) | Self::Items(_)) => {
                let (length, other_length) = (self.elements(), other.elements());
                if length != other_length {
                    return Ok(false);
                }
                for index in 0..length.unwrap_or_default() {
                    let pair = (self.element(index), other.element(index));
                    let (Some(a), Some(b)) = pair else {
                        return Ok(false);
                    };
                    if !a.same(&b, scope, steps)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => number::same(a, b),
                _ => false,
            },
        })
    }

    /// How many elements a list has; `None` of what is no list.
    pub(super) fn elements(&self) -> Option<usize> {
        match self {
            Self::List(items) => Some(items.len()),
            Self::Items(items) => Some(items.len()),
            _ => None,
        }
    }

    /// An element of a list.
    pub(super) fn element(&self, index: usize) -> Option<Self> {
        match self {
            Self::List(items) => items.get(index).map(Self::from_value),
            Self::Items(items) => items.get(index).cloned(),
            _ => None,
        }
    }
}

fn same_objects(
    a: &Map<String, Value>,
    b: &Map<String, Value>,
    scope: &Scope<'_>,
    steps: &Steps,
) -> Result<bool, Fail> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, a) in a {
        let Some(b) = b.get(key) else {
            return Ok(false);
        };
        let (a, b) = (
            Seen::from_field(key, a, scope),
            Seen::from_field(key, b, scope),
        );
        if !a.same(&b, scope, steps)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a number is this index.
pub(super) fn index(number: &Number) -> Option<usize> {
    let canonical: Cow<'_, str> = match number.as_u64() {
        Some(whole) => return usize::try_from(whole).ok(),
        None => number::canonical(number).into(),
    };
    // `2.0` and `1e1` are whole numbers too; one with a longer exponent is no index of a list there can be.
    let (digits, zeros) = canonical.split_once('e').unwrap_or((&canonical, "0"));
    let zeros: usize = zeros.parse().ok().filter(|zeros| *zeros < 10)?;
    digits
        .parse::<usize>()
        .ok()?
        .checked_mul(10_usize.checked_pow(u32::try_from(zeros).ok()?)?)
}
