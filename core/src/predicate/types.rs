//! Types: what can be known of a predicate before it meets a state.
//!
//! Owns the check. A comparison that can never be true, an operator on what it does not take and a field that events have
//! not are errors of the predicate; of what stands in a state nothing is known.

use serde_json::Value;

use super::expr::{Comparison, Expr, Kind, Root};
use super::{PredicateError, fields};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Number,
    Text,
    Time,
    List,
    Map,
    Null,
    /// An event or a decision: its fields only.
    Record(Root),
    /// Known only when it is evaluated.
    Any,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::Time => "a time",
            Self::List => "a list",
            Self::Map => "an object",
            Self::Null => "null",
            Self::Record(Root::Decision) => "a whole decision",
            Self::Record(_) => "a whole event",
            Self::Any => "any value",
        }
    }

    fn may_be(self, wanted: &[Self]) -> bool {
        self == Self::Any || wanted.contains(&self)
    }
}

type Checked = Result<Type, PredicateError>;

/// Checks a predicate.
pub(super) fn check(expr: &Expr) -> Result<(), PredicateError> {
    wanted(expr, &[Type::Bool], "true or false").map(drop)
}

/// The type of an expression that must be one of these.
fn wanted(expr: &Expr, types: &[Type], name: &str) -> Checked {
    let found = type_of(expr)?;
    if found.may_be(types) {
        return Ok(found);
    }
    let message = format!("this is {}, where {name} is needed", found.name());
    let error = PredicateError::new(expr.span.0, message);
    Err(match found {
        Type::Record(root) => {
            error.hint(format!("name a field of it, such as `{}`", example(root)))
        }
        Type::Text if types == [Type::Bool] => {
            error.hint("compare it with something, such as `state.status == \"active\"`")
        }
        _ => error,
    })
}

fn example(root: Root) -> &'static str {
    match root {
        Root::Decision => "decision.outcome",
        _ => "event.actor",
    }
}

fn type_of(expr: &Expr) -> Checked {
    Ok(match &expr.kind {
        Kind::Constant(value) => type_of_value(value),
        Kind::Moment(_) => Type::Time,
        Kind::List(items) => {
            for item in items {
                any_value(item)?;
            }
            Type::List
        }
        Kind::Root(Root::State | Root::Before) => Type::Map,
        Kind::Root(root) => Type::Record(*root),
        Kind::Variable(_) | Kind::Pointer(_) | Kind::Was(_) => Type::Any,
        Kind::Field(inner, name) => return field(expr, inner, name),
        Kind::Index(inner, key) => return element(inner, key),
        Kind::Has(field) => {
            type_of(field)?;
            Type::Bool
        }
        Kind::Not(inner) => wanted(inner, &[Type::Bool], "true or false")?,
        Kind::And(parts) | Kind::Or(parts) => {
            for part in parts {
                wanted(part, &[Type::Bool], "true or false")?;
            }
            Type::Bool
        }
        Kind::Compare(comparison, left, right) => return compare(expr, *comparison, left, right),
        Kind::In(item, list) => {
            any_value(item)?;
            if wanted(list, &[Type::List, Type::Map], "a list or an object")? == Type::Map {
                wanted(item, &[Type::Text], "a key")?;
            }
            Type::Bool
        }
        Kind::If(condition, yes, no) => {
            wanted(condition, &[Type::Bool], "true or false")?;
            let (yes, no) = (any_value(yes)?, any_value(no)?);
            if yes == no { yes } else { Type::Any }
        }
        Kind::TextTest(_, text, part) => {
            wanted(text, &[Type::Text], "a text")?;
            wanted(part, &[Type::Text], "a text")?;
            Type::Bool
        }
        Kind::Matches(text, _) => {
            wanted(text, &[Type::Text], "a text")?;
            Type::Bool
        }
        Kind::Size(inner) => {
            let sized = [Type::Text, Type::List, Type::Map];
            wanted(inner, &sized, "a text, a list or an object")?;
            Type::Number
        }
        Kind::Timestamp(inner) => {
            wanted(inner, &[Type::Text, Type::Time], "a text")?;
            Type::Time
        }
        Kind::Quantified(_, list, _, body) => {
            wanted(list, &[Type::List, Type::Map], "a list or an object")?;
            wanted(body, &[Type::Bool], "true or false")?;
            Type::Bool
        }
        Kind::Changed(_) => Type::Bool,
    })
}

fn type_of_value(value: &Value) -> Type {
    match value {
        Value::Null => Type::Null,
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::String(_) => Type::Text,
        Value::Array(_) => Type::List,
        Value::Object(_) => Type::Map,
    }
}

/// The type of an expression that must be a value by itself.
fn any_value(expr: &Expr) -> Checked {
    let values = [
        Type::Bool,
        Type::Number,
        Type::Text,
        Type::Time,
        Type::List,
        Type::Map,
        Type::Null,
    ];
    wanted(expr, &values, "a value")
}

fn field(expr: &Expr, inner: &Expr, name: &str) -> Checked {
    let (known, root) = match type_of(inner)? {
        Type::Record(Root::Decision) => (fields::DECISION.as_slice(), Root::Decision),
        Type::Record(root) => (fields::EVENT.as_slice(), root),
        _ => {
            wanted(inner, &[Type::Map], "an object")?;
            return Ok(Type::Any);
        }
    };
    if let Some((_, found)) = known.iter().find(|(field, _)| *field == name) {
        return Ok(*found);
    }
    let message = format!("{} has no field `{name}`", with_article(root));
    let error = PredicateError::new(expr.span.1.saturating_sub(name.len()), message);
    let names: Vec<_> = known.iter().map(|(field, _)| *field).collect();
    Err(error.hint(format!("there are {}", names.join(", "))))
}

fn with_article(root: Root) -> &'static str {
    match root {
        Root::Decision => "a decision",
        _ => "an event",
    }
}

fn element(inner: &Expr, key: &Expr) -> Checked {
    let found = wanted(inner, &[Type::List, Type::Map], "a list or an object")?;
    match found {
        Type::List => wanted(key, &[Type::Number], "an index")?,
        Type::Map => wanted(key, &[Type::Text], "a key")?,
        _ => wanted(key, &[Type::Number, Type::Text], "an index or a key")?,
    };
    Ok(Type::Any)
}

fn compare(expr: &Expr, comparison: Comparison, left: &Expr, right: &Expr) -> Checked {
    let (a, b) = (any_value(left)?, any_value(right)?);
    let is_equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if !is_equality {
        let ordered = [Type::Bool, Type::Number, Type::Text, Type::Time];
        for side in [left, right] {
            wanted(side, &ordered, "a number, a text or a time")?;
        }
    }
    if a == b || a == Type::Any || b == Type::Any {
        return Ok(Type::Bool);
    }
    let message = format!(
        "{} is compared with {}, which is never `{}`",
        a.name(),
        b.name(),
        if comparison == Comparison::NotEqual {
            "=="
        } else {
            comparison.sign()
        },
    );
    let error = PredicateError::new(expr.span.0, message);
    Err(match (a, b) {
        (Type::Time, Type::Text) | (Type::Text, Type::Time) => {
            error.hint("a time is written `timestamp(\"2025-03-24T15:47:23Z\")`")
        }
        _ => error,
    })
}
