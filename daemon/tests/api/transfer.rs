//! Export and import.

use serde_json::{Value, json};

use crate::support::{Api, Reply, create_user, suspend};

pub(crate) const NDJSON: &str = "application/x-ndjson";

pub(crate) async fn import(api: &Api, query: &str, lines: &str) -> Reply {
    api.post_text(&format!("/v1/import{query}"), NDJSON, lines)
        .await
}

pub(crate) async fn export(api: &Api, query: &str) -> String {
    let reply = api.get(&format!("/v1/export{query}")).await;
    assert_eq!(
        (reply.status, &reply.headers["content-type"]),
        (200, &NDJSON.parse().unwrap()),
        "{}",
        reply.text
    );
    reply.text
}

/// The lines of an export without its first and its last.
pub(crate) fn records(export: &str) -> impl DoubleEndedIterator<Item = &str> {
    let mut lines = export.lines();
    assert!(lines.next().unwrap().starts_with(r#"{"export":"#));
    assert!(lines.next_back().unwrap().starts_with(r#"{"export_end":"#));
    lines
}

pub(crate) fn counts(report: &Value) -> [u64; 6] {
    [
        "read",
        "added",
        "repeated",
        "decisions",
        "skipped",
        "failed",
    ]
    .map(|field| report[field].as_u64().unwrap())
}

/// Users, doors, rejections and old event types, so interleaved that order matters.
pub(crate) async fn believable(api: &Api) {
    for n in 0..40 {
        let stream = format!("user-{}", n % 10);
        api.clock
            .set(&format!("2025-03-{:02}T10:00:00Z", n % 28 + 1));
        match n / 10 {
            0 => drop(
                api.command(&stream, &create_user(&format!("name{n}")))
                    .await
                    .ok(),
            ),
            1 => drop(api.command(&stream, &suspend("odd")).await.ok()),
            2 => drop(
                api.command(&stream, &create_user("name1"))
                    .await
                    .problem(422, "rejected"),
            ),
            _ => drop(
                api.command(
                    &stream,
                    &json!({"type": "DeleteUser", "actor": "job", "reason": "clean-up"}),
                )
                .await
                .ok(),
            ),
        }
        api.fact(
            &format!("door-{}", n % 3),
            "Opened",
            json!({"n": n, "text": "ü\"\\", "f": 1.5}),
        )
        .await;
    }
    let old = json!({"events": [{"event_type": "UserStatusChanged", "schema_version": 1, "data": {"status": "suspended"}}]});
    api.append("user-77", &old).await.ok();
}

#[tokio::test]
async fn an_export_imports_into_an_empty_store_as_the_same_log() {
    let source = Api::start();
    believable(&source).await;
    let lines = export(&source, "?reveal=true").await;
    let target = Api::start();
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(counts(&report), [111, 71, 0, 40, 0, 0]);
    assert_eq!(
        (&report["renumbered"], &report["head"]),
        (&json!(0), &json!(71))
    );
    assert_eq!(export(&target, "?reveal=true").await, lines);
    // Not only the lines: what is derived from them, too.
    for path in [
        "/v1/streams?limit=1000",
        "/v1/decisions?limit=1000",
        "/v1/categories",
        "/v1/streams/user-3/steps",
        "/v1/density",
    ] {
        assert_eq!(
            target.get(path).await.ok(),
            source.get(path).await.ok(),
            "{path}"
        );
    }
    // The keys that the users held are free again, as in the source.
    target.command("user-new", &create_user("name3")).await.ok();
}

#[tokio::test]
async fn keys_held_in_the_export_are_held_after_the_import() {
    let source = Api::start();
    source.user("user-1", "sarah").await;
    let target = Api::start();
    import(&target, "", &export(&source, "?reveal=true").await)
        .await
        .ok();
    let refused = target
        .command("user-2", &create_user("sarah"))
        .await
        .problem(422, "rejected");
    assert_eq!(refused["rule"], "username.taken");
}

#[tokio::test]
async fn importing_again_adds_nothing() {
    let source = Api::start();
    believable(&source).await;
    let lines = export(&source, "?reveal=true").await;
    let target = Api::start();
    import(&target, "", &lines).await.ok();
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(counts(&report), [111, 0, 111, 0, 0, 0]);
    assert_eq!(export(&target, "?reveal=true").await, lines);
    // Half an import, then all of it, as after a broken connection.
    let target = Api::start();
    let half: Vec<_> = lines.lines().take(50).collect();
    import(&target, "", &half.join("\n")).await.ok();
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(
        (
            counts(&report)[0],
            counts(&report)[5],
            &report["renumbered"]
        ),
        (111, 0, &json!(0))
    );
    assert_eq!(export(&target, "?reveal=true").await, lines);
}

#[tokio::test]
async fn into_a_log_with_other_events_positions_are_assigned_and_decisions_move_along() {
    let source = Api::start();
    source.user("user-1", "sarah").await;
    source
        .command("user-1", &create_user("sarah"))
        .await
        .problem(422, "rejected");
    source.command("user-1", &suspend("odd")).await.ok();
    let lines = export(&source, "?reveal=true").await;
    let target = Api::start();
    for _ in 0..5 {
        target.fact("door-1", "Opened", json!({})).await;
    }
    target
        .command("user-7", &suspend("nobody"))
        .await
        .problem(422, "rejected");
    // The target draws the same ids as the source did; a real one never would.
    let lines = lines.replace("\"id-", "\"from-source-");
    let report = import(&target, "", &lines).await.ok();
    assert_eq!(counts(&report), [5, 2, 0, 3, 0, 0]);
    assert_eq!(report["renumbered"], 2);
    let page = target.get("/v1/decisions?stream=user-1").await.ok();
    let field = |n: usize, name: &str| page["items"][n][name].clone();
    assert_eq!(
        [
            field(0, "sequence"),
            field(0, "base_position"),
            field(0, "position"),
            field(0, "revision")
        ],
        [2, 5, 6, 1]
    );
    assert_eq!(
        [
            field(1, "sequence"),
            field(1, "base_position"),
            field(1, "base_revision")
        ],
        [3, 6, 1]
    );
    assert_eq!(
        [
            field(2, "sequence"),
            field(2, "base_position"),
            field(2, "position"),
            field(2, "revision")
        ],
        [4, 6, 7, 2]
    );
    assert_eq!(
        counts(&import(&target, "", &lines).await.ok()),
        [5, 0, 5, 0, 0, 0]
    );
}

#[tokio::test]
async fn an_export_can_be_filtered() {
    let source = Api::start();
    believable(&source).await;
    let doors = export(
        &source,
        "?reveal=true&category=door&since=2025-03-05T00:00:00Z&until=2025-03-09T00:00:00Z",
    )
    .await;
    assert!(doors.lines().count() > 3);
    assert!(records(&doors).all(|line| line.contains("\"stream\":\"door-")));
    assert_eq!(
        export(&source, "?decisions=false&reveal=true")
            .await
            .lines()
            .count(),
        73,
        "and the first and the last line"
    );
    source
        .get("/v1/export?category=door&decisions=true")
        .await
        .problem(400, "bad_parameter");
    // A part of a log has holes: its streams do not begin at their beginning.
    let target = Api::start();
    let report = import(&target, "", &doors).await.ok();
    assert_eq!(
        (&report["added"], &report["failed"]),
        (&json!(0), &json!(records(&doors).count()))
    );
    let report = import(&target, "?renumber=true", &doors).await.ok();
    assert_eq!(report["added"], records(&doors).count());
    assert_eq!(report["gaps"]["records"], report["added"]);
    assert_eq!(report["renumbered"], report["added"]);
}

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
async fn thousands_of_records_share_commits_and_keep_their_order() {
    let api = Api::start();
    let lines: String = (0..5_000).map(|n| {
        format!("{{\"stream\":\"door-{}\",\"event_type\":\"T\",\"data\":{{\"n\":{n}}},\"event_id\":\"e{n}\"}}\n", n % 7)
    }).collect();
    assert_eq!(
        counts(&import(&api, "", &lines).await.ok()),
        [5_000, 5_000, 0, 0, 0, 0]
    );
    let exported = export(&api, "?reveal=true").await;
    for (n, line) in records(&exported).enumerate() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            (&event["position"], &event["data"]["n"]),
            (&json!(n + 1), &json!(n))
        );
    }
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
