//! What `blame`, `field` and `bisect` print and how they end, against a server that says exactly what it is told to.

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::Exit;
use super::terminal::Form;
use crate::client::tests::{ok, reply, server};
use crate::program::run_line;

/// A command's exit, what it printed on standard output and error, and its requests, each with its body.
pub(super) async fn say(
    line: &[&str],
    replies: Vec<Vec<u8>>,
) -> (Exit, String, String, Vec<String>) {
    let (client, handle) = server(replies).await;
    let words = [["--daemon", client.url()].as_slice(), line].concat();
    let form = Form {
        width: Some(80),
        ..Form::default()
    };
    let (result, out, err) = run_line(&words, form).await;
    for shown in out.lines().filter(|_| !line.contains(&"--json")) {
        assert!(shown.width() <= 80, "{line:?} is wider than 80: {shown}");
    }
    let exit = result.unwrap_or_else(|error| error.exit());
    (exit, out, err, handle.await.unwrap())
}

fn event(at: &str, who: &str, event_type: &str) -> Value {
    json!({
        "position": 7, "event_id": "e", "event_type": event_type, "recorded_at": at, "actor": who, "reason": "inactive",
        "correlation_id": null, "command_id": null, "command_type": null,
    })
}

fn blame() -> Value {
    json!({
        "stream": "cart-1", "revision": 3, "head_revision": 4, "model": "merge", "snapshot_revision": 0,
        "fields": [
            {"path": "/status", "value": "open", "revision": 1, "event": event("2025-03-01T09:00:00Z", "api", "Opened")},
            {"path": "/lines/0/n", "label": "/lines[id=7]/n", "value": 2, "revision": 3,
                "event": event("2025-03-24T15:47:23Z", "job:clean", "Counted")},
        ],
        "removed": [{"path": "/note", "value": "x", "set_by": 1, "revision": 2,
            "event": event("2025-03-02T09:00:00Z", "sam", "Cleared")}],
        "removed_dropped": 3,
        "warnings": [{"code": "faults", "detail": "one event could not be applied", "revisions": [2]}],
    })
}

#[tokio::test]
async fn blame_prints_a_row_for_each_field() {
    let line = ["blame", "cart-1", "--at-revision", "3", "--removed"];
    let (exit, out, err, asked) = say(&line, vec![ok(&blame())]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[0].starts_with("GET /v1/streams/cart-1/blame?at_revision=3&removed=true "),
        "{asked:?}"
    );
    let row = |part: &str| {
        out.lines()
            .find(|line| line.contains(part))
            .unwrap_or_else(|| panic!("{part}: {out}"))
    };
    assert!(row("cart-1").contains("revision 3 of 4"));
    for part in ["2", "3", "job:clean", "Counted"] {
        assert!(row("lines[id=7]/n").contains(part), "{out}");
    }
    assert!(row("note").contains("Cleared"));
    assert!(
        out.contains("no longer there") && out.contains("could not be applied"),
        "{out}"
    );
    assert!(err.contains("3 more fields were removed"), "{err}");
    let (_, out, _, _) = say(&["blame", "cart-1", "--json"], vec![ok(&blame())]).await;
    assert_eq!(
        serde_json::from_str::<Value>(&out).unwrap()["fields"],
        blame()["fields"]
    );
}

#[tokio::test]
async fn a_field_is_listed_newest_first_page_by_page() {
    let page = |revision: u64, absent: bool, next: Option<&str>| {
        ok(&json!({
            "stream": "door-1", "path": "/n", "revision": 9, "next_cursor": next,
            "values": [{"revision": revision, "absent": absent, "value": if absent { Value::Null } else { json!(5) },
                "event": event("2025-03-24T15:47:23Z", "sam", "Moved")}],
        }))
    };
    let replies = vec![page(8, true, Some("b8")), page(3, false, None)];
    let (exit, out, _, asked) = say(&["field", "door-1", "/n", "--all"], replies).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[0].starts_with("GET /v1/streams/door-1/field?path=%2Fn&order=backward&limit="),
        "{asked:?}"
    );
    assert!(asked[1].contains("cursor=b8"), "{asked:?}");
    assert!(
        out.contains("(removed)") && out.find("(removed)") < out.find("  5  "),
        "{out}"
    );
    let (_, _, err, _) = say(
        &["field", "door-1", "/n", "-n", "1"],
        vec![page(8, false, Some("b8"))],
    )
    .await;
    assert!(err.contains("there are more"), "{err}");
}

fn found(matches: &Value, one_flip: bool) -> Value {
    json!({
        "predicate": "/status == \"on\"", "from": 0, "to": 9, "matches": matches, "matches_total": 3,
        "holds_at_start": false, "holds_at_end": null, "assumed_one_flip": one_flip, "folds": 1, "revisions": 5,
        "evaluations": 2, "undefined": {"revisions": 1, "first": 0, "reason": "`/status` is not there"},
    })
}

#[tokio::test]
async fn bisect_says_where_and_what_it_rests_on() {
    let one = json!([{"stream": "lamp-1", "revision": 4, "holds": true, "event": event("2025-03-24T15:47:23Z", "sam", "Lit")}]);
    let line = ["bisect", "lamp-1", "/status == \"on\"", "--all", "-n", "1"];
    let (exit, out, err, asked) = say(&line, vec![ok(&found(&one, false))]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[0].contains(r#""find":"flips""#) && asked[0].contains(r#""limit":1"#),
        "{asked:?}"
    );
    assert!(
        out.contains("holds") && out.contains("sam") && out.contains("Lit"),
        "{out}"
    );
    assert!(out.contains("1 fold, 5 revisions checked"), "{out}");
    assert!(
        out.contains("it could not be evaluated at revision 0: `/status` is not there"),
        "{out}"
    );
    assert!(err.contains("2 more matches"), "{err}");
    let line = ["bisect", "lamp-1", "/status == \"on\"", "--one-flip"];
    let (exit, out, _, _) = say(&line, vec![ok(&found(&json!([]), true))]).await;
    assert_eq!(exit, Exit::No);
    assert!(
        out.replace('\n', " ").contains("it holds at neither end"),
        "{out}"
    );
    for line in [
        ["bisect", "lamp-1", "/status = \"on\""],
        ["bisect", "lamp-1", "--log"],
    ] {
        let (exit, _, _, asked) = say(&line[..], vec![]).await;
        assert_eq!((exit, asked.len()), (Exit::Usage, 0), "{line:?}");
    }
}

#[tokio::test]
async fn bisect_over_many_streams_prints_matches_as_they_come() {
    let one = json!({"stream": "lamp-1", "revision": 4, "holds": true, "event": event("2025-03-24T15:47:23Z", "sam", "Lit")});
    let end = json!({
        "predicate": "/on", "position": 90, "streams": 12, "streams_holding": 1, "matches_total": 1, "revisions": 90,
        "evaluations": 3, "folds": 12, "failed": 0, "redacted_copy": false,
        "undefined": {"revisions": 12, "stream": "lamp-1", "first": 0, "reason": "`/on` is not there"},
    });
    let body = |with_end: bool| {
        let progress = json!({"progress": {"streams": 3, "revisions": 40}});
        let mut lines = format!("{}\n{progress}\n", json!({ "match": one }));
        if with_end {
            lines.push_str(&json!({ "end": end }).to_string());
            lines.push('\n');
        }
        reply(200, "application/x-ndjson", &lines)
    };
    let line = ["bisect", "--category", "lamp", "/on"];
    let (exit, out, _, asked) = say(&line, vec![body(true)]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[0].contains(r#""category":"lamp""#) && !asked[0].contains("stream\""),
        "{asked:?}"
    );
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("lamp-1 4 holds"), "{out}");
    assert!(flat.contains("holds in 1 of 12 streams"), "{out}");
    let (exit, out, _, _) = say(&["bisect", "--log", "/on", "--json"], vec![body(true)]).await;
    assert_eq!((exit, out.lines().count()), (Exit::Ok, 3));
    // Cut short is no answer.
    let (exit, _, err, _) = say(&line, vec![body(false)]).await;
    assert_eq!(exit, Exit::Unreachable);
    assert!(err.contains("ended early"), "{err}");
}
