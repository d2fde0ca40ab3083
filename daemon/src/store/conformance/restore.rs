//! Restoring decisions of an export: they go in only with their own events, wherever those are now.

use whodunit_core::command::{Decision, Outcome};

use super::*;

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

fn led_to(revision: u64, position: u64, events: u32) -> Outcome {
    Outcome::Accepted {
        revision: Revision(revision),
        position: Position(position),
        events,
    }
}

fn with_events(decision: Decision, ids: &[&str]) -> RestoredDecision {
    RestoredDecision {
        decision,
        place: DecisionPlace::Events(ids.iter().map(|id| (*id).to_owned()).collect()),
    }
}

fn after(decision: Decision, log: Option<&str>, stream: Option<&str>) -> RestoredDecision {
    RestoredDecision {
        decision,
        place: DecisionPlace::After {
            log: log.map(str::to_owned),
            stream: stream.map(str::to_owned),
        },
    }
}

/// Facts that a command led to.
fn caused(stream: &str, command_id: &str, event_ids: &[&str]) -> Append {
    let mut append = facts(stream, event_ids);
    for event in &mut append.events {
        event.causation_id = Some(command_id.to_owned());
    }
    append
}

async fn why_refused(store: &Arc<dyn Store>, restored: RestoredDecision) -> NotItsEvents {
    match store.restore_decision(restored).await {
        Err(AppendError::NotItsEvents(why)) => why,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn decisions_are_restored_as_they_were(store: &Arc<dyn Store>) {
    let first = exported(1, "c-1", led_to(1, 1, 1));
    let mut second = exported(2, "c-2", rejected());
    (second.base_revision, second.base_position) = (Revision(1), Position(1));
    ok(store, caused("a-1", "c-1", &["1"])).await;
    let mut announced = store.head();
    announced.mark_unchanged();
    let restored = with_events(first.clone(), &["1"]);
    assert!(store.restore_decision(restored.clone()).await.unwrap());
    assert_eq!(*announced.borrow_and_update(), head(1, 1));
    let last = after(second.clone(), Some("1"), Some("1"));
    assert!(store.restore_decision(last.clone()).await.unwrap());
    let read_view = view(store);
    let recorded = |id: &str| read_view.decision_by_command(id).unwrap();
    assert_eq!(recorded("c-1"), Some(first.clone()));
    assert_eq!(recorded("c-2"), Some(second));
    // Again: skipped.
    announced.mark_unchanged();
    for again in [restored, last] {
        assert!(!store.restore_decision(again).await.unwrap());
    }
    assert!(!announced.has_changed().unwrap());
    // The restored decision answers its command.
    let repeated = ok(store, super::accepted("a-1", "c-1", 1, &["2"])).await;
    assert!(repeated.repeated);
    assert_eq!(repeated.decision.as_deref(), Some(&first));
    assert_eq!(all(&*view(store)), repeated.events);
}

pub(super) async fn a_decision_moves_along_with_its_events(store: &Arc<dyn Store>) {
    ok(store, facts("b-1", &["b1", "b2"])).await;
    ok(store, caused("a-1", "c-1", &["1"])).await;
    ok(store, facts("b-1", &["b3"])).await;
    ok(store, caused("a-1", "c-1", &["2"])).await;
    let decision = exported(9, "c-1", led_to(7, 20, 2));
    assert!(
        store
            .restore_decision(with_events(decision, &["1", "2"]))
            .await
            .unwrap()
    );
    let found = view(store).decision_by_command("c-1").unwrap().unwrap();
    assert_eq!(found.result, led_to(2, 5, 2));
    assert_eq!(
        (found.sequence, found.base_revision, found.base_position),
        (1, Revision(0), Position(2))
    );
}

pub(super) async fn a_decision_without_its_events_is_refused(store: &Arc<dyn Store>) {
    ok(store, caused("a-1", "c-1", &["1", "2"])).await;
    ok(store, caused("a-2", "c-1", &["3"])).await;
    ok(store, caused("a-1", "c-2", &["4"])).await;
    ok(store, caused("a-1", "c-1", &["5"])).await;
    let cases: [(&[&str], u32, &str); 8] = [
        (
            &["1", "9"],
            2,
            "event `9`, which says where it belongs, is not in",
        ),
        (
            &["1", "3"],
            2,
            "`3`, which says where it belongs, is of another stream",
        ),
        (
            &["1", "2", "4"],
            3,
            "`4`, which says where it belongs, is of another cause",
        ),
        (
            &["2", "1"],
            2,
            "`1`, which says where it belongs, is not right after",
        ),
        (
            &["2", "5"],
            2,
            "`5`, which says where it belongs, is not right after",
        ),
        (&["1", "2"], 3, "it led to 3 events, but names 2"),
        (&["1", "2"], 1, "it led to 1 event, but names 2"),
        (&[], 1, "it led to 1 event, but names 0"),
    ];
    for (ids, events, expected) in cases {
        let decision = exported(1, "c-1", led_to(2, 2, events));
        let why = why_refused(store, with_events(decision, ids)).await;
        assert!(why.to_string().contains(expected), "{ids:?}: {why}");
    }
    why_refused(store, with_events(exported(1, "c-1", rejected()), &["1"])).await;
    let bare = after(exported(1, "c-1", led_to(2, 2, 2)), None, None);
    why_refused(store, bare).await;
    assert_eq!(view(store).head(), head(5, 0));
}

pub(super) async fn a_decision_without_events_stands_after_what_it_stood_after(
    store: &Arc<dyn Store>,
) {
    // At 1 and 4 of the stream it is about, at 2 of another, at 3 an event of a third stream.
    ok(store, facts("a-1", &["1"])).await;
    ok(store, facts("b-1", &["2"])).await;
    ok(store, facts("c-1", &["x"])).await;
    ok(store, facts("a-1", &["3"])).await;
    let mut number = 0;
    let mut next = |result| {
        number += 1;
        exported(7, &format!("c-{number}"), result)
    };
    let fits = [
        (None, None, 0, 0),
        (Some("1"), Some("1"), 1, 1),
        (Some("2"), Some("1"), 1, 2),
        (Some("3"), Some("3"), 2, 4),
    ];
    for (log, stream, revision, position) in fits {
        for result in [rejected(), led_to(6, 7, 0)] {
            let decision = next(result.clone());
            let id = decision.command_id.clone();
            let restored = store.restore_decision(after(decision, log, stream)).await;
            assert!(restored.unwrap());
            let found = view(store).decision_by_command(&id).unwrap().unwrap();
            let base = (found.base_revision, found.base_position);
            assert_eq!(base, (Revision(revision), Position(position)));
            if result != rejected() {
                assert_eq!(found.result, led_to(revision, position, 0));
            }
        }
    }
    let wrong = [
        (
            Some("9"),
            None,
            "`9`, which says where it belongs, is not in",
        ),
        (Some("2"), None, "other events in this log"),
        (Some("3"), Some("1"), "other events in this log"),
        (Some("2"), Some("3"), "is later than"),
        (Some("2"), Some("2"), "is of another stream"),
    ];
    for (log, stream, expected) in wrong {
        let why = why_refused(store, after(next(rejected()), log, stream)).await;
        assert!(why.to_string().contains(expected), "{log:?}: {why}");
    }
    assert_eq!(view(store).head(), head(4, 8));
}

pub(super) async fn a_decision_that_differs_is_refused(store: &Arc<dyn Store>) {
    let first = exported(1, "c-1", rejected());
    let restored = after(first.clone(), None, None);
    assert!(store.restore_decision(restored).await.unwrap());
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
        let error = store
            .restore_decision(after(other, None, None))
            .await
            .unwrap_err();
        assert!(
            matches!(error, AppendError::CommandIdConflict { sequence: 1, .. }),
            "{what}: {error}"
        );
    }
    assert_eq!(view(store).head(), head(0, 1));
}
