//! Clocks that go back: times stay as they were said, and an *as of* says what it leaves out.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use whodunit_core::api::warning::{WARNING_REVISIONS_MAX, WarningCode};
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, Store};
use whodunit_daemon::time_travel::{Point, TravelError, left_out, resolve};

use crate::support::{Api, suspend};

/// A door whose second and third event have times before the first one's successor, as of a source with a skewed clock.
async fn door(api: &Api) {
    for time in ["10:00", "10:40", "10:05", "10:06"] {
        let at = format!("2025-02-01T{time}:00Z");
        let event = json!({"event_type": "Seen", "recorded_at": at, "data": {"at": time}});
        api.append("door-1", &json!({"events": [event]})).await.ok();
    }
}

fn codes(reply: &Value) -> Vec<(String, Value)> {
    let warnings = reply["warnings"].as_array().unwrap();
    let code = |warning: &Value| warning["code"].as_str().unwrap().to_owned();
    let found = warnings.iter();
    found.map(|w| (code(w), w["revisions"].clone())).collect()
}

#[tokio::test]
async fn an_as_of_says_which_recorded_events_it_leaves_out() {
    let api = Api::start();
    door(&api).await;
    let on = async |path: &str| api.get(&format!("/v1/streams/door-1/{path}")).await.ok();
    let state = on("state?as_of=2025-02-01T10:30:00Z").await;
    assert_eq!(state["revision"], 1);
    assert_eq!(codes(&state), [("left_out".to_owned(), json!([3, 4]))]);
    let detail = state["warnings"][0]["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("2 events recorded by 2025-02-01T10:30:00Z are left out"),
        "{detail}"
    );
    let one = on("state?as_of=2025-02-01T10:05:00Z").await;
    assert_eq!(codes(&one), [("left_out".to_owned(), json!([3]))]);
    // Nothing to say before the first of them, and by a revision that none precedes.
    assert_eq!(codes(&on("state?as_of=2025-02-01T10:04:59Z").await), []);
    assert_eq!(codes(&on("state?at_revision=2").await), []);
    // With all of them in, the clock is what there is to know.
    let back = [("clock_went_back".to_owned(), json!([3, 4]))];
    assert_eq!(codes(&on("state?as_of=2025-02-01T10:40:00Z").await), back);
    assert_eq!(codes(&on("state").await), back);
    assert_eq!(codes(&on("steps").await), back);
    assert_eq!(codes(&on("steps?limit=2").await), []);
    let diff = on("diff?from=2025-02-01T10:30:00Z&to=2").await;
    assert_eq!(codes(&diff), [("left_out".to_owned(), json!([3, 4]))]);
    assert_eq!(
        codes(&on("diff?from=1&to=3").await),
        [("clock_went_back".to_owned(), json!([3]))]
    );
}

#[tokio::test]
async fn before_the_first_event_it_says_so_too() {
    let api = Api::start();
    for time in ["10:30", "10:00", "10:10"] {
        let at = format!("2025-02-01T{time}:00Z");
        let event = json!({"event_type": "Seen", "recorded_at": at, "data": {}});
        api.append("door-1", &json!({"events": [event]})).await.ok();
    }
    for (at, left_out) in [
        ("09:59", None),
        ("10:00", Some(json!([2]))),
        ("10:29", Some(json!([2, 3]))),
    ] {
        let at = format!("2025-02-01T{at}:00Z");
        for path in [format!("state?as_of={at}"), format!("diff?from={at}&to=3")] {
            let reply = api.get(&format!("/v1/streams/door-1/{path}")).await;
            let problem = reply.problem(404, "before_first_event");
            let said = problem["detail"].as_str().unwrap().contains("left out");
            assert_eq!(said, left_out.is_some(), "{problem}");
            assert_eq!(
                problem["warnings"][0]["revisions"],
                left_out.clone().unwrap_or_default()
            );
        }
    }
}

#[tokio::test]
async fn a_raw_append_may_be_ahead_of_the_clock_by_minutes_only() {
    let api = Api::start();
    let seen =
        |at: &str| json!({"events": [{"event_type": "Seen", "recorded_at": at, "data": {}}]});
    api.append("door-1", &seen("2025-03-01T09:05:00Z"))
        .await
        .ok();
    let refused = api
        .append("door-1", &seen("2025-03-01T09:05:00.000001Z"))
        .await;
    let problem = refused.problem(400, "malformed");
    assert_eq!(problem["field"], "/events/0/recorded_at");
    assert!(
        problem["hint"].as_str().unwrap().contains("import"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_future_event_bends_no_later_time() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    // Imported from a source whose clock is wrong by decades.
    let line = json!({"stream": "user-1", "event_type": "UserSuspended", "recorded_at": "2099-01-01T00:00:00Z", "data": {}});
    let report = api
        .post_text("/v1/import", "application/x-ndjson", &line.to_string())
        .await;
    assert_eq!(report.ok()["added"], 1);
    api.clock.set("2025-03-24T15:47:23Z");
    let reactivate = json!({"type": "ReactivateUser", "payload": {}, "actor": "support"});
    let done = api.command("user-1", &reactivate).await.ok();
    assert_eq!(done["events"][0]["recorded_at"], "2025-03-24T15:47:23Z");
    api.command("user-1", &suspend("fraud")).await.ok();
    let state = api
        .get("/v1/streams/user-1/state?as_of=2030-01-01T00:00:00Z")
        .await
        .ok();
    assert_eq!(state["revision"], 1);
    assert_eq!(codes(&state), [("left_out".to_owned(), json!([3, 4]))]);
}

#[tokio::test]
async fn faults_are_counted_beyond_those_that_are_named() {
    let api = Api::start();
    api.user("user-1", "sarah").await;
    let bad = json!({"event_type": "UserEmailChanged", "data": {"email": 7}});
    let events: Vec<_> = (0..284).map(|_| bad.clone()).collect();
    api.append("user-1", &json!({ "events": events }))
        .await
        .ok();
    for _ in 0..2 {
        let state = api.get("/v1/streams/user-1/state").await.ok();
        assert_eq!(
            (
                state["faults"].as_array().unwrap().len(),
                &state["faults_total"]
            ),
            (20, &json!(284))
        );
        let warning = &state["warnings"][0];
        assert_eq!(warning["code"], "faults");
        assert!(
            warning["detail"]
                .as_str()
                .unwrap()
                .starts_with("284 events could not"),
            "{warning}"
        );
        // Once more from a snapshot.
        api.daemon.time_travel().settled().await;
    }
}

/// The oracle: ten thousand streams whose clocks go back, a few moments each, by looking at every event.
#[tokio::test]
async fn warnings_of_an_as_of_are_what_looking_at_every_event_finds() {
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    let mut runner = TestRunner::new(crate::seeded::seeded(1));
    let clocks = vec(0i64..40, 1..9);
    let histories: Vec<Vec<i64>> = (0..10_000)
        .map(|_| clocks.new_tree(&mut runner).unwrap().current())
        .collect();
    let stream = |n: usize| StreamName::new(format!("door-{n}")).unwrap();
    let mut appends = Vec::new();
    for (n, history) in histories.iter().enumerate() {
        let events = history.iter().map(|at| {
            let mut event = NewEvent::new("Seen", json!({}));
            event.recorded_at = Some(Timestamp::from_micros(*at));
            event
        });
        let mut append = Append::facts(
            stream(n),
            ExpectedRevision::Any,
            events.collect(),
            Timestamp::from_micros(0),
        );
        append.fresh_ids = (0..history.len()).map(|i| format!("{n}/{i}")).collect();
        appends.push(store.append(append));
        if appends.len() == 1_000 {
            for append in appends.drain(..) {
                append.await.unwrap();
            }
        }
    }
    let view = store.view().unwrap();
    let mut warned = 0;
    for (n, history) in histories.iter().enumerate() {
        for moment in [0, 10, 20, 39, i64::try_from(n % 41).unwrap()] {
            // Effective times are a running maximum, so the state ends before the first event later than the moment.
            let expected = history.iter().take_while(|at| **at <= moment).count();
            let left: Vec<_> = (1..)
                .zip(history)
                .filter(|(revision, at)| *revision > expected as u64 && **at <= moment)
                .map(|(revision, _)| Revision(revision))
                .collect();
            let point = Point::AsOf(Timestamp::from_micros(moment));
            let (revision, warning) = match resolve(view.as_ref(), &stream(n), point) {
                Ok(found) => {
                    let warning = left_out(view.as_ref(), point, &found).unwrap();
                    (found.revision, warning)
                }
                Err(TravelError::BeforeFirst { left_out, .. }) => (Revision::ZERO, left_out),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(
                revision,
                Revision(expected as u64),
                "{history:?} at {moment}"
            );
            assert_eq!(
                warning.is_some(),
                !left.is_empty(),
                "{history:?} at {moment}"
            );
            let Some(warning) = warning else { continue };
            warned += 1;
            assert_eq!(warning.code, WarningCode::LeftOut);
            assert!(left.len() <= WARNING_REVISIONS_MAX);
            assert_eq!(warning.revisions, left, "{history:?} at {moment}");
        }
    }
    assert!(warned > 5_000, "{warned}");
}
