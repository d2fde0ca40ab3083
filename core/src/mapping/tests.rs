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

fn event_of(mapping: &Mapping, record: &Value) -> Mapped {
    match mapping.apply(record).unwrap() {
        Applied::Mapped(mapped) => *mapped,
        other => panic!("{record}: {other:?}"),
    }
}

fn mapped(record: &Value) -> Mapped {
    event_of(&mapping(), record)
}

/// A mapping of one rule, for the stream `a-1`.
fn rule(lines: &str) -> Mapping {
    let text = format!("[[rule]]\nname = \"r\"\nstream = \"a-1\"\ntype = \"T\"\n{lines}");
    Mapping::parse(&text).unwrap_or_else(|error| panic!("{lines}: {error}"))
}

fn why(mapping: &Mapping, record: &Value) -> String {
    mapping.apply(record).unwrap_err().to_string()
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
    let record = json!({"id": 1, "at": "2025-01-01T00:00:00Z", "kind": "order.Placed",
        "error": {"code": 4, "text": "no"}, "order": {"number": 1}});
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
    let test = json!({"test": true, "kind": "order.Placed"});
    assert_eq!(mapping().apply(&test), Ok(Applied::Skipped(0)));
    for record in [
        json!({"kind": "stock.Moved"}),
        json!({"n": 3}),
        json!("text"),
        json!(null),
    ] {
        assert_eq!(mapping().apply(&record), Ok(Applied::Unmatched), "{record}");
    }
    let at = "2025-01-01T00:00:00Z";
    let ping = json!({"id": 1, "at": at, "kind": "ping", "host": "a"});
    assert_eq!(mapped(&ping).rule, 3);
    // A condition on an absent value does not hold, so its negation does.
    let number = json!({"id": 1, "at": at, "n": 2.0, "host": "a"});
    assert_eq!(mapped(&number).rule, 3);
    assert_eq!(
        mapping().rules().collect::<Vec<_>>(),
        ["tests", "refused orders", "orders", "rule 4"]
    );
}

#[test]
fn what_an_event_cannot_be_without_is_an_error_that_names_the_rule() {
    let at = "2025-01-01T00:00:00Z";
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
            json!({"kind": "ping", "host": ""}),
            "rule \"rule 4\": `stream` has no value: the record has nothing at /host",
        ),
        (
            json!({"kind": "ping", "host": {"o": 1}}),
            "rule \"rule 4\": `stream`: `{\"o\":1}` is not a text; name the part of it that is meant, or write `text(…)` for all of it",
        ),
        (
            json!({"kind": "ping", "host": "a", "at": "yesterday"}),
            "rule \"rule 4\": `time`: `yesterday` is not a time; write it like `2025-03-24T15:47:23Z`",
        ),
        (
            json!({"kind": "ping", "host": "a"}),
            "rule \"rule 4\": `time` has no value: the record has nothing at /at; where a record may go without one, add \
             `| null`, and it gets the import's time",
        ),
        (
            json!({"kind": "ping", "host": "a", "at": at, "id": ""}),
            "rule \"rule 4\": `id` has no value: the record has nothing at /id; where a record may go without one, add \
             `| null`: importing it again then adds it again",
        ),
        (
            json!({"kind": "ping", "host": "a", "at": at, "id": "x\u{1b}"}),
            "rule \"rule 4\": `id` contains '\\u{1b}', which is not allowed",
        ),
        (
            json!({"kind": "order.", "order": {"number": 1}}),
            "rule \"orders\": `type` has no value: the record has nothing at /kind",
        ),
    ];
    for (record, expected) in cases {
        assert_eq!(why(&mapping(), &record), expected, "{record}");
    }
}

#[test]
fn a_value_that_no_alternative_can_use_is_an_error_with_the_value() {
    let long = "x".repeat(1_000);
    let cases = [
        (
            "time = \"{seconds(/t)}\"",
            json!({"t": "1,700,000"}),
            "`time`: `seconds` cannot use `1,700,000`",
        ),
        (
            "time = \"{millis(/t)}\"",
            json!({"t": 1_736_900_000_123_456_u64}),
            "`time`: `millis` of `1736900000123456`: it would be outside the years 1 to 9999",
        ),
        (
            "time = \"{millis(/t)}\"",
            json!({"t": {"$date": 7}}),
            "`time`: `millis` cannot use `{\"$date\":7}`",
        ),
        (
            "time = \"{millis(/t) | seconds(/u)}\"",
            json!({"t": true}),
            "`time`: `millis` cannot use `true`",
        ),
        (
            "time = \"{/t}\"",
            json!({"t": 1_700_000_000}),
            "`time`: `1700000000` is a count, not a time; in a mapping write `{seconds(…)}`",
        ),
        (
            "actor = '{after(\"/\", /by)}'",
            json!({"by": "ann"}),
            "`actor`: `after` cannot use `ann`",
        ),
        (
            "actor = \"{/by}\"",
            json!({"by": ["ann"]}),
            "`actor`: `[\"ann\"]` is not a text",
        ),
        (
            "reason = \"{json(/r)}\"",
            json!({"r": long}),
            "`reason`: `json` cannot use `xxxxxxxxx",
        ),
        (
            "data = { a = { b = \"{json(/r)}\" } }",
            json!({"r": "{"}),
            "`data / a / b`: `json` cannot use `{`",
        ),
        (
            "data = { a = \"{json(/r)}\" }",
            json!({"r": r#"{"a":1,"a":2}"#}),
            "`data / a`: `json` cannot use",
        ),
        (
            "data = { \"{/k}\" = 1 }",
            json!({"k": ["p"]}),
            "`data / {/k}`: `[\"p\"]` is not a text",
        ),
    ];
    for (lines, record, expected) in cases {
        let said = why(&rule(lines), &record);
        assert!(
            said.starts_with(&format!("rule \"r\": {expected}")),
            "{said}"
        );
        assert!(said.len() < 250, "{said}");
    }
}

#[test]
fn a_value_that_another_alternative_can_do_without_is_no_error() {
    let mapping =
        rule("actor = '{after(\"/\", /by) | \"nobody\"}'\ntime = \"{seconds(/t) | /at | null}\"");
    let record = json!({"by": "ann", "t": "x", "at": "2025-01-01T00:00:00Z"});
    let got = event_of(&mapping, &record);
    assert_eq!(got.event.actor.as_deref(), Some("nobody"));
    assert!(got.event.recorded_at.is_some());
    assert_eq!(event_of(&mapping, &json!({})).event.recorded_at, None);
}

#[test]
fn an_empty_text_is_absent_so_the_next_alternative_applies() {
    let mapping = rule(
        "actor = '{/who | /group | \"unknown\"}'\nreason = \"{/why}\"\n\
         data = { amount = \"{json(/amount)}\", note = \"{/note}\", both = \"{/note | /why | /who}\", \"{/k}\" = 1 }",
    );
    let record = json!({"who": "", "group": "desk", "why": "", "amount": "", "note": "", "k": ""});
    let event = event_of(&mapping, &record).event;
    assert_eq!((event.actor.as_deref(), event.reason), (Some("desk"), None));
    // Data keeps an emptied field: that it is empty is what the record says.
    assert_eq!(event.data.as_str(), r#"{"note":"","both":"","":1}"#);
    let event = event_of(&mapping, &json!({"who": "", "group": ""})).event;
    assert_eq!(event.actor.as_deref(), Some("unknown"));
}

#[test]
fn numbers_keep_their_digits_in_data_texts_and_ids() {
    let record = super::record(
        br#"{"wei":12345678901234567890123,"rate":0.1234567890123456789,"price":19.90,"doc":"[1.50,1e+400]"}"#,
    );
    let mapping = rule(
        "id = \"{/wei}\"\ndata = { wei = \"{/wei}\", rate = \"{/rate}\", price = \"{/price}\", text = \"{text(/wei)}\", \
         doc = \"{json(/doc)}\" }",
    );
    let event = event_of(&mapping, &record.unwrap()).event;
    assert_eq!(event.event_id.as_deref(), Some("12345678901234567890123"));
    assert_eq!(
        event.data.as_str(),
        r#"{"wei":12345678901234567890123,"rate":0.1234567890123456789,"price":19.90,"text":"12345678901234567890123","doc":[1.50,1e+400]}"#
    );
}

#[test]
fn what_is_made_of_a_record_is_bounded_while_it_is_made() {
    let fields = (0..300).map(|n| format!("f{n} = \"{{/v}}\"\n"));
    let mapping = rule(&format!("[rule.data]\n{}", fields.collect::<String>()));
    let said = why(&mapping, &json!({"v": "x".repeat(100_000)}));
    assert!(
        said.contains("would make more of this record than"),
        "{said}"
    );
    let small = json!({"v": "x".repeat(1_000)});
    assert!(event_of(&mapping, &small).event.data.as_str().len() > 300_000);
    // Small values in great numbers cost as well.
    let said = why(&mapping, &json!({"v": vec![0; 10_000]}));
    assert!(
        said.contains("would make more of this record than"),
        "{said}"
    );
    let text = format!("[{}0]", "0,".repeat(VALUES_MAX));
    let many = super::record(text.as_bytes());
    assert_eq!(many, Err(RecordError::TooManyValues(VALUES_MAX + 2)));
    let inner = rule("data = { a = \"{json(/v)}\" }");
    let said = why(&inner, &json!({"v": text}));
    assert!(
        said.contains("would make more of this record than"),
        "{said}"
    );
}

#[test]
fn elements_of_lists_that_a_rule_leaves_out_are_told() {
    let mapping = rule(
        "data = { a = \"{/events/0/type}\", b = \"{/events/2/type}\", c = \"{/tags/0}\", tags = \"{/tags}\", \
         d = \"{/x/0/y/1}\" }",
    );
    let lists: Vec<_> = mapping.lists(0).collect();
    assert_eq!(lists, ["/events", "/x", "/x/0/y"]);
    let record = json!({"events": [{}, {}, {}, {}], "tags": [1, 2], "x": [{"y": [1]}]});
    assert_eq!(event_of(&mapping, &record).dropped, [(0, 2), (2, 1)]);
    assert_eq!(event_of(&mapping, &json!({"events": [{}]})).dropped, []);
}

#[test]
fn functions_of_values() {
    let record = json!({
        "arn": "arn:aws:iam::1:user/path/Bert", "queue": "arn:aws:sqs:eu:1:jobs", "doc": "{\"a\":[1]}", "n": 1_688_991_036,
        "ms": 1_688_991_036_782_i64, "f": 1_688_991_036.25, "s": "1688991036.5", "e": "", "o": {"b": 1}, "a|b": "pipe",
        "exp": "1.7e9", "neg": -1_000_000_000.871, "fine": "1700000000.1234567", "half": " 1700000000123.5 "
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
        ("{/e | /n}", json!(1_688_991_036)),
        ("a{/e}b", json!("ab")),
        ("{seconds(/exp)}", json!("2023-11-14T22:13:20Z")),
        ("{seconds(/neg)}", json!("1938-04-24T22:13:19.129Z")),
        ("{seconds(/fine)}", json!("2023-11-14T22:13:20.1234567Z")),
        ("{millis(/half)}", json!("2023-11-14T22:13:20.123500Z")),
        ("", json!("")),
        ("{slug(\" /a//b?c \")}", json!("a-b-c")),
    ];
    for (template, expected) in cases {
        let template = Template::parse(template).unwrap();
        let value = template.value(&record, &mut Budget::default());
        assert_eq!(value, Ok(Some(expected)), "{template:?}");
    }
    let nested = format!("{{{}/a{}}}", "lower(".repeat(99), ")".repeat(99));
    assert!(Template::parse(&nested).unwrap_err().contains("deeper"));
}
