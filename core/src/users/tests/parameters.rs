//! The users' rules with other parameters.

use serde_json::json;

use super::*;
use crate::command::Rejection;
use crate::decider::{Hypothesis, PrepareError};
use crate::model::Models;

fn with(rules: &Value) -> Model {
    let models = Models::new([users()]).unwrap();
    models.with_rules(rules.as_object().unwrap()).unwrap().1
}

fn wrong(rules: &Value) -> RulesError {
    let models = Models::new([users()]).unwrap();
    models.with_rules(rules.as_object().unwrap()).unwrap_err()
}

fn created() -> (&'static str, Value) {
    let user = json!({"username": "sarah", "email": "sarah@example.com", "first_name": "S", "last_name": "C",
        "password_hash": "hash:terces"});
    ("UserCreated", user)
}

fn ask(
    model: &Model,
    events: &[(&str, Value)],
    (kind, payload): (&str, &Value),
    (actor, reason): (&str, Option<&str>),
) -> Result<Vec<String>, Rejection> {
    let folded = fold(model, &history(events));
    let command = Command {
        command_id: "c1".to_owned(),
        stream: StreamName::new("user-1").unwrap(),
        command_type: kind.to_owned(),
        payload: payload.as_object().unwrap().clone(),
        actor: Some(actor.to_owned()),
        reason: reason.map(str::to_owned),
        correlation_id: None,
        causation_id: None,
        issued_at: at(9),
    };
    let decided = decide(model, &folded.state, folded.revision, &command)?;
    Ok(decided
        .events
        .into_iter()
        .map(|event| event.event_type)
        .collect())
}

#[test]
fn a_job_may_not_delete_a_suspended_user() {
    let model = with(&json!({"model": "users", "forbid": [
        {"command": "DeleteUser", "actor": "job:*", "status": "suspended", "rule": "job.may_not_delete_suspended"}]}));
    let suspended = [created(), ("UserSuspended", json!({"reason": "x"}))];
    let delete = |events: &[(&str, Value)], actor| {
        ask(
            &model,
            events,
            ("DeleteUser", &json!({})),
            (actor, Some("inactive")),
        )
    };
    let refused = delete(&suspended, "job:clean-up").unwrap_err();
    assert_eq!(refused.rule, "job.may_not_delete_suspended");
    assert_eq!(delete(&suspended, "anna").unwrap(), ["UserDeleted"]);
    assert_eq!(
        delete(&[created()], "job:clean-up").unwrap(),
        ["UserDeleted"]
    );
    // What other rules refuse stays refused by them.
    let deleted = [created(), ("UserDeleted", json!({"reason": "x"}))];
    assert_eq!(
        delete(&deleted, "job:clean-up").unwrap_err().rule,
        "user.already_deleted"
    );
}

#[test]
fn rules_are_turned_off_lengths_and_reasons_are_others() {
    let model = with(
        &json!({"rules": {"email.unchanged": false, "user.suspended": false},
        "reason_required": ["ReactivateUser"], "lengths": {"username_min": 6}}),
    );
    let suspended = [created(), ("UserSuspended", json!({"reason": "x"}))];
    let same = json!({"email": "sarah@example.com"});
    let by = ("anna", None);
    assert_eq!(
        ask(&model, &suspended, ("ChangeEmail", &same), by).unwrap(),
        ["UserEmailChanged"]
    );
    assert_eq!(
        ask(&model, &[created()], ("DeleteUser", &json!({})), by).unwrap(),
        ["UserDeleted"]
    );
    let reactivate = ask(&model, &suspended, ("ReactivateUser", &json!({})), by);
    assert_eq!(reactivate.unwrap_err().rule, "reason.required");
    let sarah = json!({"username": "sarah", "email": "s@example.com", "first_name": "", "last_name": "",
        "password_check": "ok", "password_hash": "h"});
    let short = ask(&model, &[], ("CreateUser", &sarah), by).unwrap_err();
    assert_eq!(short.rule, "username.too_short");
    assert!(short.message.contains("6 characters"));
    let unchanged = ask(&users(), &[created()], ("ChangeEmail", &same), by).unwrap_err();
    assert_eq!(unchanged.rule, "email.unchanged");
}

#[test]
fn the_rules_hash_covers_the_parameters_and_nothing_else() {
    let hash = |rules: &Value| with(rules).rules_hash().to_owned();
    let plain = users().rules_hash().to_owned();
    assert_eq!(hash(&json!({})), plain);
    assert_eq!(
        hash(
            &json!({"lengths": {"username_min": 3}, "rules": {"user.suspended": true},
        "reason_required": ["SuspendUser", "DeleteUser"], "forbid": []})
        ),
        plain
    );
    let forbid = |command: Value, actor: &str| {
        hash(&json!({"forbid": [{"command": command, "actor": actor}]}))
    };
    assert_eq!(
        forbid(json!("DeleteUser"), "a"),
        forbid(json!(["DeleteUser"]), "a")
    );
    let all = [
        plain,
        hash(&json!({"lengths": {"username_min": 4}})),
        hash(&json!({"lengths": {"password_min": 4}})),
        hash(&json!({"rules": {"user.suspended": false}})),
        hash(&json!({"reason_required": []})),
        forbid(json!("DeleteUser"), "a"),
        forbid(json!("DeleteUser"), "b"),
        forbid(json!("ChangeName"), "a"),
    ];
    let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn what_is_not_known_is_refused_with_what_may_have_been_meant() {
    for (rules, pointer, says) in [
        (json!({"length": {}}), "/length", "`lengths`"),
        (
            json!({"lengths": {"user_min": 3}}),
            "/lengths/user_min",
            "username_min",
        ),
        (
            json!({"lengths": {"username_min": "3"}}),
            "/lengths/username_min",
            "characters",
        ),
        (
            json!({"lengths": {"username_min": 300}}),
            "/lengths/username_min",
            "254",
        ),
        (
            json!({"rules": {"user.suspend": false}}),
            "/rules/user.suspend",
            "`user.suspended`",
        ),
        (
            json!({"rules": {"user.exists": false}}),
            "/rules/user.exists",
            "cannot be turned off",
        ),
        (
            json!({"rules": {"user.suspended": 0}}),
            "/rules/user.suspended",
            "`false`",
        ),
        (
            json!({"reason_required": ["DeleteUsers"]}),
            "/reason_required",
            "`DeleteUser`",
        ),
        (
            json!({"forbid": [{"comand": "DeleteUser"}]}),
            "/forbid/0/comand",
            "`command`",
        ),
        (
            json!({"forbid": [{"actor": "a"}]}),
            "/forbid/0/command",
            "is needed",
        ),
        (
            json!({"forbid": [{"command": "DeleteUser", "status": "suspendet"}]}),
            "/forbid/0/status",
            "`suspended`",
        ),
        (
            json!({"forbid": {"command": "DeleteUser"}}),
            "/forbid",
            "list",
        ),
        (json!({"model": "user"}), "/model", "`users`"),
        (json!({"model": 1}), "/model", "text"),
    ] {
        let error = wrong(&rules);
        assert_eq!(error.pointer, pointer, "{error:?}");
        let told = format!("{error} {}", error.hint.clone().unwrap_or_default());
        assert!(told.contains(says), "{told}");
    }
    let none = Models::default().with_rules(&Map::new()).unwrap_err();
    assert!(none.to_string().contains("no model"), "{none}");
}

#[test]
fn the_length_of_a_recorded_password_is_only_known_as_far_as_it_was_looked_at() {
    let create = |check: &str, hash: Value| Command {
        command_id: "c1".to_owned(),
        stream: StreamName::new("user-1").unwrap(),
        command_type: "CreateUser".to_owned(),
        payload: json!({"password_check": check, "password_hash": hash})
            .as_object()
            .unwrap()
            .clone(),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: None,
        issued_at: at(9),
    };
    let reuse = |min: u64, check: &str| {
        let model = with(&json!({"lengths": {"password_min": min}}));
        let empty = State::new();
        let command = create(
            check,
            if check == "ok" {
                json!("h")
            } else {
                Value::Null
            },
        );
        let reused =
            model
                .prepare()
                .unwrap()
                .reuse(&empty, &empty, command, &Hypothesis::default());
        reused.map(|command| {
            command.payload["password_check"]
                .as_str()
                .unwrap()
                .to_owned()
        })
    };
    assert_eq!(reuse(8, "ok").unwrap(), "ok");
    assert_eq!(reuse(4, "ok").unwrap(), "ok");
    assert_eq!(reuse(12, "too_short").unwrap(), "too_short");
    assert_eq!(reuse(0, "too_short").unwrap(), "ok");
    assert!(matches!(reuse(12, "ok"), Err(PrepareError::Unknown(_))));
    assert!(matches!(
        reuse(4, "too_short"),
        Err(PrepareError::Unknown(_))
    ));
}
