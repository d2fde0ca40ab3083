//! Redaction by name, at any depth.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::command::{Command, Rejection};
use crate::decider::{Decider, DecodedEvent, Evolution};
use crate::event::NewEvent;
use crate::ids::{Position, Revision};
use crate::merge;
use crate::model::ModelSpec;
use crate::time::Timestamp;

struct Inert;

impl Decider for Inert {
    fn evolve(&self, _: &mut State, _: &DecodedEvent<'_>) -> Result<Evolution, String> {
        Ok(Evolution::Unknown)
    }

    fn decide(&self, _: &State, _: &Command) -> Result<Vec<NewEvent>, Rejection> {
        Ok(Vec::new())
    }
}

fn models() -> Models {
    let spec = ModelSpec {
        category: Some("user".to_owned()),
        secret_fields: vec!["hash".to_owned(), "a/b".to_owned()],
        plaintext_fields: vec!["password".to_owned()],
        ..merge::model().spec().clone()
    };
    Models::new([Model::without_commands(spec, Arc::new(Inert))]).unwrap()
}

fn event(data: &str, metadata: Option<&str>) -> Event {
    Event {
        position: Position(1),
        stream: StreamName::new("user-1").unwrap(),
        revision: Revision(1),
        event_id: "e1".to_owned(),
        event_type: "E".to_owned(),
        schema_version: 1,
        recorded_at: Timestamp::from_micros(0),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: None,
        data: Json::parse(data).unwrap(),
        metadata: metadata.map(|text| Json::parse(text).unwrap()),
    }
}

#[test]
fn secrets_are_taken_out_at_any_depth_and_their_siblings_keep_every_letter() {
    let cases = [
        (
            r#"{"n":1E2,"hash":"S","big":18446744073709551616,"u":"M\u00fcller"}"#,
            r#"{"n":1E2,"hash":"[redacted]","big":18446744073709551616,"u":"M\u00fcller"}"#,
            vec!["/data/hash"],
        ),
        (
            r#"{"x":[1,{"hash":{"deep":["S"]},"y":[[],{"password":7}]}],"z":"hash"}"#,
            r#"{"x":[1,{"hash":"[redacted]","y":[[],{"password":"[redacted]"}]}],"z":"hash"}"#,
            vec!["/data/x/1/hash", "/data/x/1/y/1/password"],
        ),
        (
            r#"{"h\u0061sh":"S","a\/b":true,"null":{"hash":null}}"#,
            r#"{"h\u0061sh":"[redacted]","a\/b":"[redacted]","null":{"hash":null}}"#,
            vec!["/data/hash", "/data/a~1b"],
        ),
        (
            r#"{"hashes":"x","a":{"b":1}}"#,
            r#"{"hashes":"x","a":{"b":1}}"#,
            vec![],
        ),
    ];
    for (data, expected, pointers) in cases {
        let shown = Reveal::NO.show(&models(), event(data, None));
        assert_eq!(shown.data.as_str(), expected);
        assert_eq!(shown.redacted(), pointers, "{data}");
        // A state of the same content loses the same.
        let Value::Object(mut state) = Json::parse(data).unwrap().to_value() else {
            unreachable!()
        };
        let model = models().for_category("user").clone();
        let found = redact_state(&model, &mut state);
        assert_eq!(below("/data", found).collect::<Vec<_>>(), pointers);
        let wanted = Json::parse(expected).unwrap().to_value();
        assert!(crate::same::same(&Value::Object(state), &wanted));
    }
}

#[test]
fn metadata_is_looked_at_and_revealing_shows_everything() {
    let given = event(
        "{}",
        Some(r#"{"request":{"password":"p","ip":"10.0.0.1"}}"#),
    );
    let shown = Reveal::NO.show(&models(), given.clone());
    assert_eq!(
        serde_json::to_value(&shown).unwrap()["metadata"],
        json!({"request": {"password": "[redacted]", "ip": "10.0.0.1"}})
    );
    assert_eq!(
        serde_json::to_value(&shown).unwrap()["redacted"],
        json!(["/metadata/request/password"])
    );
    let mut noted = false;
    let revealed = Reveal::asked(true, || noted = true).show(&models(), given.clone());
    assert!(noted && revealed.redacted().is_empty());
    assert_eq!(*revealed, given);
    assert!(
        serde_json::to_value(&revealed)
            .unwrap()
            .get("redacted")
            .is_none()
    );
}

#[test]
fn a_category_without_a_model_has_no_secrets() {
    let mut given = event(r#"{"hash":"S"}"#, None);
    given.stream = StreamName::new("door-1").unwrap();
    let shown = Reveal::NO.show(&models(), given.clone());
    assert_eq!(shown.into_inner(), given);
}

#[test]
fn a_diff_says_that_a_secret_changed_and_not_from_what_to_what() {
    let states = [
        json!({"hash": "A", "list": [{"hash": "A"}], "gone": {"hash": "A", "n": 1}}),
        json!({"hash": "B", "list": [{"hash": "B"}], "new": {"x": {"hash": ["B"]}}}),
    ];
    let [before, after] = states.map(|state| match state {
        Value::Object(state) => state,
        _ => unreachable!(),
    });
    let mut diff = crate::diff::diff(&before, &after);
    let model = models().for_category("user").clone();
    let found = redact_diff(&Redaction::of(&model), &mut diff);
    let text = serde_json::to_string(&diff).unwrap();
    assert!(!text.contains("\"A\"") && !text.contains("\"B\""), "{text}");
    assert!(text.contains(r#"{"hash":"[redacted]","n":1}"#), "{text}");
    assert!(found.contains(&"/0/before".to_owned()), "{found:?}");
}
