//! Values as people read them, the same in commands and on screens.
//!
//! Owns when a text stands in quotes: where a reader could take it for something else. And which letters are written out: those
//! that look like others.

use std::borrow::Cow;
use std::fmt::Write;

use icu_normalizer::ComposingNormalizer;
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, Script};
use serde_json::Value;
use unicode_security::MixedScript;

use crate::text::shown;

/// A value as one line of safe text: a text without quotes where it cannot be mistaken, everything else as compact JSON.
///
/// ```
/// use serde_json::json;
/// use whodunit_core::shown::value;
/// assert_eq!(value(&json!("active")), "active");
/// assert_eq!(value(&json!("1")), "\"1\"");
/// assert_eq!(value(&json!(1)), "1");
/// ```
pub fn value(value: &Value) -> String {
    let json;
    let text = match value {
        Value::String(text) if !is_mistakable(text) => text.as_str(),
        other => {
            json = other.to_string();
            &json
        }
    };
    shown(&spelled(text)).into_owned()
}

/// Whether a text, shown as it is, would look like another value, or like another text.
fn is_mistakable(text: &str) -> bool {
    let at_an_end = |is: fn(char) -> bool| text.starts_with(is) || text.ends_with(is);
    let looks_like_json = match text.chars().next() {
        None => true,
        // What begins like JSON may be JSON.
        Some('0'..='9' | '-' | 't' | 'f' | 'n' | '{' | '[' | '"') => {
            text.starts_with('"') || serde_json::from_str::<Value>(text).is_ok()
        }
        Some(_) => false,
    };
    looks_like_json
        || at_an_end(char::is_whitespace)
        || text.contains("  ")
        || reads_like_an_escape(text)
        || matches!(spelled(text), Cow::Owned(_))
}

/// Whether a text holds what a character that cannot be seen is written as.
fn reads_like_an_escape(text: &str) -> bool {
    text.contains("\\u{") || text.contains(|c| ('\u{2400}'..='\u{2421}').contains(&c))
}

/// The text with every letter written out that a reader would take for another: accents that stand apart from their letters
/// though there is one letter for both, and letters of another script within a word.
fn spelled(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let composed = ComposingNormalizer::new_nfc().is_normalized(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut is_spelled = false;
    for word in words(text) {
        let foreign = foreign_to(word);
        for c in word.chars() {
            let apart = !composed && is_apart(c);
            let other = foreign.is_some_and(|own| script(c) != own && is_letter(c));
            if apart || other {
                is_spelled = true;
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            } else {
                out.push(c);
            }
        }
    }
    if is_spelled {
        Cow::Owned(out)
    } else {
        Cow::Borrowed(text)
    }
}

/// The words of a text, each with what follows it up to the next one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(|c: char| !c.is_alphanumeric() && !is_apart(c))
}

/// Where a word has letters of scripts that are not written together, the script that its other letters are foreign to.
fn foreign_to(word: &str) -> Option<Script> {
    if word.is_ascii() || word.is_single_script() {
        return None;
    }
    let mut scripts = word.chars().filter(|c| is_letter(*c)).map(script);
    // Latin is what most names are written in, so that it is the others that disguise it.
    let first = scripts.next()?;
    let has_latin = first == Script::Latin || scripts.any(|script| script == Script::Latin);
    Some(if has_latin { Script::Latin } else { first })
}

fn script(c: char) -> Script {
    CodePointMapData::<Script>::new().get(c)
}

/// Whether a character is a letter of a script of its own.
fn is_letter(c: char) -> bool {
    c.is_alphabetic() && !matches!(script(c), Script::Common | Script::Inherited)
}

/// Whether a character is drawn onto the one before it, or joins with it.
fn is_apart(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    matches!(
        category,
        GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark
    ) || ('\u{1160}'..='\u{11ff}').contains(&c)
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
            (json!("x  y"), "\"x  y\""),
            (json!("x y"), "x y"),
            (json!("{}"), "\"{}\""),
            (json!({}), "{}"),
            (json!("\"1\""), "\"\\\"1\\\"\""),
            (json!("2025-03-24T15:47:23Z"), "2025-03-24T15:47:23Z"),
            (json!("true story"), "true story"),
            (json!("a\u{1b}b"), "a␛b"),
            (json!("a␛b"), "\"a␛b\""),
            (json!("a\u{202e}b"), "a\\u{202e}b"),
            (json!("a\\u{202e}b"), "\"a\\\\u{202e}b\""),
            // Composed, and with the accent apart.
            (json!("José"), "José"),
            (json!("Jose\u{301}"), "\"Jose\\u{301}\""),
            (json!("\u{1100}\u{1161}"), "\"\u{1100}\\u{1161}\""),
            // Latin, and with a Cyrillic letter.
            (json!("paypal"), "paypal"),
            (json!("p\u{430}ypal"), "\"p\\u{430}ypal\""),
            (json!({"to": "p\u{430}ypal"}), "{\"to\":\"p\\u{430}ypal\"}"),
        ];
        for (given, expected) in cases {
            assert_eq!(value(&given), expected);
        }
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in [
            "Müller & Søn, 12 €",
            "東京 Tower",
            "русский and English",
            "Ελληνικά",
            "עברית",
            "हिन्दी",
            "한국어",
            "日本語です",
            "5 µm",
        ] {
            assert_eq!(value(&json!(text)), text);
        }
    }
}
