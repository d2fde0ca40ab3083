//! YAML 1.2, of which JSON is a part: blocks for objects and lists, and every text in double quotes that is not a plain word.

use std::fmt::Write as _;

use serde_json::Value;
use whodunit_core::text::is_unsafe;

/// Words that a reader would not take for texts.
const RESERVED: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// A whole document.
pub(super) fn document(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(fields) if !fields.is_empty() => block(value, 0, false, &mut out),
        Value::Array(items) if !items.is_empty() => block(value, 0, false, &mut out),
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out
}

/// An item of a list.
pub(super) fn item(value: &Value) -> String {
    let mut out = "- ".to_owned();
    element(value, 0, &mut out);
    out
}

/// An object or a list that is not empty. `in_line`: its first line begins where the cursor is.
fn block(value: &Value, indent: usize, in_line: bool, out: &mut String) {
    let mut first = in_line;
    let mut start = |out: &mut String| {
        if !std::mem::replace(&mut first, false) {
            out.push_str(&" ".repeat(indent));
        }
    };
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                start(out);
                out.push_str(&text(name));
                out.push(':');
                if is_block(field) {
                    out.push('\n');
                    block(field, indent + 2, false, out);
                } else {
                    out.push(' ');
                    out.push_str(&scalar(field));
                    out.push('\n');
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                start(out);
                out.push_str("- ");
                element(item, indent, out);
            }
        }
        _ => {}
    }
}

fn element(value: &Value, indent: usize, out: &mut String) {
    if is_block(value) {
        block(value, indent + 2, true, out);
    } else {
        out.push_str(&scalar(value));
        out.push('\n');
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(value) => text(value),
        // `null`, booleans, numbers as recorded, `{}` and `[]`.
        other => other.to_string(),
    }
}

fn text(value: &str) -> String {
    let mut characters = value.chars();
    let is_word = characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && !RESERVED.contains(&value.to_ascii_lowercase().as_str());
    if is_word {
        return value.to_owned();
    }
    let mut out = "\"".to_owned();
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{feff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            character if is_unsafe(character) => {
                // No surrogates: YAML has an escape for every character.
                let _ = write!(out, "\\U{:08x}", u32::from(character));
            }
            character => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_in_blocks() {
        let value = json!({
            "stream": "user-1", "n": serde_json::from_str::<Value>("1.50").unwrap(), "on": "yes", "empty": {}, "none": [], "nothing": null, "title": "sarah@example.com",
            "deep": {"list": [1, "two", {"a": 1, "b": {"c": []}}, [true]]}, "odd key": "x: y # z", "": ""
        });
        insta::assert_snapshot!(document(&value), @r#"
        stream: user-1
        "n": 1.50
        "on": "yes"
        empty: {}
        none: []
        nothing: null
        title: "sarah@example.com"
        deep:
          list:
            - 1
            - two
            - a: 1
              b:
                c: []
            - - true
        "odd key": "x: y # z"
        "": ""
        "#);
        assert_eq!(document(&json!({})), "{}\n");
        assert_eq!(document(&json!("a")), "a\n");
    }

    #[test]
    fn texts_that_look_like_something_else_are_quoted() {
        for value in [
            "",
            "true",
            "No",
            "1",
            "1e5",
            "-",
            "a: b",
            "#x",
            "~",
            "2025-03-01",
            " a",
        ] {
            assert!(text(value).starts_with('"'), "{value}");
        }
        assert_eq!(
            text("a\u{1b}\u{e0001}\u{2028}\r"),
            "\"a\\U0000001b\\U000e0001\\u2028\\U0000000d\""
        );
        assert_eq!(text("user-7f3"), "user-7f3");
    }
}
