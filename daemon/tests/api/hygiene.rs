//! Whatever is wrong with a request, the answer is a problem document and nothing is stored.

use std::sync::Arc;

use axum::body::Body;
use http_body_util::BodyExt;
use redb::backends::InMemoryBackend;
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::redb::{RedbStore, StoreOptions};
use whodunit_daemon::store::{
    Append, AppendError, AppendResult, BoxFuture, Head, Job, JobChange, RestoredDecision, Snapshot,
    Store, StoreError, StoreId, StoreStats, View,
};
use whodunit_daemon::{Config, limits};

use crate::support::{Api, config, request, suspend};

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
        "{\"type\": 1} extra",
        "\u{feff}{}",
        "nul",
    ] {
        let problem = api
            .post_text(path, "application/json", body)
            .await
            .problem(400, "malformed");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(" at line "), "{detail}");
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

async fn with(api: &Api, headers: &[(&str, &str)]) -> crate::support::Reply {
    let mut request = axum::http::Request::builder()
        .method("GET")
        .uri("/v1/health");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    api.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let api = Api::start();
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:4780",
        "127.0.0.9",
        "[::1]:80",
        "localhost.",
    ] {
        with(&api, &[("host", host)]).await.ok();
    }
    for host in [
        "evil.example",
        "evil.example:4780",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.7",
        "",
        "0.0.0.0",
        "localhost:80@evil.example",
    ] {
        with(&api, &[("host", host)])
            .await
            .problem(421, "foreign_host");
    }
    with(&api, &[]).await.problem(421, "foreign_host");
}

/// The headers that a browser adds, beside `Host: localhost:4780`.
#[tokio::test]
async fn only_pages_of_this_very_origin_are_answered() {
    let api = Api::start();
    for own in [
        ("origin", "http://localhost:4780"),
        ("origin", "http://LOCALHOST:4780"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("referer", "http://localhost:4780/v1/openapi.json"),
    ] {
        with(&api, &[("host", "localhost:4780"), own]).await.ok();
    }
    with(
        &api,
        &[("host", "localhost"), ("origin", "http://localhost:80")],
    )
    .await
    .ok();
    for foreign in [
        ("origin", "http://evil.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "http://localhost"),
        ("origin", "http://127.0.0.1:4780"),
        ("origin", "https://localhost:4780"),
        ("origin", "null"),
        ("origin", ""),
        ("origin", "https://localhost.evil.example"),
        ("origin", "file://"),
        ("origin", "chrome-extension://abc"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "SAME-ORIGIN"),
        ("referer", "http://localhost:3000/"),
        ("referer", "http://localhost:47800/"),
        ("referer", "http://evil.example/http://localhost:4780/"),
    ] {
        with(&api, &[("host", "localhost:4780"), foreign])
            .await
            .problem(403, "foreign_origin");
    }
    // One good header does not make up for a bad one.
    with(
        &api,
        &[
            ("host", "localhost:4780"),
            ("origin", "http://localhost:4780"),
            ("origin", "http://localhost:3000"),
        ],
    )
    .await
    .problem(403, "foreign_origin");
}

#[tokio::test]
async fn no_content_type_and_no_method_gets_a_foreign_page_through() {
    let api = Api::start();
    for (method, path) in [
        ("POST", "/v1/import"),
        ("POST", "/v1/projections/users/rebuild"),
        ("POST", "/v1/what-if"),
        ("POST", "/v1/streams/door-1/events"),
        ("POST", "/v1/backfill"),
        ("GET", "/v1/export"),
        ("GET", "/v1/events"),
        ("OPTIONS", "/v1/events"),
        ("HEAD", "/v1/streams"),
    ] {
        for kind in [
            "multipart/form-data; boundary=x",
            "text/plain",
            "application/json",
            "application/x-ndjson",
        ] {
            let request = request(method, path)
                .header("origin", "http://localhost:3000")
                .header("content-type", kind);
            let body = Body::from(
                "--x\r\ncontent-disposition: form-data; name=\"records\"\r\n\r\n{}\r\n--x--\r\n",
            );
            let reply = api.send(request.body(body).unwrap()).await;
            assert_eq!(reply.status, 403, "{method} {path} {kind}: {}", reply.text);
        }
    }
    assert_eq!(api.head(), (0, 0));
}

#[tokio::test]
async fn a_request_names_one_host() {
    let api = Api::start();
    with(&api, &[("host", "localhost"), ("host", "localhost")])
        .await
        .problem(400, "malformed");
    with(&api, &[("host", "localhost"), ("host", "evil.example")])
        .await
        .problem(400, "malformed");
    for (target, host, status) in [
        ("http://localhost:4780/v1/health", "localhost:4780", 200),
        ("http://localhost:4780/v1/health", "localhost", 400),
        ("http://localhost/v1/health", "evil.example", 400),
        ("http://evil.example/v1/health", "localhost", 400),
        ("http://evil.example/v1/health", "evil.example", 421),
    ] {
        let request = axum::http::Request::get(target).header("host", host);
        let reply = api.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, status, "{target} {host}: {}", reply.text);
    }
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
async fn further_names_can_be_allowed() {
    let named = Config {
        allowed_hosts: vec!["who.internal".to_owned()],
        ..config()
    };
    let api = Api::with(named, Arc::new(Failing::default()));
    with(&api, &[("host", "who.internal:4780")])
        .await
        .problem(500, "internal");
    with(&api, &[("host", "10.0.0.7")])
        .await
        .problem(421, "foreign_host");
    let remote = Config {
        allow_remote: true,
        ..config()
    };
    let api = Api::with(remote, Arc::new(Failing::default()));
    // An address cannot be rebound, a name can.
    with(&api, &[("host", "10.0.0.7:4780")])
        .await
        .problem(500, "internal");
    with(&api, &[("host", "evil.example")])
        .await
        .problem(421, "foreign_host");
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

/// A store that fails in the way it is told to.
struct Failing {
    how: How,
    head: watch::Sender<Head>,
}

#[derive(Debug, Clone, Copy, Default)]
enum How {
    #[default]
    Engine,
    Panic,
    Closed,
    Damaged,
}

impl Default for Failing {
    fn default() -> Self {
        Self::by(How::default())
    }
}

impl Failing {
    fn by(how: How) -> Self {
        Self {
            how,
            head: watch::Sender::new(Head::default()),
        }
    }

    fn error(&self) -> StoreError {
        match self.how {
            How::Engine => StoreError::Engine {
                doing: "testing",
                source: "secret path /x".into(),
            },
            How::Panic => panic!("secret panic"),
            How::Closed => StoreError::Closed,
            How::Damaged => StoreError::Damaged {
                place: "event 7".to_owned(),
                detail: "secret bytes".to_owned(),
            },
        }
    }
}

impl Store for Failing {
    fn id(&self) -> StoreId {
        StoreId([0; 16])
    }

    fn append(&self, _append: Append) -> BoxFuture<Result<AppendResult, AppendError>> {
        let error = self.error();
        Box::pin(async { Err(error.into()) })
    }

    fn restore_decision(
        &self,
        _decision: RestoredDecision,
    ) -> BoxFuture<Result<bool, AppendError>> {
        let error = self.error();
        Box::pin(async { Err(error.into()) })
    }

    fn view(&self) -> Result<Box<dyn View>, StoreError> {
        Err(self.error())
    }

    fn save_snapshot(&self, _snapshot: Snapshot) -> BoxFuture<Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn change_jobs(
        &self,
        _changes: Vec<JobChange>,
        _at: Timestamp,
    ) -> BoxFuture<Result<Vec<Option<Job>>, StoreError>> {
        let error = self.error();
        Box::pin(async { Err(error) })
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        Err(self.error())
    }

    fn is_redacted_copy(&self) -> bool {
        false
    }

    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>> {
        let error = self.error();
        Box::pin(async { Err(error) })
    }

    fn close(&self) -> BoxFuture<Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn failures_of_ours_do_not_show_the_engines_words() {
    for (how, status, code) in [
        (How::Engine, 500, "internal"),
        (How::Panic, 500, "internal"),
        (How::Damaged, 500, "damaged"),
        (How::Closed, 503, "unavailable"),
    ] {
        let api = Api::on(Arc::new(Failing::by(how)));
        for reply in [
            api.get("/v1/streams").await,
            api.get("/v1/streams/user-1/state").await,
            api.command("user-1", &suspend("x")).await,
            api.append(
                "door-1",
                &json!({"events": [{"event_type": "X", "data": {}}]}),
            )
            .await,
        ] {
            assert!(!reply.text.contains("secret"), "{how:?}: {}", reply.text);
            reply.problem(status, code);
        }
        api.get("/v1/ready").await.problem(503, "unavailable");
        assert_eq!(api.get("/v1/nope").await.status, 404);
    }
}

/// A store after the disk failed it a write: what is there is read as ever.
struct ReadOnly(RedbStore);

impl Store for ReadOnly {
    fn id(&self) -> StoreId {
        self.0.id()
    }

    fn append(&self, append: Append) -> BoxFuture<Result<AppendResult, AppendError>> {
        self.0.append(append)
    }

    fn restore_decision(&self, decision: RestoredDecision) -> BoxFuture<Result<bool, AppendError>> {
        self.0.restore_decision(decision)
    }

    fn view(&self) -> Result<Box<dyn View>, StoreError> {
        self.0.view()
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<Result<(), StoreError>> {
        self.0.save_snapshot(snapshot)
    }

    fn change_jobs(
        &self,
        changes: Vec<JobChange>,
        at: Timestamp,
    ) -> BoxFuture<Result<Vec<Option<Job>>, StoreError>> {
        self.0.change_jobs(changes, at)
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.0.head()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        let stats = self.0.stats()?;
        Ok(StoreStats {
            read_only: true,
            ..stats
        })
    }

    fn is_redacted_copy(&self) -> bool {
        self.0.is_redacted_copy()
    }

    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>> {
        self.0.label_redacted_copy()
    }

    fn close(&self) -> BoxFuture<Result<(), StoreError>> {
        self.0.close()
    }
}

#[tokio::test]
async fn a_daemon_that_can_record_nothing_is_not_ready_and_says_so() {
    let backend = InMemoryBackend::new();
    let store = RedbStore::open_backend(backend, StoreOptions::Relaxed).unwrap();
    let api = Api::on(Arc::new(ReadOnly(store)));
    assert_eq!(api.get("/v1/health").await.ok()["status"], "read_only");
    let problem = api.get("/v1/ready").await.problem(503, "unavailable");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("started again"), "{detail}");
    assert_eq!(api.get("/v1/events").await.status, 200);
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
