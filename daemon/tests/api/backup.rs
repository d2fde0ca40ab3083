//! Backups over HTTP, and what is restored of them.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use tower::ServiceExt;
use whodunit_daemon::limits::BACKUPS_MAX;
use whodunit_daemon::store::backup::{check, restore};
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

use crate::support::{Api, request};
use crate::transfer::believable;

async fn begun(api: &Api) -> axum::response::Response {
    let request = request("POST", "/v1/backup").body(Body::empty()).unwrap();
    api.router.clone().oneshot(request).await.unwrap()
}

async fn backup(api: &Api) -> (HeaderMap, Bytes) {
    let response = begun(api).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX);
    (headers, bytes.await.unwrap())
}

/// A daemon on what is restored of a backup.
fn restored(bytes: &[u8]) -> (Api, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("restored");
    restore(bytes, &directory, &mut |_| {}).unwrap();
    let store = LoggedStore::open(&directory, StoreOptions::Durable).unwrap();
    (Api::on(Arc::new(store)), folder)
}

/// Everything that a client can ask about the log.
async fn answers(api: &Api) -> Vec<(String, Value)> {
    let mut paths: Vec<String> = [
        "/v1/events?limit=1000",
        "/v1/decisions?limit=1000",
        "/v1/streams?limit=1000",
        "/v1/categories",
        "/v1/outbox?limit=1000",
        "/v1/density",
    ]
    .map(str::to_owned)
    .to_vec();
    let streams = api.get("/v1/streams?limit=1000").await.ok();
    for stream in streams["items"].as_array().unwrap() {
        let name = stream["stream"].as_str().unwrap();
        for what in ["state", "steps", "events", "blame"] {
            paths.push(format!("/v1/streams/{name}/{what}"));
        }
    }
    let mut answers = Vec::new();
    for path in paths {
        let reply = api.get(&path).await;
        answers.push((path, reply.json()));
    }
    let mut health = api.get("/v1/health").await.ok();
    for varies in ["uptime_seconds", "store_bytes"] {
        health.as_object_mut().unwrap().remove(varies);
    }
    answers.push(("/v1/health".to_owned(), health));
    answers.push((
        "export".to_owned(),
        json!(api.get("/v1/export?reveal=true").await.text),
    ));
    answers
}

#[tokio::test]
async fn what_is_restored_of_a_backup_answers_as_the_daemon_did() {
    let api = Api::start();
    believable(&api).await;
    api.user("user-live", "held").await;
    let (headers, bytes) = backup(&api).await;
    let health = api.get("/v1/health").await.ok();
    assert_eq!(headers["content-type"], "application/octet-stream");
    assert_eq!(
        headers["whodunit-store-id"],
        health["store_id"].as_str().unwrap()
    );
    assert_eq!(headers["whodunit-head"], health["head"].to_string());
    let name = headers["content-disposition"].to_str().unwrap();
    assert!(name.ends_with(".backup\""), "{name}");
    let before = answers(&api).await;
    assert!(before.len() > 30);
    // What is written after it is not in it.
    api.fact("door-1", "Opened", json!({})).await;
    let (again, _folder) = restored(&bytes);
    let after = answers(&again).await;
    for (one, other) in before.iter().zip(&after) {
        assert_eq!(one, other);
    }
    assert_eq!(before.len(), after.len());
    // Unique keys are held as before.
    let mut create = crate::support::create_user("held");
    create["command_id"] = json!("of a client that is new");
    let taken = again.command("user-new", &create).await;
    taken.problem(422, "rejected");
}

#[tokio::test]
async fn a_backup_of_a_redacted_copy_is_one_of_a_redacted_copy() {
    let source = Api::start();
    believable(&source).await;
    let redacted = source.get("/v1/export").await.text;
    let copy = Api::start();
    copy.post_text("/v1/import", "application/x-ndjson", &redacted)
        .await
        .ok();
    let (_, bytes) = backup(&copy).await;
    let (again, _folder) = restored(&bytes);
    assert_eq!(again.get("/v1/health").await.ok()["redacted_copy"], true);
}

#[tokio::test]
async fn backups_at_a_time_are_bounded_and_end_with_their_clients() {
    let api = Api::start();
    believable(&api).await;
    let mut open = Vec::new();
    for _ in 0..BACKUPS_MAX {
        open.push(begun(&api).await);
    }
    let refused = request("POST", "/v1/backup").body(Body::empty()).unwrap();
    let refused = api.router.clone().oneshot(refused).await.unwrap();
    assert_eq!(refused.status(), 503);
    drop(open.pop());
    let (_, bytes) = backup(&api).await;
    assert!(check(&bytes[..], &mut |_| {}).is_ok());
    let wrong = request("POST", "/v1/backup?to=/etc/passwd").body(Body::empty());
    let wrong = api.router.clone().oneshot(wrong.unwrap()).await.unwrap();
    assert_eq!(
        wrong.status(),
        400,
        "a client names no place on the daemon's machine"
    );
}

#[tokio::test]
async fn a_backup_ends_early_when_the_daemon_stops_and_is_none() {
    let api = Api::start();
    believable(&api).await;
    let response = begun(&api).await;
    api.daemon.begin_to_stop();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    assert!(body.is_err());
}
