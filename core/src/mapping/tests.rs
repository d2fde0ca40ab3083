//! Mapping files, from text to events.

use serde_json::json;

use super::*;

const MAPPING: &str = r#"
description = "a shop's log"

[defaults]
id = "{/id}"
time = "{/at}"
actor = "{/by | /service | \"unknown\"}"
metadata = { ip = "{/ip}", nested = { gone = "{/gone}" } }

[part.order]
when = { "/kind" = { starts_with = "order." } }
stream = "order-{slug(/order/number)}"
type = "{after(\"order.\", /kind)}"

[[rule]]
name = "tests"
skip = true
when = { "/test" = true }

[[rule]]
name = "refused orders"
use = "order"
when = { "/error" = { exists = true } }
type = "{after(\"order.\", /kind)}Refused"
reason = "{/error/code}: {/error/text}"

[[rule]]
name = "orders"
use = ["order"]
metadata = { ip = "10.0.0.0", n = 1 }
[rule.data]
total = "{/order/total}"
label = "no. {/order/number}"
lines = ["{/order/lines/0}", "{/order/lines/1}", "{/order/lines/2}"]
status = "open"
paid = false
"{/order/key}" = { x = "{null}" }
gone = "{/gone | /also/gone}"

[[rule]]
when = { any = [{ "/kind" = "ping" }, { not = { "/n" = { none_of = [1, 2] } } }] }
stream = "ping-{/host}"
type = "Ping"
"#;

fn mapping() -> Mapping {
    Mapping::parse(MAPPING).unwrap()
}

fn mapped(record: &Value) -> Mapped {
    mapping().apply(record).unwrap().unwrap()
}

#[test]
fn a_record_becomes_an_event_by_the_first_rule_that_takes_it() {
    let record = json!({
        "id": "e1", "at": "2025-03-01T10:00:00+01:00", "service": "shop", "kind": "order.Placed",
        "order": {"number": "A 7/é", "total": 12.50, "lines": [{"sku": 1}, null, "x"], "key": "k1"}
    });
    let got = mapped(&record);
    assert_eq!(got.stream.as_str(), "order-A-7-é");
    assert_eq!(got.rule, 2);
    let event = got.event;
    assert_eq!(event.event_type, "Placed");
    assert_eq!(event.event_id.as_deref(), Some("e1"));
    assert_eq!(
        event.recorded_at.unwrap().to_string(),
        "2025-03-01T09:00:00Z"
    );
    assert_eq!(event.actor.as_deref(), Some("shop"));
    assert_eq!(event.reason, None);
    assert_eq!(
        event.data.as_str(),
        r#"{"total":12.5,"label":"no. A 7/é","lines":[{"sku":1},"x"],"status":"open","paid":false,"k1":{"x":null}}"#
    );
    assert_eq!(
        event.metadata.unwrap().as_str(),
        r#"{"ip":"10.0.0.0","n":1}"#
    );
}

#[test]
fn a_later_part_or_the_rule_itself_overrides_and_conditions_add_up() {
    let record =
        json!({"kind": "order.Placed", "error": {"code": 4, "text": "no"}, "order": {"number": 1}});
    let got = mapped(&record);
    assert_eq!(
        (got.rule, got.event.event_type.as_str()),
        (1, "PlacedRefused")
    );
    assert_eq!(got.event.reason.as_deref(), Some("4: no"));
    assert_eq!(got.event.actor.as_deref(), Some("unknown"));
    assert_eq!(got.event.data.as_str(), "{}");
    assert_eq!(got.event.metadata, None);
}

#[test]
fn records_that_no_rule_takes_are_skipped() {
    for record in [
        json!({"test": true, "kind": "order.Placed"}),
        json!({"kind": "stock.Moved"}),
        json!({"n": 3}),
        json!("text"),
        json!(null),
    ] {
        assert_eq!(mapping().apply(&record), Ok(None), "{record}");
    }
    assert_eq!(mapped(&json!({"kind": "ping", "host": "a"})).rule, 3);
    // A condition on an absent value does not hold, so its negation does.
    assert!(
        mapping()
            .apply(&json!({"n": 2.0, "host": "a"}))
            .unwrap()
            .is_some()
    );
    assert_eq!(
        mapping().rules().collect::<Vec<_>>(),
        ["tests", "refused orders", "orders", "rule 4"]
    );
}

#[test]
fn what_an_event_cannot_be_without_is_an_error_that_names_the_rule() {
    let cases = [
        (
            json!({"kind": "order.Placed"}),
            "rule \"orders\": `stream` has no value: the record has nothing at /order/number",
        ),
        (
            json!({"kind": "ping", "host": "a b"}),
            "rule \"rule 4\": `stream` is `ping-a b`, which contains ' ', which is not allowed",
        ),
        (
            json!({"kind": "ping", "host": "a", "at": "yesterday"}),
            "rule \"rule 4\": `time`: `yesterday` is not a time; write it like `2025-03-24T15:47:23Z`",
        ),
        (
            json!({"kind": "ping", "host": "a", "id": "x\u{1b}"}),
            "rule \"rule 4\": `id` contains '\\u{1b}', which is not allowed",
        ),
        (
            json!({"kind": "order.", "order": {"number": 1}}),
            "rule \"orders\": `type` is empty",
        ),
    ];
    for (record, expected) in cases {
        assert_eq!(mapping().apply(&record).unwrap_err(), expected, "{record}");
    }
}

fn check_mistake(text: &str, expected: &str) {
    let error = Mapping::parse(text).unwrap_err().to_string();
    assert!(
        error.starts_with(expected),
        "{text}\n  {error}\n  {expected}"
    );
}

#[test]
fn mistakes_in_a_mapping_are_refused_with_their_line() {
    check_mistake("x = ", "line 1: ");
    check_mistake("", "line 1: a mapping needs at least one `[[rule]]`");
    check_mistake("[[rules]]\n", "line 1: `rules` is no key of a mapping");
    check_mistake(
        "\n[[rule]]\nstream = \"a-b\"\n",
        "line 2: rule \"rule 1\": has no `type`",
    );
    check_mistake(
        "[[rule]]\n[part.p]\nskip = true",
        "line 1: rule \"rule 1\": has no `stream`",
    );
    check_mistake(
        "[[rule]]\nskip = true\n[part.p]\nskip = true",
        "line 4: part \"p\": `skip` is no key of it",
    );
}

#[test]
fn mistakes_in_a_rule_are_refused_with_line_and_field() {
    let cases = [
        ("corelation = \"x\"", ": `corelation` is no key of it"),
        ("actor = 3", " / actor: must be a text, not integer"),
        ("actor = \"{/a\"", " / actor: a placeholder without its `}`"),
        ("actor = \"a}\"", " / actor: a `}` without `{`"),
        (
            "actor = \"{a}\"",
            " / actor: a placeholder holds JSON Pointers",
        ),
        (
            "actor = \"{lowr(/a)}\"",
            " / actor: there is no function `lowr`",
        ),
        (
            "actor = \"{/a~2}\"",
            " / actor: `/a~2` is not a JSON Pointer",
        ),
        (
            "when = { kind = 1 }",
            " / when / kind: a condition is about",
        ),
        (
            "when = { \"/k\" = { is = 1 } }",
            " / when / /k / is: `is` is no test",
        ),
        (
            "when = { \"/k\" = [1] }",
            " / when / /k: must be a text, number or boolean",
        ),
        (
            "data = { a = { b = \"{\" } }",
            " / data / a / b: a placeholder holds",
        ),
        ("use = \"p\"", ": uses `p`, but there is no `[part.p]`"),
        (
            "metadata = { a = nan }",
            " / metadata / a: is not a number that JSON can hold",
        ),
    ];
    for (line, expected) in cases {
        check_mistake(
            &format!("[[rule]]\nstream = \"a-{{/b}}\"\ntype = \"T\"\n{line}"),
            &format!("line 4: rule \"rule 1\"{expected}"),
        );
    }
}

#[test]
fn functions_of_values() {
    let record = json!({
        "arn": "arn:aws:iam::1:user/path/Bert", "queue": "arn:aws:sqs:eu:1:jobs", "doc": "{\"a\":[1]}", "n": 1_688_991_036,
        "ms": 1_688_991_036_782_i64, "f": 1_688_991_036.25, "s": "1688991036.5", "e": "", "o": {"b": 1}, "a|b": "pipe"
    });
    let cases = [
        ("{last(/arn)}", json!("Bert")),
        ("{lower(last(/arn))}", json!("bert")),
        ("{upper(last(/queue))}!", json!("JOBS!")),
        ("{json(/doc)}", json!({"a": [1]})),
        ("{json(/arn) | text(/o)}", json!("{\"b\":1}")),
        ("{seconds(/n)}", json!("2023-07-10T12:10:36Z")),
        ("{millis(/ms)}", json!("2023-07-10T12:10:36.782Z")),
        ("{seconds(/f)}", json!("2023-07-10T12:10:36.250Z")),
        ("{seconds(/s)}", json!("2023-07-10T12:10:36.500Z")),
        ("{seconds(/arn) | \"never\"}", json!("never")),
        ("{after(\"user/\", /arn)}", json!("path/Bert")),
        ("{before(\":\", /arn)}", json!("arn")),
        ("{after(\"nope\", /arn) | /n}", json!(1_688_991_036)),
        ("{'/a|b'} {{x}} {/n}", json!("pipe {x} 1688991036")),
        ("{/e}", json!("")),
        ("", json!("")),
        ("{slug(\" /a//b?c \")}", json!("a-b-c")),
    ];
    for (template, expected) in cases {
        let template = Template::parse(template).unwrap();
        assert_eq!(template.value(&record), Some(expected), "{template:?}");
    }
    let nested = format!("{{{}/a{}}}", "lower(".repeat(99), ")".repeat(99));
    assert!(Template::parse(&nested).unwrap_err().contains("deeper"));
}
