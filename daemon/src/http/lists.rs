//! Lists in request bodies: one is taken only where a list belongs.
//!
//! serde reads a list as the fields of a struct in their order: `["CreateUser", {…}, "ann"]` would be a command, though no
//! client writes one, and no description allows it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::{Path, Track};

/// Fields that hold lists. A test holds them against the API's description.
const LISTS: [&str; 8] = [
    "do",
    "edits",
    "event_types",
    "events",
    "fields",
    "handlers",
    "layers",
    "scenarios",
];
/// Fields in which anything may be: payloads, and parameters of rules, which their model checks.
const PAYLOADS: [&str; 4] = ["data", "metadata", "payload", "rules"];

/// Refuses a list where none belongs, with the place where it stands. Of what is no JSON the error is one of syntax.
pub(super) fn check_lists(bytes: &[u8]) -> Result<(), (Path, serde_json::Error)> {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let mut track = Track::new();
    let value = Value { may_be_list: false };
    let checked = value.deserialize(serde_path_to_error::Deserializer::new(
        &mut text, &mut track,
    ));
    checked.map_err(|error| (track.path(), error))
}

/// Whether [`check_lists`] finds nothing, without a trace of where it was.
pub(super) fn has_no_misplaced_list(bytes: &[u8]) -> bool {
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = Value { may_be_list: false };
    value.deserialize(&mut text).is_ok()
}

/// A value of a body.
struct Value {
    may_be_list: bool,
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let key = key.as_str();
            if PAYLOADS.contains(&key) {
                map.next_value::<IgnoredAny>()?;
            } else {
                let may_be_list = LISTS.contains(&key);
                map.next_value_seed(Self { may_be_list })?;
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if !self.may_be_list {
            return Err(A::Error::custom("must not be a list"));
        }
        let item = || Self { may_be_list: false };
        while items.next_element_seed(item())?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// Fields of request bodies that the API's description calls lists.
    fn lists(schema: &Value, document: &Value, found: &mut BTreeSet<String>) {
        if let Some(place) = schema["$ref"].as_str() {
            let place = place.trim_start_matches('#');
            return lists(document.pointer(place).unwrap(), document, found);
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            if field["items"].is_object() {
                found.insert(name.clone());
            }
            lists(field, document, found);
        }
        for kind in ["oneOf", "anyOf", "allOf"] {
            for part in schema[kind].as_array().into_iter().flatten() {
                lists(part, document, found);
            }
        }
        if schema["items"].is_object() {
            lists(&schema["items"], document, found);
        }
    }

    #[test]
    fn every_list_that_comes_in_is_known_as_one() {
        let document = crate::http::openapi();
        let mut found = BTreeSet::new();
        let paths = document["paths"].as_object().unwrap().values();
        for operation in paths.flat_map(|path| path.as_object().unwrap().values()) {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            lists(body, &document, &mut found);
        }
        assert_eq!(found, LISTS.map(str::to_owned).into());
    }

    #[test]
    fn a_list_stands_only_where_one_belongs() {
        for (body, place) in [
            (
                r#"{"events":[{"event_type":"T","data":{"a":[[1]]}}]}"#,
                None,
            ),
            (
                r#"{"do":[{"command":{"payload":[1],"n":1.50}}],"edits":[]}"#,
                None,
            ),
            ("[]", Some(".")),
            (r#"{"events":[["T",{}]]}"#, Some("events[0]")),
            (r#"{"do":[{"command":["T"]}]}"#, Some("do[0].command")),
            (r#"{"edits":[{"drop":[1]}]}"#, Some("edits[0].drop")),
        ] {
            let refused = check_lists(body.as_bytes()).err();
            let at = refused.map(|(path, error)| {
                assert!(error.is_data(), "{body}: {error}");
                path.to_string()
            });
            assert_eq!(at.as_deref(), place, "{body}");
        }
    }
}
