//! What a screen has no room for is counted or wrapped, never cut as if it ended there.

use serde_json::json;
use whodunit_core::json::Json;

use crate::keys::Scope;
use crate::msg::Msg;
use crate::testing::{Daemon, Harness, now};

/// A store opened without the model that decided its commands shows other states: that is said where they are shown.
#[test]
fn a_state_without_the_model_of_its_commands_says_so() {
    const SAYS: &str = "its commands were decided by a model";
    for size in [(60, 20), (80, 24), (120, 40)] {
        let text = |daemon| plain(&Harness::new(size, daemon).press("enter").screen());
        let (with, without) = (Daemon::sarah(), Daemon::sarah().without_models());
        assert!(!text(with).contains("decided by a model"));
        let shown = text(without);
        assert!(
            shown.contains(SAYS) || size.0 == 120 && shown.contains("decided by a"),
            "{shown}"
        );
    }
}

/// What is on a screen as one line of words, without frames.
fn plain(screen: &str) -> String {
    let words = |c: char| {
        if "┃│┏┓┗┛━─┌┐└┘".contains(c) {
            ' '
        } else {
            c
        }
    };
    let text: String = screen.chars().map(words).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// No line of the help, nor of a form, ends at the edge of a narrow box as if that were its end.
#[test]
fn narrow_boxes_say_everything() {
    let mut harness = Harness::new((60, 20), Daemon::sarah()).press("enter w w ?");
    let mut seen = String::new();
    for _ in 0..80 {
        seen.push_str(&plain(&harness.screen()));
        seen.push('\n');
        harness = harness.press("down");
    }
    for binding in crate::keys::in_scope(Scope::WhatIf) {
        assert!(seen.contains(binding.help), "{}", binding.help);
    }
    let form = Harness::new((60, 20), Daemon::sarah()).press("enter w w E");
    let shown = plain(&form.screen());
    assert!(shown.contains("Tab: next field · Esc: close"), "{shown}");
}

/// What a box has below its edge is counted on its frame, until it is scrolled into view.
#[test]
fn boxes_count_what_is_below_their_edge() {
    for (keys, size) in [("enter enter", (80, 24)), ("enter ?", (80, 24))] {
        let mut harness = Harness::new(size, Daemon::sarah()).press(keys);
        assert!(
            harness.screen().contains("more below ┛"),
            "{}",
            harness.screen()
        );
        for _ in 0..80 {
            harness = harness.press("down");
        }
        assert!(
            !harness.screen().contains("more below ┛"),
            "{}",
            harness.screen()
        );
    }
    // Where there is room, a box is as high as what it says.
    let mut daemon = Daemon::sarah();
    let many: serde_json::Map<String, serde_json::Value> =
        (0..30).map(|n| (format!("field{n}"), json!(n))).collect();
    daemon.events[2].event_type = "UserNoted".to_owned();
    daemon.events[2].data = Json::from(serde_json::Value::Object(many));
    let daemon = daemon.without_models();
    let screen = Harness::new((120, 40), daemon)
        .press("enter left left d")
        .screen();
    assert!(screen.contains("+ field29"), "{screen}");
}

/// Nothing is cut while there is room for it.
#[test]
fn what_has_room_is_shown_whole() {
    let mut daemon = Daemon::sarah();
    daemon.events[3].event_type = "T".repeat(60);
    daemon.events[3].reason = Some("because of this and that ".repeat(12).trim().to_owned());
    daemon.events[3].recorded_at = "2025-03-24T15:47:23.123456Z".parse().unwrap();
    let harness = Harness::new((120, 40), daemon);
    let preview = plain(&harness.screen());
    assert!(preview.contains("15:47:23.123456"), "{preview}");
    assert!(
        preview.contains(" UTC"),
        "the zone belongs to the time: {preview}"
    );
    let screen = harness.press("enter").screen();
    assert!(screen.contains("(empty stream)"), "{screen}");
    let words = plain(&screen);
    assert!(words.contains(&"T".repeat(60)), "{screen}");
    assert!(words.matches("this and that").count() >= 12, "{screen}");
}

/// However much stands at the right of the top line, a name is there, or no place for one.
#[test]
fn the_top_line_has_no_hole_where_a_name_belongs() {
    for columns in [60, 80, 100, 120] {
        for keys in ["enter", "enter w w"] {
            let mut harness = Harness::new((columns, 20), Daemon::sarah())
                .press(keys)
                .silent();
            harness.model.app.head.redacted_copy = true;
            let mut harness = harness.press("r");
            harness.send(Msg::Silent {
                at: now().plus_micros(12_000_000),
                since: now(),
            });
            let screen = harness.screen();
            let top = screen.lines().next().unwrap();
            assert!(!top.contains("›  ›") && !top.contains("› … ›"), "{top}");
            for part in ["no answer for 12 s", "redacted copy"] {
                assert!(top.contains(part), "{top}");
            }
            assert!(crate::text::width(top) <= usize::from(columns), "{top}");
        }
    }
}
