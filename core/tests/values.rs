//! Numbers, sameness, diffs and search over 10,000 random histories, against an account of their own: a JSON of its own,
//! decimals as lists of digits that are added up column by column, and a search through every text there is.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and prints its seed"
)]

#[path = "values/own.rs"]
mod own;

use std::cmp::Ordering;

use own::{Decimal, Own, Random, event, text};
use serde_json::{Map, Number, Value};
use whodunit_core::diff::{apply, diff, revert};
use whodunit_core::fold::{EventEffect, Folded};
use whodunit_core::json::Json;
use whodunit_core::merge;
use whodunit_core::number;
use whodunit_core::same::{same, same_text};
use whodunit_core::search::Search;

const HISTORIES: u64 = 10_000;
const SEED: u64 = 0x5eed_0007;

fn check_search(random: &mut Random, own: &Own, json: &Json) {
    let mut texts = Vec::new();
    own.texts(&mut texts);
    let wanted: String = match random.below(2) {
        0 => text(random),
        _ => random
            .pick(&texts.iter().copied().chain(["a"]).collect::<Vec<_>>())
            .to_string(),
    };
    let Some(search) = Search::new(&wanted.to_uppercase()) else {
        assert!(wanted.is_empty());
        return;
    };
    let folded = wanted.to_lowercase();
    let expected = texts
        .iter()
        .any(|text| text.to_lowercase().contains(&folded));
    // Numbers hold none of the letters but for an exponent's.
    assert_eq!(search.in_json(json), expected, "{wanted:?} in {json:?}");
}

fn check_numbers(random: &mut Random) {
    let [a, b] = [0, 1].map(|_| Decimal::random(random));
    let mut number = |decimal: &Decimal| {
        let mut out = String::new();
        decimal.write(random, &mut out);
        let number: Number = serde_json::from_str(&out).unwrap();
        assert_eq!(Decimal::read(number.as_str()).cmp(decimal), Ordering::Equal);
        number
    };
    let (x, y) = (number(&a), number(&b));
    assert_eq!(number::compare(&x, &y), a.cmp(&b), "{x} {y}");
    let spelt_alike = number::canonical(&x) == number::canonical(&y);
    assert_eq!(spelt_alike, a.cmp(&b) == Ordering::Equal, "{x} {y}");
}

fn check_history(random: &mut Random) {
    let model = merge::model();
    let mut folded = Folded::start(&model);
    let mut own = Own::Object(Vec::new());
    let mut states = vec![(folded.state.clone(), own.clone())];
    let mut at = 0;
    for revision in 1..=1 + random.below(6) as u64 {
        // The clock goes back as often as forward.
        at += i64::try_from(random.below(100)).unwrap() - 50;
        let change = Own::object(random, 3);
        let data = change.json(random);
        assert!(same_text(&data, &change.json(random)), "{data:?}");
        check_search(random, &change, &data);
        own.patch(&change);
        assert_eq!(
            folded.push(&model, &event(revision, at, data)),
            EventEffect::Applied
        );
        assert!(Own::of_map(&folded.state).equals(&own), "{own:?}");
        states.push((folded.state.clone(), own.clone()));
    }
    let (before, own_before) = random.pick(&states);
    let (after, own_after) = random.pick(&states);
    let entries = diff(before, after);
    let equal = own_before.equals(own_after);
    assert_eq!(entries.is_empty(), equal);
    let whole = |state: &Map<String, Value>| Value::Object(state.clone());
    assert_eq!(same(&whole(before), &whole(after)), equal);
    let forth = apply(before, &entries).unwrap();
    assert!(
        Own::of_map(&forth).equals(own_after),
        "{before:?} {after:?} {entries:?}"
    );
    let back = revert(after, &entries).unwrap();
    assert!(
        Own::of_map(&back).equals(own_before),
        "{before:?} {after:?} {entries:?}"
    );
}

#[test]
fn values_mean_what_an_account_of_their_own_says() {
    println!("seed {SEED:#x}");
    for history in 0..HISTORIES {
        let mut random = Random(SEED ^ history.wrapping_mul(0x9e37_79b9));
        check_numbers(&mut random);
        check_history(&mut random);
    }
}

#[test]
fn a_mapped_number_keeps_its_digits() {
    let mapping = whodunit_core::mapping::Mapping::parse(
        "[[rule]]\nstream = \"wallet-{/w}\"\ntype = \"Changed\"\ndata = { wei = \"{/wei}\", rate = \"{/rate}\", text = \"{text(/wei)}\", limit = 0.12345678901234567890123 }",
    )
    .unwrap();
    let record: Value = whodunit_core::json::read(
        r#"{"w":"w1","wei":12345678901234567890123,"rate":0.1234567890123456789}"#,
    )
    .unwrap();
    let applied = format!("{:?}", mapping.apply(&record).unwrap());
    let data = r#"{"wei":12345678901234567890123,"rate":0.1234567890123456789,"text":"12345678901234567890123","limit":0.12345678901234567890123}"#;
    assert!(applied.contains(data), "{applied}");
}
