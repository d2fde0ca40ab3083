//! Diffs and their way back.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn state(value: Value) -> State {
    match value {
        Value::Object(state) => state,
        other => unreachable!("not an object: {other}"),
    }
}

fn check(before: Value, after: Value, expected: &Value) {
    let found = diff(&state(before), &state(after));
    assert_eq!(&serde_json::to_value(found).unwrap(), expected);
}

#[test]
fn a_changed_field_is_one_replace() {
    check(
        json!({"status": "active", "email": "s@x"}),
        json!({"status": "suspended", "email": "s@x"}),
        &json!([{"path": "/status", "op": "replace", "before": "active", "after": "suspended"}]),
    );
}

#[test]
fn an_identity_is_labelled_as_it_is_written() {
    check(
        json!({"lines": [{"id": 100, "n": 1}, {"id": 20}]}),
        json!({"lines": [{"id": 100, "n": 2}, {"id": 20}]}),
        &json!([{"path": "/lines/0/n", "op": "replace", "before": 1, "after": 2, "label": "/lines[id=100]/n"}]),
    );
}

#[test]
fn null_is_a_value_and_absence_is_not() {
    check(
        json!({"a": null, "b": 1}),
        json!({"b": null}),
        &json!([{"path": "/a", "op": "remove", "before": null}, {"path": "/b", "op": "replace", "before": 1, "after": null}]),
    );
    let entry: DiffEntry =
        serde_json::from_value(json!({"path": "/a", "op": "remove", "before": null})).unwrap();
    assert_eq!((entry.before, entry.after), (Some(Value::Null), None));
}

#[test]
fn an_insertion_in_the_middle_of_an_array_is_one_entry() {
    check(
        json!({"tags": [1, 2, 3]}),
        json!({"tags": [1, 9, 2, 3]}),
        &json!([{"path": "/tags/1", "op": "add", "after": 9}]),
    );
    check(
        json!({"tags": [1, 2, 3, 4]}),
        json!({"tags": [1, 4]}),
        &json!([{"path": "/tags/2", "op": "remove", "before": 3}, {"path": "/tags/1", "op": "remove", "before": 2}]),
    );
}

#[test]
fn keys_with_slashes_and_tildes_are_escaped() {
    check(
        json!({"a/b~c": 1}),
        json!({"a/b~c": 2}),
        &json!([{"path": "/a~1b~0c", "op": "replace", "before": 1, "after": 2}]),
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4i64).prop_map(Value::from),
        "[ab/~]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(("[ab/~]{0,2}", inner), 0..4)
                .prop_map(|pairs| pairs.into_iter().collect::<Value>())
        ]
    })
}

fn any_state() -> impl Strategy<Value = State> {
    prop::collection::vec(("[abc/~]{0,2}", any_value()), 0..5)
        .prop_map(|pairs| pairs.into_iter().collect())
}

proptest! {
    #![proptest_config(crate::seeded::seeded(256))]

    #[test]
    fn applying_a_diff_gives_the_other_state(before in any_state(), after in any_state()) {
        let forth = diff(&before, &after);
        prop_assert_eq!(&apply(&before, &forth).unwrap(), &after);
        prop_assert_eq!(forth.is_empty(), before == after);
        prop_assert_eq!(&revert(&after, &forth).unwrap(), &before);
        prop_assert_eq!(apply(&after, &diff(&after, &before)).unwrap(), before);
    }
}

#[test]
fn lists_are_compared_by_content() {
    check(
        json!({"analyses": ["Aurum", "Copper", "Iron"]}),
        json!({"analyses": ["Aurum", "Calcium", "Copper", "Iron", "Magnesium"]}),
        &json!([{"path": "/analyses/1", "op": "add", "after": "Calcium"}, {"path": "/analyses/4", "op": "add", "after": "Magnesium"}]),
    );
    check(
        json!({"lines": [{"id": 7, "n": 1}, {"id": 8, "n": 1}, {"id": 9, "n": 1}]}),
        json!({"lines": [{"id": 9, "n": 1}, {"id": 5, "n": 1}, {"id": 7, "n": 2}]}),
        &json!([
            {"path": "/lines/2", "op": "remove", "before": {"id": 9, "n": 1}, "label": "/lines[id=9]"},
            {"path": "/lines/1", "op": "remove", "before": {"id": 8, "n": 1}, "label": "/lines[id=8]"},
            {"path": "/lines/0", "op": "add", "after": {"id": 9, "n": 1}, "label": "/lines[id=9]"},
            {"path": "/lines/1", "op": "add", "after": {"id": 5, "n": 1}, "label": "/lines[id=5]"},
            {"path": "/lines/2/n", "op": "replace", "before": 1, "after": 2, "label": "/lines[id=7]/n"},
        ]),
    );
}

#[test]
fn what_looks_alike_says_what_differs() {
    for (before, after, words) in [
        (json!("1"), json!(1), "was a text"),
        (json!(true), json!("true"), "was not a text"),
        (json!("Sarah"), json!("Sarah "), "white space"),
        (json!("Jos\u{e9}"), json!("Jose\u{301}"), "accents"),
        (
            json!("sa\u{200b}rah"),
            json!("sarah"),
            "invisible characters",
        ),
        (json!("sarah"), json!("s\u{430}rah"), "look alike"),
    ] {
        let found = diff(&state(json!({"a": before})), &state(json!({"a": after})));
        let note = found[0].note.as_deref().unwrap_or_default();
        assert!(note.contains(words), "{note}");
    }
    let found = diff(&state(json!({"a": "x"})), &state(json!({"a": "y"})));
    assert_eq!(found[0].note, None);
}
