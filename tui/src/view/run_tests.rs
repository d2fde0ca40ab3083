//! The answers to long questions, as text.

use insta::assert_snapshot;
use serde_json::json;

use super::run::how_far;
use crate::testing::{Daemon, Harness};

const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (120, 40)];

fn snapshot(name: &str, make: impl Fn((u16, u16)) -> Harness) {
    for size in SIZES {
        let harness = make(size);
        assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), harness.screen());
    }
}

#[test]
fn answers_to_long_questions() {
    let lab = |size| Harness::new(size, Daemon::decided()).press("enter left left w x");
    snapshot("run_inevitable_box", |size| lab(size).press("I"));
    snapshot("run_minimal_box", |size| lab(size).press("M"));
    snapshot("run_minimal", |size| lab(size).press("M enter"));
    snapshot("run_undo_box", |size| lab(size).press("U"));
    snapshot("run_undo", |size| lab(size).press("U enter"));
    snapshot("run_loading", |size| lab(size).silent().press("I enter"));
    let log = |size| Harness::new(size, Daemon::decided()).press("L B");
    snapshot("run_backtest_box", |size| log(size).press("enter"));
    // The box looks for the file; the answer of the harness names it.
    snapshot("run_backtest", |size| {
        log(size).type_text("Cargo.toml").press("enter")
    });
}

#[test]
fn a_search_tells_how_many_tries_it_made_and_a_run_how_many_there_are() {
    let run = |done: u64, total: u64| {
        let run = json!({"kind": "minimal", "id": 1, "of": "user-1", "status": "running", "done": done, "total": total,
            "events_per_second": 3.0, "seconds_left": null, "started_at": "2025-03-24T15:47:23Z", "ended_at": null, "error": null});
        how_far(&serde_json::from_value(run).unwrap())
    };
    assert_eq!(run(39, 39), "39 tried so far");
    assert_eq!(run(1_039, 0), "1,039 tried so far");
    assert_eq!(run(39, 1_967), "39 of 1,967 done");
}
