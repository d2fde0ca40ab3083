//! A password is nowhere: not in the store's bytes, not in a log line, not in a reply. A hash is seen only by who asks.

use std::path::Path;
use std::process::Child;

use serde_json::{Value, json};

use crate::program::{start, stop};
use crate::support::{Api, create_user};

/// A real daemon that logs all it can.
struct Loud {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Loud {
    fn start(data: &Path) -> Self {
        let (child, address) = start(data, &["--listen", "127.0.0.1:0", "--log-level", "trace"]);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            child,
            url: format!("http://{address}/v1"),
            client,
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> (u16, String) {
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.answer(self.client.get(format!("{}{path}", self.url)))
            .await
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, String) {
        self.answer(self.client.post(format!("{}{path}", self.url)).json(body))
            .await
    }
}

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes
        .windows(needle.len())
        .any(|window| window == needle.as_bytes())
}

const FIRST: &str = "canary-Zx81-first-password";
const SECOND: &str = "canary-Qy42-second-password";

fn change(current: &str, new: &str) -> Value {
    json!({"type": "ChangePassword", "payload": {"current_password": current, "new_password": new}, "actor": "sarah"})
}

#[tokio::test]
async fn a_password_is_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Loud::start(directory.path());
    let commands = "/streams/user-1/commands";
    let mut create = create_user("sarah");
    create["payload"]["password"] = json!(FIRST);
    create["command_id"] = json!("create");
    let mut replies = Vec::new();
    for command in [
        &create,
        &create,
        &change(SECOND, FIRST),
        &change(FIRST, FIRST),
        &change(FIRST, SECOND),
    ] {
        replies.push(daemon.post(commands, command).await);
    }
    assert_eq!(
        replies
            .iter()
            .map(|(status, _)| *status)
            .collect::<Vec<_>>(),
        [200, 200, 422, 422, 200]
    );
    // Refused, malformed and misplaced ones.
    for command in [
        json!({"type": "CreateUser", "payload": {"password": FIRST}, "actor": "x"}),
        json!({"type": "Nope", "payload": {"password": FIRST}, "actor": "x"}),
        json!({"type": "CreateUser", "payload": FIRST, "actor": "x"}),
        json!({"type": "CreateUser", "payload": {"password": [FIRST]}, "actor": "x"}),
    ] {
        replies.push(daemon.post(commands, &command).await);
    }
    let event = json!({"event_type": "X", "data": {"password": FIRST}});
    replies.push(
        daemon
            .post("/streams/user-1/events", &json!({"events": [event]}))
            .await,
    );
    let scenario =
        json!({"stream": "user-1", "do": [{"command": change(SECOND, FIRST)}, {"event": event}]});
    replies.push(daemon.post("/what-if", &scenario).await);
    let scenario = json!({"stream": "user-1", "do": [{"command": change(SECOND, FIRST)}]});
    replies.push(daemon.post("/what-if?reveal=true", &scenario).await);
    let line = json!({"stream": "user-1", "event_type": "X", "data": {"new_password": SECOND}})
        .to_string();
    let import = daemon.client.post(format!("{}/import", daemon.url));
    replies.push(
        daemon
            .answer(
                import
                    .header("content-type", "application/x-ndjson")
                    .body(line),
            )
            .await,
    );
    for path in [
        "/events",
        "/decisions?reveal=true",
        "/streams/user-1/steps?reveal=true",
        "/export?reveal=true",
    ] {
        replies.push(daemon.get(path).await);
    }
    let log = stop(daemon.child);
    let mut bytes = std::fs::read(directory.path().join("events.redb")).unwrap();
    for entry in std::fs::read_dir(directory.path().join("log")).unwrap() {
        let file = std::fs::read(entry.unwrap().path()).unwrap();
        // Each sector ends in a check of four bytes.
        let sectors = file.chunks(512);
        bytes.extend(sectors.flat_map(|sector| sector.iter().take(508)));
    }
    assert!(
        contains(&bytes, "sarah@example.com"),
        "the search would find it"
    );
    assert!(
        log.contains("secrets revealed") && log.contains("answered"),
        "{log}"
    );
    for password in [FIRST, SECOND] {
        assert!(!contains(&bytes, password), "in the store");
        assert!(!log.contains(password), "in the log");
        for (_, text) in &replies {
            assert!(!text.contains(password), "{text}");
        }
    }
}

#[tokio::test]
async fn a_search_cannot_guess_at_what_is_redacted() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.fact("door-1", "Opened", json!({"by": "sarah"})).await;
    let found = async |query: &str| {
        let page = api.get(&format!("/v1/events?{query}")).await.ok();
        (
            page["items"].as_array().unwrap().len(),
            page["next_cursor"].clone(),
        )
    };
    assert_eq!(found("text=argon2id").await, (0, Value::Null));
    assert_eq!(
        found("text=argon2id&limit=1&order=backward").await,
        (0, Value::Null)
    );
    assert_eq!(found("text=ARGON2ID&reveal=true").await, (1, Value::Null));
    assert_eq!(found("text=sarah").await, (2, Value::Null));
    assert_eq!(found("text=sarah&limit=1").await, (1, json!("f2")));
    assert_eq!(
        found("text=sarah&limit=1&cursor=f2").await,
        (1, Value::Null)
    );
    assert_eq!(
        found("text=sarah&limit=1&order=backward").await,
        (1, json!("b1"))
    );
    let found = api.get("/v1/export?text=argon2id").await.text;
    assert_eq!(
        found.lines().count(),
        2,
        "only the lines that the export says of itself: {found}"
    );
    assert_eq!(
        api.get("/v1/export?text=argon2id&reveal=true")
            .await
            .text
            .lines()
            .count(),
        3
    );
}

#[tokio::test]
async fn a_hash_is_shown_only_when_asked_for_and_the_asking_is_noted() {
    let directory = tempfile::tempdir().unwrap();
    let daemon = Loud::start(directory.path());
    let (_, created) = daemon
        .post("/streams/user-1/commands", &create_user("sarah"))
        .await;
    assert!(
        !created.contains("$argon2id") && created.contains("[redacted]"),
        "{created}"
    );
    let created: Value = serde_json::from_str(&created).unwrap();
    let event = format!(
        "/events/{}?",
        created["events"][0]["event_id"].as_str().unwrap()
    );
    let paths = [
        "/streams/user-1/state?",
        "/streams/user-1/steps?",
        "/streams/user-1/events?",
        "/streams/user-1/diff?",
        "/events?",
        &event,
        "/decisions?",
        "/export?",
    ];
    for (n, path) in paths.iter().enumerate() {
        let (_, hidden) = daemon.get(path).await;
        assert!(!hidden.contains("$argon2id"), "{path}");
        assert!(hidden.contains("[redacted]"), "{path}: {hidden}");
        let shown = daemon
            .client
            .get(format!("{}{path}reveal=true", daemon.url));
        let (_, shown) = daemon
            .answer(shown.header("x-whodunit-actor", format!("auditor-{n}-x")))
            .await;
        assert!(shown.contains("$argon2id"), "{path}: {shown}");
    }
    daemon.get("/streams/user-1/state?reveal=true").await;
    let log = stop(daemon.child);
    for n in 0..paths.len() {
        let noted = format!("auditor-{n}-x");
        assert_eq!(log.matches(&noted).count(), 1, "{noted}: {log}");
    }
    assert_eq!(log.matches("who=\"anonymous\"").count(), 1);
    assert!(!log.contains("$argon2id"));
}
