//! Imports as forms: whatever is odd about one is an answer that says what was imported and what was not.

use serde_json::json;

use crate::support::{Api, Reply};

const MAPPING: &str = "[[rule]]\nstream = \"door-{/door}\"\ntype = \"T\"\nid = \"{/id}\"";
const RECORD: &str = r#"{"id":"r1","door":7}"#;
const OWN: &str = r#"{"stream":"door-7","event_type":"T","data":{}}"#;

/// A part: its headers after the first, and its content.
fn part(name: &str, more: &str, content: &str) -> String {
    format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{content}\r\n")
}

async fn send(api: &Api, kind: &str, body: &str) -> Reply {
    api.post_text("/v1/import", kind, body).await
}

const FORM: &str = "multipart/form-data; boundary=XX";

#[tokio::test]
async fn parts_may_come_in_any_order_and_with_any_headers_of_their_own() {
    let odd = "; filename=\"a.toml\"\r\nContent-Type: application/octet-stream";
    let mapping = part("mapping", odd, MAPPING);
    let records = part(
        "records",
        "\r\nContent-Type: text/plain; charset=utf-8",
        RECORD,
    );
    for kind in [FORM, "Multipart/Form-Data; charset=utf-8; boundary=\"XX\""] {
        for body in [
            format!("{mapping}{records}--XX--\r\n"),
            format!("{records}{mapping}--XX--"),
            format!("preamble\r\n{records}{mapping}--XX--\r\nepilogue"),
        ] {
            let report = send(&Api::start(), kind, &body).await.ok();
            assert_eq!(
                (&report["added"], &report["failed"]),
                (&json!(1), &json!(0)),
                "{body}"
            );
        }
    }
    // Without a mapping, records are lines of our own.
    let body = format!("{}--XX--\r\n", part("records", "", OWN));
    assert_eq!(send(&Api::start(), FORM, &body).await.ok()["added"], 1);
}

#[tokio::test]
async fn a_form_that_does_not_fit_says_what_was_imported() {
    let mapping = part("mapping", "", MAPPING);
    let records = part("records", "", RECORD);
    let other = part("colour", "", "red");
    for (body, words, added) in [
        (
            format!("{mapping}{records}{records}"),
            "the first one was imported",
            1,
        ),
        (
            format!("{records}{records}{mapping}"),
            "nothing was imported",
            0,
        ),
        (
            format!("{mapping}{mapping}{records}"),
            "nothing was imported",
            0,
        ),
        (
            format!("{mapping}{records}{mapping}"),
            "imported by the first",
            1,
        ),
        (
            format!("{mapping}{other}{records}"),
            "nothing was imported",
            0,
        ),
        (
            format!("{mapping}{records}{other}"),
            "the records before it were imported",
            1,
        ),
        (mapping.clone(), "no part `records`", 0),
    ] {
        let api = Api::start();
        let problem = send(&api, FORM, &format!("{body}--XX--\r\n")).await;
        let problem = problem.problem(400, "malformed");
        let said = problem["detail"].as_str().unwrap();
        assert!(said.contains(words), "{said}");
        assert_eq!(api.head().0, added, "{said}");
    }
}

#[tokio::test]
async fn a_form_without_its_end_is_no_success() {
    let mapping = part("mapping", "", MAPPING);
    let records = part("records", "", RECORD);
    for body in [
        format!("{mapping}{records}"),
        format!("{mapping}{}", records.trim_end()),
        format!("{records}{mapping}"),
        format!("{mapping}--XX\r\nContent-Disposition: form-data"),
        String::new(),
    ] {
        let api = Api::start();
        let problem = send(&api, FORM, &body).await.problem(400, "malformed");
        let hint = problem["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("adds only the rest"), "{problem}");
    }
    // Line feeds alone are no ends of lines here.
    let body = format!("{mapping}{records}--XX--\r\n").replace('\r', "");
    send(&Api::start(), FORM, &body)
        .await
        .problem(400, "malformed");
    for kind in ["multipart/form-data", "multipart/form-data; boundary="] {
        let body = format!("{mapping}{records}--XX--\r\n");
        send(&Api::start(), kind, &body)
            .await
            .problem(400, "malformed");
    }
    send(&Api::start(), "multipart/mixed; boundary=XX", "")
        .await
        .problem(415, "unsupported_media_type");
}
