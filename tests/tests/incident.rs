//! The incident, over HTTP: what was the user's state at 3:47 PM, and would the rules have allowed a suspension?

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use serde_json::{Value, json};
use whodunit_tests::Daemon;

async fn history(daemon: &Daemon) {
    let at = |time: &str| format!("2025-03-{time}Z");
    let events = json!({"expected_revision": "no_stream", "events": [
        {"event_type": "UserCreated", "recorded_at": at("04T09:12:04"), "actor": "api", "data":
            {"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah", "last_name": "Kim", "password_hash": "$argon2id$v=19$x"}},
        {"event_type": "UserNameChanged", "recorded_at": at("09T11:40:31"), "actor": "sarah", "data": {"last_name": "Kimura"}},
        {"event_type": "UserDeleted", "recorded_at": at("24T15:47:23"), "actor": "job:inactive-cleanup", "reason": "inactive for 90 days",
            "data": {"reason": "inactive for 90 days"}},
    ]});
    let (status, answer) = daemon
        .post("/v1/streams/user-sarah/events", &events)
        .await
        .unwrap();
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one scenario")]
async fn one_call_answers_what_the_state_was_and_what_the_rules_allow() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    history(&daemon).await;

    let (status, state) = daemon
        .get("/v1/streams/user-sarah/state?as_of=2025-03-24T15:47:00Z")
        .await
        .unwrap();
    assert_eq!(
        (status, &state["revision"], &state["state"]["status"]),
        (200, &json!(2), &json!("active"))
    );
    let (_, state) = daemon
        .get("/v1/streams/user-sarah/state?as_of=2025-03-24T15:47:23Z")
        .await
        .unwrap();
    assert_eq!(
        (&state["revision"], &state["state"]["status"]),
        (&json!(3), &json!("deleted"))
    );

    // As a command, the rules run: allowed just before the deletion, refused after it.
    let suspend =
        json!({"command": {"type": "SuspendUser", "actor": "analyst", "reason": "fraud_detected"}});
    let ask = |as_of: &str, action: &Value| json!({"stream": "user-sarah", "as_of": as_of, "do": [action]});
    let (status, reply) = daemon
        .post("/v1/what-if", &ask("2025-03-24T15:47:00Z", &suspend))
        .await
        .unwrap();
    assert_eq!(status, 200, "{reply}");
    assert_eq!(reply["base_revision"], 2);
    let step = &reply["steps"][0];
    assert_eq!(
        (&step["kind"], &step["outcome"]),
        (&json!("command"), &json!("accepted"))
    );
    assert_eq!(
        (
            &reply["state"]["status"],
            &reply["actual"]["state"]["status"]
        ),
        (&json!("suspended"), &json!("active"))
    );
    let (_, reply) = daemon
        .post("/v1/what-if", &ask("2025-03-24T16:00:00Z", &suspend))
        .await
        .unwrap();
    let step = &reply["steps"][0];
    assert_eq!(
        (&step["outcome"], &step["rule"]),
        (&json!("rejected"), &json!("user.deleted"))
    );

    // As a raw event no rule is asked, and the answer says so.
    let event =
        json!({"event": {"event_type": "UserSuspended", "data": {"reason": "fraud_detected"}}});
    let (_, reply) = daemon
        .post("/v1/what-if", &ask("2025-03-24T16:00:00Z", &event))
        .await
        .unwrap();
    let step = &reply["steps"][0];
    assert_eq!(
        (&step["kind"], &step["outcome"]),
        (&json!("event"), &json!("applied"))
    );
    assert_eq!(reply["state"]["status"], "suspended");

    // And nothing was written.
    let (_, health) = daemon.get("/v1/health").await.unwrap();
    assert_eq!(
        (&health["head"], &health["decisions"]),
        (&json!(3), &json!(0))
    );
    let (status, log) = daemon.stop().unwrap();
    assert!(
        status.success() && !log.contains("WARN") && !log.contains("ERROR"),
        "{log}"
    );
}

#[tokio::test]
async fn a_second_daemon_on_the_same_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Daemon::start(folder.path()).unwrap();
    let error = Daemon::start(folder.path()).unwrap_err().to_string();
    assert!(error.contains("already open in another process"), "{error}");
}

#[test]
fn a_file_that_is_no_store_is_refused_with_a_message() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.redb"), "this is not a store").unwrap();
    let error = Daemon::start(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("events.redb") && error.contains("format"),
        "{error}"
    );
    assert!(!error.contains("panicked"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_made_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in-the-way");
    std::fs::write(&file, "").unwrap();
    let error = Daemon::start(&file.join("data")).unwrap_err().to_string();
    assert!(
        error.contains("in-the-way/data") && error.contains("os error"),
        "{error}"
    );
}
