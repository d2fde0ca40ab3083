//! The API's description (`OpenAPI` 3.1).
//!
//! Owns what the handlers' annotations do not say: the title, the tags, and, for all operations and schemas by the same rules,
//! the problems that any of them may answer with, what values may be, and that free-form objects are free.

mod constraints;
mod responses;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::ids::{ID_BYTES_MAX, STREAM_NAME_BYTES_MAX};

use crate::limits;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "whodunit",
        description = "Who did it, when, why; what was true then; what would have happened otherwise. \
            Every error is a problem document (RFC 9457) with a stable `code`. Lists are pages: give `next_cursor` back as \
            `cursor`. Times are RFC 3339 with a zone.",
        license(name = "MIT OR Apache-2.0")
    ),
    components(schemas(Problem, Code)),
    tags(
        (name = "write", description = "commands, raw events, import"),
        (name = "browse", description = "what there is"),
        (name = "time travel", description = "what was true then"),
        (name = "what-if", description = "what would have happened otherwise"),
        (name = "queries", description = "read models"),
        (name = "pipeline", description = "outbox, projections, read models, backfill"),
        (name = "models", description = "the rules"),
        (name = "notes", description = "what people write beside the log"),
        (name = "ops", description = "health, export, this description"),
    )
)]
struct Head;

/// The document before the handlers add their paths.
pub(super) fn head() -> Document {
    Head::openapi()
}

/// The document as it is served.
pub(super) fn complete(document: &Document) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let words = document["info"]["description"].as_str().unwrap_or_default();
    document["info"]["description"] = format!("{words}\n\n{}", bounds()).into();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document["info"]["license"]["identifier"] = "MIT OR Apache-2.0".into();
    document["info"]["contact"] = json!({"name": "whodunit"});
    // There is no authentication: every client that can connect may send requests.
    document["security"] = json!([]);
    document["servers"] =
        json!([{"url": "http://127.0.0.1:4780", "description": "the default address"}]);
    document["components"]["schemas"]["ExpectedRevision"] = constraints::expected_revision();
    let schemas = document["components"]["schemas"].clone();
    refer(&mut document["paths"], &schemas);
    for (_, schema) in entries(&mut document["components"]["schemas"]) {
        flatten(schema, &schemas);
        for (_, part) in entries(schema) {
            refer(part, &schemas);
        }
    }
    show(&mut document);
    // Flattened into what used it.
    if let Some(all) = document["components"]["schemas"].as_object_mut() {
        all.shift_remove("Outcome");
    }
    for (path, item) in entries(&mut document["paths"]) {
        for (method, operation) in entries(item) {
            if let Some(operation) = operation.as_object_mut() {
                complete_operation(path, method, operation);
            }
        }
    }
    for (name, schema) in entries(&mut document["components"]["schemas"]) {
        complete_schema(name, schema);
    }
    free_objects(&mut document);
    document
}

/// The members of an object; none for any other value.
fn entries(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flatten()
}

fn complete_operation(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let id = operation["operationId"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for parameter in operation
        .get_mut("parameters")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let (place, name) = (parameter["in"].clone(), parameter["name"].clone());
        let (place, name) = (
            place.as_str().unwrap_or_default(),
            name.as_str().unwrap_or_default(),
        );
        let keywords = constraints::of_parameter(&id, place, name);
        if let (Some(keywords), Some(schema)) = (keywords, parameter["schema"].as_object_mut()) {
            constraints::add(schema, keywords);
        }
    }
    let bodies = operation
        .get_mut("requestBody")
        .map(|body| entries(&mut body["content"]));
    for (media_type, body) in bodies.into_iter().flatten() {
        if let Some(example) = constraints::example_of_body(&id, media_type) {
            body["example"] = example;
        }
    }
    responses::complete(operation);
    if operation.get("description").is_none_or(Value::is_null) {
        let summary = operation["summary"].as_str().unwrap_or_default();
        operation.insert(
            "description".to_owned(),
            format!("{summary} (`{} {path}`)", method.to_uppercase()).into(),
        );
    }
}

fn complete_schema(name: &str, schema: &mut Value) {
    if let (Some(example), Some(schema)) = (constraints::example(name), schema.as_object_mut()) {
        schema.insert("examples".to_owned(), json!([example]));
    }
    let is_request = constraints::REQUESTS.contains(&name);
    let fields = schema.get_mut("properties").map(entries);
    for (field, schema) in fields.into_iter().flatten() {
        let Some(schema) = schema.as_object_mut() else {
            continue;
        };
        if field == "expected_revision" {
            schema.remove("type");
            schema.remove("example");
            let choices =
                json!([{"$ref": "#/components/schemas/ExpectedRevision"}, {"type": "null"}]);
            schema.insert("oneOf".to_owned(), choices);
        } else if let Some(keywords) = constraints::of_field(field).filter(|_| is_request) {
            constraints::add(schema, keywords);
        }
    }
}

/// Puts references in the places of schemas that were written out, so that a generated client has one type for each.
fn refer(value: &mut Value, schemas: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| refer(item, schemas)),
        Value::Object(object) => {
            let is_schema = object.contains_key("properties") || object.contains_key("allOf");
            let same = schemas.as_object().filter(|_| is_schema).and_then(|all| {
                all.iter()
                    .find(|(_, schema)| schema.as_object() == Some(object))
            });
            if let Some((name, _)) = same {
                *value = json!({"$ref": format!("#/components/schemas/{name}")});
                return;
            }
            object
                .iter_mut()
                .for_each(|(_, inner)| refer(inner, schemas));
        }
        _ => {}
    }
}

/// Makes one object of an object that shares its members with alternatives: what only some of them have is optional. Less
/// exact, but generators have no type for the sum of both.
fn flatten(schema: &mut Value, schemas: &Value) {
    let Some(Value::Array(parts)) = schema.get("allOf").cloned() else {
        return;
    };
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in &parts {
        let part = resolved(part, schemas);
        let alternatives = part.get("oneOf").and_then(Value::as_array);
        let alternatives = alternatives.map_or_else(|| vec![part], |all| all.iter().collect());
        for one in &alternatives {
            for (name, member) in one["properties"].as_object().into_iter().flatten() {
                let known = properties
                    .entry(name.clone())
                    .or_insert_with(|| member.clone());
                let more = member["enum"].as_array().cloned().unwrap_or_default();
                if let Some(words) = known.get_mut("enum").and_then(Value::as_array_mut) {
                    words.extend(more);
                    words.dedup();
                }
            }
        }
        let lists = alternatives
            .iter()
            .map(|one| one["required"].as_array().cloned().unwrap_or_default());
        let common =
            lists.reduce(|all, next| all.into_iter().filter(|name| next.contains(name)).collect());
        required.extend(common.unwrap_or_default());
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("allOf");
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), properties.into());
        schema.insert("required".to_owned(), required.into());
    }
}

/// What is shown goes by the name of what it shows: on the wire there is nothing else.
fn show(document: &mut Value) {
    const PREFIX: &str = "Shown_";
    let Some(schemas) = document["components"]["schemas"].as_object_mut() else {
        return;
    };
    let names: Vec<String> = schemas
        .keys()
        .filter(|name| name.contains(PREFIX))
        .cloned()
        .collect();
    for name in names {
        if let Some(mut schema) = schemas.remove(&name) {
            let name = name.replace(PREFIX, "");
            if let Some(plain) = schemas.get(&name) {
                schema["description"] = plain["description"].clone();
            }
            schemas.insert(name, schema);
        }
    }
    schemas.sort_keys();
    rename(document, PREFIX);
}

/// Takes a prefix out of the names in references.
fn rename(value: &mut Value, prefix: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, prefix)),
        Value::Object(object) => {
            if let Some(Value::String(target)) = object.get_mut("$ref") {
                *target = target.replace(prefix, "");
            }
            object
                .iter_mut()
                .for_each(|(_, inner)| rename(inner, prefix));
        }
        _ => {}
    }
}

/// The schema that a reference names.
fn resolved<'a>(schema: &'a Value, schemas: &'a Value) -> &'a Value {
    let name = schema["$ref"]
        .as_str()
        .and_then(|text| text.rsplit('/').next());
    name.and_then(|name| schemas.get(name)).unwrap_or(schema)
}

/// Declares that free-form objects may have any member; some generators read a missing declaration as "none".
fn free_objects(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(free_objects),
        Value::Object(schema) => {
            let is_object = match schema.get("type") {
                Some(Value::String(only)) => only == "object",
                Some(Value::Array(types)) => types.iter().any(|one| one == "object"),
                _ => false,
            };
            let says = ["properties", "additionalProperties"];
            if is_object && !says.iter().any(|keyword| schema.contains_key(*keyword)) {
                schema.insert("additionalProperties".to_owned(), true.into());
            }
            schema.iter_mut().for_each(|(_, inner)| free_objects(inner));
        }
        _ => {}
    }
}

/// The bounds that a caller can meet, from the one place that has them.
fn bounds() -> String {
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    let requests = [
        format!(
            "a request's path and query: {} KiB; its whole head: {} KiB",
            limits::URI_BYTES_MAX >> 10,
            limits::HEAD_BYTES_MAX >> 10
        ),
        format!(
            "a body: {}, complete within {} seconds and at least {} bytes a second; bodies at a time: {}",
            mib(limits::BODY_BYTES_MAX),
            limits::BODY_TIMEOUT.as_secs(),
            limits::BODY_BYTES_PER_SECOND_MIN,
            mib(limits::BODIES_BYTES_MAX)
        ),
        format!(
            "a page: {} items or {} of payload",
            limits::PAGE_ITEMS_MAX,
            mib(limits::PAGE_BYTES_MAX)
        ),
        format!("read for one page: {} entries", limits::SCAN_ENTRIES_MAX),
        format!("a raw append: {} events", limits::APPEND_EVENTS_MAX),
        format!(
            "an event's data, and its metadata: {}, {} levels deep",
            mib(limits::EVENT_BYTES_MAX),
            limits::EVENT_DEPTH_MAX
        ),
        format!(
            "an actor: {} bytes; a reason: {}",
            limits::ACTOR_BYTES_MAX,
            limits::REASON_BYTES_MAX
        ),
        format!("an id: {ID_BYTES_MAX} bytes; a stream's name: {STREAM_NAME_BYTES_MAX}"),
        format!(
            "a what-if: {} recorded events, {} edits, {} actions",
            limits::WHAT_IF_EVENTS_MAX,
            limits::WHAT_IF_EDITS_MAX,
            limits::WHAT_IF_ACTIONS_MAX
        ),
        format!(
            "a line of an import: {}",
            mib(limits::IMPORT_LINE_BYTES_MAX)
        ),
    ];
    let lines = requests.into_iter().chain(bounds_of_answers());
    let lines: Vec<_> = lines.collect();
    format!(
        "Bounds, beyond which there is a problem that names them:\n\n- {}",
        lines.join("\n- ")
    )
}

/// The bounds of what goes on at a time, and of answers.
fn bounds_of_answers() -> impl Iterator<Item = String> {
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    [
        format!(
            "at a time: {} connections, {} requests, {} states, steps, differences and what-ifs (further {} wait), {} live feeds, {} exports, {} backups, {} imports",
            limits::CONNECTIONS_MAX,
            limits::REQUESTS_MAX,
            limits::HEAVY_AT_A_TIME_MAX,
            limits::HEAVY_QUEUE_MAX,
            limits::LIVE_FEEDS_MAX,
            limits::EXPORTS_MAX,
            limits::BACKUPS_MAX,
            limits::IMPORTS_MAX
        ),
        format!(
            "a query: {} filters; it waits for a position {} seconds",
            limits::QUERY_FILTERS_MAX,
            limits::WAIT_MS_MAX / 1_000
        ),
        format!(
            "an answer: {} seconds; a client must take a part of it within {}, and what waits to be taken is {} at most",
            limits::HANDLER_TIMEOUT.as_secs(),
            limits::WRITE_TIMEOUT.as_secs(),
            mib(limits::REPLIES_BYTES_MAX)
        ),
    ]
    .into_iter()
}

/// Serves the document. It does not describe itself.
pub(super) fn route<S: Clone + Send + Sync + 'static>(document: &Document) -> Router<S> {
    let text = complete(document).to_string();
    let handler =
        move || async move { ([(header::CONTENT_TYPE, "application/json")], text.clone()) };
    Router::new().route("/v1/openapi.json", get(handler))
}
