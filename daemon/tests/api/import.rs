//! Import of other systems' records and files: mappings, multipart forms, file formats, dry runs.

use serde_json::{Value, json};

use crate::support::Api;
use crate::transfer::{NDJSON, believable, counts, export, import, records};

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
async fn fields_that_no_rule_uses_and_times_that_are_too_fine_are_counted() {
    let mapping = r#"
[[rule]]
name = "doors"
when = { "/what" = "open" }
stream = "door-{/door/id}"
type = "Opened"
id = "{/id}"
time = "{/at}"
[[rule]]
name = "rest"
stream = "door-{/door/id}"
type = "{/what}"
id = "{/id}"
time = "{millis(/ms)}"
data = { by = "{/by}" }
"#;
    let lines = [
        json!({"id": "a", "what": "open", "door": {"id": 7, "floor": 2}, "by": "ann", "at": "2025-01-01T00:00:00.1234567Z"}),
        json!({"id": "b", "what": "shut", "door": {"id": 7, "floor": 2}, "by": "bob", "ms": 1_735_689_601_000_u64, "note": ""}),
        json!({"id": "c", "what": "shut", "door": {"id": 8}, "ms": "1735689602000.00049", "tags": ["x"]}),
    ]
    .map(|line| line.to_string())
    .join("\n");
    let api = Api::start();
    let (kind, body) = form(&[("mapping", mapping), ("records", &lines)]);
    for query in ["?dry_run=true", "", ""] {
        let path = format!("/v1/import{query}");
        let report = api.post_text(&path, &kind, &body).await.ok();
        let unused = json!({"fields": 3, "more": false, "first": [
            {"path": "/door/floor", "records": 2}, {"path": "/by", "records": 1}, {"path": "/tags", "records": 1}]});
        assert_eq!(report["unused"], unused, "{query}");
        assert_eq!(report["times_cut"], 2);
        assert_eq!(report["rules"][0]["times_cut"], 1);
    }
    let event = api.get("/v1/events/c").await.ok();
    assert_eq!(event["recorded_at"], "2025-01-01T00:00:02Z");
    let full = json!({"full_time": "2025-01-01T00:00:02.00000049Z"});
    assert_eq!(event["metadata"], full);
    // Our own lines too.
    let line = json!({"stream": "a-1", "event_type": "T", "data": {}, "event_id": "n", "recorded_at": "2025-01-01T00:00:00.123456789+01:00"});
    let report = import(&api, "", &line.to_string()).await.ok();
    assert_eq!(
        (&report["added"], &report["times_cut"]),
        (&json!(1), &json!(1))
    );
    let event = api.get("/v1/events/n").await.ok();
    assert_eq!(
        event["metadata"]["full_time"],
        "2025-01-01T00:00:00.123456789+01:00"
    );
}

#[tokio::test]
async fn a_dry_run_tells_repeats_from_conflicts_as_the_import_does() {
    let source = Api::start();
    believable(&source).await;
    let lines = export(&source, "?reveal=true").await;
    let api = Api::start();
    import(&api, "", &lines).await.ok();
    let event = |id: &str, n: &str, more: &str| {
        format!(r#"{{"stream":"a-1","event_type":"T","event_id":"{id}","data":{{"n":{n}}}{more}}}"#)
    };
    // Spelt otherwise, and with other content: in the log, and in the file itself.
    let again = [
        event("x", "1", ""),
        event("x", "1.0", r#","metadata":{}"#),
        event("x", "2", ""),
        event("x", "1", r#","actor":"ann""#),
        event("y", "1", r#","actor":"ann""#),
    ]
    .join("\n");
    let decision = records(&lines).find(|line| line.starts_with(r#"{"decision""#));
    let decision: Value = serde_json::from_str(decision.unwrap()).unwrap();
    let mut other = decision.clone();
    other["decision"]["reason"] = json!("another");
    let file = format!("{again}\n{decision}\n{other}");
    let dry = import(&api, "?dry_run=true", &file).await.ok();
    let wet = import(&api, "", &file).await.ok();
    assert_eq!(counts(&dry), counts(&wet), "{dry}\n{wet}");
    assert_eq!((&wet["added"], &wet["failed"]), (&json!(2), &json!(3)));
    assert_eq!(wet["repeated"], 2);
    let after = import(&api, "?dry_run=true", &file).await.ok();
    assert_eq!((&after["added"], &after["failed"]), (&json!(0), &json!(3)));
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
