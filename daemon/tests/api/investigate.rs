//! Blame, field histories and bisect over HTTP.

use serde_json::{Value, json};

use crate::support::{Api, suspend};

/// Sarah: created on the 1st, suspended on the 20th, deleted on the 24th at 15:47:23.
async fn sarah(api: &Api) {
    api.user("user-1", "sarah").await;
    api.clock.set("2025-03-20T03:00:00Z");
    api.command("user-1", &suspend("fraud_detected")).await.ok();
    api.clock.set("2025-03-24T15:47:23Z");
    let delete = json!({"type": "DeleteUser", "payload": {}, "actor": "job:inactive-cleanup", "reason": "inactive for 90 days"});
    api.command("user-1", &delete).await.ok();
}

fn field<'a>(blame: &'a Value, path: &str) -> &'a Value {
    let fields = blame["fields"].as_array().unwrap();
    fields.iter().find(|field| field["path"] == path).unwrap()
}

#[tokio::test]
async fn blame_says_when_who_and_why_for_each_field() {
    let api = Api::start();
    sarah(&api).await;
    let blame = api.get("/v1/streams/user-1/blame").await.ok();
    assert_eq!(
        (&blame["revision"], &blame["model"]),
        (&json!(3), &json!("users"))
    );
    let status = field(&blame, "/status");
    assert_eq!(
        (&status["value"], &status["revision"]),
        (&json!("deleted"), &json!(3))
    );
    let event = &status["event"];
    assert_eq!(event["actor"], "job:inactive-cleanup");
    assert_eq!(event["reason"], "inactive for 90 days");
    assert_eq!(event["recorded_at"], "2025-03-24T15:47:23Z");
    assert_eq!(
        (&event["event_type"], &event["command_type"]),
        (&json!("UserDeleted"), &json!("DeleteUser"))
    );
    assert!(event["command_id"].is_string());
    assert_eq!(field(&blame, "/email")["revision"], 1);
    // The same fields as the state, and of secrets the mark.
    let state = api.get("/v1/streams/user-1/state").await.ok();
    assert_eq!(
        blame["fields"].as_array().unwrap().len(),
        state["state"].as_object().unwrap().len()
    );
    assert_eq!(field(&blame, "/password_hash")["value"], "[redacted]");
    assert_eq!(blame["redacted"], json!(["/password_hash"]));
    let revealed = api.get("/v1/streams/user-1/blame?reveal=true").await.ok();
    assert!(
        field(&revealed, "/password_hash")["value"]
            .as_str()
            .unwrap()
            .starts_with("$argon2")
    );

    let then = api
        .get("/v1/streams/user-1/blame?as_of=2025-03-24T15:47:00Z&path=/status")
        .await
        .ok();
    assert_eq!(then["fields"].as_array().unwrap().len(), 1);
    assert_eq!(then["fields"][0]["event"]["actor"], "job:fraud-check");
    let empty = api.get("/v1/streams/user-1/blame?at_revision=0").await.ok();
    assert_eq!(empty["fields"], json!([]));
}

#[tokio::test]
async fn blame_follows_elements_and_tells_of_removed_fields() {
    let api = Api::start();
    api.fact(
        "cart-1",
        "Added",
        json!({"lines": [{"id": 10, "n": 1}], "note": "x"}),
    )
    .await;
    api.fact(
        "cart-1",
        "Added",
        json!({"lines": [{"id": 9, "n": 1}, {"id": 10, "n": 1}]}),
    )
    .await;
    api.fact("cart-1", "Cleared", json!({"note": null})).await;
    let blame = api.get("/v1/streams/cart-1/blame?removed=true").await.ok();
    let second = field(&blame, "/lines/1/n");
    assert_eq!(
        (&second["label"], &second["revision"]),
        (&json!("/lines[id=10]/n"), &json!(1))
    );
    let removed = &blame["removed"][0];
    assert_eq!(
        (&removed["path"], &removed["value"]),
        (&json!("/note"), &json!("x"))
    );
    assert_eq!(
        (&removed["set_by"], &removed["revision"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(removed["event"]["event_type"], "Cleared");
    assert_eq!(
        api.get("/v1/streams/cart-1/blame")
            .await
            .ok()
            .get("removed"),
        None
    );
}

#[tokio::test]
async fn a_fields_history_has_every_value_in_pages_either_way() {
    let api = Api::start();
    for n in [1, 1, 2, 3, 3, 4, 5] {
        api.fact("door-1", "Moved", json!({"n": n, "s": {"n": n}}))
            .await;
    }
    api.fact("door-1", "Gone", json!({"s": null})).await;
    let revisions = |page: &Value| -> Vec<u64> {
        let values = page["values"].as_array().unwrap();
        values
            .iter()
            .map(|value| value["revision"].as_u64().unwrap())
            .collect()
    };
    let all = api.get("/v1/streams/door-1/field?path=/s/n").await.ok();
    assert_eq!(revisions(&all), [1, 3, 4, 6, 7, 8]);
    let last = &all["values"][5];
    assert_eq!(
        (
            &last["absent"],
            &last["value"],
            &last["event"]["event_type"]
        ),
        (&json!(true), &Value::Null, &json!("Gone"))
    );
    assert_eq!(all["next_cursor"], Value::Null);
    for (order, expected) in [
        ("forward", vec![1, 3, 4, 6, 7, 8]),
        ("backward", vec![8, 7, 6, 4, 3, 1]),
    ] {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let query = format!("/v1/streams/door-1/field?path=/s/n&limit=2&order={order}{cursor}");
            let page = api.get(&query).await.ok();
            found.extend(revisions(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, expected, "{order}");
    }
    let early = api
        .get("/v1/streams/door-1/field?path=/s/n&at_revision=3")
        .await
        .ok();
    assert_eq!(revisions(&early), [1, 3]);
    let problem = api
        .get("/v1/streams/door-1/field?path=/nope")
        .await
        .problem(404, "no_such_field");
    assert!(problem["detail"].as_str().unwrap().contains("/nope"));
    api.get("/v1/streams/door-1/field?path=nope")
        .await
        .problem(400, "bad_parameter");
    api.get("/v1/streams/door-2/field?path=/s")
        .await
        .problem(404, "no_such_stream");
    api.get("/v1/streams/door-1/blame?path=/nope")
        .await
        .problem(404, "no_such_field");
}

#[tokio::test]
async fn secrets_are_in_no_history_and_no_predicate() {
    let api = Api::start();
    sarah(&api).await;
    let history = api
        .get("/v1/streams/user-1/field?path=/password_hash")
        .await
        .ok();
    assert_eq!(history["values"][0]["value"], "[redacted]");
    assert_eq!(history["redacted"], json!(["/0/value"]));
    let ask =
        json!({"stream": "user-1", "predicate": "state.password_hash.startsWith(\"$argon\")"});
    let found = api.post("/v1/bisect", &ask).await.ok();
    assert_eq!(found["matches"], json!([]));
    let named = api.get("/v1/streams/user-1/field?path=/x%5Bkey=1%5D").await;
    named.problem(404, "no_such_field");
}

#[tokio::test]
async fn bisect_finds_the_first_the_last_and_every_flip() {
    let api = Api::start();
    for n in [0, 5, 7, 2, 9, 9, 1] {
        api.fact("tank-1", "Measured", json!({"level": n})).await;
    }
    let ask = async |more: Value| {
        let mut body = json!({"stream": "tank-1", "predicate": "/level >= 5"});
        for (key, value) in more.as_object().unwrap() {
            body[key] = value.clone();
        }
        api.post("/v1/bisect", &body).await
    };
    let found = |answer: &Value| -> Vec<(u64, bool)> {
        let matches = answer["matches"].as_array().unwrap();
        let told = |one: &Value| {
            (
                one["revision"].as_u64().unwrap(),
                one["holds"].as_bool().unwrap(),
            )
        };
        matches.iter().map(told).collect()
    };
    let first = ask(json!({})).await.ok();
    assert_eq!(found(&first), [(2, true)]);
    assert_eq!(first["matches"][0]["event"]["event_type"], "Measured");
    assert_eq!(
        (&first["folds"], &first["assumed_one_flip"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(
        (&first["revisions"], &first["holds_at_end"]),
        (&json!(3), &Value::Null)
    );
    // At revision 0 there is no level: it says nothing there, and that is said.
    assert_eq!(
        first["undefined"],
        json!({"revisions": 1, "first": 0, "reason": "`/level` is not there"})
    );
    let flips = ask(json!({"all": true})).await.ok();
    assert_eq!(
        found(&flips),
        [(2, true), (4, false), (5, true), (7, false)]
    );
    assert_eq!(
        (&flips["holds_at_start"], &flips["holds_at_end"]),
        (&json!(false), &json!(false))
    );
    let two = ask(json!({"find": "flips", "limit": 2})).await.ok();
    assert_eq!((found(&two).len(), &two["matches_total"]), (2, &json!(4)));
    assert_eq!(found(&ask(json!({"find": "last"})).await.ok()), [(6, true)]);
    assert_eq!(found(&ask(json!({"from": 4})).await.ok()), [(5, true)]);
    assert_eq!(
        found(&ask(json!({"from": 3, "to": 4, "all": true})).await.ok()),
        [(3, true), (4, false)]
    );
    // On the client's word: few states are loaded, and the answer says what it rests on.
    let word = ask(json!({"one_flip": true, "to": 3})).await.ok();
    assert_eq!(
        (found(&word), &word["assumed_one_flip"]),
        (vec![(2, true)], &json!(true))
    );
    assert!(word["folds"].as_u64().unwrap() <= 4);
    let agree = ask(json!({"one_flip": true})).await.ok();
    assert_eq!(
        (
            found(&agree).len(),
            &agree["holds_at_start"],
            &agree["holds_at_end"]
        ),
        (0, &json!(false), &json!(false))
    );
    ask(json!({"from": 9})).await.problem(400, "bad_parameter");
    ask(json!({"to": 9}))
        .await
        .problem(404, "revision_beyond_head");
    ask(json!({"all": true, "find": "last"}))
        .await
        .problem(400, "bad_parameter");
    ask(json!({"stream": "tank-2"}))
        .await
        .problem(404, "no_such_stream");
}

#[tokio::test]
async fn bisect_asks_about_events_and_the_state_before_them() {
    let api = Api::start();
    sarah(&api).await;
    for (predicate, revision) in [
        (r#"event.actor.startsWith("job:inactive")"#, 3),
        (r#"changed("/status") && was("/status") == "suspended""#, 3),
        (
            r#"before.status == "active" && state.status == "suspended""#,
            2,
        ),
        (
            r#"event.recorded_at >= timestamp("2025-03-20T00:00:00Z")"#,
            2,
        ),
        ("!has(state.status)", 0),
    ] {
        for (from, one_flip) in [(0, false), (revision, false), (0, true)] {
            let ask = json!({"stream": "user-1", "predicate": predicate, "from": from, "one_flip": one_flip});
            let found = api.post("/v1/bisect", &ask).await.ok();
            if one_flip && (predicate.starts_with('!') || predicate.starts_with("before")) {
                // It holds at the first revision only, or in the middle: what the client said is not so.
                assert_ne!(found["matches"][0]["revision"], revision, "{predicate}");
                continue;
            }
            assert_eq!(
                found["matches"][0]["revision"], revision,
                "{predicate} from {from}"
            );
        }
    }
    let wrong = json!({"stream": "user-1", "predicate": "state.status = 1"});
    let problem = api
        .post("/v1/bisect", &wrong)
        .await
        .problem(400, "bad_predicate");
    assert_eq!(
        (&problem["actual"], &problem["field"]),
        (&json!({"column": 14}), &json!("predicate"))
    );
    assert!(problem["hint"].as_str().unwrap().contains("=="));
    let decision = json!({"stream": "user-1", "predicate": "decision.sequence > 1"});
    api.post("/v1/bisect", &decision)
        .await
        .problem(400, "bad_predicate");
    let heavy =
        json!({"stream": "big-1", "predicate": "state.a.all(x, state.a.exists(y, y == x))"});
    api.fact(
        "big-1",
        "Filled",
        json!({"a": (0..3_000).collect::<Vec<_>>()}),
    )
    .await;
    api.post("/v1/bisect", &heavy)
        .await
        .problem(400, "limit_exceeded");
}

/// The lines of an answer, by their key.
fn lines(text: &str, key: &str) -> Vec<Value> {
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter_map(|mut line| line.get_mut(key).map(Value::take))
        .collect()
}

#[tokio::test]
async fn bisect_over_a_category_is_a_bisect_of_each_of_its_streams() {
    let api = Api::start();
    let mut expected = Vec::new();
    for tank in 0..30_u64 {
        let stream = format!("tank-{tank:02}");
        let levels: Vec<u64> = (0..1 + tank % 7).map(|n| (n * 7 + tank * 3) % 10).collect();
        for level in &levels {
            api.fact(&stream, "Measured", json!({ "level": level }))
                .await;
        }
        let first = levels.iter().position(|level| *level >= 5);
        expected.extend(first.map(|first| (stream, first as u64 + 1)));
    }
    api.fact("other-1", "Measured", json!({"level": 9})).await;
    let told = |text: &str| -> Vec<(String, u64)> {
        let found = lines(text, "match");
        let pair = |one: &Value| {
            let stream = one["stream"].as_str().unwrap().to_owned();
            (stream, one["revision"].as_u64().unwrap())
        };
        found.iter().map(pair).collect()
    };
    let ask = json!({"category": "tank", "predicate": "/level >= 5"});
    let reply = api.post("/v1/bisect", &ask).await;
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    assert_eq!(told(&reply.text), expected);
    let end = &lines(&reply.text, "end")[0];
    assert_eq!((&end["streams"], &end["folds"]), (&json!(30), &json!(30)));
    assert_eq!(end["streams_holding"], expected.len());
    assert_eq!(
        (&end["undefined"]["revisions"], &end["undefined"]["first"]),
        (&json!(30), &json!(0))
    );
    assert!(
        reply
            .text
            .trim_end()
            .lines()
            .last()
            .unwrap()
            .starts_with("{\"end\"")
    );

    let ask = json!({"log": true, "predicate": "/level >= 5"});
    let reply = api.post("/v1/bisect", &ask).await;
    expected.insert(0, ("other-1".to_owned(), 1));
    assert_eq!(told(&reply.text), expected);
    let nothing = json!({"category": "none", "predicate": "/level >= 5"});
    let reply = api.post("/v1/bisect", &nothing).await;
    assert_eq!(
        (
            told(&reply.text).len(),
            &lines(&reply.text, "end")[0]["streams"]
        ),
        (0, &json!(0))
    );
    for wrong in [
        json!({"predicate": "true"}),
        json!({"predicate": "true", "log": true, "category": "tank"}),
        json!({"predicate": "true", "log": true, "from": 1}),
        json!({"predicate": "true", "category": "tank", "one_flip": true}),
    ] {
        api.post("/v1/bisect", &wrong)
            .await
            .problem(400, "bad_parameter");
    }
}

#[tokio::test]
async fn a_stream_that_cannot_be_looked_at_is_told_and_stops_no_other() {
    let api = Api::start();
    api.fact("list-1", "Filled", json!({"a": [1]})).await;
    api.fact(
        "list-2",
        "Filled",
        json!({"a": (0..3_000).collect::<Vec<_>>()}),
    )
    .await;
    api.fact("list-3", "Filled", json!({"a": [2]})).await;
    let ask = json!({"category": "list", "predicate": "state.a.all(x, state.a.exists(y, y == x))"});
    let reply = api.post("/v1/bisect", &ask).await;
    assert_eq!(lines(&reply.text, "match").len(), 2);
    let failed = lines(&reply.text, "failed");
    assert_eq!((failed.len(), &failed[0]["stream"]), (1, &json!("list-2")));
    assert_eq!(lines(&reply.text, "end")[0]["failed"], 1);
}
