//! Stories over Sarah's history.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::problem::Code;
use crate::api::what_if::{StepKind, StepOutcome, StepSelection};
use crate::fold::fold;
use crate::ids::Position;
use crate::json::Json;
use crate::keys::NoHolders;
use crate::merge;
use crate::users::{self, Passwords};

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
fn edits_out_of_reach_are_refused_and_say_why() {
    let cases = [
        (json!([{"drop": {"revision": 3}}]), "lies after the base"),
        (json!([{"drop": {"revision": 0}}]), "no revision 0"),
        (
            json!([{"drop": {"revision": 1}}, {"replace": {"revision": 1, "data": {}}}]),
            "edited twice",
        ),
    ];
    for (edits, part) in cases {
        let error = refused(2, edits.clone(), json!([]));
        assert!(
            matches!(&error, WhatIfError::BadEdit { message, .. } if message.contains(part)),
            "{edits}: {error}"
        );
    }
    let beyond = tell_with(
        &sarah(),
        &Request {
            base: 2,
            edits: json!([{"drop": {"revision": 5}}]),
            actions: json!([]),
            continuation: Continuation::Refold,
        },
        &NoHolders,
    );
    assert!(
        matches!(beyond, Err(WhatIfError::BadEdit { message, .. }) if message.contains("1 to 4"))
    );
}

#[test]
fn malformed_actions_name_the_field_and_never_the_value() {
    let unknown = refused(2, json!([]), json!([{"command": {"type": "Explode"}}]));
    assert!(unknown.to_string().contains("`SuspendUser`"), "{unknown}");
    let payload = json!({"username": "x", "email": "e", "first_name": "f", "last_name": "l", "password": 12_345_678});
    let malformed = refused(
        2,
        json!([]),
        json!([{"command": {"type": "CreateUser", "actor": "a", "payload": payload}}]),
    );
    assert_eq!(
        problem(malformed).detail,
        "`/do/0/command/payload/password` must be of type string"
    );
    let secret = refused(
        2,
        json!([]),
        json!([{"event": {"event_type": "UserCreated", "data": {"password": "hunter2"}}}]),
    );
    let secret = problem(secret);
    assert_eq!(
        (secret.code, secret.field.as_deref()),
        (Code::PlaintextSecret, Some("/do/0/event/data/password"))
    );
    let not_object = refused(
        2,
        json!([]),
        json!([{"event": {"event_type": "X", "data": [1]}}]),
    );
    assert_eq!(
        problem(not_object).detail,
        "`/do/0/event/data` must be a JSON object"
    );
}

#[test]
fn a_category_without_a_model_has_no_commands() {
    let model = merge::model();
    let history = events(&[("Made", json!({"a": 1}))]);
    let actions: Vec<Action> = serde_json::from_str(&json!([suspend()]).to_string()).unwrap();
    let scenario = Scenario {
        model: &model,
        stream: &stream(),
        start: &Folded::start(&model),
        events: &history,
        start_at: time(1),
        base: base(1, time(1)),
        edits: &[],
        actions: &actions,
        continuation: Continuation::None,
        holders: &NoHolders,
        password_correct: None,
        steps: StepsWanted::CHANGED,
    };
    assert_eq!(
        evaluate(&scenario),
        Err(WhatIfError::NoModel {
            category: "user".to_owned(),
            index: 0
        })
    );
}

#[test]
fn a_key_that_another_stream_held_at_the_base_refuses_the_command() {
    struct Other;
    impl KeyHolders for Other {
        fn holder(&self, category: &str, key: &UniqueKey, _: &StreamName) -> Option<StreamName> {
            let taken =
                category == "user" && *key == UniqueKey::caseless("email", "taken@example.com");
            taken.then(|| StreamName::new("user-other").unwrap())
        }
    }
    let history = sarah();
    let request = |email: &str| Request {
        base: 2,
        edits: json!([]),
        actions: json!([{"command": {"type": "ChangeEmail", "actor": "a", "payload": {"email": email}}}]),
        continuation: Continuation::None,
    };
    let out = tell_with(&history[..2], &request("Taken@example.com"), &Other).unwrap();
    assert_eq!(out.steps[0].rule.as_deref(), Some("email.taken"));
    let out = tell_with(&history[..2], &request("free@example.com"), &Other).unwrap();
    assert_eq!(out.steps[0].outcome, StepOutcome::Accepted);
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

#[test]
fn what_is_invented_at_the_base_happens_at_its_time_refolded_or_not() {
    let model = model();
    let history = sarah();
    let folded = fold(&model, &history[..2]);
    let actions: Vec<Action> = serde_json::from_str(&json!([suspend()]).to_string()).unwrap();
    let edits: Vec<Edit> = serde_json::from_value(
        json!([{"insert": {"after_revision": 2, "event_type": "X", "data": {}}}]),
    )
    .unwrap();
    for (continuation, upto) in [(Continuation::None, 2), (Continuation::Refold, 4)] {
        let out = evaluate(&Scenario {
            model: &model,
            stream: &stream(),
            start: &folded,
            start_at: time(2),
            base: base(2, time(2)),
            events: &history[2..upto],
            edits: &edits,
            actions: &actions,
            continuation,
            holders: &NoHolders,
            password_correct: None,
            steps: StepsWanted::CHANGED,
        })
        .unwrap();
        assert_eq!(
            out.steps[0].events[0].recorded_at,
            time(2),
            "{continuation:?}"
        );
        assert_eq!(
            out.steps[1].events[0].recorded_at,
            time(2),
            "{continuation:?}"
        );
    }
}

#[test]
fn a_difference_in_times_alone_is_a_divergence() {
    // The recorded suspension, dropped and invented again where the base is: a second too early.
    let event = json!([{"insert": {"after_revision": 2, "event_type": "UserSuspended", "data": {"reason": "fraud_detected"}}}, {"drop": {"revision": 3}}]);
    let out = run(4, event, json!([]), Continuation::None);
    assert_eq!(out.first_divergence, Some(Revision(3)));
    // The same content in other words is none.
    let replaced = json!([{"replace": {"revision": 3, "data": {"reason": "fraud_detected"}}}]);
    assert_eq!(
        run(4, replaced, json!([]), Continuation::None).first_divergence,
        None
    );
}

#[test]
fn a_recorded_password_is_never_looked_at() {
    let change = |current: &str, new: &str, correct: Option<bool>| {
        let mut command = json!({"type": "ChangePassword", "actor": "a", "payload": {"current_password": current, "new_password": new}});
        if let Some(correct) = correct {
            command["password_correct"] = json!(correct);
        }
        let name = json!({"command": {"type": "ChangeName", "actor": "a", "payload": {"first_name": "Z"}}});
        let out = run(
            2,
            json!([]),
            json!([{ "command": command }, name]),
            Continuation::None,
        );
        assert_eq!(out.steps[1].outcome, StepOutcome::Accepted);
        let step = out.steps[0].clone();
        (step.outcome, step.rule, step.message.unwrap_or_default())
    };
    // "hash of 8" is of any eight letters: right or wrong, the answer is the same.
    let (right, _, message) = change("12345678", "another one", None);
    assert_eq!(right, StepOutcome::Unknown);
    assert!(
        message.contains("`password_correct`") && message.contains("go on as if"),
        "{message}"
    );
    assert_eq!(change("123", "another one", None).0, StepOutcome::Unknown);
    assert_eq!(
        change("123", "another one", Some(true)).0,
        StepOutcome::Accepted
    );
    let rule = |current: &str, new: &str, correct| change(current, new, Some(correct)).1;
    assert_eq!(
        rule("12345678", "another one", false).as_deref(),
        Some("password.incorrect")
    );
    assert_eq!(
        rule("12345678", "12345678", true).as_deref(),
        Some("password.unchanged")
    );
    assert_eq!(
        rule("12345678", "short", true).as_deref(),
        Some("password.too_short")
    );
}

#[test]
fn a_password_set_in_the_what_if_is_known_there() {
    let user = json!({"username": "sam", "email": "s@x.io", "first_name": "S", "last_name": "A", "password": "secret one"});
    let create = json!({"command": {"type": "CreateUser", "actor": "a", "payload": user}});
    let change = |current: &str, new: &str| json!({"command": {"type": "ChangePassword", "actor": "a", "payload": {"current_password": current, "new_password": new}}});
    let actions = json!([
        create,
        change("wrong one", "secret two"),
        change("secret one", "secret one"),
        change("secret one", "secret two"),
        change("secret two", "secret 3")
    ]);
    let out = run(0, json!([]), actions, Continuation::None);
    let ends: Vec<_> = out
        .steps
        .iter()
        .map(|step| (step.outcome, step.rule.as_deref()))
        .collect();
    let (yes, no) = (StepOutcome::Accepted, StepOutcome::Rejected);
    assert_eq!(
        ends,
        [
            (yes, None),
            (no, Some("password.incorrect")),
            (no, Some("password.unchanged")),
            (yes, None),
            (yes, None)
        ]
    );
    assert!(!serde_json::to_string(&out).unwrap().contains("secret"));
}

#[test]
fn recorded_steps_of_the_same_effect_are_counted_and_pages_go_on_where_they_ended() {
    let facts: Vec<_> = (0..50)
        .map(|n| ("UserNameChanged", json!({"last_name": format!("n{n}")})))
        .collect();
    let history = [
        sarah()[..1].to_vec(),
        events(&[&[("UserWaved", json!({}))], &facts[..]].concat())[1..].to_vec(),
    ]
    .concat();
    let model = model();
    let edits: Vec<Edit> =
        serde_json::from_value(json!([{"replace": {"revision": 2, "data": {"last_name": "n1"}}}]))
            .unwrap();
    let page = |which, skip, limit| {
        evaluate(&Scenario {
            model: &model,
            stream: &stream(),
            start: &Folded::start(&model),
            start_at: time(1),
            base: base(51, time(51)),
            events: &history,
            edits: &edits,
            actions: &[],
            continuation: Continuation::None,
            holders: &NoHolders,
            password_correct: None,
            steps: StepsWanted { which, skip, limit },
        })
        .unwrap()
    };
    // Revision 2 says what 3 says: 3 changes nothing any more, and from 4 on all is as it was.
    let changed = page(StepSelection::Changed, 0, 100);
    assert_eq!(
        (
            changed.steps.len(),
            changed.steps_total,
            changed.steps_unchanged
        ),
        (2, 50, 48)
    );
    assert_eq!(
        (changed.outcomes.applied, changed.next_cursor.as_deref()),
        (50, None)
    );
    let (mut all, mut next) = (Vec::new(), Some(0));
    while let Some(skip) = next {
        let out = page(StepSelection::All, skip, 7);
        all.extend(out.steps);
        next = out.next_cursor.map(|next| next.parse().unwrap());
    }
    assert_eq!(all, page(StepSelection::All, 0, 100).steps);
    assert_eq!(all.len(), 50);
}
