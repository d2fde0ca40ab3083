//! Given events, when a command, then events or a rule.

mod names;
mod parameters;
mod rules;

use serde_json::json;

use super::*;
use crate::command::Command;
use crate::decide::{DecisionOutcome, KeyChange, decide};
use crate::event::Event;
use crate::fold::{EventEffect, Folded, fold};
use crate::ids::{Position, Revision, StreamName};
use crate::json::Json;
use crate::time::Timestamp;

/// Reversed text stands in for a hash: enough to see what is kept and what is not.
struct Reversed;

impl Passwords for Reversed {
    fn hash(&self, plaintext: &str) -> Result<String, String> {
        Ok(format!(
            "hash:{}",
            plaintext.chars().rev().collect::<String>()
        ))
    }

    fn verify(&self, plaintext: &str, hash: &str) -> Result<bool, String> {
        Ok(self.hash(plaintext)? == hash)
    }
}

fn users() -> Model {
    model(Arc::new(Reversed)).unwrap()
}

fn at(day: i64) -> Timestamp {
    "2025-03-01T09:00:00Z"
        .parse::<Timestamp>()
        .unwrap()
        .plus_micros(day * 86_400_000_000)
}

fn history(events: &[(&str, Value)]) -> Vec<Event> {
    let mut revision = 0;
    events
        .iter()
        .map(|(event_type, data)| {
            revision += 1;
            Event {
                position: Position(revision),
                stream: StreamName::new("user-1").unwrap(),
                revision: Revision(revision),
                event_id: format!("e{revision}"),
                event_type: (*event_type).to_owned(),
                schema_version: 1,
                recorded_at: at(i64::try_from(revision).unwrap()),
                actor: None,
                reason: None,
                correlation_id: None,
                causation_id: None,
                data: Json::from(data),
                metadata: None,
            }
        })
        .collect()
}

fn created() -> (&'static str, Value) {
    (
        "UserCreated",
        json!({"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah", "last_name": "Kim", "password_hash": "hash:drowssap"}),
    )
}

fn command(command_type: &str, payload: Value, reason: Option<&str>) -> Command {
    let Value::Object(payload) = payload else {
        unreachable!()
    };
    Command {
        command_id: "c1".to_owned(),
        stream: StreamName::new("user-1").unwrap(),
        command_type: command_type.to_owned(),
        payload,
        actor: Some("api".to_owned()),
        reason: reason.map(str::to_owned),
        correlation_id: Some("corr".to_owned()),
        causation_id: None,
        issued_at: at(30),
    }
}

fn run(
    given: &[(&str, Value)],
    command_type: &str,
    payload: Value,
    reason: Option<&str>,
) -> Result<DecisionOutcome, String> {
    let model = users();
    let Folded {
        state, revision, ..
    } = fold(&model, &history(given));
    let command = command(command_type, payload, reason);
    assert_eq!(
        model.check_payload(command_type, &command.payload).unwrap(),
        [],
        "well formed"
    );
    let command = model.prepare().unwrap().prepare(&state, command).unwrap();
    decide(&model, &state, revision, &command).map_err(|rejection| rejection.rule)
}

fn accepted(
    given: &[(&str, Value)],
    command_type: &str,
    payload: Value,
    reason: Option<&str>,
) -> (String, Value) {
    let accepted = run(given, command_type, payload, reason).unwrap();
    assert_eq!(accepted.events.len(), 1);
    (
        accepted.events[0].event_type.clone(),
        accepted.events[0].data.to_value(),
    )
}

fn create_payload(username: &str, email: &str, password: &str) -> Value {
    json!({"username": username, "email": email, "first_name": " Sarah ", "last_name": "Kim", "password": password})
}

#[test]
fn creating_a_user_keeps_the_hash_and_only_the_hash() {
    let accepted = run(
        &[],
        "CreateUser",
        create_payload(" sarah ", "sarah@example.com", "password"),
        None,
    )
    .unwrap();
    let event = &accepted.events[0];
    assert_eq!(
        event.data.to_value(),
        json!({"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah", "last_name": "Kim", "password_hash": "hash:drowssap"})
    );
    assert_eq!(
        (
            event.actor.as_deref(),
            event.correlation_id.as_deref(),
            event.causation_id.as_deref()
        ),
        (Some("api"), Some("corr"), Some("c1"))
    );
    let keys: Vec<_> = accepted
        .keys
        .iter()
        .map(|change| (change.event, change.taken, change.key.to_string()))
        .collect();
    assert_eq!(
        keys,
        [
            (0, true, "username `sarah`".to_owned()),
            (0, true, "email `sarah@example.com`".to_owned()),
        ]
    );
}

#[test]
fn the_prepared_command_holds_no_plaintext() {
    let model = users();
    let state = fold(&model, &history(&[created()])).state;
    for (name, payload) in [
        (
            "CreateUser",
            create_payload("sarah", "s@example.com", "hunter2-hunter2"),
        ),
        (
            "ChangePassword",
            json!({"current_password": "hunter2-hunter2", "new_password": "hunter2-hunter2"}),
        ),
    ] {
        let prepared = model
            .prepare()
            .unwrap()
            .prepare(&state, command(name, payload, None))
            .unwrap();
        let text = Value::Object(prepared.payload).to_string();
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn the_state_follows_the_events() {
    let model = users();
    let folded = fold(
        &model,
        &history(&[
            created(),
            ("UserEmailChanged", json!({"email": "sk@new.org"})),
            ("UserSuspended", json!({"reason": "x"})),
            ("UserDeleted", json!({"reason": "y"})),
        ]),
    );
    assert_eq!(
        Value::Object(folded.state),
        json!({
            "username": "sarah", "email": "sk@new.org", "first_name": "Sarah", "last_name": "Kim", "status": "deleted",
            "password_hash": "hash:drowssap", "created_at": "2025-03-02T09:00:00Z", "updated_at": "2025-03-05T09:00:00Z",
            "deleted_at": "2025-03-05T09:00:00Z",
        })
    );
    assert_eq!((folded.revision, folded.faults.len()), (Revision(4), 0));
}

#[test]
fn the_older_status_event_is_read_as_what_it_meant() {
    let model = users();
    let events = history(&[
        created(),
        ("UserStatusChanged", json!({"status": "suspended"})),
        ("UserStatusChanged", json!({"status": "active"})),
        ("UserStatusChanged", json!({"status": "frozen"})),
    ]);
    let mut folded = Folded::start(&model);
    let mut seen = Vec::new();
    for event in &events {
        let effect = folded.push(&model, event);
        seen.push((effect, folded.state["status"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen[1], (EventEffect::Applied, "suspended".to_owned()));
    assert_eq!(seen[2], (EventEffect::Applied, "active".to_owned()));
    assert!(
        matches!(&seen[3], (EventEffect::Failed { error }, status) if error.contains("neither") && status == "active")
    );
    assert_eq!(folded.faults.len(), 1);
}

#[test]
fn an_unknown_or_undecodable_event_leaves_the_last_good_state() {
    let model = users();
    let mut events = history(&[
        created(),
        ("UserWaved", json!({})),
        ("UserEmailChanged", json!({"email": 7})),
        ("UserEmailChanged", json!({})),
        ("UserDeleted", json!({})),
    ]);
    events[4].schema_version = 9;
    let good = fold(&model, &events[..1]).state;
    let mut folded = Folded::start(&model);
    let effects: Vec<EventEffect> = events
        .iter()
        .map(|event| folded.push(&model, event))
        .collect();
    assert_eq!(effects[1], EventEffect::Unknown);
    assert!(
        effects[2..]
            .iter()
            .all(|effect| matches!(effect, EventEffect::Failed { .. })),
        "{effects:?}"
    );
    assert_eq!((folded.state, folded.revision), (good, Revision(5)));
    assert_eq!(
        folded
            .faults
            .iter()
            .map(|fault| fault.revision.0)
            .collect::<Vec<_>>(),
        [3, 4, 5]
    );
}

#[test]
fn the_rules_hash_is_stable_and_names_the_rules() {
    assert_eq!(users().rules_hash(), users().rules_hash());
    assert_ne!(users().rules_hash(), crate::merge::model().rules_hash());
    assert_eq!(users().rules_hash().len(), 16);
}

#[test]
fn views_show_no_hash_and_say_where_it_was() {
    let model = users();
    let models = crate::model::Models::new([model.clone()]).unwrap();
    let event = crate::shown::Reveal::NO.show(&models, history(&[created()]).remove(0));
    assert_eq!(event.redacted(), ["/data/password_hash"]);
    assert!(!event.data.as_str().contains("hash:"));
    let (before, after) = (
        fold(&model, &[]).state,
        fold(&model, &history(&[created()])).state,
    );
    let mut diff = crate::diff::diff(&before, &after);
    crate::shown::redact_diff(&crate::shown::Redaction::new(&model), &mut diff);
    let text = serde_json::to_string(&diff).unwrap();
    assert!(
        !text.contains("hash:")
            && text.contains(r#"{"path":"/password_hash","op":"add","after":"[redacted]"}"#),
        "{text}"
    );
}

#[test]
fn a_user_that_lives_again_is_not_deleted_at_some_time() {
    let deleted = ("UserDeleted", json!({}));
    for (revival, data) in [
        ("UserReactivated", json!({})),
        ("UserSuspended", json!({})),
        created(),
    ] {
        let given = [created(), deleted.clone(), (revival, data)];
        let state = fold(&users(), &history(&given)).state;
        assert!(!state.contains_key("deleted_at"), "{revival} {state:?}");
    }
    let given = [created(), deleted.clone(), deleted];
    assert!(
        fold(&users(), &history(&given))
            .state
            .contains_key("deleted_at")
    );
}

#[test]
fn a_newer_schema_is_said_to_be_newer() {
    let mut events = history(&[
        created(),
        ("UserStatusChanged", json!({"state": "x"})),
        ("UserNameChanged", json!({"first_name": "S"})),
        ("UserWaved", json!({})),
    ]);
    for event in &mut events[1..] {
        event.schema_version = 7;
    }
    let mut folded = Folded::start(&users());
    let effects: Vec<EventEffect> = events
        .iter()
        .map(|event| folded.push(&users(), event))
        .collect();
    for (effect, name) in effects[1..3]
        .iter()
        .zip(["UserStatusChanged", "UserNameChanged"])
    {
        let error = format!("schema 7 of {name} is newer than this model knows: it reads schema 1");
        assert_eq!(*effect, EventEffect::Failed { error });
    }
    assert_eq!(effects[3], EventEffect::Unknown);
}
