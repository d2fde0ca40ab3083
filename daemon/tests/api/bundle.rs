//! Incident files over HTTP: what belongs to one, what is told of it, what never is in it, and that an import takes its records.

use serde_json::{Value, json};
use whodunit_core::bundle::{Bundle, read, to_html, to_markdown};

use crate::branches::{incident, start_in};
use crate::support::Api;

async fn bundle(api: &Api, asked: &Value) -> (String, Bundle) {
    let reply = api.post("/v1/bundle", asked).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let bundle = read(reply.text.as_bytes()).unwrap();
    (reply.text, bundle)
}

async fn deletion(api: &Api) -> String {
    let events = api.get("/v1/streams/user-1/events").await.ok();
    let events = events["items"].as_array().unwrap().clone();
    let deleted = events
        .iter()
        .find(|event| event["event_type"] == "UserDeleted");
    deleted.unwrap()["event_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_has_the_streams_of_an_incident_from_their_beginnings_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let api = start_in(folder.path());
    incident(&api).await;
    let branch =
        json!({"name": "without", "stream": "user-1", "edits": [{"drop": {"revision": 2}}]});
    api.post("/v1/branches", &branch).await.ok();
    let id = deletion(&api).await;
    let (text, found) = bundle(&api, &json!({"around": id})).await;
    let streams: Vec<&str> = found
        .events
        .iter()
        .map(|event| event.stream.as_str())
        .collect();
    assert_eq!(streams, ["user-1"; 3]);
    let refused: Vec<&str> = found
        .decisions
        .iter()
        .map(|own| own.command_type.as_str())
        .collect();
    assert_eq!(
        refused,
        ["CreateUser", "SuspendUser", "ChangeEmail", "DeleteUser"]
    );
    let told = &found.incident;
    assert_eq!(told.subject.as_deref(), Some(id.as_str()));
    let own = &told.streams[0];
    let status =
        |state: &Option<serde_json::Map<String, Value>>| state.as_ref().unwrap()["status"].clone();
    assert_eq!(
        (status(&own.before), status(&own.after)),
        (json!("active"), json!("deleted"))
    );
    // The refused change goes through, so another user is refused the address later; and the deletion is not issued.
    let tried = &told.what_ifs[0];
    assert_eq!((tried.failed.as_ref(), tried.flips_total), (None, 3));
    // No secret, in none of its forms.
    for text in [text, to_html(&found), to_markdown(&found)] {
        for secret in ["argon2", "correct horse", "password_hash\":\"$"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let page = to_html(&found);
    for shown in [
        "job:clean-up",
        "DELETED",
        "because of rev 2",
        "user.suspended",
        "not issued",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    // What happened is not changed by asking, and the same is told again.
    let (_, again) = bundle(&api, &json!({"around": id})).await;
    assert_eq!(again.incident.streams, found.incident.streams);
}

#[tokio::test]
async fn a_stream_and_a_correlation_can_be_asked_for_and_scenarios_added() {
    let folder = tempfile::tempdir().unwrap();
    let api = start_in(folder.path());
    incident(&api).await;
    let scenario = "name = \"x\"\n[given]\nstream = \"user-1\"\nat_revision = 1\n[then]\nfirst_divergence = \"none\"\n";
    let (_, found) = bundle(&api, &json!({"stream": "user-3", "scenarios": [scenario]})).await;
    assert!(found.scenarios.iter().any(|own| own.toml == scenario));
    assert_eq!(found.incident.streams[0].stream.as_str(), "user-3");
    let all = api.get("/v1/streams/user-1/events").await.ok();
    let correlation = all["items"][0]["correlation_id"].clone();
    if correlation.is_string() {
        let (_, found) = bundle(&api, &json!({"correlation": correlation})).await;
        assert!(!found.incident.correlations.is_empty());
    }
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let api = start_in(folder.path());
    incident(&api).await;
    for (asked, status, code) in [
        (json!({}), 400, "malformed"),
        (json!({"around": "x", "stream": "user-1"}), 400, "malformed"),
        (json!({"around": ""}), 400, "malformed"),
        (
            json!({"reveal": true, "stream": "user-1"}),
            400,
            "malformed",
        ),
        (
            json!({"stream": "user-1", "scenarios": ["?"]}),
            400,
            "malformed",
        ),
        (json!({"around": "none"}), 404, "no_such_event"),
        (json!({"correlation": "none"}), 404, "no_such_correlation"),
        (json!({"stream": "user-99"}), 404, "no_such_stream"),
    ] {
        api.post("/v1/bundle", &asked).await.problem(status, code);
    }
}

#[tokio::test]
async fn an_import_takes_the_records_and_counts_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let api = start_in(folder.path());
    incident(&api).await;
    let (text, found) = bundle(&api, &json!({"stream": "user-1"})).await;
    let other = tempfile::tempdir().unwrap();
    let copy = start_in(other.path());
    let report = crate::transfer::import(&copy, "", &text).await.ok();
    assert_eq!(report["failed"], 0, "{report}");
    assert_eq!(report["added"], found.events.len());
    assert_eq!(report["decisions"], found.decisions.len());
    assert_eq!(report["parts"], 1 + found.scenarios.len());
    assert_eq!(
        (&report["incomplete"], &report["changed"]),
        (&json!(false), &json!(false))
    );
    let path = "/v1/streams/user-1/state?as_of=2025-03-24T15:47:00Z";
    let (here, there) = (api.get(path).await.ok(), copy.get(path).await.ok());
    assert_eq!(
        (&here["state"], &here["revision"]),
        (&there["state"], &there["revision"])
    );
    assert_eq!(here["state"]["status"], "suspended");
}

fn left_out(bundle: &Bundle, what: &str) -> u64 {
    let all = bundle.incident.left_out.iter();
    all.filter(|left| left.what.contains(what))
        .map(|left| left.count)
        .sum()
}

#[tokio::test]
async fn an_event_of_which_it_cannot_be_told_what_it_changed_is_counted() {
    let api = Api::start();
    // Together they are more than a state may weigh.
    let many = || vec![1; 350_000];
    for n in 0..3 {
        api.fact("list-1", "Filled", json!({ (format!("part-{n}")): many() }))
            .await;
    }
    let events = api.get("/v1/streams/list-1/steps?limit=1").await.ok();
    assert_eq!(events["items"].as_array().unwrap().len(), 1);
    let (_, found) = bundle(&api, &json!({"stream": "list-1"})).await;
    assert_eq!(found.incident.changes, []);
    assert_eq!(left_out(&found, "with unknown changes"), 1);
    let own = &found.incident.streams[0];
    assert!(own.failed.is_some(), "{own:?}");
    assert_eq!((&own.before, &own.after), (&None, &None));
    for text in [to_html(&found), to_markdown(&found)] {
        assert!(text.contains("with unknown changes"), "{text}");
    }
}

#[tokio::test]
async fn causes_that_do_not_fit_are_counted_for_a_stream_as_for_an_event() {
    let api = Api::start();
    let caused =
        |cause: &str| json!({"event_type": "Noted", "data": {"n": 1}, "causation_id": cause});
    for cause in ["gone", "lost"] {
        let event = caused(cause);
        api.append("x-1", &json!({"events": [event]})).await.ok();
    }
    let (_, whole) = bundle(&api, &json!({"stream": "x-1"})).await;
    // One of the last event, and one of the event before it.
    assert_eq!(left_out(&whole, "about causes"), 2);
    let last = api.get("/v1/streams/x-1/events").await.ok()["items"][1]["event_id"].clone();
    let (_, around) = bundle(&api, &json!({"around": last})).await;
    assert_eq!(left_out(&around, "about causes"), 1);
}
