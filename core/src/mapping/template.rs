//! Templates: texts with placeholders that are filled from a record.
//!
//! `user-{lower(/name | /login)}`: a placeholder holds alternatives, the first that has a value is taken.

use std::borrow::Cow;

use chrono::DateTime;
use serde_json::Value;

use crate::time::Timestamp;

/// How deep functions may be nested.
const DEPTH_MAX: usize = 8;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template {
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
        Ok(Self { pieces })
    }

    /// The text, or `None` when a placeholder has no value.
    pub(super) fn text(&self, record: &Value) -> Option<String> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(alternatives) => {
                    let value = first(alternatives, record)?;
                    out.push_str(&as_text(value.as_ref()));
                }
            }
        }
        Some(out)
    }

    /// The value: of a lone placeholder as it is, of everything else the text.
    pub(super) fn value(&self, record: &Value) -> Option<Value> {
        match self.pieces.as_slice() {
            [Piece::Value(alternatives)] => first(alternatives, record).map(Cow::into_owned),
            _ => self.text(record).map(Value::String),
        }
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

fn first<'a>(alternatives: &[Expr], record: &'a Value) -> Option<Cow<'a, Value>> {
    alternatives.iter().find_map(|expr| expr.value(record))
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Expr {
    fn value<'a>(&self, record: &'a Value) -> Option<Cow<'a, Value>> {
        match self {
            Self::Pointer(pointer) => lookup(record, pointer).map(Cow::Borrowed),
            Self::Literal(text) => Some(Cow::Owned(Value::String(text.clone()))),
            Self::Null => Some(Cow::Owned(Value::Null)),
            Self::Call(function, alternatives) => {
                let value = first(alternatives, record)?;
                function.call(value.as_ref()).map(Cow::Owned)
            }
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

    /// `None` when the function makes nothing of the value: the next alternative is taken.
    fn call(&self, value: &Value) -> Option<Value> {
        let text = as_text(value);
        let text = match self {
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::Last => last_segment(&text).to_owned(),
            Self::Slug => slug(&text),
            Self::Text => text,
            Self::Json => return crate::json::read(&text).ok(),
            Self::Seconds => moment(value, 1_000_000)?,
            Self::Millis => moment(value, 1_000)?,
            Self::After(mark) => text.rsplit_once(mark.as_str())?.1.to_owned(),
            Self::Before(mark) => text.split_once(mark.as_str())?.0.to_owned(),
        };
        Some(Value::String(text))
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

/// A count of units since 1970 as an RFC 3339 time.
fn moment(value: &Value, micros_per_unit: i64) -> Option<String> {
    let micros = match value {
        Value::Number(number) => match number.as_i64() {
            Some(units) => units.checked_mul(micros_per_unit)?,
            None => rounded(number.as_f64()?, micros_per_unit)?,
        },
        Value::String(text) => match text.trim().parse::<i64>() {
            Ok(units) => units.checked_mul(micros_per_unit)?,
            Err(_not_whole) => rounded(text.trim().parse().ok()?, micros_per_unit)?,
        },
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let at = Timestamp::from_micros(micros);
    // Beyond the years 1 to 9999 the moment was moved: that would be a guess.
    (at.as_micros() == micros).then(|| at.to_string())
}

fn rounded(units: f64, micros_per_unit: i64) -> Option<i64> {
    let seconds = match micros_per_unit {
        1_000 => units / 1_000.0,
        _ => units,
    };
    // Whole seconds and the fraction apart: a double holds today's microseconds only just.
    let whole = seconds.floor();
    let date = DateTime::from_timestamp(whole_i64(whole)?, 0)?;
    let fraction = whole_i64(((seconds - whole) * 1e6).round())?;
    date.timestamp()
        .checked_mul(1_000_000)?
        .checked_add(fraction)
}

fn whole_i64(value: f64) -> Option<i64> {
    format!("{value:.0}").parse().ok()
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
