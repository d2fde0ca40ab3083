//! Random operations on a store that is closed and opened again in between, against a plain model of what they promise, and
//! against the same plans applied to lists in memory: those must agree to the letter.

mod model;
mod questions;
mod steps;

use proptest::prelude::*;
use serde_json::{Map, json};
use whodunit_core::command::{Command, Decision, Outcome, Rejection};
use whodunit_core::decide::KeyChange;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use self::model::{End, Model};
use super::testing::wait;
use super::*;
use crate::store::write::{self, Lookup, memory::Memory};
use crate::store::{
    DecisionFilter, Direction, LogFilter, PendingDecision, StreamFilter, StreamOrder,
};

/// Something that may be asked of a store. Streams, ids and keys are few, so that they meet.
#[derive(Debug, Clone)]
enum Op {
    Append(Asked),
    Snapshot {
        stream: u8,
        revision: u64,
    },
    /// Close and open again, or only drop and open again.
    Reopen {
        close: bool,
    },
}

#[derive(Debug, Clone)]
struct Asked {
    stream: u8,
    expected: Expectation,
    /// An id out of a few, or a new one.
    events: Vec<Option<u8>>,
    /// The command's id, and whether its rules refused it.
    decided: Option<(u8, bool)>,
    claim: Option<u8>,
    release: Option<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Expectation {
    Any,
    NoStream,
    StreamExists,
    Head,
    Beyond,
}

fn op() -> impl Strategy<Value = Op> {
    let expectation = prop_oneof![
        4 => Just(Expectation::Head),
        2 => Just(Expectation::Any),
        1 => Just(Expectation::NoStream),
        1 => Just(Expectation::StreamExists),
        1 => Just(Expectation::Beyond),
    ];
    let asked = (
        0..4u8,
        expectation,
        prop::collection::vec(prop::option::weighted(0.3, 0..12u8), 0..4),
        prop::option::of((0..10u8, any::<bool>())),
        prop::option::weighted(0.4, 0..3u8),
        prop::option::weighted(0.3, 0..3u8),
    )
        .prop_map(
            |(stream, expected, events, decided, claim, release)| Asked {
                stream,
                expected,
                events,
                decided,
                claim,
                release,
            },
        );
    prop_oneof![
        12 => asked.prop_map(Op::Append),
        1 => (0..4u8, 0..6u64).prop_map(|(stream, revision)| Op::Snapshot { stream, revision }),
        1 => any::<bool>().prop_map(|close| Op::Reopen { close }),
    ]
}

fn stream(n: u8) -> StreamName {
    let category = if n.is_multiple_of(2) { "user" } else { "users" };
    StreamName::new(format!("{category}-{n}")).unwrap()
}

fn email(n: u8) -> UniqueKey {
    UniqueKey::caseless("email", &format!("{n}@example.org"))
}

/// The request that an operation makes of a store with this model, the n-th in its run.
fn request(model: &Model, asked: &Asked, n: usize) -> Append {
    let stream = stream(asked.stream);
    let head = model.revision(&stream);
    let expected = match asked.expected {
        Expectation::Any => ExpectedRevision::Any,
        Expectation::NoStream => ExpectedRevision::NoStream,
        Expectation::StreamExists => ExpectedRevision::StreamExists,
        Expectation::Head => ExpectedRevision::Exact(Revision(head)),
        Expectation::Beyond => ExpectedRevision::Exact(Revision(head + 1)),
    };
    let fact = |id: &Option<u8>| {
        let mut event = NewEvent::new("Happened", json!({ "id": id }));
        event.event_id = id.map(|id| format!("id-{id}"));
        event
    };
    let refused = matches!(asked.decided, Some((_, true)));
    let events = asked.events.iter().filter(|_| !refused).map(fact).collect();
    // A clock that goes back now and then.
    let now = Timestamp::from_micros(i64::try_from(n * 7_919 % 31).unwrap());
    let mut append = Append::facts(stream.clone(), expected, events, now);
    append.fresh_ids = (0..append.events.len())
        .map(|i| format!("fresh-{n}-{i}"))
        .collect();
    let last = append.events.len().saturating_sub(1);
    let change = |key: u8, taken| KeyChange {
        event: last,
        key: email(key),
        taken,
    };
    if !append.events.is_empty() {
        append
            .keys
            .extend(asked.release.map(|key| change(key, false)));
        append.keys.extend(asked.claim.map(|key| change(key, true)));
    }
    append.decision = asked.decided.map(|(id, refused)| PendingDecision {
        command: Command {
            command_id: format!("command-{id}"),
            stream,
            command_type: "DoIt".to_owned(),
            payload: Map::new(),
            actor: None,
            reason: None,
            correlation_id: None,
            causation_id: None,
            issued_at: now,
        },
        base_revision: Revision(head),
        rules_hash: "rules".to_owned(),
        rejection: refused.then(|| Rejection::new("a.rule", "no")),
    });
    append
}

/// What the store's answer amounts to.
fn end(answer: &Result<AppendResult, AppendError>) -> End {
    match answer {
        Ok(appended) if appended.repeated => End::Repeated,
        Ok(appended) => match appended.decision.as_ref().map(|d| &d.result) {
            Some(Outcome::Rejected { rule, .. }) => End::Rejected(rule.clone()),
            Some(Outcome::Accepted { .. }) | None => End::Wrote {
                revision: appended.revision.0,
                events: appended.events.len(),
            },
        },
        Err(AppendError::WrongRevision { .. }) => End::Refused("revision"),
        Err(AppendError::EventIdConflict { .. }) => End::Refused("event id"),
        Err(AppendError::CommandIdConflict { .. }) => End::Refused("command id"),
        Err(AppendError::KeyTaken { .. }) => End::Refused("key"),
        Err(AppendError::Store(StoreError::Engine { .. })) => End::Refused("malformed"),
        Err(error) => panic!("{error}"),
    }
}

/// Everything a view says, beside everything the model and the reference say.
fn assert_same(model: &Model, reference: &Memory, view: &dyn View) {
    assert_reference(reference, view);
    let head = Head {
        position: Position(model.log.len() as u64),
        decision: model.decisions.len() as u64,
    };
    assert_eq!(view.head(), head);
    let (whole, forward) = (LogFilter::default(), Direction::Forward);
    let log = view
        .log(&whole, None, forward, usize::MAX, u64::MAX)
        .unwrap();
    assert_eq!(log.events, model.log);
    let decisions = view
        .decisions(&DecisionFilter::default(), None, forward, usize::MAX)
        .unwrap();
    let decisions: Vec<_> = decisions
        .decisions
        .into_iter()
        .map(|decision| {
            let rule = match decision.result {
                Outcome::Rejected { rule, .. } => Some(rule),
                Outcome::Accepted { .. } => None,
            };
            (decision.stream, decision.command_id, rule)
        })
        .collect();
    assert_eq!(decisions, model.decisions);
    assert_same_streams(model, view);
    assert_lookups(model, view);
}

fn assert_reference(reference: &Memory, view: &dyn View) {
    assert_eq!(view.head(), reference.head().unwrap());
    for (n, decision) in (1..).zip(&reference.decisions) {
        assert_eq!(view.decision(n).unwrap().as_ref(), Some(decision));
    }
    for position in (0..=reference.events.len() as u64 + 1).map(Position) {
        let found = view.rejection_before(position).unwrap();
        let expected = naive_rejection_before(&reference.decisions, position);
        assert_eq!(found, expected, "before {position}");
    }
    for placed in &reference.events {
        let event = &placed.event;
        assert_eq!(view.event_at(event.position).unwrap().as_ref(), Some(event));
        let found = view.event_at_revision(&event.stream, event.revision);
        assert_eq!(found.unwrap().as_ref(), Some(event));
        let effective = view.effective_at(&event.stream, event.revision).unwrap();
        assert_eq!(effective, Some(placed.effective_at));
    }
    for (name, info) in &reference.streams {
        assert_eq!(view.stream(name).unwrap().as_ref(), Some(info));
    }
    for ((category, key), holds) in &reference.holds {
        for hold in holds {
            let found = view.key_holder(category, key, Some(hold.since)).unwrap();
            let expected = hold.until != Some(hold.since);
            assert_eq!(found.as_ref(), expected.then_some(hold));
        }
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

fn assert_same_streams(model: &Model, view: &dyn View) {
    let forward = Direction::Forward;
    let (any, order) = (StreamFilter::default(), StreamOrder::Name);
    let listed = view
        .streams(&any, order, None, usize::MAX, u64::MAX)
        .unwrap();
    let mut streams: Vec<_> = (0..4)
        .map(stream)
        .filter(|s| model.revision(s) > 0)
        .collect();
    streams.sort();
    let names: Vec<_> = listed
        .streams
        .iter()
        .map(|info| info.stream.clone())
        .collect();
    assert_eq!(names, streams);
    for info in listed.streams {
        let (first, last) = (
            model.of(&info.stream).next().unwrap(),
            model.of(&info.stream).next_back().unwrap(),
        );
        assert_eq!(
            (info.revision, info.first_position, info.last_position),
            (last.revision, first.position, last.position)
        );
        assert_eq!(
            (info.first_at, info.last_at),
            (
                first.recorded_at,
                model.effective(&last.stream, last.revision.0)
            )
        );
        let events = view.stream_events(&info.stream, Revision(0), forward, usize::MAX);
        assert!(events.unwrap().iter().eq(model.of(&info.stream)));
        for at_most in [0, 2, 9] {
            let known = (info.stream.clone(), 0)..=(info.stream.clone(), at_most);
            let expected = model.snapshots.range(known).next_back();
            let found = view
                .snapshot(&info.stream, "rules", Revision(at_most))
                .unwrap();
            assert_eq!(
                found.map(|snapshot| (snapshot.revision.0, snapshot.state)),
                expected.map(|((_, revision), state)| (*revision, state.clone()))
            );
        }
    }
}

fn assert_lookups(model: &Model, view: &dyn View) {
    for event in &model.log {
        let found = view.event_by_id(&event.event_id).unwrap();
        assert_eq!(found.as_ref(), Some(event));
    }
    for (category, key, at) in (0..3)
        .flat_map(|n| (0..=model.log.len() as u64).map(move |at| (n, at)))
        .flat_map(|(n, at)| ["user", "users"].map(|category| (category, email(n), at)))
    {
        let found = view.key_holder(category, &key, Some(Position(at))).unwrap();
        let expected = model.holder(category, &key.value, at);
        assert_eq!(
            found.as_ref().map(|hold| &hold.stream),
            expected,
            "{key} at {at}"
        );
    }
    for (category, key, micros) in (0..3)
        .flat_map(|n| (0..31).map(move |micros| (n, micros)))
        .flat_map(|(n, micros)| ["user", "users"].map(|category| (category, email(n), micros)))
    {
        let moment = Timestamp::from_micros(micros);
        let expected = model.holders_as_of(category, &key.value, moment);
        for except in (0..4).map(stream) {
            let found = view
                .key_holder_as_of(category, &key, moment, &except)
                .unwrap();
            let others = expected.iter().filter(|holder| ***holder != except);
            assert_eq!(found.is_some(), others.count() > 0, "{key} at {micros}");
            assert!(found.is_none_or(|hold| expected.contains(&&hold.stream)));
        }
    }
    for position in 0..=model.log.len() + 1 {
        let event = position.checked_sub(1).and_then(|n| model.log.get(n));
        let position = Position(position as u64);
        assert_eq!(view.event_at(position).unwrap().as_ref(), event);
        for stream in (0..4).map(stream).filter(|s| model.revision(s) > 0) {
            let naive = model.of(&stream).filter(|e| e.position <= position).count();
            let found = view.revision_at(&stream, position).unwrap();
            assert_eq!(found, Some(Revision(naive as u64)));
        }
    }
    for (sequence, (_, id, _)) in (1..).zip(&model.decisions) {
        assert_eq!(view.decision(sequence).unwrap().unwrap().command_id, *id);
    }
    let beyond = model.decisions.len() as u64 + 1;
    assert_eq!(view.decision(beyond).unwrap(), None);
}

fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let disk = MemoryDisk::default();
    let open = || testing::open(&disk, NewStore::WhereNothingIsLeft, 5).unwrap();
    let (mut store, mut model, mut reference) = (open(), Model::default(), Memory::default());
    for (n, op) in ops.into_iter().enumerate() {
        match op {
            Op::Append(asked) => {
                let append = request(&model, &asked, n);
                let before = Head {
                    position: Position(model.log.len() as u64),
                    decision: model.decisions.len() as u64,
                };
                let expected = model.append(&append);
                let (planned, _) = write::append(&mut reference, &append).unwrap();
                let answer = wait(store.append(append));
                prop_assert_eq!(end(&planned), end(&answer), "operation {}", n);
                if let (Ok(planned), Ok(answer)) = (&planned, &answer) {
                    prop_assert_eq!(planned, answer, "operation {}: {:?}", n, asked);
                }
                prop_assert_eq!(end(&answer), expected, "operation {}: {:?}", n, asked);
                if !matches!(&answer, Ok(appended) if !appended.repeated) {
                    prop_assert_eq!(*store.head().borrow(), before);
                }
            }
            Op::Snapshot {
                stream: of,
                revision,
            } => {
                let snapshot = Snapshot {
                    stream: stream(of),
                    revision: Revision(revision),
                    rules_hash: "rules".to_owned(),
                    state: n.to_le_bytes().to_vec(),
                };
                if model.revision(&snapshot.stream) > 0 {
                    let place = (snapshot.stream.clone(), revision);
                    model.snapshots.insert(place, snapshot.state.clone());
                }
                wait(store.save_snapshot(snapshot)).unwrap();
            }
            Op::Reopen { close } => {
                if close {
                    wait(store.close()).unwrap();
                }
                drop(store);
                store = open();
                assert_same(&model, &reference, &*store.view().unwrap());
            }
        }
        if n % 10 == 0 {
            assert_same(&model, &reference, &*store.view().unwrap());
        }
    }
    assert_same(&model, &reference, &*store.view().unwrap());
    Ok(())
}

proptest! {
    #![proptest_config(crate::seeded::seeded(128))]

    #[test]
    fn a_store_does_what_the_model_does(ops in prop::collection::vec(op(), 1..50)) {
        run(ops)?;
    }
}
