//! The decision log: what is recorded, what is repeated, and what is announced.

use whodunit_core::command::{Decision, Outcome};

use super::*;

pub(super) async fn an_accepted_command_is_recorded_with_its_events(store: &Arc<dyn Store>) {
    ok(store, facts("b-1", &["0"])).await;
    ok(store, facts("a-1", &["1"])).await;
    let appended = ok(store, accepted("a-1", "c-1", 1, &["2", "3"])).await;
    let expected = Decision {
        sequence: 1,
        command_id: "c-1".to_owned(),
        stream: name("a-1"),
        command_type: "DoIt".to_owned(),
        payload: json!({"asked": "c-1"}).into(),
        actor: Some("admin:eve".to_owned()),
        reason: Some("because".to_owned()),
        correlation_id: Some("c-1/correlation".to_owned()),
        causation_id: None,
        base_revision: Revision(1),
        base_position: Position(2),
        rules_hash: "rules-1".to_owned(),
        decided_at: at(5_000),
        result: Outcome::Accepted {
            revision: Revision(3),
            position: Position(4),
            events: 2,
        },
    };
    assert_eq!(appended.decision.as_ref(), Some(&expected));
    assert_eq!(
        (appended.revision, appended.position, appended.repeated),
        (Revision(3), Position(4), false)
    );
    let read_view = view(store);
    assert_eq!(read_view.head(), head(4, 1));
    assert_eq!(
        read_view.decision_by_command("c-1").unwrap().as_ref(),
        Some(&expected)
    );
    assert_eq!(read_view.decision_by_command("c-2").unwrap(), None);
}

pub(super) async fn an_accepted_command_may_have_no_events(store: &Arc<dyn Store>) {
    ok(store, facts("a-1", &["1"])).await;
    let appended = ok(store, accepted("a-1", "c-1", 1, &[])).await;
    assert!(appended.events.is_empty());
    assert_eq!(
        (appended.revision, appended.position),
        (Revision(1), Position(1))
    );
    let result = appended.decision.unwrap().result;
    assert!(
        matches!(
            result,
            Outcome::Accepted {
                revision: Revision(1),
                events: 0,
                ..
            }
        ),
        "{result:?}"
    );
    let again = ok(store, accepted("a-1", "c-1", 1, &[])).await;
    assert!(again.repeated && again.events.is_empty());
    assert_eq!(view(store).head(), head(1, 1));
}

pub(super) async fn a_rejected_command_is_recorded_and_changes_nothing_else(
    store: &Arc<dyn Store>,
) {
    ok(store, facts("a-1", &["1"])).await;
    let mut announced = store.head();
    announced.mark_unchanged();
    let mut append = refused("a-1", "c-1", 1);
    append.label = Some(label("not", "this"));
    append.keys = vec![key_change(0, "eve@example.org", true)];
    let appended = ok(store, append).await;
    assert!(announced.has_changed().unwrap());
    assert_eq!(*announced.borrow(), head(1, 1));
    assert!(appended.events.is_empty());
    let decision = appended.decision.unwrap();
    assert_eq!(
        decision.result,
        Outcome::Rejected {
            rule: "a.rule".to_owned(),
            message: "it may not be".to_owned()
        }
    );
    assert_eq!(
        (decision.base_revision, decision.base_position),
        (Revision(1), Position(1))
    );
    let read_view = view(store);
    let info = read_view.stream(&name("a-1")).unwrap().unwrap();
    assert_eq!((info.revision, info.label.title), (Revision(1), None));
    assert_eq!(
        read_view
            .key_holder("a", &key("eve@example.org"), None)
            .unwrap(),
        None
    );
    // A stream may have decisions and no event.
    ok(store, refused("a-2", "c-2", 0)).await;
    let read_view = view(store);
    assert_eq!(read_view.stream(&name("a-2")).unwrap(), None);
    assert_eq!(read_view.head(), head(1, 2));
}

pub(super) async fn the_same_command_again_gets_the_recorded_decision(store: &Arc<dyn Store>) {
    let first = ok(store, accepted("a-1", "c-1", 0, &["1", "2"])).await;
    let rejected = ok(store, refused("a-1", "c-2", 2)).await;
    ok(store, facts("a-1", &["3"])).await;
    let before = view(store).head();
    // PendingDecision again on another base, with other events and another outcome: the first answer stands.
    let again = ok(store, accepted("a-1", "c-1", 3, &["4"])).await;
    assert!(again.repeated);
    assert_eq!(
        (
            &again.events,
            &again.decision,
            again.revision,
            again.position
        ),
        (
            &first.events,
            &first.decision,
            first.revision,
            first.position
        )
    );
    let again = ok(store, refused("a-1", "c-1", 3)).await;
    assert_eq!(again.decision, first.decision);
    let again = ok(store, accepted("a-1", "c-2", 3, &["5"])).await;
    assert!(again.repeated && again.events.is_empty());
    assert_eq!(again.decision, rejected.decision);
    assert_eq!(view(store).head(), before);
}

pub(super) async fn a_command_id_of_another_command_is_a_conflict(store: &Arc<dyn Store>) {
    ok(store, refused("a-9", "c-0", 0)).await;
    ok(store, accepted("a-1", "c-1", 0, &["1"])).await;
    let elsewhere = accepted("a-2", "c-1", 0, &["2"]);
    let mut other_type = accepted("a-1", "c-1", 1, &["2"]);
    if let Some(decided) = &mut other_type.decision {
        decided.command.command_type = "UndoIt".to_owned();
    }
    for append in [elsewhere, other_type] {
        let error = refusal(store, append).await;
        assert!(
            matches!(&error, AppendError::CommandIdConflict { command_id, sequence: 2 } if command_id == "c-1"),
            "{error}"
        );
    }
    assert_eq!(view(store).head(), head(1, 2));
}

pub(super) async fn a_new_command_cannot_have_led_to_old_events(store: &Arc<dyn Store>) {
    ok(store, facts("a-1", &["1"])).await;
    // To answer this as a repetition would lose its decision.
    let error = refusal(store, accepted("a-1", "c-1", 1, &["1"])).await;
    assert!(
        matches!(error, AppendError::EventIdConflict { .. }),
        "{error}"
    );
    assert_eq!(view(store).head(), head(1, 0));
}

pub(super) async fn a_command_decided_on_an_old_base_leaves_no_decision(store: &Arc<dyn Store>) {
    ok(store, facts("a-1", &["1", "2"])).await;
    for append in [accepted("a-1", "c-1", 1, &["3"]), refused("a-1", "c-2", 1)] {
        let error = refusal(store, append).await;
        assert!(
            matches!(
                error,
                AppendError::WrongRevision {
                    actual: Revision(2),
                    ..
                }
            ),
            "{error}"
        );
    }
    assert_eq!(view(store).head(), head(2, 0));
    // PendingDecision again on the right base, under the same id, it is recorded.
    assert!(!ok(store, accepted("a-1", "c-1", 2, &["3"])).await.repeated);
}

pub(super) async fn pages_of_decisions_go_on_where_they_ended(store: &Arc<dyn Store>) {
    let mut recorded = Vec::new();
    let mut heads = [0; 3];
    for n in 0..23 {
        let which = n % 3;
        let (stream, id) = (format!("a-{which}"), format!("c-{n}"));
        let append = if n % 4 == 1 {
            refused(&stream, &id, heads[which])
        } else {
            heads[which] += 1;
            accepted(&stream, &id, heads[which] - 1, &[&id])
        };
        recorded.push(ok(store, append).await.decision.unwrap());
    }
    let read_view = view(store);
    for stream in [
        None,
        Some(name("a-0")),
        Some(name("a-2")),
        Some(name("a-7")),
    ] {
        for rejected in [None, Some(true), Some(false)] {
            let filter = DecisionFilter {
                stream: stream.clone(),
                rejected,
                ..DecisionFilter::default()
            };
            let passes = |decision: &&Decision| {
                let is_rejected = matches!(decision.result, Outcome::Rejected { .. });
                stream
                    .as_ref()
                    .is_none_or(|wanted| *wanted == decision.stream)
                    && rejected.is_none_or(|wanted| wanted == is_rejected)
            };
            let mut expected: Vec<_> = recorded.iter().filter(passes).cloned().collect();
            for direction in [Direction::Forward, Direction::Backward] {
                for limit in [1, 2, 5, 100] {
                    let (mut read, mut from) = (Vec::new(), None);
                    loop {
                        let page = read_view
                            .decisions(&filter, from, direction, limit)
                            .unwrap();
                        assert!(page.decisions.len() <= limit);
                        read.extend(page.decisions);
                        match page.next {
                            Some(next) => from = Some(next),
                            None => break,
                        }
                    }
                    assert_eq!(read, expected, "{filter:?} {direction:?} {limit}");
                }
                expected.reverse();
            }
        }
    }
    // Beyond the end there is nothing, in either direction.
    let all = DecisionFilter::default();
    let page = |from, direction| {
        read_view
            .decisions(&all, Some(from), direction, 100)
            .unwrap()
    };
    assert!(page(24, Direction::Forward).decisions.is_empty());
    assert!(page(0, Direction::Backward).decisions.is_empty());
    assert_eq!(page(99, Direction::Backward).decisions.len(), 23);
    assert_eq!(page(0, Direction::Forward).decisions.len(), 23);
}

/// A restored rejection may stand before others that were recorded earlier. To go on from a position may not lose any: the
/// answer is the same as that of a reader who goes through all of them.
pub(super) async fn the_rejections_before_a_position_are_found_whatever_was_restored(
    store: &Arc<dyn Store>,
) {
    assert_eq!(view(store).rejection_before(Position(1)).unwrap(), 0);
    let mut head = 0;
    for n in 0..12u64 {
        let id = format!("c{n}");
        match n % 4 {
            0 => ok(store, refused("b-1", &id, 0)).await,
            3 => {
                ok(store, facts("a-1", &[&id])).await;
                head += 1;
                continue;
            }
            _ => {
                head += 1;
                ok(store, accepted("a-1", &id, head - 1, &[&id])).await
            }
        };
    }
    // Decided at the beginning of the log, and recorded at its end.
    let early = refused("b-1", "early", 0);
    let mut restored = RestoredDecision {
        decision: view(store).decision(1).unwrap().unwrap(),
        place: DecisionPlace::After {
            log: Some("c1".to_owned()),
            stream: None,
        },
    };
    restored.decision.command_id = early.decision.unwrap().command.command_id;
    assert!(store.restore_decision(restored).await.unwrap());
    ok(store, accepted("a-1", "last", head, &["last"])).await;
    let read_view = view(store);
    let all = DecisionFilter::default();
    let page = read_view.decisions(&all, None, Direction::Forward, 100);
    let decisions = page.unwrap().decisions;
    assert_eq!(decisions.len() as u64, read_view.head().decision);
    for position in (0..=read_view.head().position.0 + 1).map(Position) {
        let found = read_view.rejection_before(position).unwrap();
        let expected = naive_rejection_before(&decisions, position);
        assert_eq!(found, expected, "before {position}");
    }
}

/// By going through all of them.
fn naive_rejection_before(decisions: &[Decision], position: Position) -> u64 {
    let rejected = |decision: &&Decision| matches!(decision.result, Outcome::Rejected { .. });
    let mut before = 0;
    for decision in decisions.iter().filter(rejected) {
        if decision.place() >= position {
            return before;
        }
        before = decision.sequence;
    }
    decisions.last().map_or(0, |last| last.sequence)
}
