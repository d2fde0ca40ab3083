//! Time travel: the state at a revision is the same whichever way it is reached.

use serde_json::{Value, json};

use crate::support::{Api, suspend};

/// Sarah: created on the 1st, suspended on the 20th, deleted on the 24th at 15:47:23.
async fn sarah(api: &Api) {
    api.user("user-1", "sarah").await;
    api.clock.set("2025-03-20T03:00:00Z");
    api.command("user-1", &suspend("fraud_detected")).await.ok();
    api.clock.set("2025-03-24T15:47:23Z");
    let delete = json!({"type": "DeleteUser", "payload": {}, "actor": "job:inactive-cleanup", "reason": "inactive for 90 days"});
    api.command("user-1", &delete).await.ok();
}

#[tokio::test]
async fn the_state_at_a_revision_and_as_of_a_time() {
    let api = Api::start();
    sarah(&api).await;
    let on = async |query: &str| {
        api.get(&format!("/v1/streams/user-1/state{query}"))
            .await
            .ok()
    };
    let head = on("").await;
    assert_eq!(
        (&head["revision"], &head["state"]["status"]),
        (&json!(3), &json!("deleted"))
    );
    assert_eq!(head["recorded_at"], "2025-03-24T15:47:23Z");
    let empty = on("?at_revision=0").await;
    assert_eq!(
        (&empty["state"], &empty["position"], &empty["recorded_at"]),
        (&json!({}), &Value::Null, &Value::Null)
    );
    assert_eq!(empty["head_revision"], 3);
    for (query, revision, status) in [
        ("?at_revision=1", 1, "active"),
        ("?at_revision=2", 2, "suspended"),
        ("?as_of=2025-03-01T09:00:00Z", 1, "active"),
        ("?as_of=2025-03-20T02:59:59.999999Z", 1, "active"),
        ("?as_of=2025-03-20T03:00:00Z", 2, "suspended"),
        ("?as_of=2025-03-24T15:47:00Z", 2, "suspended"),
        ("?as_of=2025-03-24T16:47:23%2B01:00", 3, "deleted"),
        ("?as_of=2999-01-01T00:00:00Z", 3, "deleted"),
    ] {
        let state = on(query).await;
        assert_eq!(state["revision"], revision, "{query}");
        assert_eq!(state["state"]["status"], status, "{query}");
        assert_eq!(state["state"]["password_hash"], "[redacted]");
        assert_eq!(state["redacted"], json!(["/password_hash"]));
    }
}

#[tokio::test]
async fn six_kinds_of_nothing_are_told_apart() {
    let api = Api::start();
    sarah(&api).await;
    let path = "/v1/streams/user-1/state";
    api.get("/v1/streams/user-2/state")
        .await
        .problem(404, "no_such_stream");
    api.get("/v1/streams/user-2/state?at_revision=0")
        .await
        .problem(404, "no_such_stream");
    let beyond = api
        .get(&format!("{path}?at_revision=4"))
        .await
        .problem(404, "revision_beyond_head");
    assert_eq!(beyond["revision"], 3);
    let before = api
        .get(&format!("{path}?as_of=2025-02-28T00:00:00Z"))
        .await
        .problem(404, "before_first_event");
    assert_eq!(before["actual"], "2025-03-01T09:00:00Z");
    assert!(
        before["detail"]
            .as_str()
            .unwrap()
            .contains("2025-03-01T09:00:00Z")
    );
    let reached = api.get(path).await.ok();
    assert_eq!(
        reached["state"]["status"], "deleted",
        "deleted is a state, not an absence"
    );
}

#[tokio::test]
async fn steps_say_what_each_event_did() {
    let api = Api::start();
    sarah(&api).await;
    let steps = api.get("/v1/streams/user-1/steps?from=2").await.ok();
    let steps = steps["items"].as_array().unwrap();
    assert_eq!(
        steps[0]["diff"][0],
        json!({"path": "/status", "op": "replace", "before": "active", "after": "suspended"})
    );
    assert_eq!(steps[0]["applied"], json!({"effect": "applied"}));
    let last = &steps[1]["diff"];
    assert!(
        last.to_string()
            .contains(r#"{"path":"/deleted_at","op":"add","after":"2025-03-24T15:47:23Z"}"#),
        "{last}"
    );
    let back = api
        .get("/v1/streams/user-1/steps?order=backward&limit=2")
        .await
        .ok();
    assert_eq!(back["items"], json!([steps[1], steps[0]]));
    let cursor = back["next_cursor"].as_str().unwrap();
    let first = api
        .get(&format!(
            "/v1/streams/user-1/steps?order=backward&cursor={cursor}"
        ))
        .await
        .ok();
    assert_eq!(first["items"][0]["event"]["revision"], 1);
    assert_eq!(first["next_cursor"], Value::Null);
}

#[tokio::test]
async fn old_unknown_and_undecodable_events_stop_nothing() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let events = json!({"events": [
        {"event_type": "UserStatusChanged", "schema_version": 1, "data": {"status": "suspended"}},
        {"event_type": "UserTickled", "data": {"where": "feet"}},
        {"event_type": "UserStatusChanged", "schema_version": 1, "data": {"status": "sideways"}},
    ]});
    api.append("user-1", &events).await.ok();
    let steps = api.get("/v1/streams/user-1/steps").await.ok();
    let steps = steps["items"].as_array().unwrap();
    assert_eq!(steps[1]["upcast"]["event_type"], "UserSuspended");
    assert_eq!(
        steps[1]["event"]["event_type"], "UserStatusChanged",
        "the original stays in view"
    );
    assert_eq!(steps[2]["applied"]["effect"], "unknown");
    assert_eq!(steps[2]["diff"], json!([]));
    assert_eq!(steps[3]["applied"]["effect"], "failed");
    let state = api.get("/v1/streams/user-1/state").await.ok();
    assert_eq!(state["state"]["status"], "suspended");
    assert_eq!(state["faults"][0]["revision"], 4);
}

#[tokio::test]
async fn the_difference_between_any_two_points() {
    let api = Api::start();
    sarah(&api).await;
    let on = async |query: &str| {
        api.get(&format!("/v1/streams/user-1/diff{query}"))
            .await
            .ok()
    };
    let diff = on("?from=1&to=2025-03-21T00:00:00Z").await;
    assert_eq!((&diff["from"], &diff["to"]), (&json!(1), &json!(2)));
    assert_eq!(
        diff["diff"][0],
        json!({"path": "/status", "op": "replace", "before": "active", "after": "suspended"})
    );
    let back = on("?from=2&to=1").await;
    assert_eq!(
        back["diff"][0],
        json!({"path": "/status", "op": "replace", "before": "suspended", "after": "active"})
    );
    let whole = on("").await;
    assert_eq!((&whole["from"], &whole["to"]), (&json!(0), &json!(3)));
    assert_eq!(whole["redacted"], json!(["/password_hash"]));
    assert_eq!(on("?from=2&to=2").await["diff"], json!([]));
    api.get("/v1/streams/user-1/diff?from=1&to=9")
        .await
        .problem(404, "revision_beyond_head");
}

#[tokio::test]
async fn a_clock_that_goes_back_is_reported_and_as_of_follows_the_revisions() {
    let api = Api::start();
    for at in [
        "2025-01-01T00:00:00Z",
        "2025-01-05T00:00:00Z",
        "2025-01-03T00:00:00Z",
        "2025-01-07T00:00:00Z",
    ] {
        let event = json!({"event_type": "Seen", "recorded_at": at, "data": {"at": at}});
        api.append("door-1", &json!({"events": [event]})).await.ok();
    }
    assert_eq!(api.get("/v1/streams/door-1").await.ok()["clock_back_at"], 3);
    for (at, revision) in [
        ("2025-01-03T00:00:00Z", 1),
        ("2025-01-05T00:00:00Z", 3),
        ("2025-01-06T00:00:00Z", 3),
    ] {
        let state = api
            .get(&format!("/v1/streams/door-1/state?as_of={at}"))
            .await
            .ok();
        assert_eq!(state["revision"], revision, "{at}");
    }
}

#[tokio::test]
async fn snapshots_shorten_the_way_and_stay_small() {
    let api = Api::start();
    for n in 0..400 {
        api.fact(
            "door-1",
            "Opened",
            json!({format!("k{}", n % 7): format!("{n:0100}")}),
        )
        .await;
    }
    let cold = api.get("/v1/streams/door-1/state").await.ok();
    assert_eq!(cold["snapshot_revision"], 0);
    api.daemon.time_travel().settled().await;
    let warm = api.get("/v1/streams/door-1/state").await.ok();
    let from = warm["snapshot_revision"].as_u64().unwrap();
    assert!(from > 340, "{from}");
    assert_eq!(warm["state"], cold["state"]);
    let stats = api.daemon.store().stats().unwrap();
    assert!((1..=12).contains(&stats.snapshots), "{}", stats.snapshots);
    // Reading elsewhere finds the same snapshots and makes no new ones.
    for at in [0, 1, 57, 200, 399, 400] {
        api.get(&format!("/v1/streams/door-1/state?at_revision={at}"))
            .await
            .ok();
    }
    api.daemon.time_travel().settled().await;
    assert_eq!(
        api.daemon.store().stats().unwrap().snapshots,
        stats.snapshots
    );
}
