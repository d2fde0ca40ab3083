//! Who set what: each rule of blame on a history of its own.

use serde_json::json;

use super::*;
use crate::json::Json;
use crate::merge;

fn fields(blame: &Blame, folded: &Folded, under: &str) -> Vec<(String, u64)> {
    let mut out = Vec::new();
    let there = blame.for_each_field(&folded.state, &under.parse().unwrap(), &mut |field| {
        let name = field.label.unwrap_or(field.path);
        out.push((name.to_owned(), field.set_by.0));
        ControlFlow::Continue(())
    });
    assert_eq!(there, !out.is_empty() || folded.state.is_empty());
    out
}

fn told(text: &str, revision: u64) -> Event {
    let mut event = crate::fold::tests::changed(revision);
    event.data = Json::parse(text).unwrap();
    event
}

fn fold(events: &[&str]) -> (Blame, Folded) {
    let model = merge::model();
    let (mut blame, mut folded) = (Blame::start_with_removed(), Folded::start(&model));
    for (event, revision) in events.iter().zip(1..) {
        blame.push(&model, &mut folded, &told(event, revision));
    }
    (blame, folded)
}

fn named(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs
        .iter()
        .map(|(path, revision)| ((*path).to_owned(), *revision))
        .collect()
}

#[test]
fn a_field_is_set_by_the_last_event_that_changed_it() {
    let (blame, folded) = fold(&[
        r#"{"status":"active","address":{"city":"Ulm","zip":1},"tags":[]}"#,
        r#"{"status":"suspended","address":{"zip":2}}"#,
        // The same again, in another spelling, changes nothing.
        r#"{"status":"suspended","address":{"zip":2.0}}"#,
        r#"{"tags":["a"]}"#,
        r#"{"tags":[]}"#,
    ]);
    let expected = named(&[
        ("/status", 2),
        ("/address/city", 1),
        ("/address/zip", 2),
        ("/tags", 5),
    ]);
    assert_eq!(fields(&blame, &folded, ""), expected);
    assert_eq!(
        fields(&blame, &folded, "/address/zip"),
        named(&[("/address/zip", 2)])
    );
    assert!(!blame.for_each_field(
        &folded.state,
        &"/address/x".parse().unwrap(),
        &mut |_| panic!()
    ));
}

#[test]
fn elements_are_followed_by_identity_or_content() {
    let (blame, folded) = fold(&[
        r#"{"lines":[{"id":7,"n":1},{"id":8,"n":1}],"tags":["b","c"]}"#,
        r#"{"lines":[{"id":7,"n":1},{"id":8,"n":2}]}"#,
        r#"{"lines":[{"id":6,"n":1},{"id":7,"n":1},{"id":8,"n":2}],"tags":["a","b","c"]}"#,
        r#"{"lines":[{"id":7,"n":1},{"id":8,"n":2}]}"#,
    ]);
    let expected = named(&[
        ("/lines[id=7]/id", 1),
        ("/lines[id=7]/n", 1),
        ("/lines[id=8]/id", 1),
        ("/lines[id=8]/n", 2),
        ("/tags/0", 3),
        ("/tags/1", 1),
        ("/tags/2", 1),
    ]);
    assert_eq!(fields(&blame, &folded, ""), expected);
    assert_eq!(
        fields(&blame, &folded, "/lines/1/n"),
        named(&[("/lines[id=8]/n", 2)])
    );
    let removed: Vec<_> = blame.removed().unwrap().iter().collect();
    let told = removed
        .iter()
        .map(|field| (field.label.as_deref(), field.set_by.0, field.removed_by.0));
    let expected = [
        (Some("/lines[id=6]/id"), 3, 4),
        (Some("/lines[id=6]/n"), 3, 4),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn what_was_removed_is_told_until_it_is_there_again() {
    let (blame, _) = fold(&[
        r#"{"a":1,"b":{"x":1,"y":2},"c":3}"#,
        r#"{"a":null,"b":{"x":5}}"#,
        r#"{"b":7,"c":null}"#,
        r#"{"c":4}"#,
    ]);
    let removed = blame.removed().unwrap().iter();
    let told: Vec<_> = removed
        .map(|field| {
            (
                field.path.as_str(),
                field.value.clone(),
                field.set_by.0,
                field.removed_by.0,
            )
        })
        .collect();
    let expected = [
        ("/a", json!(1), 1, 2),
        ("/b/x", json!(5), 2, 3),
        ("/b/y", json!(2), 1, 3),
    ];
    assert_eq!(told, expected);
}

#[test]
fn removed_fields_are_bounded_and_what_is_let_go_is_counted() {
    let model = merge::model();
    let (mut blame, mut folded) = (Blame::start_with_removed(), Folded::start(&model));
    let rounds = REMOVED_MAX as u64 + 100;
    for round in 0..rounds {
        let set = format!(r#"{{"k{round}":{round}}}"#);
        let unset = format!(r#"{{"k{round}":null}}"#);
        blame.push(&model, &mut folded, &told(&set, 2 * round + 1));
        blame.push(&model, &mut folded, &told(&unset, 2 * round + 2));
    }
    let removed = blame.removed().unwrap();
    assert_eq!(
        (removed.iter().count(), removed.dropped()),
        (REMOVED_MAX, 100)
    );
    assert!(removed.iter().all(|field| field.removed_by.0 > 200));
}

mod chains;
