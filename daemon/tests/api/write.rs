//! Commands and raw events.

use serde_json::{Value, json};

use crate::support::{Api, create_user, suspend};

#[tokio::test]
async fn a_command_is_decided_recorded_and_answered() {
    let api = Api::start();
    let accepted = api.user("user-1", "sarah").await;
    assert_eq!(accepted["outcome"], "accepted");
    assert_eq!(
        (&accepted["revision"], &accepted["position"]),
        (&json!(1), &json!(1))
    );
    let event = &accepted["events"][0];
    assert_eq!(event["event_type"], "UserCreated");
    assert_eq!(event["actor"], "api");
    assert_eq!(event["causation_id"], accepted["command_id"]);
    assert_eq!(
        event["correlation_id"], accepted["command_id"],
        "its own id when none was given"
    );
    assert_eq!(event["recorded_at"], "2025-03-01T09:00:00Z");

    api.clock.set("2025-03-02T03:00:00Z");
    let mut command = suspend("fraud_detected");
    command["correlation_id"] = json!("case-7");
    command["causation_id"] = json!("alert-3");
    let accepted = api.command("user-1", &command).await.ok();
    let event = &accepted["events"][0];
    assert_eq!(event["correlation_id"], "case-7");
    assert_eq!(event["reason"], "fraud_detected");
    assert_eq!(event["recorded_at"], "2025-03-02T03:00:00Z");

    let decisions = api.get("/v1/decisions?stream=user-1").await.ok();
    let decision = &decisions["items"][1];
    assert_eq!(decision["outcome"], "accepted");
    assert_eq!(decision["base_revision"], 1);
    assert_eq!(decision["causation_id"], "alert-3");
    assert_eq!(decision["decided_at"], "2025-03-02T03:00:00Z");
}

#[tokio::test]
async fn a_rejected_command_is_on_record_too() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let problem = api
        .command("user-1", &create_user("sarah"))
        .await
        .problem(422, "rejected");
    assert_eq!(problem["rule"], "user.exists");
    assert_eq!(problem["revision"], 1);
    let id = problem["command_id"].as_str().unwrap();
    let page = api.get("/v1/decisions?outcome=rejected").await.ok();
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(page["items"][0]["command_id"], id);
    assert_eq!(page["items"][0]["rule"], "user.exists");
    assert_eq!(api.head(), (1, 2));
}

#[tokio::test]
async fn a_key_that_another_stream_holds_rejects_the_command() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let mut other = create_user("sarah2");
    other["payload"]["email"] = json!(" SARAH@example.com ");
    let problem = api.command("user-2", &other).await.problem(422, "rejected");
    assert_eq!(problem["rule"], "email.taken");
    assert!(
        !problem.to_string().contains("user-1"),
        "who holds it is not said"
    );
    // A deleted user's keys are free again.
    let delete =
        json!({"type": "DeleteUser", "payload": {}, "actor": "sarah", "reason": "asked for"});
    api.command("user-1", &delete).await.ok();
    api.command("user-2", &other).await.ok();
}

#[tokio::test]
async fn a_wrong_expected_revision_is_answered_with_both_and_stores_nothing() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    for (expected, said) in [
        (json!(7), json!(7)),
        (json!("no_stream"), json!("no_stream")),
        (json!("0"), json!(0)),
    ] {
        let mut command = suspend("x");
        command["expected_revision"] = expected;
        let problem = api
            .command("user-1", &command)
            .await
            .problem(409, "wrong_revision");
        assert_eq!(
            (&problem["expected"], &problem["actual"]),
            (&said, &json!(1))
        );
        assert_eq!(problem["stream"], "user-1");
    }
    let mut command = suspend("x");
    command["expected_revision"] = json!("stream_exists");
    api.command("user-9", &command)
        .await
        .problem(409, "wrong_revision");
    assert_eq!(api.head(), (1, 1));
    command["expected_revision"] = json!(1);
    api.command("user-1", &command).await.ok();

    let fact = json!({"expected_revision": 3, "events": [{"event_type": "Opened", "data": {}}]});
    let problem = api
        .append("door-1", &fact)
        .await
        .problem(409, "wrong_revision");
    assert_eq!(
        (&problem["expected"], &problem["actual"]),
        (&json!(3), &json!(0))
    );
}

#[tokio::test]
async fn the_same_command_id_again_gets_the_recorded_answer() {
    let api = Api::start();
    let mut create = create_user("sarah");
    create["command_id"] = json!("create-1");
    let first = api.command("user-1", &create).await.ok();
    api.command("user-1", &suspend("x")).await.ok();
    let mut again = api.command("user-1", &create).await.ok();
    assert_eq!(again["repeated"], true);
    again["repeated"] = json!(false);
    assert_eq!(again, first);

    let mut refused = suspend("x");
    refused["command_id"] = json!("suspend-2");
    let first = api
        .command("user-1", &refused)
        .await
        .problem(422, "rejected");
    assert_eq!(
        api.command("user-1", &refused)
            .await
            .problem(422, "rejected"),
        first
    );
    assert_eq!(api.head(), (2, 3));

    // Another command under an id on record is a conflict, whatever differs.
    for (field, value) in [
        ("type", json!("DeleteUser")),
        ("actor", json!("mallory")),
        ("reason", json!("y")),
    ] {
        let mut other = refused.clone();
        other[field] = value;
        api.command("user-1", &other)
            .await
            .problem(409, "command_id_conflict");
    }
    create["payload"]["first_name"] = json!("Other");
    api.command("user-1", &create)
        .await
        .problem(409, "command_id_conflict");
    api.command("user-2", &refused)
        .await
        .problem(409, "command_id_conflict");
    assert_eq!(api.head(), (2, 3));
}

/// The same command with one field of its body, or of its payload, set otherwise.
fn altered(command: &Value, field: &str, value: Value) -> Value {
    let mut other = command.clone();
    match field.strip_prefix("payload/") {
        Some(name) => other["payload"][name] = value,
        None => other[field] = value,
    }
    other
}

#[tokio::test]
async fn a_command_repeats_another_only_as_a_whole() {
    let api = Api::start();
    let mut create = create_user("sarah");
    create["command_id"] = json!("create-1");
    create["causation_id"] = json!("form-7");
    create["expected_revision"] = json!("no_stream");
    api.command("user-1", &create).await.ok();
    for (field, value) in [
        ("payload/password", json!("another password")),
        ("payload/username", json!("Sarah")),
        ("causation_id", json!("form-8")),
        ("causation_id", Value::Null),
        ("correlation_id", json!("other")),
        ("expected_revision", json!(3)),
    ] {
        let other = altered(&create, field, value);
        api.command("user-1", &other)
            .await
            .problem(409, "command_id_conflict");
    }
    assert_eq!(api.command("user-1", &create).await.ok()["repeated"], true);

    let password = create["payload"]["password"].clone();
    let change = json!({"type": "ChangePassword", "actor": "sarah", "command_id": "change-1",
        "payload": {"current_password": password, "new_password": "a new password"}});
    api.command("user-1", &change).await.ok();
    for field in ["payload/current_password", "payload/new_password"] {
        let other = altered(&change, field, json!("something else"));
        api.command("user-1", &other)
            .await
            .problem(409, "command_id_conflict");
    }
    assert_eq!(api.command("user-1", &change).await.ok()["repeated"], true);

    // A refusal of a wrong password is not the answer to the right one.
    let mut wrong = altered(&change, "payload/current_password", json!("no idea at all"));
    wrong["command_id"] = json!("change-2");
    api.command("user-1", &wrong).await.problem(422, "rejected");
    api.command("user-1", &wrong).await.problem(422, "rejected");
    let right = altered(&wrong, "payload/current_password", json!("a new password"));
    api.command("user-1", &right)
        .await
        .problem(409, "command_id_conflict");

    let name = json!({"type": "ChangeName", "actor": "sarah", "command_id": "name-1",
        "payload": {"first_name": "S", "last_name": "K"}});
    api.command("user-1", &name).await.ok();
    for part in [json!({}), json!({"first_name": "S"})] {
        let other = altered(&name, "payload", part);
        api.command("user-1", &other)
            .await
            .problem(409, "command_id_conflict");
    }
    assert_eq!(api.head(), (3, 4));
}

#[tokio::test]
async fn a_malformed_command_names_the_field_and_stores_nothing() {
    let api = Api::start();
    let cases = [
        (
            json!({"type": "Explode", "payload": {}, "actor": "a"}),
            "unknown_command",
            "/type",
        ),
        (
            json!({"type": "SuspendUser", "payload": {}, "reason": "x"}),
            "malformed",
            "/actor",
        ),
        (
            json!({"type": "SuspendUser", "payload": {}, "actor": "  ", "reason": "x"}),
            "malformed",
            "/actor",
        ),
        (
            json!({"type": "CreateUser", "payload": {"username": "x"}, "actor": "a"}),
            "malformed",
            "/payload/email",
        ),
        (
            json!({"type": "ChangeEmail", "payload": {"email": 5}, "actor": "a"}),
            "malformed",
            "/payload/email",
        ),
        (
            json!({"type": "ChangeEmail", "payload": {"email": "a@b.c", "x": 1}, "actor": "a"}),
            "malformed",
            "/payload/x",
        ),
        (
            json!({"type": "SuspendUser", "payload": [], "actor": "a"}),
            "malformed",
            "/payload",
        ),
        (
            json!({"type": "SuspendUser", "actor": "a", "command_id": ""}),
            "malformed",
            "/command_id",
        ),
        (
            json!({"type": "SuspendUser", "actor": "a", "command_id": "a\nb"}),
            "malformed",
            "/command_id",
        ),
        (
            json!({"type": "SuspendUser", "actor": "a", "expected_revision": "soon"}),
            "malformed",
            "/expected_revision",
        ),
        (
            json!({"type": "SuspendUser", "actor": "a", "expected_revision": -1}),
            "malformed",
            "/expected_revision",
        ),
        (
            json!({"type": "SuspendUser", "actor": "a".repeat(201)}),
            "limit_exceeded",
            "/actor",
        ),
        (
            json!({"type": "SuspendUser", "actor": "a", "reason": "r".repeat(4097)}),
            "limit_exceeded",
            "/reason",
        ),
    ];
    for (command, code, field) in cases {
        let problem = api.command("user-1", &command).await.problem(400, code);
        assert_eq!(problem["field"], field, "{command}");
    }
    let problem = api
        .command("user-1", &json!({"payload": {}}))
        .await
        .problem(400, "malformed");
    assert_eq!(problem["field"], "/type");
    let unknown = api
        .command("user-1", &json!({"type": "Explode", "actor": "a"}))
        .await;
    let unknown = unknown.problem(400, "unknown_command");
    assert!(
        unknown["detail"]
            .as_str()
            .unwrap()
            .contains("`CreateUser`, `ChangeName`"),
        "{unknown}"
    );
    let surprise = api
        .command("user-1", &json!({"type": "X", "when": 1}))
        .await
        .problem(400, "malformed");
    assert_eq!(surprise["field"], "/when");
    api.command("door-1", &suspend("x"))
        .await
        .problem(400, "no_model");
    assert_eq!(api.head(), (0, 0));
}
