//! Worlds over HTTP: a category at one moment, two moments, and bisects that break off or take long.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Api, suspend};

async fn pages(api: &Api, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}&limit=2{cursor}")).await.ok();
        items.extend(page["items"].as_array().unwrap().clone());
        let progress = &page["progress"];
        assert!(progress["looked_at"].as_u64() <= progress["streams_total"].as_u64());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

fn streams(items: &[Value]) -> Vec<&str> {
    items
        .iter()
        .map(|item| item["stream"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_world_is_a_category_as_it_was() {
    let api = Api::start();
    for name in ["anna", "bert", "carl"] {
        api.user(&format!("user-{name}"), name).await;
    }
    api.clock.set("2025-03-20T03:00:00Z");
    api.command("user-bert", &suspend("fraud")).await.ok();
    api.user("user-dora", "dora").await;
    api.fact("door-1", "Opened", json!({"n": 1})).await;
    let now = pages(&api, "/v1/world?category=user").await;
    assert_eq!(
        streams(&now),
        ["user-anna", "user-bert", "user-carl", "user-dora"]
    );
    assert_eq!(
        (&now[1]["revision"], &now[1]["state"]["status"]),
        (&json!(2), &json!("suspended"))
    );
    assert_eq!(now[0]["state"]["password_hash"], "[redacted]");
    assert_eq!(now[0]["redacted"], json!(["/password_hash"]));
    let then = pages(&api, "/v1/world?category=user&as_of=2025-03-10T00:00:00Z").await;
    assert_eq!(streams(&then), ["user-anna", "user-bert", "user-carl"]);
    assert!(then.iter().all(|item| item["state"]["status"] == "active"));
    let early = pages(&api, "/v1/world?category=user&at_position=2").await;
    assert_eq!(streams(&early), ["user-anna", "user-bert"]);
    let held = pages(
        &api,
        "/v1/world?category=user&where=/status%20==%20%22suspended%22",
    )
    .await;
    assert_eq!(streams(&held), ["user-bert"]);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_what_is_left_out_is_said() {
    let api = Api::start();
    api.fact("door-1", "Opened", json!({"n": 1})).await;
    api.fact("door-2", "Opened", json!({"m": 1})).await;
    let page = api
        .get("/v1/world?category=door&where=/n%20==%201")
        .await
        .ok();
    assert_eq!(page["progress"]["undefined"]["stream"], "door-2");
    assert_eq!(page["progress"]["looked_at"], 2);
    assert_eq!(page["predicate"], "/n == 1");
    let all = api.get("/v1/world").await.ok();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    let early = api.get("/v1/world?at_position=1").await.ok();
    assert_eq!(early["progress"]["not_yet"], 1);
    for (query, code) in [
        ("where=/n%20=%201", "bad_predicate"),
        ("where=decision.rule%20==%20%22x%22", "bad_predicate"),
        ("as_of=2025-01-01T00:00:00Z&at_position=1", "bad_parameter"),
        ("cursor=x", "bad_parameter"),
        ("as_of=soon", "bad_time"),
    ] {
        api.get(&format!("/v1/world?{query}"))
            .await
            .problem(400, code);
    }
    api.get("/v1/world?at_position=9")
        .await
        .problem(404, "position_beyond_head");
    api.get("/v1/world/diff?from=9")
        .await
        .problem(404, "position_beyond_head");
    api.get("/v1/world/diff?from=soon")
        .await
        .problem(400, "bad_time");
    // A secret is no part of a condition.
    api.user("user-1", "sarah").await;
    let guess = "where=state.password_hash.startsWith(%22$argon%22)";
    let found = api
        .get(&format!("/v1/world?category=user&{guess}"))
        .await
        .ok();
    assert_eq!(found["items"], json!([]));
}

#[tokio::test]
async fn pages_of_a_world_are_of_one_moment() {
    let api = Api::start();
    for n in 0..4 {
        api.fact(&format!("door-{n}"), "Opened", json!({"n": n}))
            .await;
    }
    let first = api.get("/v1/world?category=door&limit=2").await.ok();
    api.fact("door-3", "Closed", json!({"n": 9})).await;
    api.fact("door-9", "Opened", json!({"n": 9})).await;
    let next = first["next_cursor"].as_str().unwrap();
    let second = api
        .get(&format!("/v1/world?category=door&limit=2&cursor={next}"))
        .await
        .ok();
    let items = second["items"].as_array().unwrap();
    assert_eq!(streams(items), ["door-2", "door-3"]);
    assert_eq!(items[1]["state"]["n"], 3);
}

proptest! {
    #![proptest_config(crate::seeded::seeded(12))]

    /// Clocks that go back, unknown types and failing events: a world is the states of its streams, and two worlds differ as these do.
    #[test]
    fn a_world_is_the_states_of_its_streams(
        sketches in prop::collection::vec((0..4u8, 0..3u8, 0..30u8), 1..14),
        moments in (0..32u8, 0..32u8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let both = moments.0 % 4 == 0;
        for category in ["s", "user"].into_iter().take(1 + usize::from(both)) {
        runtime.block_on(async {
            let api = Api::start();
            let time = |second: u8| format!("2025-02-01T00:00:{second:02}Z");
            for (stream, value, second) in &sketches {
                // Of users: a type that is not known, one that is, and a payload that cannot be applied.
                let (kind, data) = match (category, value) {
                    ("s", value) => ("Set", json!({ "v": value })),
                    (_, 0) => ("Nope", json!({})),
                    (_, 1) => ("UserNameChanged", json!({"first_name": "x", "last_name": "y"})),
                    _ => ("UserNameChanged", json!({"first_name": 7})),
                };
                let event = json!({"event_type": kind, "data": data, "recorded_at": time(*second)});
                let append = json!({"events": [event]});
                api.append(&format!("{category}-{stream}"), &append).await.ok();
            }
            let (one, other) = (time(moments.0), time(moments.1));
            let holds = if category == "s" { "/v%20==%201" } else { "/first_name%20==%20%22x%22" };
            let state = async |stream: &str, at: &str| {
                let reply = api.get(&format!("/v1/streams/{stream}/state?as_of={at}")).await;
                (reply.status == 200).then(|| reply.json()["state"].clone())
            };
            let mut expected = (BTreeMap::new(), BTreeMap::new(), Vec::new());
            for n in 0..4 {
                let name = format!("{category}-{n}");
                let (before, after) = (state(&name, &one).await, state(&name, &other).await);
                if let Some(state) = &before {
                    expected.0.insert(name.clone(), state.clone());
                    if state["v"] == 1 || state["first_name"] == "x" {
                        expected.1.insert(name.clone(), state.clone());
                    }
                }
                if before != after {
                    expected.2.push(name);
                }
            }
            let told = |items: &[Value]| -> BTreeMap<String, Value> {
                let pairs = items.iter().map(|item| (item["stream"].as_str().unwrap().to_owned(), item["state"].clone()));
                pairs.collect()
            };
            let items = pages(&api, &format!("/v1/world?category={category}&as_of={one}")).await;
            assert_eq!(told(&items), expected.0);
            let items = pages(&api, &format!("/v1/world?category={category}&as_of={one}&where={holds}")).await;
            assert_eq!(told(&items), expected.1);
            let items = pages(&api, &format!("/v1/world/diff?category={category}&from={one}&to={other}")).await;
            assert_eq!(streams(&items), expected.2);
            for item in &items {
                if item["change"] == "changed" {
                    let (name, from, to) = (item["stream"].as_str().unwrap(), &item["from"], &item["to"]);
                    let diff = api.get(&format!("/v1/streams/{name}/diff?from={from}&to={to}")).await.ok();
                    assert_eq!(diff["diff"], item["diff"]);
                }
            }
        });
        }
    }
}

#[tokio::test]
async fn two_worlds_say_who_came_who_changed_and_for_whom_a_condition_flipped() {
    let api = Api::start();
    for (stream, n) in [
        ("lamp-1", 0),
        ("lamp-2", 1),
        ("lamp-3", 0),
        ("lamp-1", 1),
        ("lamp-3", 0),
        ("lamp-4", 0),
    ] {
        api.fact(stream, "Switched", json!({"on": n})).await;
    }
    let diff = api.get("/v1/world/diff?category=lamp&from=3").await.ok();
    let told: Vec<_> = diff["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["stream"].as_str().unwrap(),
                item["change"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("lamp-1", "changed"), ("lamp-4", "appeared")]);
    assert_eq!(
        (
            &diff["same_state"],
            &diff["from"]["at_position"],
            &diff["to"]["at_position"]
        ),
        (&json!(1), &json!(3), &json!(6))
    );
    let back = api
        .get("/v1/world/diff?category=lamp&from=6&to=3")
        .await
        .ok();
    assert_eq!(back["items"][1]["change"], "disappeared");
    let held = api
        .get("/v1/world/diff?category=lamp&from=3&where=/on%20==%201")
        .await
        .ok();
    assert_eq!(held["items"].as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &held["items"][0]["holds_from"],
            &held["items"][0]["holds_to"]
        ),
        (&json!(false), &json!(true))
    );
}
