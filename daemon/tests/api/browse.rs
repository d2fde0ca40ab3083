//! Lists and single things.

use axum::body::Body;
use serde_json::{Value, json};

use crate::support::{Api, Reply, create_user, request, suspend};

fn names(page: &Value, field: &str) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}

/// Follows a list to its end.
async fn all(api: &Api, path: &str, field: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let more = cursor
            .as_ref()
            .map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let page = api.get(&format!("{path}{more}")).await.ok();
        found.extend(names(&page, field));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return found,
        }
    }
}

async fn doors(api: &Api) {
    for (stream, by) in [
        ("door-b", "anna"),
        ("door-a", "bert"),
        ("door-c", "anna"),
        ("gate-a", "anna"),
        ("door-b", "bert"),
    ] {
        let event = json!({"event_type": if by == "anna" { "Opened" } else { "Closed" }, "actor": by, "data": {"by": by},
            "correlation_id": stream});
        api.append(stream, &json!({"events": [event]})).await.ok();
    }
}

#[tokio::test]
async fn streams_are_listed_by_name_or_by_last_event() {
    let api = Api::start();
    doors(&api).await;
    assert_eq!(
        all(&api, "/v1/streams?limit=2", "stream").await,
        ["door-a", "door-b", "door-c", "gate-a"]
    );
    assert_eq!(
        all(&api, "/v1/streams?sort=recent&limit=3", "stream").await,
        ["door-b", "gate-a", "door-c", "door-a"]
    );
    assert_eq!(
        all(&api, "/v1/streams?category=door&limit=1", "stream").await,
        ["door-a", "door-b", "door-c"]
    );
    assert_eq!(
        all(&api, "/v1/streams?match=R-C&limit=1", "stream").await,
        ["door-c"]
    );
    let door = api.get("/v1/streams/door-b").await.ok();
    assert_eq!(door["revision"], 2);
    assert_eq!(
        (&door["first_position"], &door["last_position"]),
        (&json!(1), &json!(5))
    );
    assert_eq!(
        (&door["last_event_type"], &door["last_actor"]),
        (&json!("Closed"), &json!("bert"))
    );
    assert_eq!(door["clock_back_at"], Value::Null);
    api.get("/v1/streams/door-z")
        .await
        .problem(404, "no_such_stream");
}

#[tokio::test]
async fn users_are_found_by_title_and_status() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.user("user-2", "bert").await;
    api.command("user-2", &suspend("x")).await.ok();
    assert_eq!(
        all(&api, "/v1/streams?match=SARAH@", "stream").await,
        ["user-1"]
    );
    assert_eq!(
        all(&api, "/v1/streams?status=suspended", "title").await,
        ["bert@example.com"]
    );
}

#[tokio::test]
async fn a_streams_events_run_both_ways() {
    let api = Api::start();
    for n in 1..=5 {
        api.fact("door-1", &format!("T{n}"), json!({"n": n})).await;
    }
    let path = "/v1/streams/door-1/events";
    assert_eq!(
        all(&api, &format!("{path}?limit=2"), "event_type").await,
        ["T1", "T2", "T3", "T4", "T5"]
    );
    assert_eq!(
        all(
            &api,
            &format!("{path}?limit=2&order=backward"),
            "event_type"
        )
        .await,
        ["T5", "T4", "T3", "T2", "T1"]
    );
    assert_eq!(
        all(&api, &format!("{path}?from=4"), "event_type").await,
        ["T4", "T5"]
    );
    assert_eq!(
        all(&api, &format!("{path}?from=2&order=desc"), "event_type").await,
        ["T2", "T1"]
    );
    assert_eq!(
        all(&api, &format!("{path}?from=9"), "event_type").await,
        [""; 0]
    );
    // A page that ends with the last event has no next one.
    assert_eq!(
        api.get(&format!("{path}?limit=5")).await.ok()["next_cursor"],
        Value::Null
    );
}

#[tokio::test]
async fn a_page_of_large_events_ends_early_and_goes_on() {
    let api = Api::start();
    let large = "x".repeat(900_000);
    for n in 0..70 {
        api.fact("door-1", &format!("T{n}"), json!({"x": large}))
            .await;
    }
    let page = api.get("/v1/streams/door-1/events?limit=1000").await.ok();
    let count = page["items"].as_array().unwrap().len();
    assert!(count < 70, "{count}");
    assert_eq!(
        all(&api, "/v1/streams/door-1/events?limit=1000", "event_type")
            .await
            .len(),
        70
    );
    assert_eq!(
        all(&api, "/v1/events?limit=1000", "event_type").await.len(),
        70
    );
}

#[tokio::test]
async fn the_log_is_filtered_by_everything_at_once() {
    let api = Api::start();
    doors(&api).await;
    let on = async |query: &str| all(&api, &format!("/v1/events?{query}"), "stream").await;
    assert_eq!(
        on("limit=2").await,
        ["door-b", "door-a", "door-c", "gate-a", "door-b"]
    );
    assert_eq!(
        on("limit=2&order=backward").await,
        ["door-b", "gate-a", "door-c", "door-a", "door-b"]
    );
    assert_eq!(on("category=gate").await, ["gate-a"]);
    assert_eq!(on("type=Closed&limit=1").await, ["door-a", "door-b"]);
    assert_eq!(
        on("actor=anna&category=door&limit=1").await,
        ["door-b", "door-c"]
    );
    assert_eq!(on("correlation=door-c").await, ["door-c"]);
    assert_eq!(on("text=BERT&limit=1").await, ["door-a", "door-b"]);
    assert_eq!(on("from_position=4").await, ["gate-a", "door-b"]);
    assert_eq!(
        on("from_position=2&order=backward").await,
        ["door-a", "door-b"]
    );
    assert_eq!(on("since=2025-03-01T09:00:01Z").await, [""; 0]);
    assert_eq!(
        on("until=2025-03-01T10:00:00%2B01:00&limit=4").await.len(),
        5,
        "a plus sign must be encoded"
    );
    api.get("/v1/events/nope")
        .await
        .problem(404, "no_such_event");
}

#[tokio::test]
async fn decisions_are_listed_by_stream_and_outcome() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.user("user-2", "bert").await;
    api.command("user-1", &create_user("sarah"))
        .await
        .problem(422, "rejected");
    api.command("user-1", &suspend("x")).await.ok();
    let on = async |query: &str| {
        all(
            &api,
            &format!("/v1/decisions?limit=1&{query}"),
            "command_type",
        )
        .await
    };
    assert_eq!(
        on("").await,
        ["CreateUser", "CreateUser", "CreateUser", "SuspendUser"]
    );
    assert_eq!(
        on("stream=user-1&outcome=accepted").await,
        ["CreateUser", "SuspendUser"]
    );
    assert_eq!(on("outcome=rejected").await, ["CreateUser"]);
    assert_eq!(
        on("order=backward&stream=user-1").await,
        ["SuspendUser", "CreateUser", "CreateUser"]
    );
    api.get("/v1/decisions?stream=noid-")
        .await
        .problem(400, "bad_stream_name");
}

#[tokio::test]
async fn categories_and_models_are_described() {
    let api = Api::start();
    doors(&api).await;
    api.user("user-1", "sarah").await;
    let page = api.get("/v1/categories").await.ok();
    assert_eq!(
        page["items"],
        json!([
            {"category": "door", "streams": 3, "events": 4, "model": "merge"},
            {"category": "gate", "streams": 1, "events": 1, "model": "merge"},
            {"category": "user", "streams": 1, "events": 1, "model": "users"},
        ])
    );
    assert_eq!(
        names(&api.get("/v1/models").await.ok(), "category"),
        ["user", "*"]
    );
    let model = api.get("/v1/models/user").await.ok();
    assert_eq!(
        model["secrets"],
        json!(["password_hash", "new_password_hash"])
    );
    assert_eq!(model["commands"][0]["name"], "CreateUser");
    assert_eq!(
        model["commands"][0]["schema"]["properties"]["password"]["writeOnly"],
        true
    );
    assert_eq!(api.get("/v1/models/*").await.ok()["commands"], json!([]));
    api.get("/v1/models/door")
        .await
        .problem(404, "no_such_model");
}

#[tokio::test]
async fn density_counts_every_event_once() {
    let api = Api::start();
    for (hour, count) in [(0, 3), (5, 1), (9, 2)] {
        api.clock.set(&format!("2025-03-01T1{hour}:00:00Z"));
        for _ in 0..count {
            api.fact("door-1", "Opened", json!({})).await;
        }
    }
    for path in ["/v1/density", "/v1/streams/door-1/density"] {
        let density = api.get(&format!("{path}?buckets=10")).await.ok();
        assert_eq!(
            density["counts"],
            json!([3, 0, 0, 0, 0, 1, 0, 0, 0, 2]),
            "{path}"
        );
        assert_eq!(density["first"], "2025-03-01T10:00:00Z");
        assert_eq!(density["last"], "2025-03-01T19:00:00Z");
    }
    api.get("/v1/streams/door-9/density")
        .await
        .problem(404, "no_such_stream");
    assert_eq!(
        Api::start().get("/v1/density?buckets=2").await.ok()["counts"],
        json!([0, 0])
    );
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_named() {
    let api = Api::start();
    api.fact("door-1", "Opened", json!({})).await;
    for (path, status, code, field) in [
        ("/v1/events?bogus=1", 400, "bad_parameter", "bogus"),
        ("/v1/events?limit=0", 400, "bad_parameter", "limit"),
        ("/v1/events?limit=ten", 400, "bad_parameter", "limit"),
        ("/v1/events?limit=1001", 400, "limit_exceeded", "limit"),
        ("/v1/events?limit=1&limit=2", 400, "bad_parameter", "limit"),
        ("/v1/events?order=sideways", 400, "bad_parameter", "order"),
        ("/v1/events?reveal=maybe", 400, "bad_parameter", "reveal"),
        (
            "/v1/events?since=2025-03-01T00:00:00",
            400,
            "bad_time",
            "since",
        ),
        ("/v1/events?since=yesterday", 400, "bad_time", "since"),
        ("/v1/events?cursor=b7", 400, "bad_parameter", "cursor"),
        (
            "/v1/events?cursor=f1&from_position=1",
            400,
            "bad_parameter",
            "cursor",
        ),
        ("/v1/streams?cursor=x", 400, "bad_parameter", "cursor"),
        (
            "/v1/streams?sort=recent&cursor=ndoor-1",
            400,
            "bad_parameter",
            "cursor",
        ),
        ("/v1/streams?sort=size", 400, "bad_parameter", "sort"),
        (
            "/v1/streams/door-1/events?from=-1",
            400,
            "bad_parameter",
            "from",
        ),
        ("/v1/streams/door-1?x=1", 400, "bad_parameter", "x"),
        ("/v1/density?buckets=1001", 400, "limit_exceeded", "buckets"),
        ("/v1/health?x=1", 400, "bad_parameter", "x"),
        (
            "/v1/streams/door-1/state?at_revision=1&as_of=2025-03-01T00:00:00Z",
            400,
            "bad_parameter",
            "as_of",
        ),
        (
            "/v1/streams/door-1/diff?from=2025-03-01",
            400,
            "bad_time",
            "from",
        ),
        ("/v1/streams/noid-", 400, "bad_stream_name", "stream"),
        (
            "/v1/streams/a%20b-1/state",
            400,
            "bad_stream_name",
            "stream",
        ),
    ] {
        let problem = api.get(path).await.problem(status, code);
        assert_eq!(problem["field"], field, "{path}: {problem}");
    }
    let problem = api
        .get("/v1/events?limit=1001")
        .await
        .problem(400, "limit_exceeded");
    assert!(
        problem["detail"].as_str().unwrap().contains("1000"),
        "names the limit: {problem}"
    );
}

#[tokio::test]
async fn a_name_with_a_slash_is_one_segment() {
    let api = Api::start();
    api.fact("bucket-a%2Fb%C3%BC", "Made", json!({"x": 1}))
        .await;
    assert_eq!(
        api.get("/v1/streams/bucket-a%2Fb%C3%BC/state").await.ok()["stream"],
        "bucket-a/bü"
    );
}

#[tokio::test]
async fn health_and_readiness_are_told_apart() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let health = api.get("/v1/health").await.ok();
    assert_eq!(
        (
            &health["status"],
            &health["head"],
            &health["decisions"],
            &health["streams"]
        ),
        (&json!("ok"), &json!(1), &json!(1), &json!(1))
    );
    api.get("/v1/ready").await.ok();
    api.daemon.begin_to_stop();
    assert_eq!(api.get("/v1/health").await.ok()["status"], "shutting_down");
    api.get("/v1/ready").await.problem(503, "unavailable");
}

async fn as_lines(api: &Api, path: &str) -> Reply {
    let asked = request("GET", path).header("accept", "application/x-ndjson");
    api.send(asked.body(Body::empty()).unwrap()).await
}

/// The events of some lines, and what the last one says.
fn taken(reply: &Reply) -> (Vec<Value>, Value) {
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    let lines = reply.text.lines();
    let mut lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let end = lines.pop().unwrap()["end"].take();
    let events = lines.iter_mut().map(|line| line["event"].take()).collect();
    (events, end)
}

#[tokio::test]
async fn a_streams_events_as_lines_are_those_of_its_pages() {
    let api = Api::start();
    for part in 0..3 {
        let events = (0..900).map(|n| json!({"event_type": "T", "data": {"n": part * 900 + n}}));
        let events: Vec<Value> = events.collect();
        api.append("long-1", &json!({"events": events})).await.ok();
    }
    api.fact("door-1", "Opened", json!({"text": "x".repeat(700_000)}))
        .await;
    let path = "/v1/streams/long-1/events";
    let mut pages = Vec::new();
    let mut more = String::new();
    loop {
        let page = api.get(&format!("{path}?limit=1000{more}")).await.ok();
        pages.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => more = format!("&cursor={next}"),
            None => break,
        }
    }
    let end =
        |events: u64, next: Value| json!({"events": events, "next_cursor": next, "head": 2701});
    let (events, said) = taken(&as_lines(&api, path).await);
    assert_eq!((&events, said), (&pages, end(2700, Value::Null)));
    let (events, said) = taken(&as_lines(&api, &format!("{path}?order=backward")).await);
    assert_eq!(said, end(2700, Value::Null));
    assert!(events.iter().eq(pages.iter().rev()));
    // What `limit` leaves out is found with the cursor, and no event stands in both.
    let (mut events, said) = taken(&as_lines(&api, &format!("{path}?limit=1500")).await);
    assert_eq!(said["events"], 1500);
    let cursor = said["next_cursor"].as_str().unwrap();
    let (rest, said) = taken(&as_lines(&api, &format!("{path}?cursor={cursor}")).await);
    assert_eq!(said, end(1200, Value::Null));
    events.extend(rest);
    assert_eq!(events, pages);
    let (rest, _) = taken(&as_lines(&api, &format!("{path}?from=2700")).await);
    assert_eq!(rest, pages[2699..]);
    let (one, _) = taken(&as_lines(&api, "/v1/streams/door-1/events").await);
    assert_eq!(one.len(), 1);
    as_lines(&api, "/v1/streams/door-9/events")
        .await
        .problem(404, "no_such_stream");
    as_lines(&api, &format!("{path}?limit=0"))
        .await
        .problem(400, "bad_parameter");
}

#[tokio::test]
async fn a_streams_events_as_lines_hide_what_pages_hide() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let reply = as_lines(&api, "/v1/streams/user-1/events").await;
    assert!(!reply.text.contains("argon2id"), "{}", reply.text);
    let (events, _) = taken(&reply);
    let page = api.get("/v1/streams/user-1/events").await.ok();
    assert_eq!(page["items"], json!(events));
    let revealed = as_lines(&api, "/v1/streams/user-1/events?reveal=true").await;
    assert!(revealed.text.contains("argon2id"));
}
