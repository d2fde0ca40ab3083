//! The pipeline's endpoints against a server that says exactly what it is told to.

use serde::Serialize;
use serde_json::json;
use whodunit_core::api::pipeline::{BackfillIn, JobStatus, RunStatus};
use whodunit_core::api::problem::{Code, Problem};

use super::tests::{first_line, ok, reply, server};
use super::*;
use crate::testing::pipeline::{check, document, jobs, outbox, projections, run};

fn value(value: impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap()
}

fn page(items: impl Serialize) -> serde_json::Value {
    json!({"items": items, "next_cursor": null, "head": 9})
}

async fn asked(handle: tokio::task::JoinHandle<Vec<String>>) -> Vec<String> {
    let requests = handle.await.unwrap();
    requests
        .iter()
        .map(|request| first_line(request).trim_end_matches(" HTTP/1.1").to_owned())
        .collect()
}

#[tokio::test]
async fn projections_are_asked_for_and_rebuilt_by_name() {
    let one = value(&projections()[1]);
    let (client, handle) = server(vec![
        ok(&page(projections())),
        ok(&one),
        reply(
            202,
            "application/json",
            &value(run("rebuild", "states", RunStatus::Running)).to_string(),
        ),
        ok(&value(run("rebuild", "states", RunStatus::Cancelled))),
        ok(&value(check(false))),
    ])
    .await;
    assert_eq!(client.projections().await.unwrap().items, projections());
    let projection = client.projection("a/b").await.unwrap();
    assert_eq!(projection.lag_events, 14);
    let started = client.rebuild("states").await.unwrap();
    assert_eq!(
        (started.status, started.seconds_left),
        (RunStatus::Running, Some(4.2))
    );
    let ended = client.cancel_rebuild("states").await.unwrap();
    assert_eq!(ended.status, RunStatus::Cancelled);
    let found = client.check("users").await.unwrap();
    assert_eq!((found.ok, found.findings.len()), (false, 2));
    assert_eq!(
        asked(handle).await,
        [
            "GET /v1/projections",
            "GET /v1/projections/a%2Fb",
            "POST /v1/projections/states/rebuild",
            "DELETE /v1/projections/states/rebuild",
            "POST /v1/projections/users/check",
        ]
    );
}

#[tokio::test]
async fn the_outbox_is_filtered_and_its_jobs_retried() {
    let job = &jobs()[0];
    let (client, handle) = server(vec![
        ok(&value(outbox(jobs()))),
        ok(&value(job)),
        ok(&value(job)),
        ok(&json!({"retried": 2})),
    ])
    .await;
    let query = OutboxQuery {
        handler: Some("webhook:crm".to_owned()),
        status: Some(JobStatus::Failed),
        stream: Some("user-1".parse().unwrap()),
        order: Order::Backward,
        cursor: Some("c".to_owned()),
        limit: Some(5),
    };
    let got = client.outbox(&query).await.unwrap();
    assert_eq!((got.items.len(), got.handlers.len()), (6, 4));
    assert_eq!(client.job(8812).await.unwrap(), *job);
    client.retry_job(8812).await.unwrap();
    assert_eq!(client.retry_failed("a b").await.unwrap().retried, 2);
    assert_eq!(
        asked(handle).await,
        [
            "GET /v1/outbox?handler=webhook%3Acrm&status=failed&stream=user-1&order=backward&cursor=c&limit=5",
            "GET /v1/outbox/8812",
            "POST /v1/outbox/8812/retry",
            "POST /v1/outbox/retry?handler=a+b",
        ]
    );
}

#[tokio::test]
async fn a_backfill_says_what_it_goes_through() {
    let running = value(run("backfill", "webhook:crm", RunStatus::Running));
    let (client, handle) = server(vec![
        reply(202, "application/json", &running.to_string()),
        ok(&page([&running])),
        ok(&running),
        ok(&running),
    ])
    .await;
    let body = BackfillIn {
        handlers: vec!["webhook:crm".to_owned()],
        from_position: Some(7),
        event_types: vec!["UserCreated".to_owned()],
        ..BackfillIn::default()
    };
    let started = client.backfill(&body).await.unwrap();
    assert_eq!((started.id, started.jobs), (3, 120));
    assert_eq!(client.backfills().await.unwrap().items[0], started);
    assert_eq!(client.backfill_run(3).await.unwrap(), started);
    client.cancel_backfill(3).await.unwrap();
    let requests = handle.await.unwrap();
    let (_, sent) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_str::<BackfillIn>(sent).unwrap(), body);
    let lines: Vec<&str> = requests.iter().map(|request| first_line(request)).collect();
    assert_eq!(
        lines,
        [
            "POST /v1/backfill HTTP/1.1",
            "GET /v1/backfill HTTP/1.1",
            "GET /v1/backfill/3 HTTP/1.1",
            "DELETE /v1/backfill/3 HTTP/1.1",
        ]
    );
}

#[tokio::test]
async fn a_read_model_that_is_behind_is_no_answer_and_no_error() {
    let behind =
        json!({"status": "not_yet", "min_position": 9, "checkpoint": 7, "head": 9, "hint": "wait"});
    let found = json!({"items": [document("user-1", "jo")], "next_cursor": null, "checkpoint": 7, "head": 9});
    let missing = Problem::new(Code::NoSuchDocument, "there is no document `user-2`");
    let (client, handle) = server(vec![
        ok(&page([json!({"name": "users", "description": "x", "documents": 1, "checkpoint": 7, "sorts": ["email"],
            "fields": ["status"]})])),
        ok(&found),
        reply(202, "application/json", &behind.to_string()),
        reply(202, "application/json", &behind.to_string()),
        reply(404, "application/problem+json", &value(missing).to_string()),
    ])
    .await;
    assert_eq!(
        client.read_models().await.unwrap().items[0].fields,
        ["status"]
    );
    let query = DocumentsQuery {
        matching: Some("jo".to_owned()),
        filters: vec!["/a/b=1".to_owned(), "/c=x y".to_owned()],
        fields: vec![("status".to_owned(), "active".to_owned())],
        sort: Some("email".to_owned()),
        order: Order::Backward,
        limit: Some(5),
        ..DocumentsQuery::default()
    };
    let Reached::Here(got) = client.documents("users", &query).await.unwrap() else {
        panic!("it was not asked to wait")
    };
    assert_eq!((got.items[0].revision.0, got.checkpoint), (4, 7));
    let wait = Wait {
        min_position: Some(9),
        wait_ms: Some(2_000),
    };
    let query = DocumentsQuery {
        wait,
        ..DocumentsQuery::default()
    };
    assert!(matches!(
        client.documents("users", &query).await.unwrap(),
        Reached::NotYet(behind) if behind.checkpoint == 7
    ));
    assert!(matches!(
        client.document("users", "user-a/b", wait).await.unwrap(),
        Reached::NotYet(behind) if behind.min_position == 9
    ));
    let error = client
        .document("users", "user-2", Wait::default())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(Code::NoSuchDocument));
    assert_eq!(
        asked(handle).await,
        [
            "GET /v1/read-models",
            "GET /v1/read-models/users?match=jo&filter=%2Fa%2Fb%3D1&filter=%2Fc%3Dx+y&status=active&sort=email&order=backward&limit=5",
            "GET /v1/read-models/users?min_position=9&wait_ms=2000",
            "GET /v1/read-models/users/user-a%2Fb?min_position=9&wait_ms=2000",
            "GET /v1/read-models/users/user-2",
        ]
    );
}
