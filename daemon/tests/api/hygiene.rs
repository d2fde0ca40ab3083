//! Whatever is wrong with a request, the answer is a problem document and nothing is stored.

use axum::body::Body;
use http_body_util::BodyExt;

use serde_json::{Value, json};

use tower::ServiceExt;
use whodunit_daemon::limits;

use crate::support::{Api, request, suspend};

#[tokio::test]
async fn paths_and_methods_that_do_not_exist() {
    let api = Api::start();
    for path in [
        "/",
        "/v1",
        "/v1/nope",
        "/v1/streams/",
        "/v1/streams/user-1/nope",
        "/v2/streams",
    ] {
        api.get(path).await.problem(404, "no_such_path");
    }
    for (method, path, allow) in [
        (
            "DELETE",
            "/v1/streams/user-1/events",
            ["GET", "POST"].as_slice(),
        ),
        ("PUT", "/v1/what-if", &["POST"]),
        ("POST", "/v1/health", &["GET"]),
        ("GET", "/v1/import", &["POST"]),
    ] {
        let reply = api
            .send(request(method, path).body(Body::empty()).unwrap())
            .await;
        let allowed = reply.headers["allow"].to_str().unwrap().to_owned();
        assert!(
            allow.iter().all(|method| allowed.contains(method)),
            "{path}: {allowed}"
        );
        reply.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be() {
    let api = Api::start();
    let path = "/v1/streams/user-1/commands";
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/jsonish",
    ] {
        api.post_text(path, kind, "{}")
            .await
            .problem(415, "unsupported_media_type");
    }
    let body = suspend("x").to_string();
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.x+json",
    ] {
        api.post_text(path, kind, &body)
            .await
            .problem(422, "rejected");
    }
    for body in [
        "",
        "{",
        "{\"type\": \"hunter2\n",
        "[1, 2",
        "{\"type\": \"X\"} extra",
        "\u{feff}{}",
        "nul",
    ] {
        let problem = api
            .post_text(path, "application/json", body)
            .await
            .problem(400, "malformed");
        let detail = problem["detail"].as_str().unwrap();
        let list = body.starts_with('[') && detail == "the body: must not be a list";
        assert!(list || detail.contains(" at line "), "{detail}");
        assert!(!detail.contains("hunter2"));
    }
    let deep = "[".repeat(100_000);
    api.post_text(path, "application/json", &deep)
        .await
        .problem(400, "malformed");
    let broken = request("POST", path).header("content-type", "application/json");
    let broken = api
        .send(broken.body(Body::from(vec![b'"', 0xff, b'"'])).unwrap())
        .await;
    broken.problem(400, "malformed");
    let large = " ".repeat(limits::BODY_BYTES_MAX + 1);
    let problem = api
        .post_text(path, "application/json", &large)
        .await
        .problem(413, "too_large");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains(&limits::BODY_BYTES_MAX.to_string())
    );
    assert_eq!(
        api.head(),
        (0, 4),
        "only the well-formed commands are on record"
    );
}

/// serde reads a list as the fields of a struct in their order.
#[tokio::test]
async fn a_list_is_no_object_with_its_fields_in_order() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let before = api.head();
    for (path, body, field) in [
        (
            "/v1/streams/user-1/commands",
            json!(["DeleteUser", {}, "ann", "why"]),
            None,
        ),
        (
            "/v1/streams/user-1/events",
            json!([null, [{"event_type": "T", "data": {}}]]),
            None,
        ),
        (
            "/v1/streams/user-1/events",
            json!({"events": [["T", {}]]}),
            Some("/events/0"),
        ),
        (
            "/v1/what-if",
            json!({"stream": "user-1", "do": [{"command": ["DeleteUser", {}, "ann", "why"]}]}),
            Some("/do/0/command"),
        ),
        (
            "/v1/what-if",
            json!({"stream": "user-1", "edits": [{"drop": [1]}]}),
            Some("/edits/0/drop"),
        ),
        ("/v1/backfill", json!([["states"], null]), None),
    ] {
        let problem = api.post(path, &body).await.problem(400, "malformed");
        assert_eq!(problem["field"].as_str(), field, "{problem}");
    }
    assert_eq!(api.head(), before);
}

#[tokio::test]
async fn values_are_never_quoted_back() {
    let api = Api::start();
    let canary = "hunter2-canary";
    for body in [
        json!({"type": "CreateUser", "payload": canary, "actor": "a"}),
        json!({"type": "CreateUser", "payload": [canary], "actor": "a"}),
        json!({"type": "CreateUser", "payload": {"password": [canary]}, "actor": "a"}),
        json!({"type": "CreateUser", "payload": {"password": {canary: 1}}, "actor": "a"}),
        json!({"type": [canary], "payload": {}, "actor": "a"}),
        json!({"type": "ChangePassword", "payload": {"current_password": canary}, "actor": {"x": canary}}),
    ] {
        let reply = api.command("user-1", &body).await;
        assert_eq!(reply.status, 400);
        assert!(!reply.text.contains(canary), "{}", reply.text);
    }
    assert_eq!(api.head(), (0, 0));
}

#[tokio::test]
async fn urls_that_are_not_percent_encoded_text() {
    let api = Api::start();
    for path in [
        "/v1/streams/user-%zz",
        "/v1/streams/user-%f",
        "/v1/streams/user-%ff/state",
        "/v1/events?text=%",
        "/v1/events?text=%c3%28",
        "/v1/events/%80",
    ] {
        api.get(path).await.problem(400, "bad_parameter");
    }
    for path in [
        "/v1/streams/user-%1b%5b2J",
        "/v1/streams/user-%00",
        "/v1/streams/-1/state",
        "/v1/streams/user-%3F/events",
    ] {
        let reply = api.get(path).await;
        assert!(!reply.text.contains('\u{1b}'));
        reply.problem(400, "bad_stream_name");
    }
    let long = format!("/v1/streams/user-{}", "x".repeat(300));
    api.get(&long).await.problem(400, "bad_stream_name");
}

#[tokio::test]
async fn problems_repeat_little_of_what_is_wrong() {
    let api = Api::start();
    let long = "k".repeat(1 << 20);
    let long_name = "n".repeat(8 << 10);
    let bodies = [
        json!({long.clone(): 1}),
        json!({"type": long, "payload": {}, "actor": "a"}),
        json!({"type": "SuspendUser", "payload": {long.clone(): 1}, "actor": "a", "reason": "r"}),
        json!({"type": "SuspendUser", "payload": {}, "actor": long, "reason": "r"}),
        json!({"type": "SuspendUser", "payload": {}, "actor": "a", "reason": long}),
        json!({"type": "SuspendUser", "payload": {}, "actor": "a", "reason": "r", "command_id": long}),
        json!({"type": "SuspendUser", "payload": {}, "actor": "a", "reason": "r", "expected_revision": long}),
        json!({"events": [{"event_type": long, "data": {}}]}),
        json!({"events": [{"event_type": "X", "data": {}, "recorded_at": long}]}),
        json!({"events": [{"event_type": "X", "data": {}, "event_id": long}]}),
        json!({"events": [{"event_type": "X", "data": {}, long.clone(): 1}]}),
        json!({"events": [], "expected_revision": {long.clone(): 1}}),
        json!({"stream": long, "do": []}),
        json!({"stream": "user-1", "at_revision": 0, "do": [{"command": {"type": long, "payload": {}, "actor": "a"}}]}),
        json!({"stream": "user-1", "at_revision": 0, "do": [{long.clone(): {}}]}),
        json!({"stream": "user-1", "at_revision": 0, "edits": [{"insert": {"after_revision": 0, "event_type": long, "data": {}}}]}),
        json!({"handlers": [long]}),
        json!({"handlers": ["mail"], long.clone(): 1}),
    ];
    for body in &bodies {
        for path in [
            "/v1/streams/user-1/commands",
            "/v1/streams/user-1/events",
            "/v1/what-if",
            "/v1/backfill",
        ] {
            let reply = api.post(path, body).await;
            assert!(
                (400..500).contains(&reply.status),
                "{path}: {}",
                reply.status
            );
            assert!(reply.text.len() < 4_096, "{path}: {}", reply.text.len());
        }
    }
    for path in [
        format!("/{long_name}"),
        format!("/v1/events/{long_name}"),
        format!("/v1/streams/{long_name}"),
        format!("/v1/models/{long_name}"),
        format!("/v1/read-models/{long_name}"),
        format!("/v1/read-models/users/{long_name}"),
        format!("/v1/read-models/users?{long_name}=1"),
        format!("/v1/read-models/users?sort={long_name}"),
        format!("/v1/projections/{long_name}"),
        format!("/v1/outbox/{long_name}"),
        format!("/v1/outbox?handler={long_name}&status={long_name}"),
        format!("/v1/backfill/{long_name}"),
        format!("/v1/events?{long_name}=1"),
        format!("/v1/events?since={long_name}"),
        format!("/v1/events?cursor={long_name}"),
        format!("/v1/streams/user-1/diff?from={long_name}"),
        format!("/v1/streams/user-1/state?as_of={long_name}"),
        format!("/v1/live?after={long_name}"),
        format!("/v1/density?buckets={long_name}"),
    ] {
        let reply = api.get(&path).await;
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.text);
        assert!(reply.text.len() < 4_096, "{path}: {}", reply.text.len());
    }
}

#[tokio::test]
async fn a_misplaced_password_never_comes_back() {
    let api = Api::start();
    let canary = "hunter2-canary";
    for body in [
        json!({"type": "ChangePassword", "payload": {}, "actor": "a", "expected_revision": canary}),
        json!({"type": "ChangePassword", "payload": {}, "actor": "a", "expected_revision": [canary]}),
        json!({"events": [{"event_type": "X", "data": {}, "recorded_at": canary}]}),
        json!({"events": [{"event_type": "X", "data": canary}]}),
        json!({"events": canary}),
        json!({"stream": "user-1", "continue": canary}),
        json!({"stream": "user-1", "at_revision": canary}),
        json!({"stream": "user-1", "as_of": canary}),
    ] {
        for path in [
            "/v1/streams/user-1/commands",
            "/v1/streams/user-1/events",
            "/v1/what-if",
        ] {
            let reply = api.post(path, &body).await;
            assert!((400..500).contains(&reply.status), "{}", reply.text);
            assert!(
                !reply.text.contains(canary),
                "{path} {body}: {}",
                reply.text
            );
        }
    }
}

#[tokio::test]
async fn what_is_refused_for_its_size_or_coding_is_a_problem_too() {
    let api = Api::start();
    let long = format!("/v1/events?text={}", "x".repeat(limits::URI_BYTES_MAX));
    api.get(&long).await.problem(414, "uri_too_long");
    for (path, kind) in [
        ("/v1/streams/user-1/commands", "application/json"),
        ("/v1/import", "application/x-ndjson"),
    ] {
        let request = request("POST", path)
            .header("content-type", kind)
            .header("content-encoding", "gzip");
        let reply = api.send(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!(reply.headers["accept-encoding"], "identity");
        reply.problem(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn every_reply_says_how_it_may_be_used() {
    let api = Api::start();
    for path in ["/v1/health", "/v1/nope", "/v1/openapi.json", "/v1/export"] {
        let headers = api.get(path).await.headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn the_hints_of_a_problem_are_words_for_people() {
    let api = Api::start();
    let problem: Value = api.get("/v1/nope").await.problem(404, "no_such_path");
    assert_eq!(problem["hint"], "`GET /v1/openapi.json` lists the paths");
}

#[tokio::test]
async fn an_answer_of_some_size_is_compressed_for_a_client_that_takes_it() {
    let api = Api::start();
    let ask = |path: &str, accept: &'static str| {
        let request = request("GET", path).header("accept-encoding", accept);
        api.router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
    };
    let packed = ask("/v1/openapi.json", "gzip").await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    // One that was compressed where it was made: what it says is the same.
    for n in 0..20 {
        api.user(&format!("user-{n}"), &format!("user{n}")).await;
    }
    let events = ask("/v1/events", "gzip").await.unwrap();
    assert_eq!(events.headers()["content-encoding"], "gzip");
    assert_eq!(events.headers()["vary"], "accept-encoding");
    let bytes = events.into_body().collect().await.unwrap().to_bytes();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*bytes), &mut text).unwrap();
    let plain = ask("/v1/events", "identity").await.unwrap();
    let plain = plain.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(text.as_bytes(), &*plain);
    // One that is streamed, and ends though it is asked for more.
    let export = ask("/v1/export?category=none", "gzip").await.unwrap();
    assert_eq!(export.headers()["content-encoding"], "gzip");
    assert!(export.into_body().collect().await.is_ok());
    let bytes = packed.into_body().collect().await.unwrap().to_bytes();
    assert!(
        bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() < 100_000,
        "{}",
        bytes.len()
    );
    for (path, accept) in [
        ("/v1/openapi.json", "identity"),
        ("/v1/health", "gzip"),
        ("/v1/live", "gzip"),
    ] {
        let reply = ask(path, accept).await.unwrap();
        assert!(reply.headers().get("content-encoding").is_none(), "{path}");
    }
}
