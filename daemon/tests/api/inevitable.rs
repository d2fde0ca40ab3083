//! How inevitable, minimal histories and undo plans over HTTP: Sarah's deletion.

use serde_json::{Value, json};

use crate::support::{Api, Reply};

/// The last line of an answer.
fn end(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text);
    let last = reply.text.lines().last().unwrap();
    let line: Value = serde_json::from_str(last).unwrap();
    line["end"].clone()
}

/// Sarah is suspended, renamed in vain, and deleted because of the suspension; Anna has nothing to do with it.
async fn incident(api: &Api) {
    for (stream, name) in [("user-1", "sarah"), ("user-2", "anna")] {
        api.user(stream, name).await;
    }
    let give = async |at: &str, stream: &str, command: Value| {
        api.clock.set(at);
        api.command(stream, &command).await
    };
    let suspend = json!({"type": "SuspendUser", "payload": {}, "actor": "fraud-scan", "reason": "fraud_detected"});
    let suspended = give("2025-03-20T03:00:00Z", "user-1", suspend).await.ok();
    let cause = &suspended["events"][0]["event_id"];
    let rename = json!({"type": "ChangeName", "payload": {"first_name": "S"}, "actor": "sarah"});
    give("2025-03-21T03:00:00Z", "user-1", rename)
        .await
        .problem(422, "rejected");
    let delete = json!({"type": "DeleteUser", "payload": {}, "actor": "job:clean-up", "reason": "inactive",
        "causation_id": cause});
    give("2025-03-24T15:47:23Z", "user-1", delete).await.ok();
    let email =
        json!({"type": "ChangeEmail", "payload": {"email": "anna@example.org"}, "actor": "anna"});
    give("2025-03-25T09:00:00Z", "user-2", email).await.ok();
}

#[tokio::test]
async fn a_deletion_depended_on_what_caused_it_and_could_be_avoided_until_it_came() {
    let api = Api::start();
    incident(&api).await;
    let head = api.head();
    let asked = json!({"stream": "user-1", "predicate": "/status == \"deleted\""});
    let out = end(&api.post("/v1/inevitable", &asked).await);
    assert_eq!(
        (&out["holds"], &out["all_dropped"]),
        (&json!(true), &json!(true))
    );
    let told: Vec<Value> = out["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| {
            json!([
                command["type"],
                command["necessity"],
                command["responsibility"]
            ])
        })
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["CreateUser", "necessary", 1.0],
            ["SuspendUser", "necessary", 1.0],
            ["DeleteUser", "necessary", 1.0],
        ])
    );
    // Before each of three events, and at the end. A deletion that comes earlier leads there as well.
    let moments = out["moments"].as_array().unwrap();
    let revisions: Vec<&Value> = moments.iter().map(|moment| &moment["revision"]).collect();
    assert_eq!(json!(revisions), json!([0, 1, 2, 3]));
    assert_eq!(
        moments[3]["legal"], 0,
        "nothing can be done with a deleted user"
    );
    let not_tried: Vec<&Value> = out["not_tried"]
        .as_array()
        .unwrap()
        .iter()
        .map(|not| &not["type"])
        .collect();
    assert_eq!(json!(not_tried), json!(["CreateUser", "ChangePassword"]));
    assert!(!out.to_string().contains("argon2id"), "{out}");
    assert_eq!(api.head(), head, "nothing was written");
    // What did not come cannot be explained.
    let other = json!({"stream": "user-1", "predicate": "/status == \"active\""});
    let out = end(&api.post("/v1/inevitable", &other).await);
    assert_eq!((&out["holds"], &out["runs"]), (&json!(false), &json!(0)));
}

#[tokio::test]
async fn a_suspension_can_still_be_undone() {
    let api = Api::start();
    incident(&api).await;
    api.clock.set("2025-03-26T09:00:00Z");
    let suspend = json!({"type": "SuspendUser", "payload": {}, "actor": "ops", "reason": "x"});
    api.command("user-2", &suspend).await.ok();
    let asked = json!({"stream": "user-2", "predicate": "/status == \"suspended\""});
    let out = end(&api.post("/v1/inevitable", &asked).await);
    let last = &out["point_of_no_return"];
    assert_eq!(last["revision"], out["revision"], "it is not too late");
    assert!(
        out["answer"]
            .as_str()
            .unwrap()
            .contains("can still undo it"),
        "{out}"
    );
    let plan = end(&api
        .post(
            "/v1/undo",
            &json!({"stream": "user-2", "to_revision": 1, "fields": ["/status", "/email"]}),
        )
        .await);
    let commands: Vec<&Value> = plan["plan"]["commands"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["type"])
        .collect();
    assert_eq!(json!(commands), json!(["ReactivateUser", "ChangeEmail"]));
    assert_eq!(plan["fields"][1]["wanted"], "anna@example.com");
    let paths: Vec<&Value> = plan["side_effects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["path"])
        .collect();
    assert_eq!(json!(paths), json!([]));
    for planned in plan["plan"]["commands"].as_array().unwrap() {
        let command = json!({"type": planned["type"], "payload": planned["payload"], "actor": "ops", "reason": "undo"});
        api.command("user-2", &command).await.ok();
    }
    let state = api.get("/v1/streams/user-2/state").await.ok();
    assert_eq!(
        (&state["state"]["status"], &state["state"]["email"]),
        (&json!("active"), &json!("anna@example.com"))
    );
}

#[tokio::test]
async fn there_is_no_way_back_for_a_deleted_user() {
    let api = Api::start();
    incident(&api).await;
    let asked = json!({"stream": "user-1", "to_revision": 1, "fields": ["/status"]});
    let out = end(&api.post("/v1/undo", &asked).await);
    assert_eq!(
        (&out["plan"], &out["exhausted"]),
        (&Value::Null, &json!(true))
    );
    for (body, field) in [
        (
            json!({"stream": "user-1", "to_revision": 1, "fields": []}),
            "/fields",
        ),
        (
            json!({"stream": "user-1", "to_revision": 1, "fields": ["status"]}),
            "/fields/0",
        ),
        (
            json!({"stream": "user-1", "to_revision": 1, "fields": ["/password_hash"]}),
            "/fields/0",
        ),
        (
            json!({"stream": "user-1", "to_revision": 1, "fields": ["/status"], "steps": 9}),
            "/steps",
        ),
    ] {
        let problem = api.post("/v1/undo", &body).await.problem(400, "malformed");
        assert_eq!(problem["field"], field);
    }
    let order = json!({"stream": "order-1", "to_revision": 1, "fields": ["/status"]});
    let problem = api.post("/v1/undo", &order).await;
    assert_eq!(problem.json()["code"], "no_model", "{}", problem.text);
}

#[tokio::test]
async fn a_minimal_history_is_what_led_there() {
    let api = Api::start();
    incident(&api).await;
    let asked =
        |of: &str| json!({"stream": "user-1", "predicate": "/status == \"deleted\"", "of": of});
    let out = end(&api.post("/v1/minimal", &asked("events")).await);
    assert_eq!(
        (&out["before"], &out["kept"][0]["type"]),
        (&json!(3), &json!("UserDeleted"))
    );
    assert_eq!(
        out["kept"].as_array().unwrap().len(),
        1,
        "a re-fold asks no rule"
    );
    assert!(
        out["answer"]
            .as_str()
            .unwrap()
            .starts_with("3 events reduced to 1, in ")
    );
    let out = end(&api.post("/v1/minimal", &asked("commands")).await);
    let kept: Vec<&Value> = out["kept"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| &item["type"])
        .collect();
    assert_eq!(
        json!(kept),
        json!(["CreateUser", "SuspendUser", "DeleteUser"])
    );
    let reply = api
        .post(
            "/v1/minimal",
            &json!({"stream": "user-1", "predicate": "event.actor == \"x\""}),
        )
        .await;
    let problem = reply.problem(400, "bad_predicate");
    assert_eq!(problem["field"], "/predicate");
    let none = api
        .post(
            "/v1/minimal",
            &json!({"stream": "user-9", "predicate": "/a == 1"}),
        )
        .await;
    let line: Value = serde_json::from_str(none.text.lines().last().unwrap()).unwrap();
    assert_eq!(line["broken"]["code"], "no_such_stream");
}
