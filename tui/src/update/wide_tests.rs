//! Causes, comparisons and worlds.

use super::*;
use crate::client::At;
use crate::keys::Scope;
use crate::model::diff::DiffScreen;
use crate::testing::{Daemon, Harness};

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::sarah())
}

fn causes(harness: &Harness) -> &CausesScreen {
    match &harness.model.front {
        Screen::Causes(screen) => screen,
        other => panic!("{:?} is in front", other.scope()),
    }
}

fn diff(harness: &Harness) -> &DiffScreen {
    match &harness.model.front {
        Screen::Diff(screen) => screen,
        other => panic!("{:?} is in front", other.scope()),
    }
}

fn world(harness: &Harness) -> &WorldScreen {
    match &harness.model.front {
        Screen::World(screen) => screen,
        other => panic!("{:?} is in front", other.scope()),
    }
}

/// From an event to the root of its causes and down again, each node a place to go.
#[test]
fn a_tree_of_causes_begins_at_the_root_and_every_node_can_be_followed() {
    let harness = harness().press("enter c");
    let screen = causes(&harness);
    assert_eq!(screen.current().unwrap().kind_of, "UserDeleted");
    assert!(screen.is_asked_about(screen.current().unwrap()));
    let root = &screen.found.value().unwrap().nodes[0];
    assert_eq!((root.kind_of.as_str(), root.depth), ("UserSuspended", 0));
    let shown = harness.screen();
    assert!(
        shown.contains("from the first cause, UserSuspended"),
        "{shown}"
    );
    assert!(shown.contains("UserDeleted (this)"), "{shown}");
    // The root is followed to all of its batch, and opened.
    let harness = harness.press("g c");
    let batch = Of::Correlation("fraud-scan-2025-03-20".to_owned());
    assert_eq!(causes(&harness).of, batch);
    let harness = harness.press("q enter");
    assert_eq!(harness.stream().revision(), 3);
    let harness = harness.press("q f");
    assert!(matches!(
        harness.model.app.overlay,
        Some(Overlay::Follow(_))
    ));
}

#[test]
fn what_a_node_led_to_is_hidden_and_shown_again() {
    let harness = harness().press("enter c g");
    let all = causes(&harness).rows().len();
    let harness = harness.press("space");
    assert_eq!(causes(&harness).rows().len(), 1);
    assert!(harness.screen().contains("hidden"), "{}", harness.screen());
    assert_eq!(causes(&harness.press("space")).rows().len(), all);
}

#[test]
fn a_cause_that_is_not_on_record_is_a_finding() {
    let mut daemon = Daemon::sarah();
    let deleted = daemon
        .events
        .iter_mut()
        .find(|e| e.event_type == "UserDeleted");
    deleted.unwrap().causation_id = Some("long-gone".to_owned());
    let harness = Harness::new((120, 40), daemon).press("enter c n");
    let shown = harness.screen();
    assert!(
        shown.contains("its first cause `long-gone` is not on record"),
        "{shown}"
    );
    assert!(shown.contains("1 thing wrong with it"), "{shown}");
    assert!(shown.contains("! UserDeleted"), "{shown}");
}

#[test]
fn two_revisions_are_compared_with_what_set_each_value() {
    let harness = harness().press("enter g right m G d");
    assert_eq!(harness.front(), Scope::Diff);
    let shown = harness.screen();
    assert!(shown.contains("3 events between"), "{shown}");
    let row = shown.lines().find(|line| line.contains("status ")).unwrap();
    assert!(row.contains("active → deleted"), "{row}");
    assert!(row.contains("rev 4 · job:inactive-cleanup"), "{row}");
    assert_eq!(
        diff(&harness).call(),
        "whodunit diff user-sarah 1 4 --blame"
    );
    // Swapped, and to where the value was set.
    let harness = harness.press("s");
    assert_eq!(
        diff(&harness).to.at,
        At::Revision(whodunit_core::ids::Revision(1))
    );
    assert!(
        harness.screen().contains("deleted → active"),
        "{}",
        harness.screen()
    );
}

#[test]
fn another_stream_and_a_moment_can_stand_on_a_side() {
    let harness = harness()
        .press("enter d 2")
        .type_text("user-c410@1")
        .press("enter");
    assert_eq!(diff(&harness).to.stream.as_str(), "user-c410");
    assert!(
        harness.screen().contains("two streams"),
        "{}",
        harness.screen()
    );
    let harness = harness.press("1").type_text("2025-03-15").press("enter");
    assert!(matches!(diff(&harness).from.at, At::AsOf(_)));
    let harness = harness.press("1").type_text("nonsense").press("enter");
    assert!(
        harness
            .screen()
            .contains("is not a revision, time or stream"),
        "{}",
        harness.screen()
    );
}

/// What is marked on one stream is compared with a revision of another.
#[test]
fn a_mark_holds_across_streams() {
    let harness = harness().press("enter m q down enter d");
    let screen = diff(&harness);
    assert_eq!(screen.from.stream.as_str(), "user-sarah");
    assert_ne!(screen.to.stream, screen.from.stream);
}

#[test]
fn what_is_the_same_is_listed_on_request() {
    let harness = harness().press("enter g right m G d");
    let differing = diff(&harness).rows().len();
    let harness = harness.press("u");
    assert!(diff(&harness).rows().len() > differing);
    let shown = harness.screen();
    assert!(shown.contains("username"), "{shown}");
}

#[test]
fn a_category_is_seen_at_the_moment_that_is_held() {
    let harness = harness().press("W");
    assert_eq!(world(&harness).category.as_deref(), Some("user"));
    let now = world(&harness).items().len();
    let harness = harness.press("t").type_text("2025-03-03").press("enter");
    let then = world(&harness).items().len();
    assert!(
        then > 0 && then < now,
        "{then} of {now}: {}",
        harness.screen()
    );
    let shown = harness.screen();
    assert!(shown.contains("every user as it was on"), "{shown}");
    assert!(shown.contains("had no event yet then"), "{shown}");
    // From there to the stream, which stands at the same moment.
    let harness = harness.press("enter");
    assert_eq!(harness.front(), Scope::Stream);
    assert_eq!(harness.stream().revision(), 1);
}

#[test]
fn a_condition_keeps_the_states_for_which_it_holds() {
    let harness = harness()
        .press("W /")
        .type_text("/status == \"deleted\"")
        .press("enter");
    let names: Vec<&str> = world(&harness)
        .items()
        .iter()
        .map(|i| i.stream().as_str())
        .collect();
    assert_eq!(names, ["user-sarah"]);
    assert_eq!(
        world(&harness).call(),
        "whodunit world user --where '/status == \"deleted\"'"
    );
    let harness = harness.press("/ backspace enter");
    assert!(
        harness.screen().contains("at column"),
        "{}",
        harness.screen()
    );
}

#[test]
fn two_moments_are_compared() {
    let harness = harness()
        .press("W t")
        .type_text("2025-03-15")
        .press("enter m T");
    let screen = world(&harness);
    assert!(screen.compares() && screen.at.is_none());
    let shown = harness.screen();
    assert!(
        shown.contains("what differs for every user between"),
        "{shown}"
    );
    assert!(shown.contains("status active → deleted"), "{shown}");
    let harness = harness.press("m");
    assert!(!world(&harness).compares());
}
