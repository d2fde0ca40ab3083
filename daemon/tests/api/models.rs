//! Models are asked for: without one, a category's streams are folded by merge, whatever they are called.

use std::sync::Arc;

use serde_json::json;
use whodunit_daemon::Config;
use whodunit_daemon::builtin::{self, BuiltIn};
use whodunit_daemon::passwords::Cost;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

use crate::support::{Api, create_user};

/// A daemon that was asked for no model.
fn plain() -> Api {
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    Api::with(Config::default(), Arc::new(store))
}

#[tokio::test]
async fn user_streams_of_another_system_are_folded_by_merge() {
    let api = plain();
    let events = json!({"events": [
        {"event_type": "UserCreated", "data": {"name": "Ann", "plan": "free", "status": "new"}},
        {"event_type": "UserDeleted", "data": {"plan": "gold"}},
    ]});
    api.append("user-17", &events).await.ok();
    let state = api.get("/v1/streams/user-17/state").await.ok();
    assert_eq!(
        state["state"],
        json!({"name": "Ann", "plan": "gold", "status": "new"})
    );
    assert_eq!(state["model"], "merge");
    let stream = api.get("/v1/streams/user-17").await.ok();
    assert_eq!(
        (&stream["model"], &stream["title"]),
        (&json!("merge"), &json!(null))
    );
    let listed = api.get("/v1/streams").await.ok();
    assert_eq!(listed["items"][0]["model"], "merge");
    let models = api.get("/v1/models").await.ok();
    assert_eq!(models["items"].as_array().unwrap().len(), 1);
    assert_eq!(models["items"][0]["name"], "merge");
    let categories = api.get("/v1/categories").await.ok();
    assert_eq!(categories["items"][0]["model"], "merge");
    let projections = api.get("/v1/projections").await.ok();
    let names: Vec<_> = projections["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|projection| projection["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["states"], "the projection `users` is of the model");
}

#[tokio::test]
async fn a_command_without_a_model_says_how_to_ask_for_one() {
    let api = plain();
    let command = json!({"type": "DeleteUser", "payload": {}, "actor": "ann", "reason": "x"});
    let path = |stream: &str| format!("/v1/streams/{stream}/commands");
    let problem = api.post(&path("user-1"), &command).await;
    let problem = problem.problem(400, "no_model");
    let hint = problem["hint"].as_str().unwrap();
    assert!(hint.contains("--model users"), "{hint}");
    let problem = api.post(&path("order-1"), &command).await;
    let problem = problem.problem(400, "no_model");
    let hint = problem["hint"].as_str().unwrap();
    assert!(
        hint.contains("`--model users` is for category `user`"),
        "{hint}"
    );
    let problem = api.get("/v1/models/user").await;
    let problem = problem.problem(404, "no_such_model");
    assert!(
        problem["hint"].as_str().unwrap().contains("--model users"),
        "{problem}"
    );
    let scenario = json!({"stream": "user-1", "at_revision": 0, "do": [{"command": command}]});
    let problem = api.post("/v1/what-if", &scenario).await;
    let problem = problem.problem(400, "no_model");
    assert!(
        problem["hint"].as_str().unwrap().contains("--model users"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_model_that_was_asked_for_is_named_wherever_it_folds() {
    let api = Api::start();
    api.command("user-1", &create_user("sarah")).await.ok();
    let state = api.get("/v1/streams/user-1/state").await.ok();
    let stream = api.get("/v1/streams/user-1").await.ok();
    let model = api.get("/v1/models/user").await.ok();
    assert_eq!(
        [&state["model"], &stream["model"], &model["name"]],
        ["users", "users", "users"]
    );
    assert_eq!(model["category"], "user");
}

#[tokio::test]
async fn a_model_that_a_log_was_decided_by_and_that_is_not_asked_for_again_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start_in(folder.path());
    api.command("user-1", &create_user("sarah")).await.ok();
    assert_eq!(api.daemon.forgotten_models().unwrap(), []);
    api.daemon.close().await.unwrap();
    drop(api);
    let store = LoggedStore::open(folder.path(), StoreOptions::Durable).unwrap();
    let again = Api::with(Config::default(), Arc::new(store));
    assert_eq!(again.daemon.forgotten_models().unwrap(), [BuiltIn::Users]);
}

#[tokio::test]
async fn secrets_of_a_model_stay_hidden_where_it_is_not_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start_in(folder.path());
    api.command("user-1", &create_user("sarah")).await.ok();
    api.daemon.close().await.unwrap();
    drop(api);
    let store = LoggedStore::open(folder.path(), StoreOptions::Durable).unwrap();
    let config = Config {
        models: builtin::models(&[], Cost::Light).unwrap(),
        ..Config::default()
    };
    let again = Api::with(config, Arc::new(store));
    for path in [
        "/v1/streams/user-1/state",
        "/v1/streams/user-1/events",
        "/v1/streams/user-1/steps",
        "/v1/events",
        "/v1/decisions",
        "/v1/export",
        "/v1/read-models/states",
    ] {
        let shown = again.get(path).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
        assert!(!shown.text.contains("$argon2"), "{path}: {}", shown.text);
    }
    let export = again.get("/v1/export").await;
    assert_eq!(export.headers["whodunit-redacted"], "true");
    let revealed = again.get("/v1/streams/user-1/state?reveal=true").await.ok();
    assert!(
        revealed["state"]["password_hash"]
            .as_str()
            .unwrap()
            .starts_with("$argon2")
    );
}
