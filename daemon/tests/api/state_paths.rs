//! State at revision N is one value: by fold, by snapshots, damaged or not, stepping forward or back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use whodunit_core::event::{Event, ExpectedRevision, NewEvent};
use whodunit_core::fold::{Folded, fold};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::merge;
use whodunit_core::model::Model;
use whodunit_core::same::same_object;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, Direction, Snapshot, Store};
use whodunit_daemon::time_travel::{TimeTravel, snapshots};

use crate::support::Api;

/// What happens to a snapshot.
#[derive(Debug, Clone)]
enum Tamper {
    /// Bytes that were never a snapshot.
    Garbage { at: u64, bytes: Vec<u8> },
    /// One byte of a true one changed.
    Flip { at: u64, byte: prop::sample::Index },
    /// A true one cut short.
    Cut { at: u64, keep: prop::sample::Index },
    /// A true one under another revision, possibly ahead of the stream.
    Move { from: u64, to: u64 },
    /// A well-formed one of another history of this very stream.
    Foreign { at: u64 },
    /// A well-formed one that claims nonsense about an event that is not there.
    Ahead { by: u64 },
}

fn tampers() -> impl Strategy<Value = Vec<Tamper>> {
    let at = || 1..60_u64;
    vec(
        prop_oneof![
            (at(), vec(any::<u8>(), 0..40)).prop_map(|(at, bytes)| Tamper::Garbage { at, bytes }),
            (at(), any::<prop::sample::Index>()).prop_map(|(at, byte)| Tamper::Flip { at, byte }),
            (at(), any::<prop::sample::Index>()).prop_map(|(at, keep)| Tamper::Cut { at, keep }),
            (at(), at()).prop_map(|(from, to)| Tamper::Move { from, to }),
            at().prop_map(|at| Tamper::Foreign { at }),
            at().prop_map(|by| Tamper::Ahead { by }),
        ],
        0..8,
    )
}

fn patches() -> impl Strategy<Value = Vec<Map<String, Value>>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zé\"\\\\]{0,12}".prop_map(Value::from),
        Just(json!("x".repeat(700))),
    ];
    let value = leaf.prop_recursive(2, 6, 3, |inner| {
        let object = vec(("[a-d]", inner.clone()), 0..3);
        prop_oneof![
            vec(inner, 0..3).prop_map(Value::from),
            object.prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    });
    let patch = vec(("[a-f]", value), 0..4).prop_map(|entries| entries.into_iter().collect());
    vec(patch, 1..40)
}

fn event_with(stream: &StreamName, revision: Revision, id: &str) -> Event {
    let new = NewEvent::new("T", json!({}));
    let model = merge::model();
    let mut event =
        whodunit_core::decide::provisional(&model, stream, revision, &new, Timestamp::MIN);
    event.position = whodunit_core::ids::Position(revision.0);
    id.clone_into(&mut event.event_id);
    event
}

/// The snapshot that a tampering puts into the store.
fn tampered(tamper: &Tamper, events: &[Event], model: &Model) -> Option<Snapshot> {
    let stream = &events.first()?.stream;
    let head = events.len() as u64;
    let true_one = |at: u64| {
        let at = usize::try_from(at.min(head)).unwrap();
        let folded = fold(model, &events[..at]);
        snapshots::encode(model.rules_hash(), &events[at - 1], &folded).unwrap()
    };
    let lie = |revision: u64, id: &str| {
        let folded = Folded {
            state: Map::from_iter([("lie".to_owned(), json!(true))]),
            revision: Revision(revision),
            faults: Vec::new(),
            faults_total: 0,
        };
        snapshots::encode(
            model.rules_hash(),
            &event_with(stream, Revision(revision), id),
            &folded,
        )
        .unwrap()
    };
    Some(match tamper {
        Tamper::Garbage { at, bytes } => Snapshot {
            state: bytes.clone(),
            ..true_one(*at)
        },
        Tamper::Flip { at, byte } => {
            let mut snapshot = true_one(*at);
            let index = byte.index(snapshot.state.len());
            snapshot.state[index] ^= 0x20;
            snapshot
        }
        Tamper::Cut { at, keep } => {
            let mut snapshot = true_one(*at);
            snapshot.state.truncate(keep.index(snapshot.state.len()));
            snapshot
        }
        Tamper::Move { from, to } if from.min(&head) != to => Snapshot {
            revision: Revision(*to),
            ..true_one(*from)
        },
        Tamper::Move { .. } => return None,
        Tamper::Foreign { at } => lie(*at, "of another history"),
        Tamper::Ahead { by } => lie(head + by, "not there yet"),
    })
}

async fn append_all(
    store: &LoggedStore,
    stream: &StreamName,
    patches: &[Map<String, Value>],
    id: &str,
) {
    let events = patches.iter().enumerate().map(|(index, patch)| {
        let mut event = NewEvent::new("Patched", Value::Object(patch.clone()));
        event.event_id = Some(format!("{id}-{index}"));
        event
    });
    let at = Timestamp::from_micros(0);
    let append = Append::facts(stream.clone(), ExpectedRevision::Any, events.collect(), at);
    store.append(append).await.unwrap();
}

fn check_every_way(
    travel: &TimeTravel,
    store: &LoggedStore,
    model: &Model,
    stream: &StreamName,
    reads: &[prop::sample::Index],
) -> u64 {
    let mut from_snapshots = 0;
    let view = store.view().unwrap();
    let events = view
        .stream_events(stream, Revision(1), Direction::Forward, 1_000)
        .unwrap();
    let mut expected = vec![Folded::start(model)];
    for event in &events {
        let mut next = expected.last().unwrap().clone();
        next.push(model, event);
        expected.push(next);
    }
    // Anywhere, then backward through all of them; `steps` below goes forward.
    let anywhere = reads.iter().map(|read| read.index(events.len() + 1));
    for at in anywhere.chain((0..=events.len()).rev()) {
        let expected = &expected[at];
        let reached = travel
            .state(view.as_ref(), model, stream, Revision(at as u64))
            .unwrap();
        from_snapshots += u64::from(reached.snapshot_revision > Revision::ZERO);
        let text = |folded: &Folded| serde_json::to_string(&folded.state).unwrap();
        // As text: the order of keys counts too.
        assert_eq!(text(&reached.folded), text(expected), "revision {at}");
        assert_eq!(reached.folded.revision, Revision(at as u64));
        assert_eq!(reached.folded.faults, expected.faults);
        assert_eq!(reached.folded.faults_total, expected.faults_total);
        assert_eq!(
            reached.last,
            at.checked_sub(1)
                .map(|at| (events[at].position, events[at].recorded_at))
        );
    }
    let steps = travel
        .steps(view.as_ref(), model, events.clone(), Direction::Forward)
        .unwrap();
    let stepped = steps.iter().fold(Map::new(), |state, step| {
        whodunit_core::diff::apply(&state, &step.diff).unwrap()
    });
    // Equal as JSON: a diff does not say that `1.0` came to be written `1`.
    let folded = fold(model, &events).state;
    assert!(same_object(&stepped, &folded), "{stepped:?} {folded:?}");
    from_snapshots
}

#[test]
fn the_state_is_the_same_whichever_way_it_is_reached() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let stream = StreamName::new("thing-1").unwrap();
    let model = merge::model();
    let inputs = (
        patches(),
        patches(),
        tampers(),
        vec(any::<prop::sample::Index>(), 0..12),
    );
    let mut runner = TestRunner::new(crate::seeded::seeded(100));
    let (used, ignored) = (AtomicU64::new(0), AtomicU64::new(0));
    let result = runner.run(&inputs, |(early, late, tampers, reads)| {
        let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
        let store = Arc::new(store);
        let travel = {
            let _inside = runtime.enter();
            TimeTravel::start(Arc::clone(&store) as Arc<dyn Store>)
        };
        runtime.block_on(append_all(&store, &stream, &early, "early"));
        check_every_way(&travel, &store, &model, &stream, &reads);
        runtime.block_on(travel.settled());
        let events = store
            .view()
            .unwrap()
            .stream_events(&stream, Revision(1), Direction::Forward, 1_000)
            .unwrap();
        for snapshot in tampers
            .iter()
            .filter_map(|tamper| tampered(tamper, &events, &model))
        {
            runtime.block_on(store.save_snapshot(snapshot)).unwrap();
        }
        check_every_way(&travel, &store, &model, &stream, &reads);
        // The stream grows past the snapshots that were ahead of it.
        runtime.block_on(append_all(&store, &stream, &late, "late"));
        check_every_way(&travel, &store, &model, &stream, &reads);
        runtime.block_on(travel.settled());
        let from_snapshots = check_every_way(&travel, &store, &model, &stream, &reads);
        used.fetch_add(from_snapshots, Ordering::Relaxed);
        ignored.fetch_add(travel.snapshots_ignored(), Ordering::Relaxed);
        Ok(())
    });
    result.unwrap();
    // It would show nothing if no snapshot was ever used or refused.
    let (used, ignored) = (used.into_inner(), ignored.into_inner());
    assert!(
        used > 100 && ignored > 100,
        "{used} used, {ignored} ignored"
    );
}

#[tokio::test]
async fn an_unusable_snapshot_is_counted() {
    let api = Api::start();
    let stream = StreamName::new("door-1").unwrap();
    for n in 0..3 {
        api.fact("door-1", "Opened", json!({"n": n})).await;
    }
    let broken = Snapshot {
        stream: stream.clone(),
        revision: Revision(2),
        rules_hash: merge::model().rules_hash().to_owned(),
        state: b"\x01nonsense".to_vec(),
    };
    api.daemon.store().save_snapshot(broken).await.unwrap();
    assert_eq!(
        api.get("/v1/streams/door-1/state").await.ok()["state"],
        json!({"n": 2})
    );
    assert_eq!(api.daemon.time_travel().snapshots_ignored(), 1);
}
