//! What-if: run from history, written nowhere.

use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::support::{Api, Reply, create_user, suspend};

pub(crate) async fn ask(api: &Api, scenario: &Value) -> Reply {
    api.post("/v1/what-if", scenario).await
}

/// Sarah, active until her name change, then gone.
pub(crate) async fn sarah(api: &Api) {
    api.user("user-1", "sarah").await;
    api.clock.set("2025-03-09T11:40:00Z");
    let rename = json!({"type": "ChangeName", "payload": {"first_name": "Sara"}, "actor": "sarah"});
    api.command("user-1", &rename).await.ok();
    api.clock.set("2025-03-24T15:47:23Z");
    let delete = json!({"type": "DeleteUser", "payload": {}, "actor": "job:inactive-cleanup", "reason": "inactive"});
    api.command("user-1", &delete).await.ok();
}

#[tokio::test]
async fn a_suspension_as_a_command_and_as_an_event() {
    let api = Api::start();
    sarah(&api).await;
    let command = json!({"stream": "user-1", "as_of": "2025-03-24T15:47:00Z",
        "do": [{"command": {"type": "SuspendUser", "actor": "a", "reason": "fraud_detected"}}]});
    let scenario = ask(&api, &command).await.ok();
    assert_eq!(
        (&scenario["base_revision"], &scenario["mode"]),
        (&json!(2), &json!("none"))
    );
    let step = &scenario["steps"][0];
    assert_eq!(
        (&step["kind"], &step["outcome"]),
        (&json!("command"), &json!("accepted"))
    );
    assert_eq!(
        step["events"][0]["recorded_at"], "2025-03-24T15:47:00Z",
        "it happens at the time asked about"
    );
    assert_eq!(
        (
            &scenario["state"]["status"],
            &scenario["actual"]["state"]["status"]
        ),
        (&json!("suspended"), &json!("active"))
    );
    assert_eq!(scenario["first_divergence"], 3);

    let event = json!({"stream": "user-1", "at_revision": 3,
        "do": [{"event": {"event_type": "UserSuspended", "data": {"reason": "fraud_detected"}}},
            {"command": {"type": "SuspendUser", "actor": "a", "reason": "fraud_detected"}}]});
    let scenario = ask(&api, &event).await.ok();
    assert_eq!(
        scenario["steps"][0]["kind"], "event",
        "no rules run for a raw event"
    );
    assert_eq!(scenario["steps"][0]["outcome"], "applied");
    let refused = &scenario["steps"][1];
    assert_eq!(
        (&refused["outcome"], &refused["events"]),
        (&json!("rejected"), &json!([]))
    );
    assert_eq!(api.head(), (3, 3));
}

#[tokio::test]
async fn edits_are_refolded_with_what_came_after() {
    let api = Api::start();
    sarah(&api).await;
    let scenario = ask(
        &api,
        &json!({"stream": "user-1", "edits": [{"drop": {"revision": 2}}], "continue": "refold"}),
    )
    .await
    .ok();
    assert_eq!(scenario["state"]["first_name"], "Some");
    assert_eq!(scenario["state"]["status"], "deleted");
    assert_eq!(scenario["actual"]["revision"], 3);
    assert_eq!(scenario["first_divergence"], 2);
    let nothing = ask(
        &api,
        &json!({"stream": "user-1", "at_revision": 0, "continue": "refold"}),
    )
    .await
    .ok();
    assert_eq!(
        (&nothing["diff"], &nothing["first_divergence"]),
        (&json!([]), &Value::Null)
    );
    assert_eq!(nothing["state"], nothing["actual"]["state"]);
}

#[tokio::test]
async fn who_held_a_key_is_asked_as_of_the_base() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.user("user-2", "bert").await;
    let take =
        json!({"type": "ChangeEmail", "payload": {"email": "late@example.com"}, "actor": "bert"});
    api.clock.set("2025-03-02T09:00:00Z");
    api.command("user-2", &take).await.ok();
    let wish = |base: Value| {
        let mut scenario = json!({"stream": "user-1", "do": [{"command": {"type": "ChangeEmail", "actor": "a", "payload": {"email": "late@example.com"}}}]});
        for (name, value) in base.as_object().unwrap() {
            scenario[name] = value.clone();
        }
        scenario
    };
    let outcome = async |base: Value| {
        let scenario = ask(&api, &wish(base)).await.ok();
        (
            scenario["steps"][0]["outcome"].clone(),
            scenario["steps"][0]["rule"].clone(),
        )
    };
    let accepted = (json!("accepted"), Value::Null);
    let taken = (json!("rejected"), json!("email.taken"));
    assert_eq!(outcome(json!({"at_revision": 1})).await, accepted);
    assert_eq!(
        outcome(json!({"as_of": "2025-03-02T08:59:59Z"})).await,
        accepted
    );
    assert_eq!(
        outcome(json!({"as_of": "2025-03-02T09:00:00Z"})).await,
        taken
    );
    assert_eq!(outcome(json!({})).await, taken, "without a base, it is now");
    // A stream that never was, on purpose.
    let mut scenario =
        json!({"stream": "user-9", "at_revision": 0, "do": [{"command": create_user("bert")}]});
    let answer = ask(&api, &scenario).await.ok();
    assert_eq!(answer["steps"][0]["rule"], "username.taken");
    scenario.as_object_mut().unwrap().remove("at_revision");
    ask(&api, &scenario).await.problem(404, "no_such_stream");
}

#[tokio::test]
async fn a_page_of_steps_belongs_to_its_what_if() {
    let api = Api::start();
    let events: Vec<_> = (0..5)
        .map(|n| json!({"event_type": "T", "data": {"n": n}}))
        .collect();
    api.append("door-1", &json!({ "events": events }))
        .await
        .ok();
    let drop = |revision: u64| json!({"stream": "door-1", "edits": [{"drop": {"revision": revision}}], "continue": "refold"});
    let page = async |query: &str, what_if: &Value| {
        api.post(&format!("/v1/what-if?steps=all&limit=2{query}"), what_if)
            .await
    };
    let (mut seen, mut query) = (Vec::new(), String::new());
    let mut last = String::new();
    loop {
        let out = page(&query, &drop(1)).await.ok();
        let steps = out["steps"].as_array().unwrap().iter();
        seen.extend(steps.map(|step| step["recorded_revision"].as_u64().unwrap()));
        let Some(cursor) = out["next_cursor"].as_str() else {
            break;
        };
        query = format!("&cursor={cursor}");
        last.clone_from(&query);
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    for bad in [
        "&cursor=x",
        "&cursor=2",
        "&cursor=",
        "&cursor=99.0123456789abcdef",
    ] {
        let problem = page(bad, &drop(1)).await.problem(400, "bad_parameter");
        assert_eq!(problem["field"], "cursor", "{bad}");
    }
    // Another request, and a history that went on.
    page(&last, &drop(2)).await.problem(400, "bad_parameter");
    page(&last, &drop(1)).await.ok();
    api.append("door-1", &json!({ "events": [events[0]] }))
        .await
        .ok();
    page(&last, &drop(1)).await.problem(400, "bad_parameter");
}

#[tokio::test]
async fn secrets_in_a_story_are_redacted_unless_revealed() {
    let api = Api::start();
    sarah(&api).await;
    let scenario = json!({"stream": "user-1", "at_revision": 0, "continue": "refold", "edits": [{"insert": {"after_revision": 0, "event_type": "X", "data": {}}}]});
    let shown = ask(&api, &scenario).await;
    assert!(!shown.text.contains("$argon2id"), "{}", shown.text);
    assert_eq!(shown.ok()["redacted"], json!(["/password_hash"]));
    let revealed = api.post("/v1/what-if?reveal=true", &scenario).await;
    assert!(revealed.text.contains("$argon2id"));
    assert_eq!(revealed.ok()["redacted"], json!([]));
}

fn scenario() -> impl Strategy<Value = Value> {
    let data = prop_oneof![
        Just(json!({})),
        Just(json!({"email": "new@example.com"})),
        Just(json!({"status": "x", "reason": "r"}))
    ];
    let kind = prop_oneof![
        Just("UserSuspended"),
        Just("UserDeleted"),
        Just("UserEmailChanged"),
        Just("Unheard")
    ];
    let edit = (0..5_u64, kind.clone(), data.clone()).prop_flat_map(|(revision, kind, data)| {
        prop_oneof![
            Just(json!({"drop": {"revision": revision}})),
            Just(json!({"replace": {"revision": revision, "data": data}})),
            Just(json!({"insert": {"after_revision": revision, "event_type": kind, "data": data}})),
        ]
    });
    let action = (kind, data).prop_flat_map(|(kind, data)| {
        prop_oneof![
            Just(json!({"event": {"event_type": kind, "data": data}})),
            Just(json!({"command": suspend("fraud")})),
            Just(json!({"command": {"type": "DeleteUser", "actor": "a", "reason": "why"}})),
            Just(json!({"command": {"type": "ReactivateUser", "actor": "a"}})),
            Just(json!({"command": create_user("sarah")})),
            Just(json!({"command": {"type": "ChangeEmail", "actor": "a", "payload": {"email": "bert@example.com"}}})),
            Just(json!({"command": {"type": "ChangePassword", "actor": "a", "payload": {"current_password": "correct horse battery", "new_password": "another one"}}})),
        ]
    });
    let list = |of| prop::collection::vec(of, 0..3);
    (0..4_u64, list(edit.boxed()), list(action.boxed()), prop_oneof![Just("none"), Just("refold")], 1..4_u64).prop_map(
        |(at, edits, actions, then, user)| {
            let stream = format!("user-{user}");
            json!({"stream": stream, "at_revision": at, "edits": edits, "do": actions, "continue": then})
        },
    )
}

fn bytes_of(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(bytes_of(&path));
        } else {
            files.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn random_stories_leave_the_stores_bytes_as_they_were() {
    let directory = tempfile::tempdir().unwrap();
    let api = Api::start_in(directory.path());
    sarah(&api).await;
    api.user("user-2", "bert").await;
    // Long enough that reading it would be worth a snapshot.
    for n in 0..60 {
        let event = json!({"event_type": "Noted", "data": {"note": format!("{n:0300}")}});
        api.append("user-3", &json!({"events": [event]})).await.ok();
    }
    let (before, head) = (bytes_of(directory.path()), api.head());
    let mut runner = TestRunner::new(crate::seeded::seeded(1));
    let (mut run, mut refused) = (0, 0);
    for _ in 0..10_000 {
        let scenario = scenario().new_tree(&mut runner).unwrap().current();
        let reply = ask(&api, &scenario).await;
        match reply.status {
            200 => run += 1,
            400 | 404 => refused += 1,
            _ => panic!("{scenario}: {}", reply.text),
        }
    }
    assert!(run > 2_500 && refused > 250, "{run} run, {refused} refused");
    let long = json!({"stream": "user-3", "do": [{"command": suspend("x")}], "continue": "refold"});
    ask(&api, &long).await.ok();
    api.daemon.time_travel().settled().await;
    assert_eq!(api.head(), head);
    assert!(
        bytes_of(directory.path()) == before,
        "the store's bytes have changed"
    );
}
