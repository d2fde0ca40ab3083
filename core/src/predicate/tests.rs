//! What predicates mean, and what is said of wrong ones.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::command::{Decision, Outcome};
use crate::event::Event;
use crate::ids::{Position, Revision, StreamName};
use crate::json::{Json, State, Value};
use crate::merge;
use crate::model::Model;

fn state(value: Value) -> State {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

fn event() -> Event {
    Event {
        position: Position(12),
        stream: StreamName::new("user-7").unwrap(),
        revision: Revision(3),
        event_id: "e3".to_owned(),
        event_type: "UserSuspended".to_owned(),
        schema_version: 1,
        recorded_at: "2025-03-24T15:47:23.5Z".parse().unwrap(),
        actor: Some("job:cleanup".to_owned()),
        reason: None,
        correlation_id: None,
        causation_id: None,
        data: Json::parse(r#"{"lines":[{"sku":"x","n":2}],"password":"p"}"#).unwrap(),
        metadata: None,
    }
}

fn decision() -> Decision {
    Decision {
        sequence: 4,
        command_id: "c4".to_owned(),
        stream: StreamName::new("user-7").unwrap(),
        command_type: "SuspendUser".to_owned(),
        payload: Json::parse(r#"{"n":1}"#).unwrap(),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: None,
        base_revision: Revision(2),
        base_position: Position(11),
        rules_hash: "h".to_owned(),
        decided_at: "2025-03-24T15:47:23Z".parse().unwrap(),
        result: Outcome::Rejected {
            rule: "user.suspended".to_owned(),
            message: "no".to_owned(),
        },
    }
}

/// `t`, `f` or why it is undefined.
fn says(model: &Model, text: &str) -> String {
    let now = state(json!({
        "status": "suspended", "n": 10, "none": null, "price": 1, "size": {"w": 1},
        "lines": [{"id": 1, "n": 5}, {"id": 2, "n": null}], "tags": ["a", "b"], "größe": 3,
        "secret": "s3", "deep": {"secret": {"a": 1}, "x": 1},
    }));
    let before = state(json!({
        "status": "active", "n": 10.0, "gone": 1, "secret": "s2", "deep": {"secret": {"a": 2}, "x": 1},
    }));
    let (event, decision) = (event(), decision());
    let predicate = Predicate::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let scope = Scope::new(model, &now)
        .with_event(Some(&event))
        .with_before(Some(&before))
        .with_decision(Some(&decision));
    match predicate.evaluate(&scope).unwrap() {
        Truth::True => "t".to_owned(),
        Truth::False => "f".to_owned(),
        Truth::Undefined(why) => predicate.describe(why),
    }
}

const MEANINGS: &[(&str, &str)] = &[
    (
        r#"state.status == "suspended" && !has(state.deleted_at)"#,
        "t",
    ),
    (r#"/status == "suspended""#, "t"),
    ("/lines/0/n == 5 && state.lines[0.0].n == 5e0", "t"),
    ("/größe > 2 && state[\"größe\"] < 4", "t"),
    ("has(/lines/1) && !has(/lines/2)", "t"),
    (
        r#"event.actor.startsWith("job:") && event.reason == null"#,
        "t",
    ),
    (
        r#"event.recorded_at > timestamp("2025-03-24T15:47:23Z")"#,
        "t",
    ),
    (
        r#"timestamp("2025-03-24T16:47:23.500+01:00") == event.recorded_at"#,
        "t",
    ),
    (
        r#"event.data.lines.exists(l, l.sku == "x" && l.n >= 2)"#,
        "t",
    ),
    ("event.revision == 3 && event.position == 12", "t"),
    (
        r#"decision.outcome == "rejected" && decision.rule.endsWith("suspended")"#,
        "t",
    ),
    (
        "has(decision.rule) && !has(decision.revision) && has(event.reason)",
        "t",
    ),
    ("decision.payload.n == event.schema_version", "t"),
    (r#"changed("/status") && was("/status") == "active""#, "t"),
    (r#"changed("/n") || changed("/nothing")"#, "f"),
    (
        r#"changed("/gone") && changed("/tags") && !has(before.tags)"#,
        "t",
    ),
    (
        r#""b" in state.tags && "w" in state.size && !("c" in state.tags)"#,
        "t",
    ),
    ("state.n in [1, 10.0]", "t"),
    (
        "size(state.tags) == state.tags.size() && size(\"é😀\") == 2",
        "t",
    ),
    (
        r#"state.tags.all(t, size(t) == 1) && state.size.exists_one(k, k == "w")"#,
        "t",
    ),
    (
        r#"state.status.matches("^sus") && state.status.contains("end")"#,
        "t",
    ),
    (r"state.status.matches(r'^\w+$')", "t"),
    ("state.n > 5 ? state.none == null : false", "t"),
    ("state.lines == [] || state.tags == [\"a\", 'b']", "t"),
    ("-1 < 0 && state.price != -1", "t"),
    (
        "1 == 1.0 && 100000000000000000001 > 100000000000000000000",
        "t",
    ),
    ("state.none == false || state.none == 0", "f"),
    ("state == before", "f"),
    // What is not there is undefined, and what is decided without it is not.
    ("state.nothing == 1", "`state.nothing` is not there"),
    ("!(state.nothing == 1)", "`state.nothing` is not there"),
    ("state.nothing != 1", "`state.nothing` is not there"),
    ("/nothing/more == 1", "`/nothing/more` is not there"),
    ("has(state.nothing.more)", "`state.nothing` is not there"),
    ("state.nothing == 1 || state.n == 10", "t"),
    ("state.n == 10 || state.nothing == 1", "t"),
    ("state.n == 9 && state.nothing == 1", "f"),
    ("state.nothing == 1 && state.n == 9", "f"),
    (
        "state.n == 10 && state.nothing == 1",
        "`state.nothing` is not there",
    ),
    ("state.lines.exists(l, l.n > 4)", "t"),
    ("state.lines.all(l, l.n > 4)", "`l.n` is null, not a number"),
    ("state.lines.all(l, l.n > 6)", "f"),
    (
        "state.lines.exists_one(l, l.n > 4)",
        "`l.n` is null, not a number",
    ),
    ("state.tags[2] == \"c\"", "`state.tags[2]` is not there"),
    ("state.tags[0.5] == \"c\"", "`state.tags[0.5]` is not there"),
    // So is what is of another type; only equality is never undefined for that.
    ("state.n == \"10\"", "f"),
    ("state.n < \"11\"", "`state.n` is a number, not a text"),
    ("5 < state.status", "`state.status` is a text, not a number"),
    ("state.none < 1", "`state.none` is null, not a number"),
    (
        "state.n.size() > 1",
        "`state.n` is a number, not a text, a list or an object",
    ),
    (
        "event.reason.contains(\"x\")",
        "`event.reason` is null, not a text",
    ),
    (
        "state.status",
        "`state.status` is a text, not true or false",
    ),
    ("state.tags[\"a\"] == 1", "`\"a\"` is a text, not a number"),
    (
        "timestamp(state.status) < event.recorded_at",
        "`state.status` is a text that is not a time",
    ),
];

#[test]
fn operators_mean_what_cel_means_by_them() {
    let model = merge::model();
    for (text, expected) in MEANINGS.iter().copied() {
        assert_eq!(says(&model, text), expected, "{text}");
    }
}

#[test]
fn what_is_not_given_is_undefined() {
    let (model, empty) = (merge::model(), State::new());
    for (text, expected) in [
        ("event.revision > 0", "there is no event here for `event`"),
        (
            "before.a == 1",
            "there is no state before here for `before`",
        ),
        (
            "changed(\"/a\")",
            "there is no state before here for `changed(\"/a\")`",
        ),
        (
            "decision.sequence > 0",
            "there is no decision here for `decision`",
        ),
    ] {
        let predicate = Predicate::parse(text).unwrap();
        let truth = predicate.evaluate(&Scope::new(&model, &empty)).unwrap();
        let Truth::Undefined(why) = truth else {
            panic!("{text} {truth:?}")
        };
        assert_eq!(predicate.describe(why), expected);
    }
}

#[test]
fn a_secret_reads_as_its_mark() {
    let model = merge::hiding(&["secret", "password"]);
    for (text, expected) in [
        (
            r#"state.secret == "[redacted]" && was("/secret") == "[redacted]""#,
            "t",
        ),
        (r#"/secret.startsWith("s") || state["secret"] == "s3""#, "f"),
        (r#"state.exists(k, k == "secret" && state[k] == "s3")"#, "f"),
        (
            "state.secret == before.secret && state.deep == before.deep",
            "t",
        ),
        ("has(state.secret) && has(/deep/secret)", "t"),
        (
            "state.deep.secret.a == 1",
            "`state.deep.secret` is a text, not an object",
        ),
        ("/deep/secret/a == 1", "`/deep/secret/a` is not there"),
        (r#"event.data.password == "p""#, "f"),
        // That it changed is shown by every diff.
        (r#"changed("/secret")"#, "t"),
    ] {
        assert_eq!(says(&model, text), expected, "{text}");
    }
    // Without the model they are fields like others.
    assert_eq!(says(&merge::model(), r#"state.secret == "s3""#), "t");
}

const MISTAKES: &[(&str, usize, &str, &str)] = &[
    ("", 1, "a predicate is missing", "such as"),
    ("state.a = 1", 9, "`=` has no meaning here", "`==`"),
    ("state.a === 1", 9, "`===` has no meaning here", "`==`"),
    ("state.a !== 1", 9, "`!==` has no meaning here", "`!=`"),
    ("state.a == 1 and state.b == 2", 14, "not `and`", "`&&`"),
    ("status == 1", 1, "there is no `status`", "`/status`"),
    (
        "state.a == active",
        12,
        "there is no `active`",
        "\"active\"",
    ),
    (
        "state.a ==",
        11,
        "a value is expected here, not the end",
        "",
    ),
    ("(state.a == 1", 14, "`)` is expected here, not the end", ""),
    ("1 < state.a < 3", 13, "expected here, not `<`", "join"),
    ("state.a + 1 == 2", 9, "`+` has no meaning", "arithmetic"),
    (
        "state.a - 1 == 2",
        9,
        "expected here, not `-`",
        "arithmetic",
    ),
    (
        "state.a / 2 == 2",
        9,
        "names a field after each `/`",
        "division",
    ),
    ("state.a /b == 2", 9, "not `/b`", "division"),
    ("state.ü == 1", 7, "`ü` has no meaning", "state[\"ü"),
    ("\"é\" == 'a", 8, "no closing '", ""),
    (r#"state.a == "\d""#, 13, "begins no escape", "r\""),
    (
        "state.a == 0x10",
        12,
        "a letter follows a number",
        "decimal",
    ),
    ("state.a == \"\"\"a\"\"\"", 12, "three quotes", ""),
    ("state.a.match(\"x\")", 9, "no function `match`", "matches"),
    (
        "lower(state.a) == \"x\"",
        1,
        "no function `lower`",
        "size(x)",
    ),
    (
        "state.a.matches(\"(\")",
        17,
        "the pattern is wrong: unclosed group",
        "",
    ),
    ("state.a.matches(state.b)", 17, "written out", ""),
    (
        "state.a.matches(\"\\\\w{900}\")",
        17,
        "takes more than 256 KiB",
        "",
    ),
    ("has(state)", 5, "`has` asks for a field", "in state"),
    ("has(state[\"a\"])", 5, "`has` asks for a field", "in state"),
    (
        "changed(\"status\")",
        9,
        "begins with `/`",
        "changed(\"/status\")",
    ),
    ("was(\"\") == 1", 5, "is `before`", ""),
    (
        "state.a.exists(state, true)",
        16,
        "cannot be called `state`",
        "",
    ),
    ("state.a.exists(if, true)", 16, "a word of the language", ""),
    ("state.true == 1", 7, "a word of the language", "[\"true\"]"),
    (
        "timestamp(\"2025-03-24\") == event.recorded_at",
        11,
        "has no zone",
        "",
    ),
    // Types.
    (
        "\"active\"",
        1,
        "this is a text, where true or false is needed",
        "compare it",
    ),
    ("state.a && size(state)", 12, "this is a number", ""),
    (
        "event.actr == \"x\"",
        7,
        "an event has no field `actr`",
        "actor",
    ),
    ("event == 1", 1, "this is a whole event", "event.actor"),
    (
        "event.recorded_at > \"2025-03-24T00:00:00Z\"",
        1,
        "a time is compared with a text",
        "timestamp(",
    ),
    (
        "event.revision == \"3\"",
        1,
        "a number is compared with a text",
        "",
    ),
    (
        "event.revision.startsWith(\"3\")",
        1,
        "this is a number, where a text is needed",
        "",
    ),
    (
        "1 in \"abc\"",
        6,
        "this is a text, where a list or an object is needed",
        "",
    ),
    ("size(event.revision) > 0", 6, "this is a number", ""),
];

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (text, column, message, hint) in MISTAKES.iter().copied() {
        let error = Predicate::parse(text).unwrap_err();
        let words = error.to_string();
        assert!(words.contains(message), "{text}: {words}");
        assert_eq!(error.column, column, "{text}: {words}");
        let found = error.hint.unwrap_or_default();
        assert!(found.contains(hint), "{text}: {found}");
    }
}

#[test]
fn length_depth_and_work_are_bounded() {
    let long = format!("state.a == \"{}\"", "x".repeat(PREDICATE_BYTES_MAX));
    assert!(
        Predicate::parse(&long)
            .unwrap_err()
            .message
            .contains("at most 4096 bytes")
    );
    let parts = ["true"; 400].join(" && ");
    assert!(
        Predicate::parse(&parts).is_ok(),
        "many parts are not many levels"
    );
    for deep in [
        format!("{}true{}", "(".repeat(70), ")".repeat(70)),
        format!("{}true", "!".repeat(70)),
        format!("state{} == 1", ".a".repeat(70)),
        format!("{}1{} == 1", "[".repeat(70), "]".repeat(70)),
        format!("{}true", "true ? true : ".repeat(70)),
    ] {
        let error = Predicate::parse(&deep).unwrap_err();
        assert!(
            error.message.contains("more than 64 levels"),
            "{deep}: {error}"
        );
    }
    let model = merge::model();
    let numbers: Vec<u64> = (0..2_000).collect();
    let large = state(json!({ "a": numbers }));
    let squared = Predicate::parse("state.a.all(x, state.a.exists(y, y == x))").unwrap();
    assert_eq!(
        squared.evaluate(&Scope::new(&model, &large)),
        Err(TooMuchWork)
    );
    // Too much work is not taken for undefined.
    let hidden = Predicate::parse("state.a.all(x, state.a.exists(y, y == x)) || true").unwrap();
    assert_eq!(
        hidden.evaluate(&Scope::new(&model, &large)),
        Err(TooMuchWork)
    );
}

#[test]
fn escapes_are_cels_and_printing_keeps_every_text() {
    let predicate =
        Predicate::parse(r#"state.a == "\n\t\"\\\x41\u00e9\U0001f600\101\?\`""#).unwrap();
    let expected = state(json!({"a": "\n\t\"\\Aé😀A?`"}));
    let model = merge::model();
    assert_eq!(
        predicate.evaluate(&Scope::new(&model, &expected)),
        Ok(Truth::True)
    );
    for text in ["\u{202e}x\u{0}\r", "\\", "\u{e0041}", "'\"`"] {
        let quoted = Predicate::parse(&format!("state.a == {}", print_quoted(text))).unwrap();
        let now = state(json!({ "a": text }));
        assert_eq!(
            quoted.evaluate(&Scope::new(&model, &now)),
            Ok(Truth::True),
            "{text:?}"
        );
    }
}

/// As JSON spells it, which CEL reads the same way.
fn print_quoted(text: &str) -> String {
    Value::from(text).to_string()
}

const PIECES: [&str; 44] = [
    "state",
    "before",
    "event",
    "decision",
    ".a",
    ".actor",
    "[",
    "]",
    "(",
    ")",
    "&&",
    "||",
    "!",
    "==",
    "!=",
    "<",
    ">=",
    " in ",
    "?",
    ":",
    ",",
    "1",
    "-2.5e3",
    "\"a\"",
    "'b",
    "r\"\\",
    "/a/b",
    "/",
    "~",
    "has(",
    "size(",
    "changed(\"/a\")",
    "was(\"/a\")",
    ".exists(x, ",
    ".matches(\"[\")",
    ".matches(\"a+\")",
    "x",
    "null",
    "true",
    "timestamp(\"x\")",
    "é",
    "\u{0}",
    "\\u12",
    " ",
];

proptest! {
    #![proptest_config(crate::seeded::seeded(5_000))]

    #[test]
    fn no_text_panics(pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..12), tail in ".{0,6}") {
        let text = format!("{}{tail}", pieces.concat());
        match Predicate::parse(&text) {
            Err(error) => prop_assert!(error.at <= text.len() && error.column > 0),
            Ok(predicate) => {
                let model = merge::model();
                let now = state(json!({"a": {"b": [1, "a", null]}, "x": 1}));
                let _ = predicate.evaluate(&Scope::new(&model, &now));
                prop_assert_eq!(&Predicate::parse(&predicate.to_string()).unwrap(), &predicate);
            }
        }
    }
}
