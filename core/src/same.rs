//! Sameness: whether two contents are equal as JSON values.
//!
//! Owns the one rule by which repeated appends and commands, diffs, first divergences, filters and the like are told:
//! equal as JSON values. Order of keys, escapes, white space and the spelling of numbers make no difference; numbers are
//! compared as decimals. `PartialEq` of values and of [`Json`] compares spellings and is not used for this.

use serde_json::Value;

use crate::json::{Json, State};
use crate::number;

/// Whether two values are equal as JSON.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => number::same(a, b),
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => same_object(a, b),
        _ => false,
    }
}

/// Whether two objects, such as states, are equal as JSON.
pub fn same_object(a: &State, b: &State) -> bool {
    a.len() == b.len()
        && a.iter()
            .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
}

/// Whether two payloads are equal as JSON.
pub fn same_text(a: &Json, b: &Json) -> bool {
    a == b || same(&a.to_value(), &b.to_value())
}

/// Whether two payloads that may be absent say the same: absent, `null` and the empty object do.
pub fn same_optional(a: Option<&Json>, b: Option<&Json>) -> bool {
    let said = |json: Option<&Json>| {
        json.filter(|json| !matches!(json.as_str(), "null" | "{}"))
            .cloned()
    };
    match (said(a), said(b)) {
        (None, None) => true,
        (Some(a), Some(b)) => same_text(&a, &b),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn spelling_makes_no_difference_and_content_does() {
        let same = [
            (r#"{"a":1,"b":2}"#, r#"{ "b":2.0, "a":10e-1 }"#),
            (r#"{"M\u00fcller":["\/"]}"#, r#"{"Müller":["/"]}"#),
            ("[1e400]", "[10e399]"),
        ];
        for (a, b) in same {
            assert!(same_text(&json(a), &json(b)), "{a} {b}");
        }
        let different = [
            ("1", "\"1\""),
            ("0", "false"),
            ("null", "{}"),
            (r#"{"a":null}"#, "{}"),
            ("[1,2]", "[2,1]"),
            ("18446744073709551616", "18446744073709551617"),
            // Two texts that read alike are two texts.
            (r#""e\u0301""#, r#""\u00e9""#),
        ];
        for (a, b) in different {
            assert!(!same_text(&json(a), &json(b)), "{a} {b}");
        }
    }

    #[test]
    fn absent_null_and_empty_metadata_say_the_same() {
        let all = [
            None,
            Some(json("null")),
            Some(json("{}")),
            Some(json(r#"{"a":1}"#)),
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                let expected = (i < 3) == (j < 3);
                assert_eq!(
                    same_optional(a.as_ref(), b.as_ref()),
                    expected,
                    "{a:?} {b:?}"
                );
            }
        }
    }
}
