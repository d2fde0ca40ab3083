//! Templates: texts with placeholders that are filled from a record, such as `user-{lower(/name | /login)}`.
//!
//! A placeholder lists alternatives; the first one with a value is used. A value that is present but that no alternative can
//! use is an error: treating it as absent would be a guess.

mod function;
mod reader;

use std::borrow::Cow;

use serde_json::Value;

use super::bounds::{Budget, Misfit};

use function::Function;
use reader::Reader;

pub(super) use reader::check_pointer;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
    source: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Value(Vec<Expr>),
}

/// An alternative of a placeholder.
#[derive(Debug, Clone, PartialEq)]
enum Expr {
    /// What stands at this JSON Pointer.
    Pointer(String),
    /// A literal text.
    Literal(String),
    /// JSON's `null`: in a merged state it removes a field.
    Null,
    /// A function of the first alternative that has a value.
    Call(Function, Vec<Expr>),
}

/// The value at a JSON Pointer; `null` counts as absent.
pub(super) fn lookup<'a>(record: &'a Value, pointer: &str) -> Option<&'a Value> {
    record.pointer(pointer).filter(|value| !value.is_null())
}

/// What a placeholder found.
enum Found<'a> {
    Value(Cow<'a, Value>),
    /// An empty text, and no alternative with more.
    Empty,
    Nothing,
}

/// A template's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    Some(String),
    /// The record has nothing for it, or an empty text where that says nothing.
    Absent,
    /// It is one placeholder, and the alternative taken is `null`: absent on purpose.
    Null,
}

/// Where a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A name, an id, a time: an empty text counts as absent, an object or list is an error.
    Name,
    /// Text for people: an empty text counts as absent.
    Words,
    /// A key: an empty text is kept.
    Key,
    /// A part of the data: an empty text is kept.
    Data,
}

impl Template {
    /// Reads a template.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::new(text);
        let mut pieces = Vec::new();
        let mut plain = String::new();
        while let Some(c) = reader.next_char() {
            match c {
                '{' if reader.eat("{") => plain.push('{'),
                '}' if reader.eat("}") => plain.push('}'),
                '}' => return Err("a `}` without `{`; write `}}` for the character".to_owned()),
                '{' => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Value(reader.alternatives('}', 0)?));
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self {
            source: text.to_owned(),
            pieces,
        })
    }

    /// Fills the template as a text.
    pub(super) fn text(
        &self,
        record: &Value,
        to: Use,
        budget: &mut Budget,
    ) -> Result<Text, Misfit> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => {
                    budget.spend(text.len(), 0)?;
                    out.push_str(text);
                }
                Piece::Value(alternatives) => match first(alternatives, record, budget)? {
                    Found::Nothing => return Ok(Text::Absent),
                    Found::Empty if matches!(to, Use::Key | Use::Data) => {}
                    Found::Empty => return Ok(Text::Absent),
                    Found::Value(value) => match value.as_ref() {
                        Value::Null if self.pieces.len() == 1 => return Ok(Text::Null),
                        Value::Null => return Ok(Text::Absent),
                        value @ (Value::Array(_) | Value::Object(_))
                            if matches!(to, Use::Name | Use::Key) =>
                        {
                            return Err(Misfit::no_text(value));
                        }
                        value => {
                            budget.spend_value(value)?;
                            out.push_str(&as_text(value));
                        }
                    },
                },
            }
        }
        if out.is_empty() && matches!(to, Use::Name | Use::Words) {
            return Ok(Text::Absent);
        }
        Ok(Text::Some(out))
    }

    /// The value: of a lone placeholder as it is, of everything else the text.
    pub(super) fn value(
        &self,
        record: &Value,
        budget: &mut Budget,
    ) -> Result<Option<Value>, Misfit> {
        if let [Piece::Value(alternatives)] = self.pieces.as_slice() {
            return Ok(match first(alternatives, record, budget)? {
                Found::Nothing => None,
                Found::Empty => Some(Value::String(String::new())),
                Found::Value(value) => {
                    budget.spend_value(value.as_ref())?;
                    Some(value.into_owned())
                }
            });
        }
        Ok(match self.text(record, Use::Data, budget)? {
            Text::Some(text) => Some(Value::String(text)),
            Text::Absent | Text::Null => None,
        })
    }

    /// As it is written in the mapping.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The JSON Pointers it looks at.
    pub(super) fn pointers(&self) -> Vec<&str> {
        fn collect<'a>(alternatives: &'a [Expr], out: &mut Vec<&'a str>) {
            for alternative in alternatives {
                match alternative {
                    Expr::Pointer(pointer) => out.push(pointer),
                    Expr::Call(_, inner) => collect(inner, out),
                    Expr::Literal(_) | Expr::Null => {}
                }
            }
        }
        let mut out = Vec::new();
        for piece in &self.pieces {
            if let Piece::Value(alternatives) = piece {
                collect(alternatives, &mut out);
            }
        }
        out
    }
}

/// The first alternative that has a value. One that has an empty text is passed over; one that cannot use its value is
/// too, and is an error if no other can be taken.
fn first<'a>(
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
            Err(misfit @ Misfit::Unusable { .. }) => unusable = unusable.or(Some(misfit)),
            Err(misfit) => return Err(misfit),
        }
    }
    match unusable {
        Some(misfit) => Err(misfit),
        None if empty => Ok(Found::Empty),
        None => Ok(Found::Nothing),
    }
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
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
