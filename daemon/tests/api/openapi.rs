//! The API's description: checked in, complete, true.

use axum::body::Body;
use serde_json::Value;

use crate::support::{Api, request};

/// Every route there is.
const ROUTES: [(&str, &str); 40] = [
    ("get", "/metrics"),
    ("get", "/v1/backfill"),
    ("post", "/v1/backfill"),
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
    ("get", "/v1/export"),
    ("get", "/v1/health"),
    ("post", "/v1/import"),
    ("get", "/v1/live"),
    ("get", "/v1/models"),
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
    ("get", "/v1/streams/{stream}/density"),
    ("get", "/v1/streams/{stream}/diff"),
    ("get", "/v1/streams/{stream}/events"),
    ("post", "/v1/streams/{stream}/events"),
    ("get", "/v1/streams/{stream}/state"),
    ("get", "/v1/streams/{stream}/steps"),
    ("post", "/v1/what-if"),
    ("get", "/v1/openapi.json"),
];

fn document() -> Value {
    serde_json::to_value(whodunit_daemon::http::openapi()).unwrap()
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
            .filter(|key| ["get", "post", "put", "delete"].contains(&key.as_str()))
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
            .replace("{id}", "1")
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
