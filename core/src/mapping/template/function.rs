//! Functions of a placeholder: what each makes of a value.

use serde_json::Value;

use super::super::bounds::{Budget, Misfit, values_in};
use super::{Found, as_text};
use crate::json;
use crate::time::Timestamp;

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

/// The functions there are, for the error about an unknown one.
const FUNCTIONS: &str =
    "lower, upper, last, slug, json, text, seconds, millis, after(\"…\", …), before(\"…\", …)";

impl Function {
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
                "there is no function `{name}`; there are {FUNCTIONS}"
            )),
        }
    }

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
