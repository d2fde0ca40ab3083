//! A password is nowhere: not in the store's bytes, not in a reply, not in the log. Its hash only on request.

use serde_json::{Value, json};
use whodunit_tests::Daemon;

/// Long and odd enough to occur nowhere by chance.
const CANARIES: [&str; 4] = [
    "Zq7-canary-one-Zq7",
    "Zq7-canary-two-Zq7",
    "Zq7-wrong-Zq7",
    "Zq7-raw-Zq7",
];

fn find(haystack: &[u8], place: &str) {
    for canary in CANARIES {
        let found = haystack
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "a password stands in {place}");
    }
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one table of every way a password could leak"
)]
async fn a_password_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let [first, second, wrong, raw] = CANARIES;
    let command = |kind: &str, payload: Value| json!({"type": kind, "payload": payload, "actor": "api", "reason": "test"});
    let user = |password: &str| json!({"username": "sarah", "email": "sarah@example.com", "first_name": "S", "last_name": "K", "password": password});
    let change =
        |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let stream = "/v1/streams/user-sarah/commands";
    let what_if = |action: Value| json!({"stream": "user-sarah", "do": [{"command": action}]});
    let requests = [
        (stream, command("CreateUser", user(first)), 200),
        (
            "/v1/streams/user-other/commands",
            command("CreateUser", user(second)),
            422,
        ),
        (
            stream,
            command("ChangePassword", change(wrong, second)),
            422,
        ),
        (
            stream,
            command("ChangePassword", change(first, second)),
            200,
        ),
        (
            stream,
            command("ChangePassword", change(second, second)),
            422,
        ),
        // Malformed in every way a secret could be quoted from.
        (
            stream,
            command(
                "ChangePassword",
                json!({"current_password": [first], "new_password": {"x": second}}),
            ),
            400,
        ),
        (
            stream,
            command("ChangeEmail", json!({"email": "a@b.co", "password": first})),
            400,
        ),
        (
            stream,
            json!({"type": "CreateUser", "actor": "x", "payload": first}),
            400,
        ),
        (
            stream,
            json!({"type": "CreateUser", "actor": "x", "password": first}),
            400,
        ),
        (
            "/v1/streams/user-raw/events",
            json!({"events": [{"event_type": "UserCreated", "data": {"password": raw}}]}),
            400,
        ),
        (
            "/v1/streams/user-raw/events",
            json!({"events": [{"event_type": "X", "data": {}, "metadata": {"a": {"new_password": raw}}}]}),
            400,
        ),
        (
            "/v1/what-if",
            what_if(command("ChangePassword", change(second, first))),
            200,
        ),
        (
            "/v1/what-if",
            what_if(command("ChangePassword", change(wrong, first))),
            200,
        ),
    ];
    for (path, body, expected) in requests {
        let (status, answer) = daemon.post(path, &body).await.unwrap();
        assert_eq!(status, expected, "{path}: {answer}");
        find(
            answer.to_string().as_bytes(),
            &format!("the reply of {path}"),
        );
        assert!(
            !answer.to_string().contains("$argon2"),
            "a hash stands in the reply of {path}: {answer}"
        );
    }
    for path in [
        "/v1/events",
        "/v1/decisions",
        "/v1/streams/user-sarah/state",
        "/v1/streams/user-sarah/steps",
        "/v1/streams/user-sarah/diff?from=0&to=2",
    ] {
        let (status, answer) = daemon.get(path).await.unwrap();
        let text = answer.to_string();
        assert_eq!(status, 200, "{answer}");
        find(text.as_bytes(), path);
        assert!(
            !text.contains("$argon2") && text.contains("[redacted]"),
            "{path}: {text}"
        );
    }
    let (_, revealed) = daemon
        .get("/v1/streams/user-sarah/state?reveal=true")
        .await
        .unwrap();
    assert!(
        revealed["state"]["password_hash"]
            .as_str()
            .unwrap()
            .starts_with("$argon2id$"),
        "{revealed}"
    );
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success());
    find(log.as_bytes(), "the log");
    assert!(log.contains("reveal"), "showing a secret is logged: {log}");
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        find(&std::fs::read(&path).unwrap(), &path.display().to_string());
    }
}
