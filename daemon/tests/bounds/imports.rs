//! Memory of imports: what a mapping makes of a record is bounded while it is made.

use serde_json::json;

use crate::daemon::Daemon;

/// A form with a mapping and one record.
fn import(daemon: &Daemon, mapping: &str, record: &str) -> String {
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"mapping\"\r\n\r\n{mapping}\r\n--x\r\n\
         content-disposition: form-data; name=\"records\"\r\n\r\n{record}\n\r\n--x--\r\n"
    );
    daemon.raw(
        format!(
            "POST /v1/import HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: multipart/form-data; boundary=x\r\ncontent-length: {}\r\n\r\n{body}",
            daemon.address,
            body.len()
        )
        .as_bytes(),
    )
}

/// Records of about 3 MB, each with a mapping that would make the most of it.
#[expect(clippy::too_many_lines, reason = "a table")]
fn greedy_records() -> Vec<(&'static str, String, String)> {
    let fields: Vec<_> = (0..300).map(|n| format!("f{n} = \"{{/v}}\"\n")).collect();
    let repeated = fields.concat();
    let repeated = format!("[rule.data]\n{repeated}");
    let rule = |stream: &str, kind: &str, rest: &str| {
        format!("[[rule]]\nstream = \"{stream}\"\ntype = \"{kind}\"\n{rest}")
    };
    let long = json!({"v": "x".repeat(3 << 20)}).to_string();
    let quotes = json!({"v": "\"\n".repeat(700 << 10)}).to_string();
    let list = format!("{{\"v\":[{}0]}}", "0,".repeat((3 << 20) / 2));
    let lists = format!(
        "{{\"v\":{}}}",
        format!("[{}[]]", "[],".repeat(1 << 19))
            .repeat(2)
            .replacen("][", ",", 1)
    );
    let deep = format!("{{\"v\":{}1{}}}", "[".repeat(3 << 19), "]".repeat(3 << 19));
    let deep_objects = format!(
        "{{\"v\":{}1{}}}",
        "{\"a\":".repeat(3 << 18),
        "}".repeat(3 << 18)
    );
    let key = json!({"x".repeat(3 << 20): 1, "v": 1}).to_string();
    let keys = format!(
        "{{\"v\":{{{}}}}}",
        (0..300_000)
            .map(|n| format!("\"{n}\":0"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let inner = json!({"v": format!("[{}0]", "0,".repeat((3 << 20) / 2))}).to_string();
    vec![
        (
            "a value 300 times",
            rule("a-1", "T", &repeated),
            long.clone(),
        ),
        (
            "a value of escapes 300 times",
            rule("a-1", "T", &repeated),
            quotes,
        ),
        ("a list 300 times", rule("a-1", "T", &repeated), list),
        (
            "lists in lists",
            rule("a-1", "T", "data = { v = \"{/v}\" }"),
            lists,
        ),
        (
            "a deep list",
            rule("a-1", "T", "data = { v = \"{/v}\" }"),
            deep,
        ),
        (
            "a deep object",
            rule("a-1", "T", "data = { v = \"{/v}\" }"),
            deep_objects,
        ),
        ("a stream's name", rule("a-{/v}", "T", ""), long.clone()),
        ("a type", rule("a-1", "{/v}{/v}{/v}", ""), long.clone()),
        (
            "metadata",
            rule(
                "a-1",
                "T",
                "metadata = { a = \"{/v}\", b = \"{/v}\", c = \"{/v}{/v}{/v}\" }",
            ),
            long.clone(),
        ),
        (
            "an actor and a reason",
            rule("a-1", "T", "actor = \"{/v}{/v}\"\nreason = \"{/v}{/v}\""),
            long,
        ),
        ("a key", rule("a-1", "T", "data = { v = \"{/v}\" }"), key),
        ("keys", rule("a-1", "T", "data = { v = \"{/v}\" }"), keys),
        (
            "JSON in a text",
            rule("a-1", "T", "data = { v = \"{json(/v)}\" }"),
            inner,
        ),
    ]
}

#[test]
fn no_record_of_3_mb_makes_much_more_of_itself() {
    let daemon = Daemon::start();
    for (what, mapping, record) in greedy_records() {
        let before = daemon.resident();
        let watch = daemon.watch();
        let answer = import(&daemon, &mapping, &record);
        let peak = watch.end(what);
        // A record that does not fit is told in the report, a mapping that does not in a problem.
        let status = answer.get(..12).unwrap_or_default();
        println!(
            "{what}: {status}, {} MiB more",
            peak.saturating_sub(before) >> 20
        );
        assert_eq!(status, "HTTP/1.1 200", "{what}: {answer:.500}");
        assert!(
            peak < before + (64 << 20),
            "{what}: {} MiB",
            (peak - before) >> 20
        );
        assert!(answer.len() < 64 << 10, "{what}: a short answer");
    }
}
