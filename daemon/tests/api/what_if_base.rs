//! What-if: the base is a moment of the whole log, and what is asked there gets the answer that the log gave then.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::Append;

use crate::support::{Api, create_user, suspend};

async fn ask(api: &Api, what_if: &Value) -> Value {
    api.post("/v1/what-if", what_if).await.ok()
}

fn change_email(email: &str) -> Value {
    json!({"type": "ChangeEmail", "payload": {"email": format!("{email}@example.com")}, "actor": "a"})
}

/// The outcome of the only step, and the rule.
fn end(out: &Value) -> (&str, Option<&str>) {
    let step = &out["steps"][0];
    (step["outcome"].as_str().unwrap(), step["rule"].as_str())
}

#[tokio::test]
async fn an_id_that_is_taken_at_the_base_is_refused_as_for_real() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.clock.set("2025-03-02T09:00:00Z");
    let mut wish = change_email("other");
    wish["command_id"] = json!("wish");
    api.command("user-1", &wish).await.ok();
    let fact = json!({"event_type": "Seen", "event_id": "seen", "data": {}});
    api.append("user-1", &json!({"events": [fact]})).await.ok();
    let mut refused = change_email("malformed");
    refused["payload"] = json!({"email": "x"});
    refused["command_id"] = json!("refused");
    api.command("user-1", &refused)
        .await
        .problem(422, "rejected");
    let (command, event) = (json!({"command": wish}), json!({"event": fact}));
    let refused = json!({"command": refused});
    for (base, actions, code) in [
        (json!({}), json!([command]), "command_id_conflict"),
        (json!({}), json!([event]), "event_id_conflict"),
        (json!({}), json!([refused]), "command_id_conflict"),
        (
            json!({"at_position": 2}),
            json!([command]),
            "command_id_conflict",
        ),
        (
            json!({"at_decision": "refused"}),
            json!([command]),
            "command_id_conflict",
        ),
        (
            json!({"as_of": "2025-03-02T09:00:00Z"}),
            json!([event]),
            "event_id_conflict",
        ),
        (json!({"at_revision": 1}), json!([command]), ""),
        (json!({"at_decision": "wish"}), json!([command, event]), ""),
        (json!({"at_decision": "refused"}), json!([refused]), ""),
        (
            json!({"as_of": "2025-03-02T08:59:59Z"}),
            json!([command, event]),
            "",
        ),
        (
            json!({"at_revision": 1}),
            json!([event, event]),
            "malformed",
        ),
        (
            json!({"at_revision": 1}),
            json!([command, command]),
            "malformed",
        ),
    ] {
        let mut what_if = json!({"stream": "user-1", "do": actions});
        let fields = base.as_object().unwrap().clone();
        what_if.as_object_mut().unwrap().extend(fields);
        let reply = api.post("/v1/what-if", &what_if).await;
        if code.is_empty() {
            reply.ok();
        } else {
            // Twice in the same request it is a mistake of the request.
            let status = if code == "malformed" { 400 } else { 409 };
            let problem = reply.problem(status, code);
            let field = problem["field"].as_str().unwrap();
            assert!(field.ends_with("_id"), "{what_if}: {problem}");
        }
    }
}

#[tokio::test]
async fn a_rejected_command_is_rejected_again_just_before_its_decision() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    api.user("user-2", "bert").await;
    let mut wish = change_email("bert");
    wish["command_id"] = json!("wish");
    api.command("user-1", &wish).await.problem(422, "rejected");
    let at = |base: Value| {
        let mut what_if = json!({"stream": "user-1", "do": [{ "command": wish }]});
        what_if
            .as_object_mut()
            .unwrap()
            .extend(base.as_object().unwrap().clone());
        what_if
    };
    for base in [
        json!({"at_decision": 3}),
        json!({"at_decision": "wish"}),
        json!({"at_position": 2}),
    ] {
        let out = ask(&api, &at(base.clone())).await;
        assert_eq!(end(&out), ("rejected", Some("email.taken")), "{base}");
        assert_eq!(out["base"]["position"], 2);
    }
    // By the stream's own revision, the moment is before the other user was.
    assert_eq!(
        end(&ask(&api, &at(json!({"at_revision": 1}))).await).0,
        "accepted"
    );
    // A stream that has no event yet: its rejected creation has a place in the log.
    api.command("user-3", &create_user("bert"))
        .await
        .problem(422, "rejected");
    let create =
        json!({"stream": "user-3", "at_decision": 4, "do": [{"command": create_user("bert")}]});
    assert_eq!(
        end(&ask(&api, &create).await),
        ("rejected", Some("username.taken"))
    );
}

#[tokio::test]
async fn a_base_is_given_once_and_exists() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let on = async |base: Value, status, code| {
        let mut what_if = json!({"stream": "user-1", "do": []});
        what_if
            .as_object_mut()
            .unwrap()
            .extend(base.as_object().unwrap().clone());
        api.post("/v1/what-if", &what_if)
            .await
            .problem(status, code)
    };
    let two = on(
        json!({"at_position": 1, "at_decision": 1}),
        400,
        "malformed",
    )
    .await;
    assert!(
        two["detail"]
            .as_str()
            .unwrap()
            .starts_with("`at_position`, `at_decision` cannot be combined"),
        "{two}"
    );
    let beyond = on(json!({"at_position": 2}), 404, "position_beyond_head").await;
    assert_eq!(beyond["actual"], 1);
    on(json!({"at_decision": 9}), 404, "no_such_decision").await;
    on(json!({"at_decision": "nope"}), 404, "no_such_decision").await;
    let other = json!({"stream": "user-9", "at_position": 1});
    api.post("/v1/what-if", &other)
        .await
        .problem(404, "no_such_stream");
}

#[tokio::test]
async fn at_a_time_keys_go_by_the_times_of_the_streams_not_by_the_order_of_an_import() {
    let api = Api::start();
    let line = |stream: &str, kind: &str, at: &str, data: Value| {
        json!({"stream": stream, "event_type": kind, "recorded_at": format!("2024-{at}T00:00:00Z"), "data": data}).to_string()
    };
    let user = |name: &str| json!({"username": name, "email": format!("{name}@example.com"), "first_name": "F", "last_name": "L"});
    let email = |name: &str| json!({"email": format!("{name}@example.com")});
    // One stream after another: `late` was the second's until March, then the first's.
    let lines = [
        line("user-1", "UserCreated", "01-01", user("one")),
        line("user-1", "UserEmailChanged", "04-01", email("late")),
        line("user-1", "UserDeleted", "05-01", json!({})),
        line("user-2", "UserCreated", "01-02", user("late2")),
        line("user-2", "UserEmailChanged", "02-01", email("late")),
        line("user-2", "UserEmailChanged", "03-01", email("two")),
        line("user-3", "UserCreated", "01-03", user("three")),
    ];
    let report = api
        .post_text("/v1/import", "application/x-ndjson", &lines.join("\n"))
        .await
        .ok();
    assert_eq!(
        (&report["added"], &report["failed"]),
        (&json!(7), &json!(0)),
        "{report}"
    );
    for (at, expected) in [
        ("01-15", "accepted"),
        ("02-15", "rejected"),
        ("03-15", "accepted"),
        ("04-15", "rejected"),
        ("05-15", "accepted"),
    ] {
        let what_if = json!({"stream": "user-3", "as_of": format!("2024-{at}T00:00:00Z"), "do": [{"command": change_email("late")}]});
        assert_eq!(end(&ask(&api, &what_if).await).0, expected, "{at}");
    }
}

/// What the endpoint refuses, the what-if refuses with the same code and field.
#[tokio::test]
async fn a_what_if_admits_what_the_endpoint_admits() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let changes = [
        json!({"actor": null}),
        json!({"actor": "  "}),
        json!({"actor": "a".repeat(201)}),
        json!({"reason": "r".repeat(4_097)}),
        json!({"command_id": ""}),
        json!({"command_id": "c".repeat(201)}),
        json!({"correlation_id": ""}),
        json!({"causation_id": ""}),
        json!({"type": "Explode"}),
        json!({"payload": {}}),
        json!({"payload": {"email": 7}}),
        json!({"payload": {"email": "e".repeat(1 << 20)}}),
        json!({"expected_revision": 7}),
        json!({"expected_revision": "no_stream"}),
        json!({"nonsense": 1}),
    ];
    for change in changes {
        let mut command = change_email("new");
        command
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let real = api.command("user-1", &command).await;
        let supposed = api
            .post(
                "/v1/what-if",
                &json!({"stream": "user-1", "do": [{ "command": command }]}),
            )
            .await;
        let shown = change.to_string().chars().take(80).collect::<String>();
        assert!(real.status >= 400, "{shown}");
        assert_eq!(real.status, supposed.status, "{shown}: {}", supposed.text);
        let (real, supposed) = (real.json(), supposed.json());
        assert_eq!(real["code"], supposed["code"], "{shown}");
        if let (Some(real), Some(supposed)) = (real["field"].as_str(), supposed["field"].as_str()) {
            assert!(
                supposed == format!("/do/0/command{real}") || shown.contains("nonsense"),
                "{real} {supposed}"
            );
        }
    }
    let events = [
        json!({"event_type": "", "data": {}}),
        json!({"event_type": "X", "data": [1]}),
        json!({"event_type": "X", "data": {}, "metadata": 1}),
        json!({"event_type": "X", "data": {}, "schema_version": 0}),
        json!({"event_type": "X", "data": {"password": "p"}}),
        json!({"event_type": "X", "data": {}, "recorded_at": "2025-03-01T10:00:00Z"}),
    ];
    for event in events {
        let real = api.append("user-1", &json!({"events": [event]})).await;
        let supposed = api
            .post(
                "/v1/what-if",
                &json!({"stream": "user-1", "do": [{ "event": event }]}),
            )
            .await;
        assert!(real.status >= 400, "{event}");
        assert_eq!(
            (real.status, &real.json()["code"]),
            (supposed.status, &supposed.json()["code"]),
            "{event}"
        );
    }
}

/// Something a client may ask of one of a few users.
fn wish(users: u8) -> impl Strategy<Value = (u8, Value)> {
    let name = "[a-h]";
    let command = prop_oneof![
        3 => name.prop_map(|name| create_user(&format!("user-{name}"))),
        3 => name.prop_map(|name| change_email(&format!("user-{name}"))),
        1 => Just(suspend("fraud")),
        1 => Just(json!({"type": "ReactivateUser", "actor": "a"})),
        1 => Just(json!({"type": "DeleteUser", "actor": "a", "reason": "r"})),
        1 => ("[ab]", "[ab]").prop_map(|(old, new)| json!({"type": "ChangePassword", "actor": "a",
            "payload": {"current_password": old.replace('a', "correct horse battery").replace('b', "another one"),
                "new_password": new.replace('a', "correct horse battery").replace('b', "another one")}})),
        1 => name.prop_map(|name| json!({"type": "ChangeName", "actor": "a", "payload": {"first_name": name}})),
    ];
    (1..=users, command)
}

#[tokio::test]
async fn every_recorded_decision_is_made_again_just_before_it() {
    let api = Api::start();
    let mut runner = TestRunner::new(crate::seeded::seeded(1));
    let mut asked = Vec::new();
    for n in 0..400u32 {
        let (user, mut command) = wish(40).new_tree(&mut runner).unwrap().current();
        // A clock that goes back every few commands.
        api.clock
            .set(&format!("2025-03-{:02}T00:{:02}:00Z", n % 17 + 1, n % 60));
        command["command_id"] = json!(format!("c-{n}"));
        api.command(&format!("user-{user}"), &command).await;
        asked.push((user, command));
    }
    let decisions = api.get("/v1/decisions?limit=1000").await.ok();
    let decisions = decisions["items"].as_array().unwrap();
    assert_eq!(decisions.len(), asked.len());
    let mut rejected = 0;
    for decision in decisions {
        let id = decision["command_id"].as_str().unwrap();
        let number: usize = id.split_at(2).1.parse().unwrap();
        let (user, mut command) = asked[number].clone();
        match decision["payload"]["current_password_check"].as_str() {
            Some("correct") => command["password_correct"] = json!(true),
            Some("incorrect") => command["password_correct"] = json!(false),
            _ => {}
        }
        let base = if number.is_multiple_of(2) {
            json!(id)
        } else {
            decision["sequence"].clone()
        };
        let out = ask(&api, &json!({"stream": format!("user-{user}"), "at_decision": base, "do": [{ "command": command }]})).await;
        let (outcome, rule) = end(&out);
        assert_eq!(decision["outcome"], outcome, "{decision}\n{out}");
        assert_eq!(decision["rule"].as_str(), rule, "{decision}");
        assert_eq!(
            out["warnings"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|w| w["code"] == "misplaced_decision")
                .count(),
            0
        );
        rejected += usize::from(outcome == "rejected");
        if outcome == "accepted" {
            let step = &out["steps"][0];
            assert_eq!(step["revision"], decision["revision"]);
            assert_eq!(step["events"][0]["recorded_at"], decision["decided_at"]);
        }
    }
    let accepted = decisions.len() - rejected;
    assert!(accepted >= 20 && rejected >= 100, "{accepted} {rejected}");
}

/// What was asked once gets the same answer whatever is logged later.
#[tokio::test]
async fn the_same_what_if_gets_the_same_answer_after_a_hundred_thousand_more_events() {
    let api = Api::start();
    let mut runner = TestRunner::new(crate::seeded::seeded(1));
    for n in 0..120u32 {
        let (user, command) = wish(4).new_tree(&mut runner).unwrap().current();
        api.clock
            .set(&format!("2025-03-{:02}T00:{:02}:00Z", n / 6 + 1, n % 60));
        api.command(&format!("user-{user}"), &command).await;
    }
    let (positions, sequences) = api.head();
    let bases = (0..200u64).map(|n| match n % 4 {
        0 => json!({"at_position": n % (positions + 1)}),
        1 => json!({"at_decision": n % sequences + 1}),
        2 => json!({"as_of": format!("2025-03-{:02}T00:30:00Z", n % 20 + 1)}),
        _ => json!({"at_revision": n % 4}),
    });
    let mut stories = Vec::new();
    for base in bases {
        let (user, command) = wish(4).new_tree(&mut runner).unwrap().current();
        let mut what_if = json!({"stream": format!("user-{user}"), "do": [{ "command": command }, {"command": change_email("user-a")}]});
        what_if
            .as_object_mut()
            .unwrap()
            .extend(base.as_object().unwrap().clone());
        let reply = api.post("/v1/what-if", &what_if).await;
        stories.push((what_if, reply.status, reply.text));
    }
    assert!(
        stories
            .iter()
            .filter(|(_, status, _)| *status == 200)
            .count()
            > 120
    );
    // The keys change hands again and again, and a hundred thousand events follow.
    api.clock.set("2025-05-01T00:00:00Z");
    for n in 0..100u32 {
        api.command(
            &format!("user-{}", n % 4 + 1),
            &change_email(["user-a", "user-b", "user-c", "x"][n as usize % 4]),
        )
        .await;
        api.command(
            &format!("user-late-{n}"),
            &create_user(["user-a", "user-b"][n as usize % 2]),
        )
        .await;
        api.command(
            &format!("user-late-{n}"),
            &json!({"type": "DeleteUser", "actor": "a", "reason": "r"}),
        )
        .await;
    }
    let stream = StreamName::new("door-1").unwrap();
    for batch in 0..100 {
        let events: Vec<_> = (0..1_000)
            .map(|n| NewEvent::new("Seen", json!({ "n": n })))
            .collect();
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let mut append = Append::facts(stream.clone(), ExpectedRevision::Any, events, now);
        append.fresh_ids = (0..1_000).map(|n| format!("door/{batch}/{n}")).collect();
        api.daemon.store().append(append).await.unwrap();
    }
    assert!(api.head().0 > positions + 100_000);
    for (what_if, status, text) in stories {
        let again = api.post("/v1/what-if", &what_if).await;
        let mut answers =
            [text, again.text].map(|text| serde_json::from_str::<Value>(&text).unwrap());
        for answer in &mut answers {
            // A revision beyond the head may have come to be.
            if status == 404 && what_if["at_revision"].is_u64() {
                *answer = Value::Null;
            }
        }
        assert_eq!(answers[0], answers[1], "{what_if}");
    }
}
