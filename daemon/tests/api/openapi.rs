//! The API's description: checked in, complete, true.

use axum::body::Body;
use serde_json::Value;

use crate::support::{Api, request};

/// Every route there is.
const ROUTES: [(&str, &str); 71] = [
    ("post", "/v1/backtest"),
    ("post", "/v1/bundle"),
    ("post", "/v1/inevitable"),
    ("post", "/v1/minimal"),
    ("post", "/v1/undo"),
    ("get", "/metrics"),
    ("get", "/v1/backfill"),
    ("post", "/v1/bisect"),
    ("post", "/v1/backfill"),
    ("post", "/v1/backup"),
    ("delete", "/v1/backfill/{id}"),
    ("get", "/v1/backfill/{id}"),
    ("get", "/v1/outbox"),
    ("post", "/v1/outbox/retry"),
    ("get", "/v1/outbox/{id}"),
    ("post", "/v1/outbox/{id}/retry"),
    ("get", "/v1/categories"),
    ("get", "/v1/decisions"),
    ("get", "/v1/density"),
    ("get", "/v1/events"),
    ("get", "/v1/events/{event_id}"),
    ("get", "/v1/events/{event_id}/causes"),
    ("get", "/v1/correlations/{correlation_id}"),
    ("get", "/v1/correlations/{correlation_id}/streams"),
    ("get", "/v1/export"),
    ("get", "/v1/find/summary"),
    ("get", "/v1/what-differs"),
    ("get", "/v1/health"),
    ("post", "/v1/import"),
    ("get", "/v1/live"),
    ("get", "/v1/models"),
    ("get", "/v1/names"),
    ("get", "/v1/notes"),
    ("post", "/v1/notes"),
    ("delete", "/v1/notes/{note_id}"),
    ("get", "/v1/models/{category}"),
    ("get", "/v1/projections"),
    ("get", "/v1/projections/{name}"),
    ("post", "/v1/projections/{name}/check"),
    ("post", "/v1/projections/{name}/rebuild"),
    ("delete", "/v1/projections/{name}/rebuild"),
    ("get", "/v1/read-models"),
    ("get", "/v1/read-models/{name}"),
    ("get", "/v1/read-models/{name}/{key}"),
    ("get", "/v1/ready"),
    ("get", "/v1/streams"),
    ("get", "/v1/streams/{stream}"),
    ("post", "/v1/streams/{stream}/commands"),
    ("get", "/v1/streams/{stream}/blame"),
    ("get", "/v1/streams/{stream}/density"),
    ("get", "/v1/streams/{stream}/diff"),
    ("get", "/v1/streams/{stream}/events"),
    ("post", "/v1/streams/{stream}/events"),
    ("get", "/v1/streams/{stream}/field"),
    ("get", "/v1/streams/{stream}/state"),
    ("get", "/v1/streams/{stream}/steps"),
    ("get", "/v1/streams/{stream}/why"),
    ("post", "/v1/verify"),
    ("post", "/v1/what-if"),
    ("get", "/v1/world"),
    ("get", "/v1/world/diff"),
    ("get", "/v1/openapi.json"),
    ("get", "/v1/branches"),
    ("post", "/v1/branches"),
    ("post", "/v1/branches/import"),
    ("get", "/v1/branches/{name}"),
    ("put", "/v1/branches/{name}"),
    ("patch", "/v1/branches/{name}"),
    ("delete", "/v1/branches/{name}"),
    ("get", "/v1/branches/{name}/export"),
    ("get", "/v1/branches/{name}/compare"),
];

fn document() -> Value {
    whodunit_daemon::http::openapi()
}

#[tokio::test]
async fn the_checked_in_document_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let current = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == current,
        "docs/openapi.json is out of date; run `UPDATE_OPENAPI=1 cargo test -p whodunit-daemon --test api openapi`"
    );
    assert_eq!(Api::start().get("/v1/openapi.json").await.ok(), document());
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    let document = document();
    let mut described = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "post", "put", "patch", "delete"].contains(&key.as_str()))
        {
            described.push((method.clone(), path.clone()));
        }
    }
    described.push(("get".to_owned(), "/v1/openapi.json".to_owned()));
    let mut routes: Vec<_> = ROUTES
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    routes.sort();
    described.sort();
    assert_eq!(described, routes);
    let api = Api::start();
    for (method, path) in ROUTES {
        let path = path
            .replace("{stream}", "door-1")
            .replace("{event_id}", "e")
            .replace("{correlation_id}", "c")
            .replace("{id}", "1")
            .replace("{note_id}", "n-1")
            .replace("{category}", "user")
            .replace("{name}", "users")
            .replace("{key}", "user-1");
        if path == "/v1/live" {
            continue;
        }
        let reply = api
            .send(
                request(&method.to_uppercase(), &path)
                    .body(Body::empty())
                    .unwrap(),
            )
            .await;
        assert!(
            ![405, 500].contains(&reply.status),
            "{method} {path}: {}",
            reply.text
        );
        let missing = reply.status == 404 && reply.text.contains("no_such_path");
        assert!(!missing, "{method} {path}");
    }
}

#[test]
fn every_parameter_and_schema_has_words() {
    let document = document();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            assert!(operation["summary"].is_string(), "{path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{path}: {parameter}");
            }
        }
    }
    for name in [
        "Event",
        "Decision",
        "Problem",
        "Code",
        "StateOut",
        "WhatIfIn",
        "WhatIfOut",
        "CommandIn",
    ] {
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name}"
        );
    }
}

/// Calls `each` with every object of the document and where it is.
fn walk(value: &Value, place: &str, each: &mut dyn FnMut(&str, &serde_json::Map<String, Value>)) {
    match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, item)| walk(item, &format!("{place}/{index}"), each)),
        Value::Object(object) => {
            each(place, object);
            for (key, inner) in object {
                walk(inner, &format!("{place}/{}", key.replace('/', "~1")), each);
            }
        }
        _ => {}
    }
}

#[test]
fn the_document_is_valid_and_says_enough_for_generators() {
    let document = document();
    let mut faults = Vec::new();
    walk(&document, "", &mut |place, object| {
        if let Some(Value::String(target)) = object.get("$ref") {
            let pointer = target.trim_start_matches('#');
            if document.pointer(pointer).is_none() {
                faults.push(format!("{place}: {target} is nowhere"));
            }
        }
        let is_free = !["properties", "additionalProperties"]
            .iter()
            .any(|key| object.contains_key(*key));
        if object.get("type") == Some(&"object".into()) && is_free {
            faults.push(format!("{place}: a free-form object does not say so"));
        }
        if let (Some(Value::Object(fields)), Some(Value::Array(required))) =
            (object.get("properties"), object.get("required"))
        {
            for name in required {
                if !fields.contains_key(name.as_str().unwrap()) {
                    faults.push(format!("{place}: requires {name}, which it does not have"));
                }
            }
        }
    });
    let mut ids = std::collections::HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let id = operation["operationId"].as_str().unwrap();
            if !ids.insert(id) {
                faults.push(format!("{place}: `{id}` is the id of another operation"));
            }
            let in_path = |parameter: &&Value| parameter["in"] == "path";
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let named: Vec<_> = parameters
                .filter(in_path)
                .map(|one| one["name"].as_str().unwrap())
                .collect();
            let wanted: Vec<_> = path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            if named != wanted {
                faults.push(format!("{place}: parameters {named:?} for {wanted:?}"));
            }
            for (status, response) in operation["responses"].as_object().unwrap() {
                if response["description"].as_str().is_none_or(str::is_empty) {
                    faults.push(format!("{place} {status}: no description"));
                }
                let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
                let is_problem = *problem == "#/components/schemas/Problem";
                if status.starts_with(['4', '5']) && !is_problem && path != "/v1/ready" {
                    faults.push(format!("{place} {status}: no problem document"));
                }
            }
            for status in ["400", "403", "421", "500", "503"] {
                if operation["responses"].get(status).is_none() {
                    faults.push(format!("{place}: {status} is missing"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let command = &document["components"]["schemas"]["CommandIn"]["properties"];
    assert_eq!(
        command["expected_revision"]["oneOf"][0]["$ref"],
        "#/components/schemas/ExpectedRevision"
    );
    assert_eq!(command["command_id"]["maxLength"], 200);
}

/// Refusals that every operation documents are what the daemon gives.
#[tokio::test]
async fn documented_refusals_are_given() {
    let document = document();
    let api = Api::start();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = path
                .replace("{stream}", "door-1")
                .replace("{event_id}", "e")
                .replace("{id}", "1")
                .replace("{category}", "user")
                .replace("{name}", "users")
                .replace("{key}", "user-1");
            let ask = |query: &str, header: (&'static str, &'static str)| {
                let request = request(&method.to_uppercase(), &format!("{place}{query}"));
                api.send(
                    request
                        .header(header.0, header.1)
                        .body(Body::empty())
                        .unwrap(),
                )
            };
            let foreign = ask("", ("origin", "https://evil.example")).await;
            foreign.problem(403, "foreign_origin");
            let replies = [
                ask("?no_such_parameter=1", ("accept", "*/*")).await,
                ask(
                    "?limit=0&from=x&from_position=x&as_of=x&reveal=x",
                    ("accept", "*/*"),
                )
                .await,
            ];
            for reply in replies {
                let documented = operation["responses"].get(reply.status.to_string());
                assert!(
                    documented.is_some(),
                    "{method} {path}: {} is not documented: {}",
                    reply.status,
                    reply.text
                );
                let is_known = (400..500).contains(&reply.status);
                assert!(
                    is_known,
                    "{method} {path}: an unknown parameter got {}",
                    reply.status
                );
            }
        }
    }
}
