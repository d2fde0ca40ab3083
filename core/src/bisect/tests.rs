//! A bisect finds what looking at every revision finds, and loads no more states than it says.

use std::convert::Infallible;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::event::Event;
use crate::fold::Folded;
use crate::ids::Revision;
use crate::json::{Json, Value};
use crate::merge;
use crate::predicate::{Predicate, Scope, Truth};

fn events(changes: &[Value]) -> Vec<Event> {
    let event = |(change, revision): (&Value, u64)| {
        let mut event = crate::fold::tests::changed(revision);
        event.data = Json::from(change);
        event
    };
    changes.iter().zip(1..).map(event).collect()
}

/// What a predicate says of each revision, from 0 on, each state folded from the beginning.
fn brute_force(predicate: &Predicate, events: &[Event]) -> Vec<Truth> {
    let model = merge::model();
    let mut out = Vec::new();
    let mut before: Option<Folded> = None;
    for to in 0..=events.len() {
        let mut now = Folded::start(&model);
        for event in &events[..to] {
            now.push(&model, event);
        }
        let scope = Scope::new(&model, &now.state)
            .with_event(to.checked_sub(1).map(|last| &events[last]))
            .with_before(before.as_ref().map(|before| &before.state));
        out.push(predicate.evaluate(&scope).unwrap());
        before = Some(now);
    }
    out
}

fn scan(predicate: &Predicate, events: &[Event], pick: Pick, max: usize) -> (Scanned, u64) {
    let model = merge::model();
    let mut folded = Folded::start(&model);
    let mut probe = Probe::new(&model, predicate);
    let mut scan = Scan::new(pick, max);
    let mut over = scan.add(Revision(0), probe.start(&folded, None, None).unwrap());
    for event in events {
        if over {
            break;
        }
        // Another probe that goes on is as good as the one before it.
        probe = Probe::go_on(&model, predicate, probe.so_far());
        let truth = probe.push(&mut folded, event).unwrap();
        over = scan.add(event.revision, truth);
    }
    (scan.finish(), probe.evaluations())
}

const PREDICATES: [&str; 8] = [
    "state.a == 1",
    "state.a != 1 || !has(state.b)",
    "/a >= 2 && /b < 2",
    "has(state.b)",
    "changed(\"/a\")",
    "was(\"/a\") == 1 && state.a == 2",
    "event.revision > 3",
    "size(state) > 1",
];

fn any_change() -> impl Strategy<Value = Value> {
    let value = prop_oneof![Just(Value::Null), (0..4_u8).prop_map(Value::from)];
    prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), value), 0..2).prop_map(
        |fields| {
            let fields = fields
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value));
            Value::Object(fields.collect())
        },
    )
}

struct Counted<'a> {
    truths: &'a [Truth],
    loads: u64,
}

impl States for Counted<'_> {
    type Error = Infallible;

    fn truth_at(&mut self, revision: Revision) -> Result<Truth, Infallible> {
        self.loads += 1;
        Ok(self.truths[usize::try_from(revision.0).unwrap()])
    }
}

proptest! {
    #![proptest_config(crate::seeded::seeded(1_000))]

    #[test]
    fn a_scan_finds_what_looking_at_every_state_finds(
        changes in prop::collection::vec(any_change(), 0..20),
        which in 0..PREDICATES.len(),
        max in 1..4_usize,
    ) {
        let predicate = Predicate::parse(PREDICATES[which]).unwrap();
        let events = events(&changes);
        let truths = brute_force(&predicate, &events);
        let at = |revision: usize| Revision(revision as u64);
        let holds: Vec<bool> = truths.iter().map(|truth| truth.holds()).collect();

        let (first, _) = scan(&predicate, &events, Pick::First, max);
        let expected = holds.iter().position(|holds| *holds);
        prop_assert_eq!(first.matches.first().map(|flip| flip.revision), expected.map(at));

        let (last, _) = scan(&predicate, &events, Pick::Last, max);
        let expected = holds.iter().rposition(|holds| *holds);
        prop_assert_eq!(last.matches.first().map(|flip| flip.revision), expected.map(at));

        let (flips, _) = scan(&predicate, &events, Pick::Flips, max);
        let all: Vec<_> = (0..holds.len())
            .filter(|at| holds[*at] != at.checked_sub(1).is_some_and(|before| holds[before]))
            .map(|place| Flip { revision: at(place), holds: holds[place] })
            .collect();
        prop_assert_eq!(&flips.matches, &all[..all.len().min(max)]);
        prop_assert_eq!(flips.matches_total, all.len() as u64);
        prop_assert_eq!(flips.holding, holds.iter().filter(|holds| **holds).count() as u64);
        prop_assert_eq!(flips.revisions, holds.len() as u64);
        prop_assert_eq!((flips.holds_at_start, flips.holds_at_end), (holds.first().copied(), holds.last().copied()));
        let undefined: Vec<_> = truths.iter().filter(|truth| matches!(truth, Truth::Undefined(_))).collect();
        prop_assert_eq!(flips.undefined.count, undefined.len() as u64);
        prop_assert_eq!(flips.undefined.first.map(|(_, why)| Truth::Undefined(why)), undefined.first().copied().copied());
    }

    #[test]
    fn a_search_finds_the_one_flip_in_few_loads(length in 1..3_000_usize, flip in 1..3_000_usize, rises: bool) {
        let flip = flip.min(length);
        let truths: Vec<Truth> = (0..=length)
            .map(|at| if (at >= flip) == rises { Truth::True } else { Truth::False })
            .collect();
        let mut states = Counted { truths: &truths, loads: 0 };
        let Ok(found) = search(&mut states, (Revision(0), Revision(length as u64)));
        prop_assert_eq!(found.flip, Some(Flip { revision: Revision(flip as u64), holds: rises }));
        prop_assert_eq!(found.folds, states.loads);
        let bound = u64::from(length.next_power_of_two().trailing_zeros()) + 2;
        prop_assert!(found.folds <= bound, "{} > {bound}", found.folds);
    }

    #[test]
    fn a_search_over_any_history_finds_a_flip_or_says_that_the_ends_agree(truths in prop::collection::vec(any::<bool>(), 1..60)) {
        let told: Vec<Truth> = truths.iter().map(|holds| if *holds { Truth::True } else { Truth::False }).collect();
        let to = Revision(truths.len() as u64 - 1);
        let Ok(found) = search(&mut Counted { truths: &told, loads: 0 }, (Revision(0), to));
        match found.flip {
            None => prop_assert_eq!(truths.first(), truths.last()),
            Some(flip) => {
                let at = usize::try_from(flip.revision.0).unwrap();
                prop_assert_eq!(truths[at], flip.holds);
                prop_assert_ne!(truths[at - 1], flip.holds);
            }
        }
    }
}

#[test]
fn what_an_event_cannot_have_touched_is_not_evaluated_again() {
    let changes: Vec<Value> = (0..100)
        .map(|n| {
            if n == 50 {
                json!({"status": "on"})
            } else {
                json!({ "n": n })
            }
        })
        .collect();
    let predicate = Predicate::parse("state.status == \"on\"").unwrap();
    let (found, evaluations) = scan(&predicate, &events(&changes), Pick::Flips, 10);
    assert_eq!(
        found.matches,
        [Flip {
            revision: Revision(51),
            holds: true
        }]
    );
    assert_eq!((found.revisions, evaluations), (101, 2));
}
