//! Re-decide over HTTP: the recorded commands that a change can reach are asked again, in every stream.
//!
//! `REDECIDE_HISTORIES=200 cargo test --workspace --test api redecide` runs as many random histories as it says; `REDECIDE_SEED`
//! starts elsewhere. A failure names its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Api, Reply};

const HISTORIES: u64 = 12;
const SEED: u64 = 0x1ab0;

async fn ask(api: &Api, body: &Value) -> Reply {
    api.post("/v1/what-if?steps=all", body).await
}

/// Sarah is suspended by mistake, refused a change of her address, and deleted because of the suspension. Anna has nothing to do
/// with it; Bert wants the address that Sarah could not take.
async fn incident(api: &Api) {
    for (stream, name) in [("user-1", "sarah"), ("user-2", "anna"), ("user-3", "bert")] {
        api.user(stream, name).await;
    }
    let give = async |at: &str, stream: &str, command: Value| {
        api.clock.set(at);
        api.command(stream, &command).await
    };
    let suspend = json!({"type": "SuspendUser", "payload": {}, "actor": "fraud-scan", "reason": "fraud_detected"});
    let suspended = give("2025-03-20T03:00:00Z", "user-1", suspend).await.ok();
    let cause = &suspended["events"][0]["event_id"];
    let change = |actor: &str| json!({"type": "ChangeEmail", "payload": {"email": "sarah@example.org"}, "actor": actor});
    give("2025-03-22T10:00:00Z", "user-1", change("sarah"))
        .await
        .problem(422, "rejected");
    let delete = json!({"type": "DeleteUser", "payload": {}, "actor": "job:clean-up", "reason": "inactive",
        "causation_id": cause});
    give("2025-03-24T15:47:23Z", "user-1", delete).await.ok();
    give("2025-03-25T09:00:00Z", "user-3", change("bert"))
        .await
        .ok();
}

#[tokio::test]
async fn without_the_suspension_the_change_goes_through_and_the_deletion_is_not_issued() {
    let api = Api::start();
    incident(&api).await;
    let without =
        json!({"stream": "user-1", "edits": [{"drop": {"revision": 2}}], "continue": "redecide"});
    let out = ask(&api, &without).await.ok();
    assert_eq!(out["mode"], "redecide");
    let flips = out["flips"].as_array().unwrap().iter();
    let flips: Vec<Value> = flips
        .map(|flip| {
            json!([
                flip["stream"],
                flip["type"],
                flip["was"]["outcome"],
                flip["outcome"],
                flip["rule"]
            ])
        })
        .collect();
    assert_eq!(
        json!(flips),
        json!([
            ["user-1", "ChangeEmail", "rejected", "accepted", null],
            ["user-1", "DeleteUser", "accepted", "not_issued", null],
            [
                "user-3",
                "ChangeEmail",
                "accepted",
                "rejected",
                "email.taken"
            ],
        ])
    );
    let again = &out["redecided"];
    assert_eq!((&again["asked"], &again["later"]), (&json!(2), &json!(3)));
    assert_eq!(
        (&again["streams_reached"], &again["streams_untouched"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(out["state"]["status"], "active");
    assert_eq!(out["state"]["email"], "sarah@example.org");
    assert_eq!(out["actual"]["state"]["status"], "deleted");
    assert_eq!(out["first_divergence"], 2);
    assert_eq!(
        again["answer"],
        "sarah@example.com would not have been deleted: DeleteUser by job:clean-up followed from UserSuspended (rev 2), \
         which is gone, so it would not have been issued. \
         The email of sarah@example.com would have been changed: ChangeEmail by sarah on Sat 22 Mar 2025 10:00:00 UTC, \
         which user.suspended refused, would have gone through. \
         The email of sarah@example.org would not have been changed: ChangeEmail by bert on Tue 25 Mar 2025 09:00:00 UTC \
         would have been refused by email.taken."
    );
    assert!(!out.to_string().contains("$argon2id"), "secrets are hidden");
    // The same events applied again, with no rule asked: she is deleted still.
    let refolded =
        json!({"stream": "user-1", "edits": [{"drop": {"revision": 2}}], "continue": "refold"});
    let out = ask(&api, &refolded).await.ok();
    assert_eq!(
        (&out["mode"], &out["state"]["status"]),
        (&json!("refold"), &json!("deleted"))
    );
    // Whatever happened to its cause, the deletion comes.
    let kept = json!({"stream": "user-1", "edits": [{"drop": {"revision": 2}}], "continue": "redecide", "causes": "keep"});
    let out = ask(&api, &kept).await.ok();
    assert_eq!(out["state"]["status"], "deleted");
    assert_eq!(out["state"]["email"], "sarah@example.org");
}

/// The rules are asked where commands are on record for what is changed; where there are none, the events stand as they were
/// recorded. Every reply says which it was, and why.
#[tokio::test]
async fn the_rules_are_asked_where_commands_are_on_record() {
    let api = Api::start();
    incident(&api).await;
    let append = json!({"expected_revision": "no_stream", "events": [
        {"event_type": "OrderPlaced", "data": {"total": 3}}, {"event_type": "OrderPaid", "data": {"paid": true}}]});
    api.post("/v1/streams/order-1/events", &append).await.ok();
    let came = async |body: Value| {
        let out = ask(&api, &body).await.ok();
        let state = out["state"]["status"].clone();
        json!([out["mode"], out["mode_reason"], state])
    };
    let drop = json!([{"drop": {"revision": 2}}]);
    let of = |stream: &str, edits: &Value, then: &str| json!({"stream": stream, "edits": edits, "continue": then});
    assert_eq!(
        came(of("user-1", &drop, "auto")).await,
        json!(["redecide", "commands_on_record", "active"])
    );
    assert_eq!(
        came(of("user-1", &drop, "redecide")).await,
        json!(["redecide", "asked", "active"])
    );
    assert_eq!(
        came(of("user-1", &drop, "refold")).await,
        json!(["refold", "asked", "deleted"])
    );
    assert_eq!(
        came(of("user-1", &json!([]), "none")).await,
        json!(["none", "asked", "deleted"])
    );
    // Nothing is changed: nothing is reached, and nothing is left to events as they were recorded.
    assert_eq!(
        came(of("order-1", &json!([]), "auto")).await,
        json!(["redecide", "commands_on_record", null])
    );
    let raw = of("order-1", &json!([{"drop": {"revision": 1}}]), "auto");
    assert_eq!(
        came(raw).await,
        json!(["refold", "no_command_on_record", null])
    );
    // Appended raw to a stream with commands: those are asked.
    let suspended = json!({"expected_revision": "any", "events": [{"event_type": "UserSuspended", "data": {}}]});
    api.post("/v1/streams/user-2/events", &suspended).await.ok();
    let change = json!({"type": "ChangeName", "payload": {"last_name": "Ito"}, "actor": "anna"});
    api.command("user-2", &change)
        .await
        .problem(422, "rejected");
    assert_eq!(
        came(of("user-2", &drop, "auto")).await,
        json!(["redecide", "commands_on_record", "active"])
    );
}

/// A command may be put after an event that no command led to, and what an event says and what surrounds it may be edited at once.
#[tokio::test]
async fn a_command_comes_after_a_revision_and_an_event_is_edited_twice_over() {
    let api = Api::start();
    incident(&api).await;
    let suspend = json!({"type": "SuspendUser", "actor": "a", "reason": "first"});
    let edits = json!([{"insert_command": {"place": {"after_revision": 1}, "command": suspend}}]);
    let body = json!({"stream": "user-1", "edits": edits, "continue": "auto"});
    let out = ask(&api, &body).await.ok();
    let flip = &out["flips"][0];
    assert_eq!(
        (&flip["type"], &flip["rule"]),
        (&json!("SuspendUser"), &json!("user.suspended"))
    );
    let edits = json!([{"replace": {"revision": 2, "data": {"reason": "typo"}}},
        {"change": {"revision": 2, "actor": "intern"}}]);
    let body = json!({"stream": "user-1", "edits": edits, "continue": "redecide"});
    let out = ask(&api, &body).await.ok();
    let event = &out["steps"][0]["events"][0];
    assert_eq!(
        (&event["data"]["reason"], &event["actor"]),
        (&json!("typo"), &json!("intern"))
    );
    let twice = json!([{"change": {"revision": 2, "actor": "a"}}, {"change": {"revision": 2, "actor": "b"}}]);
    let body = json!({"stream": "user-1", "edits": twice, "continue": "redecide"});
    ask(&api, &body).await.problem(400, "bad_edit");
    let beyond = json!([{"insert_command": {"place": {"after_revision": 9},
        "command": {"type": "ReactivateUser", "actor": "a"}}}]);
    let body = json!({"stream": "user-1", "edits": beyond, "continue": "redecide"});
    ask(&api, &body).await.problem(400, "bad_edit");
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let api = Api::start();
    incident(&api).await;
    let edited =
        |edit: Value, then: &str| json!({"stream": "user-1", "edits": [edit], "continue": then});
    let drop = json!({"drop_command": {"decision": 4}});
    ask(&api, &edited(drop.clone(), "redecide")).await.ok();
    ask(&api, &edited(drop, "refold"))
        .await
        .problem(400, "bad_edit");
    for edit in [
        json!({"drop_command": {"decision": 99}}),
        json!({"drop_command": {"decision": "nothing"}}),
        json!({"drop": {"revision": 9}}),
        json!({"change": {"revision": 0, "actor": "a"}}),
        json!({"move": {"revision": 2, "after_revision": 9}}),
    ] {
        let problem = ask(&api, &edited(edit, "redecide")).await;
        let problem = problem.problem(400, "bad_edit");
        assert_eq!(problem["field"], "/edits/0");
    }
    let kept = json!({"stream": "user-1", "continue": "refold", "causes": "keep"});
    let problem = ask(&api, &kept).await.problem(400, "malformed");
    assert_eq!(problem["field"], "/causes");
    let unfit = json!({"insert_command": {"place": {"before": 4}, "command": {"type": "SuspendUser", "payload": {"x": 1}, "actor": "a"}}});
    let problem = ask(&api, &edited(unfit, "redecide")).await;
    let problem = problem.problem(400, "malformed");
    let field = problem["field"].as_str().unwrap();
    assert!(
        field.starts_with("/edits/0/insert_command/command/payload"),
        "{field}"
    );
    // Whatever is wrong with a command is told where it stands.
    api.fact("door-1", "Opened", json!({})).await;
    let open = json!({"type": "Open", "payload": {}, "actor": "a"});
    let late = json!({"type": "SuspendUser", "payload": {}, "actor": "a", "expected_revision": 9});
    for (command, stream, (status, code), field) in [
        (open, "door-1", (400, "no_model"), ""),
        (
            late,
            "user-1",
            (409, "wrong_revision"),
            "/expected_revision",
        ),
    ] {
        let edit = json!({"insert_command": {"place": {"before": 4}, "stream": stream, "command": command}});
        let problem = ask(&api, &edited(edit, "redecide")).await;
        let problem = problem.problem(status, code);
        let expected = format!("/edits/0/insert_command/command{field}");
        assert_eq!(problem["field"], expected.as_str());
    }
}

#[tokio::test]
async fn an_action_at_a_moment_changes_what_comes_later() {
    let api = Api::start();
    incident(&api).await;
    // Bert takes the address before Sarah asks for it, and Sarah was never suspended.
    let body = json!({"stream": "user-3", "at_decision": 5, "continue": "redecide",
        "edits": [{"drop_command": {"decision": 4}}],
        "do": [{"command": {"type": "ChangeEmail", "payload": {"email": "sarah@example.org"}, "actor": "bert"}}]});
    let out = ask(&api, &body).await.ok();
    let steps: Vec<Value> = out["steps"].as_array().unwrap().clone();
    let told: Vec<Value> = steps
        .iter()
        .map(|step| {
            json!([
                step["stream"],
                step["type"],
                step["outcome"],
                step["change"],
                step["rule"]
            ])
        })
        .collect();
    assert_eq!(
        json!(told),
        json!([
            ["user-1", "SuspendUser", "dropped", "dropped", null],
            ["user-3", "ChangeEmail", "accepted", "added", null],
            [
                "user-1",
                "ChangeEmail",
                "rejected",
                "changed",
                "email.taken"
            ],
            ["user-1", "DeleteUser", "not_issued", "not_issued", null],
            [
                "user-3",
                "ChangeEmail",
                "rejected",
                "flip",
                "email.unchanged"
            ],
        ])
    );
}

pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    all
}

#[tokio::test]
async fn nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let api = Api::start_in(folder.path());
    incident(&api).await;
    let before = files(folder.path());
    for edit in [
        json!({"drop": {"revision": 1}}),
        json!({"drop": {"revision": 2}}),
        json!({"drop_command": {"decision": 1}}),
        json!({"move_command": {"decision": 5, "place": {"before": 4}}}),
        json!({"replace_command": {"decision": 4, "reason": "another"}}),
    ] {
        let body = json!({"stream": "user-1", "edits": [edit], "continue": "redecide"});
        ask(&api, &body).await.ok();
    }
    assert!(files(folder.path()) == before, "the folder has changed");
}

/// `SplitMix64`.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}

pub(crate) struct Given {
    pub(crate) at: String,
    pub(crate) stream: String,
    pub(crate) command: Value,
}

/// Random commands on a few users who want the same few addresses.
pub(crate) fn commands(random: &mut Random) -> Vec<Given> {
    let mut given: Vec<Given> = Vec::new();
    for n in 0..30 {
        let stream = format!("user-{}", random.below(4));
        let address = format!("a{}@example.com", random.below(4));
        let (kind, payload) = match random.below(7) {
            0 | 1 => (
                "CreateUser",
                json!({"username": format!("name{}", random.below(5)), "email": address,
                    "first_name": "A", "last_name": "B", "password": "correct horse"}),
            ),
            2 | 3 => ("ChangeEmail", json!({"email": address})),
            4 => ("SuspendUser", json!({})),
            5 => ("ReactivateUser", json!({})),
            _ => ("DeleteUser", json!({})),
        };
        let mut command = json!({"type": kind, "payload": payload, "actor": "a", "reason": "r", "command_id": format!("c{n}")});
        if n > 0 && random.below(3) == 0 {
            command["causation_id"] = json!(format!("c{}", random.below(n)));
        }
        let at = format!("2025-03-02T10:{n:02}:00Z");
        given.push(Given {
            at,
            stream,
            command,
        });
    }
    given
}

pub(crate) async fn give(api: &Api, given: &Given) {
    api.clock.set(&given.at);
    let status = api.command(&given.stream, &given.command).await.status;
    assert!([200, 422].contains(&status));
}

/// Each decision's outcome and rule by its command.
async fn outcomes(api: &Api) -> BTreeMap<String, Value> {
    let decisions = api.get("/v1/decisions?limit=1000").await.ok();
    let decisions = decisions["items"].as_array().unwrap().iter();
    decisions
        .map(|decision| {
            let id = decision["command_id"].as_str().unwrap().to_owned();
            (id, json!([decision["outcome"], decision["rule"]]))
        })
        .collect()
}

/// A dropped command equals a fresh store that was never given it, nor what it caused.
#[tokio::test]
async fn a_dropped_command_equals_a_fresh_store_without_it() {
    let number = |name: &str, default: u64| {
        let given = std::env::var(name).ok();
        given.map_or(default, |text| text.parse().unwrap())
    };
    let seed = number("REDECIDE_SEED", SEED);
    for history in 0..number("REDECIDE_HISTORIES", HISTORIES) {
        let seed = seed.wrapping_add(history);
        println!("REDECIDE_SEED={seed} REDECIDE_HISTORIES=1");
        let mut random = Random(seed);
        let given = commands(&mut random);
        let recorded = Api::start();
        for given in &given {
            give(&recorded, given).await;
        }
        for causes in ["follow", "keep"] {
            let dropped = random.below(given.len());
            check(&recorded, &given, dropped, causes).await;
        }
    }
}

async fn check(recorded: &Api, given: &[Given], dropped: usize, causes: &str) {
    let fresh = Api::start();
    let mut gone = BTreeSet::new();
    for (index, given) in given.iter().enumerate() {
        let (id, cause) = (&given.command["command_id"], &given.command["causation_id"]);
        let is_gone =
            causes == "follow" && cause.as_str().is_some_and(|cause| gone.contains(cause));
        if index == dropped || is_gone {
            gone.insert(id.as_str().unwrap());
        } else {
            give(&fresh, given).await;
        }
    }
    let expected = outcomes(&fresh).await;
    let id = format!("c{dropped}");
    let body = json!({"stream": given[dropped].stream, "at_revision": 0, "continue": "redecide", "causes": causes,
        "edits": [{"drop_command": {"decision": id}}]});
    let out = recorded
        .post("/v1/what-if?steps=all&limit=1000", &body)
        .await
        .ok();
    let mut found = outcomes(recorded).await;
    for step in out["steps"].as_array().unwrap() {
        let sequence = step["decision"].as_u64().unwrap();
        let id = format!("c{}", sequence - 1);
        match step["outcome"].as_str().unwrap() {
            "accepted" => drop(found.insert(id, json!(["accepted", null]))),
            "rejected" => drop(found.insert(id, json!(["rejected", step["rule"]]))),
            _ => drop(found.remove(&id)),
        }
    }
    let plain = |outcomes: BTreeMap<String, Value>| -> BTreeMap<String, Value> {
        let whole = |value: Value| json!([value[0], value[1]]);
        outcomes
            .into_iter()
            .map(|(id, value)| (id, whole(value)))
            .collect()
    };
    assert_eq!(plain(found), plain(expected), "{id} {causes}");
    for worlds in out["redecided"]["streams"].as_array().unwrap() {
        let stream = worlds["stream"].as_str().unwrap();
        if worlds["revision"] == 0 {
            continue;
        }
        let state = fresh.get(&format!("/v1/streams/{stream}/state")).await.ok();
        assert_eq!(state["revision"], worlds["revision"], "{stream}");
        if worlds["diff"] == json!([]) {
            continue;
        }
        for field in ["username", "email", "status", "updated_at"] {
            assert_eq!(
                state["state"][field], worlds["state"][field],
                "{stream} {field}"
            );
        }
    }
}
