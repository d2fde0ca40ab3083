//! A check says what is wrong, of whatever kind, and says the same as a full implementation of JSON Schema.

use proptest::prelude::*;
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

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        prop::sample::select(vec![
            "1.0",
            "1.5",
            "-0",
            "1e2",
            "100000000000000000000000",
            "0.1"
        ])
        .prop_map(|number| serde_json::from_str(number).unwrap()),
        prop::sample::select(vec![
            "",
            "a",
            "ab",
            "abc",
            "\u{e9}e\u{301}",
            "\u{1f600}\u{1f600}"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(vec!["a", "b", "c/d"]), inner), 0..3)
                .prop_map(|fields| fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

fn any_schema() -> impl Strategy<Value = Value> {
    let kinds = vec![
        "string", "number", "integer", "boolean", "object", "array", "null",
    ];
    let keyword = prop_oneof![
        prop::sample::select(kinds.clone()).prop_map(|kind| ("type", json!(kind))),
        prop::sample::subsequence(kinds, 1..3).prop_map(|kinds| ("type", json!(kinds))),
        prop::sample::subsequence(vec!["a", "b", "c/d"], 0..3)
            .prop_map(|names| ("required", json!(names))),
        any::<bool>().prop_map(|more| ("additionalProperties", json!(more))),
        (0..4).prop_map(|n| ("minLength", json!(n))),
        (0..4).prop_map(|n| ("maxLength", json!(n))),
        prop::collection::vec(any_value(), 1..3).prop_map(|values| ("enum", json!(values))),
    ];
    let plain = prop::collection::vec(keyword, 0..3).prop_map(|keywords| {
        let keywords = keywords.into_iter();
        keywords
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Value>()
    });
    plain.prop_recursive(2, 8, 2, |inner| {
        (inner.clone(), inner.clone(), inner).prop_map(|(mut schema, a, items)| {
            schema["properties"] = json!({"a": a});
            schema["items"] = items;
            schema
        })
    })
}

proptest! {
    #![proptest_config(crate::seeded::seeded(2_000))]

    #[test]
    fn the_same_payloads_are_well_formed_as_for_a_full_validator(schema in any_schema(), payload in any_value()) {
        let payload = match payload {
            Value::Object(payload) => payload,
            other => Map::from_iter([("a".to_owned(), other)]),
        };
        let found = PayloadSchema::compile(&schema).unwrap().check(&payload);
        let full = jsonschema::draft202012::new(&schema).unwrap();
        let wrong: std::collections::BTreeSet<String> = full
            .iter_errors(&Value::Object(payload))
            .map(|error| error.instance_path().to_string())
            .collect();
        prop_assert_eq!(found.is_empty(), wrong.is_empty(), "{:?} {:?}", found, wrong);
        // A field that is missing or unknown is named itself here, and its object there.
        for at in &wrong {
            let named = |error: &FieldError| error.pointer == *at || error.pointer.starts_with(&format!("{at}/"));
            prop_assert!(found.iter().any(named), "{} is not among {:?}", at, found);
        }
    }
}
