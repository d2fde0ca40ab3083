//! Blame, field history and necessity over random histories, against brute force: a tree in which every value carries its
//! revision, comparisons of all states, and folds without the event in question. The histories have unknown types, events that
//! fail, payloads that are no objects, and clocks that go back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and prints its seed"
)]

#[path = "blame/annotated.rs"]
mod annotated;
#[path = "values/own.rs"]
mod own;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use annotated::Annotated;
use own::{Own, Random, event};
use serde_json::Value;
use whodunit_core::blame::{Blame, FieldHistory, Necessity, Refold};
use whodunit_core::command::{Command, Rejection};
use whodunit_core::decider::{Decider, DecodedEvent, Evolution, Touched};
use whodunit_core::diff::diff;
use whodunit_core::event::{Event, NewEvent};
use whodunit_core::fold::Folded;
use whodunit_core::ids::Revision;
use whodunit_core::json::{Json, State, merge_patch};
use whodunit_core::model::{Model, ModelSpec};
use whodunit_core::number::canonical;
use whodunit_core::pointer::Pointer;
use whodunit_core::same::same;

const HISTORIES: u64 = 1_000;
const SEED: u64 = 0x5eed_0009;

/// Merges `Changed`, fails at `Failing`, and knows nothing else.
struct Patchy {
    narrow: bool,
}

impl Decider for Patchy {
    fn initial_state(&self) -> State {
        let mut state = State::new();
        state.insert("initial".to_owned(), Value::from("here"));
        state
    }

    fn evolve(&self, state: &mut State, event: &DecodedEvent<'_>) -> Result<Evolution, String> {
        match event.event_type {
            "Changed" => merge_patch(state, event.data),
            "Failing" => return Err("it fails".to_owned()),
            _ => return Ok(Evolution::Unknown),
        }
        Ok(Evolution::Applied)
    }

    fn touched<'a>(&self, event: &DecodedEvent<'a>) -> Touched<'a> {
        if self.narrow {
            Touched::Patch(event.data)
        } else {
            Touched::All
        }
    }

    fn decide(&self, _: &State, _: &Command) -> Result<Vec<NewEvent>, Rejection> {
        Ok(Vec::new())
    }
}

fn model(narrow: bool) -> Model {
    let spec = ModelSpec {
        name: "patchy".to_owned(),
        category: None,
        description: String::new(),
        version: "1".to_owned(),
        commands: Vec::new(),
        events: BTreeMap::new(),
        upcasters: Vec::new(),
        secret_fields: Vec::new(),
        plaintext_fields: Vec::new(),
        title: None,
        status: None,
        unique_keys: None,
        indexed: Vec::new(),
    };
    Model::new(spec, Arc::new(Patchy { narrow }), None).unwrap()
}

fn history(random: &mut Random) -> Vec<Event> {
    let mut at = 0;
    let events = (1..=2 + random.below(12) as u64).map(|revision| {
        at += i64::try_from(random.below(100)).unwrap() - 50;
        let data = match random.below(12) {
            0 => Json::parse("[1]").unwrap(),
            _ => Own::object(random, 3).json(random),
        };
        let mut event = event(revision, at, data);
        let event_type = match random.below(8) {
            0 => "Failing",
            1 => "NotKnown",
            _ => "Changed",
        };
        event_type.clone_into(&mut event.event_type);
        event
    });
    events.collect()
}

/// The states at all revisions, from 0 on.
fn states(model: &Model, events: &[Event]) -> Vec<State> {
    let mut folded = Folded::start(model);
    let mut out = vec![folded.state.clone()];
    for event in events {
        folded.push(model, event);
        out.push(folded.state.clone());
    }
    out
}

fn fields(blame: &Blame, state: &State, under: &Pointer) -> Vec<(String, Value, u64)> {
    let mut out = Vec::new();
    blame.for_each_field(state, under, &mut |field| {
        out.push((field.path.to_owned(), field.value.clone(), field.set_by.0));
        ControlFlow::Continue(())
    });
    out
}

/// One text for all plain values that are the same.
fn spelling(value: &Value) -> String {
    match value {
        Value::Number(number) => canonical(number),
        other => other.to_string(),
    }
}

/// What an element of a list holds may stand in another order, in another spelling.
fn by_path(fields: &[(String, Value, u64)]) -> BTreeMap<&str, (String, u64)> {
    fields
        .iter()
        .map(|(path, value, by)| (path.as_str(), (spelling(value), *by)))
        .collect()
}

fn same_optional(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Whether a path leads through a list: the random keys have no digits.
fn is_in_list(path: &str) -> bool {
    path.split('/').any(|token| token.parse::<usize>().is_ok())
}

/// The last revision up to `to` at which what is at a path that leads through no list changed.
fn last_change(states: &[State], path: &str, to: usize) -> u64 {
    let path: Pointer = path.parse().unwrap();
    let changed = |at: &usize| {
        let (before, now) = (path.lookup(&states[at - 1]), path.lookup(&states[*at]));
        !same_optional(before, now)
    };
    (1..=to).rev().find(changed).unwrap_or(0) as u64
}

fn leaves(state: &State) -> Vec<(String, Value)> {
    fields(&Blame::start(), state, &Pointer::default())
        .into_iter()
        .map(|(path, value, _)| (path, value))
        .collect()
}

/// What went and is not there again, at paths that lead through no list: path, value, set by, removed by.
fn gone(states: &[State]) -> BTreeMap<String, (String, u64, u64)> {
    let mut out = BTreeMap::new();
    for at in 1..states.len() {
        out.retain(|path: &String, _| {
            let path: Pointer = path.parse().unwrap();
            path.lookup(&states[at]).is_none()
        });
        for (path, value) in leaves(&states[at - 1]) {
            let pointer: Pointer = path.parse().unwrap();
            if !is_in_list(&path) && pointer.lookup(&states[at]).is_none() {
                let set_by = last_change(states, &path, at - 1);
                out.insert(path, (spelling(&value), set_by, at as u64));
            }
        }
    }
    out
}

fn check_blame(random: &mut Random, seed: u64) {
    let model = model(random.below(2) == 0);
    let events = history(random);
    let states = states(&model, &events);
    let mut folded = Folded::start(&model);
    let mut blame = Blame::start_with_removed();
    let mut annotated = Annotated::new(&folded.state);
    for (event, at) in events.iter().zip(1..) {
        blame.push(&model, &mut folded, event);
        annotated.push(event.revision.0, &diff(&states[at - 1], &states[at]));
        if random.below(4) == 0 {
            // It is saved and loaded on the way.
            let text = serde_json::to_string(&blame).unwrap();
            blame = serde_json::from_str(&text).unwrap();
        }
        let found = fields(&blame, &folded.state, &Pointer::default());
        let expected = annotated.fields();
        assert_eq!(
            by_path(&found),
            by_path(&expected),
            "seed {seed} revision {at}"
        );
        for (path, value, set_by) in &found {
            if !is_in_list(path) {
                assert_eq!(
                    *set_by,
                    last_change(&states, path, at),
                    "seed {seed} {path}"
                );
            }
            let pointer: Pointer = path.parse().unwrap();
            let alone = fields(&blame, &folded.state, &pointer);
            assert_eq!(
                alone,
                [(path.clone(), value.clone(), *set_by)],
                "seed {seed}"
            );
        }
        let removed = blame.removed().unwrap();
        assert_eq!(removed.dropped(), 0);
        let removed: BTreeMap<_, _> = removed
            .iter()
            .filter(|field| !is_in_list(&field.path))
            .map(|field| {
                let told = (spelling(&field.value), field.set_by.0, field.removed_by.0);
                (field.path.clone(), told)
            })
            .collect();
        assert_eq!(removed, gone(&states[..=at]), "seed {seed} revision {at}");
    }
}

/// A path that there is in some of the states.
fn any_path(random: &mut Random, states: &[State]) -> Option<String> {
    let paths: Vec<String> = states
        .iter()
        .flat_map(leaves)
        .map(|(path, _)| path)
        .collect();
    (!paths.is_empty()).then(|| random.pick(&paths).clone())
}

fn check_history(random: &mut Random, seed: u64) {
    let model = model(random.below(2) == 0);
    let events = history(random);
    let states = states(&model, &events);
    let Some(path) = any_path(random, &states) else {
        return;
    };
    let mut folded = Folded::start(&model);
    let mut field = FieldHistory::start(path.parse().unwrap(), &folded);
    let pointer: Pointer = path.parse().unwrap();
    for (event, at) in events.iter().zip(1..) {
        let (_, change) = field.push(&model, &mut folded, event);
        let (before, now) = (pointer.lookup(&states[at - 1]), pointer.lookup(&states[at]));
        let expected = (!same_optional(before, now)).then(|| now.cloned());
        assert_eq!(
            change.map(|change| change.value),
            expected,
            "seed {seed} {path} at {at}"
        );
    }
}

fn check_necessity(random: &mut Random, seed: u64) {
    let model = model(random.below(2) == 0);
    let events = history(random);
    let all = states(&model, &events);
    let Some(path) = any_path(random, &all) else {
        return;
    };
    let dropped = 1 + random.below(events.len() as u64);
    let rest: Vec<_> = events
        .iter()
        .filter(|event| event.revision.0 != dropped as u64)
        .cloned()
        .collect();
    // At the dropped event's revision: the state before it.
    let mut without = states(&model, &rest);
    without.insert(dropped, without[dropped - 1].clone());
    let pointer: Pointer = path.parse().unwrap();
    let differs =
        |at: usize| !same_optional(pointer.lookup(&all[at]), pointer.lookup(&without[at]));
    let end = events.len();
    let expected = match (dropped..=end).rev().find(|at| differs(*at)) {
        None => Necessity::NoEffect,
        Some(last) if last == end => Necessity::Necessary {
            without: pointer.lookup(&without[end]).cloned(),
        },
        Some(last) => {
            let by = Revision(last as u64 + 1);
            if same_optional(pointer.lookup(&all[last]), pointer.lookup(&all[last + 1])) {
                Necessity::Overdetermined { by }
            } else {
                Necessity::Masked { by }
            }
        }
    };
    let mut before = Folded::start(&model);
    for event in &events[..dropped - 1] {
        before.push(&model, event);
    }
    let mut refold = Refold::start(path.parse().unwrap(), Revision(dropped as u64), before);
    for event in &events[dropped - 1..] {
        refold.push(&model, event);
    }
    assert_eq!(
        refold.necessity(),
        expected,
        "seed {seed}: {path} without {dropped}"
    );
    assert_eq!(refold.value(), pointer.lookup(&all[end]), "seed {seed}");
}

#[test]
fn blame_is_that_of_a_tree_with_a_revision_at_every_value() {
    println!("seed {SEED:#x}");
    for history in 0..HISTORIES {
        let seed = SEED ^ history.wrapping_mul(0x9e37_79b9);
        check_blame(&mut Random(seed), seed);
    }
}

#[test]
fn a_fields_history_is_every_change_of_its_value() {
    println!("seed {SEED:#x}");
    for history in 0..HISTORIES {
        let seed = SEED ^ history.wrapping_mul(0x9e37_79b9);
        check_history(&mut Random(seed), seed);
    }
}

#[test]
fn necessity_is_what_two_folds_say() {
    println!("seed {SEED:#x}");
    for history in 0..HISTORIES {
        let seed = SEED ^ history.wrapping_mul(0x9e37_79b9);
        check_necessity(&mut Random(seed), seed);
    }
}

/// A list whose elements have identities that keep their order: its elements are set at any place, changed and taken out.
fn changed_lines(random: &mut Random, lines: &[Value]) -> Vec<Value> {
    let mut lines = lines.to_vec();
    match random.below(3) {
        0 => {
            let id = |line: &Value| line["id"].as_u64().unwrap();
            let new = random.below(12) as u64;
            if let Err(place) = lines.binary_search_by_key(&new, id) {
                lines.insert(
                    place,
                    serde_json::json!({"id": new, "n": random.below(3), "kept": 1}),
                );
            }
        }
        1 if !lines.is_empty() => {
            lines.remove(random.below(lines.len() as u64));
        }
        _ if !lines.is_empty() => {
            let place = random.below(lines.len() as u64);
            lines[place]["n"] = Value::from(random.below(3));
        }
        _ => {}
    }
    lines
}

#[test]
fn an_element_keeps_its_blame_wherever_it_stands() {
    println!("seed {SEED:#x}");
    let model = model(true);
    for history in 0..300 {
        let mut random = Random(SEED ^ history);
        let mut folded = Folded::start(&model);
        let mut blame = Blame::start();
        let mut lines: Vec<Value> = Vec::new();
        // By identity and field: its value and the revision that set it.
        let mut expected: BTreeMap<(u64, &str), (Value, u64)> = BTreeMap::new();
        for revision in 1..40 {
            lines = changed_lines(&mut random, &lines);
            expected.retain(|(id, _), _| lines.iter().any(|line| line["id"] == *id));
            for line in &lines {
                for field in ["id", "n", "kept"] {
                    let key = (line["id"].as_u64().unwrap(), field);
                    if expected
                        .get(&key)
                        .is_none_or(|(value, _)| *value != line[field])
                    {
                        expected.insert(key, (line[field].clone(), revision));
                    }
                }
            }
            let data = serde_json::json!({ "lines": lines });
            let mut event = event(revision, 0, data.into());
            event.event_type = "Changed".to_owned();
            blame.push(&model, &mut folded, &event);
            let mut found = BTreeMap::new();
            let under: Pointer = "/lines".parse().unwrap();
            blame.for_each_field(&folded.state, &under, &mut |field| {
                if let Some(label) = field.label {
                    let (id, name) = label
                        .strip_prefix("/lines[id=")
                        .unwrap()
                        .split_once("]/")
                        .unwrap();
                    let name = ["id", "n", "kept"].into_iter().find(|known| *known == name);
                    let told = (field.value.clone(), field.set_by.0);
                    found.insert((id.parse().unwrap(), name.unwrap()), told);
                }
                ControlFlow::Continue(())
            });
            assert_eq!(
                found, expected,
                "history {history} revision {revision}: {lines:?}"
            );
        }
    }
}
