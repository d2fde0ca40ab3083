//! Stories over Sarah's history.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::problem::Code;
use crate::api::what_if::{StepKind, StepOutcome, StepSelection};
use crate::fold::fold;
use crate::ids::Position;
use crate::keys::NoHolders;
use crate::merge;
use crate::users::{self, Passwords};

mod base;
mod refused;

struct Plain;

impl Passwords for Plain {
    fn hash(&self, plaintext: &str) -> Result<String, String> {
        Ok(format!("hash of {}", plaintext.len()))
    }

    fn verify(&self, plaintext: &str, hash: &str) -> Result<bool, String> {
        Ok(self.hash(plaintext)? == hash)
    }
}

fn model() -> Model {
    users::model(Arc::new(Plain)).unwrap()
}

/// Each event is a second after the one before.
fn time(revision: u64) -> Timestamp {
    Timestamp::from_micros(1_741_000_000_000_000 + i64::try_from(revision).unwrap() * 1_000_000)
}

fn base(revision: u64, at: Timestamp) -> WhatIfBase {
    WhatIfBase {
        revision: Revision(revision),
        position: None,
        at,
        decision: None,
    }
}

fn stream() -> StreamName {
    StreamName::new("user-sarah").unwrap()
}

fn events(facts: &[(&str, Value)]) -> Vec<Event> {
    (1..)
        .zip(facts)
        .map(|(revision, (event_type, data))| Event {
            position: Position(revision * 10),
            stream: stream(),
            revision: Revision(revision),
            event_id: format!("e{revision}"),
            event_type: (*event_type).to_owned(),
            schema_version: 1,
            recorded_at: time(revision),
            actor: Some("api".to_owned()),
            reason: None,
            correlation_id: None,
            causation_id: None,
            data: Json::from(data),
            metadata: None,
        })
        .collect()
}

/// Created, renamed, suspended by mistake, deleted.
fn sarah() -> Vec<Event> {
    events(&[
        (
            "UserCreated",
            json!({"username": "sarah", "email": "sarah@example.com", "first_name": "Sarah", "last_name": "Kim", "password_hash": "hash of 8"}),
        ),
        ("UserNameChanged", json!({"last_name": "Kimura"})),
        ("UserSuspended", json!({"reason": "fraud_detected"})),
        ("UserDeleted", json!({"reason": "inactive for 90 days"})),
    ])
}

struct Request {
    base: u64,
    edits: Value,
    actions: Value,
    continuation: Continuation,
}

fn tell_with(
    history: &[Event],
    request: &Request,
    holders: &dyn KeyHolders,
) -> Result<WhatIfOut, WhatIfError> {
    let model = model();
    let edits: Vec<Edit> = serde_json::from_value(request.edits.clone()).unwrap();
    let actions: Vec<Action> = serde_json::from_str(&request.actions.to_string()).unwrap();
    let last = history
        .last()
        .map_or(Timestamp::from_micros(0), |event| event.recorded_at);
    evaluate(&Scenario {
        model: &model,
        stream: &stream(),
        start: &Folded::start(&model),
        events: history,
        start_at: time(1),
        base: base(request.base, last),
        edits: &edits,
        actions: &actions,
        continuation: request.continuation,
        holders,
        password_correct: None,
        steps: StepsWanted {
            which: StepSelection::All,
            ..StepsWanted::CHANGED
        },
    })
}

fn run(base: u64, edits: Value, actions: Value, continuation: Continuation) -> WhatIfOut {
    let history = sarah();
    // With nothing after the base there is nothing to supply it from.
    let upto = if continuation == Continuation::None {
        usize::try_from(base).unwrap()
    } else {
        history.len()
    };
    tell_with(
        &history[..upto],
        &Request {
            base,
            edits,
            actions,
            continuation,
        },
        &NoHolders,
    )
    .unwrap()
}

fn refused(base: u64, edits: Value, actions: Value) -> WhatIfError {
    let history = sarah();
    let request = Request {
        base,
        edits,
        actions,
        continuation: Continuation::None,
    };
    tell_with(
        &history[..usize::try_from(base).unwrap()],
        &request,
        &NoHolders,
    )
    .unwrap_err()
}

fn problem(error: WhatIfError) -> Problem {
    match error {
        WhatIfError::Refused(problem) => *problem,
        other => panic!("{other}"),
    }
}

fn summary(out: &WhatIfOut) -> Vec<(StepKind, &str, StepOutcome, u64)> {
    out.steps
        .iter()
        .map(|step| {
            (
                step.kind,
                step.step_type.as_str(),
                step.outcome,
                step.revision.0,
            )
        })
        .collect()
}

const SUSPEND: &str = r#"{"type": "SuspendUser", "actor": "analyst", "reason": "fraud_detected"}"#;

fn suspend() -> Value {
    json!({"command": serde_json::from_str::<Value>(SUSPEND).unwrap()})
}

#[test]
fn a_command_on_the_state_at_a_revision_runs_the_rules() {
    let out = run(2, json!([]), json!([suspend()]), Continuation::None);
    assert_eq!(
        summary(&out),
        [(StepKind::Command, "SuspendUser", StepOutcome::Accepted, 3)]
    );
    assert_eq!(out.steps[0].events[0].event_type, "UserSuspended");
    assert_eq!(
        (
            out.state["status"].as_str(),
            out.actual.state["status"].as_str()
        ),
        (Some("suspended"), Some("active"))
    );
    assert_eq!(
        (out.base_revision, out.revision, out.actual.revision),
        (Revision(2), Revision(3), Revision(2))
    );
    assert_eq!(out.first_divergence, Some(Revision(3)));

    let out = run(3, json!([]), json!([suspend()]), Continuation::None);
    assert_eq!(
        summary(&out),
        [(StepKind::Command, "SuspendUser", StepOutcome::Rejected, 3)]
    );
    assert_eq!(out.steps[0].rule.as_deref(), Some("user.suspended"));
    assert_eq!((out.first_divergence, out.diff.len()), (None, 0));
}

#[test]
fn a_raw_event_runs_no_rules() {
    let event =
        json!([{"event": {"event_type": "UserSuspended", "data": {"reason": "fraud_detected"}}}]);
    let out = run(4, json!([]), event, Continuation::None);
    assert_eq!(
        summary(&out),
        [(StepKind::Event, "UserSuspended", StepOutcome::Applied, 5)]
    );
    assert_eq!(
        out.state["status"], "suspended",
        "a deleted user that no rule would suspend"
    );
}

#[test]
fn dropping_the_suspension_and_refolding_keeps_the_recorded_deletion() {
    let out = run(
        2,
        json!([{"drop": {"revision": 3}}]),
        json!([]),
        Continuation::Refold,
    );
    assert_eq!(
        summary(&out),
        [
            (StepKind::Recorded, "UserSuspended", StepOutcome::Dropped, 2),
            (StepKind::Recorded, "UserDeleted", StepOutcome::Applied, 3)
        ]
    );
    assert_eq!(out.mode, Continuation::Refold);
    assert_eq!(
        (out.state["status"].as_str(), out.first_divergence),
        (Some("deleted"), Some(Revision(3)))
    );
    assert_eq!(out.actual.revision, Revision(4));
    assert_eq!(out.steps[1].recorded_revision, Some(Revision(4)));
}

#[test]
fn replacing_and_inserting_change_the_story_from_there() {
    let edits = json!([
        {"replace": {"revision": 2, "data": {"last_name": "Other"}}},
        {"insert": {"after_revision": 0, "event_type": "Preluded", "data": {}}},
    ]);
    let out = run(3, edits, json!([]), Continuation::None);
    assert_eq!(
        summary(&out),
        [
            (StepKind::Event, "Preluded", StepOutcome::Applied, 1),
            (StepKind::Recorded, "UserCreated", StepOutcome::Applied, 2),
            (
                StepKind::Recorded,
                "UserNameChanged",
                StepOutcome::Applied,
                3
            ),
            (StepKind::Recorded, "UserSuspended", StepOutcome::Applied, 4),
        ]
    );
    assert!(out.steps[0].message.as_deref().unwrap().contains("unknown"));
    assert_eq!(
        (out.state["last_name"].as_str(), out.first_divergence),
        (Some("Other"), Some(Revision(1)))
    );
    let fields: Vec<&str> = out.diff.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(fields, ["/last_name"]);
}

#[test]
fn a_replacement_that_says_the_same_is_no_divergence() {
    let out = run(
        2,
        json!([{"replace": {"revision": 2, "data": {"last_name": "Kimura"}}}]),
        json!([]),
        Continuation::Refold,
    );
    assert_eq!((out.first_divergence, out.diff.len()), (None, 0));
}

#[test]
fn a_story_that_ends_early_diverges_where_it_ends() {
    let out = run(
        4,
        json!([{"drop": {"revision": 4}}]),
        json!([]),
        Continuation::None,
    );
    assert_eq!(
        (out.first_divergence, out.revision),
        (Some(Revision(4)), Revision(3))
    );
    assert_eq!(out.state["status"], "suspended");
}

#[test]
fn several_actions_build_on_each_other() {
    let reactivate = json!({"command": {"type": "ReactivateUser", "actor": "a"}});
    let out = run(
        2,
        json!([]),
        json!([suspend(), suspend(), reactivate, suspend()]),
        Continuation::None,
    );
    let verdicts: Vec<(StepOutcome, u64)> = out
        .steps
        .iter()
        .map(|step| (step.outcome, step.revision.0))
        .collect();
    assert_eq!(
        verdicts,
        [
            (StepOutcome::Accepted, 3),
            (StepOutcome::Rejected, 3),
            (StepOutcome::Accepted, 4),
            (StepOutcome::Accepted, 5)
        ]
    );
}

fn any_history() -> impl Strategy<Value = Vec<Event>> {
    let fact = prop_oneof![
        Just((
            "UserCreated",
            json!({"username": "sam", "email": "s@x.io", "first_name": "S", "last_name": "A"})
        )),
        "[a-c]{1,2}".prop_map(|name| ("UserNameChanged", json!({"first_name": name}))),
        Just(("UserSuspended", json!({}))),
        Just(("UserReactivated", json!({}))),
        Just(("UserDeleted", json!({}))),
        Just(("UserWaved", json!({"to": "all"}))),
        Just(("UserEmailChanged", json!({"email": 5}))),
    ];
    prop::collection::vec(fact, 1..20).prop_map(|facts| events(&facts))
}

proptest! {
    #![proptest_config(crate::seeded::seeded(256))]

    #[test]
    fn a_story_without_changes_is_what_happened(history in any_history(), cut in 0usize..20) {
        let model = model();
        let base = Revision(u64::try_from(cut.min(history.len())).unwrap());
        let out = tell_with(&history, &Request { base: base.0, edits: json!([]), actions: json!([]), continuation: Continuation::Refold }, &NoHolders).unwrap();
        prop_assert_eq!(&out.state, &fold(&model, &history).state);
        prop_assert_eq!((out.first_divergence, out.diff.len(), out.steps.len()), (None, 0, 0));
    }

    #[test]
    fn dropping_an_event_is_folding_without_it(history in any_history(), pick in 0usize..20, start in 0usize..20) {
        let model = model();
        let drop = pick % history.len();
        let start = start % (drop + 1);
        let folded = fold(&model, &history[..start]);
        let edits: Vec<Edit> = serde_json::from_value(json!([{"drop": {"revision": drop + 1}}])).unwrap();
        let out = evaluate(&Scenario {
            model: &model, stream: &stream(), start: &folded, start_at: time(1), events: &history[start..],
            base: base(u64::try_from(history.len()).unwrap(), Timestamp::from_micros(0)),
            edits: &edits, actions: &[], continuation: Continuation::Refold, holders: &NoHolders, password_correct: None, steps: StepsWanted::CHANGED,
        }).unwrap();
        let without: Vec<Event> = history.iter().enumerate().filter(|(index, _)| *index != drop).map(|(_, event)| event.clone()).collect();
        prop_assert_eq!(&out.state, &fold(&model, &without).state);
        prop_assert_eq!(&out.actual.state, &fold(&model, &history).state);
        let by_hand = history.iter().zip(without.iter().map(Some).chain([None]))
            .find(|(was, is)| is.is_none_or(|is| (&was.event_type, &was.data, was.recorded_at) != (&is.event_type, &is.data, is.recorded_at)))
            .map(|(was, _)| was.revision);
        prop_assert_eq!(out.first_divergence, by_hand);
    }
}
