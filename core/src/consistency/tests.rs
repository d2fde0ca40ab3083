//! Documents, apply logs and histories that part, and what is said of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn state(value: Value) -> State {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

fn number(number: u64) -> Digest {
    Digest(u128::from(number).to_le_bytes())
}

/// The chain of the first events.
fn chain(events: u64) -> Digest {
    (1..=events).fold(Digest::default(), |chain, event| chain.chain(number(event)))
}

/// The history of a stream: event `r` at position `10 r`, and after it a state of its own.
fn expected(revision: u64) -> Expected {
    Expected {
        revision: Revision(revision),
        position: Position(revision * 10),
        event: number(revision),
        state: number(revision + 1_000),
    }
}

fn applied(revision: u64) -> AppliedEvent {
    let Expected {
        revision,
        position,
        event,
        state,
    } = expected(revision);
    AppliedEvent {
        refolded: false,
        revision,
        position,
        event,
        state,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the comparer takes one or none")]
fn stored(revision: u64) -> Option<Stored> {
    let Expected {
        revision, state, ..
    } = expected(revision);
    Some(Stored {
        revision,
        digest: state,
    })
}

fn compare(
    entries: &[AppliedEvent],
    stored: Option<Stored>,
    events: u64,
) -> Option<(FindingKind, u64)> {
    let mut comparer = Comparer::new(entries, stored);
    for revision in 1..=events {
        if !comparer.event(expected(revision)) {
            break;
        }
    }
    let divergence = comparer.finish()?;
    assert_eq!(divergence.position.0, divergence.revision.0 * 10);
    assert!(!divergence.sentence("X").is_empty());
    Some((divergence.kind, divergence.revision.0))
}

#[test]
fn equal_states_have_equal_digests_and_others_have_not() {
    let digest = |value| Digest::of_state(&state(value));
    let same = digest(json!({"a": 1, "b": {"c": [1, "x", null], "d": true}}));
    assert_eq!(
        same,
        digest(json!({"b": {"d": true, "c": [1, "x", null]}, "a": 1}))
    );
    let others = [
        json!({}),
        json!({"a": null}),
        json!({"a": {}}),
        json!({"a": []}),
        json!({"a": "1"}),
        json!({"a": 1}),
        json!({"a": 1.5}),
        json!({"b": 1}),
        json!({"a": [1, 2]}),
        json!({"a": [2, 1]}),
        json!({"a": [[1], 2]}),
        json!({"a": ["a,b"]}),
        json!({"a": ["a", "b"]}),
        json!({"a": {"b": 1}}),
        json!({"a": {"b": 1, "c": 2}}),
        json!({"a": {"b": 2, "c": 1}}),
        json!({"a": {"b": 1}, "c": 2}),
        json!({"a": true}),
        json!({"a": false}),
    ];
    for (index, one) in others.iter().enumerate() {
        for other in &others[..index] {
            assert_ne!(digest(one.clone()), digest(other.clone()), "{one} {other}");
        }
    }
    // It is written into files: it must not change from one build to the next.
    assert_eq!(format!("{same:?}"), PINNED);
}

const PINNED: &str =
    "Digest([216, 106, 214, 10, 178, 195, 95, 101, 169, 70, 12, 221, 94, 160, 63, 228])";

#[test]
fn an_event_that_differs_anywhere_has_another_digest() {
    let event = json!({
        "position": 1, "stream": "a-1", "revision": 1, "event_id": "e", "event_type": "T", "schema_version": 1,
        "recorded_at": "2026-01-01T00:00:00Z", "actor": "x", "reason": null, "correlation_id": null,
        "causation_id": null, "data": {"a": 1}, "metadata": null,
    });
    let digest = |event: &Value| Digest::of_event(&serde_json::from_value(event.clone()).unwrap());
    let changes = [
        ("position", json!(2)),
        ("stream", json!("a-2")),
        ("revision", json!(2)),
        ("event_id", json!("f")),
        ("event_type", json!("U")),
        ("schema_version", json!(2)),
        ("recorded_at", json!("2026-01-01T00:00:01Z")),
        ("actor", json!(null)),
        ("reason", json!("")),
        ("correlation_id", json!("x")),
        ("causation_id", json!("x")),
        ("data", json!({"a": 2})),
        ("metadata", json!({})),
    ];
    let mut seen = std::collections::HashSet::from([digest(&event)]);
    for (field, value) in changes {
        let mut changed = event.clone();
        changed[field] = value;
        assert!(seen.insert(digest(&changed)), "{field}");
    }
}

#[test]
fn what_was_folded_anew_begins_again() {
    let base = |revision| AppliedEvent {
        refolded: true,
        event: chain(revision),
        ..applied(revision)
    };
    let entries = [applied(1), applied(3), base(3), applied(4)];
    assert_eq!(compare(&entries, stored(4), 4), None);
    let missed = compare(&[base(2), applied(4)], stored(4), 4);
    assert_eq!(missed, Some((FindingKind::Missed, 3)));
    let other_rules = AppliedEvent {
        state: number(1),
        ..base(2)
    };
    let changed = compare(&[other_rules], stored(2), 2);
    assert_eq!(changed, Some((FindingKind::RulesChanged, 2)));
    // An event before the one re-folded up to was changed in the log since, whatever it does to the state.
    let other_event = AppliedEvent {
        event: number(1),
        ..base(2)
    };
    let changed = compare(&[other_event], stored(2), 2);
    assert_eq!(changed, Some((FindingKind::EventChanged, 2)));
    // Re-folded past the last event.
    assert_eq!(
        compare(&[base(3)], stored(3), 2),
        Some((FindingKind::Orphan, 3))
    );
}

#[test]
fn no_event_no_document() {
    assert_eq!(compare(&[], None, 0), None);
    let orphan = Comparer::new(&[], stored(2)).finish().unwrap();
    assert_eq!(
        (orphan.kind, orphan.position),
        (FindingKind::Orphan, Position::ZERO)
    );
}

proptest! {
    #![proptest_config(crate::seeded::seeded(256))]

    #[test]
    fn a_clean_account_has_no_finding(events in 0_u64..40) {
        let entries: Vec<_> = (1..=events).map(applied).collect();
        let document = if events == 0 { None } else { stored(events) };
        prop_assert_eq!(compare(&entries, document, events), None);
    }

    #[test]
    fn every_fault_is_named_with_its_event(events in 3_u64..40, pick in 0_usize..1000) {
        let clean: Vec<_> = (1..=events).map(applied).collect();
        let at = pick % clean.len();
        let revision = at as u64 + 1;
        let document = stored(events);

        let mut missed = clean.clone();
        missed.remove(at);
        prop_assert_eq!(compare(&missed, document, events), Some((FindingKind::Missed, revision)));

        // A second application, anywhere later.
        let mut doubled = clean.clone();
        let later = at + 1 + pick % (clean.len() - at);
        doubled.insert(later, applied(revision));
        prop_assert_eq!(compare(&doubled, document, events), Some((FindingKind::AppliedTwice, revision)));

        if at + 1 < clean.len() {
            let mut swapped = clean.clone();
            swapped.swap(at, at + 1);
            prop_assert_eq!(compare(&swapped, document, events), Some((FindingKind::OutOfOrder, revision)));
        }

        let mut changed = clean.clone();
        changed[at].state = number(7_000);
        prop_assert_eq!(compare(&changed, document, events), Some((FindingKind::RulesChanged, revision)));
        // An event that is another now is named as such, though its effect is another too.
        changed[at].event = number(7_000);
        prop_assert_eq!(compare(&changed, document, events), Some((FindingKind::EventChanged, revision)));

        prop_assert_eq!(compare(&clean, None, events), Some((FindingKind::Lost, events)));
        let altered = Some(Stored { revision: Revision(events), digest: number(7_000) });
        prop_assert_eq!(compare(&clean, altered, events), Some((FindingKind::Altered, events)));
        let behind = Some(Stored { revision: Revision(events - 1), ..document.unwrap() });
        prop_assert_eq!(compare(&clean, behind, events), Some((FindingKind::Altered, events)));
    }
}
