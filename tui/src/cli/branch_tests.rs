//! What `branch` and `--branch` print and how they end, against a server that says exactly what it is told to.

use serde_json::{Value, json};

use super::Exit;
use super::investigate_tests::say;
use crate::client::tests::ok;

fn branch() -> Value {
    json!({
        "branch": {
            "name": "b", "revision": 3, "stream": "cart-1", "note": "what for", "actor": "ann",
            "created_at": "2025-03-01T09:00:00Z", "changed_at": "2025-03-02T09:00:00Z", "on": {"name": "a", "revision": 1},
            "layers": [{"stream": "cart-1", "base": {"revision": 2, "position": 4, "at": "2025-03-01T09:00:00Z"},
                "edits": [{"drop": {"revision": 2}}]}],
            "log": {"store_id": "s", "position": 9, "decision": 0}, "rules": {},
        },
        "log_standing": "grown", "redacted": [],
        "warnings": [{"code": "other_rules", "detail": "made with other rules", "revisions": []}],
    })
}

fn stream() -> Value {
    json!({
        "stream": "cart-1", "category": "cart", "model": "merge", "revision": 2, "first_position": 1, "last_position": 4,
        "first_recorded_at": "2025-03-01T09:00:00Z", "last_recorded_at": "2025-03-01T10:00:00Z", "last_event_type": "Added",
        "last_actor": null, "last_reason": null, "title": null, "status": null,
    })
}

fn state() -> Value {
    json!({
        "branch": {"name": "b", "revision": 3, "log_position": 9, "warnings": []},
        "stream": "cart-1", "revision": 2, "position": 4, "recorded_at": "2025-03-01T09:00:00Z", "state": {"n": 1},
        "redacted": [], "head_revision": 2, "model": "merge", "rules_hash": "x", "snapshot_revision": 0, "faults": [],
        "faults_total": 0, "warnings": [],
    })
}

#[tokio::test]
async fn a_command_that_reads_a_branch_says_so() {
    let line = ["state", "cart-1", "--branch", "b", "--json"];
    let (exit, out, err, asked) = say(&line, vec![ok(&branch()), ok(&state())]).await;
    assert_eq!(exit, Exit::Ok, "{err}");
    assert!(asked[0].starts_with("GET /v1/branches/b "), "{asked:?}");
    assert!(
        asked[1].starts_with("GET /v1/streams/cart-1/state?branch=b "),
        "{asked:?}"
    );
    assert!(
        err.contains("branch b (revision 3)") && err.contains("other rules"),
        "{err}"
    );
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["branch"], json!({"name": "b", "revision": 3}));
    assert!(
        out.trim_start().starts_with("{\n  \"branch\"") || out.starts_with("{\"branch\""),
        "{out}"
    );
    // What does not read the log has no branch.
    let (exit, _, err, _) = say(&["health", "--branch", "b"], vec![]).await;
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("--branch"), "{err}");
}

#[tokio::test]
async fn a_branch_is_made_of_edits() {
    let line = [
        "branch", "create", "b", "cart-1", "--drop", "2", "--on", "a", "--note", "what for",
    ];
    let (exit, out, err, asked) = say(&line, vec![ok(&stream()), ok(&branch())]).await;
    let posted = asked
        .iter()
        .find(|asked| asked.starts_with("POST /v1/branches "));
    let posted = posted.unwrap_or_else(|| panic!("{exit:?} {out} {err} {asked:?}"));
    for part in [
        "\"name\":\"b\"",
        "\"on\":\"a\"",
        "{\"drop\":{\"revision\":2}}",
        "\"stream\":\"cart-1\"",
    ] {
        assert!(posted.contains(part), "{part}: {posted}");
    }
    assert_eq!(exit, Exit::Ok, "{err}");
    assert!(out.contains("kept  b  (revision 3)"), "{out}");
    let (_, out, _, _) = say(&["branch", "show", "b"], vec![ok(&branch())]).await;
    for part in [
        "what for",
        "built on a (revision 1)",
        "position 9",
        "{\"drop\":{\"revision\":2}}",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
}

#[tokio::test]
async fn a_comparison_ends_with_no_where_something_differs() {
    let stream = json!({"stream": "cart-1", "from_revision": 3, "to_revision": 2, "first_divergence": 2, "redacted": [],
        "diff": [{"path": "/n", "op": "replace", "before": 2, "after": 1}]});
    let flip = json!({"command_id": "c", "decision": 4, "stream": "cart-1", "type": "Close", "actor": "ann",
        "from": {"outcome": "accepted", "rule": null, "events": 1}, "to": {"outcome": "rejected", "rule": "cart.empty", "events": 0}});
    let differs = json!({"with": "log", "with_branch": null, "answer": "1 stream differs.", "streams": [stream], "streams_total": 1,
        "next_cursor": null, "flips": [flip], "flips_total": 1});
    let (exit, out, err, asked) = say(&["branch", "compare", "b"], vec![ok(&differs)]).await;
    assert_eq!(exit, Exit::No, "{err}");
    assert!(
        asked[0].starts_with("GET /v1/branches/b/compare?"),
        "{asked:?}"
    );
    for part in [
        "from what happened to b",
        "rejected (cart.empty) instead of accepted",
        "3 -> 2  from revision 2 on",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let same = json!({"with": "a", "with_branch": null, "answer": "Nothing differs.", "streams": [], "streams_total": 0,
        "next_cursor": null, "flips": [], "flips_total": 0});
    let (exit, out, _, _) = say(&["branch", "compare", "b", "a"], vec![ok(&same)]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(out.contains("Nothing differs."), "{out}");
}

#[tokio::test]
async fn a_name_that_is_taken_leads_to_replacing_or_to_another_name() {
    let taken = || {
        let problem = json!({"type": "urn:x", "title": "x", "status": 409, "detail": "there is a branch `b` already",
            "code": "branch_exists"});
        crate::client::tests::reply(409, "application/problem+json", &problem.to_string())
    };
    for (line, replies) in [
        (
            vec!["branch", "create", "b", "cart-1", "--drop", "2"],
            vec![ok(&stream()), taken()],
        ),
        (vec!["branch", "rename", "a", "b"], vec![taken()]),
    ] {
        let (exit, _, err, _) = say(&line, replies).await;
        assert_eq!(exit, Exit::Conflict, "{err}");
        assert!(
            err.contains("another name") && err.contains("branch create --replace"),
            "{err}"
        );
    }
    // With it, the branch of that name is replaced.
    let line = [
        "branch",
        "create",
        "b",
        "cart-1",
        "--drop",
        "2",
        "--replace",
    ];
    let (exit, _, err, asked) = say(&line, vec![ok(&stream()), ok(&branch())]).await;
    assert_eq!(exit, Exit::Ok, "{err}");
    let put = asked
        .iter()
        .any(|asked| asked.starts_with("PUT /v1/branches/b "));
    assert!(put, "{asked:?}");
}
