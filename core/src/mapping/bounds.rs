//! What a rule may make of a record, bounded while it is made, and why it could not.

use serde_json::Value;

/// Bytes that a rule may make of one record: an event's data and metadata at their largest, and its names.
pub const MADE_BYTES_MAX: usize = (2 << 20) + (64 << 10);
/// JSON values (objects, lists and what is in them) that one record may hold, and that a rule may make of it.
pub const VALUES_MAX: usize = 100_000;
/// Characters of a value that an error repeats.
const QUOTED_CHARS_MAX: usize = 64;

/// What may still be made of a record.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: usize,
    values: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            bytes: MADE_BYTES_MAX,
            values: VALUES_MAX,
        }
    }
}

impl Budget {
    /// Takes from it, before anything is copied.
    pub(super) fn spend(&mut self, bytes: usize, values: usize) -> Result<(), Misfit> {
        match (
            self.bytes.checked_sub(bytes),
            self.values.checked_sub(values),
        ) {
            (Some(bytes), Some(values)) => {
                (self.bytes, self.values) = (bytes, values);
                Ok(())
            }
            _ => Err(Misfit::TooMuch),
        }
    }

    /// Takes what a copy of a value costs.
    pub(super) fn spend_value(&mut self, value: &Value) -> Result<(), Misfit> {
        match value {
            Value::Null | Value::Bool(_) => self.spend(5, 1),
            Value::Number(number) => self.spend(number.as_str().len(), 1),
            Value::String(text) => self.spend(text.len(), 1),
            Value::Array(items) => {
                self.spend(2, 1)?;
                items.iter().try_for_each(|item| self.spend_value(item))
            }
            Value::Object(fields) => {
                self.spend(2, 1)?;
                fields.iter().try_for_each(|(key, value)| {
                    self.spend(key.len(), 0)?;
                    self.spend_value(value)
                })
            }
        }
    }
}

/// Why a template could not make anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misfit {
    /// A value is there, and no alternative can use it.
    #[error("`{function}` cannot use {value}, and no alternative has another value")]
    Unusable {
        function: &'static str,
        value: String,
    },
    /// A number that is no count of this unit, unless something happened when nothing does.
    #[error("`{unit}` of {value}: {why}; is it in another unit?")]
    Implausible {
        unit: &'static str,
        value: String,
        why: String,
    },
    /// An object or list where a text is wanted.
    #[error(
        "{value} is not a text; name the part of it that is meant, or write `text(…)` for all of it"
    )]
    NoText { value: String },
    /// It would be more than an event can hold.
    #[error(
        "would make more of this record than an event can hold ({MADE_BYTES_MAX} bytes, {VALUES_MAX} values)"
    )]
    TooMuch,
}

impl Misfit {
    pub(super) fn unusable(function: &'static str, value: &Value) -> Self {
        Self::Unusable {
            function,
            value: quoted(value),
        }
    }

    pub(super) fn implausible(unit: &'static str, value: &Value, why: String) -> Self {
        Self::Implausible {
            unit,
            value: quoted(value),
            why,
        }
    }

    pub(super) fn no_text(value: &Value) -> Self {
        Self::NoText {
            value: quoted(value),
        }
    }
}

/// A value for an error's words.
fn quoted(value: &Value) -> String {
    format!("`{}`", cut(&short(value)))
}

/// The beginning of a text for an error's words.
pub(super) fn cut(text: &str) -> String {
    let mut out: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

/// The beginning of a value's text: of a large one not all of it is made.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.chars().take(QUOTED_CHARS_MAX + 1).collect(),
        Value::Array(items) if items.len() > QUOTED_CHARS_MAX => {
            let items = items.get(..QUOTED_CHARS_MAX).unwrap_or_default();
            format!("[{}", items.iter().map(short).collect::<Vec<_>>().join(","))
        }
        Value::Object(fields) if fields.len() > QUOTED_CHARS_MAX => {
            let keys: Vec<_> = fields.keys().take(QUOTED_CHARS_MAX).cloned().collect();
            format!("{{{}", keys.join(","))
        }
        other => other.to_string(),
    }
}

/// How many JSON values a text holds, without reading them; at least one. Exact for JSON, for other texts a number.
pub(super) fn values_in(text: &str) -> usize {
    let (mut count, mut in_string, mut escaped) = (1, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_counted_without_reading_them() {
        for (text, count) in [
            ("1", 1),
            ("[1,2]", 3),
            (r#"{"a":[1,{"b":2}],"c,[{":"x,\",["}"#, 6),
        ] {
            assert_eq!(values_in(text), count, "{text}");
        }
    }

    #[test]
    fn errors_repeat_the_beginning_of_a_value() {
        let long = "x".repeat(1_000);
        let said = Misfit::unusable("json", &json!(long)).to_string();
        assert!(said.len() < 150 && said.contains('…'), "{said}");
        let list = json!(vec![1; 100_000]);
        assert!(Misfit::no_text(&list).to_string().len() < 180);
    }
}
