//! Who is let in: every operation there is, by everything that a browser or an attacker may say of itself.

use axum::body::Body;
use serde_json::Value;

use crate::support::Api;

/// Every operation of the API's description, with its path filled in.
fn operations() -> Vec<(String, String)> {
    let document: Value = whodunit_daemon::http::openapi();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path
            .replace("{stream}", "door-1")
            .replace("{event_id}", "e")
            .replace("{id}", "1")
            .replace("{category}", "user")
            .replace("{name}", "users")
            .replace("{key}", "user-1");
        let methods = item.as_object().unwrap().keys();
        found.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
        found.push(("OPTIONS".to_owned(), path.clone()));
        found.push(("PROPFIND".to_owned(), path));
    }
    found
}

async fn status(api: &Api, method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
    let mut request = axum::http::Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Body::from(
        "--x\r\ncontent-disposition: form-data; name=\"records\"\r\n\r\n{}\r\n--x--\r\n",
    );
    api.send(request.body(body).unwrap()).await.status
}

const HOST: (&str, &str) = ("host", "localhost:4780");

#[tokio::test]
async fn no_operation_answers_a_page_of_another_origin() {
    let api = Api::start();
    let foreign: [(&str, &str); 12] = [
        ("origin", "http://localhost:3000"),
        ("origin", "https://localhost:4780"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:4780"),
        ("origin", "http://[::1]:4780"),
        ("origin", "http://localhost.:4780"),
        ("origin", "http://user@localhost:4780"),
        ("origin", "http://localhost:4780/"),
        ("origin", "http://localhost:4780 http://evil.example"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "cross-site"),
        ("referer", "http://localhost:3000/page"),
    ];
    let kinds = [
        "application/json",
        "application/x-ndjson",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/x-www-form-urlencoded",
    ];
    for (method, path) in operations() {
        for (number, header) in foreign.into_iter().enumerate() {
            let kind = ("content-type", kinds[number % kinds.len()]);
            let found = status(&api, &method, &path, &[HOST, kind, header]).await;
            assert_eq!(found, 403, "{method} {path} {kind:?} {header:?}");
        }
    }
    assert_eq!(api.head(), (0, 0));
}

#[tokio::test]
async fn no_operation_answers_to_a_foreign_or_doubtful_name() {
    let api = Api::start();
    for (method, path) in operations() {
        for host in [
            "evil.example",
            "localhost.evil.example:4780",
            "user@localhost",
            "127.1",
            "",
        ] {
            let found = status(&api, &method, &path, &[("host", host)]).await;
            assert_eq!(found, 421, "{method} {path} {host:?}");
        }
        let found = status(&api, &method, &path, &[]).await;
        assert_eq!(found, 421, "{method} {path} without a host");
        for two in [[HOST, HOST], [HOST, ("host", "evil.example")]] {
            let found = status(&api, &method, &path, &two).await;
            assert_eq!(found, 400, "{method} {path} {two:?}");
        }
        let elsewhere = format!("http://evil.example{path}");
        let found = status(&api, &method, &elsewhere, &[HOST]).await;
        assert_eq!(found, 400, "{method} {elsewhere}");
        let someone = format!("http://user@localhost:4780{path}");
        let found = status(&api, &method, &someone, &[HOST]).await;
        assert_eq!(found, 400, "{method} {someone}");
    }
    assert_eq!(api.head(), (0, 0));
}

#[tokio::test]
async fn a_name_of_this_machine_has_many_spellings() {
    let api = Api::start();
    for (host, origin) in [
        ("localhost:4780", "http://localhost:4780"),
        ("LocalHost:4780", "http://localhost:4780"),
        ("localhost.:4780", "http://localhost.:4780"),
        ("127.0.0.1:4780", "http://127.0.0.1:4780"),
        ("127.8.9.10", "http://127.8.9.10"),
        ("[::1]:4780", "http://[::1]:4780"),
        ("[::1]", "http://[::1]:80"),
        ("localhost:80", "http://localhost"),
    ] {
        let own = [
            ("host", host),
            ("origin", origin),
            ("sec-fetch-site", "same-origin"),
        ];
        let found = status(&api, "GET", "/v1/health", &own).await;
        assert_eq!(found, 200, "{host} {origin}");
        let typed_in = [("host", host), ("sec-fetch-site", "none")];
        assert_eq!(
            status(&api, "GET", "/v1/health", &typed_in).await,
            200,
            "{host}"
        );
    }
}
