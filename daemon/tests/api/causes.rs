//! What led to what, over HTTP: trees of causes, correlations, and what they did to streams.

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Api, suspend};

/// An event, as it is appended.
fn event(id: &str, cause: Option<&str>, correlation: Option<&str>, at: &str) -> Value {
    json!({"event_type": "Noted", "event_id": id, "data": {"last": id}, "recorded_at": at,
        "causation_id": cause, "correlation_id": correlation})
}

async fn noted(api: &Api, stream: &str, event: Value) {
    api.append(stream, &json!({"events": [event]})).await.ok();
}

fn listed(answer: &Value, key: &str) -> Vec<(String, u64)> {
    let nodes = answer[key].as_array().unwrap().iter();
    let told = nodes.map(|node| {
        (
            node["type"].as_str().unwrap().to_owned(),
            node["depth"].as_u64().unwrap(),
        )
    });
    told.collect()
}

fn found(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect()
}

/// A scan reports fraud; the user is suspended because of that, a change of name is refused, and the clean-up deletes.
async fn incident(api: &Api) -> String {
    api.user("user-1", "sarah").await;
    api.clock.set("2025-03-20T03:00:00Z");
    let at = "2025-03-20T02:59:00Z";
    noted(api, "scan-7", event("scan", None, Some("fraud"), at)).await;
    let mut command = suspend("fraud_detected");
    command["causation_id"] = "scan".into();
    command["correlation_id"] = "fraud".into();
    let suspended = api.command("user-1", &command).await.ok();
    let suspended = suspended["events"][0]["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let refused = json!({"type": "ChangeName", "payload": {"first_name": "Sally"}, "actor": "sarah",
        "causation_id": suspended, "correlation_id": "fraud"});
    api.command("user-1", &refused)
        .await
        .problem(422, "rejected");
    api.clock.set("2025-03-24T15:47:23Z");
    let delete = json!({"type": "DeleteUser", "payload": {}, "actor": "job:clean", "reason": "inactive",
        "causation_id": suspended});
    let deleted = api.command("user-1", &delete).await.ok();
    deleted["events"][0]["event_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn a_trace_goes_up_to_the_first_cause_and_down_to_all_effects() {
    let api = Api::start();
    let deleted = incident(&api).await;
    let up = api.get(&format!("/v1/events/{deleted}/causes")).await.ok();
    let names = ["DeleteUser", "UserSuspended", "SuspendUser", "Noted"];
    let expected: Vec<_> = names
        .iter()
        .zip(1..)
        .map(|(name, depth)| ((*name).to_owned(), depth))
        .collect();
    assert_eq!(listed(&up, "causes"), expected);
    assert_eq!((&up["end"], &up["end_id"]), (&json!("first"), &Value::Null));
    assert_eq!(listed(&up, "items"), [("UserDeleted".to_owned(), 0)]);
    assert_eq!(found(&up), [""; 0]);
    assert_eq!(up["causes"][0]["outcome"], "accepted");
    let down = api.get("/v1/events/scan/causes").await.ok();
    let tree = [
        ("Noted", 0),
        ("SuspendUser", 1),
        ("UserSuspended", 2),
        ("ChangeName", 3),
        ("DeleteUser", 3),
        ("UserDeleted", 4),
    ];
    let expected: Vec<_> = tree
        .iter()
        .map(|(name, depth)| ((*name).to_owned(), *depth))
        .collect();
    assert_eq!(listed(&down, "items"), expected);
    let refused = &down["items"][3];
    assert_eq!(
        (&refused["outcome"], &refused["rule"]),
        (&json!("rejected"), &json!("user.suspended"))
    );
    let whole = api
        .get(&format!("/v1/events/{deleted}/causes?whole=true"))
        .await
        .ok();
    assert_eq!(whole["items"], down["items"]);
    // A refused command has no event; it is found by its own id.
    let id = refused["id"].as_str().unwrap();
    let of_command = api.get(&format!("/v1/events/{id}/causes")).await.ok();
    assert_eq!(of_command["kind"], "command");
    assert_eq!(listed(&of_command, "causes").len(), 3);
    api.get("/v1/events/nothing/causes")
        .await
        .problem(404, "no_such_event");
    api.get("/v1/events/scan/causes?cursor=x")
        .await
        .problem(400, "bad_parameter");
}

#[tokio::test]
async fn pages_of_a_tree_are_of_one_moment() {
    let api = Api::start();
    incident(&api).await;
    let whole = api.get("/v1/events/scan/causes").await.ok();
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api
            .get(&format!("/v1/events/scan/causes?limit=2{cursor}"))
            .await
            .ok();
        assert_eq!(page["nodes"], 6);
        items.extend(page["items"].as_array().unwrap().clone());
        // What is logged between two pages is in none of them.
        let id = format!("late-{}", items.len());
        noted(
            &api,
            "scan-8",
            event(&id, Some("scan"), Some("fraud"), "2025-03-20T03:00:00Z"),
        )
        .await;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(Value::from(items), whole["items"]);
    let now = api.get("/v1/events/scan/causes").await.ok();
    assert_eq!(now["nodes"], 9);
}

#[tokio::test]
async fn chains_that_do_not_fit_are_findings() {
    let api = Api::start();
    let at = |second: u32| format!("2025-03-01T00:00:{second:02}Z");
    for (n, (id, cause, second)) in [
        ("a", Some("c"), 1),
        ("b", Some("a"), 2),
        ("c", Some("b"), 3),
        ("self", Some("self"), 4),
        ("orphan", Some("gone"), 5),
        ("child", Some("late"), 3),
        ("late", None, 6),
    ]
    .into_iter()
    .enumerate()
    {
        noted(
            &api,
            &format!("x-{n}"),
            event(id, cause, Some("batch"), &at(second)),
        )
        .await;
    }
    let of = async |id: &str| api.get(&format!("/v1/events/{id}/causes")).await.ok();
    let cycle = of("b").await;
    assert_eq!(
        (&cycle["end"], &cycle["end_id"]),
        (&json!("cycle"), &json!("b"))
    );
    assert_eq!(listed(&cycle, "causes").len(), 2);
    assert_eq!(listed(&cycle, "items").len(), 3);
    assert!(found(&cycle).contains(&"cycle"), "{cycle}");
    let own = of("self").await;
    assert_eq!((&own["end"], found(&own)), (&json!("cycle"), vec!["cycle"]));
    let orphan = of("orphan").await;
    assert_eq!(
        (&orphan["end"], found(&orphan)),
        (&json!("not_on_record"), vec!["missing_cause"])
    );
    assert_eq!(orphan["end_id"], "gone");
    assert_eq!(found(&of("late").await), ["recorded_before_cause"]);
    assert_eq!(found(&of("child").await), ["recorded_before_cause"]);
    let all = api.get("/v1/correlations/batch").await.ok();
    assert_eq!(all["nodes"], 7);
    let kinds: BTreeSet<_> = found(&all).into_iter().collect();
    assert_eq!(
        kinds,
        BTreeSet::from(["cycle", "missing_cause", "recorded_before_cause"])
    );
}

#[tokio::test]
async fn a_correlation_has_everything_and_what_it_did_to_each_stream() {
    let api = Api::start();
    incident(&api).await;
    let all = api.get("/v1/correlations/fraud").await.ok();
    assert_eq!(listed(&all, "items").len(), 6);
    let counts = ["events", "commands", "refused", "outside", "streams_total"];
    let counts: Vec<_> = counts
        .iter()
        .map(|name| all[*name].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [2, 2, 1, 2, 2]);
    // The deletion is an effect of it, and says so.
    assert_eq!(all["items"][4]["outside"], true);
    assert_eq!(all["items"][0].get("outside"), None);
    let expected = json!([
        {"stream": "scan-7", "revision_before": 0, "revision_after": 1, "events": 1, "other_events": 0, "refused": 0},
        {"stream": "user-1", "revision_before": 1, "revision_after": 2, "events": 1, "other_events": 0, "refused": 1},
    ]);
    assert_eq!(all["streams"], expected);
    let impact = api.get("/v1/correlations/fraud/streams").await.ok();
    assert_eq!(impact["items"][0]["diff"][0]["after"], "scan");
    let of_user = &impact["items"][1]["diff"];
    let status = of_user
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["path"] == "/status")
        .unwrap();
    assert_eq!(
        (&status["before"], &status["after"]),
        (&json!("active"), &json!("suspended"))
    );
    let (mut streams, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api
            .get(&format!("/v1/correlations/fraud/streams?limit=1{cursor}"))
            .await
            .ok();
        streams.extend(page["items"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(Value::from(streams), impact["items"]);
    api.get("/v1/correlations/nothing")
        .await
        .problem(404, "no_such_correlation");
    api.get("/v1/correlations/nothing/streams")
        .await
        .problem(404, "no_such_correlation");
    let refused = api
        .get("/v1/decisions?correlation=fraud&outcome=rejected")
        .await
        .ok();
    assert_eq!(refused["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_done_to_a_stream_tells_no_secret() {
    let api = Api::start();
    let mut create = crate::support::create_user("sarah");
    create["correlation_id"] = "sign-up".into();
    api.command("user-1", &create).await.ok();
    let impact = api.get("/v1/correlations/sign-up/streams").await;
    assert!(!impact.text.contains("$argon2"), "{}", impact.text);
    assert!(impact.text.contains("[redacted]"));
    let shown = api
        .get("/v1/correlations/sign-up/streams?reveal=true")
        .await;
    assert!(shown.text.contains("$argon2"));
    let tree = api.get("/v1/correlations/sign-up").await;
    assert!(!tree.text.contains("$argon2"));
}

/// Which stream, which cause, whether it is of the correlation, and when: of few values each.
type Sketch = (u8, Option<u8>, bool, u8);

proptest! {
    #![proptest_config(crate::seeded::seeded(24))]

    /// Whatever names whatever, in several streams: the answers are those of looking through the whole log.
    #[test]
    fn trees_and_correlations_are_those_of_the_whole_log(
        sketches in prop::collection::vec((0..3u8, prop::option::of(0..12u8), any::<bool>(), 0..50u8), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let api = Api::start();
            for (n, (stream, cause, correlated, second)) in sketches.iter().enumerate() {
                let cause = cause.map(|cause| format!("e{cause}"));
                let at = format!("2025-03-01T00:00:{second:02}Z");
                let one = event(&format!("e{n}"), cause.as_deref(), correlated.then_some("batch"), &at);
                noted(&api, &format!("s-{stream}"), one).await;
            }
            check(&api, &sketches).await;
        });
    }
}

async fn check(api: &Api, sketches: &[Sketch]) {
    let effects = |of: BTreeSet<usize>| {
        let mut all = of;
        loop {
            let new = (0..sketches.len()).find(|n| {
                let cause = sketches[*n].1.map(usize::from);
                !all.contains(n) && cause.is_some_and(|cause| all.contains(&cause))
            });
            match new {
                Some(n) => all.insert(n),
                None => return all,
            };
        }
    };
    let ids = |answer: &Value| -> BTreeSet<usize> {
        let nodes = answer["items"].as_array().unwrap();
        let ids = nodes.iter().map(|node| {
            node["id"]
                .as_str()
                .unwrap()
                .trim_start_matches('e')
                .parse()
                .unwrap()
        });
        let set: BTreeSet<usize> = ids.collect();
        assert_eq!(set.len(), nodes.len());
        set
    };
    for n in 0..sketches.len() {
        let tree = api.get(&format!("/v1/events/e{n}/causes")).await.ok();
        assert_eq!(ids(&tree), effects(BTreeSet::from([n])), "e{n}");
    }
    let members: BTreeSet<usize> = (0..sketches.len()).filter(|n| sketches[*n].2).collect();
    if members.is_empty() {
        api.get("/v1/correlations/batch")
            .await
            .problem(404, "no_such_correlation");
        return;
    }
    let all = api.get("/v1/correlations/batch").await.ok();
    assert_eq!(ids(&all), effects(members.clone()));
    let mut streams: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
    for n in &members {
        let stream = sketches[*n].0;
        let revision = sketches[..=*n]
            .iter()
            .filter(|other| other.0 == stream)
            .count() as u64;
        let known = streams
            .entry(format!("s-{stream}"))
            .or_insert((revision - 1, revision, 0));
        (known.1, known.2) = (revision, known.2 + 1);
    }
    let told = all["streams"].as_array().unwrap().iter();
    let told: BTreeMap<_, _> = told
        .map(|stream| {
            let number = |name: &str| stream[name].as_u64().unwrap();
            let numbers = (
                number("revision_before"),
                number("revision_after"),
                number("events"),
            );
            (stream["stream"].as_str().unwrap().to_owned(), numbers)
        })
        .collect();
    assert_eq!(told, streams);
    let impact = api.get("/v1/correlations/batch/streams").await.ok();
    for stream in impact["items"].as_array().unwrap() {
        let (name, from, to) = (
            &stream["stream"],
            &stream["revision_before"],
            &stream["revision_after"],
        );
        let name = name.as_str().unwrap();
        let path = format!("/v1/streams/{name}/diff?from={from}&to={to}");
        let diff = api.get(&path).await.ok();
        assert_eq!(stream["diff"], diff["diff"]);
    }
}
