//! Names by their beginning, for completions: every kind of them.

use serde_json::{Value, json};

use crate::support::Api;

fn named(found: &Value) -> Vec<(&str, u64)> {
    let items = found["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            (
                item["name"].as_str().unwrap(),
                item["events"].as_u64().unwrap(),
            )
        })
        .collect()
}

async fn history(api: &Api) {
    for (stream, event_type, actor, correlation, data) in [
        (
            "order-1",
            "OrderPlaced",
            "shop",
            "c-1",
            json!({"customer": {"name": "Ann", "zip": "1"}, "total": 5}),
        ),
        ("order-1", "OrderPaid", "bank", "c-1", json!({"paid": true})),
        (
            "order-10",
            "OrderPlaced",
            "shop",
            "c-2",
            json!({"total": 7, "odd key": 1}),
        ),
        (
            "parcel-1",
            "ParcelSent",
            "shop",
            "d-1",
            json!({"in": "box"}),
        ),
    ] {
        let event = json!({"event_type": event_type, "actor": actor, "correlation_id": correlation,
            "data": data, "metadata": {"ip": "10.0.0.1"}});
        api.append(stream, &json!({"events": [event]})).await.ok();
    }
}

#[tokio::test]
async fn names_of_every_kind_are_listed_by_their_beginning_with_their_counts() {
    let api = Api::start();
    history(&api).await;
    for (query, expected) in [
        (
            "kind=type&prefix=Order",
            vec![("OrderPaid", 1), ("OrderPlaced", 2)],
        ),
        ("kind=type&prefix=order", vec![]),
        ("kind=actor", vec![("bank", 1), ("shop", 3)]),
        ("kind=category&prefix=p", vec![("parcel", 1)]),
        (
            "kind=stream&prefix=order-1",
            vec![("order-1", 2), ("order-10", 1)],
        ),
        ("kind=stream&prefix=order-10", vec![("order-10", 1)]),
        ("kind=stream&prefix=zzz", vec![]),
        ("kind=correlation&prefix=c", vec![("c-2", 1), ("c-1", 2)]),
        (
            "kind=field&prefix=state.c",
            vec![("state.customer.name", 1), ("state.customer.zip", 1)],
        ),
        ("kind=field&prefix=before.t", vec![("before.total", 2)]),
        ("kind=field&prefix=/odd", vec![("/odd key", 1)]),
        (
            "kind=field&prefix=event.data.t",
            vec![("event.data.total", 2)],
        ),
        (
            "kind=field&prefix=event.metadata",
            vec![("event.metadata.ip", 4)],
        ),
        ("kind=field&prefix=event.act", vec![("event.actor", 4)]),
    ] {
        let found = api.get(&format!("/v1/names?{query}")).await.ok();
        assert_eq!(named(&found), expected, "{query}");
        assert_eq!(
            (&found["more"], &found["complete"]),
            (&json!(false), &json!(true)),
            "{query}"
        );
    }
    // A name that is no identifier is written so that a condition reads it.
    let found = api.get("/v1/names?kind=field&prefix=state").await.ok();
    let names: Vec<&str> = named(&found).into_iter().map(|(name, _)| name).collect();
    assert!(names.contains(&"state[\"odd key\"]"), "{names:?}");
    assert!(names.contains(&"state[\"in\"]"), "{names:?}");
    for name in names {
        let condition = format!("{name} == 1");
        whodunit_core::predicate::Predicate::parse(&condition).unwrap();
    }
}

#[tokio::test]
async fn a_list_of_names_says_when_there_are_more_and_refuses_what_is_no_kind() {
    let api = Api::start();
    history(&api).await;
    let few = api.get("/v1/names?kind=stream&limit=1").await.ok();
    assert_eq!(named(&few), [("order-1", 2)]);
    assert_eq!(few["more"], true);
    let few = api.get("/v1/names?kind=field&limit=2").await.ok();
    assert_eq!(
        (few["items"].as_array().unwrap().len(), &few["more"]),
        (2, &json!(true))
    );
    for query in ["", "kind=nothing", "kind=type&limit=0", "kind=type&other=1"] {
        let refused = api.get(&format!("/v1/names?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
    }
}

/// The name of a secret field is no secret; its value is never among names.
#[tokio::test]
async fn names_of_fields_hold_no_secret() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let found = api.get("/v1/names?kind=field").await;
    assert_eq!(found.status, 200);
    assert!(found.text.contains("state.email"));
    assert!(!found.text.contains("argon2"), "{}", found.text);
}
