//! Clicks and turns of the wheel: what is under the pointer is what they act on.

use super::*;
use crate::keys::Scope;
use crate::model::hits::{Hit, Part};
use crate::model::stream::Row;
use crate::testing::{Daemon, Harness};

/// The program after a frame was drawn, and the place of a text on it.
fn place(harness: &Harness, text: &str) -> (u16, u16) {
    let screen = harness.screen();
    let found = screen.lines().enumerate().find_map(|(row, line)| {
        let at = line.find(text)?;
        let column = crate::text::width(line.get(..at).unwrap());
        Some((u16::try_from(column).unwrap(), u16::try_from(row).unwrap()))
    });
    found.unwrap_or_else(|| panic!("`{text}` is not on the screen:\n{screen}"))
}

fn hit(harness: &Harness, text: &str) -> Option<Hit> {
    let (column, row) = place(harness, text);
    harness.model.app.hits.at(column, row)
}

fn click(mut harness: Harness, text: &str) -> Harness {
    let hit = hit(&harness, text).unwrap_or_else(|| panic!("nothing is hit at `{text}`"));
    harness.send(Msg::Clicked(hit));
    harness
}

fn wheel(mut harness: Harness, text: &str, up: bool) -> Harness {
    let over = hit(&harness, text);
    harness.send(Msg::Scrolled { up, over });
    harness
}

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::sarah())
}

#[test]
fn a_row_is_selected_by_a_click_and_opened_by_the_next() {
    let harness = click(harness(), "user-c410");
    let name = "user-c410";
    assert_eq!(harness.streams().current().unwrap().stream.as_str(), name);
    assert_eq!(harness.front(), Scope::Streams);
    let harness = click(harness, "user-c410 ");
    assert_eq!(harness.stream().stream.as_str(), name);
}

#[test]
fn a_click_in_the_state_goes_there_and_one_in_the_history_back() {
    let harness = Harness::new((120, 40), Daemon::sarah()).press("enter");
    let harness = click(harness, "last_name");
    assert!(harness.stream().in_state);
    let field = harness.stream().current_field().unwrap().path;
    assert_eq!(field, "/last_name");
    let harness = click(harness, "UserSuspended  ");
    assert!(!harness.stream().in_state);
    assert_eq!(harness.stream().cursor, Row::Revision(3));
}

#[test]
fn the_wheel_moves_in_the_pane_under_the_pointer() {
    let harness = Harness::new((120, 40), Daemon::sarah()).press("enter");
    let cursor = harness.stream().cursor;
    let harness = wheel(harness, "last_name", false);
    assert_eq!(harness.stream().cursor, cursor);
    assert_eq!(harness.stream().field_selected, 1);
    let harness = wheel(harness, "UserCreated", true);
    assert_ne!(harness.stream().cursor, cursor);
}

/// A click on the axis lands on the event that is drawn there, on the first as on the last.
#[test]
fn a_click_on_the_axis_lands_on_the_event_that_stands_there() {
    for size in [(80, 24), (120, 40), (200, 60)] {
        let mut harness = Harness::new(size, Daemon::sarah()).press("enter");
        let _ = harness.screen();
        let axis: Vec<_> = (0..size.0)
            .filter_map(|x| harness.model.app.hits.at(x, 1))
            .collect();
        let (first, last) = (*axis.first().unwrap(), *axis.last().unwrap());
        harness.send(Msg::Clicked(last));
        assert_eq!(harness.stream().revision(), 4, "{size:?}");
        harness.send(Msg::Clicked(first));
        assert_eq!(harness.stream().revision(), 1, "{size:?}");
    }
}

#[test]
fn a_hint_is_the_key_that_it_names() {
    let harness = click(harness(), "/ filter");
    assert!(harness.streams().filtering);
    let harness = click(harness, "user-c410");
    assert!(!harness.streams().filtering);
    let harness = click(harness, "? help");
    assert!(matches!(
        harness.model.app.overlay,
        Some(Overlay::Help { .. })
    ));
    let harness = click(harness, "esc close");
    assert!(harness.model.app.overlay.is_none());
}

#[test]
fn below_a_box_nothing_is_hit_and_its_rows_are() {
    let harness = harness().press("f");
    let before = harness.streams().selected;
    let harness = click(harness, "copy its id");
    let Some(Overlay::Follow(menu)) = &harness.model.app.overlay else {
        panic!("no menu: {}", harness.screen());
    };
    assert!(menu.selected > 0);
    let mut harness = harness;
    harness.send(Msg::Clicked(Hit::Row(Part::List, before + 1)));
    assert_eq!(harness.streams().selected, before);
}

/// Every list of every screen takes clicks where its rows stand.
#[test]
fn every_list_has_its_rows_in_the_table() {
    for keys in [
        "",
        "enter",
        "L",
        "F s a r a h enter",
        "enter c",
        "enter g right m G d",
        "W",
        "p",
    ] {
        let harness = Harness::new((120, 40), Daemon::sarah()).press(keys);
        let _ = harness.screen();
        let hits = &harness.model.app.hits;
        let rows = (0..40).filter(|y| matches!(hits.at(4, *y), Some(Hit::Row(..))));
        assert!(rows.count() > 0, "{keys}:\n{}", harness.screen());
    }
}
