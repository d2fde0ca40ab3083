//! Times, passwords and pages.

use super::*;

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
        message.contains("`password_correct`") && message.contains("as if this command"),
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

/// A recorded event is listed as changed when its effect is another one, not when a value in it is spelled in another way.
#[test]
fn the_same_effect_in_another_spelling_is_no_change() {
    let total = |total: &str| -> Value { serde_json::from_str(total).unwrap() };
    let history = events(&[
        ("OrderPlaced", total(r#"{"total": 1, "note": "a"}"#)),
        ("OrderChanged", total(r#"{"total": 2}"#)),
    ]);
    let model = merge::model();
    let steps = |data: &str| {
        let edits = format!(r#"[{{"replace": {{"revision": 1, "data": {data}}}}}]"#);
        let edits: Vec<Edit> = serde_json::from_str(&edits).unwrap();
        let out = evaluate(&Scenario {
            model: &model,
            stream: &stream(),
            start: &Folded::start(&model),
            start_at: time(1),
            base: base(1, time(1)),
            events: &history,
            edits: &edits,
            actions: &[],
            continuation: Continuation::Refold,
            holders: &NoHolders,
            password_correct: None,
            steps: StepsWanted::CHANGED,
        })
        .unwrap();
        (out.steps.len(), out.steps_total, out.steps_unchanged)
    };
    for same in [
        r#"{"total": 1.0, "note": "a"}"#,
        r#"{"note": "\u0061", "total": 10e-1}"#,
    ] {
        assert_eq!(steps(same), (1, 2, 1), "{same}");
    }
    assert_eq!(steps(r#"{"total": 1.5, "note": "a"}"#), (2, 2, 0));
}
