//! Export and import.

use serde_json::{Value, json};

use crate::support::{Api, Reply, create_user, suspend};

const NDJSON: &str = "application/x-ndjson";

async fn import(api: &Api, query: &str, lines: &str) -> Reply {
    api.post_text(&format!("/v1/import{query}"), NDJSON, lines)
        .await
}

async fn export(api: &Api, query: &str) -> String {
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
fn records(export: &str) -> impl DoubleEndedIterator<Item = &str> {
    let mut lines = export.lines();
    assert!(lines.next().unwrap().starts_with(r#"{"export":"#));
    assert!(lines.next_back().unwrap().starts_with(r#"{"export_end":"#));
    lines
}

fn counts(report: &Value) -> [u64; 6] {
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
async fn believable(api: &Api) {
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
            "invalid type: string, expected a JSON object with an event or a decision",
        ),
        (
            15,
            "invalid type: integer, expected a JSON object with an event or a decision",
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

const MAPPING: &str = r#"
[[rule]]
name = "doors"
when = { "/what" = { one_of = ["open", "close"] } }
stream = "door-{/door}"
type = "Door {/what}"
id = "{/id}"
time = "{/at}"
actor = "{/who}"
data = { who = "{/who}" }
"#;

fn form(parts: &[(&str, &str)]) -> (String, String) {
    let mut body = String::new();
    for (name, content) in parts {
        body += &format!(
            "--XX\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n{content}\r\n"
        );
    }
    (
        "multipart/form-data; boundary=XX".to_owned(),
        body + "--XX--\r\n",
    )
}

#[tokio::test]
async fn records_of_another_system_come_in_through_a_mapping() {
    let api = Api::start();
    let records = "{\"what\":\"open\",\"door\":7,\"id\":\"r1\",\"at\":\"2025-01-01T00:00:00Z\",\"who\":\"anna\"}\n\
        {\"what\":\"paint\"}\n\
        {\"what\":\"close\",\"door\":7,\"id\":\"r2\",\"who\":\"bert\",\"at\":\"then\"}\n\
        {\"what\":\"close\",\"door\":7,\"id\":\"r3\",\"who\":\"bert\",\"at\":\"2025-01-01T00:05:00Z\"}";
    let (kind, body) = form(&[("mapping", MAPPING), ("records", records)]);
    let report = api.post_text("/v1/import", &kind, &body).await.ok();
    assert_eq!(counts(&report), [4, 2, 0, 0, 1, 1]);
    assert_eq!(
        report["rules"],
        json!([{"rule": "doors", "records": 2, "failed": 1}])
    );
    assert_eq!(report["errors"][0]["line"], 3);
    let again = api.post_text("/v1/import", &kind, &body).await.ok();
    assert_eq!(counts(&again), [4, 0, 2, 0, 1, 1]);
    let event = api.get("/v1/events/r3").await.ok();
    assert_eq!(
        (&event["stream"], &event["actor"]),
        (&json!("door-7"), &json!("bert"))
    );
    assert_eq!(event["recorded_at"], "2025-01-01T00:05:00Z");
}

#[tokio::test]
async fn forms_that_do_not_fit_say_why() {
    let api = Api::start();
    for (parts, words) in [
        (
            vec![("mapping", "not toml ["), ("records", "{}\n{}\n")],
            "the mapping does not fit: line 1",
        ),
        (vec![("mapping", MAPPING)], "no part `records`"),
        (vec![("colour", "red")], "neither `mapping` nor `records`"),
        (vec![], "no part `records`"),
    ] {
        let (kind, body) = form(&parts);
        let problem = api
            .post_text("/v1/import", &kind, &body)
            .await
            .problem(400, "malformed");
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
    let large = "#".repeat(whodunit_daemon::limits::IMPORT_MAPPING_BYTES_MAX + 1);
    let (kind, body) = form(&[("mapping", &large), ("records", "{}")]);
    api.post_text("/v1/import", &kind, &body)
        .await
        .problem(413, "too_large");
    let (kind, body) = form(&[("mapping", MAPPING), ("records", "{}\n")]);
    let cut = body.strip_suffix("--XX--\r\n").unwrap();
    api.post_text("/v1/import", &kind, cut)
        .await
        .problem(400, "malformed");
    api.post_text("/v1/import", "multipart/form-data", "x")
        .await
        .problem(400, "malformed");
    api.post_text("/v1/import", "application/json", "{}")
        .await
        .problem(415, "unsupported_media_type");
    assert_eq!(api.head(), (0, 0));
}

#[tokio::test]
async fn the_parts_of_a_form_come_in_any_order_and_each_once() {
    let record = r#"{"what":"open","door":7,"id":"r1","at":"2025-01-01T00:00:00Z","who":"anna"}"#;
    let api = Api::start();
    let (kind, body) = form(&[("records", record), ("mapping", MAPPING)]);
    let report = api.post_text("/v1/import", &kind, &body).await.ok();
    assert_eq!(counts(&report), [1, 1, 0, 0, 0, 0]);
    assert_eq!(report["rules"][0]["records"], 1);
    let own = r#"{"stream":"door-8","event_type":"T","data":{}}"#;
    let (kind, body) = form(&[("records", own)]);
    let report = api.post_text("/v1/import", &kind, &body).await.ok();
    assert_eq!(counts(&report), [1, 1, 0, 0, 0, 0]);
    let more = record.replace("r1", "r2");
    for (parts, words, head) in [
        (
            vec![
                ("records", record),
                ("records", &more),
                ("mapping", MAPPING),
            ],
            "nothing was imported",
            2,
        ),
        (
            vec![
                ("mapping", MAPPING),
                ("mapping", MAPPING),
                ("records", &more),
            ],
            "two parts `mapping`",
            2,
        ),
        (
            vec![("records", &more), ("colour", "red"), ("mapping", MAPPING)],
            "neither",
            2,
        ),
        (
            vec![
                ("mapping", MAPPING),
                ("records", &more),
                ("records", record),
            ],
            "the first one was imported",
            3,
        ),
    ] {
        let (kind, body) = form(&parts);
        let problem = api
            .post_text("/v1/import", &kind, &body)
            .await
            .problem(400, "malformed");
        let said = problem["detail"].as_str().unwrap();
        assert!(said.contains(words), "{said}");
        assert_eq!(api.head().0, head, "{said}");
    }
}

#[tokio::test]
async fn a_file_of_another_format_is_one_sentence_and_nothing_is_imported() {
    let api = Api::start();
    let own = r#"{"stream":"door-1","event_type":"T","data":{}}"#;
    let document = r#"{"Records":[{"what":"open","door":7,"id":"r1","at":"2025-01-01T00:00:00Z"},{"what":"open","door":8}]}"#;
    for (lines, words) in [
        (format!("[{own},{own}]"), "one JSON array"),
        (
            "{\n  \"stream\": \"door-1\"\n}\n".to_owned(),
            "several lines",
        ),
        ("stream,type\ndoor-1,T\n".to_owned(), "CSV"),
        (document.to_owned(), "jq -c '.Records[]'"),
        (format!("{document}\n{document}\n"), "jq -c '.Records[]'"),
        (
            format!("{{\"Records\":[{}]}}", vec![own; 200_000].join(",")),
            "jq -c '.Records[]'",
        ),
    ] {
        for mapped in [false, true] {
            let (kind, body) = if mapped {
                form(&[("mapping", MAPPING), ("records", &lines)])
            } else {
                (NDJSON.to_owned(), lines.clone())
            };
            let reply = api.post_text("/v1/import", &kind, &body).await;
            let problem = reply.problem(415, "unsupported_media_type");
            let said = problem["detail"].as_str().unwrap();
            assert!(
                said.contains(words) && said.contains("nothing was imported"),
                "{said}"
            );
        }
    }
    let (status, gzip) = (415, [b"\x1f\x8b\x08\0".as_slice(), &[7; 300]].concat());
    let request = crate::support::request("POST", "/v1/import").header("content-type", NDJSON);
    let reply = api
        .send(request.body(axum::body::Body::from(gzip)).unwrap())
        .await;
    assert_eq!(reply.status, status);
    assert!(reply.text.contains("gunzip"), "{}", reply.text);
    assert_eq!(api.head(), (0, 0));
}

#[tokio::test]
async fn what_a_mapping_cut_left_out_or_made_nothing_of_is_counted_by_rule() {
    let mapping = r#"
[[rule]]
name = "tests"
when = { "/test" = true }
skip = true
[[rule]]
name = "commits"
when = { "/id" = { exists = true } }
stream = "order-1"
type = "{/events/0/type}"
id = "{/id}"
time = "{/at | null}"
actor = "{/by}"
reason = "{/why}"
data = { body = "{/events/0/body}" }
"#;
    let why = "because ".repeat(1_000);
    let lines = [
        json!({"test": true}),
        json!({"id": 1, "events": [{"type": "A"}, {"type": "B"}, {"type": "C"}]}),
        json!({"id": 2, "at": "2025-01-01T00:00:02Z", "why": why, "by": "b".repeat(300), "events": [{"type": "A"}]}),
        json!({"id": 18_446_744_073_709_551_616_u128.to_string(), "at": "2025-01-01T00:00:01Z", "events": [{"type": "A"}]}),
        json!({"id": 3, "at": "yesterday", "events": [{"type": "A"}]}),
        json!({"id": 4, "at": "yesterday", "events": [{"type": "A"}]}),
        json!({"other": 1}),
    ]
    .map(|line| line.to_string())
    .join("\n");
    let api = Api::start();
    let (kind, body) = form(&[("mapping", mapping), ("records", &lines)]);
    let report = api.post_text("/v1/import", &kind, &body).await.ok();
    assert_eq!(counts(&report), [7, 3, 0, 0, 2, 2]);
    assert_eq!(
        report["rules"],
        json!([
            {"rule": "tests", "records": 0, "skipped": 1},
            {"rule": "commits", "records": 3, "failed": 2, "clock_used": 1, "texts_cut": 1,
                "dropped": [{"list": "/events", "records": 1, "elements": 2}]},
        ])
    );
    let total = |field: &str| report[field].as_u64().unwrap();
    assert_eq!(
        ["unmatched", "clock_used", "texts_cut"].map(total),
        [1, 1, 1]
    );
    // The import's clock came first, so what follows goes back in time.
    assert_eq!(report["backwards"]["records"], 2);
    assert_eq!(
        report["backwards"]["first"],
        json!([{"stream": "order-1", "line": 3, "records": 2}])
    );
    let error = &report["errors"][0];
    assert_eq!(
        (&error["line"], &error["count"], &error["lines"]),
        (&json!(5), &json!(2), &json!([5, 6]))
    );
    let event = api.get("/v1/events/2").await.ok();
    let reason = event["reason"].as_str().unwrap();
    assert!(reason.len() <= 4_096 && reason.ends_with('…'), "{reason}");
    assert_eq!(event["metadata"]["full_reason"], why);
    assert_eq!(event["metadata"]["full_actor"].as_str().unwrap().len(), 300);
    let again = api.post_text("/v1/import", &kind, &body).await.ok();
    assert_eq!(counts(&again), [7, 0, 3, 0, 2, 2]);
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_and_imports_nothing() {
    let source = Api::start();
    believable(&source).await;
    let lines = export(&source, "?reveal=true").await;
    let api = Api::start();
    let (dry, wet) = (
        import(&api, "?dry_run=true", &lines).await.ok(),
        import(&api, "", &lines).await.ok(),
    );
    assert_eq!(
        (&dry["dry_run"], &wet["dry_run"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(counts(&dry), counts(&wet));
    assert_eq!(dry["head"], 0);
    assert_eq!(dry["streams"], 14);
    assert_eq!(dry["preview"].as_array().unwrap().len(), 5);
    let first: Value = serde_json::from_str(records(&lines).next().unwrap()).unwrap();
    let preview = &dry["preview"][0];
    assert_eq!(preview["event_id"], first["event_id"]);
    assert_eq!(preview["data"]["password_hash"], "[redacted]");
    for field in ["backwards", "gaps", "clock_used", "renumbered"] {
        assert_eq!(dry[field], wet[field], "{field}");
    }
    // What is on record already is known; so are holes, and ids that come twice.
    let head = api.head();
    let hole = records(&lines)
        .next_back()
        .unwrap()
        .replace("\"revision\":1,", "\"revision\":7,");
    let hole = hole.replace("\"event_id\":\"", "\"event_id\":\"x");
    let twice = r#"{"stream":"door-9","event_type":"T","event_id":"t","data":{}}"#;
    let again = format!("{lines}{hole}\n{twice}\n{twice}\n");
    let dry = import(&api, "?dry_run=true", &again).await.ok();
    let wet = import(&api, "", &again).await.ok();
    assert_eq!(counts(&dry)[1], counts(&wet)[1], "{dry}");
    assert_eq!((counts(&dry)[5], counts(&wet)[5]), (1, 1), "{dry}");
    assert_eq!(api.head().0, head.0 + 1);
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
