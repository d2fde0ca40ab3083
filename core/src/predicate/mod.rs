//! Predicates: conditions over a state, the event that led to it, and decisions.
//!
//! Owns the language: a strict subset of CEL (Common Expression Language), syntax and meaning, and the two things that are
//! added to it. A predicate is checked when it is read: what can be known to be wrong then (types, unknown fields,
//! patterns, its size) is an error with its place in the text. Never does more work than its bounds allow, and sees nothing that is not
//! shown: a secret reads as its mark.
//!
//! # The language
//!
//! `state` and `before` (the state before the event) are JSON objects; `event` and `decision` have the fields of the same
//! names on the wire. `== != < <= > >= in && || ! ?:`, `.field`, `["key"]`, `[0]`, lists of values, `has(x.f)`, `size(x)`,
//! `x.startsWith(y)`, `x.endsWith(y)`, `x.contains(y)`, `x.matches("pattern")`, `x.exists(v, …)`, `x.all(v, …)`,
//! `x.exists_one(v, …)`, `timestamp("…")`. There is no arithmetic.
//!
//! Added: a bare JSON Pointer `/status` is short for that path of the state; `changed("/p")` says whether the event changed
//! what is there, and `was("/p")` is what was there before.
//!
//! # Absence
//!
//! As in CEL, what is not there has no value: a comparison with it is neither true nor false but undefined, `!` leaves it so,
//! `&&` and `||` are decided by their other side where that suffices, and everything else is undefined with it. A predicate holds
//! only where it is true; that it was undefined is told apart from false ([`Truth`]). `null` is a value, and is there.
//!
//! # Numbers
//!
//! A number is a decimal, and keeps its digits: there is no 64-bit bound, and no rounding.

mod demands;
mod eval;
mod expr;
mod fields;
mod needs;
mod parse;
mod print;
mod scope;
mod token;
mod types;
mod value;

use std::fmt;
use std::str::FromStr;

pub use demands::{Demand, FIELD_BYTES_MAX, FieldOf, FieldPath, NoField, dotted};
use expr::Expr;
pub use needs::{Before, Needs};
pub use scope::Scope;

/// The fields that an `event` has.
pub const EVENT_FIELDS: [&str; 13] = fields::event_names();
/// Bytes of a predicate's text.
pub const PREDICATE_BYTES_MAX: usize = 4 << 10;
/// Levels of a predicate: parentheses, operators and fields within one another.
pub const PREDICATE_DEPTH_MAX: usize = 64;
/// Steps of one evaluation: values looked at, and bytes of texts searched.
pub const PREDICATE_STEPS_MAX: u64 = 1_000_000;
/// Bytes that a pattern of `matches` may take once it is compiled.
pub const PATTERN_BYTES_MAX: usize = 256 << 10;

/// A condition that was read and checked.
#[derive(Debug, Clone)]
pub struct Predicate {
    text: String,
    expr: Expr,
    needs: Needs,
}

/// Why a text is no predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PredicateError {
    /// Where in the text: a byte offset, at most its length.
    pub at: usize,
    /// The same as a column, counted in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, where that can be told.
    pub hint: Option<String>,
}

impl fmt::Display for PredicateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for PredicateError {}

impl PredicateError {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self {
            at,
            column: 0,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, placed in the text it is about.
    fn placed(mut self, text: &str) -> Self {
        self.at = self.at.min(text.len());
        let before = text.char_indices().take_while(|(at, _)| *at < self.at);
        self.column = before.count() + 1;
        self
    }
}

/// What a predicate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It says nothing: something it asks about is not there, or is of another type. It does not hold.
    Undefined(Undefined),
}

impl Truth {
    /// Whether it holds.
    pub fn holds(self) -> bool {
        self == Self::True
    }
}

/// Why an expression has no value. [`Predicate::describe`] says it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undefined {
    /// Where the expression stands in the predicate's text: first byte and the one after its last.
    span: (usize, usize),
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// There is no such field or element.
    Absent,
    /// There is no event, state before it, or decision here.
    NotHere(&'static str),
    /// It is of this type, and another is needed.
    Type {
        found: &'static str,
        needed: &'static str,
    },
    /// A text that was to be a time is none.
    NoTime,
}

/// An evaluation took more than [`PREDICATE_STEPS_MAX`] steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the predicate takes more than {PREDICATE_STEPS_MAX} steps on this state")]
pub struct TooMuchWork;

impl Predicate {
    /// Reads and checks a predicate.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, PredicateError> {
        let checked = || {
            let expr = parse::parse(text)?;
            types::check(&expr)?;
            Ok(expr)
        };
        let expr = checked().map_err(|error: PredicateError| error.placed(text))?;
        Ok(Self {
            text: text.to_owned(),
            needs: needs::find(&expr),
            expr,
        })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it must be given to say anything.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// What it says of this.
    ///
    /// # Errors
    /// When that would be too much work.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Truth, TooMuchWork> {
        eval::evaluate(&self.expr, scope)
    }

    /// Why it was undefined, as a sentence without its full stop.
    pub fn describe(&self, undefined: Undefined) -> String {
        let (from, to) = undefined.span;
        let text = self.text.get(from..to).unwrap_or(&self.text);
        match undefined.why {
            Why::Absent => format!("`{text}` is not there"),
            Why::NotHere(what) => format!("there is no {what} here for `{text}`"),
            Why::Type { found, needed } => format!("`{text}` is {found}, not {needed}"),
            Why::NoTime => format!("`{text}` is a text that is not a time"),
        }
    }
}

/// Two are equal when they say the same in the same way, whatever their white space.
impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}

impl FromStr for Predicate {
    type Err = PredicateError;

    fn from_str(text: &str) -> Result<Self, PredicateError> {
        Self::parse(text)
    }
}

/// Writes it in its shortest spelling, which reads as the same predicate.
impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

#[cfg(test)]
mod tests;
