use serde_json::json;
use whodunit_core::ids::Position;

use crate::support::{Api, request};
use axum::body::Body;

use std::time::{Duration, Instant};

use tower::ServiceExt as _;

const SOON: Duration = Duration::from_secs(30);

impl Api {
    /// Waits until every read model reflects the whole log.
    pub(crate) async fn level(&self) {
        let head = Position(self.head().0);
        let projections = self.daemon.projections();
        for name in projections.names() {
            let reached = projections.wait_for(name, head, SOON).await.unwrap();
            assert!(reached >= head, "{name}");
        }
    }

    pub(crate) async fn delete(&self, path: &str) -> crate::support::Reply {
        self.send(request("DELETE", path).body(Body::empty()).unwrap())
            .await
    }
}

#[tokio::test]
async fn projections_say_how_they_keep_up() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.fact("door-1", "Opened", json!({"n": 1})).await;
    api.level().await;
    let list = api.get("/v1/projections").await.ok();
    assert_eq!(
        (&list["head"], &list["next_cursor"]),
        (&json!(2), &json!(null))
    );
    let items = list["items"].as_array().unwrap();
    for (item, (name, documents)) in items.iter().zip([("users", 1), ("states", 2)]) {
        assert_eq!(item["name"], name);
        assert_eq!((&item["head"], &item["checkpoint"]), (&json!(2), &json!(2)));
        assert_eq!(item["lag_events"], 0);
        assert_eq!(item["lag_seconds"], 0.0);
        assert_eq!(item["status"], "live");
        assert_eq!(item["documents"], documents);
        assert_eq!(
            (&item["error"], &item["rebuild"], &item["check"]),
            (&json!(null), &json!(null), &json!(null))
        );
    }
    let one = api.get("/v1/projections/users").await.ok();
    assert_eq!(one["rules_hash"], items[0]["rules_hash"]);
    api.get("/v1/projections/nobody")
        .await
        .problem(404, "no_such_projection");
    api.get("/v1/projections?x=1")
        .await
        .problem(400, "bad_parameter");
}

#[tokio::test]
async fn a_rebuild_is_begun_followed_and_cannot_be_begun_twice_at_once() {
    let api = Api::start();
    for n in 0..20 {
        api.fact(&format!("user-{n}"), "UserDanced", json!({"n": n}))
            .await;
    }
    api.level().await;
    let begun = api.post("/v1/projections/users/rebuild", &json!({})).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    let run = begun.json();
    assert_eq!(
        (&run["kind"], &run["of"]),
        (&json!("rebuild"), &json!("users"))
    );
    assert_eq!(run["started_at"], "2025-03-01T09:00:00Z");
    api.daemon.projections().rebuilt("users").await.unwrap();
    let status = api.get("/v1/projections/users").await.ok();
    assert_eq!(status["rebuild"]["status"], "completed");
    assert_eq!(
        (&status["rebuild"]["done"], &status["documents"]),
        (&json!(20), &json!(20))
    );
    api.delete("/v1/projections/users/rebuild")
        .await
        .problem(404, "no_such_run");
    for path in ["rebuild", "check"] {
        let reply = api
            .post(&format!("/v1/projections/nobody/{path}"), &json!({}))
            .await;
        reply.problem(404, "no_such_projection");
    }
}

#[tokio::test]
async fn a_truth_check_answers_when_it_is_done() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.fact("door-1", "Opened", json!({"n": 1})).await;
    api.fact("door-1", "Opened", json!({"n": 2})).await;
    api.level().await;
    let check = api
        .post("/v1/projections/states/check", &json!({}))
        .await
        .ok();
    assert_eq!(
        check,
        json!({"projection": "states", "checkpoint": 3, "documents": 2, "events": 3, "ok": true, "findings": [],
            "findings_total": 0})
    );
    let status = api.get("/v1/projections/states").await.ok();
    assert_eq!(status["check"]["status"], "completed");
    assert_eq!(status["check"]["done"], 3);
}

fn lines(from: u64, count: u64) -> String {
    let line = |n| {
        let event = json!({"stream": format!("door-{}", n % 100), "event_type": "Opened", "data": {"n": n}});
        format!("{event}\n")
    };
    (from..from + count).map(line).collect()
}

async fn status(api: &Api) -> (String, u64, u64) {
    let one = api.get("/v1/projections/states").await.ok();
    let number = |name: &str| one[name].as_u64().unwrap();
    let status = one["status"].as_str().unwrap().to_owned();
    (status, number("checkpoint"), number("head"))
}

/// While an import runs, projections wait and say so; when it breaks off they catch up by themselves.
#[tokio::test]
async fn projections_wait_for_an_import_and_say_so() {
    let api = Api::start();
    let (pieces, body) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(1);
    let body = futures_util::stream::unfold(body, |mut body| async move {
        let piece = body.recv().await?;
        Some((piece, body))
    });
    let import = request("POST", "/v1/import").header("content-type", "application/x-ndjson");
    let import = import.body(Body::from_stream(body)).unwrap();
    let router = api.router.clone();
    let import = tokio::spawn(async move { router.oneshot(import).await.unwrap().status() });
    let started = Instant::now();
    let mut sent = 0;
    loop {
        pieces.send(Ok(lines(sent, 2_000))).await.unwrap();
        sent += 2_000;
        let (status, checkpoint, head) = status(&api).await;
        if status == "waits_for_import" {
            assert!(checkpoint < head);
            break;
        }
        assert!(started.elapsed() < SOON, "{status} {checkpoint} {head}");
    }
    let broken = std::io::Error::other("the client has gone");
    pieces.send(Err(broken)).await.unwrap();
    assert_eq!(import.await.unwrap(), 400);
    loop {
        let (status, checkpoint, head) = status(&api).await;
        if checkpoint == head {
            assert_eq!(status, "live");
            break;
        }
        assert!(started.elapsed() < 2 * SOON, "{status} {checkpoint} {head}");
    }
}
