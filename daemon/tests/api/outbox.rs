//! The outbox over HTTP: jobs of appends, how they stand, retrying, backfill, metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};
use whodunit_daemon::Config;
use whodunit_daemon::outbox::{
    Delivery, EventPattern, Handler, HandlerError, Handlers, Retries, Settings,
};
use whodunit_daemon::store::BoxFuture;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

use crate::support::{Api, config, request, suspend};

/// Takes every user event; keeps what it was given, and fails while it is told to.
pub(crate) struct Recorder {
    takes: [EventPattern; 1],
    pub(crate) fails: AtomicBool,
    given: std::sync::Mutex<Vec<Delivery>>,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            takes: [EventPattern::parse("user/*").unwrap()],
            fails: AtomicBool::new(false),
            given: std::sync::Mutex::default(),
        })
    }

    pub(crate) fn given(&self) -> Vec<Delivery> {
        self.given.lock().unwrap().clone()
    }
}

impl Handler for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn kind(&self) -> &'static str {
        "test"
    }

    fn target(&self) -> String {
        "a list in memory".to_owned()
    }

    fn takes(&self) -> &[EventPattern] {
        &self.takes
    }

    fn handle(&self, delivery: Delivery) -> BoxFuture<Result<(), HandlerError>> {
        self.given.lock().unwrap().push(delivery);
        let fails = self.fails.load(Ordering::SeqCst);
        Box::pin(async move {
            if fails {
                Err(HandlerError("550 mailbox unavailable".to_owned()))
            } else {
                Ok(())
            }
        })
    }
}

pub(crate) fn with(handler: &Arc<Recorder>) -> Api {
    let handler: Arc<dyn Handler> = Arc::clone(handler) as _;
    let config = Config {
        handlers: Handlers(vec![handler]),
        outbox: Settings {
            retries: Retries {
                retries: 0,
                first: Duration::ZERO,
            },
            ..Settings::default()
        },
        ..config()
    };
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    Api::with(config, Arc::new(store))
}

/// Asks until the answer is as wanted.
pub(crate) async fn until(
    api: &Api,
    path: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let answer = api.get(path).await.ok();
            if holds(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    });
    let Ok(answer) = waited.await else {
        panic!("never: {what}: {}", api.get(path).await.text);
    };
    answer
}

pub(crate) fn counts(answer: &Value) -> (u64, u64, u64) {
    let counts = &answer["handlers"][0]["counts"];
    let n = |name: &str| counts[name].as_u64().unwrap();
    (n("pending") + n("processing"), n("completed"), n("failed"))
}

#[tokio::test]
async fn a_command_brings_jobs_that_are_done_without_its_secrets() {
    let handler = Recorder::new();
    let api = with(&handler);
    api.user("user-1", "sarah").await;
    // Rejected: no event, so no job.
    let no_reason = json!({"type": "DeleteUser", "actor": "x"});
    api.command("user-1", &no_reason)
        .await
        .problem(422, "rejected");
    api.fact("door-1", "Opened", json!({})).await;
    let answer = until(&api, "/v1/outbox?stream=user-1", "done", |answer| {
        counts(answer) == (0, 1, 0)
    })
    .await;
    let job = &answer["items"][0];
    assert_eq!(answer["items"].as_array().unwrap().len(), 1);
    for (field, value) in [
        ("id", json!(1)),
        ("handler", json!("recorder")),
        ("position", json!(1)),
        ("stream", json!("user-1")),
        ("revision", json!(1)),
        ("event_type", json!("UserCreated")),
        ("status", json!("completed")),
        ("attempts", json!(1)),
        ("last_error", Value::Null),
    ] {
        assert_eq!(job[field], value, "{field}: {job}");
    }
    assert_eq!(answer["handlers"][0]["event_types"], json!(["user/*"]));
    let [delivery] = &handler.given()[..] else {
        panic!("{:?}", handler.given());
    };
    assert_eq!(delivery.state["email"], "sarah@example.com");
    assert_eq!(delivery.state["password_hash"], "[redacted]");
    assert!(!delivery.event.data.as_str().contains("argon2"));
    assert_eq!(api.get("/v1/outbox/1").await.ok(), *job);
}

#[tokio::test]
async fn a_failed_job_is_shown_with_its_error_and_retried_by_one_call() {
    let handler = Recorder::new();
    handler.fails.store(true, Ordering::SeqCst);
    let api = with(&handler);
    api.user("user-1", "sarah").await;
    api.command("user-1", &suspend("x")).await.ok();
    let failed = |answer: &Value| counts(answer) == (1, 0, 1);
    until(&api, "/v1/outbox", "one failed", failed).await;
    let failed = api.get("/v1/outbox?status=failed").await.ok();
    assert_eq!(failed["items"][0]["last_error"], "550 mailbox unavailable");
    let held = api.get("/v1/outbox?status=pending").await.ok();
    assert_eq!(held["items"][0]["blocked_by"], 1);

    api.post("/v1/outbox/2/retry", &json!({}))
        .await
        .problem(409, "not_failed");
    api.post("/v1/outbox/9/retry", &json!({}))
        .await
        .problem(404, "no_such_job");
    api.get("/v1/outbox/9").await.problem(404, "no_such_job");
    api.get("/v1/outbox/x").await.problem(400, "bad_parameter");
    api.get("/v1/outbox?status=odd")
        .await
        .problem(400, "bad_parameter");
    api.get("/v1/outbox?limit=0")
        .await
        .problem(400, "bad_parameter");
    let nobody = api
        .post("/v1/outbox/retry?handler=nobody", &json!({}))
        .await;
    nobody.problem(404, "no_such_handler");

    handler.fails.store(false, Ordering::SeqCst);
    let retried = api.post("/v1/outbox/1/retry", &json!({})).await.ok();
    assert_eq!(
        (&retried["status"], &retried["attempts"]),
        (&json!("pending"), &json!(0))
    );
    let done = |answer: &Value| counts(answer) == (0, 2, 0);
    until(&api, "/v1/outbox", "both done", done).await;
    let all = api
        .post("/v1/outbox/retry?handler=recorder", &json!({}))
        .await
        .ok();
    assert_eq!(all, json!({"retried": 0}));
}

#[tokio::test]
async fn metrics_say_what_happened() {
    let handler = Recorder::new();
    let api = with(&handler);
    api.user("user-1", "sarah").await;
    let no_reason = json!({"type": "DeleteUser", "actor": "x"});
    api.command("user-1", &no_reason)
        .await
        .problem(422, "rejected");
    let done = |answer: &Value| counts(answer) == (0, 1, 0);
    until(&api, "/v1/outbox", "done", done).await;
    for name in ["users", "states"] {
        let path = format!("/v1/projections/{name}");
        until(&api, &path, "level", |own| own["checkpoint"] == 1).await;
    }
    api.get("/v1/nope/secret-path")
        .await
        .problem(404, "no_such_path");
    let reply = api.get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert!(
        reply.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text; version=1.0.0")
    );
    let plain = request("GET", "/metrics")
        .header("accept", "text/plain; version=0.0.4, */*; q=0.1")
        .body(Body::empty())
        .unwrap();
    let plain = api.send(plain).await;
    assert_eq!(
        plain.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for line in [
        "# TYPE whodunit_events_appended_total counter",
        "# TYPE whodunit_build_info gauge",
        "# TYPE process_cpu_seconds_total counter",
        "# TYPE process_resident_memory_bytes gauge",
    ] {
        assert!(
            plain.text.lines().any(|own| own == line),
            "{line}\n{}",
            plain.text
        );
    }
    assert!(!plain.text.contains("# EOF"));
    for line in [
        "whodunit_appends_total{outcome=\"stored\"} 2",
        "whodunit_events_appended_total 1",
        "whodunit_decisions_total{category=\"user\",outcome=\"accepted\"} 1",
        "whodunit_decisions_total{category=\"user\",outcome=\"rejected\"} 1",
        "whodunit_append_duration_seconds_count 2",
        "whodunit_decide_duration_seconds_count 2",
        "whodunit_log_head_position 1.0",
        "whodunit_outbox_jobs{handler=\"recorder\",status=\"completed\"} 1.0",
        "whodunit_projection_checkpoint{projection=\"users\"} 1.0",
        "whodunit_projection_lag_events{projection=\"states\"} 0.0",
        "whodunit_projection_stalled{projection=\"users\"} 0.0",
        "whodunit_outbox_jobs{handler=\"recorder\",status=\"failed\"} 0.0",
        "whodunit_http_requests_total{method=\"POST\",route=\"/v1/streams/{stream}/commands\",status=\"200\"} 1",
        "# EOF",
    ] {
        assert!(
            reply.text.lines().any(|own| own == line),
            "{line}:\n{}",
            reply.text
        );
    }
    assert!(!reply.text.contains("secret-path") && !reply.text.contains("sarah"));
}
