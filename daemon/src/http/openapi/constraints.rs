//! Constraints in the `OpenAPI` document: patterns, lengths, bounds, examples.
//!
//! Owns the table from names of parameters and fields to what JSON Schema can say of them. JSON Schema counts characters,
//! the daemon bytes: a text within both is taken.

use serde_json::{Map, Value, json};
use whodunit_core::ids::{ID_BYTES_MAX, STREAM_NAME_BYTES_MAX};
use whodunit_core::query::QUERY_BYTES_MAX;

use crate::limits;

/// Characters that no name or id has: controls, and those that cannot be seen or turn the text around.
const UNSAFE: &str = r"\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb";
/// White space beyond them.
const SPACE: &str = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000";

fn stream() -> Value {
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": STREAM_NAME_BYTES_MAX,
        "pattern": format!("^[^-{UNSAFE}{SPACE}?#]+(-[^{UNSAFE}{SPACE}?#]+)?$"),
        "examples": ["user-42"],
    })
}

fn id() -> Value {
    json!({"minLength": 1, "maxLength": ID_BYTES_MAX, "pattern": format!("^[^{UNSAFE}]+$")})
}

/// What is true of a parameter of this name.
pub(super) fn of_parameter(operation: &str, place: &str, name: &str) -> Option<Value> {
    Some(match (place, name) {
        ("path" | "query", "stream") => stream(),
        ("path", "event_id") => json!({"minLength": 1, "examples": ["order-1-placed"]}),
        ("path", "key") => json!({"minLength": 1, "examples": ["user-42"]}),
        ("path", "name") => json!({"minLength": 1, "examples": ["users"]}),
        ("path", "category") => json!({"minLength": 1, "examples": ["user"]}),
        ("path", "id") => json!({"examples": [1]}),
        ("query", "q") => {
            json!({"maxLength": QUERY_BYTES_MAX, "examples": ["type:UserDeleted actor:job:*"]})
        }
        ("query", "zone") => {
            json!({"pattern": r"^([Zz]|UTC|[+-][0-9]{2}:?([0-9]{2})?)$", "examples": ["+02:00"]})
        }
        ("query", "top") => json!({
            "minimum": 1, "maximum": limits::FACET_VALUES_NAMED_MAX, "default": limits::FACET_VALUES_DEFAULT,
        }),
        ("query", "limit") if operation == "what_differs" => json!({
            "minimum": 1, "maximum": limits::DIFFERENCES_MAX, "default": limits::DIFFERENCES_DEFAULT,
        }),
        ("query", "limit") => json!({
            "minimum": 1, "maximum": limits::PAGE_ITEMS_MAX, "default": limits::PAGE_ITEMS_DEFAULT,
        }),
        ("query", "buckets") => json!({
            "minimum": 1, "maximum": limits::DENSITY_BUCKETS_MAX, "default": limits::DENSITY_BUCKETS_DEFAULT,
        }),
        ("query", "wait_ms") => json!({"minimum": 0, "maximum": limits::WAIT_MS_MAX}),
        ("query", "filter") => json!({"maxItems": limits::QUERY_FILTERS_MAX}),
        ("query", "cursor") => json!({"minLength": 1, "pattern": cursor(operation)}),
        ("header", "x-request-id") => {
            json!({"minLength": 1, "maxLength": limits::REQUEST_ID_BYTES_MAX, "pattern": "^[!-~]+$"})
        }
        ("header", "traceparent") => {
            json!({"pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"})
        }
        ("query", "after") | ("header", "Last-Event-ID") => {
            json!({"pattern": r"^[0-9]+(\.[0-9]+(\.[0-9a-f]{16})?)?$", "examples": ["1042.17.9f86d081884c7d65"]})
        }
        _ => return None,
    })
}

/// The form of an operation's cursors.
fn cursor(operation: &str) -> &'static str {
    match operation {
        "list_streams" => "^(n.+|r[0-9]+)$",
        "query_read_model" => "^[fb][a-z_]+:([0-9a-f][0-9a-f])*:.+$",
        "run_what_if" => r"^[0-9]+\.[0-9a-f]{16}$",
        _ => "^[fb][0-9]+$",
    }
}

/// What is true of a field of this name in a request's body.
pub(super) fn of_field(name: &str) -> Option<Value> {
    Some(match name {
        "stream" => stream(),
        "event_id" | "command_id" | "correlation_id" | "causation_id" => id(),
        "type" | "event_type" => json!({"minLength": 1, "maxLength": ID_BYTES_MAX}),
        "actor" => json!({"maxLength": limits::ACTOR_BYTES_MAX}),
        "reason" => json!({"maxLength": limits::REASON_BYTES_MAX}),
        "schema_version" => json!({"minimum": 1}),
        "events" => json!({"minItems": 1, "maxItems": limits::APPEND_EVENTS_MAX}),
        "edits" => json!({"maxItems": limits::WHAT_IF_EDITS_MAX}),
        "do" => json!({"maxItems": limits::WHAT_IF_ACTIONS_MAX}),
        "handlers" => json!({"minItems": 1}),
        _ => return None,
    })
}

/// The schemas of bodies, and what they are made of.
pub(super) const REQUESTS: [&str; 16] = [
    "AppendIn",
    "BackfillIn",
    "ChangeEdit",
    "CommandIn",
    "DropCommandEdit",
    "DropEdit",
    "InsertCommandEdit",
    "InsertEdit",
    "MoveCommandEdit",
    "MoveEdit",
    "NewEvent",
    "ReplaceCommandEdit",
    "ReplaceEdit",
    "WhatIfBase",
    "WhatIfCommand",
    "WhatIfIn",
];

/// Adds keywords to a schema; where it is of a value that may also be `null`, they hold for the value.
pub(super) fn add(schema: &mut Map<String, Value>, keywords: Value) {
    if let Value::Object(keywords) = keywords {
        for (keyword, value) in keywords {
            if keyword == "type" && schema.contains_key("type") {
                continue;
            }
            schema.insert(keyword, value);
        }
    }
}

/// What the stream's head must be: a word, or a revision.
pub(super) fn expected_revision() -> Value {
    json!({
        "description": "What the stream's head must be: `any`, `no_stream`, `stream_exists`, or the exact revision.",
        "oneOf": [
            {"type": "string", "enum": ["any", "no_stream", "stream_exists"]},
            {"type": "integer", "format": "int64", "minimum": 0},
        ],
        "examples": ["any", 7],
    })
}

/// Examples of bodies.
pub(super) fn example(schema: &str) -> Option<Value> {
    Some(match schema {
        "CommandIn" => json!({
            "type": "SuspendUser", "payload": {}, "actor": "ops:maria", "reason": "chargeback",
            "expected_revision": "any",
        }),
        "AppendIn" => json!({
            "expected_revision": "any",
            "events": [{"event_type": "OrderPlaced", "data": {"total": 12.5}, "actor": "shop"}],
        }),
        "WhatIfIn" => json!({
            "stream": "user-42", "at_revision": 2,
            "do": [{"command": {"type": "ReactivateUser", "actor": "ops:maria"}}],
        }),
        "BackfillIn" => json!({
            "handlers": ["send_welcome_email"], "since": "2025-03-20T00:00:00Z", "dry_run": true,
        }),
        _ => return None,
    })
}

/// Examples of bodies that are no JSON.
pub(super) fn example_of_body(operation: &str, media_type: &str) -> Option<Value> {
    const RECORD: &str = "{\"id\":\"17\",\"what\":\"Paid\",\"total\":12.5}\n";
    const MAPPING: &str =
        "[[rule]]\nstream = \"order-{/id}\"\ntype = \"{/what}\"\ndata = { total = \"{/total}\" }\n";
    match (operation, media_type) {
        ("import_events", "application/x-ndjson") => Some(json!(
            "{\"stream\":\"order-17\",\"event_type\":\"OrderPlaced\",\"data\":{\"total\":12.5}}\n"
        )),
        ("import_events", "multipart/form-data") => {
            Some(json!({"mapping": MAPPING, "records": RECORD}))
        }
        _ => None,
    }
}
