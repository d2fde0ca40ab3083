//! Branches over HTTP: kept, read like the log, compared, exported and imported; what another log under them does.

use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use serde_json::{Value, json};
use whodunit_daemon::Config;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

use crate::support::{Api, Reply, config, request, suspend};

/// On a store in a directory, with what is kept beside it.
pub(crate) fn start_in(directory: &Path) -> Api {
    let store = LoggedStore::open(directory, StoreOptions::Durable).unwrap();
    let config = Config {
        notes: Some(directory.to_owned()),
        ..config()
    };
    Api::with(config, Arc::new(store))
}

async fn send(api: &Api, method: &str, path: &str, body: &Value) -> Reply {
    let request = request(method, path).header("content-type", "application/json");
    api.send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

async fn branch(api: &Api, name: &str, edits: Value) -> Value {
    let body = json!({"name": name, "stream": "user-1", "edits": edits});
    api.post("/v1/branches", &body).await.ok()
}

/// Sarah is suspended by mistake, refused a change of her address, and deleted because of the suspension. Anna has nothing to do
/// with it; Bert takes the address that Sarah could not.
pub(crate) async fn incident(api: &Api) {
    for (stream, name) in [("user-1", "sarah"), ("user-2", "anna"), ("user-3", "bert")] {
        api.user(stream, name).await;
    }
    let give = async |at: &str, stream: &str, command: Value| {
        api.clock.set(at);
        api.command(stream, &command).await
    };
    let suspended = give("2025-03-20T03:00:00Z", "user-1", suspend("fraud"))
        .await
        .ok();
    let cause = &suspended["events"][0]["event_id"];
    let change = |actor: &str, id: &str| json!({"type": "ChangeEmail", "payload": {"email": "sarah@example.org"}, "actor": actor, "command_id": id});
    give("2025-03-22T10:00:00Z", "user-1", change("sarah", "refused"))
        .await
        .problem(422, "rejected");
    let delete = json!({"type": "DeleteUser", "payload": {}, "actor": "job:clean-up", "reason": "inactive",
        "causation_id": cause, "command_id": "delete"});
    give("2025-03-24T15:47:23Z", "user-1", delete).await.ok();
    give("2025-03-25T09:00:00Z", "user-3", change("bert", "bert"))
        .await
        .ok();
}

const WITHOUT: &str = "no-suspension";

async fn incident_with_branch() -> Api {
    let api = Api::start();
    incident(&api).await;
    branch(&api, WITHOUT, json!([{"drop": {"revision": 2}}])).await;
    api
}

#[tokio::test]
async fn a_branch_is_read_like_the_log() {
    let api = incident_with_branch().await;
    let get = async |path: &str| {
        let with = if path.contains('?') { '&' } else { '?' };
        let reply = api.get(&format!("{path}{with}branch={WITHOUT}")).await.ok();
        assert_eq!(reply["branch"]["name"], WITHOUT, "{path}");
        assert_eq!(reply["branch"]["revision"], 1, "{path}");
        reply
    };
    let state = get("/v1/streams/user-1/state").await;
    assert_eq!(
        (&state["revision"], &state["state"]["status"]),
        (&json!(2), &json!("active"))
    );
    assert_eq!(state["state"]["email"], "sarah@example.org");
    let then = get("/v1/streams/user-1/state?as_of=2025-03-21T00:00:00Z").await;
    assert_eq!(
        (&then["revision"], &then["state"]["status"]),
        (&json!(1), &json!("active"))
    );
    let steps = get("/v1/streams/user-1/steps").await;
    let types: Vec<&Value> = steps["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["event"]["event_type"])
        .collect();
    assert_eq!(types, ["UserCreated", "UserEmailChanged"]);
    let events = get("/v1/streams/user-1/events").await;
    assert_eq!(events["items"][1]["recorded_at"], "2025-03-22T10:00:00Z");
    // The moment is that of the log: after the suspension's place.
    assert_eq!(events["items"][1]["position"], 4);
    let diff = get("/v1/streams/user-1/diff?from=1&to=2").await;
    assert!(diff["diff"].to_string().contains("sarah@example.org"));
    let blame = get("/v1/streams/user-1/blame?path=/email").await;
    assert_eq!(blame["fields"][0]["event"]["actor"], "sarah");
    assert_eq!(blame["fields"][0]["event"]["command_id"], "refused");
    let field = get("/v1/streams/user-1/field?path=/email").await;
    assert_eq!(field["values"].as_array().unwrap().len(), 2);
    let why = get("/v1/streams/user-1/why?path=/email").await;
    assert_eq!(why["hops"][1]["id"], "refused", "{why}");
    let world = get("/v1/world?category=user&where=state.status%20%3D%3D%20%22active%22").await;
    assert_eq!(world["items"].as_array().unwrap().len(), 3);
    get("/v1/world/diff?category=user").await;
    let causes = get("/v1/events/refused/causes").await;
    assert_eq!(causes["items"].as_array().unwrap().len(), 2, "{causes}");
    let correlation = get("/v1/correlations/refused").await;
    assert_eq!(
        (&correlation["events"], &correlation["refused"]),
        (&json!(1), &json!(0))
    );
    get("/v1/correlations/refused/streams").await;
    let list = get("/v1/events").await;
    let order: Vec<String> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            format!(
                "{}@{}",
                event["stream"].as_str().unwrap(),
                event["revision"]
            )
        })
        .collect();
    assert_eq!(order, ["user-1@1", "user-2@1", "user-3@1", "user-1@2"]);
    let found = get("/v1/events?q=type:UserEmailChanged").await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let lines = request(
        "GET",
        &format!("/v1/events?q=type:User*&order=forward&branch={WITHOUT}"),
    )
    .header("accept", "application/x-ndjson");
    let lines = api.send(lines.body(Body::empty()).unwrap()).await.text;
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[4]["end"]["branch"]["name"], WITHOUT, "{}", lines[4]);
    let decisions = get("/v1/decisions?outcome=rejected").await;
    assert_eq!(decisions["items"][0]["command_id"], "bert");
    let streams = get("/v1/streams?sort=recent").await;
    assert_eq!(streams["items"][0]["stream"], "user-1");
    let one = get("/v1/streams/user-1").await;
    assert_eq!(
        (&one["revision"], &one["status"]),
        (&json!(2), &json!("active"))
    );
    let body = json!({"stream": "user-1", "predicate": "state.email == \"sarah@example.org\""});
    let bisect = api
        .post(&format!("/v1/bisect?branch={WITHOUT}"), &body)
        .await
        .ok();
    assert_eq!(bisect["matches"][0]["revision"], 2);
    assert_eq!(bisect["branch"]["name"], WITHOUT);
    // The log is as it was.
    let state = api.get("/v1/streams/user-1/state").await.ok();
    assert_eq!(
        (&state["revision"], &state["state"]["status"]),
        (&json!(3), &json!("deleted"))
    );
    assert_eq!(state.get("branch"), None);
}

#[tokio::test]
async fn what_cannot_read_a_branch_refuses_it() {
    let api = incident_with_branch().await;
    for path in [
        "/v1/density",
        "/v1/streams/user-1/density",
        "/v1/categories",
        "/v1/outbox",
        "/v1/names?kind=type",
        "/v1/read-models",
        "/v1/projections",
        "/v1/notes",
        "/v1/find/summary?q=type:x",
        "/v1/export",
        "/v1/live",
    ] {
        let with = if path.contains('?') { '&' } else { '?' };
        let reply = api.get(&format!("{path}{with}branch={WITHOUT}")).await;
        assert!([400, 404].contains(&reply.status), "{path}: {}", reply.text);
        if reply.status == 400 {
            let problem = reply.problem(400, "bad_parameter");
            assert!(problem.to_string().contains("branch"), "{path}: {problem}");
        }
    }
    let lines = request(
        "GET",
        &format!("/v1/streams/user-1/events?branch={WITHOUT}"),
    )
    .header("accept", "application/x-ndjson");
    let reply = api.send(lines.body(Body::empty()).unwrap()).await;
    assert_eq!(reply.problem(400, "bad_parameter")["field"], "branch");
    let body = json!({"category": "user", "predicate": "true"});
    let wide = api
        .post(&format!("/v1/bisect?branch={WITHOUT}"), &body)
        .await;
    assert_eq!(wide.problem(400, "bad_parameter")["field"], "branch");
    // An absence in a branch is one of that branch; one of the branch itself is another.
    let missing = api
        .get(&format!("/v1/streams/user-9/state?branch={WITHOUT}"))
        .await;
    let problem = missing.problem(404, "no_such_stream");
    assert_eq!(problem["branch"]["name"], WITHOUT);
    let beyond = api
        .get(&format!(
            "/v1/streams/user-1/state?at_revision=3&branch={WITHOUT}"
        ))
        .await;
    beyond.problem(404, "revision_beyond_head");
    api.get("/v1/streams/user-1/state?branch=nothing")
        .await
        .problem(404, "no_such_branch");
}

/// A branch stands for the rules in use, asked of what was recorded: neither others nor none are taken for them.
#[tokio::test]
async fn upon_a_branch_the_rules_in_use_are_asked() {
    let api = incident_with_branch().await;
    let path = format!("/v1/what-if?branch={WITHOUT}");
    let body = |rest: Value| {
        let mut body = json!({"stream": "user-1", "continue": "redecide"});
        for (name, value) in rest.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    api.post(&path, &body(json!({}))).await.ok();
    for (rest, field) in [
        (json!({"rules": {}}), "/rules"),
        (json!({"continue": "refold"}), "/continue"),
        (json!({"continue": "none"}), "/continue"),
    ] {
        let reply = api.post(&path, &body(rest)).await;
        assert_eq!(reply.problem(400, "malformed")["field"], field);
    }
    let kept = json!({"name": "other", "stream": "user-1", "on": WITHOUT, "rules": {}});
    let reply = api.post("/v1/branches", &kept).await;
    reply.problem(400, "malformed");
}

#[tokio::test]
async fn branches_are_made_listed_renamed_and_deleted() {
    let api = incident_with_branch().await;
    let drop = json!([{"drop": {"revision": 2}}]);
    let body = |name: &str| json!({"name": name, "stream": "user-1", "edits": drop, "note": "what for", "actor": "ann"});
    api.post("/v1/branches", &body(WITHOUT))
        .await
        .problem(409, "branch_exists");
    let made = api.post("/v1/branches", &body("b")).await.ok();
    assert_eq!(
        (&made["branch"]["revision"], &made["log_standing"]),
        (&json!(1), &json!("same"))
    );
    let put = send(&api, "PUT", "/v1/branches/b", &body("b")).await.ok();
    assert_eq!(put["branch"]["revision"], 2);
    send(&api, "PUT", "/v1/branches/b", &body("c"))
        .await
        .problem(400, "malformed");
    let list = api.get("/v1/branches?limit=1").await.ok();
    assert_eq!(
        (&list["branches"], &list["items"][0]["name"]),
        (&json!(2), &json!("b"))
    );
    let cursor = list["next_cursor"].as_str().unwrap();
    let list = api
        .get(&format!("/v1/branches?limit=1&cursor={cursor}"))
        .await
        .ok();
    assert_eq!(
        (&list["items"][0]["name"], &list["next_cursor"]),
        (&json!(WITHOUT), &json!(null))
    );
    let renamed = send(
        &api,
        "PATCH",
        "/v1/branches/b",
        &json!({"name": "c", "note": ""}),
    )
    .await
    .ok();
    assert_eq!(
        (&renamed["branch"]["name"], &renamed["branch"]["note"]),
        (&json!("c"), &json!(null))
    );
    api.get("/v1/branches/b")
        .await
        .problem(404, "no_such_branch");
    send(&api, "PATCH", "/v1/branches/c", &json!({"name": WITHOUT}))
        .await
        .problem(409, "branch_exists");
    send(&api, "PATCH", "/v1/branches/c", &json!({"name": "../x"}))
        .await
        .problem(400, "malformed");
    let removed = api
        .send(
            request("DELETE", "/v1/branches/c")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(removed.ok()["branch"]["name"], "c");
    api.get("/v1/branches/c")
        .await
        .problem(404, "no_such_branch");
    // What the rules or the log refuse is not kept.
    for (edit, code) in [
        (json!({"drop": {"revision": 9}}), "bad_edit"),
        (json!({"drop_command": {"decision": "nothing"}}), "bad_edit"),
    ] {
        let body = json!({"name": "d", "stream": "user-1", "edits": [edit]});
        let problem = api.post("/v1/branches", &body).await.problem(400, code);
        assert_eq!(problem["field"], "/edits/0");
    }
    let secret = json!({"name": "d", "stream": "user-9", "at_revision": 0, "do": [{"command": crate::support::create_user("eve")}]});
    let problem = api
        .post("/v1/branches", &secret)
        .await
        .problem(400, "plaintext_secret");
    assert_eq!(problem["field"], "/do/0/command/payload/password");
    assert!(!problem.to_string().contains("correct horse"));
    for then in ["none", "refold"] {
        let body = json!({"name": "d", "stream": "user-1", "continue": then});
        let problem = api
            .post("/v1/branches", &body)
            .await
            .problem(400, "malformed");
        assert_eq!(problem["field"], "/continue");
    }
    assert_eq!(api.get("/v1/branches").await.ok()["branches"], 1);
}

#[tokio::test]
async fn worlds_are_compared() {
    let api = incident_with_branch().await;
    branch(
        &api,
        "kept",
        json!([{"replace_command": {"decision": 4, "reason": "another"}}]),
    )
    .await;
    let compared = async |of: &str, with: &str| {
        api.get(&format!("/v1/branches/{of}/compare?with={with}"))
            .await
            .ok()
    };
    let with_log = compared(WITHOUT, "log").await;
    assert_eq!(with_log["streams_total"], 2);
    assert_eq!(with_log["streams"][0]["first_divergence"], 2);
    let flips: Vec<Value> = with_log["flips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flip| {
            json!([
                flip["command_id"],
                flip["from"]["outcome"],
                flip["to"]["outcome"]
            ])
        })
        .collect();
    assert_eq!(
        json!(flips),
        json!([
            ["refused", "rejected", "accepted"],
            ["delete", "accepted", "absent"],
            ["bert", "accepted", "rejected"],
        ])
    );
    for one in [WITHOUT, "kept", "log"] {
        let same = compared(one, one).await;
        assert_eq!(
            (&same["streams"], &same["flips"]),
            (&json!([]), &json!([])),
            "{one}"
        );
        assert_eq!(same["answer"], "Nothing differs.");
    }
    for (one, other) in [(WITHOUT, "log"), (WITHOUT, "kept"), ("kept", "log")] {
        let (there, back) = (compared(one, other).await, compared(other, one).await);
        mirror(&there, &back);
    }
    let diff = |from: &str, to: &str| {
        format!("/v1/streams/user-1/diff?branch={from}&to_branch={to}&blame=true")
    };
    let across = api.get(&diff("log", WITHOUT)).await.ok();
    assert_eq!(across["to_branch"]["name"], WITHOUT);
    let status = across["diff"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["path"] == "/status")
        .unwrap();
    assert_eq!(
        (&status["before"], &status["after"]),
        (&json!("deleted"), &json!("active"))
    );
    let same = api.get(&diff(WITHOUT, WITHOUT)).await.ok();
    assert_eq!(same["diff"], json!([]));
}

/// One comparison is the other, the other way round.
pub(crate) fn mirror(there: &Value, back: &Value) {
    let swap = |entry: &Value| {
        let op = match entry["op"].as_str().unwrap() {
            "add" => "remove",
            "remove" => "add",
            other => other,
        };
        json!([entry["path"], op, entry["after"], entry["before"]])
    };
    let plain =
        |entry: &Value| json!([entry["path"], entry["op"], entry["before"], entry["after"]]);
    let streams = |reply: &Value, entry: &dyn Fn(&Value) -> Value, from: &str, to: &str| {
        let streams = reply["streams"].as_array().unwrap().iter();
        let told = streams.map(|stream| {
            let mut diff: Vec<String> = stream["diff"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| entry(one).to_string())
                .collect();
            diff.sort();
            json!([
                stream["stream"],
                stream[from],
                stream[to],
                stream["first_divergence"],
                diff
            ])
        });
        told.collect::<Vec<_>>()
    };
    assert_eq!(
        streams(there, &plain, "from_revision", "to_revision"),
        streams(back, &swap, "to_revision", "from_revision")
    );
    let flips = |reply: &Value, from: &str, to: &str| {
        let flips = reply["flips"].as_array().unwrap().iter();
        flips
            .map(|flip| json!([flip["command_id"], flip[from], flip[to]]))
            .collect::<Vec<_>>()
    };
    assert_eq!(flips(there, "from", "to"), flips(back, "to", "from"));
}

#[tokio::test]
async fn a_branch_of_a_branch_has_the_edits_of_both() {
    let api = incident_with_branch().await;
    let more = json!({"name": "child", "on": WITHOUT, "stream": "user-3", "edits": [{"drop_command": {"decision": "bert"}}]});
    let child = api.post("/v1/branches", &more).await.ok();
    assert_eq!(
        child["branch"]["on"],
        json!({"name": WITHOUT, "revision": 1})
    );
    assert_eq!(child["branch"]["layers"].as_array().unwrap().len(), 2);
    branch(
        &api,
        "flat",
        json!([{"drop": {"revision": 2}}, {"drop_command": {"decision": "bert"}}]),
    )
    .await;
    let compared = api.get("/v1/branches/child/compare?with=flat").await.ok();
    assert_eq!(compared["answer"], "Nothing differs.");
    // It stays when the one below is changed or deleted.
    let gone = api
        .send(
            request("DELETE", &format!("/v1/branches/{WITHOUT}"))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    gone.ok();
    let compared = api.get("/v1/branches/child/compare?with=flat").await.ok();
    assert_eq!(compared["answer"], "Nothing differs.");
    // What both edit is refused, by the edit of the one above.
    let twice = json!({"name": "twice", "on": "flat", "stream": "user-1", "edits": [{"drop": {"revision": 2}}]});
    let problem = api
        .post("/v1/branches", &twice)
        .await
        .problem(400, "bad_edit");
    assert_eq!(problem["field"], "/edits/0");
    let other = json!({"name": "x", "on": "flat", "stream": "user-1", "causes": "keep"});
    assert_eq!(
        api.post("/v1/branches", &other)
            .await
            .problem(400, "malformed")["field"],
        "/causes"
    );
    let missing = json!({"name": "x", "on": "nothing", "stream": "user-1"});
    assert_eq!(
        api.post("/v1/branches", &missing)
            .await
            .problem(404, "no_such_branch")["field"],
        "/on"
    );
    // A what-if upon a branch is not kept.
    let upon = json!({"stream": "user-1", "continue": "redecide",
        "do": [{"command": {"type": "DeleteUser", "payload": {}, "actor": "a", "reason": "r"}}]});
    let out = api.post("/v1/what-if?branch=flat", &upon).await.ok();
    assert_eq!(
        (&out["state"]["status"], &out["branch"]["name"]),
        (&json!("deleted"), &json!("flat"))
    );
    assert_eq!(out["state"]["email"], "sarah@example.org");
}

#[tokio::test]
async fn a_branch_goes_on_through_what_is_logged_later() {
    let api = incident_with_branch().await;
    api.clock.set("2025-04-01T00:00:00Z");
    let later = json!({"type": "SuspendUser", "payload": {}, "actor": "a", "reason": "r"});
    api.command("user-1", &later).await.problem(422, "rejected");
    let state = api
        .get(&format!("/v1/streams/user-1/state?branch={WITHOUT}"))
        .await
        .ok();
    assert_eq!(
        (&state["revision"], &state["state"]["status"]),
        (&json!(3), &json!("suspended"))
    );
    let told = api.get(&format!("/v1/branches/{WITHOUT}")).await.ok();
    assert_eq!(told["log_standing"], "grown");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).unwrap();
        }
    }
}

#[tokio::test]
async fn branches_are_there_again_and_say_when_the_log_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let (data, early) = (folder.path().join("data"), folder.path().join("early"));
    std::fs::create_dir(&data).unwrap();
    let api = start_in(&data);
    api.user("user-1", "sarah").await;
    api.daemon.close().await.unwrap();
    drop(api);
    copy(&data, &early);
    let api = start_in(&data);
    api.other_ids();
    api.command("user-1", &suspend("fraud")).await.ok();
    branch(&api, "b", json!([{"drop": {"revision": 2}}])).await;
    // As a killed daemon leaves it: nothing is closed, and the folder is read by another one.
    let copied = folder.path().join("copied");
    copy(&data, &copied);
    let again = start_in(&copied);
    let state = again.get("/v1/streams/user-1/state?branch=b").await.ok();
    assert_eq!(state["state"]["status"], "active");
    // The log goes back to what it was before, and another way: the branch's file is the same.
    std::fs::copy(
        copied.join("branches.ndjson"),
        early.join("branches.ndjson"),
    )
    .unwrap();
    let other = start_in(&early);
    other.other_ids();
    let shorter = other.get("/v1/streams/user-1/state?branch=b").await;
    shorter.problem(409, "other_history");
    other.clock.set("2025-06-01T00:00:00Z");
    other.command("user-1", &suspend("another")).await.ok();
    for n in 0..3 {
        other
            .user(&format!("user-{}", n + 5), &format!("name{n}"))
            .await;
    }
    let read = other.get("/v1/streams/user-1/state?branch=b").await;
    let problem = read.problem(409, "other_history");
    assert_eq!(problem["branch"]["name"], "b");
    let told = other.get("/v1/branches/b").await.ok();
    assert_eq!(told["log_standing"], "other");
    assert_eq!(told["warnings"][0]["code"], "other_log");
    assert_eq!(
        other.get("/v1/branches").await.ok()["items"][0]["log_standing"],
        "other"
    );
    other
        .get("/v1/branches/b/compare")
        .await
        .problem(409, "other_history");
    // The operator may say that it is right.
    let adopted = send(&other, "PATCH", "/v1/branches/b", &json!({"adopt": true}))
        .await
        .ok();
    assert_eq!(
        (&adopted["log_standing"], &adopted["branch"]["revision"]),
        (&json!("same"), &json!(2))
    );
    let state = other.get("/v1/streams/user-1/state?branch=b").await.ok();
    assert_eq!(state["state"]["status"], "active");
}

#[tokio::test]
async fn branches_whose_file_is_unusable_cost_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let api = start_in(folder.path());
    incident(&api).await;
    branch(&api, "b", json!([{"drop": {"revision": 2}}])).await;
    api.daemon.close().await.unwrap();
    drop(api);
    let file = folder.path().join("branches.ndjson");
    let whole = std::fs::read(&file).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(b"0123456789abcdef {\"name\": \"c\"");
    std::fs::write(&file, &torn).unwrap();
    let api = start_in(folder.path());
    assert_eq!(
        api.get("/v1/branches").await.ok()["branches"],
        1,
        "a torn end was never acknowledged"
    );
    api.daemon.close().await.unwrap();
    drop(api);
    let mut damaged = whole.clone();
    let last = damaged.len() - 20;
    damaged[last] ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    let api = start_in(folder.path());
    let list = api.get("/v1/branches").await.ok();
    assert_eq!(
        (&list["branches"], &list["unreadable"]),
        (&json!(0), &json!(1))
    );
    api.daemon.close().await.unwrap();
    drop(api);
    std::fs::write(&file, b"something else\n").unwrap();
    let api = start_in(folder.path());
    api.get("/v1/branches").await.problem(500, "damaged");
    api.get("/v1/streams/user-1/state").await.ok();
}

#[tokio::test]
async fn a_branch_goes_through_a_file() {
    let api = incident_with_branch().await;
    let file = api
        .get(&format!("/v1/branches/{WITHOUT}/export"))
        .await
        .ok();
    assert_eq!(file["whodunit_branch"], 1);
    api.post("/v1/branches/import", &file)
        .await
        .problem(409, "branch_exists");
    let again = api.post("/v1/branches/import?name=again", &file).await.ok();
    assert_eq!(again["log_standing"], "same");
    let same = api
        .get(&format!("/v1/branches/again/compare?with={WITHOUT}"))
        .await
        .ok();
    assert_eq!(same["answer"], "Nothing differs.");
    // Of another log it is kept, and not read.
    let other = Api::start();
    incident(&other).await;
    let kept = other.post("/v1/branches/import", &file).await.ok();
    assert_eq!(kept["log_standing"], "other");
    other
        .get(&format!("/v1/streams/user-1/state?branch={WITHOUT}"))
        .await
        .problem(409, "other_history");
    // Hostile and truncated ones are refused, by field.
    let text = file.to_string();
    for cut in [0, 1, text.len() / 2, text.len() - 1] {
        let reply = other
            .post_text(
                "/v1/branches/import",
                "application/json",
                text.get(..cut).unwrap(),
            )
            .await;
        reply.problem(400, "malformed");
    }
    for (pointer, value, field) in [
        ("/whodunit_branch", json!(99), "/whodunit_branch"),
        ("/branch/name", json!("a/../b"), "/branch/name"),
        ("/branch/name", json!("import"), "/branch/name"),
        ("/branch/revision", json!(0), "/branch/revision"),
        ("/branch/layers", json!([]), "/branch/layers"),
        ("/branch/stream", json!("user-2"), "/branch/stream"),
        (
            "/branch/layers/0/base/position",
            json!(u64::MAX),
            "/branch/layers/0/base",
        ),
        (
            "/branch/layers/0/edits",
            json!([{"drop": {"revision": -1}}]),
            "/branch/layers/0/edits/0",
        ),
        (
            "/branch/layers/0/do",
            json!([{"command": {"type": "CreateUser", "payload": {"password": "hunter2"}, "actor": "a"}}]),
            "/branch/layers/0/do/0/command/payload/password",
        ),
    ] {
        let mut file = file.clone();
        file["branch"]["layers"][0]["do"] = json!([]);
        *file.pointer_mut(pointer).unwrap() = value;
        let reply = other.post("/v1/branches/import?name=x", &file).await;
        assert_eq!(reply.status, 400, "{pointer}: {}", reply.text);
        let problem = reply.json();
        let told = problem["field"].as_str().unwrap();
        assert!(told.starts_with(field), "{pointer}: {problem}");
        assert!(!problem.to_string().contains("hunter2"));
    }
    let mut file = file.clone();
    file["branch"]["x"] = json!(1);
    other
        .post("/v1/branches/import?name=x", &file)
        .await
        .problem(400, "malformed");
}
