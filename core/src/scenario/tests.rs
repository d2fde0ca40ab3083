//! Scenario files: what is read, what is refused, how an answer is judged.

use serde_json::json;

use super::*;
use crate::api::what_if::WhatIfOut;

const STORY: &str = r#"
name = "a suspended user cannot change the email"

[given]
stream = "user-7f3c7329"
at_decision = "0195bd4d-a810-76fc-92e2-d16f3b2a6c6c"

[[when]]
drop = 2

[[when]]
command = "ChangeEmail"
payload = { email = "sarah@example.org", n = 1.50 }
actor = "sarah"
outcome = "rejected"
rule = "user.suspended"

[[when]]
event = "Noted"
data_json = '{"a": null, "big": 12345678901234567890.10}'

[then]
differs = ["status"]
absent = ["/deleted_at"]
holds = '/status == "suspended"'
revision = 3
first_divergence = "none"

[then.state]
status = "suspended"
"/address/city" = "Bern"
"#;

fn answer(steps: &Value, state: &Value, diff: &Value) -> WhatIfOut {
    serde_json::from_value(json!({
        "mode": "none", "stream": "user-7f3c7329", "base_revision": 3, "rules_hash": "0",
        "base": {"revision": 3, "position": 9, "at": "2025-03-22T10:02:18Z", "decision": null},
        "steps": steps, "state": state, "revision": 3,
        "actual": {"revision": 3, "state": {}}, "diff": diff, "first_divergence": null, "flips": [],
    }))
    .unwrap()
}

fn step(kind: &str, step_type: &str, outcome: &str, rule: Option<&str>) -> Value {
    json!({
        "kind": kind, "type": step_type, "outcome": outcome, "rule": rule, "message": null, "events": [], "diff": [],
        "revision": 3, "recorded_revision": null, "edited": false,
    })
}

#[test]
fn a_file_is_read_and_asks_what_it_says() {
    let scenario = Scenario::parse(STORY).unwrap();
    let asked = serde_json::to_value(scenario.asked()).unwrap();
    assert_eq!(asked["at_decision"], "0195bd4d-a810-76fc-92e2-d16f3b2a6c6c");
    assert_eq!(asked["edits"], json!([{"drop": {"revision": 2}}]));
    let command = &asked["do"][0]["command"];
    assert_eq!(command["type"], "ChangeEmail");
    assert_eq!(command["actor"], "sarah");
    assert_eq!(
        command["payload"]["n"].to_string(),
        "1.50",
        "digit for digit"
    );
    let data = asked["do"][1]["event"]["data"].to_string();
    assert_eq!(data, r#"{"a":null,"big":12345678901234567890.10}"#);
}

#[test]
fn an_answer_that_is_as_expected_has_no_findings() {
    let scenario = Scenario::parse(STORY).unwrap();
    let out = answer(
        &json!([
            step("recorded", "UserNameChanged", "dropped", None),
            step("command", "ChangeEmail", "rejected", Some("user.suspended")),
            step("event", "Noted", "applied", None),
        ]),
        &json!({"status": "suspended", "address": {"city": "Bern"}}),
        &json!([{"path": "/status", "op": "replace", "before": "active", "after": "suspended"}]),
    );
    assert_eq!(scenario.judge(&out), []);
}

#[test]
fn each_thing_that_is_otherwise_is_a_finding() {
    let scenario = Scenario::parse(STORY).unwrap();
    let mut out = answer(
        &json!([
            step("command", "ChangeEmail", "accepted", None),
            step("event", "Noted", "failed", None),
        ]),
        &json!({"status": "active", "deleted_at": "x", "address": {"city": "[redacted]"}}),
        &json!([{"path": "/email", "op": "add", "after": "new"}]),
    );
    out.redacted = vec!["/address/city".to_owned()];
    out.revision = Revision(4);
    out.first_divergence = Some(Revision(2));
    let said: Vec<String> = scenario
        .judge(&out)
        .iter()
        .map(|finding| {
            format!(
                "{} | {} | {}",
                finding.place, finding.expected, finding.actual
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "when[2] ChangeEmail | rejected by user.suspended | accepted",
            "when[3] Noted | an outcome | failed",
            r#"/status | "suspended" | "active""#,
            r#"/address/city | "Bern" | it is a secret, which an answer does not show"#,
            r#"/deleted_at | it is not there | "x""#,
            r#"/status == "suspended" | it holds | it does not hold"#,
            "/status | it differs from what was | it is the same",
            r#"/email | it is the same as it was | nothing became "new""#,
            "revision | 3 | 4",
            "first_divergence | none | 2",
        ]
    );
    let nothing = answer(&json!([]), &json!({}), &json!([]));
    let said = scenario.judge(&nothing);
    assert_eq!(said[0].actual, "there is none");
}

#[test]
fn a_condition_that_says_nothing_does_not_hold() {
    let text = "name = \"n\"\n[given]\nstream = \"a-1\"\n[then]\nholds = [\"/gone == 1\"]\n";
    let scenario = Scenario::parse(text).unwrap();
    let said = scenario.judge(&answer(&json!([]), &json!({}), &json!([])));
    assert_eq!(said[0].actual, "`/gone` is not there");
}

/// Files, and what is said of them. `GIVEN` stands for a beginning that is right.
const MISTAKES: &[(&str, &str)] = &[
    ("", "line 1: it needs `name`"),
    ("name = 'a'", "line 1: it needs a table `[given]`"),
    ("name = 1", "line 1: `name`: must be a text in quotes"),
    ("name = 'a'\n[given]\n", "`given`: it needs `stream`"),
    ("GIVEN ", "it expects nothing"),
    (
        "name = 'a'\nnam = 'b'\n[given]\nstream = 'a-1'\n[then]\nrevision = 1",
        "line 2: `nam`: there is no such key; did you mean `name`?",
    ),
    (
        "GIVEN at_revision = 1\nas_of = '2025-01-01T00:00:00Z'",
        "give one of `at_revision`",
    ),
    ("GIVEN as_of = 'yesterday'", "line 4: `given.as_of`: "),
    (
        "GIVEN as_of = 2025-01-01T00:00:00Z",
        "line 4: `given.as_of`: must be a text in quotes",
    ),
    ("GIVEN models = ['users']", "`models` go with a history"),
    (
        "GIVEN [[when]]\ncommand = 'A'\nevent = 'B'",
        "line 4: `when[1]`: a step is exactly one of",
    ),
    (
        "GIVEN [[when]]\ncomand = 'A'",
        "a step is exactly one of `command`, `event`, `drop`",
    ),
    (
        "GIVEN [[when]]\ncommand = 'A'\noutcome = 'refused'",
        "line 6: `when[1].outcome`: unknown variant `refused`",
    ),
    (
        "GIVEN [[when]]\ncommand = 'A'\noutcome = 'accepted'\nrule = 'r'",
        "a `rule` refuses",
    ),
    (
        "GIVEN [[when]]\ncommand = 'A'\npayload = {}\npayload_json = '{}'",
        "give either this or `payload_json`",
    ),
    (
        "GIVEN [[when]]\ncommand = 'A'\npayload_json = '[1]'",
        "must be an object",
    ),
    (
        "GIVEN [[when]]\ncommand = 'A'\npayload_json = '{\"a\":1,\"a\":2}'",
        "is not JSON",
    ),
    (
        "GIVEN [[when]]\ncommand = 'A'\npayload = { n = nan }",
        "JSON has no number `nan`",
    ),
    (
        "GIVEN [[when]]\ncommand = 'A'\npayload = { n = 0x10 }",
        "write numbers in decimal",
    ),
    (
        "GIVEN [[when]]\ncommand = 'A'\npayload = { n = 2025-01-01 }",
        "write a time as a text",
    ),
    ("GIVEN [[when]]\ndrop = -1", "must be a revision"),
    ("GIVEN [[when]]\nreplace = 1", "it needs `data`"),
    ("GIVEN [[when]]\ninsert_after = 1", "it needs `type`"),
    (
        "GIVEN [then]\nholds = ['event.event_type == \"A\"']",
        "asks about more than the state",
    ),
    (
        "GIVEN [then]\nholds = ['status ==']",
        "line 5: `then.holds`: `status ==`: at column",
    ),
    ("GIVEN [then]\nabsent = ['/a~2']", "in a JSON Pointer"),
    (
        "GIVEN [then]\nfirst_divergence = 'never'",
        "must be a revision, or \"none\"",
    ),
    ("GIVEN [then]\nrevisoin = 1", "did you mean `revision`?"),
    ("GIVEN [[given.events]]\ntype = 'A'", "it needs `at`"),
    (
        "continue = 'replay'",
        "line 1: `continue`: unknown variant `replay`",
    ),
    ("a = ", "line 1: "),
];

#[test]
fn mistakes_are_told_with_their_line() {
    let given = "name = \"n\"\n[given]\nstream = \"a-1\"\n";
    for (text, said) in MISTAKES {
        let text = match text.strip_prefix("GIVEN ") {
            Some(rest) => format!("{given}{rest}\n"),
            None if text.starts_with("continue") => {
                format!("name = 'n'; {text}").replace("; ", "\n")
            }
            None => (*text).to_owned(),
        };
        let error = Scenario::parse(&text).unwrap_err().to_string();
        let said = said.replace("line 1: `continue`", "line 2: `continue`");
        assert!(error.contains(&said), "{text}\n{error}\nexpected {said}");
    }
}

/// What is written is read as the same, whatever the texts and numbers.
#[test]
fn a_scenario_of_an_answer_is_written_read_and_passes_on_that_answer() {
    let asked: WhatIfIn = serde_json::from_value(json!({
        "stream": "user-7f3c7329", "at_revision": 3, "password_correct": true, "continue": "refold",
        "edits": [
            {"drop": {"revision": 1}},
            {"replace": {"revision": 2, "data": {"a \"b\"": [1, {"c.d": "x\u{7f}\n"}], "n": null}}},
            {"insert": {"after_revision": 0, "event_type": "Ü", "data": {}}},
        ],
        "do": [
            {"command": {"type": "ChangeEmail", "payload": {"email": "a@b"}, "actor": "sarah", "reason": "'''"}},
            {"event": {"event_type": "Noted", "data": {"big": 1.10}, "actor": "a"}},
        ],
    }))
    .unwrap();
    let out = answer(
        &json!([
            step("command", "ChangeEmail", "rejected", Some("user.suspended")),
            step("event", "Noted", "applied", None),
        ]),
        &json!({"status": "gone", "big": serde_json::from_str::<Value>("1.10").unwrap(), "none": null}),
        &json!([
            {"path": "/status", "op": "replace", "before": "active", "after": "gone"},
            {"path": "/big", "op": "add", "after": 1.1},
            {"path": "/none", "op": "add", "after": null},
            {"path": "/a~1b", "op": "remove", "before": 1},
        ]),
    );
    let scenario = Scenario::of("say \"when\"", &asked, &out);
    assert_eq!(scenario.judge(&out), []);
    let text = scenario.to_toml();
    let read = Scenario::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read.judge(&out), [], "{text}");
    assert_eq!(read.asked(), asked, "{text}");
    assert_eq!(read.name, "say \"when\"");
    assert_eq!(read.to_toml(), text);
}

/// Every edit, what becomes of causes, and expected flips are in the file, and are read as they were written.
#[test]
fn edits_of_commands_and_flips_are_kept() {
    let asked: crate::api::what_if::WhatIfIn = serde_json::from_value(json!({
        "stream": "user-1", "continue": "auto", "causes": "keep",
        "edits": [
            {"drop_command": {"decision": 4}}, {"drop_command": {"decision": "c-5"}},
            {"change": {"revision": 2, "actor": "it's me", "recorded_at": "2025-03-20T03:00:00Z"}},
            {"replace_command": {"decision": 6, "payload": {"total": 1.50}}},
            {"insert_command": {"place": {"after_revision": 1}, "command": {"type": "SuspendUser", "actor": "a"}}},
        ]
    }))
    .unwrap();
    let flip = |outcome: &str, rule: Value| {
        json!({"decision": 9, "command_id": "c-9", "stream": "user-1", "type": "ChangeEmail", "actor": null,
            "decided_at": "2025-03-22T10:02:18Z", "was": {"outcome": "rejected", "rule": "x", "message": null, "events": 0},
            "outcome": outcome, "rule": rule, "message": null})
    };
    let mut out = answer(&json!([]), &json!({}), &json!([]));
    out.mode = Continuation::Redecide;
    out.flips = serde_json::from_value(json!([
        flip("accepted", Value::Null),
        flip("rejected", json!("email.taken")),
    ]))
    .unwrap();
    out.redecided = serde_json::from_value(json!({
        "answer": "", "causes": "keep", "asked": 2, "later": 2,
        "counts": {"same": 0, "changed": 0, "flips": 2, "not_issued": 0, "frozen": 0, "refused": 0, "edited": 0, "added": 0},
        "flips_left_out": 0, "streams": [], "streams_reached": 1, "streams_changed": 1, "streams_untouched": 0,
        "without_reactions": 0, "other_rules": 0,
    }))
    .unwrap();
    let written = Scenario::of("both worlds", &asked, &out).to_toml();
    let read = Scenario::parse(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
    let again = read.asked();
    assert_eq!(again.edits, asked.edits, "{written}");
    assert_eq!(again.causes, asked.causes);
    // The mode that it came to, whatever is on record later.
    assert_eq!(again.continuation, Continuation::Redecide);
    assert_eq!(read.judge(&out), []);
    out.flips.swap_remove(0);
    let findings = read.judge(&out);
    assert_eq!(findings[0].expected, "ChangeEmail of user-1: accepted");
    out.flips.clear();
    assert_eq!(read.judge(&out).len(), 2);
    for unfit in ["edit_json = '{\"drop\": 3}'", "drop_command = true"] {
        let text = format!(
            "name = \"x\"\n[given]\nstream = \"user-1\"\n[[when]]\n{unfit}\n[then]\nflips = []\n"
        );
        assert!(Scenario::parse(&text).is_err(), "{unfit}");
    }
}
