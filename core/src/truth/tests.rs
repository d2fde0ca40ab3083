//! Documents, trails and histories that part, and what is said of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn state(value: Value) -> State {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

/// The history of a stream: event `r` at position `10 r`, and after it a state of its own.
fn shadow(revision: u64) -> Shadow {
    Shadow {
        revision: Revision(revision),
        position: Position(revision * 10),
        digest: Digest(spread(revision)),
    }
}

fn applied(revision: u64) -> Entry {
    let Shadow {
        revision,
        position,
        digest,
    } = shadow(revision);
    Entry {
        rederived: false,
        revision,
        position,
        digest,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the examiner takes one or none")]
fn stored(revision: u64) -> Option<Stored> {
    let Shadow {
        revision, digest, ..
    } = shadow(revision);
    Some(Stored { revision, digest })
}

fn examine(entries: &[Entry], stored: Option<Stored>, events: u64) -> Option<(FindingKind, u64)> {
    let mut examiner = Examiner::new(entries, stored);
    for revision in 1..=events {
        if !examiner.event(shadow(revision)) {
            break;
        }
    }
    let parting = examiner.finish()?;
    assert_eq!(parting.position.0, parting.revision.0 * 10);
    assert!(!parting.sentence("X").is_empty());
    Some((parting.kind, parting.revision.0))
}

#[test]
fn equal_states_have_equal_digests_and_others_have_not() {
    let digest = |value| Digest::of(&state(value));
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
    assert_eq!(same, Digest(PINNED));
}

const PINNED: u64 = 16_844_294_588_429_364_964;

#[test]
fn what_was_folded_anew_begins_again() {
    let base = |revision| Entry {
        rederived: true,
        ..applied(revision)
    };
    let entries = [applied(1), applied(3), base(3), applied(4)];
    assert_eq!(examine(&entries, stored(4), 4), None);
    let missed = examine(&[base(2), applied(4)], stored(4), 4);
    assert_eq!(missed, Some((FindingKind::Missed, 3)));
    let other_rules = Entry {
        digest: Digest(1),
        ..base(2)
    };
    let changed = examine(&[other_rules], stored(2), 2);
    assert_eq!(changed, Some((FindingKind::RulesChanged, 2)));
    // Folded anew beyond the events there are.
    assert_eq!(
        examine(&[base(3)], stored(3), 2),
        Some((FindingKind::Unfounded, 3))
    );
}

#[test]
fn no_event_no_document() {
    assert_eq!(examine(&[], None, 0), None);
    let unfounded = Examiner::new(&[], stored(2)).finish().unwrap();
    assert_eq!(
        (unfounded.kind, unfounded.position),
        (FindingKind::Unfounded, Position::ZERO)
    );
}

proptest! {
    #[test]
    fn a_clean_account_has_no_finding(events in 0_u64..40) {
        let entries: Vec<_> = (1..=events).map(applied).collect();
        let document = if events == 0 { None } else { stored(events) };
        prop_assert_eq!(examine(&entries, document, events), None);
    }

    #[test]
    fn every_fault_is_named_with_its_event(events in 3_u64..40, pick in 0_usize..1000) {
        let clean: Vec<_> = (1..=events).map(applied).collect();
        let at = pick % clean.len();
        let revision = at as u64 + 1;
        let document = stored(events);

        let mut missed = clean.clone();
        missed.remove(at);
        prop_assert_eq!(examine(&missed, document, events), Some((FindingKind::Missed, revision)));

        // A second application, anywhere later.
        let mut doubled = clean.clone();
        let later = at + 1 + pick % (clean.len() - at);
        doubled.insert(later, applied(revision));
        prop_assert_eq!(examine(&doubled, document, events), Some((FindingKind::AppliedTwice, revision)));

        if at + 1 < clean.len() {
            let mut swapped = clean.clone();
            swapped.swap(at, at + 1);
            prop_assert_eq!(examine(&swapped, document, events), Some((FindingKind::OutOfOrder, revision)));
        }

        let mut changed = clean.clone();
        changed[at].digest = Digest(7);
        prop_assert_eq!(examine(&changed, document, events), Some((FindingKind::RulesChanged, revision)));

        prop_assert_eq!(examine(&clean, None, events), Some((FindingKind::Lost, events)));
        let altered = Some(Stored { revision: Revision(events), digest: Digest(7) });
        prop_assert_eq!(examine(&clean, altered, events), Some((FindingKind::Altered, events)));
        let behind = Some(Stored { revision: Revision(events - 1), ..document.unwrap() });
        prop_assert_eq!(examine(&clean, behind, events), Some((FindingKind::Altered, events)));
    }
}
