//! Every screen in its states, at 80x24 and 120x40, as text.

use insta::assert_snapshot;
use serde_json::json;
use whodunit_core::api::browse::LiveHead;
use whodunit_core::json::Json;

use crate::client::{LiveCursor, LiveItem, LiveMessage};
use crate::effect::NoAnswer;
use crate::keys::Scope;
use crate::model::{Model, Overlay, Screen};
use crate::msg::Msg;
use crate::testing::{Daemon, Harness, now};
use crate::theme::{Palette, Theme};

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

/// Takes a snapshot of what the keys lead to, at both sizes.
fn snapshot(name: &str, make: impl Fn((u16, u16)) -> Harness) {
    for size in SIZES {
        let harness = make(size);
        assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), harness.screen());
    }
}

/// Keys that lead to each screen from the start. A new screen without an entry does not compile, one without snapshots
/// fails below.
fn way_to(scope: Scope) -> &'static str {
    match scope {
        Scope::Everywhere | Scope::Streams => "",
        Scope::Stream => "enter",
        Scope::WhatIf => "enter left w w",
        Scope::Log => "L",
        Scope::Find => "enter f a",
        Scope::Causes => "enter c",
        Scope::Diff => "enter g right m G d",
        Scope::World => "W",
        Scope::Branches => "b",
        Scope::Compare => "b down down d",
        Scope::Pipeline => "p",
    }
}

const SCREENS: [(Scope, &str); 11] = [
    (Scope::Streams, "streams"),
    (Scope::Stream, "stream"),
    (Scope::WhatIf, "what_if"),
    (Scope::Log, "log"),
    (Scope::Find, "find"),
    (Scope::Causes, "causes"),
    (Scope::Diff, "diff"),
    (Scope::World, "world"),
    (Scope::Branches, "branches"),
    (Scope::Compare, "compare"),
    (Scope::Pipeline, "pipeline"),
];

#[test]
fn every_screen_full() {
    for (screen, name) in SCREENS {
        snapshot(&format!("{name}_full"), |size| {
            let harness = Harness::new(size, Daemon::sarah()).press(way_to(screen));
            assert_eq!(harness.front(), screen);
            harness
        });
    }
}

#[test]
fn every_screen_with_an_empty_log() {
    snapshot("streams_empty", |size| Harness::new(size, Daemon::empty()));
    snapshot("log_empty", |size| {
        Harness::new(size, Daemon::empty()).press("L")
    });
    snapshot("streams_no_match", |size| {
        Harness::new(size, Daemon::sarah())
            .press("/")
            .type_text("nobody")
            .press("enter")
    });
    snapshot("log_no_match", |size| {
        let mut harness = Harness::new(size, Daemon::sarah()).press("L");
        harness.daemon.events.clear();
        harness.press("/").type_text("actor:nobody").press("enter")
    });
    snapshot("stream_revision_0", |size| {
        Harness::new(size, Daemon::sarah()).press("enter g")
    });
    snapshot("what_if_revision_0", |size| {
        Harness::new(size, Daemon::sarah()).press("enter g w")
    });
    snapshot("find_no_match", |size| {
        Harness::new(size, Daemon::sarah())
            .press("F")
            .type_text("type:UserDeletd")
            .press("enter")
    });
    snapshot("world_no_match", |size| {
        Harness::new(size, Daemon::sarah())
            .press("W /")
            .type_text("/status == \"nobody\"")
            .press("enter")
    });
    snapshot("diff_same", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter d 1")
            .type_text("head")
            .press("enter")
    });
}

#[test]
fn every_screen_while_loading() {
    snapshot("streams_loading", |size| {
        let mut harness = Harness::new(size, Daemon::sarah()).silent();
        if let Screen::Streams(screen) = &mut harness.model.front {
            screen.list = crate::model::Remote::Absent;
        }
        harness.press("r")
    });
    snapshot("stream_loading", |size| {
        Harness::new(size, Daemon::sarah()).silent().press("enter")
    });
    snapshot("what_if_loading", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter left")
            .silent()
            .press("w w")
    });
    snapshot("log_loading", |size| {
        Harness::new(size, Daemon::sarah()).silent().press("L")
    });
    snapshot("find_loading", |size| {
        Harness::new(size, Daemon::sarah())
            .press("F")
            .silent()
            .type_text("sarah")
            .press("enter")
    });
    snapshot("causes_loading", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter")
            .silent()
            .press("c")
    });
    snapshot("diff_loading", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter")
            .silent()
            .press("d")
    });
    snapshot("world_loading", |size| {
        Harness::new(size, Daemon::sarah()).silent().press("W")
    });
}

fn broken(mut harness: Harness) -> Harness {
    harness.daemon.failure = Daemon::failing(false).failure;
    harness
}

#[test]
fn every_screen_with_an_error() {
    snapshot("streams_error", |size| {
        Harness::new(size, Daemon::failing(false))
    });
    snapshot("stream_error", |size| {
        broken(Harness::new(size, Daemon::sarah())).press("enter")
    });
    snapshot("what_if_error", |size| {
        broken(Harness::new(size, Daemon::sarah()).press("enter left")).press("w")
    });
    snapshot("log_error", |size| {
        broken(Harness::new(size, Daemon::sarah())).press("L")
    });
    snapshot("find_error", |size| {
        broken(Harness::new(size, Daemon::sarah()).press("F"))
            .type_text("sarah")
            .press("enter")
    });
    snapshot("causes_error", |size| {
        broken(Harness::new(size, Daemon::sarah()).press("enter")).press("c")
    });
    snapshot("diff_error", |size| {
        broken(Harness::new(size, Daemon::sarah()).press("enter")).press("d")
    });
    snapshot("world_error", |size| {
        broken(Harness::new(size, Daemon::sarah())).press("W")
    });
    snapshot("stream_unknown", |size| {
        let mut harness = Harness::new(size, Daemon::sarah());
        harness.daemon.events.clear();
        harness.press("enter")
    });
}

fn lost(harness: Harness) -> Harness {
    let lost = |at, retry_at| Msg::Disconnected {
        at,
        retry_at,
        cause: "nothing listens there".to_owned(),
        why: NoAnswer::Unreachable,
    };
    harness
        .got(lost(now(), now().plus_micros(1_000_000)))
        .got(lost(
            now().plus_micros(12_000_000),
            now().plus_micros(16_000_000),
        ))
}

#[test]
fn every_screen_stale() {
    for (screen, name) in SCREENS {
        snapshot(&format!("{name}_stale"), |size| {
            lost(Harness::new(size, Daemon::sarah()).press(way_to(screen)))
        });
    }
    // What was never loaded cannot be stale.
    for (screen, name) in SCREENS {
        snapshot(&format!("{name}_disconnected"), |size| {
            let way = way_to(screen);
            // The last key leads to the screen; those before it need a daemon.
            let (before, last) = way.rsplit_once(' ').unwrap_or(("", way));
            if way.is_empty() {
                return Harness::new(size, Daemon::failing(true));
            }
            let mut harness = Harness::new(size, Daemon::sarah()).press(before);
            harness.daemon.failure = Daemon::failing(true).failure;
            lost(harness).press(last)
        });
    }
}

fn hostile() -> Daemon {
    let mut daemon = Daemon::sarah();
    let long = "漢字 and a very long reason that goes on and on ".repeat(4);
    daemon.title = Some(format!("evil\u{1b}[31m\u{202e}title {long}"));
    for event in &mut daemon.events {
        event.reason = Some(format!("\u{1b}[2J{long}"));
        event.actor = Some("漢字\u{200b}actor\u{9b}1m".to_owned());
    }
    let data = json!({"email": format!("a\u{1b}[0m@b\n{long}"), "漢字": "wide", "nested": {"a/b": [1, {"c": null}]}});
    daemon.events[1].event_type = "User\u{7}Renamed".to_owned();
    daemon.events[2].event_type = "UserEmailChanged".to_owned();
    daemon.events[2].data = Json::from(data);
    daemon
}

#[test]
fn every_screen_with_hostile_text() {
    for (screen, name) in SCREENS {
        snapshot(&format!("{name}_hostile"), |size| {
            let harness = Harness::new(size, hostile()).press(way_to(screen));
            let buffer = harness.buffer();
            let unsafe_cell = buffer
                .content()
                .iter()
                .find(|cell| cell.symbol().chars().any(whodunit_core::text::is_unsafe));
            assert!(
                unsafe_cell.is_none(),
                "{unsafe_cell:?} would reach the terminal"
            );
            harness
        });
    }
}

#[test]
fn what_lies_over_the_screens() {
    snapshot("help", |size| {
        Harness::new(size, Daemon::sarah()).press("enter ?")
    });
    snapshot("help_filtered", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter ?")
            .type_text("mark")
    });
    snapshot("palette", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter :")
            .type_text("what")
    });
    snapshot("category", |size| {
        Harness::new(size, Daemon::sarah()).press("c down")
    });
    snapshot("jump", |size| {
        Harness::new(size, Daemon::sarah()).press("enter t")
    });
    snapshot("jump_error", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter t")
            .type_text("monday")
            .press("enter")
    });
    snapshot("detail", |size| {
        Harness::new(size, Daemon::sarah()).press("enter enter")
    });
    snapshot("commands", |size| {
        Harness::new(size, Daemon::sarah()).press("enter left w a")
    });
    snapshot("form", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter left w a enter")
            .type_text("ab")
    });
    snapshot("form_event", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter left w w E tab")
            .type_text("{")
    });
    snapshot("guide", |size| {
        let mut harness = Harness::new(size, Daemon::sarah());
        harness.model.app.guide = Some(crate::model::guide::Guide::default());
        harness
    });
}

#[test]
fn what_lies_over_the_wide_screens() {
    snapshot("diff_unchanged", |size| {
        Harness::new(size, Daemon::sarah()).press("enter g right m G d u")
    });
    snapshot("diff_side", |size| {
        Harness::new(size, Daemon::sarah())
            .press("enter g right m G d 2")
            .type_text("user-c410@1")
    });
    snapshot("diff_value", |size| {
        Harness::new(size, Daemon::sarah()).press("enter g right m G d enter")
    });
    snapshot("find_narrow", |size| {
        Harness::new(size, Daemon::sarah()).press("enter f a n down")
    });
    snapshot("find_typing", |size| {
        Harness::new(size, Daemon::sarah())
            .press("F")
            .type_text("actor:api type:User")
    });
    snapshot("find_wrong", |size| {
        Harness::new(size, Daemon::sarah())
            .press("F")
            .type_text("actor:api since:soon")
            .press("enter")
    });
    snapshot("world_wrong", |size| {
        Harness::new(size, Daemon::sarah())
            .press("W /")
            .type_text("/status == ")
            .press("enter")
    });
}

/// Typed into a form, run, shown in the scenario, as a call and in the form again: a password is never on the screen.
#[test]
fn a_password_is_not_on_the_screen() {
    const SECRET: &str = "hunter2hunter2";
    for size in SIZES {
        let clean = |harness: Harness| {
            let screen = harness.screen();
            assert!(!screen.contains("hunter2"), "{screen}");
            assert!(
                !harness
                    .model
                    .app
                    .notice
                    .as_ref()
                    .is_some_and(|notice| notice.text.contains("hunter2"))
            );
            harness
        };
        let typed = Harness::new(size, Daemon::sarah())
            .press("enter g right w a down down down enter")
            .type_text(SECRET)
            .press("tab")
            .type_text(&format!("{SECRET}-new"));
        assert_snapshot!(format!("form_secret_{}x{}", size.0, size.1), typed.screen());
        let run = clean(clean(typed).press("ctrl-s"));
        assert!(run.screen().contains("ChangePassword"), "{}", run.screen());
        let copied = clean(run.press("y"));
        let told = format!("{:?}", copied.effects.last().unwrap());
        assert!(told.contains("Copy") && !told.contains("hunter2"), "{told}");
        clean(copied.press("e"));
    }
}

#[test]
fn the_stream_screen_in_the_past() {
    snapshot("stream_past", |size| {
        Harness::new(size, Daemon::sarah()).press("enter g right right")
    });
    snapshot("stream_rejected", |size| {
        Harness::new(size, Daemon::sarah()).press("enter left")
    });
    snapshot("world_past", |size| {
        Harness::new(size, Daemon::sarah())
            .press("W t")
            .type_text("2025-03-15")
            .press("enter")
    });
    snapshot("world_two", |size| {
        Harness::new(size, Daemon::sarah())
            .press("W t")
            .type_text("2025-03-15")
            .press("enter m T")
    });
    snapshot("causes_correlation", |size| {
        Harness::new(size, Daemon::sarah()).press("enter c g c")
    });
    snapshot("stream_marked", |size| {
        Harness::new(size, Daemon::sarah()).press("enter g right m right")
    });
}

#[test]
fn the_what_if_screen_with_a_story() {
    let decided = |size| Harness::new(size, Daemon::decided());
    snapshot("what_if_dropped", |size| {
        decided(size).press("enter left left w x")
    });
    snapshot("what_if_as_recorded", |size| {
        decided(size).press("enter left left w x m")
    });
    snapshot("what_if_rejected", |size| {
        // SuspendUser on a suspended user, at revision 3.
        decided(size)
            .press("enter left left w a down down down down enter")
            .type_text("fraud_detected")
            .press("ctrl-s")
    });
    snapshot("what_if_edited", |size| {
        decided(size)
            .press("enter left left w e tab tab ctrl-u")
            .type_text("support")
            .press("ctrl-s down x")
    });
    snapshot("what_if_old", |size| {
        decided(size)
            .press("enter left left w x")
            .silent()
            .press("down x")
    });
    snapshot("what_if_failed", |size| {
        let mut harness = decided(size).press("enter left left w x");
        harness.daemon.failure = Daemon::failing(false).failure;
        harness.press("down x")
    });
}

/// Text from events, in the story, in the question, in the answer and in the boxes, is shown and never sent.
#[test]
fn a_what_if_over_hostile_text() {
    let hostile = |size| {
        let mut daemon = Daemon::decided();
        for event in &mut daemon.events {
            event.event_type = format!("{}\u{1b}[31m\u{202e}", event.event_type);
            event.actor = Some("ro\u{200b}ot\u{7}".to_owned());
        }
        daemon.title = Some("sarah\u{1b}]0;x\u{7}".to_owned());
        Harness::new(size, daemon).press("enter left left w")
    };
    snapshot("what_if_hostile_question", hostile);
    snapshot("what_if_hostile_dropped", |size| hostile(size).press("x"));
}

#[test]
fn what_lies_over_the_what_if_screen() {
    let decided = |size| Harness::new(size, Daemon::decided()).press("enter left left");
    snapshot("what_if_question", |size| decided(size).press("w"));
    snapshot("what_if_edit", |size| decided(size).press("w e"));
    snapshot("what_if_save", |size| decided(size).press("w x S"));
    snapshot("what_if_save_there", |size| {
        decided(size)
            .press("w x S ctrl-u")
            .type_text("there.toml")
            .press("enter")
    });
}

/// A what-if that is not told from history is a trap: whatever the width, the name and the connection, it says so.
#[test]
fn the_what_if_screen_says_so_at_every_width() {
    for columns in [80, 100, 120] {
        for gone in [false, true] {
            let mut daemon = Daemon::sarah();
            let long = "x".repeat(100);
            daemon.title = Some(long);
            let mut harness = Harness::new((columns, 24), daemon).press("enter left w w");
            if gone {
                harness = lost(harness);
            }
            let screen = harness.screen();
            let top = screen.lines().next().unwrap();
            assert!(top.contains("WHAT-IF"), "{columns} columns: {top}");
            assert!(top.contains("user-"), "{columns} columns: {top}");
            let connection = if gone { "offline 12 s" } else { "live" };
            assert!(top.contains(connection), "{columns} columns: {top}");
        }
    }
}

#[test]
fn what_stands_below_the_edge_is_counted() {
    let screen = Harness::new((80, 24), Daemon::sarah())
        .press("enter")
        .screen();
    assert!(screen.contains("more below"), "{screen}");
}

#[test]
fn the_log_held_still_counts_what_comes() {
    snapshot("log_held", |size| {
        let mut harness = Harness::new(size, Daemon::sarah()).press("L up");
        let message = harness.daemon.live("UserWaved");
        harness.send(message);
        harness
    });
}

#[test]
fn without_colour_and_in_ascii() {
    let theme = Theme {
        palette: Palette::None,
        ascii: true,
    };
    for (screen, name) in SCREENS {
        let harness = Harness::with((80, 24), Daemon::sarah(), theme).press(way_to(screen));
        let text = harness.screen();
        assert_snapshot!(format!("{name}_ascii"), text);
        let buffer = harness.buffer();
        assert!(
            buffer
                .content()
                .iter()
                .all(|cell| cell.fg == ratatui::style::Color::Reset),
            "{name} has a colour"
        );
        let foreign: String = text.chars().filter(|c| !c.is_ascii()).collect();
        assert_eq!(foreign, "", "{name}");
    }
}

#[test]
fn the_cursor_and_changes_are_highlighted() {
    let harness = Harness::new((80, 24), Daemon::sarah()).press("enter g right right");
    let buffer = harness.buffer();
    let styled = |part: &str| {
        (0..buffer.area.height).find_map(|row| {
            let line: String = (0..buffer.area.width)
                .map(|column| buffer[(column, row)].symbol())
                .collect();
            let at = line.find(part)?;
            let column = u16::try_from(line.get(..at)?.chars().count()).ok()?;
            Some(buffer[(column, row)].style())
        })
    };
    let changed = styled("Kim → Kimura").unwrap();
    assert!(
        changed
            .add_modifier
            .contains(ratatui::style::Modifier::BOLD)
    );
    let selected = styled("UserNameChanged").unwrap();
    assert!(
        selected
            .add_modifier
            .contains(ratatui::style::Modifier::REVERSED)
    );
    let future = styled("UserSuspended").unwrap();
    assert!(future.add_modifier.contains(ratatui::style::Modifier::DIM));
}

#[test]
fn odd_sizes_never_panic() {
    for columns in [1, 10, 40, 41, 60, 79, 99, 100, 300] {
        for rows in [1, 5, 12, 13, 20, 60] {
            for (screen, _) in SCREENS {
                for keys in [
                    "", "?", ":", "c", "t", "enter", "d", "a", "E", "C", "B", "A", "b",
                ] {
                    let harness = Harness::new((columns, rows), hostile())
                        .press(way_to(screen))
                        .press(keys);
                    let _ = harness.screen();
                }
            }
        }
    }
}

#[test]
fn a_screen_drawn_twice_is_the_same() {
    let harness = Harness::new((120, 40), Daemon::sarah()).press("enter");
    assert_eq!(harness.screen(), harness.screen());
    let _: &Model = &harness.model;
    assert!(!matches!(
        harness.model.app.overlay,
        Some(Overlay::Help { .. })
    ));
}

#[test]
fn every_screen_of_a_redacted_copy_says_so_in_its_top_line() {
    for size in SIZES {
        for (screen, _) in SCREENS {
            let mut harness = Harness::new(size, Daemon::sarah()).press(way_to(screen));
            let top = |harness: &Harness| harness.screen().lines().next().unwrap().to_owned();
            assert!(!top(&harness).contains("redacted copy"));
            let cursor = LiveCursor::default();
            let head = LiveHead {
                redacted_copy: true,
                ..harness.model.app.head
            };
            let item = LiveItem::Head(head);
            harness.send(Msg::Live(vec![LiveMessage { item, cursor }]));
            assert!(
                top(&harness).contains("redacted copy"),
                "{}",
                harness.screen()
            );
        }
    }
}

/// The README's screen is a real one. With `UPDATE_README` set, the test puts it there.
#[test]
fn the_readme_shows_a_real_screen() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once("<!-- screen:begin -->\n```\n").unwrap();
    let (shown, after) = rest.split_once("```\n<!-- screen:end -->").unwrap();
    let harness = Harness::new((120, 26), Daemon::sarah()).press("enter");
    let screen = harness.screen();
    if std::env::var_os("UPDATE_README").is_some() {
        let begin = "<!-- screen:begin -->\n```\n";
        let end = "```\n<!-- screen:end -->";
        std::fs::write(path, format!("{before}{begin}{screen}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(shown, screen, "run this test with UPDATE_README=1");
}
