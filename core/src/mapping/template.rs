//! Templates: texts with placeholders that are filled from a record.
//!
//! `user-{lower(/name | /login)}`: a placeholder holds alternatives, the first that has a value is taken. A value that is
//! there and that no alternative can use is an error: to go on as if it were not would be a guess.

use std::borrow::Cow;

use serde_json::Value;

use super::bounds::{Budget, Misfit, values_in};
use crate::json;
use crate::time::Timestamp;

/// How deep functions may be nested.
const DEPTH_MAX: usize = 8;

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
    /// This text.
    Literal(String),
    /// JSON's `null`: in a merged state it removes a field.
    Null,
    /// A function of the first alternative that has a value.
    Call(Function, Vec<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
enum Function {
    Lower,
    Upper,
    Last,
    Slug,
    Json,
    Text,
    Seconds,
    Millis,
    After(String),
    Before(String),
}

/// What is said to someone who wrote an unknown function.
pub(super) const FUNCTIONS: &str =
    "lower, upper, last, slug, json, text, seconds, millis, after(\"…\", …), before(\"…\", …)";

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
        let mut reader = Reader { rest: text };
        let mut pieces = Vec::new();
        let mut plain = String::new();
        while let Some(c) = reader.take() {
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

impl Function {
    fn named(name: &str, argument: Option<String>) -> Result<Self, String> {
        match (name, argument) {
            ("lower", None) => Ok(Self::Lower),
            ("upper", None) => Ok(Self::Upper),
            ("last", None) => Ok(Self::Last),
            ("slug", None) => Ok(Self::Slug),
            ("json", None) => Ok(Self::Json),
            ("text", None) => Ok(Self::Text),
            ("seconds", None) => Ok(Self::Seconds),
            ("millis", None) => Ok(Self::Millis),
            ("after", Some(mark)) => Ok(Self::After(mark)),
            ("before", Some(mark)) => Ok(Self::Before(mark)),
            ("after" | "before", None) => {
                Err(format!("`{name}` needs a text first: {name}(\"-\", /id)"))
            }
            (_, Some(_)) => Err(format!("`{name}` takes no text before its value")),
            (_, None) => Err(format!(
                "there is no function `{name}`; there are {FUNCTIONS}"
            )),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Last => "last",
            Self::Slug => "slug",
            Self::Json => "json",
            Self::Text => "text",
            Self::Seconds => "seconds",
            Self::Millis => "millis",
            Self::After(_) => "after",
            Self::Before(_) => "before",
        }
    }

    /// What the function makes of an empty text.
    fn of_empty(&self) -> Found<'static> {
        match self {
            Self::Lower | Self::Upper | Self::Last | Self::Slug | Self::Text => Found::Empty,
            Self::Json | Self::Seconds | Self::Millis | Self::After(_) | Self::Before(_) => {
                Found::Nothing
            }
        }
    }

    /// `None` when the function can make nothing of the value.
    fn call(&self, value: &Value, budget: &mut Budget) -> Result<Option<Value>, Misfit> {
        let text = as_text(value);
        let made = match self {
            Self::Lower => Some(text.to_lowercase()),
            Self::Upper => Some(text.to_uppercase()),
            Self::Last => Some(last_segment(&text).to_owned()),
            Self::Slug => Some(slug(&text)),
            Self::Text => Some(text),
            Self::Json => {
                budget.spend(0, values_in(&text))?;
                return Ok(json::read(&text).ok());
            }
            Self::Seconds => moment(value, 6),
            Self::Millis => moment(value, 3),
            Self::After(mark) => text
                .rsplit_once(mark.as_str())
                .map(|(_, after)| after.to_owned()),
            Self::Before(mark) => text
                .split_once(mark.as_str())
                .map(|(before, _)| before.to_owned()),
        };
        Ok(made.map(Value::String))
    }
}

/// What stands after the last `/`, or after the last `:` when there is no `/`.
fn last_segment(text: &str) -> &str {
    let text = text.trim_end_matches('/');
    match text.rsplit_once('/').or_else(|| text.rsplit_once(':')) {
        Some((_, last)) => last,
        None => text,
    }
}

/// Letters, digits, `.`, `_` and single `-`: what is safe in a stream's name and easy to type.
fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, '.' | '_') {
            out.push(c);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// A count of units since 1970 as an RFC 3339 time; a unit is ten to the power of `digits` microseconds.
fn moment(value: &Value, digits: i32) -> Option<String> {
    let micros = match value {
        Value::Number(number) => micros(number.as_str(), digits)?,
        Value::String(text) => micros(text.trim(), digits)?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let at = Timestamp::from_micros(micros);
    // Beyond the years 1 to 9999 the moment was moved: that would be a guess.
    (at.as_micros() == micros).then(|| at.to_string())
}

/// A decimal times ten to the power of `digits`, as a whole number, by its digits: a double would lose the last of them.
fn micros(text: &str, digits: i32) -> Option<i64> {
    let (text, exponent) = match text.split_once(['e', 'E']) {
        Some((text, exponent)) => (text, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all = format!("{whole}{fraction}");
    if whole.is_empty() || all.len() > 36 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i128 = all.parse().ok()?;
    let number = if negative { -number } else { number };
    let power = exponent
        .checked_add(digits)?
        .checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scale = 10_i128.checked_pow(power.unsigned_abs())?;
    let micros = if power >= 0 {
        number.checked_mul(scale)?
    } else {
        (number.checked_mul(2)?.checked_add(scale)?).div_euclid(scale.checked_mul(2)?)
    };
    i64::try_from(micros).ok()
}

/// Reads placeholders.
struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }

    fn eat(&mut self, mark: &str) -> bool {
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// `a | b | "c"` up to `end`, which is taken as well.
    fn alternatives(&mut self, end: char, depth: usize) -> Result<Vec<Expr>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("functions are nested deeper than {DEPTH_MAX}"));
        }
        let mut out = Vec::new();
        loop {
            out.push(self.expr(depth)?);
            self.skip_space();
            match self.take() {
                Some('|') => {}
                Some(c) if c == end => return Ok(out),
                Some(c) => return Err(format!("`{c}` where `|` or `{end}` was expected")),
                None => return Err(format!("a placeholder without its `{end}`")),
            }
        }
    }

    fn expr(&mut self, depth: usize) -> Result<Expr, String> {
        self.skip_space();
        if self.eat("\"") {
            return self.quoted('"').map(Expr::Literal);
        }
        if self.eat("'") {
            let pointer = self.quoted('\'')?;
            return pointer_of(&pointer);
        }
        if self.rest.starts_with('/') {
            let end = self.rest.find(['|', ')', '}']).unwrap_or(self.rest.len());
            let (pointer, rest) = self.rest.split_at(end);
            self.rest = rest;
            return pointer_of(pointer.trim_end());
        }
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        if name == "null" {
            return Ok(Expr::Null);
        }
        if name.is_empty() || !self.eat("(") {
            return Err(
                "a placeholder holds JSON Pointers such as `/user/name`, texts in double quotes, or functions of them"
                    .to_owned(),
            );
        }
        self.skip_space();
        let argument = if matches!(name, "after" | "before") && self.eat("\"") {
            let text = self.quoted('"')?;
            self.skip_space();
            if !self.eat(",") {
                return Err(format!("`{name}(\"…\"` must go on with `, ` and a value"));
            }
            Some(text)
        } else {
            None
        };
        let function = Function::named(name, argument)?;
        Ok(Expr::Call(function, self.alternatives(')', depth + 1)?))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let Some((text, rest)) = self.rest.split_once(quote) else {
            return Err(format!("a `{quote}` without its end"));
        };
        self.rest = rest;
        Ok(text.to_owned())
    }
}

fn pointer_of(text: &str) -> Result<Expr, String> {
    check_pointer(text)?;
    Ok(Expr::Pointer(text.to_owned()))
}

/// Checks a JSON Pointer (RFC 6901).
pub(super) fn check_pointer(text: &str) -> Result<(), String> {
    if !text.starts_with('/') {
        return Err(format!(
            "`{text}` is not a JSON Pointer: it begins with `/`"
        ));
    }
    let bad_escape = text
        .split('~')
        .skip(1)
        .any(|after| !after.starts_with(['0', '1']));
    if bad_escape {
        return Err(format!(
            "`{text}` is not a JSON Pointer: `~` is written `~0`, and `/` in a key `~1`"
        ));
    }
    Ok(())
}
