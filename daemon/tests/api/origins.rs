//! Which hosts, origins and browser pages are answered.

use std::sync::Arc;

use axum::body::Body;

use whodunit_daemon::Config;

use crate::store_failures::Failing;
use crate::support::{Api, config, request};

async fn with(api: &Api, headers: &[(&str, &str)]) -> crate::support::Reply {
    let mut request = axum::http::Request::builder()
        .method("GET")
        .uri("/v1/health");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    api.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused() {
    let api = Api::start();
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:4780",
        "127.0.0.9",
        "[::1]:80",
        "localhost.",
    ] {
        with(&api, &[("host", host)]).await.ok();
    }
    for host in [
        "evil.example",
        "evil.example:4780",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.7",
        "",
        "0.0.0.0",
        "localhost:80@evil.example",
    ] {
        with(&api, &[("host", host)])
            .await
            .problem(421, "foreign_host");
    }
    with(&api, &[]).await.problem(421, "foreign_host");
}

/// The headers that a browser adds, beside `Host: localhost:4780`.
#[tokio::test]
async fn only_pages_of_this_very_origin_are_answered() {
    let api = Api::start();
    for own in [
        ("origin", "http://localhost:4780"),
        ("origin", "http://LOCALHOST:4780"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("referer", "http://localhost:4780/v1/openapi.json"),
    ] {
        with(&api, &[("host", "localhost:4780"), own]).await.ok();
    }
    with(
        &api,
        &[("host", "localhost"), ("origin", "http://localhost:80")],
    )
    .await
    .ok();
    for foreign in [
        ("origin", "http://evil.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "http://localhost"),
        ("origin", "http://127.0.0.1:4780"),
        ("origin", "https://localhost:4780"),
        ("origin", "null"),
        ("origin", ""),
        ("origin", "https://localhost.evil.example"),
        ("origin", "file://"),
        ("origin", "chrome-extension://abc"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "SAME-ORIGIN"),
        ("referer", "http://localhost:3000/"),
        ("referer", "http://localhost:47800/"),
        ("referer", "http://evil.example/http://localhost:4780/"),
    ] {
        with(&api, &[("host", "localhost:4780"), foreign])
            .await
            .problem(403, "foreign_origin");
    }
    // One good header does not make up for a bad one.
    with(
        &api,
        &[
            ("host", "localhost:4780"),
            ("origin", "http://localhost:4780"),
            ("origin", "http://localhost:3000"),
        ],
    )
    .await
    .problem(403, "foreign_origin");
}

#[tokio::test]
async fn no_content_type_and_no_method_gets_a_foreign_page_through() {
    let api = Api::start();
    for (method, path) in [
        ("POST", "/v1/import"),
        ("POST", "/v1/projections/users/rebuild"),
        ("POST", "/v1/what-if"),
        ("POST", "/v1/streams/door-1/events"),
        ("POST", "/v1/backfill"),
        ("GET", "/v1/export"),
        ("GET", "/v1/events"),
        ("OPTIONS", "/v1/events"),
        ("HEAD", "/v1/streams"),
    ] {
        for kind in [
            "multipart/form-data; boundary=x",
            "text/plain",
            "application/json",
            "application/x-ndjson",
        ] {
            let request = request(method, path)
                .header("origin", "http://localhost:3000")
                .header("content-type", kind);
            let body = Body::from(
                "--x\r\ncontent-disposition: form-data; name=\"records\"\r\n\r\n{}\r\n--x--\r\n",
            );
            let reply = api.send(request.body(body).unwrap()).await;
            assert_eq!(reply.status, 403, "{method} {path} {kind}: {}", reply.text);
        }
    }
    assert_eq!(api.head(), (0, 0));
}

#[tokio::test]
async fn a_request_names_one_host() {
    let api = Api::start();
    with(&api, &[("host", "localhost"), ("host", "localhost")])
        .await
        .problem(400, "malformed");
    with(&api, &[("host", "localhost"), ("host", "evil.example")])
        .await
        .problem(400, "malformed");
    for (target, host, status) in [
        ("http://localhost:4780/v1/health", "localhost:4780", 200),
        ("http://localhost:4780/v1/health", "localhost", 400),
        ("http://localhost/v1/health", "evil.example", 400),
        ("http://evil.example/v1/health", "localhost", 400),
        ("http://evil.example/v1/health", "evil.example", 421),
    ] {
        let request = axum::http::Request::get(target).header("host", host);
        let reply = api.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(reply.status, status, "{target} {host}: {}", reply.text);
    }
}

#[tokio::test]
async fn further_names_can_be_allowed() {
    let named = Config {
        allowed_hosts: vec!["who.internal".to_owned()],
        ..config()
    };
    let api = Api::with(named, Arc::new(Failing::default()));
    with(&api, &[("host", "who.internal:4780")])
        .await
        .problem(500, "internal");
    with(&api, &[("host", "10.0.0.7")])
        .await
        .problem(421, "foreign_host");
    let remote = Config {
        allow_remote: true,
        ..config()
    };
    let api = Api::with(remote, Arc::new(Failing::default()));
    // An address cannot be rebound, a name can.
    with(&api, &[("host", "10.0.0.7:4780")])
        .await
        .problem(500, "internal");
    with(&api, &[("host", "evil.example")])
        .await
        .problem(421, "foreign_host");
}
