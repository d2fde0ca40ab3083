//! Edits: dropping, replacing and inserting events, re-folded or not.

use super::*;

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
    let beyond = evaluate_with(
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
