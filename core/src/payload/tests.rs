//! A check says what is wrong, of whatever kind, and says the same as a full implementation of JSON Schema.

use serde_json::json;

use super::*;

fn check(payload: Value) -> Vec<(String, String)> {
    let schema = PayloadSchema::compile(&json!({
        "type": "object",
        "required": ["name", "password"],
        "additionalProperties": false,
        "properties": {"name": {"type": "string", "maxLength": 5}, "password": {"type": "string"}},
    }))
    .unwrap();
    let Value::Object(payload) = payload else {
        unreachable!()
    };
    schema
        .check(&payload)
        .into_iter()
        .map(|e| (e.pointer, e.message))
        .collect()
}

fn pair(pointer: &str, message: &str) -> (String, String) {
    (pointer.to_owned(), message.to_owned())
}

#[test]
fn each_malformed_field_is_named() {
    assert_eq!(check(json!({"name": "ok", "password": "x"})), []);
    assert_eq!(
        check(json!({"name": "ok"})),
        [pair("/password", "is required")]
    );
    assert_eq!(
        check(json!({"name": 1, "password": "x", "a/b": 1})),
        [
            pair("/a~1b", "is not a field of this command"),
            pair("/name", "must be of type string")
        ]
    );
    assert_eq!(
        check(json!({"name": "toolong", "password": ""})),
        [pair("/name", "must be at most 5 characters long")]
    );
}

#[test]
fn a_schema_that_is_none_does_not_compile() {
    assert!(PayloadSchema::compile(&json!({"type": "objekt"})).is_err());
}

#[test]
fn messages_never_quote_a_value() {
    for payload in [
        json!({"name": "toolong-hunter2", "password": ["hunter2"]}),
        json!({"password": {"hunter2": "hunter2"}}),
    ] {
        let text = format!("{:?}", check(payload));
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn what_would_not_be_checked_is_refused() {
    for (schema, named) in [
        (
            json!({"type": "object", "properties": {"a": {"pattern": "^a"}}}),
            "pattern",
        ),
        (
            json!({"properties": {"a/b": {"items": {"oneOf": []}}}}),
            "/properties/a~1b/items",
        ),
        (
            json!({"additionalProperties": {"type": "string"}}),
            "additionalProperties",
        ),
        (
            json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
            "2020-12",
        ),
        (json!({"maxLength": -1}), "maxLength"),
        (json!({"maxLength": 1.5}), "maxLength"),
        (json!({"required": "name"}), "required"),
        (json!({"enum": {}}), "enum"),
        (json!(["type"]), "must be an object"),
    ] {
        let error = PayloadSchema::compile(&schema).err();
        let error = error.unwrap_or_else(|| panic!("{schema} compiles"));
        assert!(error.contains(named), "{error}");
    }
}

/// `tests/oracle.ndjson` has 2,000 random schemas and payloads with the places that version 0.61 of the `jsonschema` crate finds
/// wrong. It was written by a program of its own, as the crate takes longer to build than all the tests.
#[test]
fn the_same_payloads_are_well_formed_as_for_a_full_validator() {
    let mut counts = [0; 2];
    for line in include_str!("tests/oracle.ndjson").lines() {
        let Value::Object(pair) = serde_json::from_str(line).unwrap() else {
            unreachable!()
        };
        let payload = pair["payload"].as_object().unwrap();
        let found = PayloadSchema::compile(&pair["schema"])
            .unwrap()
            .check(payload);
        let wrong = pair["wrong"].as_array().unwrap();
        assert_eq!(found.is_empty(), wrong.is_empty(), "{found:?} {line}");
        counts[usize::from(wrong.is_empty())] += 1;
        // A field that is missing or unknown is named itself here, and its object there.
        for at in wrong.iter().filter_map(Value::as_str) {
            let named = |error: &FieldError| {
                error.pointer == at || error.pointer.starts_with(&format!("{at}/"))
            };
            assert!(found.iter().any(named), "{at} is not among {found:?}");
        }
    }
    assert!(counts.iter().all(|count| *count > 200), "{counts:?}");
}
