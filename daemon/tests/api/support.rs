//! A daemon for one test.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;
use whodunit_core::time::Timestamp;
use whodunit_daemon::builtin::{self, BuiltIn};
use whodunit_daemon::clock::{Clock, Ids};
use whodunit_daemon::passwords::Cost;
use whodunit_daemon::store::Store;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::{Config, Daemon, http};

/// A clock that does not move until it is set.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl TestClock {
    pub(crate) fn set(&self, at: &str) {
        let at: Timestamp = at.parse().unwrap();
        self.0.store(at.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Ids that count.
#[derive(Debug, Default)]
pub(crate) struct TestIds(AtomicU64);

impl Ids for TestIds {
    fn fresh(&self) -> String {
        format!("id-{}", self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// A daemon and its API.
pub(crate) struct Api {
    pub(crate) daemon: Daemon,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) router: Router,
    ids: Arc<TestIds>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// The problem document of a failure of this status and code; checks what all of them have.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:whodunit:problem:{code}"));
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem
    }
}

pub(crate) fn config() -> Config {
    Config {
        models: builtin::models(&[BuiltIn::Users], Cost::Light).unwrap(),
        heartbeat: Duration::from_millis(20),
        ..Config::default()
    }
}

impl Api {
    /// On a store in memory.
    pub(crate) fn start() -> Self {
        let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
        Self::on(Arc::new(store))
    }

    /// On a store in a directory.
    pub(crate) fn start_in(directory: &Path) -> Self {
        let store = LoggedStore::open(directory, StoreOptions::Durable).unwrap();
        Self::on(Arc::new(store))
    }

    pub(crate) fn on(store: Arc<dyn Store>) -> Self {
        Self::with(config(), store)
    }

    pub(crate) fn with(config: Config, store: Arc<dyn Store>) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(0)));
        clock.set("2025-03-01T09:00:00Z");
        let ids = Arc::new(TestIds::default());
        let daemon = Daemon::with(
            config,
            store,
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&ids) as Arc<dyn Ids>,
        );
        let router = http::router(&daemon);
        Self {
            daemon,
            clock,
            router,
            ids,
        }
    }

    /// From now on the ids it makes are others than those of a log that it has imported.
    pub(crate) fn other_ids(&self) {
        self.ids.0.store(1_000_000, Ordering::SeqCst);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Whether the reply breaks off before its end.
    pub(crate) async fn breaks_off(&self, path: &str) -> bool {
        let request = request("GET", path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let body = response.into_body();
        axum::body::to_bytes(body, usize::MAX).await.is_err()
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(request("GET", path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, "application/json", &body.to_string())
            .await
    }

    pub(crate) async fn post_text(&self, path: &str, kind: &str, body: &str) -> Reply {
        let request = request("POST", path).header("content-type", kind);
        self.send(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    pub(crate) async fn command(&self, stream: &str, command: &Value) -> Reply {
        self.post(&format!("/v1/streams/{stream}/commands"), command)
            .await
    }

    pub(crate) async fn append(&self, stream: &str, body: &Value) -> Reply {
        self.post(&format!("/v1/streams/{stream}/events"), body)
            .await
    }

    /// Appends one event of a category without a model.
    pub(crate) async fn fact(&self, stream: &str, event_type: &str, data: Value) -> Value {
        let event = json!({"event_type": event_type, "data": data});
        self.append(stream, &json!({"events": [event]})).await.ok()
    }

    /// The log's head: position and decision.
    pub(crate) fn head(&self) -> (u64, u64) {
        let head = *self.daemon.store().head().borrow();
        (head.position.0, head.decision)
    }

    /// Creates a user.
    pub(crate) async fn user(&self, stream: &str, name: &str) -> Value {
        self.command(stream, &create_user(name)).await.ok()
    }
}

pub(crate) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
}

pub(crate) fn create_user(name: &str) -> Value {
    json!({
        "type": "CreateUser",
        "payload": {"username": name, "email": format!("{name}@example.com"), "first_name": "Some", "last_name": "Body",
            "password": "correct horse battery"},
        "actor": "api",
    })
}

pub(crate) fn suspend(reason: &str) -> Value {
    json!({"type": "SuspendUser", "payload": {}, "actor": "job:fraud-check", "reason": reason})
}
