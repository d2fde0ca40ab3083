//! Backfills over HTTP: a plan first, then jobs for the handlers and projections that it names.

use axum::body::Body;

use serde_json::{Value, json};

use crate::outbox::{Recorder, counts, until, with};
use crate::support::request;

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
