//! Lines of an import that are refused: each with its line and the reason, and what is sound goes in.

use serde_json::{Value, json};

use crate::support::Api;
use crate::transfer::{counts, import};

#[tokio::test]
async fn bad_records_are_reported_with_line_and_reason() {
    let lines = [
        "\u{feff}{\"stream\":\"door-1\",\"event_type\":\"Opened\",\"data\":{},\"event_id\":\"a\"}\r",
        "",
        "{\"stream\":\"door-1\",\"event_type\":\"Opened\"}",
        "not json",
        "{\"stream\":\"noid-\",\"event_type\":\"Opened\",\"data\":{}}",
        "{\"stream\":\"door-1\",\"event_type\":\"Opened\",\"data\":[]}",
        "{\"stream\":\"door-1\",\"event_type\":\"Opened\",\"data\":{},\"recorded_at\":\"2025-01-01\"}",
        "{\"stream\":\"door-1\",\"event_type\":\"Opened\",\"data\":{},\"colour\":\"red\"}",
        "{\"stream\":\"user-1\",\"event_type\":\"UserCreated\",\"data\":{\"password\":\"hunter2\"}}",
        "{\"stream\":\"door-1\",\"event_type\":\"Closed\",\"data\":{},\"event_id\":\"a\"}",
        "{\"decision\":{}}",
        "   ",
        "{\"stream\":\"door-1\",\"event_type\":\"Closed\",\"data\":{}}",
        "\"text\"",
        "12",
    ]
    .join("\n");
    let api = Api::start();
    let reply = import(&api, "", &lines).await;
    assert!(!reply.text.contains("hunter2"));
    let report = reply.ok();
    assert_eq!(counts(&report), [13, 2, 0, 0, 0, 11]);
    let mut errors: Vec<_> = report["errors"].as_array().unwrap().clone();
    errors.sort_by_key(|error| error["line"].as_u64());
    let expected = [
        (3, "`/data` is required"),
        (4, "it is not JSON: expected ident at column 2"),
        (5, "`/stream`: has nothing on one side of its first `-`"),
        (6, "`/data` must be a JSON object"),
        (7, "`/recorded_at`: time `2025-01-01` has no zone"),
        (8, "`/colour`: unknown field `colour`"),
        (
            9,
            "`/data/password` would put a plaintext secret into the log",
        ),
        (
            10,
            "event id `a` is already in the log at position 1 with other content",
        ),
        (11, "`/decision/sequence` is required"),
        (
            14,
            "must be a JSON object with an event or a decision, not a string",
        ),
        (
            15,
            "must be a JSON object with an event or a decision, not an integer",
        ),
    ];
    for (error, (line, reason)) in errors.iter().zip(expected) {
        assert_eq!(error["line"], line);
        let said = error["reason"].as_str().unwrap();
        assert!(said.starts_with(reason), "line {line}: {said}");
    }
    assert_eq!(errors.len(), expected.len());
}

#[tokio::test]
async fn strict_stops_at_the_first_bad_record() {
    let api = Api::start();
    let good =
        |n: u64| format!("{{\"stream\":\"door-1\",\"event_type\":\"T\",\"data\":{{\"n\":{n}}}}}\n");
    let lines = format!("{}{}oops\n{}", good(1), good(2), good(3));
    let report = import(&api, "?strict=true", &lines).await.ok();
    assert_eq!(
        (counts(&report), &report["stopped"]),
        ([3, 2, 0, 0, 0, 1], &json!(true))
    );
    assert_eq!(report["errors"][0]["line"], 3);
    assert_eq!(api.head().0, 2);
}

#[tokio::test]
async fn a_revision_is_honoured_or_refused() {
    // With and without a position: what a line says of its revision counts.
    let line = |position: Option<u64>, stream: &str, revision: Option<u64>| {
        let event = json!({"position": position, "stream": stream, "revision": revision, "event_type": "T",
            "event_id": format!("{stream}/{position:?}/{revision:?}"), "data": {"r": revision}});
        format!("{event}\n")
    };
    let lines: String = [
        line(Some(1), "door-1", Some(1)),
        line(Some(2), "door-1", Some(3)),
        line(None, "door-2", Some(7)),
        line(None, "door-2", Some(9)),
        line(Some(99), "door-2", Some(10)),
        line(None, "door-1", Some(2)),
        line(None, "door-1", Some(2)).replace("event_id\":\"", "event_id\":\"other-"),
        line(None, "door-3", None),
        line(None, "door-3", Some(0)),
    ]
    .concat();
    let api = Api::start();
    let report = import(&api, "", &lines).await.ok();
    assert_eq!(counts(&report), [9, 3, 0, 0, 0, 6]);
    let errors: Vec<_> = report["errors"].as_array().unwrap().clone();
    let said = |line: u64, words: &str| {
        let error = errors.iter().find(|error| error["line"] == line);
        let error = error.unwrap_or_else(|| panic!("line {line}: {errors:?}"));
        assert!(error["reason"].as_str().unwrap().contains(words), "{error}");
        error["count"].as_u64().unwrap()
    };
    assert_eq!(said(2, "ends at revision 1 here: 2 is missing"), 1);
    assert_eq!(said(3, "ends at revision 0 here: 1 is missing"), 3);
    assert_eq!(said(7, "has another event as revision 2"), 1);
    assert_eq!(said(9, "`/revision` must be 1 or more"), 1);
    let steps = api.get("/v1/streams/door-1/events").await.ok();
    let revisions = |page: &Value| -> Vec<Value> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|event| event["data"]["r"].clone())
            .collect()
    };
    assert_eq!(revisions(&steps), [1, 2]);
    // Asked to, it takes them all the same, in their order, and says so.
    let api = Api::start();
    for (attempt, added) in [(1, 8), (2, 0)] {
        let report = import(&api, "?renumber=true", &lines).await.ok();
        let got = [&report["read"], &report["added"], &report["failed"]];
        assert_eq!(got, [9, added, 1], "{attempt}: {report}");
        let gaps = &report["gaps"];
        if attempt == 1 {
            assert_eq!((&gaps["records"], &gaps["streams"]), (&json!(5), &json!(2)));
            assert_eq!(
                gaps["first"][1],
                json!({"stream": "door-2", "line": 3, "records": 3})
            );
        } else {
            assert_eq!(gaps["records"], 0);
            assert_eq!(report["repeated"], 8);
        }
    }
    let page = api.get("/v1/streams/door-2/events").await.ok();
    assert_eq!(revisions(&page), [7, 9, 10]);
    assert_eq!(page["items"][1]["revision"], 2);
    assert_eq!(page["items"][1]["metadata"], json!({"source_revision": 9}));
}

#[tokio::test]
async fn a_line_with_a_key_twice_is_refused_wherever_the_key_stands() {
    let api = Api::start();
    let lines = [
        r#"{"stream":"pay-1","event_type":"Paid","data":{"a":1},"data":{"a":2}}"#,
        r#"{"stream":"pay-1","event_type":"Paid","data":{"x":{"password":"hunter2"},"x":1}}"#,
        r#"{"stream":"pay-1","event_type":"Paid","data":{},"metadata":{"m":[{"k":1,"\u006b":2}]}}"#,
        r#"{"stream":"pay-1","event_type":"Paid","data":{"a":1}}"#,
    ]
    .join("\n");
    let report = import(&api, "", &lines).await.ok();
    assert_eq!(counts(&report), [4, 1, 0, 0, 0, 3], "{report}");
    let reasons: Vec<_> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["reason"].as_str().unwrap())
        .collect();
    for (reason, key) in reasons.iter().zip(["/data", "/data/x", "/metadata/m/0/k"]) {
        assert_eq!(
            *reason,
            format!("the key at `{key}` is written more than once in its object")
        );
    }
    assert!(!api.get("/v1/export").await.text.contains("hunter2"));
}
