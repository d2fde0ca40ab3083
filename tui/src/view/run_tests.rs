//! The answers to long questions, as text.

use insta::assert_snapshot;

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
    snapshot("run_backtest", |size| {
        log(size).type_text("rules.toml").press("enter")
    });
}
