//! Restoring an export: events and decisions get the places they had, or are refused.

use whodunit_core::command::{Decision, Outcome};

use super::*;

fn placed(mut append: Append, places: &[(Option<u64>, Option<u64>)]) -> Append {
    append.places = places
        .iter()
        .map(|(position, revision)| (position.map(Position), revision.map(Revision)))
        .collect();
    append
}

fn is_wrong(error: &AppendError, what: &str, expected: u64, actual: u64) -> bool {
    matches!(error, AppendError::WrongPlace { what: w, expected: e, actual: a }
        if (*w, *e, *a) == (what, expected, actual))
}

pub(super) async fn events_get_the_places_they_had_or_none(store: &Arc<dyn Store>) {
    ok(store, facts("b-1", &["0"])).await;
    let right = [(Some(2), Some(1)), (Some(3), Some(2))];
    let appended = ok(store, placed(facts("a-1", &["1", "2"]), &right)).await;
    assert_eq!(
        (appended.position, appended.revision),
        (Position(3), Revision(2))
    );
    // The same again is a repetition, wherever it says it belongs.
    assert!(
        ok(store, placed(facts("a-1", &["1", "2"]), &right))
            .await
            .repeated
    );
    let wrong = [
        ([(Some(5), Some(3)), (Some(6), Some(4))], "position", 5, 4),
        ([(Some(4), Some(2)), (Some(5), Some(3))], "revision", 2, 3),
        ([(Some(4), Some(3)), (Some(6), Some(4))], "position", 6, 5),
        ([(None, None), (None, Some(9))], "revision", 9, 4),
    ];
    for (places, what, expected, actual) in wrong {
        let error = refusal(store, placed(facts("a-1", &["3", "4"]), &places)).await;
        assert!(is_wrong(&error, what, expected, actual), "{error}");
    }
    assert_eq!(view(store).head(), head(3, 0));
    // What says nothing takes what comes.
    let free = [(None, Some(3)), (None, None)];
    let appended = ok(store, placed(facts("a-1", &["3", "4"]), &free)).await;
    assert_eq!(appended.position, Position(5));
}

fn exported(sequence: u64, command_id: &str, result: Outcome) -> Decision {
    let command = command("a-1", command_id);
    Decision {
        sequence,
        command_id: command.command_id,
        stream: command.stream,
        command_type: command.command_type,
        payload: serde_json::Value::Object(command.payload).into(),
        actor: command.actor,
        reason: command.reason,
        correlation_id: command.correlation_id,
        causation_id: command.causation_id,
        base_revision: Revision(0),
        base_position: Position(0),
        rules_hash: "rules-0".to_owned(),
        decided_at: command.issued_at,
        result,
    }
}

fn rejected() -> Outcome {
    Outcome::Rejected {
        rule: "a.rule".to_owned(),
        message: "no".to_owned(),
    }
}

pub(super) async fn decisions_are_restored_as_they_were(store: &Arc<dyn Store>) {
    let accepted = Outcome::Accepted {
        revision: Revision(1),
        position: Position(1),
        events: 1,
    };
    let (first, second) = (exported(1, "c-1", accepted), exported(0, "c-2", rejected()));
    ok(store, facts("a-1", &["1"])).await;
    let mut announced = store.head();
    announced.mark_unchanged();
    assert!(store.restore_decision(first.clone()).await.unwrap());
    assert_eq!(*announced.borrow_and_update(), head(1, 1));
    assert!(store.restore_decision(second.clone()).await.unwrap());
    let mut at_its_place = second.clone();
    at_its_place.sequence = 2;
    let read_view = view(store);
    assert_eq!(
        read_view.decision_by_command("c-1").unwrap(),
        Some(first.clone())
    );
    assert_eq!(
        read_view.decision_by_command("c-2").unwrap(),
        Some(at_its_place.clone())
    );
    // Again: skipped, whatever its sequence.
    announced.mark_unchanged();
    for again in [first.clone(), second, at_its_place] {
        assert!(!store.restore_decision(again).await.unwrap());
    }
    assert!(!announced.has_changed().unwrap());
    // The restored decision answers its command.
    let repeated = ok(store, super::accepted("a-1", "c-1", 1, &["2"])).await;
    assert!(repeated.repeated);
    assert_eq!(repeated.decision, Some(first));
    assert_eq!(repeated.events, all(&*view(store)));
}

pub(super) async fn a_decision_that_differs_or_does_not_fit_is_refused(store: &Arc<dyn Store>) {
    let first = exported(1, "c-1", rejected());
    assert!(store.restore_decision(first.clone()).await.unwrap());
    let changes: [Change<Decision>; 6] = [
        ("stream", |d| d.stream = name("a-2")),
        ("type", |d| d.command_type = "Other".to_owned()),
        ("payload", |d| d.payload = json!({"asked": "else"}).into()),
        ("actor", |d| d.actor = None),
        ("rules", |d| d.rules_hash = "rules-9".to_owned()),
        ("outcome", |d| {
            d.result = Outcome::Rejected {
                rule: "other".to_owned(),
                message: "no".to_owned(),
            };
        }),
    ];
    for (what, change) in changes {
        let mut other = first.clone();
        change(&mut other);
        let error = store.restore_decision(other).await.unwrap_err();
        assert!(
            matches!(error, AppendError::CommandIdConflict { sequence: 1, .. }),
            "{what}: {error}"
        );
    }
    for sequence in [1, 3] {
        let error = store
            .restore_decision(exported(sequence, "c-2", rejected()))
            .await
            .unwrap_err();
        assert!(
            is_wrong(&error, "decision sequence", sequence, 2),
            "{error}"
        );
    }
    assert_eq!(view(store).head(), head(0, 1));
}
