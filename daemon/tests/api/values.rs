//! Values from the record to every answer: digits kept, text found as it reads, secrets nowhere.

use serde_json::{Value, json};

use crate::support::{Api, Reply};

async fn raw(api: &Api, stream: &str, events: &str) -> Reply {
    let path = format!("/v1/streams/{stream}/events");
    let body = format!(r#"{{"events":[{events}]}}"#);
    api.post_text(&path, "application/json", &body).await
}

async fn set(api: &Api, stream: &str, data: &str) {
    let event = format!(r#"{{"event_type":"Set","data":{data}}}"#);
    raw(api, stream, &event).await.ok();
}

async fn import(api: &Api, lines: &str) -> Value {
    api.post_text("/v1/import", "application/x-ndjson", lines)
        .await
        .ok()
}

/// A query's value, percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_number_keeps_its_digits_in_every_answer() {
    let api = Api::start();
    let big = "18446744073709551616";
    let fine = "0.12345678901234567890123";
    set(
        &api,
        "num-1",
        &format!(r#"{{"big":{big},"fine":{fine},"one":1.0,"far":1e400}}"#),
    )
    .await;
    set(&api, "num-1", r#"{"one":1,"big":18446744073709551617}"#).await;
    set(&api, "num-2", r#"{"big":18446744073709551615}"#).await;
    for path in [
        "/v1/streams/num-1/state?at_revision=1",
        "/v1/streams/num-1/events",
        "/v1/streams/num-1/steps",
        "/v1/export",
    ] {
        let text = api.get(path).await.text;
        assert!(text.contains(big) && text.contains(fine), "{path}: {text}");
        assert!(text.contains("400"), "{path}: {text}");
    }
    // `1.0` and `1` are one number; the 20th digit is a difference.
    let diff = api.get("/v1/streams/num-1/diff?from=1&to=2").await.text;
    assert!(
        diff.contains(r#""before":18446744073709551616,"after":18446744073709551617"#),
        "{diff}"
    );
    assert_eq!(diff.matches("\"path\"").count(), 1, "{diff}");
    let what_if = json!({"stream": "num-1", "at_revision": 1, "do": [{"event": {"event_type": "Set", "data": {}}}]});
    let scenario = api.post("/v1/what-if", &what_if).await.text;
    assert!(
        scenario.contains(big) && scenario.contains(fine),
        "{scenario}"
    );

    api.level().await;
    let found = async |filter: &str| {
        let path = format!("/v1/read-models/states?filter={}", encoded(filter));
        let page = api.get(&path).await.ok();
        let items = page["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["key"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(found("/big=18446744073709551617").await, ["num-1"]);
    assert_eq!(found("/big=1844674407370955161.7e1").await, ["num-1"]);
    assert_eq!(found("/big=18446744073709551616").await, [""; 0]);
    assert_eq!(found("/big=18446744073709551615").await, ["num-2"]);
    assert_eq!(found(&format!("/fine={fine}0")).await, ["num-1"]);
    assert_eq!(found("/one=1.00").await, ["num-1"]);
    let documents = api.get("/v1/read-models/states").await.text;
    assert!(documents.contains(fine), "{documents}");
}

#[tokio::test]
async fn the_same_content_spelt_otherwise_is_a_repetition() {
    let api = Api::start();
    let event = |data: &str, rest: &str| {
        format!(
            r#"{{"event_type":"Paid","event_id":"e1","recorded_at":"2025-01-01T00:00:00Z","data":{data}{rest}}}"#
        )
    };
    let first = raw(&api, "pay-1", &event(r#"{"a":1,"n":"M\u00fcller"}"#, ""))
        .await
        .ok();
    for (data, rest) in [
        (r#"{"n":"Müller","a":1.0}"#, ""),
        (r#"{ "a":10e-1, "n":"M\u00FCller" }"#, r#","metadata":null"#),
        (r#"{"a":1,"n":"Müller"}"#, r#","metadata":{}"#),
    ] {
        let again = raw(&api, "pay-1", &event(data, rest)).await.ok();
        assert_eq!(again["repeated"], true, "{data}");
        assert_eq!(again["events"], first["events"]);
        let line = event(data, rest).replacen('{', r#"{"stream":"pay-1","#, 1);
        let report = import(&api, &line).await;
        assert_eq!(
            (&report["repeated"], &report["failed"]),
            (&json!(1), &json!(0)),
            "{report}"
        );
    }
    for data in [r#"{"a":1}"#, r#"{"a":"1","n":"Müller"}"#] {
        raw(&api, "pay-1", &event(data, ""))
            .await
            .problem(409, "event_id_conflict");
    }
}

#[tokio::test]
async fn text_is_found_as_it_reads() {
    let api = Api::start();
    set(
        &api,
        "s-1",
        r#"{"city":"Stra\u00dfe","name":"M\u00fcller","n":1524831183200260097,"quote":"say \"hi\"","path":"C:\\temp"}"#,
    )
    .await;
    set(&api, "s-2", r#"{"other":[]}"#).await;
    api.level().await;
    let count = async |path: &str, text: &str| {
        let page = api.get(&format!("{path}{}", encoded(text))).await.ok();
        page["items"].as_array().unwrap().len()
    };
    for text in [
        "MÜLLER",
        "mu\u{308}ller",
        "strasse",
        "say \"HI\"",
        "c:\\temp",
        "83200260097",
        "QUOTE",
    ] {
        for path in ["/v1/events?text=", "/v1/read-models/states?match="] {
            assert_eq!(count(path, text).await, 1, "{path} {text}");
        }
    }
    for text in ["\":\"", "\\u00fc", "\\\"", "{", "[]", "\",\""] {
        for path in ["/v1/events?text=", "/v1/read-models/states?match="] {
            assert_eq!(count(path, text).await, 0, "{path} {text}");
        }
    }
}

#[tokio::test]
async fn a_secret_is_shown_nowhere_however_deep_it_stands() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let hidden = r#"{"event_type":"UserImported","data":{"old":[{"password_hash":"hush-1","n":1E2}]},
        "metadata":{"request":{"password_hash":{"is":["hush-2"]}}}}"#;
    let appended = raw(&api, "user-1", hidden).await;
    assert!(!appended.text.contains("hush"), "{}", appended.text);
    assert_eq!(
        appended.json()["redacted"],
        json!([
            "/events/0/data/old/0/password_hash",
            "/events/0/metadata/request/password_hash"
        ])
    );
    api.level().await;
    let id = appended.json()["events"][0]["event_id"].clone();
    for path in [
        "/v1/streams/user-1/events".to_owned(),
        "/v1/streams/user-1/steps".to_owned(),
        "/v1/events".to_owned(),
        format!("/v1/events/{}", id.as_str().unwrap()),
        "/v1/export".to_owned(),
        "/v1/read-models/states".to_owned(),
    ] {
        let text = api.get(&path).await.text;
        assert!(!text.contains("hush"), "{path}: {text}");
    }
    // Beside a secret every letter stays, and no search or filter can guess at one.
    let events = api.get("/v1/events").await.text;
    assert!(
        events.contains(r#"[{"password_hash":"[redacted]","n":1E2}]"#),
        "{events}"
    );
    let text = api.get("/v1/events?text=hush").await.ok();
    assert_eq!(text["items"], json!([]));
    for filter in ["/password_hash=$argon2id", "/old/0/password_hash=hush-1"] {
        let path = format!("/v1/read-models/states?filter={}", encoded(filter));
        assert_eq!(api.get(&path).await.ok()["items"], json!([]));
    }
    let revealed = api.get("/v1/events?reveal=true").await.text;
    assert!(revealed.contains("hush-1") && revealed.contains("hush-2"));

    for (data, metadata, field) in [
        (
            r#"{"a":[{"password":"p"}]}"#,
            "{}",
            "/events/0/data/a/0/password",
        ),
        (
            "{}",
            r#"{"r":{"new_password":"p"}}"#,
            "/events/0/metadata/r/new_password",
        ),
        (r#"{"p\u0061ssword":"p"}"#, "{}", "/events/0/data/password"),
    ] {
        let event = format!(r#"{{"event_type":"X","data":{data},"metadata":{metadata}}}"#);
        let refused = raw(&api, "user-1", &event).await;
        assert_eq!(refused.problem(400, "plaintext_secret")["field"], field);
        let line = event.replacen('{', r#"{"stream":"user-1","#, 1);
        assert_eq!(import(&api, &line).await["failed"], 1);
    }
}
