//! What-ifs that are not evaluated, and why.

use serde_json::{Value, json};

use crate::support::Api;
use crate::what_if::{ask, sarah};

#[tokio::test]
async fn a_story_that_cannot_be_told_says_why() {
    let api = Api::start();
    sarah(&api).await;
    api.fact("door-1", "Opened", json!({})).await;
    let command = |kind: &str| json!({"command": {"type": kind, "actor": "a", "payload": {}}});
    for (scenario, status, code, field) in [
        (
            json!({"stream": "user-1", "at_revision": 1, "as_of": "2025-03-24T00:00:00Z"}),
            400,
            "malformed",
            json!("/as_of"),
        ),
        (
            json!({"stream": "user-1", "as_of": "2025-03-24 15:47"}),
            400,
            "bad_time",
            json!("/as_of"),
        ),
        (
            json!({"stream": "noid-"}),
            400,
            "bad_stream_name",
            json!("/stream"),
        ),
        (
            json!({"stream": "user-1", "continue": "sideways"}),
            400,
            "malformed",
            json!("/continue"),
        ),
        (
            json!({"stream": "user-1", "edits": [{"drop": {"revision": 9}}]}),
            400,
            "bad_edit",
            json!("/edits/0"),
        ),
        (
            json!({"stream": "user-1", "edits": [{"drop": {"revision": 0}}]}),
            400,
            "bad_edit",
            json!("/edits/0"),
        ),
        (
            json!({"stream": "user-1", "edits": [{"erase": {}}]}),
            400,
            "malformed",
            json!("/edits/0"),
        ),
        (
            json!({"stream": "user-1", "edits": [{}]}),
            400,
            "malformed",
            json!("/edits/0"),
        ),
        (
            json!({"stream": "user-1", "edits": [{"drop": {"revision": 1}, "insert": {}}]}),
            400,
            "malformed",
            json!("/edits/0"),
        ),
        (
            json!({"stream": "user-1", "continue": null}),
            400,
            "malformed",
            json!("/continue"),
        ),
        (
            json!({"stream": "user-1", "at_decision": 1.5}),
            400,
            "malformed",
            json!("/at_decision"),
        ),
        (
            json!({"stream": "user-1", "at_revision": -1}),
            400,
            "malformed",
            json!("/at_revision"),
        ),
        (
            json!({"stream": "user-1", "at_revision": 1, "edits": [{"drop": {"revision": 2}}]}),
            400,
            "bad_edit",
            json!("/edits/0"),
        ),
        (
            json!({"stream": "user-1", "do": [command("Explode")]}),
            400,
            "unknown_command",
            json!("/do/0/command/type"),
        ),
        (
            json!({"stream": "user-1", "do": [command("ChangeEmail")]}),
            400,
            "malformed",
            json!("/do/0/command/payload/email"),
        ),
        (
            json!({"stream": "door-1", "do": [command("Open")]}),
            400,
            "no_model",
            json!("/do/0/command"),
        ),
        (
            json!({"stream": "user-1", "do": [{"event": {"event_type": "X", "data": {"password": "p"}}}]}),
            400,
            "plaintext_secret",
            json!("/do/0/event/data/password"),
        ),
        (
            json!({"stream": "user-1", "do": vec![command("DeleteUser"); 101]}),
            400,
            "limit_exceeded",
            json!("/do"),
        ),
        (
            json!({"stream": "user-1", "edits": vec![json!({"drop": {"revision": 1}}); 101]}),
            400,
            "limit_exceeded",
            json!("/edits"),
        ),
        (
            json!({"stream": "user-1", "at_revision": 9}),
            404,
            "revision_beyond_head",
            Value::Null,
        ),
        (
            json!({"stream": "user-1", "as_of": "2024-01-01T00:00:00Z"}),
            404,
            "before_first_event",
            Value::Null,
        ),
        (
            json!({"stream": "user-7"}),
            404,
            "no_such_stream",
            Value::Null,
        ),
    ] {
        let problem = ask(&api, &scenario).await.problem(status, code);
        assert_eq!(problem["field"], field, "{scenario}");
        let detail = problem["detail"].as_str().unwrap();
        for words in ["not JSON", "WhatIfIn", "DecisionRef", "untagged"] {
            assert!(!detail.contains(words), "{scenario}: {detail}");
        }
    }
}

#[tokio::test]
async fn a_story_over_too_many_events_is_refused() {
    let api = Api::start();
    let events: Vec<_> = (0..1000)
        .map(|n| json!({"event_type": "T", "data": {"n": n}}))
        .collect();
    for _ in 0..11 {
        api.append("door-1", &json!({"events": events})).await.ok();
    }
    let first = json!({"stream": "door-1", "edits": [{"drop": {"revision": 1}}]});
    let problem = ask(&api, &first).await.problem(400, "limit_exceeded");
    assert!(
        problem["detail"].as_str().unwrap().contains("10000"),
        "{problem}"
    );
    let late = json!({"stream": "door-1", "edits": [{"drop": {"revision": 10_990}}], "continue": "refold"});
    ask(&api, &late).await.ok();
}
