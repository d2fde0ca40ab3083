//! Why, necessity, refused attempts and comparisons over HTTP.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Api, suspend};

async fn ok(api: &Api, path: &str) -> Value {
    api.get(path).await.ok()
}

/// A score is reported of an account; a rule turns it into a case, and a user is suspended because of that.
async fn incident(api: &Api) {
    api.user("user-1", "sarah").await;
    api.clock.set("2025-03-20T03:00:00Z");
    let scored = json!({"event_type": "Scored", "event_id": "scored", "data": {"score": {"level": "very high"}}});
    let opened = json!({"event_type": "Opened", "event_id": "opened", "data": {"level": "very high"},
        "causation_id": "scored"});
    for (stream, event) in [("account-7", scored), ("case-9", opened)] {
        api.append(stream, &json!({"events": [event]})).await.ok();
    }
    let mut command = suspend("very high");
    command["causation_id"] = "opened".into();
    api.command("user-1", &command).await.ok();
}

fn kinds(why: &Value) -> Vec<&str> {
    let hops = why["hops"].as_array().unwrap();
    hops.iter()
        .map(|hop| hop["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn why_leads_from_a_value_to_what_caused_it_in_other_streams() {
    let api = Api::start();
    incident(&api).await;
    let why = ok(&api, "/v1/streams/user-1/why?path=/status").await;
    assert_eq!(
        (&why["value"], &why["set_by"]),
        (&json!("suspended"), &json!(2))
    );
    assert_eq!(
        kinds(&why),
        ["UserSuspended", "SuspendUser", "Opened", "Scored"]
    );
    assert_eq!(
        (&why["end"], &why["absent"]),
        (&json!("first"), &json!(false))
    );
    assert_eq!(why.get("necessity"), None);
    // A value that was copied on: those between the first and the one it comes from are skipped, and counted.
    let why = ok(&api, "/v1/streams/case-9/why?path=/level").await;
    assert_eq!(kinds(&why), ["Opened", "Scored"]);
    let last = &why["hops"][1];
    assert_eq!(last["pointer"], "/score/level");
    assert_eq!(
        last["next"],
        json!({"stream": "account-7", "revision": 1, "path": "/score/level"})
    );
    let third = json!({"event_type": "Copied", "event_id": "copied", "data": {"level": "very high"}, "causation_id": "opened"});
    api.append("copy-1", &json!({"events": [third]})).await.ok();
    let why = ok(&api, "/v1/streams/copy-1/why?path=/level").await;
    assert_eq!(kinds(&why), ["Copied", "Scored"]);
    assert_eq!(why["hops"][1]["skipped"], 1);
    let all = ok(&api, "/v1/streams/copy-1/why?path=/level&copies=true").await;
    assert_eq!(kinds(&all), ["Copied", "Opened", "Scored"]);
    assert_eq!(all["hops"][1]["copy"], true);
    // At an earlier moment it was otherwise.
    let before = ok(&api, "/v1/streams/user-1/why?path=/status&at_revision=1").await;
    assert_eq!(kinds(&before), ["UserCreated", "CreateUser"]);
    // Several fields: the one that was set last, and how many more there are.
    let why = ok(&api, "/v1/streams/account-7/why?path=/score").await;
    assert_eq!(
        (&why["path"], &why["other_fields"]),
        (&json!("/score/level"), &json!(0))
    );
    api.get("/v1/streams/user-1/why?path=/nope")
        .await
        .problem(404, "no_such_field");
    api.get("/v1/streams/user-1/why")
        .await
        .problem(400, "bad_parameter");
    api.get("/v1/streams/user-9/why?path=/x")
        .await
        .problem(404, "no_such_stream");
    let unknown = api
        .get("/v1/streams/user-1/why?path=/x&nope=1")
        .await
        .problem(400, "bad_parameter");
    let hint = unknown["hint"].as_str().unwrap();
    assert!(
        ["`necessity`", "`as_of`", "`reveal`"]
            .iter()
            .all(|name| hint.contains(name)),
        "{hint}"
    );
}

#[tokio::test]
async fn a_field_that_is_gone_has_a_reason_too() {
    let api = Api::start();
    api.fact(
        "door-1",
        "Painted",
        json!({"colour": "green", "n": {"a": 1}}),
    )
    .await;
    api.fact("door-1", "Stripped", json!({"colour": null}))
        .await;
    let why = ok(&api, "/v1/streams/door-1/why?path=/colour").await;
    assert_eq!(
        (&why["absent"], &why["value"], &why["set_by"]),
        (&json!(true), &Value::Null, &json!(2))
    );
    assert_eq!(kinds(&why), ["Stripped"]);
}

#[tokio::test]
async fn why_of_a_secret_tells_neither_it_nor_where_it_is() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let reply = api
        .get("/v1/streams/user-1/why?path=/password_hash&necessity=true")
        .await;
    assert!(!reply.text.contains("$argon2"), "{}", reply.text);
    let why = reply.ok();
    assert_eq!(
        (&why["value"], &why["redacted"]),
        (&json!("[redacted]"), &json!(["/value"]))
    );
    assert!(
        why["hops"]
            .as_array()
            .unwrap()
            .iter()
            .all(|hop| hop["pointer"].is_null())
    );
    // A value that is the same as a secret elsewhere does not find it there.
    let revealed = ok(&api, "/v1/streams/user-1/state?reveal=true").await;
    let hash = revealed["state"]["password_hash"].as_str().unwrap();
    let created = ok(&api, "/v1/streams/user-1/events").await;
    let id = created["items"][0]["event_id"].as_str().unwrap();
    let guess = json!({"event_type": "Guessed", "data": {"guess": hash}, "causation_id": id});
    api.append("guess-1", &json!({"events": [guess]}))
        .await
        .ok();
    let why = ok(&api, "/v1/streams/guess-1/why?path=/guess").await;
    assert_eq!(why["hops"][1]["type"], "UserCreated");
    assert_eq!(why["hops"][1]["pointer"], Value::Null);
    assert_eq!(why["hops"][1]["next"]["path"], Value::Null);
}

#[tokio::test]
async fn necessity_says_whether_it_would_be_otherwise() {
    let api = Api::start();
    for (event, data) in [
        ("Opened", json!({"status": "open", "n": 1})),
        ("Closed", json!({"status": "closed"})),
        ("ClosedAgain", json!({"status": "closed"})),
        ("Counted", json!({"n": 2})),
    ] {
        api.fact("door-1", event, data).await;
    }
    let necessity = async |path: &str, more: &str| {
        let path = format!("/v1/streams/door-1/why?path={path}&necessity=true{more}");
        ok(&api, &path).await["necessity"].clone()
    };
    let status = necessity("/status", "").await;
    assert_eq!(
        (&status["kind"], &status["by"]),
        (&json!("overdetermined"), &json!(3))
    );
    assert_eq!(status["event"]["event_type"], "ClosedAgain");
    let then = necessity("/status", "&at_revision=2").await;
    assert_eq!(
        (&then["kind"], &then["without"]),
        (&json!("necessary"), &json!("open"))
    );
    let n = necessity("/n", "&at_revision=3").await;
    assert_eq!(
        (&n["kind"], &n["absent_without"]),
        (&json!("necessary"), &json!(true))
    );
}

proptest! {
    #![proptest_config(crate::seeded::seeded(24))]

    /// Folding a copy of the stream without the event tells the same.
    #[test]
    fn necessity_is_what_a_copy_without_the_event_has(
        values in prop::collection::vec((0..3u8, 0..3u8), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let api = Api::start();
            let data = |(name, value): (u8, u8)| {
                let value = if value == 0 { Value::Null } else { value.into() };
                json!({ format!("f{name}"): value })
            };
            for pair in &values {
                api.fact("a-1", "Set", data(*pair)).await;
            }
            for name in 0..3 {
                let path = format!("/v1/streams/a-1/why?path=/f{name}&necessity=true");
                let reply = api.get(&path).await;
                if reply.status == 404 {
                    continue;
                }
                let why = reply.ok();
                let set_by = why["set_by"].as_u64().unwrap();
                let copy = format!("a-{name}copy");
                api.fact(&copy, "Begun", json!({"begun": 1})).await;
                for (pair, revision) in values.iter().zip(1..) {
                    if revision != set_by {
                        api.fact(&copy, "Set", data(*pair)).await;
                    }
                }
                let without = ok(&api, &format!("/v1/streams/{copy}/state")).await;
                let without = without["state"].get(format!("f{name}")).cloned();
                let actual = (why["absent"] == false).then(|| why["value"].clone());
                let necessity = &why["necessity"];
                assert_eq!(necessity["kind"] == "necessary", without != actual, "{why}");
                if necessity["kind"] == "necessary" {
                    assert_eq!(necessity["absent_without"] == true, without.is_none());
                    assert_eq!(necessity["without"], without.unwrap_or_default());
                }
            }
        });
    }
}

#[tokio::test]
async fn refused_attempts_are_counted_where_they_would_have_changed_something() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let name = json!({"type": "ChangeName", "payload": {"first_name": "Some"}, "actor": "sarah"});
    api.command("user-1", &name).await.problem(422, "rejected");
    api.clock.set("2025-03-20T03:00:00Z");
    api.command("user-1", &suspend("fraud")).await.ok();
    api.clock.set("2025-03-21T03:00:00Z");
    let email =
        json!({"type": "ChangeEmail", "payload": {"email": "x@example.com"}, "actor": "sarah"});
    for command in [&email, &email, &suspend("again")] {
        api.command("user-1", command)
            .await
            .problem(422, "rejected");
    }
    let blame = ok(&api, "/v1/streams/user-1/blame").await;
    let refused = |path: &str| {
        let fields = blame["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["path"] == path).unwrap();
        field
            .get("refused")
            .map_or(0, |refused| refused["total"].as_u64().unwrap())
    };
    // By name, and where it was set by the same kind of command; not what names other fields.
    assert_eq!(
        (
            refused("/email"),
            refused("/first_name"),
            refused("/last_name")
        ),
        (2, 1, 0)
    );
    assert_eq!(refused("/status"), 1);
    let then = ok(
        &api,
        "/v1/streams/user-1/blame?as_of=2025-03-20T12:00:00Z&path=/email",
    )
    .await;
    assert_eq!(then["fields"][0].get("refused"), None);
    let early = ok(
        &api,
        "/v1/streams/user-1/blame?at_revision=1&path=/first_name",
    )
    .await;
    let attempt = &early["fields"][0]["refused"]["last"][0];
    assert_eq!(
        (&attempt["rule"], &attempt["actor"]),
        (&json!("name.unchanged"), &json!("sarah"))
    );
    // In a history they stand at the value that they would have changed.
    let history = ok(&api, "/v1/streams/user-1/field?path=/status").await;
    let counts: Vec<_> = history["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value["refused"]["total"].clone())
        .collect();
    assert_eq!(counts, [Value::Null, json!(1)]);
    for order in ["forward", "backward"] {
        let (mut total, mut cursor) = (0, String::new());
        loop {
            let page = ok(
                &api,
                &format!("/v1/streams/user-1/field?path=/updated_at&order={order}&limit=1{cursor}"),
            )
            .await;
            for value in page["values"].as_array().unwrap() {
                total += value["refused"]["total"].as_u64().unwrap_or_default();
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(total, 1, "{order}");
    }
    // Before there was any value.
    let nameless = json!({"type": "CreateUser", "payload": {"username": "x", "email": "e", "first_name": "a", "last_name": "b",
        "password": "long enough"}, "actor": "api"});
    api.command("user-2", &nameless)
        .await
        .problem(422, "rejected");
    api.user("user-2", "peter").await;
    let history = ok(
        &api,
        "/v1/streams/user-2/field?path=/username&order=backward",
    )
    .await;
    assert_eq!(history["refused_before"]["total"], 1);
    assert_eq!(history["values"][0].get("refused"), None);
}

#[tokio::test]
async fn a_comparison_says_what_set_each_side() {
    let api = Api::start();
    for (event, data) in [
        (
            "A",
            json!({"city": "Ulm", "tags": ["x"], "gone": {"a": 1}, "address": {"zip": 1, "street": "s"}}),
        ),
        ("B", json!({"city": "Bonn"})),
        ("C", json!({"gone": null, "address": {"zip": 2}})),
        ("D", json!({"city": "Kiel", "new": {"deep": true}})),
    ] {
        api.fact("cart-1", event, data).await;
    }
    let diff = ok(&api, "/v1/streams/cart-1/diff?from=1&to=4&blame=true").await;
    let sides: Vec<_> = diff["blame"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let revision = |side: &str| one[side]["revision"].as_u64();
            (
                one["path"].as_str().unwrap().to_owned(),
                revision("before"),
                revision("after"),
            )
        })
        .collect();
    let of = |path: &str| {
        sides
            .iter()
            .find(|side| side.0 == path)
            .map(|side| (side.1, side.2))
    };
    assert_eq!(of("/city"), Some((Some(1), Some(4))));
    assert_eq!(of("/gone"), Some((Some(1), Some(3))));
    assert_eq!(of("/address/zip"), Some((Some(1), Some(3))));
    assert_eq!(of("/new"), Some((None, Some(4))));
    assert_eq!(diff["blame"][0]["after"]["event"]["event_type"], "D");
    // The other way round the sides change places.
    let back = ok(&api, "/v1/streams/cart-1/diff?from=4&to=1&blame=true").await;
    let gone = back["blame"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["path"] == "/gone")
        .unwrap();
    assert_eq!(
        (&gone["before"]["revision"], &gone["after"]["revision"]),
        (&json!(3), &json!(1))
    );
    // A path, also of what came or went as a whole.
    let part = ok(&api, "/v1/streams/cart-1/diff?from=1&to=4&path=/address").await;
    assert_eq!(
        part["diff"],
        json!([{"path": "/address/zip", "op": "replace", "before": 1, "after": 2}])
    );
    let part = ok(&api, "/v1/streams/cart-1/diff?from=1&to=4&path=/new/deep").await;
    assert_eq!(
        part["diff"],
        json!([{"path": "/new/deep", "op": "add", "after": true}])
    );
    api.get("/v1/streams/cart-1/diff?path=/nope")
        .await
        .problem(404, "no_such_field");
    // Two streams.
    api.fact("cart-2", "A", json!({"city": "Kiel"})).await;
    let two = ok(
        &api,
        "/v1/streams/cart-1/diff?from=4&to_stream=cart-2&path=/city&blame=true",
    )
    .await;
    assert_eq!(
        (&two["to_stream"], &two["diff"]),
        (&json!("cart-2"), &json!([]))
    );
    let two = ok(
        &api,
        "/v1/streams/cart-1/diff?from=1&to_stream=cart-2&path=/city&blame=true",
    )
    .await;
    let side = &two["blame"][0];
    assert_eq!(
        (
            &side["before"]["event"]["position"],
            &side["after"]["event"]["position"]
        ),
        (&json!(1), &json!(5))
    );
    api.user("user-1", "sarah").await;
    api.get("/v1/streams/cart-1/diff?to_stream=user-1")
        .await
        .problem(400, "bad_parameter");
}

proptest! {
    #![proptest_config(crate::seeded::seeded(12))]

    /// Each side was set by the last change of the field up to there, as its history tells.
    #[test]
    fn sides_are_those_of_the_fields_histories(
        values in prop::collection::vec((0..3u8, 0..3u8), 1..7),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let api = Api::start();
            for (name, value) in &values {
                let value = if *value == 0 { Value::Null } else { (*value).into() };
                api.fact("a-1", "Set", json!({ format!("f{name}"): value })).await;
            }
            let head = values.len() as u64;
            for from in 0..=head {
                for to in 0..=head {
                    let path = format!("/v1/streams/a-1/diff?from={from}&to={to}&blame=true");
                    check_sides(&api, &ok(&api, &path).await, (from, to)).await;
                }
            }
        });
    }
}

async fn check_sides(api: &Api, diff: &Value, (from, to): (u64, u64)) {
    let entries = diff["diff"].as_array().unwrap().iter();
    for (entry, sides) in entries.zip(diff["blame"].as_array().unwrap()) {
        let path = entry["path"].as_str().unwrap();
        let history = ok(api, &format!("/v1/streams/a-1/field?path={path}")).await;
        let last = |at: u64| {
            let values = history["values"].as_array().unwrap();
            let revisions = values
                .iter()
                .map(|value| value["revision"].as_u64().unwrap());
            revisions.filter(|revision| *revision <= at).max()
        };
        for (side, at, is_later) in [("before", from, from > to), ("after", to, to > from)] {
            let is_there = entry.get(side).is_some();
            let expected = if is_there || is_later { last(at) } else { None };
            let told = sides[side]["revision"].as_u64();
            assert_eq!(
                told, expected,
                "{side} of {path} from {from} to {to}: {diff}"
            );
        }
    }
}
