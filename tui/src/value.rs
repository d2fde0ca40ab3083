//! Values as people read them, the same in commands and on screens.
//!
//! Owns when a text stands in quotes: where a reader could take it for something else.

use serde_json::Value;
use whodunit_core::text::shown;

/// A value as one line of safe text: a text without quotes where it cannot be mistaken, everything else as compact JSON.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) if !is_mistakable(text) => shown(text).into_owned(),
        other => shown(&other.to_string()).into_owned(),
    }
}

/// Whether a text, shown as it is, would look like another value, or like one without what stands at its ends.
fn is_mistakable(text: &str) -> bool {
    let first = text.chars().next();
    let at_an_end = |is: fn(char) -> bool| text.starts_with(is) || text.ends_with(is);
    match first {
        None => true,
        // What begins like JSON may be JSON.
        Some('0'..='9' | '-' | 't' | 'f' | 'n' | '{' | '[' | '"') => {
            text.starts_with('"') || serde_json::from_str::<Value>(text).is_ok()
        }
        Some(_) => false,
    }
    .max(at_an_end(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_two_different_values_look_alike() {
        let cases = [
            (json!("1"), "\"1\""),
            (json!(1), "1"),
            (json!("true"), "\"true\""),
            (json!(true), "true"),
            (json!("null"), "\"null\""),
            (json!(null), "null"),
            (json!(""), "\"\""),
            (json!(" x"), "\" x\""),
            (json!("x "), "\"x \""),
            (json!("{}"), "\"{}\""),
            (json!({}), "{}"),
            (json!("\"1\""), "\"\\\"1\\\"\""),
            (json!("2025-03-24T15:47:23Z"), "2025-03-24T15:47:23Z"),
            (json!("true story"), "true story"),
            (json!("a\u{1b}b"), "a␛b"),
        ];
        for (given, expected) in cases {
            assert_eq!(value(&given), expected);
        }
    }
}
