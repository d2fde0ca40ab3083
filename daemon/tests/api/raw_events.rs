//! Raw appends: stored as given, idempotent by event id, refused when malformed.

use serde_json::{Value, json};
use whodunit_core::ids::Position;
use whodunit_core::keys::UniqueKey;

use axum::body::Body;

use crate::support::{Api, create_user, request};

#[tokio::test]
async fn raw_events_are_stored_as_given() {
    let api = Api::start();
    let event = json!({
        "event_type": "DoorOpened", "data": {"by": "key 7", "n": 1.50}, "event_id": "e-1", "schema_version": 3,
        "recorded_at": "2025-01-01T12:00:00+02:00", "actor": "anna", "reason": "late", "correlation_id": "c",
        "causation_id": "d", "metadata": {"ip": "::1"},
    });
    let body = json!({"expected_revision": "no_stream", "events": [event, {"event_type": "DoorClosed", "data": {}}]});
    let out = api.append("door-1", &body).await.ok();
    assert_eq!(
        (&out["revision"], &out["position"], &out["repeated"]),
        (&json!(2), &json!(2), &json!(false))
    );
    let stored = api.get("/v1/events/e-1").await.ok();
    let expected = json!({
        "position": 1, "stream": "door-1", "revision": 1, "event_id": "e-1", "event_type": "DoorOpened",
        "schema_version": 3, "recorded_at": "2025-01-01T10:00:00Z", "actor": "anna", "reason": "late",
        "correlation_id": "c", "causation_id": "d", "data": {"by": "key 7", "n": 1.5}, "metadata": {"ip": "::1"},
    });
    assert_eq!(stored, expected);
    let second = &out["events"][1];
    assert_eq!(second["schema_version"], 1);
    assert_eq!(second["actor"], Value::Null);
    assert_eq!(second["recorded_at"], "2025-03-01T09:00:00Z");
}

#[tokio::test]
async fn an_event_id_makes_an_append_idempotent() {
    let api = Api::start();
    let body = json!({"expected_revision": 0, "events": [{"event_type": "Opened", "data": {"a": 1}, "event_id": "e"}]});
    let first = api.append("door-1", &body).await.ok();
    api.fact("door-1", "Closed", json!({})).await;
    let mut again = api.append("door-1", &body).await.ok();
    assert_eq!(again["repeated"], true);
    again["repeated"] = json!(false);
    assert_eq!(
        again, first,
        "the first answer, though the stream has grown"
    );
    let mut other = body.clone();
    other["events"][0]["data"] = json!({"a": 2});
    api.append("door-1", &other)
        .await
        .problem(409, "event_id_conflict");
    api.append("door-2", &body)
        .await
        .problem(409, "event_id_conflict");
    // The same for a category whose keys are kept.
    let user = json!({"events": [{"event_type": "UserEmailChanged", "data": {"email": "a@b.c"}, "event_id": "u"}]});
    api.append("user-1", &user).await.ok();
    assert_eq!(api.append("user-1", &user).await.ok()["repeated"], true);
    assert_eq!(api.head(), (3, 0));
}

#[tokio::test]
async fn a_malformed_event_names_the_field_and_stores_nothing() {
    let api = Api::start();
    let deep = |levels: usize| -> Value {
        serde_json::from_str(&format!(
            "{}1{}",
            "{\"a\":".repeat(levels),
            "}".repeat(levels)
        ))
        .unwrap()
    };
    let cases = [
        (json!({"events": []}), "malformed", "/events"),
        (
            json!({"events": [{"event_type": "X", "data": []}]}),
            "malformed",
            "/events/0/data",
        ),
        (
            json!({"events": [{"event_type": "", "data": {}}]}),
            "malformed",
            "/events/0/event_type",
        ),
        (
            json!({"events": [{"event_type": "X", "data": {}, "metadata": 1}]}),
            "malformed",
            "/events/0/metadata",
        ),
        (
            json!({"events": [{"event_type": "X", "data": {}, "schema_version": 0}]}),
            "malformed",
            "/events/0/schema_version",
        ),
        (
            json!({"events": [{"event_type": "X", "data": {}, "recorded_at": "2025-01-01T00:00:00"}]}),
            "bad_time",
            "/events/0/recorded_at",
        ),
        (
            json!({"events": [{"event_type": "X", "data": {}, "event_id": "a"}, {"event_type": "X", "data": {}, "event_id": "a"}]}),
            "malformed",
            "/events/1/event_id",
        ),
        (
            json!({"events": [{"event_type": "X", "data": {}, "colour": 1}]}),
            "malformed",
            "/events/0/colour",
        ),
        (
            json!({"events": [{"event_type": "X", "data": deep(101)}]}),
            "malformed",
            "/events/0/data",
        ),
        (
            json!({"events": vec![json!({"event_type": "X", "data": {}}); 1001]}),
            "limit_exceeded",
            "/events",
        ),
        (
            json!({"events": [{"event_type": "X", "data": {"a": "x".repeat(1 << 20)}}]}),
            "limit_exceeded",
            "/events/0/data",
        ),
    ];
    for (body, code, field) in cases {
        let problem = api.append("door-1", &body).await.problem(400, code);
        assert_eq!(problem["field"], field);
    }
    for (data, field) in [
        (r#"{"a":{"b":1,"\u0062":2}}"#, "/events/0/data/a/b"),
        (r#"{"x":{"password":"hunter2"},"x":1}"#, "/events/0/data/x"),
        (r#"{"n":1e9999999999999999999}"#, "/events/0/data/n"),
        (r#"{"s":"x\ud800y"}"#, "/events/0/data/s"),
        (
            r#"{"$serde_json::private::Number":"1"}"#,
            "/events/0/data/$serde_json::private::Number",
        ),
    ] {
        let body = format!(r#"{{"events":[{{"event_type":"X","data":{data}}}]}}"#);
        let problem = api
            .post_text("/v1/streams/door-1/events", "application/json", &body)
            .await
            .problem(400, "malformed");
        assert_eq!(problem["field"], field);
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
    assert_eq!(api.head(), (0, 0));
    // What is within the bounds can be read back.
    api.fact("door-1", "X", deep(100)).await;
    api.get("/v1/streams/door-1/steps").await.ok();
    let whatever = api.get("/v1/streams/door-1/state").await.ok();
    assert_eq!(whatever["faults"], json!([]));
}

#[tokio::test]
async fn a_plaintext_secret_is_refused_wherever_it_hides() {
    let api = Api::start();
    let canary = "hunter2-canary";
    for data in [
        json!({"password": canary}),
        json!({"profile": [{"new_password": canary}]}),
    ] {
        for event in [
            json!({"event_type": "UserCreated", "data": data}),
            json!({"event_type": "UserCreated", "data": {}, "metadata": data}),
        ] {
            let reply = api.append("user-1", &json!({"events": [event]})).await;
            assert!(!reply.text.contains(canary));
            let problem = reply.problem(400, "plaintext_secret");
            assert!(
                problem["field"].as_str().unwrap().ends_with("password"),
                "{problem}"
            );
        }
    }
    assert_eq!(api.head(), (0, 0));
}

#[tokio::test]
async fn raw_events_of_a_modelled_category_keep_its_keys_and_label() {
    let api = Api::start();
    let created = |email: &str| {
        json!({"events": [{"event_type": "UserCreated", "data": {"username": email, "email": email, "first_name": "A",
            "last_name": "B", "password_hash": "$argon2id$x"}}]})
    };
    api.append("user-1", &created("a@example.com")).await.ok();
    let problem = api
        .append("user-2", &created("A@EXAMPLE.com"))
        .await
        .problem(409, "key_taken");
    assert_eq!(problem["rule"], "username.taken");
    assert!(!problem.to_string().contains("user-1"));
    let stream = api.get("/v1/streams/user-1").await.ok();
    assert_eq!(
        (&stream["title"], &stream["status"]),
        (&json!("a@example.com"), &json!("active"))
    );
    let deleted = json!({"events": [{"event_type": "UserDeleted", "data": {"reason": "x"}}]});
    api.append("user-1", &deleted).await.ok();
    assert_eq!(
        api.get("/v1/streams/user-1").await.ok()["status"],
        "deleted"
    );
    api.append("user-2", &created("a@example.com")).await.ok();
}

#[tokio::test]
async fn a_batch_is_judged_as_its_events_would_be_one_by_one_so_its_export_restores() {
    let api = Api::start();
    let created = |name: &str| {
        json!({"event_type": "UserCreated", "data": {"username": name, "email": format!("{name}@example.com"),
            "first_name": "A", "last_name": "B", "password_hash": "$argon2id$x"}})
    };
    let email = |email: &str| json!({"event_type": "UserEmailChanged", "data": {"email": email}});
    api.append("user-1", &json!({"events": [created("ann")]}))
        .await
        .ok();
    // In between it would hold a key that another holds: as refused as it would be alone.
    let through =
        json!({"events": [created("bob"), email("ann@example.com"), email("bob@example.org")]});
    let problem = api.append("user-2", &through).await;
    assert_eq!(problem.problem(409, "key_taken")["rule"], "email.taken");
    assert_eq!(api.head(), (1, 0));
    let free =
        json!({"events": [created("bob"), email("eve@example.com"), email("bob@example.org")]});
    api.append("user-2", &free).await.ok();
    let export = api.get("/v1/export?reveal=true").await.text;
    let restored = Api::start();
    let report = restored
        .post_text("/v1/import", "application/x-ndjson", &export)
        .await
        .ok();
    assert_eq!(
        (&report["added"], &report["failed"]),
        (&json!(4), &json!(0))
    );
    let again = restored.get("/v1/export?reveal=true").await.text;
    assert!(crate::transfer::records(&again).eq(crate::transfer::records(&export)));
    // Who held a key when is the same as well: from the event that took it to the one that gave it up.
    for api in [&api, &restored] {
        let view = api.daemon.store().view().unwrap();
        let key = UniqueKey::caseless("email", "eve@example.com");
        let hold = view.key_holder("user", &key, Some(Position(3))).unwrap();
        let hold = hold.map(|hold| (hold.since, hold.until));
        assert_eq!(hold, Some((Position(3), Some(Position(4)))));
    }
}

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn a_requests_trace_is_kept_with_its_events_and_its_id_comes_back() {
    let api = Api::start();
    let send = |path: &str, body: Value, id: &'static str, trace: &'static str| {
        let request = request("POST", path)
            .header("content-type", "application/json")
            .header("x-request-id", id)
            .header("traceparent", trace);
        api.send(request.body(Body::from(body.to_string())).unwrap())
    };
    let trace = json!({"request_id": "req-7", "traceparent": TRACEPARENT});
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";

    let reply = send(
        "/v1/streams/user-1/commands",
        create_user("sarah"),
        "req-7",
        TRACEPARENT,
    )
    .await;
    assert_eq!(reply.headers["x-request-id"], "req-7");
    let event = reply.ok()["events"][0].clone();
    assert_eq!(
        (&event["metadata"], &event["correlation_id"]),
        (&trace, &json!(trace_id))
    );

    // Raw events keep their own metadata beside it; those that name their ids are kept as they were given.
    let body = json!({"events": [
        {"event_type": "A", "data": {}, "metadata": {"ip": "::1"}},
        {"event_type": "B", "data": {}, "event_id": "mine", "metadata": {"ip": "::1"}},
    ]});
    let events = send("/v1/streams/door-1/events", body, "req-7", TRACEPARENT)
        .await
        .ok()["events"]
        .clone();
    assert_eq!(
        events[0]["metadata"],
        json!({"ip": "::1", "request_id": "req-7", "traceparent": TRACEPARENT})
    );
    assert_eq!(events[1]["metadata"], json!({"ip": "::1"}));

    // A command that is sent again, in another request, is the same command.
    let mut again = create_user("john");
    again["command_id"] = "c-1".into();
    let first = send(
        "/v1/streams/user-2/commands",
        again.clone(),
        "req-8",
        TRACEPARENT,
    )
    .await
    .ok();
    let second = send("/v1/streams/user-2/commands", again, "req-9", TRACEPARENT)
        .await
        .ok();
    assert_eq!(
        (&second["repeated"], &second["events"]),
        (&json!(true), &first["events"])
    );
    assert_eq!(first["events"][0]["correlation_id"], "c-1");

    for (id, trace, field) in [
        ("a b", TRACEPARENT, "x-request-id"),
        ("a", "00-0-0-0", "traceparent"),
    ] {
        let problem = send("/v1/streams/user-3/commands", create_user("x"), id, trace)
            .await
            .problem(400, "bad_parameter");
        assert_eq!(problem["field"], field);
    }
    // A request without an id gets one to be found by in the daemon's log.
    let reply = api.get("/v1/health").await;
    assert_eq!(reply.headers["x-request-id"].len(), 36);
}
