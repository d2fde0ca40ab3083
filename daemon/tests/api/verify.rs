//! Verifications over HTTP, and the list of their codes in `docs/INTEGRITY.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use whodunit_core::api::verify::{Severity, VerifyCode, VerifyLine, VerifyOut};

use crate::support::{Api, create_user, request, suspend};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/INTEGRITY.md");
const BEGIN: &str = "<!-- codes:begin -->\n";
const END: &str = "<!-- codes:end -->\n";

fn lines(text: &str) -> Vec<VerifyLine> {
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn verified(api: &Api, path: &str) -> VerifyOut {
    let reply = api.post_text(path, "application/json", "").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    match lines(&reply.text).pop() {
        Some(VerifyLine::End(out)) => out,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_log_of_commands_and_facts_is_what_was_written() {
    let api = Api::start();
    for (stream, name) in [("user-1", "ann"), ("user-2", "bob")] {
        api.command(stream, &create_user(name)).await.ok();
    }
    api.command("user-1", &suspend("fraud")).await.ok();
    // Rejected: already suspended.
    api.command("user-1", &suspend("again")).await;
    for n in 0..50 {
        api.fact(
            "order-1",
            "Changed",
            json!({"n": n, "text": "x".repeat(300)}),
        )
        .await;
    }
    api.get("/v1/streams/order-1/state").await.ok();
    api.get("/v1/streams/user-1/blame").await.ok();
    let out = verified(&api, "/v1/verify").await;
    assert!(out.ok && !out.quick, "{:#?}", out.findings);
    assert_eq!(out.findings, []);
    assert_eq!((out.head, out.checked.events), (53, 53));
    assert_eq!((out.decisions, out.checked.decisions), (4, 4));
    assert_eq!((out.checked.streams, out.checked.keys), (3, 4));
    let health = api.get("/v1/health").await.ok();
    assert_eq!(out.head_hash, health["head_hash"]);
    let out = verified(&api, "/v1/verify?quick=true").await;
    assert!(out.ok && out.quick && out.findings.is_empty());
    api.post_text("/v1/verify?deep=true", "application/json", "")
        .await
        .problem(400, "bad_parameter");
}

#[tokio::test]
async fn the_start_tells_what_it_verified() {
    let api = Api::start();
    loop {
        let health = api.get("/v1/health").await.ok();
        let at_start = &health["verified_at_start"];
        assert_ne!(at_start["status"], "failed", "{at_start}");
        if at_start["status"] != "running" {
            assert_eq!(
                at_start,
                &json!({"status": "ok", "errors": 0, "warnings": 0})
            );
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_verification_ends_with_its_client() {
    let api = Api::start();
    let facts: Vec<Value> = (0..500)
        .map(|n| json!({"event_type": "Changed", "data": {"n": n}}))
        .collect();
    for stream in 0..8 {
        let body = json!({ "events": facts });
        api.append(&format!("order-{stream}"), &body).await.ok();
    }
    let ask = || request("POST", "/v1/verify").body(Body::empty()).unwrap();
    let first = api.router.clone().oneshot(ask()).await.unwrap();
    assert_eq!(first.status(), 200);
    let mut body = first.into_body();
    assert!(body.frame().await.is_some());
    drop(body);
    // Its place is free again once it has ended.
    loop {
        let next = api.router.clone().oneshot(ask()).await.unwrap();
        if next.status() == 200 {
            break;
        }
        assert_eq!(next.status(), 503);
        tokio::task::yield_now().await;
    }
}

#[test]
fn the_document_lists_every_code() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    let mut current =
        "| code | severity | what it means | what to do |\n|---|---|---|---|\n".to_owned();
    for code in VerifyCode::ALL {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        };
        let (meaning, hint) = (code.meaning().trim(), code.hint());
        writeln!(current, "| `{code}` | {severity} | {meaning} | {hint} |").unwrap();
    }
    if std::env::var_os("UPDATE_CODES").is_some() {
        let document = format!("{before}{BEGIN}{current}{END}{after}");
        std::fs::write(DOCUMENT, document).unwrap();
        return;
    }
    assert_eq!(
        listed, current,
        "UPDATE_CODES=1 cargo test -p whodunit-daemon --test api codes_ writes it again"
    );
    let codes: BTreeSet<_> = VerifyCode::ALL.iter().collect();
    assert_eq!(codes.len(), VerifyCode::ALL.len());
}

#[tokio::test]
async fn it_comes_to_its_end_compressed_too() {
    let api = Api::start();
    api.fact("order-1", "Opened", json!({})).await;
    let asked = crate::support::request("POST", "/v1/verify").header("accept-encoding", "gzip");
    let asked = asked.body(axum::body::Body::empty()).unwrap();
    assert_eq!(api.send(asked).await.status, 200);
}
