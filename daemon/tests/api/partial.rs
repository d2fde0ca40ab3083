//! Exports of a part of a log, and what an import makes of them.

use serde_json::{Value, json};

use crate::support::{Api, suspend};
use crate::transfer::{export, import, records};

/// Two orders and a user, interleaved; every third event of an order carries `c-1`.
async fn source() -> Api {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    for n in 0..12 {
        let correlation = if n % 3 == 2 { "c-1" } else { "c-2" };
        let event = json!({"event_type": "Changed", "data": {"n": n, "status": n % 2}, "correlation_id": correlation,
            "event_id": format!("o-{n}")});
        api.append(&format!("order-{}", n % 2), &json!({"events": [event]}))
            .await
            .ok();
    }
    api.command("user-1", &suspend("odd")).await.ok();
    for (id, stream, revision) in [
        ("a", "order-0", json!(2)),
        ("b", "order-1", Value::Null),
        ("c", "order-0", json!(1)),
    ] {
        let note = json!({"note_id": id, "stream": stream, "revision": revision, "text": "t", "actor": "x"});
        api.post("/v1/notes", &note).await.ok();
    }
    api
}

fn first_line(export: &str) -> Value {
    serde_json::from_str::<Value>(export.lines().next().unwrap()).unwrap()["export"].clone()
}

fn last_line(export: &str) -> Value {
    serde_json::from_str::<Value>(export.lines().next_back().unwrap()).unwrap()["export_end"]
        .clone()
}

#[tokio::test]
async fn a_stream_is_exported_with_its_notes_and_imports_as_it_was() {
    let api = source().await;
    let lines = export(&api, "?stream=order-0&reveal=true").await;
    let first = first_line(&lines);
    assert_eq!(
        first["partial"],
        json!({"query": "stream:order-0", "of_events": 14, "of_decisions": 2})
    );
    assert_eq!(
        (
            &first["events"],
            &last_line(&lines)["events"],
            &last_line(&lines)["notes"]
        ),
        (&Value::Null, &json!(6), &json!(2))
    );
    let target = Api::start();
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(
        (&report["added"], &report["notes"], &report["failed"]),
        (&json!(6), &json!(2), &json!(0)),
        "{report}"
    );
    assert_eq!(
        report["partial"],
        json!([{"query": "stream:order-0", "of_events": 14, "of_decisions": 2, "undecided": 0}])
    );
    assert_eq!(
        (
            &report["gaps"]["records"],
            &report["incomplete"],
            &report["changed"]
        ),
        (&json!(0), &json!(false), &json!(false))
    );
    assert_eq!(
        target.get("/v1/streams/order-0/state").await.ok()["state"],
        api.get("/v1/streams/order-0/state").await.ok()["state"]
    );
    // Cut short, it is known as such.
    let cut: Vec<_> = lines.lines().take(4).collect();
    assert_eq!(
        import(&Api::start(), "", &cut.join("\n")).await.ok()["incomplete"],
        true
    );
    api.get("/v1/export?stream=order-7")
        .await
        .problem(404, "no_such_stream");
}

#[tokio::test]
async fn a_correlation_imports_with_its_holes_shown() {
    let api = source().await;
    let lines = export(&api, "?correlation=c-1&reveal=true").await;
    assert_eq!(
        records(&lines)
            .filter(|line| line.contains("\"c-1\""))
            .count(),
        4
    );
    // Of the notes those about its streams, and about events that are there.
    let notes: Vec<_> = records(&lines)
        .filter(|line| line.starts_with("{\"note\""))
        .collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    let target = Api::start();
    let dry = import(&target, "?dry_run=true", &lines).await.ok();
    assert_eq!(
        (&dry["added"], &dry["gaps"]["records"]),
        (&json!(4), &json!(4)),
        "{dry}"
    );
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(
        (&report["added"], &report["notes"], &report["failed"]),
        (&json!(4), &json!(2), &json!(0)),
        "{report}"
    );
    assert_eq!(
        (&report["gaps"]["records"], &report["gaps"]["streams"]),
        (&json!(4), &json!(2))
    );
    let events = target.get("/v1/streams/order-0/events").await.ok();
    assert_eq!(events["items"][0]["metadata"]["source_revision"], 2);
    // The note stands at its event, wherever that is.
    let note = target.get("/v1/notes?stream=order-0").await.ok()["items"][0].clone();
    assert_eq!(
        (&note["note_id"], &note["revision"]),
        (&json!("a"), &json!(1))
    );
    // Again, nothing is added; into a log that has the stream by itself, nothing is closed up over a hole.
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(
        (&report["added"], &report["failed"]),
        (&json!(0), &json!(0)),
        "{report}"
    );
    let own = Api::start();
    own.fact("order-0", "Own", json!({})).await;
    own.fact("order-0", "Own", json!({})).await;
    let report = import(&own, "", &lines).await.ok();
    assert_eq!(
        (&report["added"], &report["failed"]),
        (&json!(2), &json!(3)),
        "{report}"
    );
}

#[tokio::test]
async fn a_query_line_chooses_and_what_it_does_not_decide_is_counted() {
    let api = source().await;
    let line = "category:order|user%20where:event.data.status%20==%201";
    let lines = export(&api, &format!("?q={line}")).await;
    let end = last_line(&lines);
    assert_eq!(
        (&end["events"], &end["undecided"]),
        (&json!(6), &json!(2)),
        "{end}"
    );
    let report = import(&Api::start(), "", &lines).await.ok();
    assert_eq!(
        (&report["added"], &report["partial"][0]["undecided"]),
        (&json!(6), &json!(2)),
        "{report}"
    );
    api.get("/v1/export?q=outcome:rejected")
        .await
        .problem(400, "bad_query");
    api.get("/v1/export?q=type:")
        .await
        .problem(400, "bad_query");
    api.get("/v1/export?q=type:A&decisions=true")
        .await
        .problem(400, "bad_parameter");
}
