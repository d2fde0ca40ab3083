//! Predicates against the `cel` crate: on 100,000 random predicates and states both say the same.
//!
//! `cel/outcomes.txt` has a letter for each seed: `t` true, `f` false, `u` an error. It was written by version 0.15 of the crate,
//! evaluating `pair(seed).cel` of `cel/pairs.rs` over the variables `state` and `before`; that was done in a program of its own, as the
//! crate takes longer to build than all the tests. A change of the generator needs a new file.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and prints its seed"
)]

#[path = "cel/pairs.rs"]
mod pairs;

use pairs::{Pair, pair};
use serde_json::Value;
use whodunit_core::merge;
use whodunit_core::predicate::{Predicate, Scope, Truth};

const OUTCOMES: &str = include_str!("cel/outcomes.txt");

fn outcome(pair: &Pair, predicate: &Predicate) -> char {
    let model = merge::model();
    let scope = Scope::new(&model, &pair.state).with_before(Some(&pair.before));
    match predicate.evaluate(&scope).unwrap() {
        Truth::True => 't',
        Truth::False => 'f',
        Truth::Undefined(_) => 'u',
    }
}

#[test]
fn predicates_say_what_cel_says() {
    let letters: Vec<char> = OUTCOMES.trim().chars().collect();
    assert_eq!(letters.len(), 100_000);
    let (mut refused, mut counts) = (0, [0; 3]);
    let mut differing = Vec::new();
    for (seed, expected) in (0..).zip(letters) {
        let pair = pair(seed);
        let Ok(predicate) = Predicate::parse(&pair.ours) else {
            refused += 1;
            continue;
        };
        let found = outcome(&pair, &predicate);
        if found != expected {
            let (state, before) = (Value::from(pair.state), Value::from(pair.before));
            differing.push(format!(
                "seed {seed}: {found}, not {expected}: {}\nstate {state}\nbefore {before}",
                pair.ours
            ));
        }
        counts["tfu".find(found).unwrap()] += 1;
    }
    differing.truncate(5);
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
    println!("{counts:?} true, false, undefined; {refused} refused when read");
    // What is refused compares what can never be equal; all three outcomes are there in number.
    assert!(refused < 15_000 && counts.iter().all(|count| *count > 5_000));
}

#[test]
fn a_predicate_is_printed_as_it_reads_and_needs_no_more_than_it_says() {
    let model = merge::model();
    for seed in 0..20_000 {
        let pair = pair(seed);
        let Ok(predicate) = Predicate::parse(&pair.ours) else {
            continue;
        };
        let printed = predicate.to_string();
        let again = Predicate::parse(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        assert_eq!(predicate, again, "seed {seed}: {} {printed}", pair.ours);
        assert_eq!(printed, again.to_string(), "seed {seed}");
        assert_eq!(predicate.needs(), again.needs(), "seed {seed}");
        let part = predicate.needs().before.part(&pair.before);
        let scope = Scope::new(&model, &pair.state).with_before(part.as_ref());
        let over_part = predicate.evaluate(&scope).unwrap();
        let scope = Scope::new(&model, &pair.state).with_before(Some(&pair.before));
        assert_eq!(
            over_part,
            predicate.evaluate(&scope).unwrap(),
            "seed {seed}: {printed}"
        );
        if let Some(keys) = &predicate.needs().state_keys {
            let kept = pair.state.iter().filter(|(key, _)| keys.contains(key));
            let kept = kept
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            let scope = Scope::new(&model, &kept).with_before(Some(&pair.before));
            assert_eq!(
                over_part,
                predicate.evaluate(&scope).unwrap(),
                "seed {seed}: {printed}"
            );
        }
    }
}
