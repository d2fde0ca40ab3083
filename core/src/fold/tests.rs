//! What an event did to a state, by its touched part and by the whole states.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::diff::apply;
use crate::ids::{Position, StreamName};
use crate::json::Json;
use crate::merge;
use crate::time::Timestamp;

fn event(revision: u64, data: &Value) -> Event {
    Event {
        position: Position(revision),
        stream: StreamName::new("door-1").unwrap(),
        revision: Revision(revision),
        event_id: format!("e{revision}"),
        event_type: "Changed".to_owned(),
        schema_version: 1,
        recorded_at: Timestamp::from_micros(0),
        actor: None,
        reason: None,
        correlation_id: None,
        causation_id: None,
        data: Json::from(data),
        metadata: None,
    }
}

/// An event that changes nothing yet.
pub(crate) fn changed(revision: u64) -> Event {
    event(revision, &json!({}))
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3u8).prop_map(Value::from),
        "[ab]{0,1}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-d~/]{1,2}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    prop::collection::vec(("[a-d]", any_value()), 0..5)
        .prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn by_path(mut diff: Vec<DiffEntry>) -> Vec<DiffEntry> {
    diff.sort_by(|a, b| a.path.cmp(&b.path));
    diff
}

proptest! {
    #![proptest_config(crate::seeded::seeded(256))]

    #[test]
    fn a_step_says_what_comparing_whole_states_says(patches in prop::collection::vec(any_object(), 1..8)) {
        let model = merge::model();
        let mut folded = Folded::start(&model);
        for (revision, patch) in (1..).zip(&patches) {
            let before = folded.state.clone();
            let change = folded.push_with_diff(&model, &event(revision, patch));
            prop_assert_eq!(&change.effect, &EventEffect::Applied);
            let mut plain = before.clone();
            step(&model, &mut plain, &event(revision, patch));
            prop_assert_eq!(&folded.state, &plain);
            let applied = apply(&before, &change.diff);
            prop_assert_eq!(applied.map(Value::Object), Ok(Value::Object(plain)));
            prop_assert_eq!(by_path(change.diff), by_path(diff(&before, &folded.state)));
        }
    }
}

#[test]
fn only_what_an_event_touches_is_copied() {
    let model = merge::model();
    let mut state = State::new();
    step(
        &model,
        &mut state,
        &event(
            1,
            &json!({"large": {"list": vec![0; 1_000], "n": 1}, "other": 2}),
        ),
    );
    let patch = json!({"large": {"n": 2}});
    let Value::Object(patch) = &patch else {
        unreachable!()
    };
    let touched = Value::Object(part(&state, Touched::Patch(patch)));
    assert_eq!(touched, json!({"large": {"n": 1}}));
}
