//! What `find` and `what-differs` ask and print, against a server that says exactly what it is told to.

use serde_json::{Value, json};

use super::Exit;
use super::terminal::Form;
use crate::client::tests::{ok, reply, server};
use crate::program::run_line;

/// A command's exit, what it printed on standard output and error, and its requests.
async fn say(line: &[&str], replies: Vec<Vec<u8>>) -> (Exit, String, String, Vec<String>) {
    let (client, handle) = server(replies).await;
    let words = [["--daemon", client.url()].as_slice(), line].concat();
    let form = Form {
        width: Some(100),
        ..Form::default()
    };
    let (result, out, err) = run_line(&words, form).await;
    let exit = result.unwrap_or_else(|error| error.exit());
    (exit, out, err, handle.await.unwrap())
}

fn event(position: u64, actor: &str) -> Value {
    json!({
        "position": position, "stream": format!("door-{position}"), "revision": 1, "event_id": format!("e{position}"),
        "event_type": "Opened", "schema_version": 1, "recorded_at": "2025-03-24T15:47:23Z", "actor": actor, "reason": null,
        "correlation_id": null, "causation_id": null, "data": {"n": serde_json::from_str::<Value>("1.50").unwrap()}, "metadata": null
    })
}

fn end(fields: &Value) -> Value {
    let mut end = json!({
        "query": "x", "scanned": 10, "matches": 1, "complete": true, "next_cursor": null, "head": 10
    });
    for (name, value) in fields.as_object().unwrap() {
        end[name] = value.clone();
    }
    json!({ "end": end })
}

fn lines(lines: &[Value]) -> Vec<u8> {
    let lines: Vec<_> = lines.iter().map(|line| format!("{line}\n")).collect();
    reply(200, "application/x-ndjson", &lines.concat())
}

#[tokio::test]
async fn a_line_is_sent_with_its_times_in_full() {
    let answer = || vec![lines(&[end(&json!({}))])];
    let (exit, _, _, asked) = say(&["find", "-actor:x since:2025-03-24 15:46"], answer()).await;
    assert_eq!(exit, Exit::Ok);
    let sent = "GET /v1/events?q=-actor%3Ax+since%3A2025-03-24T15%3A46%3A00Z&limit=50 ";
    assert!(asked[0].starts_with(sent), "{asked:?}");
    assert!(
        asked[0].contains("accept: application/x-ndjson"),
        "{asked:?}"
    );
    let (_, _, _, asked) = say(&["find", "x", "--all", "--oldest"], answer()).await;
    assert!(
        asked[0].starts_with("GET /v1/events?q=x&order=forward "),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_is_found_is_a_table_or_a_document() {
    let found = || {
        let progress = json!({"progress": {"scanned": 5, "matches": 1, "next": 5, "last": 10}});
        let last = end(&json!({"complete": false, "next_cursor": "b4"}));
        vec![lines(&[
            json!({"event": event(6, "anna")}),
            progress,
            json!({"event": event(5, "bert")}),
            last,
        ])]
    };
    let (exit, out, err, _) = say(&["find", "x", "-n", "2"], found()).await;
    assert_eq!(exit, Exit::Ok);
    assert!(out.contains("door-6") && out.contains("bert"), "{out}");
    assert!(err.contains("--cursor b4"), "{err}");
    let (_, out, _, _) = say(&["find", "x", "-n", "2", "--json"], found()).await;
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(document["items"].as_array().unwrap().len(), 2);
    assert_eq!(document["next_cursor"], "b4");
    // Numbers are as they were recorded.
    assert!(out.contains("1.50"), "{out}");
    let (_, out, _, _) = say(&["find", "x", "--all", "--json"], found()).await;
    assert_eq!(out.lines().count(), 4, "{out}");
}

#[tokio::test]
async fn names_that_are_not_known_end_with_three() {
    let unknown = json!([{"key": "type", "name": "Opend", "did_you_mean": ["Opened"]}]);
    let nothing = end(&json!({"matches": 0, "unknown_names": unknown}));
    let (exit, _, err, _) = say(&["find", "type:Opend"], vec![lines(&[nothing])]).await;
    assert_eq!(exit, Exit::NotFound);
    assert!(
        err.contains("no event has the type `Opend`") && err.contains("did you mean `Opened`?"),
        "{err}"
    );
    // Where something was found, it is a warning.
    let something = [
        json!({"event": event(6, "anna")}),
        end(&json!({"unknown_names": unknown})),
    ];
    let (exit, _, err, _) = say(&["find", "type:Opend|Opened"], vec![lines(&something)]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(err.contains("warning: no event has the type"), "{err}");
}

#[tokio::test]
async fn what_is_incomplete_is_never_silent() {
    let cut = lines(&[json!({"event": event(6, "anna")})]);
    let (exit, _, err, _) = say(&["find", "x"], vec![cut]).await;
    assert_eq!(exit, Exit::Unreachable);
    assert!(err.contains("ended early"), "{err}");
    let undecided =
        json!({"undefined": 3, "unknown": 2, "first": 7, "reason": "`state.n` is not there"});
    let (_, _, err, _) = say(
        &["find", "x"],
        vec![lines(&[end(&json!({"undecided": undecided}))])],
    )
    .await;
    assert!(
        err.contains("could not be evaluated for 3 records, such as 7: `state.n`"),
        "{err}"
    );
    assert!(err.contains("could not be decided for 2 records"), "{err}");
    let partial = json!({
        "query": "x", "matches": 5, "streams": 2, "scanned": 9, "complete": false, "down_to": 4, "density": null, "facets": [
            {"key": "type", "values": [{"value": "Opened", "events": 5}], "more_values": 0, "more_events": 0, "exact": true}],
        "head": 10
    });
    let (_, out, err, _) = say(&["find", "x", "--facets"], vec![ok(&partial)]).await;
    assert!(out.contains("Opened"), "{out}");
    assert!(
        err.contains("only the newest events, down to position 4"),
        "{err}"
    );
}

#[tokio::test]
async fn a_mistake_in_a_line_is_pointed_at() {
    let (exit, _, err, _) = say(&["find", "type:A actr:b"], vec![]).await;
    assert_eq!(exit, Exit::Usage);
    assert!(err.contains("did you mean `actor`?"), "{err}");
    let (exit, _, _, _) = say(&["what-differs", "type:"], vec![]).await;
    assert_eq!(exit, Exit::Usage);
}

#[tokio::test]
async fn differences_are_told_with_their_figures() {
    let difference = json!({
        "attribute": "before.status", "value": "suspended", "selected": 16, "rest": 5, "g2": 104.2, "difference": 0.986,
        "low": 0.79, "high": 0.994, "p": 1e-20
    });
    let mut found = json!({
        "query": "x", "by": "stream", "selected": 16, "rest": 373, "moment": "2025-03-24T15:47:23Z", "not_yet": 4, "complete": true,
        "differences": [difference], "looked_at": 120, "left_out": 0, "head": 10
    });
    let (exit, out, err, asked) = say(&["what-differs", "x", "-n", "7"], vec![ok(&found)]).await;
    assert_eq!(exit, Exit::Ok);
    assert!(
        asked[0].starts_with("GET /v1/what-differs?q=x&by=stream&zone=Z&limit=7 "),
        "{asked:?}"
    );
    for part in [
        "16 streams against 373 others",
        "before.status",
        "suspended",
        "16/16",
        "5/373",
        "104.2",
        "<0.001",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(err.contains("4 streams did not exist yet"), "{err}");
    found["selected"] = 0.into();
    let (exit, _, err, _) = say(&["what-differs", "x"], vec![ok(&found)]).await;
    assert_eq!(exit, Exit::No);
    assert!(err.contains("nothing matches"), "{err}");
}
