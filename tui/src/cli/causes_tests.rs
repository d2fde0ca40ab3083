//! What `trace`, `why` and `world` print and how they end, against a server that says exactly what it is told to.

use serde_json::{Value, json};

use super::Exit;
use super::investigate_tests::say;
use crate::client::tests::{ok, reply};

fn node(kind: &str, what: &str, depth: u64) -> Value {
    json!({
        "kind": kind, "id": format!("id-{what}"), "depth": depth, "causation_id": null, "stream": "user-1", "revision": 2,
        "position": 7, "type": what, "at": "2025-03-20T03:00:00Z", "actor": "fraud-scan", "reason": "fraud_detected",
        "correlation_id": "fraud",
    })
}

fn refused() -> Value {
    let mut refused = node("command", "ChangeName", 2);
    refused["outcome"] = "rejected".into();
    refused["rule"] = "user.suspended".into();
    refused["message"] = "not now".into();
    refused
}

fn problem(code: &str) -> Vec<u8> {
    let problem = json!({"type": "urn:x", "title": "x", "status": 404, "detail": "there is none", "code": code});
    reply(404, "application/problem+json", &problem.to_string())
}

fn causes(findings: &Value) -> Value {
    let mut event = node("event", "UserSuspended", 1);
    event["jobs"] = json!([{"id": 5, "handler": "mail", "status": "failed", "attempts": 4, "last_error": "no route"}]);
    json!({
        "id": "id-UserSuspended", "kind": "event", "causes": [node("command", "SuspendUser", 1)], "end": "not_on_record",
        "end_id": "gone", "items": [node("event", "Noted", 0), event, refused()], "next_cursor": null, "nodes": 3, "cut": false,
        "findings": findings, "findings_total": findings.as_array().unwrap().len(), "head": 9,
    })
}

#[tokio::test]
async fn a_trace_prints_causes_effects_and_what_does_not_fit() {
    let finding = json!([{"code": "missing_cause", "detail": "it names `gone`, which is not on record", "id": "x", "causation_id": "gone"}]);
    let (exit, out, _, asked) =
        say(&["trace", "e/1", "--whole"], vec![ok(&causes(&finding))]).await;
    assert_eq!(exit, Exit::No);
    assert!(
        asked[0].starts_with("GET /v1/events/e%2F1/causes?whole=true&limit="),
        "{asked:?}"
    );
    for part in [
        "caused by",
        "→ SuspendUser",
        "(then gone, which is not on record)",
        "led to 2 more",
        "    ✗ ChangeName",
        "user.suspended: not now",
        "job 5 mail",
        "failed: no route",
        "! it names `gone`",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (exit, out, _, _) = say(&["trace", "e", "--json"], vec![ok(&causes(&json!([])))]).await;
    assert_eq!(exit, Exit::Ok);
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()["end_id"],
        "gone"
    );
}

fn correlation() -> Value {
    json!({
        "correlation_id": "fraud", "items": [node("event", "Noted", 0)], "next_cursor": null, "nodes": 1, "events": 1, "commands": 0,
        "refused": 0, "outside": 0, "first_at": "2025-03-20T03:00:00Z", "last_at": "2025-03-20T03:00:00Z", "streams": [],
        "streams_total": 1, "cut": false, "findings": [], "findings_total": 0, "head": 9,
    })
}

fn impact() -> Value {
    json!({
        "correlation_id": "fraud", "next_cursor": null, "streams_total": 1, "cut": false, "head": 9,
        "items": [{"stream": "user-1", "revision_before": 1, "revision_after": 4, "events": 1, "other_events": 2, "refused": 1,
            "diff": [{"path": "/status", "op": "replace", "before": "active", "after": "suspended"}]}],
    })
}

#[tokio::test]
async fn what_is_no_event_is_taken_as_a_correlation() {
    let replies = vec![problem("no_such_event"), ok(&correlation()), ok(&impact())];
    let (exit, out, _, asked) = say(&["trace", "fraud"], replies).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[1].starts_with("GET /v1/correlations/fraud?limit="),
        "{asked:?}"
    );
    assert!(
        asked[2].starts_with("GET /v1/correlations/fraud/streams?limit=20 "),
        "{asked:?}"
    );
    for part in [
        "1 event in 1 stream, 0 commands",
        "revision 1 → 4  1 refused",
        "2 events do not belong to this correlation",
        "active → suspended",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (_, out, _, _) = say(
        &["trace", "fraud", "--correlation", "--json"],
        vec![ok(&correlation()), ok(&impact())],
    )
    .await;
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["streams"]["items"][0]["other_events"], 2);
    // Too short for the beginning of an id.
    let nothing = ["no_such_event", "no_such_correlation", "no_such_event"].map(problem);
    let (exit, _, err, _) = say(&["trace", "no"], nothing.into()).await;
    assert_eq!(exit, Exit::NotFound);
    assert!(
        err.contains("no event, no command and no correlation"),
        "{err}"
    );
}

#[tokio::test]
async fn why_prints_the_chain_and_what_to_ask_next() {
    let mut last = node("event", "Scored", 2);
    last["pointer"] = "/score".into();
    last["skipped"] = 1.into();
    last["next"] = json!({"stream": "account-7", "revision": 1, "path": "/score"});
    let why = json!({
        "stream": "user-1", "revision": 2, "path": "/status", "other_fields": 0, "absent": false, "value": "suspended", "set_by": 2,
        "hops": [node("event", "UserSuspended", 0), last], "end": "first", "end_id": null, "head_revision": 4, "model": "users",
        "necessity": {"kind": "overdetermined", "absent_without": false, "without": null, "by": 3, "event": null, "faults_more": 1,
            "events": 3},
    });
    let line = [
        "why",
        "user-1",
        "/status",
        "--as-of",
        "2025-03-21T00:00:00Z",
        "--necessity",
    ];
    let (exit, out, _, asked) = say(&line, vec![ok(&why)]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[0].contains("/why?as_of=2025-03-21T00%3A00%3A00Z&path=%2Fstatus&necessity=true"),
        "{asked:?}"
    );
    for part in [
        "status = suspended",
        "(1 cause in between that only passed it on)",
        "← Scored",
        "whodunit why account-7 /score --at-revision 1",
        "overdetermined: without this event, revision 3",
        "2 events folded again",
        "1 of them could not be applied",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

fn progress(looked_at: u64) -> Value {
    json!({"streams_total": 9, "looked_at": looked_at, "not_yet": 1, "undefined": null, "failed": [], "failed_total": 0})
}

#[tokio::test]
async fn a_world_goes_on_until_it_has_what_was_asked_for() {
    let page = |next: Option<&str>, items: Value, looked_at: u64| {
        ok(
            &json!({"category": "user", "as_of": null, "at_position": 9, "predicate": null, "items": items, "next_cursor": next,
            "progress": progress(looked_at)}),
        )
    };
    let item = json!({"stream": "user-1", "revision": 2, "position": 7, "recorded_at": "2025-03-20T03:00:00Z",
        "state": {"status": "active", "n": 1}, "head_revision": 4});
    // A page without an item is no end.
    let replies = vec![
        page(Some("9.4.user-1"), json!([]), 4),
        page(None, json!([item]), 9),
    ];
    let line = [
        "world",
        "user",
        "--where",
        "/status == \"active\"",
        "--at-position",
        "9",
    ];
    let (exit, out, _, asked) = say(&line, replies).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[0].contains("/v1/world?category=user&at_position=9&where="),
        "{asked:?}"
    );
    assert!(asked[1].contains("cursor=9.4.user-1"), "{asked:?}");
    for part in [
        "user at position 9",
        "status active · n 1",
        "9 of 9 streams checked: 1 found, 2 had no event yet",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (exit, _, _, _) = say(&["world", "user", "--json"], vec![page(None, json!([]), 9)]).await;
    assert_eq!(exit, Exit::No);
    for line in [
        &["world", "--where", "/a = 1"][..],
        &["world", "--to", "3"],
        &["world", "--from", "x"],
        &["world", "--as-of", "1h", "--from", "3"],
    ] {
        let result = crate::program::read_line(line);
        assert!(result.is_err(), "{line:?}");
    }
}

#[tokio::test]
async fn two_worlds_are_printed_stream_by_stream() {
    let change = json!({"stream": "user-1", "change": "changed", "from": 1, "to": 2, "holds_from": false, "holds_to": true,
        "diff": [{"path": "/status", "op": "replace", "before": "active", "after": "suspended"}]});
    let page = json!({"category": "user", "from": {"as_of": null, "at_position": 3}, "to": {"as_of": null, "at_position": 9},
        "predicate": "x", "items": [change], "next_cursor": null, "same_state": 0, "progress": progress(9)});
    let line = [
        "world",
        "user",
        "--from",
        "3",
        "--where",
        "/status == \"suspended\"",
    ];
    let (exit, out, _, asked) = say(&line, vec![ok(&page)]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[0].contains("/v1/world/diff?category=user&from=3&where="),
        "{asked:?}"
    );
    for part in [
        "at position 3 → at position 9",
        "revision 1 → 2  now holds",
        "active → suspended",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[tokio::test]
async fn refused_attempts_and_sides_are_printed() {
    let event = json!({"position": 7, "event_id": "e", "event_type": "UserSuspended", "recorded_at": "2025-03-20T03:00:00Z",
        "actor": "fraud-scan", "reason": null, "correlation_id": null, "command_id": null, "command_type": null});
    let attempt = json!({"sequence": 4, "command_id": "c", "command_type": "ChangeEmail", "actor": "sarah", "reason": null,
        "decided_at": "2025-03-22T10:02:18Z", "base_revision": 3, "rule": "user.suspended", "message": "m"});
    let blame = json!({"stream": "user-1", "revision": 3, "head_revision": 3, "model": "users", "snapshot_revision": 0,
        "fields": [{"path": "/email", "value": "s", "revision": 1, "event": event, "refused": {"total": 3, "last": [attempt]}}]});
    let (_, out, _, _) = say(&["blame", "user-1"], vec![ok(&blame)]).await;
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("3 attempts to change it were refused since then, the last by sarah"),
        "{out}"
    );
    let diff = json!({"stream": "user-1", "from": 1, "to": 3,
        "diff": [{"path": "/status", "op": "replace", "before": "active", "after": "suspended"}],
        "blame": [{"path": "/status", "before": {"revision": 0, "event": null}, "after": {"revision": 2, "event": event}}]});
    let line = ["diff", "user-1", "1", "3", "--blame", "--path", "/status"];
    let (_, out, _, asked) = say(&line, vec![ok(&diff)]).await;
    assert!(
        asked[0].contains("/diff?from=1&to=3&path=%2Fstatus&blame=true"),
        "{asked:?}"
    );
    assert!(
        out.contains("(initial state)") && out.contains("fraud-scan"),
        "{out}"
    );
}

#[tokio::test]
async fn a_bisect_that_breaks_off_says_why() {
    let problem = json!({"broken": {"type": "urn:x", "title": "x", "status": 500, "detail": "block 3 is damaged", "code": "damaged"}});
    let body = reply(200, "application/x-ndjson", &format!("{problem}\n"));
    let (exit, _, err, _) = say(&["bisect", "--log", "/on"], vec![body]).await;
    assert_eq!(exit, Exit::Internal);
    assert!(err.contains("block 3 is damaged"), "{err}");
}
