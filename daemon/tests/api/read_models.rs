use serde_json::{Value, json};

use crate::support::{Api, Reply, suspend};

fn keys(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["key"].as_str().unwrap())
        .collect()
}

async fn three() -> Api {
    let api = Api::start();
    for (stream, name) in [("user-1", "sarah"), ("user-2", "bob"), ("user-3", "eve")] {
        api.user(stream, name).await;
    }
    api.command("user-2", &suspend("fraud")).await.ok();
    api.fact("door-a%2Fb", "Opened", json!({"n": 1, "by": "Sarah"}))
        .await;
    api.level().await;
    api
}

#[tokio::test]
async fn read_models_say_what_can_be_asked_of_them() {
    let api = three().await;
    let list = api.get("/v1/read-models").await.ok();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items[0]["name"], "users");
    assert_eq!(
        (&items[0]["documents"], &items[0]["checkpoint"]),
        (&json!(3), &json!(5))
    );
    assert_eq!(
        items[0]["sorts"],
        json!([
            "key",
            "username",
            "email",
            "name",
            "status",
            "created_at",
            "position"
        ])
    );
    assert_eq!(
        items[0]["fields"],
        json!(["username", "email", "name", "status"])
    );
    assert_eq!(items[1]["sorts"], json!(["key", "position"]));
    assert_eq!(items[1]["fields"], json!(["category"]));
    // What a read model says it takes, it takes.
    for item in items {
        for sort in item["sorts"].as_array().unwrap() {
            let name = item["name"].as_str().unwrap();
            let path = format!("/v1/read-models/{name}?sort={}", sort.as_str().unwrap());
            let page = api.get(&path).await.ok();
            assert_eq!(
                page["items"].as_array().unwrap().len() as u64,
                item["documents"]
            );
        }
        for field in item["fields"].as_array().unwrap() {
            let name = item["name"].as_str().unwrap();
            let path = format!("/v1/read-models/{name}?{}=x", field.as_str().unwrap());
            assert!(keys(&api.get(&path).await.ok()).is_empty());
        }
    }
}

#[tokio::test]
async fn documents_come_sorted_found_and_in_pages() {
    let api = three().await;
    let page = api
        .get("/v1/read-models/users?sort=username&limit=2")
        .await
        .ok();
    assert_eq!(keys(&page), ["user-2", "user-3"]);
    assert_eq!((&page["checkpoint"], &page["head"]), (&json!(5), &json!(5)));
    let item = &page["items"][0];
    assert_eq!(
        (&item["revision"], &item["position"]),
        (&json!(2), &json!(4))
    );
    assert_eq!(item["document"]["status"], "suspended");
    assert_eq!(item["document"].get("password_hash"), None);
    let cursor = page["next_cursor"].as_str().unwrap();
    let path = format!("/v1/read-models/users?sort=username&limit=2&cursor={cursor}");
    let page = api.get(&path).await.ok();
    assert_eq!(
        (keys(&page), &page["next_cursor"]),
        (vec!["user-1"], &json!(null))
    );
    for (query, wanted) in [
        ("users?match=SAR", vec!["user-1"]),
        ("users?username=Eve", vec!["user-3"]),
        (
            "users?email=BOB%40example.com&status=suspended",
            vec!["user-2"],
        ),
        ("users?status=active&order=desc", vec!["user-3", "user-1"]),
        ("users?filter=/status=suspended", vec!["user-2"]),
        ("states?category=door", vec!["door-a/b"]),
        ("states?filter=/n=1&filter=/by=Sarah", vec!["door-a/b"]),
        ("states?filter=/n=1&filter=/by=Bob", vec![]),
        ("states?filter=/n=%221%22", vec![]),
        (
            "states?filter=/n=null&category=user&limit=1",
            vec!["user-1"],
        ),
    ] {
        let page = api.get(&format!("/v1/read-models/{query}")).await.ok();
        assert_eq!(keys(&page), wanted, "{query}");
    }
    let one = api.get("/v1/read-models/states/door-a%2Fb").await.ok();
    assert_eq!(
        one,
        json!({"key": "door-a/b", "revision": 1, "position": 5, "document": {"n": 1, "by": "Sarah"}, "checkpoint": 5})
    );
}

#[tokio::test]
async fn no_secret_is_shown_and_none_can_be_guessed_at() {
    let api = three().await;
    for path in ["users", "states", "users/user-1", "states/user-1"] {
        let reply = api.get(&format!("/v1/read-models/{path}")).await;
        assert!(
            reply.status == 200 && !reply.text.contains("argon2"),
            "{path}"
        );
    }
    let state = api.get("/v1/streams/user-1/state?reveal=true").await.ok();
    let hash = state["state"]["password_hash"].as_str().unwrap();
    let hash: String = form_urlencoded::byte_serialize(hash.as_bytes()).collect();
    for query in [
        format!("filter=/password_hash={hash}"),
        format!("match={hash}"),
    ] {
        let page = api
            .get(&format!("/v1/read-models/states?{query}"))
            .await
            .ok();
        assert!(keys(&page).is_empty(), "{query}");
    }
}

#[tokio::test]
async fn a_reader_can_wait_for_its_own_write() {
    let api = three().await;
    for n in 0..20 {
        let stream = format!("user-own-{n}");
        let reply = api.user(&stream, &format!("own{n}")).await;
        let position = reply["position"].as_u64().unwrap();
        let one = format!("/v1/read-models/users/{stream}?min_position={position}");
        assert_eq!(api.get(&one).await.ok()["position"], position);
        let path =
            format!("/v1/read-models/users?username=own{n}&min_position={position}&wait_ms=30000");
        let page = api.get(&path).await.ok();
        assert_eq!(keys(&page), [stream.as_str()]);
        assert!(page["checkpoint"].as_u64().unwrap() >= position);
    }
}

#[tokio::test]
async fn what_is_not_there_yet_is_a_202_that_says_how_far_it_is() {
    let api = three().await;
    for path in ["users", "users/user-1", "users/user-none"] {
        let path = format!("/v1/read-models/{path}?min_position=9&wait_ms=1");
        let reply: Reply = api.get(&path).await;
        assert_eq!(reply.status, 202, "{}", reply.text);
        let not_yet = reply.json();
        assert_eq!(not_yet["status"], "not_yet");
        assert_eq!(
            (
                &not_yet["min_position"],
                &not_yet["checkpoint"],
                &not_yet["head"]
            ),
            (&json!(9), &json!(5), &json!(5))
        );
        assert!(
            not_yet["hint"]
                .as_str()
                .unwrap()
                .contains("no such position")
        );
    }
}

#[tokio::test]
async fn what_is_absent_is_said_to_be_absent_in_its_own_way() {
    let api = three().await;
    for path in ["nobody", "nobody/user-1", "nobody/user-1?min_position=1"] {
        let reply = api.get(&format!("/v1/read-models/{path}")).await;
        reply.problem(404, "no_such_projection");
    }
    let missing = api.get("/v1/read-models/users/user-9").await;
    let detail = missing.problem(404, "no_such_document")["detail"].clone();
    assert!(detail.as_str().unwrap().contains("position 5"), "{detail}");
    // A stream of another category is none of its documents.
    let other = api.get("/v1/read-models/users/door-a%2Fb").await;
    other.problem(404, "no_such_document");
}

#[tokio::test]
async fn what_a_query_cannot_say_is_refused_by_name() {
    let api = three().await;
    for (query, code, field) in [
        ("users?nope=1", "bad_parameter", "nope"),
        ("users?category=user", "bad_parameter", "category"),
        ("states?username=x", "bad_parameter", "username"),
        ("states?sort=username", "bad_parameter", "sort"),
        ("users?sort=", "bad_parameter", "sort"),
        ("users?order=sideways", "bad_parameter", "order"),
        ("users?limit=0", "bad_parameter", "limit"),
        ("users?limit=x", "bad_parameter", "limit"),
        ("users?limit=1001", "limit_exceeded", "limit"),
        ("users?wait_ms=30001", "limit_exceeded", "wait_ms"),
        ("users/user-1?wait_ms=30001", "limit_exceeded", "wait_ms"),
        ("users?min_position=-1", "bad_parameter", "min_position"),
        ("users?match=a&match=b", "bad_parameter", "match"),
        ("users?filter=status=active", "bad_parameter", "filter"),
        ("users?filter=/status", "bad_parameter", "filter"),
        ("users?cursor=x", "bad_parameter", "cursor"),
        (
            "users?sort=email&cursor=fusername:61:user-1",
            "bad_parameter",
            "cursor",
        ),
        ("users/user-1?x=1", "bad_parameter", "x"),
    ] {
        let problem = api
            .get(&format!("/v1/read-models/{query}"))
            .await
            .problem(400, code);
        assert_eq!(problem["field"], field, "{query}");
    }
    let many = vec!["filter=/a=1"; 17].join("&");
    let reply = api.get(&format!("/v1/read-models/users?{many}")).await;
    reply.problem(400, "limit_exceeded");
    let broken = api.get("/v1/read-models/users?match=%zz").await;
    broken.problem(400, "bad_parameter");
}

#[tokio::test]
async fn a_category_holds_the_stream_of_its_own_name_too() {
    let api = Api::start();
    for stream in ["order", "order-1", "order.x", "orders-1"] {
        api.fact(stream, "Placed", json!({"n": 1})).await;
    }
    api.level().await;
    for (order, wanted) in [
        ("forward", ["order", "order-1"]),
        ("backward", ["order-1", "order"]),
    ] {
        let path = format!("/v1/read-models/states?category=order&order={order}");
        let page = api.get(&path).await.ok();
        assert_eq!(keys(&page), wanted, "{order}");
    }
}
