//! Whatever is wrong with a request, the answer is a problem document and nothing is stored.

use std::sync::Arc;

use axum::body::Body;
use redb::backends::InMemoryBackend;
use serde_json::{Value, json};
use tokio::sync::watch;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::redb::{RedbStore, StoreOptions};
use whodunit_daemon::store::{
    Append, AppendError, AppendResult, BoxFuture, Head, Job, JobChange, RestoredDecision, Snapshot,
    Store, StoreError, StoreStats, View,
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
    for origin in [
        "http://localhost:3000",
        "http://127.0.0.1:4780",
        "https://[::1]",
    ] {
        with(&api, &[("host", "localhost"), ("origin", origin)])
            .await
            .ok();
    }
    for origin in [
        "http://evil.example",
        "null",
        "https://localhost.evil.example",
        "file://",
        "chrome-extension://abc",
    ] {
        with(&api, &[("host", "localhost"), ("origin", origin)])
            .await
            .problem(403, "foreign_origin");
    }
    with(
        &api,
        &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
    )
    .await
    .problem(403, "foreign_origin");
    with(
        &api,
        &[("host", "localhost"), ("sec-fetch-site", "same-origin")],
    )
    .await
    .ok();
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
