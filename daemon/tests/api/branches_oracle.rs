//! Branches of random histories: every read of one equals that of a fresh store, comparisons mirror each other, a branch of a branch is one
//! with the edits of both, and nothing is written.
//!
//! `BRANCH_HISTORIES=200 cargo test --workspace --test api branches_oracle` runs as many histories as it says, `BRANCH_SEED` starts
//! elsewhere, and `WHAT_IFS=10000` tries as many what-ifs on one folder. A failure names its seed.

#![expect(clippy::print_stdout, reason = "a failure names its seed")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::branches::start_in;
use crate::redecide::{Given, Random, commands, files, give};
use crate::support::Api;

const HISTORIES: u64 = 8;
const SEED: u64 = 0xb4a2;
const WHAT_IFS: u64 = 60;

fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().unwrap())
}

fn seeds() -> impl Iterator<Item = u64> {
    let seed = number("BRANCH_SEED", SEED);
    (0..number("BRANCH_HISTORIES", HISTORIES)).map(move |history| {
        let seed = seed.wrapping_add(history);
        println!("BRANCH_SEED={seed} BRANCH_HISTORIES=1");
        seed
    })
}

/// What two stores number or name by themselves.
const OWN: [&str; 17] = [
    "event_id",
    "position",
    "positions",
    "sequence",
    "branch",
    "password_hash",
    "head",
    "next_cursor",
    "base_position",
    "first_position",
    "last_position",
    "at_position",
    "snapshot_revision",
    "metadata",
    "redacted",
    "scanned",
    "id",
];

/// A reply without that; events are named by their stream and revision elsewhere.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(name, _)| !OWN.contains(&name.as_str()));
            Value::Object(
                kept.map(|(name, value)| (name.clone(), plain(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(plain).collect();
            // Decisions are listed by their numbers: in a branch those of the log stay, and what is not on record follows them.
            items.sort_by_key(|item| item.get("command_id").map(Value::to_string));
            Value::Array(items)
        }
        other => other.clone(),
    }
}

async fn read(api: &Api, path: &str, branch: Option<&str>) -> (u16, Value) {
    let with = if path.contains('?') { '&' } else { '?' };
    let path = branch.map_or(path.to_owned(), |name| format!("{path}{with}branch={name}"));
    let reply = api.get(&path).await;
    (reply.status, plain(&reply.json()))
}

fn paths(given: &[Given]) -> Vec<String> {
    let mut paths = vec![
        "/v1/events?limit=1000".to_owned(),
        "/v1/events?limit=1000&order=backward".to_owned(),
        "/v1/events?limit=1000&q=type:UserEmailChanged".to_owned(),
        "/v1/events?limit=1000&q=changed:/email".to_owned(),
        "/v1/decisions?limit=1000&outcome=rejected".to_owned(),
        "/v1/streams".to_owned(),
        "/v1/streams?sort=recent".to_owned(),
        "/v1/streams?status=active".to_owned(),
        "/v1/world?category=user".to_owned(),
        "/v1/world?as_of=2025-03-02T10:15:00Z".to_owned(),
        "/v1/world/diff?from=2025-03-02T10:10:00Z&to=2025-03-02T10:20:00Z".to_owned(),
    ];
    for n in 0..4 {
        for what in [
            "",
            "/state",
            "/steps",
            "/events",
            "/events?order=backward",
            "/blame",
            "/blame?removed=true",
            "/field?path=/email",
            "/why?path=/status",
            "/diff?blame=true",
            "/state?as_of=2025-03-02T10:15:00Z",
            "/state?at_revision=2",
            "/steps?order=backward&limit=2",
        ] {
            paths.push(format!("/v1/streams/user-{n}{what}"));
        }
    }
    for given in given.iter().step_by(5) {
        let id = given.command["command_id"].as_str().unwrap();
        paths.push(format!("/v1/correlations/{id}"));
        paths.push(format!("/v1/correlations/{id}/streams"));
        paths.push(format!("/v1/events/{id}/causes"));
    }
    paths
}

/// Edits of the commands given, and what a fresh store is given instead of them.
#[derive(Default)]
struct Edited {
    dropped: BTreeSet<usize>,
    /// What a command asks for instead.
    replaced: BTreeMap<usize, (&'static str, Value)>,
    /// What is put right before a command, and the number of its edit.
    inserted: Vec<(usize, usize, String)>,
    /// What comes right before another command.
    moved: BTreeMap<usize, usize>,
    edits: Vec<Value>,
}

fn named(index: usize) -> String {
    format!("c{index}")
}

impl Edited {
    /// One to four edits, each of another command. What has a cause is not moved: a cause that comes later is another question.
    fn random(random: &mut Random, given: &[Given]) -> Self {
        let mut edited = Self::default();
        let mut used = BTreeSet::new();
        for _ in 0..=random.below(4) {
            let index = random.below(given.len());
            if !used.insert(index) {
                continue;
            }
            let address = json!({"email": format!("a{}@example.com", random.below(4))});
            let place = random.below(given.len());
            let caused = given[index].command["causation_id"].is_string();
            match random.below(4) {
                0 => {
                    edited
                        .replaced
                        .insert(index, ("ChangeEmail", address.clone()));
                    edited.edits.push(json!({"replace_command": {"decision": named(index), "type": "ChangeEmail", "payload": address}}));
                }
                1 => {
                    let stream = format!("user-{}", random.below(4));
                    edited.edits.push(json!({"insert_command": {"stream": stream, "place": {"before": named(index)}, "command": command(&address)}}));
                    edited.inserted.push((index, edited.edits.len(), stream));
                }
                2 if !caused && place != index && used.insert(place) => {
                    edited.moved.insert(index, place);
                    edited.edits.push(json!({"move_command": {"decision": named(index), "place": {"before": named(place)}}}));
                }
                _ => {
                    edited.dropped.insert(index);
                    edited
                        .edits
                        .push(json!({"drop_command": {"decision": named(index)}}));
                }
            }
        }
        edited
    }

    /// A fresh store that is given the edited list: never what was dropped, nor what that caused.
    async fn fresh(&self, given: &[Given]) -> Api {
        let fresh = Api::start();
        let mut gone = BTreeSet::new();
        for (index, own) in given.iter().enumerate() {
            for (before, number, stream) in &self.inserted {
                if *before == index {
                    let mut command =
                        command(&self.edits[number - 1]["insert_command"]["command"]["payload"]);
                    command["command_id"] = json!(format!("what-if-inserted-command-{number}"));
                    give_at(&fresh, &own.at, stream, command).await;
                }
            }
            for (moved, place) in &self.moved {
                if *place == index {
                    let moved = &given[*moved];
                    give_at(&fresh, &own.at, &moved.stream, moved.command.clone()).await;
                }
            }
            let id = own.command["command_id"].as_str().unwrap();
            let cause = own.command["causation_id"].as_str();
            if self.dropped.contains(&index) || cause.is_some_and(|cause| gone.contains(cause)) {
                gone.insert(id);
            } else if !self.moved.contains_key(&index) {
                let mut command = own.command.clone();
                if let Some((kind, payload)) = self.replaced.get(&index) {
                    command["type"] = json!(kind);
                    command["payload"] = payload.clone();
                }
                give_at(&fresh, &own.at, &own.stream, command).await;
            }
        }
        fresh
    }
}

fn command(payload: &Value) -> Value {
    json!({"type": "ChangeEmail", "payload": payload, "actor": "a", "reason": "r"})
}

async fn give_at(api: &Api, at: &str, stream: &str, command: Value) {
    let (at, stream) = (at.to_owned(), stream.to_owned());
    give(
        api,
        &Given {
            at,
            stream,
            command,
        },
    )
    .await;
}

fn drops(dropped: &BTreeSet<usize>) -> Value {
    dropped
        .iter()
        .map(|index| json!({"drop_command": {"decision": named(*index)}}))
        .collect()
}

/// A stream to begin at: the first that has an event.
async fn some_stream(api: &Api) -> String {
    let first = api.get("/v1/events?limit=1").await.ok();
    first["items"][0]["stream"].as_str().unwrap().to_owned()
}

async fn keep(api: &Api, name: &str, on: Option<&str>, edits: &Value) {
    let stream = some_stream(api).await;
    let mut body = json!({"name": name, "stream": stream, "at_position": 0, "edits": edits});
    if let Some(on) = on {
        body["on"] = json!(on);
    }
    api.post("/v1/branches", &body).await.ok();
}

#[tokio::test]
async fn every_read_of_a_branch_equals_a_fresh_store() {
    for seed in seeds() {
        let mut random = Random(seed);
        let given = commands(&mut random);
        let recorded = Api::start();
        for given in &given {
            give(&recorded, given).await;
        }
        let edited = Edited::random(&mut random, &given);
        let fresh = edited.fresh(&given).await;
        keep(&recorded, "b", None, &json!(edited.edits)).await;
        for path in paths(&given) {
            let here = read(&recorded, &path, Some("b")).await;
            let there = read(&fresh, &path, None).await;
            assert_eq!(here, there, "{path} with {}", json!(edited.edits));
        }
        pages(&recorded, "/v1/events", "position").await;
        pages(&recorded, "/v1/events?order=backward", "position").await;
        pages(&recorded, "/v1/decisions", "sequence").await;
        pages(&recorded, "/v1/streams", "stream").await;
        pages(&recorded, "/v1/streams?sort=recent", "stream").await;
    }
}

/// Small pages are the large one, cut: nothing is missing, and nothing is there twice.
async fn pages(api: &Api, path: &str, name: &str) {
    let with = if path.contains('?') { '&' } else { '?' };
    let whole = api
        .get(&format!("{path}{with}branch=b&limit=1000"))
        .await
        .ok();
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api
            .get(&format!("{path}{with}branch=b&limit=3{cursor}"))
            .await
            .ok();
        items.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let names = |items: &[Value]| {
        items
            .iter()
            .map(|item| item[name].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&items),
        names(whole["items"].as_array().unwrap()),
        "{path}"
    );
    assert_eq!(items, *whole["items"].as_array().unwrap(), "{path}");
}

#[tokio::test]
async fn comparisons_mirror_each_other_and_layers_are_flat() {
    for seed in seeds() {
        let mut random = Random(seed);
        let given = commands(&mut random);
        let api = Api::start();
        for given in &given {
            give(&api, given).await;
        }
        let one: BTreeSet<usize> = [random.below(given.len())].into();
        let mut other: BTreeSet<usize> = [random.below(given.len())].into();
        if one == other {
            other =
                [(random.below(given.len() - 1) + one.first().unwrap() + 1) % given.len()].into();
        }
        keep(&api, "one", None, &drops(&one)).await;
        keep(&api, "other", None, &drops(&other)).await;
        keep(&api, "child", Some("one"), &drops(&other)).await;
        let mut both = drops(&one).as_array().unwrap().clone();
        both.extend(drops(&other).as_array().unwrap().clone());
        keep(&api, "flat", None, &json!(both)).await;
        for name in ["one", "other", "child", "log"] {
            let same = api
                .get(&format!("/v1/branches/{name}/compare?with={name}"))
                .await
                .ok();
            assert_eq!(
                (&same["streams"], &same["flips"]),
                (&json!([]), &json!([])),
                "{name}"
            );
        }
        let flat = api.get("/v1/branches/child/compare?with=flat").await.ok();
        assert_eq!(flat["answer"], "Nothing differs.", "{one:?} {other:?}");
        for path in [
            "/v1/events?limit=1000",
            "/v1/decisions?limit=1000",
            "/v1/world",
        ] {
            let (child, flat) = (
                read(&api, path, Some("child")).await,
                read(&api, path, Some("flat")).await,
            );
            assert_eq!(child, flat, "{path}");
        }
        for (a, b) in [
            ("one", "other"),
            ("one", "log"),
            ("child", "one"),
            ("child", "other"),
        ] {
            let there = api
                .get(&format!("/v1/branches/{a}/compare?with={b}"))
                .await
                .ok();
            let back = api
                .get(&format!("/v1/branches/{b}/compare?with={a}"))
                .await
                .ok();
            crate::branches::mirror(&there, &back);
        }
    }
}

/// A random edit, of an event or of a command; it may not fit.
fn edit(random: &mut Random, commands: usize) -> Value {
    let decision = json!(format!("c{}", random.below(commands)));
    let place = json!({"before": format!("c{}", random.below(commands))});
    let revision = random.below(4);
    match random.below(8) {
        0 => json!({"drop": {"revision": revision}}),
        1 => json!({"change": {"revision": revision, "actor": "another"}}),
        2 => json!({"move": {"revision": revision, "after_revision": random.below(4)}}),
        3 => {
            json!({"insert": {"after_revision": revision, "event_type": "UserSuspended", "data": {}}})
        }
        4 => json!({"drop_command": {"decision": decision}}),
        5 => json!({"replace_command": {"decision": decision, "reason": "another"}}),
        6 => {
            json!({"insert_command": {"place": place, "command": {"type": "SuspendUser", "payload": {}, "actor": "a", "reason": "r"}}})
        }
        _ => json!({"move_command": {"decision": decision, "place": place}}),
    }
}

/// The folder's files but those of branches and what only makes reads faster.
fn log_files(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = files(folder);
    all.retain(|name, _| !name.contains("branches.") && !name.contains("read-models"));
    all
}

#[tokio::test]
async fn what_ifs_and_branches_leave_every_byte_of_the_folder() {
    let seed = number("BRANCH_SEED", SEED);
    println!(
        "BRANCH_SEED={seed} WHAT_IFS={}",
        number("WHAT_IFS", WHAT_IFS)
    );
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let api = start_in(folder.path());
    let given = commands(&mut random);
    for given in &given {
        give(&api, given).await;
    }
    // What reads save of their own accord comes first.
    for path in paths(&given) {
        api.get(&path).await;
    }
    api.daemon.time_travel().settled().await;
    let before = log_files(folder.path());
    let (mut answered, mut kept) = (0, 0);
    for _ in 0..number("WHAT_IFS", WHAT_IFS) {
        let stream = format!("user-{}", random.below(4));
        let edits: Vec<Value> = (0..=random.below(2))
            .map(|_| edit(&mut random, given.len()))
            .collect();
        let then = ["none", "refold", "redecide", "redecide"][random.below(4)];
        let body = json!({"stream": stream, "at_position": random.below(20), "edits": edits, "continue": then});
        answered += u64::from(api.post("/v1/what-if", &body).await.status == 200);
        let body = json!({"name": "b", "stream": stream, "edits": edits});
        let made = api.post("/v1/branches", &body).await;
        if made.status != 200 {
            assert!(made.status < 500, "{}", made.text);
            continue;
        }
        kept += 1;
        for what in ["state", "steps", "blame", "events"] {
            let reply = api
                .get(&format!("/v1/streams/{stream}/{what}?branch=b"))
                .await;
            assert!(reply.status < 500, "{body}: {}", reply.text);
        }
        for path in [
            "/v1/world",
            "/v1/events",
            "/v1/decisions",
            "/v1/streams?sort=recent",
            "/v1/branches/b/compare",
        ] {
            let reply = if path.ends_with("compare") {
                api.get(path).await
            } else {
                let with = if path.contains('?') { '&' } else { '?' };
                api.get(&format!("{path}{with}branch=b")).await
            };
            assert_eq!(reply.status, 200, "{body}: {}", reply.text);
        }
        let removed = crate::support::request("DELETE", "/v1/branches/b")
            .body(axum::body::Body::empty())
            .unwrap();
        api.send(removed).await.ok();
    }
    assert!(answered > 0 && kept > 0, "{answered} {kept}");
    api.daemon.time_travel().settled().await;
    assert!(log_files(folder.path()) == before, "the folder has changed");
}
