//! Functions that a placeholder may call.

use serde_json::Value;

use super::bounds::{Budget, Misfit, values_in};
use super::expr::Found;
use super::moment::moment;
use crate::json;

/// A function of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Function {
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
const FUNCTIONS: &str =
    "lower, upper, last, slug, json, text, seconds, millis, after(\"…\", …), before(\"…\", …)";

impl Function {
    /// The function of this name.
    pub(super) fn named(name: &str, argument: Option<String>) -> Result<Self, String> {
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
                "there is no function `{name}`; the functions are {FUNCTIONS}"
            )),
        }
    }

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
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
    pub(super) fn of_empty(&self) -> Found<'static> {
        match self {
            Self::Lower | Self::Upper | Self::Last | Self::Slug | Self::Text => Found::Empty,
            Self::Json | Self::Seconds | Self::Millis | Self::After(_) | Self::Before(_) => {
                Found::Nothing
            }
        }
    }

    /// `None` when the function can make nothing of the value.
    pub(super) fn call(&self, value: &Value, budget: &mut Budget) -> Result<Option<Value>, Misfit> {
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
            Self::Seconds => moment(value, 6, self.name())?,
            Self::Millis => moment(value, 3, self.name())?,
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

/// A value as a text.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
