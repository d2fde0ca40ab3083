//! Redaction: secrets are replaced before anything is shown.
//!
//! Owns the mark and the replacing. Which fields are secret is the model's knowledge; who may see them the daemon's.

use serde_json::{Map, Value};

/// What stands in a view where a secret stands in the store. Never a plausible value.
pub const REDACTED: &str = "[redacted]";

/// Replaces the values at these JSON Pointers by [`REDACTED`] and returns the pointers at which there was one.
///
/// `null` stays: that there is no value is no secret.
pub fn redact(object: &mut Map<String, Value>, pointers: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for pointer in pointers {
        if let Some(value) = at_mut(object, pointer)
            && !value.is_null()
        {
            *value = Value::String(REDACTED.to_owned());
            found.push(pointer.clone());
        }
    }
    found
}

/// Whether a JSON Pointer is a secret one or lies below one.
pub fn covers(pointers: &[String], path: &str) -> bool {
    pointers.iter().any(|p| {
        path == p
            || path
                .strip_prefix(p.as_str())
                .is_some_and(|rest| rest.starts_with('/'))
    })
}

fn at_mut<'a>(object: &'a mut Map<String, Value>, pointer: &str) -> Option<&'a mut Value> {
    let rest = pointer.strip_prefix('/')?;
    let (first, rest) = rest
        .split_once('/')
        .map_or((rest, None), |(first, rest)| (first, Some(rest)));
    let value = object.get_mut(&first.replace("~1", "/").replace("~0", "~"))?;
    match rest {
        None => Some(value),
        Some(rest) => value.pointer_mut(&format!("/{rest}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_present_values_are_replaced() {
        let Value::Object(mut state) = json!({"a": {"hash": "x"}, "b": null, "c": 1}) else {
            unreachable!()
        };
        let pointers = ["/a/hash".to_owned(), "/b".to_owned(), "/nope/x".to_owned()];
        assert_eq!(redact(&mut state, &pointers), ["/a/hash"]);
        assert_eq!(
            Value::Object(state),
            json!({"a": {"hash": REDACTED}, "b": null, "c": 1})
        );
    }

    #[test]
    fn a_secret_covers_what_lies_below_it() {
        let pointers = ["/a".to_owned()];
        assert!(covers(&pointers, "/a") && covers(&pointers, "/a/b"));
        assert!(!covers(&pointers, "/ab"));
    }
}
