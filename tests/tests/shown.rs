//! What the command line shows: nothing unseen reaches the terminal, no two times look alike, a chain of causes ends.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use serde_json::{Value, json};
use whodunit_core::text::is_unsafe;
use whodunit_tests::{Daemon, whodunit};

fn out(daemon: &Daemon, args: &[&str]) -> String {
    let (code, out, err) = whodunit(daemon.url(), args);
    assert_eq!(code, 0, "whodunit {args:?}\n{out}\n{err}");
    format!("{out}{err}")
}

async fn append(daemon: &Daemon, stream: &str, events: Value) {
    let path = format!("/v1/streams/{stream}/events");
    let body = json!({ "events": events });
    let (status, answer) = daemon.post(&path, &body).await.unwrap();
    assert_eq!(status, 200, "{answer}");
}

/// One of each kind: controls, fillers, joiners, directions, selectors, tags, blanks.
const UNSEEN: &str = "\u{1b}[2J\u{7f}\u{9b}31m\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180e}\u{200b}\u{200d}\u{202e}\u{2028}\
                      \u{2060}\u{2065}\u{2069}\u{2800}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{1d173}\u{e0001}\u{e0100}";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_unseen_reaches_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let text = format!("adm{UNSEEN}in");
    let event = |n: u32| {
        json!({"event_type": "OrderPlaced", "event_id": format!("e-{n}"), "actor": text, "reason": text,
        "data": {text.clone(): n, "name": text, "list": [text]}, "metadata": {"source_address": text}})
    };
    append(&daemon, "order-1", json!([event(1), event(2)])).await;
    for args in [
        &["events"][..],
        &["events", "order-1"],
        &["streams"],
        &["state", "order-1"],
        &["steps", "order-1"],
        &["diff", "order-1", "1", "2"],
        &["event", "e-1"],
        &["what-if", "order-1", "--drop", "1"],
        &["decisions"],
        &["models"],
    ] {
        for json in [false, true] {
            let args = if json {
                [args, &["--json"]].concat()
            } else {
                args.to_vec()
            };
            let shown = out(&daemon, &args);
            let unseen = shown.chars().find(|&c| c != '\n' && is_unsafe(c));
            assert_eq!(unseen, None, "whodunit {args:?}: {shown:?}");
        }
    }
    assert!(out(&daemon, &["event", "e-1"]).contains("\\u{3164}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_times_look_alike() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let times = [
        "2005-03-01T10:00:00Z",
        "2013-03-01T10:00:00Z",
        "2013-03-01T10:00:00.25Z",
        "2024-03-01T10:00:00Z",
    ];
    let events: Vec<Value> = times
        .iter()
        .map(|at| json!({"event_type": "Signed", "recorded_at": at, "data": {}}))
        .collect();
    append(&daemon, "y-1", json!(events)).await;
    for args in [&["events", "y-1"][..], &["events"], &["steps", "y-1"]] {
        let shown = out(&daemon, args);
        for year in ["2005-03-01", "2013-03-01", "2024-03-01"] {
            assert!(shown.contains(year), "{args:?}: {shown}");
        }
        assert!(shown.contains("10:00:00.25"), "{args:?}: {shown}");
    }
}

/// An event that names another as its cause.
fn caused(id: &str, by: &str) -> Value {
    json!({"event_type": "Happened", "event_id": id, "causation_id": by, "data": {}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_causes_ends() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    append(
        &daemon,
        "ring-1",
        json!([caused("a", "c"), caused("b", "a"), caused("c", "b")]),
    )
    .await;
    append(
        &daemon,
        "self-1",
        json!([caused("me", "me"), caused("d", "me")]),
    )
    .await;
    let chain: Vec<Value> = (1..30)
        .map(|n| caused(&format!("n{n}"), &format!("n{}", n - 1)))
        .collect();
    append(&daemon, "chain-1", json!(chain)).await;

    let ring = out(&daemon, &["event", "a"]);
    assert_eq!(ring.matches('←').count(), 3, "{ring}");
    assert!(
        ring.contains("a cycle: caused by this event again"),
        "{ring}"
    );
    let own = out(&daemon, &["event", "me"]);
    assert_eq!(own.matches('←').count(), 1, "{own}");
    // The cycle need not begin where one asks.
    let tail = out(&daemon, &["event", "d"]);
    assert!(tail.contains("a cycle: caused by me above again"), "{tail}");
    let long = out(&daemon, &["event", "n29"]);
    // Eight are shown; n20 to n1 and the unknown n0 follow.
    assert!(long.contains("… 21 more"), "{long}");
    let short = out(&daemon, &["event", "n3"]);
    assert!(short.contains("n0 (not in this log)"), "{short}");
}
