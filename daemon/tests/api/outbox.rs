//! The outbox over HTTP: jobs of appends, how they stand, retrying, backfill, metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use redb::backends::InMemoryBackend;
use serde_json::{Value, json};
use whodunit_daemon::Config;
use whodunit_daemon::outbox::{
    Delivery, EventPattern, Handler, HandlerError, Handlers, Retries, Settings,
};
use whodunit_daemon::store::BoxFuture;
use whodunit_daemon::store::redb::{RedbStore, StoreOptions};

use crate::support::{Api, config, request, suspend};

/// Takes every user event; keeps what it was given, and fails while it is told to.
struct Recorder {
    takes: [EventPattern; 1],
    fails: AtomicBool,
    given: std::sync::Mutex<Vec<Delivery>>,
}

impl Recorder {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            takes: [EventPattern::parse("user/*").unwrap()],
            fails: AtomicBool::new(false),
            given: std::sync::Mutex::default(),
        })
    }

    fn given(&self) -> Vec<Delivery> {
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

fn with(handler: &Arc<Recorder>) -> Api {
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
    let store = RedbStore::open_backend(InMemoryBackend::new(), StoreOptions::Relaxed).unwrap();
    Api::with(config, Arc::new(store))
}

/// Asks until the answer is as wanted.
async fn until(api: &Api, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
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

fn counts(answer: &Value) -> (u64, u64, u64) {
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
async fn importing_the_past_brings_no_jobs_and_a_backfill_by_name_does() {
    let handler = Recorder::new();
    let api = with(&handler);
    let lines: String = (1..=30)
        .map(|n| {
            let data = json!({"username": format!("u{n}"), "email": format!("u{n}@example.com"),
                "first_name": "U", "last_name": "U"});
            let at = format!("2025-01-{n:02}T00:00:00Z");
            json!({"stream": format!("user-{n}"), "event_type": "UserCreated", "data": data,
                "recorded_at": at, "event_id": format!("e{n}")})
            .to_string()
                + "\n"
        })
        .collect();
    let report = api
        .post_text("/v1/import", "application/x-ndjson", &lines)
        .await
        .ok();
    assert_eq!(report["added"], 30, "{report}");
    assert_eq!(counts(&api.get("/v1/outbox").await.ok()), (0, 0, 0));

    for (body, status, code) in [
        (json!({"handlers": []}), 400, "malformed"),
        (json!({"handlers": ["nobody"]}), 404, "no_such_handler"),
        (
            json!({"handlers": ["recorder"], "from_position": 9, "to_position": 8}),
            400,
            "bad_parameter",
        ),
        (
            json!({"handlers": ["recorder"], "since": "2025-01-02T00:00:00Z", "until": "2025-01-01T00:00:00Z"}),
            400,
            "bad_parameter",
        ),
        (
            json!({"handlers": ["recorder"], "since": "2025-01-01"}),
            400,
            "bad_time",
        ),
        (
            json!({"handlers": ["recorder"], "nope": 1}),
            400,
            "malformed",
        ),
        // Neither a range nor all of it; and both.
        (json!({"handlers": ["recorder"]}), 400, "bad_parameter"),
        (
            json!({"handlers": ["recorder"], "category": "user", "dry_run": true}),
            400,
            "bad_parameter",
        ),
        (
            json!({"handlers": ["recorder"], "all_history": true, "from_position": 1}),
            400,
            "bad_parameter",
        ),
    ] {
        api.post("/v1/backfill", &body).await.problem(status, code);
    }
    api.get("/v1/backfill/7").await.problem(404, "no_such_run");

    let body = json!({"handlers": ["recorder"], "from_position": 3, "since": "2025-01-05T00:00:00Z",
        "until": "2025-01-14T00:00:00Z", "category": "user", "event_types": ["UserCreated", "Other"],
        "confirm": true, "expected_jobs": 10});
    let begun = api.post("/v1/backfill", &body).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    assert_eq!(begun.json()["kind"], "backfill");
    let ended = until(&api, "/v1/backfill/1", "ended", |run| {
        run["status"] != "running"
    })
    .await;
    assert_eq!(
        (&ended["status"], &ended["jobs"]),
        (&json!("completed"), &json!(10)),
        "{ended}"
    );
    let done = |answer: &Value| counts(answer) == (0, 10, 0);
    until(&api, "/v1/outbox", "ten done", done).await;
    let mut given: Vec<u64> = handler.given().iter().map(|d| d.event.position.0).collect();
    given.sort_unstable();
    assert_eq!(given, (5..=14).collect::<Vec<_>>());
    assert_eq!(api.get("/v1/backfill").await.ok()["items"][0]["id"], 1);
    let delete = request("DELETE", "/v1/backfill/1")
        .body(Body::empty())
        .unwrap();
    assert_eq!(api.send(delete).await.ok()["status"], "completed");
}

fn with_fields(body: &Value, fields: &Value) -> Value {
    let mut body = body.clone();
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn a_backfill_with_effects_is_a_plan_that_has_to_be_confirmed() {
    let handler = Recorder::new();
    let api = with(&handler);
    let import = |n: u64| {
        json!({"stream": format!("user-{n}"), "event_type": "UserCreated",
            "data": {"username": format!("u{n}"), "email": format!("u{n}@example.com"), "first_name": "U", "last_name": "U"},
            "recorded_at": "2025-01-01T00:00:00Z", "event_id": format!("e{n}")})
        .to_string()
            + "\n"
    };
    let lines: String = (1..=7).map(import).collect();
    let post = |lines: String| {
        let api = &api;
        async move {
            api.post_text("/v1/import", "application/x-ndjson", &lines)
                .await
                .ok()
        }
    };
    post(lines).await;
    let all = json!({"handlers": ["recorder", "users"], "all_history": true});

    let plan = api
        .post(
            "/v1/backfill",
            &with_fields(&all, &json!({"dry_run": true})),
        )
        .await
        .ok();
    assert_eq!(
        plan,
        json!({"from_position": 1, "to_position": 7, "head": 7, "events": 7, "jobs": 7,
            "handlers": [{"handler": "recorder", "kind": "test", "target": "a list in memory", "jobs": 7,
                "event_types": [{"event_type": "UserCreated", "events": 7}]}],
            "projections": ["users"]})
    );
    // Without a word, with a word and no count, with a count and no word: nothing starts, and the plan is in the answer.
    for more in [
        json!({}),
        json!({"confirm": true}),
        json!({"expected_jobs": 7}),
    ] {
        let problem = api
            .post("/v1/backfill", &with_fields(&all, &more))
            .await
            .problem(409, "not_confirmed");
        assert_eq!(problem["plan"], plan, "{more}");
    }
    // The log has grown since the plan was made.
    post(import(8)).await;
    let confirmed = json!({"confirm": true, "expected_jobs": 7});
    let problem = api
        .post("/v1/backfill", &with_fields(&all, &confirmed))
        .await
        .problem(409, "not_confirmed");
    assert_eq!(
        (
            &problem["expected"],
            &problem["actual"],
            &problem["plan"]["jobs"]
        ),
        (&json!(7), &json!(8), &json!(8))
    );
    assert_eq!(counts(&api.get("/v1/outbox").await.ok()), (0, 0, 0));
    assert_eq!(api.get("/v1/backfill").await.ok()["items"], json!([]));
    // The plan of then is a range, and that is as it was.
    let range =
        json!({"handlers": ["recorder"], "to_position": 7, "confirm": true, "expected_jobs": 7});
    assert_eq!(api.post("/v1/backfill", &range).await.status, 202);
    let done = |answer: &Value| counts(answer) == (0, 7, 0);
    until(&api, "/v1/outbox", "seven done", done).await;
    // Projections have no effects beyond their own files.
    let documents = json!({"handlers": ["users"]});
    until(&api, "/v1/backfill/1", "ended", |run| {
        run["status"] != "running"
    })
    .await;
    assert_eq!(api.post("/v1/backfill", &documents).await.status, 202);
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
