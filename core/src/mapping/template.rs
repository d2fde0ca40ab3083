//! Templates: texts with placeholders that are filled from a record.
//!
//! `user-{lower(/name | /login)}`: a placeholder holds alternatives, the first that has a value is taken. A value that is
//! there and that no alternative can use is an error: to go on as if it were not would be a guess.

use serde_json::Value;

use super::bounds::{Budget, Misfit};
use super::expr::{Expr, Found, first};
use super::function::as_text;
use super::reader::Reader;

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
    /// A name, an id, a time: an empty text says nothing, an object or list is no text.
    Name,
    /// Words for people: an empty text says nothing.
    Words,
    /// A key: an empty text is one.
    Key,
    /// A part of the data: an empty text is one.
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

    /// The text.
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
