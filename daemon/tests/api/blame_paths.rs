//! Blame at a revision is the same whichever way it is reached: from the beginning, or from snapshots that are there, missing,
//! or wrong.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Value, json};
use whodunit_core::blame::Blame;
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::merge;
use whodunit_core::model::Model;
use whodunit_core::pointer::Pointer;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Direction, Snapshot, Store};
use whodunit_daemon::time_travel::{TimeTravel, snapshots};

use crate::support::Api;

type Fields = Vec<(String, Value, Revision)>;

fn fields(blame: &Blame, state: &State) -> Fields {
    let mut out = Vec::new();
    blame.for_each_field(state, &Pointer::default(), &mut |field| {
        out.push((field.path.to_owned(), field.value.clone(), field.set_by));
        ControlFlow::Continue(())
    });
    out
}

/// What is expected at each revision, folded from the beginning.
fn expected(model: &Model, events: &[Event]) -> Vec<Fields> {
    let (mut folded, mut blame) = (Folded::start(model), Blame::start());
    let mut out = vec![Vec::new()];
    for event in events {
        blame.push(model, &mut folded, event);
        out.push(fields(&blame, &folded.state));
    }
    out
}

/// Reads blame at every revision; how often from a snapshot.
fn check(travel: &TimeTravel, store: &LoggedStore, model: &Model, events: &[Event]) -> u64 {
    let view = store.view().unwrap();
    let stream = &events[0].stream;
    let mut from_snapshots = 0;
    for (at, expected) in (0..).zip(expected(model, events)) {
        let reached = travel.state_with_blame(view.as_ref(), model, stream, Revision(at), false);
        let reached = reached.unwrap();
        from_snapshots += u64::from(reached.snapshot_revision > Revision::ZERO);
        let found = fields(&reached.blame.unwrap(), &reached.folded.state);
        assert_eq!(found, expected, "revision {at}");
    }
    from_snapshots
}

#[tokio::test]
async fn blame_is_the_same_from_any_snapshot_and_wrong_ones_are_ignored() {
    let store = LoggedStore::in_memory(StoreOptions::Relaxed).unwrap();
    let store = Arc::new(store);
    let travel = TimeTravel::start(Arc::clone(&store) as Arc<dyn Store>);
    let stream = StreamName::new("thing-1").unwrap();
    let model = merge::model();
    let api = Api::on(Arc::clone(&store) as Arc<dyn Store>);
    for n in 0..200_u64 {
        let lines: Vec<_> = (0..n % 5).map(|id| json!({"id": id, "n": n % 3})).collect();
        let data = json!({
            format!("f{}", n % 7): {"x": n / 9, "text": "x".repeat(90)}, "lines": lines, "tags": [n % 2, n % 3],
        });
        api.fact("thing-1", "Changed", data).await;
    }
    let view = store.view().unwrap();
    let events = view.stream_events(&stream, Revision(1), Direction::Forward, 1_000);
    let events = events.unwrap();
    assert_eq!(check(&travel, &store, &model, &events), 0);
    travel.settled().await;
    let from_snapshots = check(&travel, &store, &model, &events);
    assert!(from_snapshots > 50, "{from_snapshots}");
    // A snapshot of the state alone, one of another history, and garbage, where blame looks for its own.
    let key = format!("{}+blame", model.rules_hash());
    let mut folded = Folded::start(&model);
    for event in &events[..150] {
        folded.push(&model, event);
    }
    let without = snapshots::encode(&key, &events[149], &folded).unwrap();
    let mut foreign = events[160].clone();
    foreign.event_id = "another".to_owned();
    folded.revision = Revision(161);
    let foreign = snapshots::encode(&key, &foreign, &folded).unwrap();
    let garbage = Snapshot {
        revision: Revision(170),
        state: b"\x02garbage".to_vec(),
        ..without.clone()
    };
    for wrong in [without, foreign, garbage] {
        store.save_snapshot(wrong).await.unwrap();
    }
    let ignored = travel.snapshots_ignored();
    assert!(check(&travel, &store, &model, &events) > 50);
    assert!(travel.snapshots_ignored() > ignored + 50);
    // Those with blame and those without never meet.
    let reached = travel.state(view.as_ref(), &model, &stream, Revision(199));
    assert!(reached.unwrap().blame.is_none());
}
