//! The index of field values over HTTP: which searches use it, and what an answer says of that.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use serde_json::{Value, json};
use whodunit_core::ids::Position;
use whodunit_daemon::Config;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

use crate::find::encoded;
use crate::support::{Api, config, request};

async fn level(api: &Api) {
    let (head, _) = api.head();
    let projections = api.daemon.projections();
    let soon = Duration::from_secs(30);
    let reached = projections.wait_for("field-index", Position(head), soon);
    assert_eq!(reached.await.unwrap(), Position(head));
}

async fn page(api: &Api, line: &str) -> Value {
    api.get(&format!("/v1/events?q={}", encoded(line)))
        .await
        .ok()
}

fn positions(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["position"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn a_search_says_which_indexes_it_used_and_why_one_was_not() {
    let api = Api::start();
    for name in ["sarah", "bert", "ines", "carl"] {
        api.user(&format!("user-{name}"), name).await;
    }
    level(&api).await;
    let by_email = "where:state.email == \"sarah@example.com\"";
    let found = page(&api, by_email).await;
    assert_eq!(positions(&found), [1]);
    assert_eq!(found["index"], json!({"used": ["state.email"]}), "{found}");
    assert_eq!(found["scanned"], 1);

    // Another category has the field too, and is not indexed by it.
    let event = json!({"event_type": "Noted", "data": {"email": "sarah@example.com"}});
    api.append("lead-1", &json!({"events": [event]})).await.ok();
    level(&api).await;
    let found = page(&api, by_email).await;
    assert_eq!(positions(&found), [5, 1]);
    assert_eq!(found["index"]["used"], json!([]));
    let why = found["index"]["not_used"].as_str().unwrap();
    assert!(why.contains("add `category:user`"), "{why}");
    let found = page(&api, &format!("category:user {by_email}")).await;
    assert_eq!((positions(&found), &found["scanned"]), (vec![1], &json!(1)));
    assert_eq!(found["index"]["used"], json!(["state.email"]));

    for (line, used) in [
        ("type:UserCreated actor:*", json!(["type", "actor"])),
        (
            "since:2020-01-01T00:00:00Z correlation:c",
            json!(["correlation", "since"]),
        ),
        ("stream:user-sarah", json!(["stream"])),
        ("sarah", json!([])),
        ("", json!([])),
    ] {
        assert_eq!(page(&api, line).await["index"]["used"], used, "{line}");
    }
    // Searches for decisions have none, and their answers say nothing of it.
    assert!(page(&api, "outcome:accepted").await.get("index").is_none());

    // Lines say it at their end, figures count the same.
    let path = format!(
        "/v1/events?q={}",
        encoded(&format!("category:user {by_email}"))
    );
    let asked = request("GET", &path).header("accept", "application/x-ndjson");
    let reply = api.send(asked.body(Body::empty()).unwrap()).await;
    let last: Value = serde_json::from_str(reply.text.lines().last().unwrap()).unwrap();
    assert_eq!(
        last["end"]["index"]["used"],
        json!(["state.email"]),
        "{last}"
    );
    let path = format!(
        "/v1/find/summary?q={}",
        encoded(&format!("category:user {by_email}"))
    );
    assert_eq!(api.get(&path).await.ok()["matches"], 1);
}

#[tokio::test]
async fn fields_are_indexed_as_they_are_declared_and_the_index_is_a_read_model() {
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    let declared = ["*=event.metadata.ip", "order=event.data.customer"];
    let api = Api::with(
        Config {
            index: declared
                .iter()
                .map(|field| field.parse().unwrap())
                .collect(),
            ..config()
        },
        Arc::new(store),
    );
    for n in 0..20 {
        let event = json!({"event_type": "Placed", "data": {"customer": n % 10}, "metadata": {"ip": format!("10.0.0.{}", n % 4)}});
        api.append(&format!("order-{n}"), &json!({"events": [event]}))
            .await
            .ok();
    }
    level(&api).await;
    let found = page(&api, "where:event.metadata.ip == \"10.0.0.3\"").await;
    assert_eq!(positions(&found), [20, 16, 12, 8, 4]);
    assert_eq!(
        (&found["index"]["used"], &found["scanned"]),
        (&json!(["event.metadata.ip"]), &json!(5))
    );
    let found = page(&api, "where:event.data.customer == 7.0").await;
    assert_eq!(
        (positions(&found), &found["scanned"]),
        (vec![18, 8], &json!(2))
    );
    let all = api.get("/v1/read-models").await.ok();
    let models = all["items"].as_array().unwrap_or_else(|| panic!("{all}"));
    let index = models
        .iter()
        .find(|model| model["name"] == "field-index")
        .unwrap();
    let said = index["description"].as_str().unwrap();
    assert!(
        said.contains("order=event.data.customer") && said.contains("user=state.email"),
        "{said}"
    );
    let check = api
        .post("/v1/projections/field-index/check", &json!({}))
        .await
        .ok();
    assert_eq!(check["ok"], true, "{check}");
}
