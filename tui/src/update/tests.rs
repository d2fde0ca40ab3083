//! What keys and messages do to the model, and what they ask for.

use super::*;
use crate::client::{LiveItem, Subject};
use crate::effect::NoAnswer;
use crate::keys::Scope;
use crate::model::stream::Row;
use crate::request::{Part, Request, Slot};
use crate::testing::{Daemon, Harness, now, time};

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::sarah())
}

#[test]
fn the_filter_narrows_as_one_types_and_escape_clears_it() {
    let harness = harness().press("/").type_text("osara");
    assert_eq!(harness.streams().streams().len(), 1);
    assert_eq!(harness.streams().call(), "whodunit streams osara");
    let harness = harness.press("esc");
    assert_eq!(
        (
            harness.streams().streams().len(),
            harness.streams().filtering
        ),
        (3, false)
    );
}

#[test]
fn stepping_back_and_forward_comes_to_the_same_place() {
    let harness = harness().press("enter");
    let stream = harness.stream();
    assert_eq!((stream.cursor, stream.rows()), (Row::Revision(4), 6));
    // Back over the rejected command to the empty stream, and forward again.
    let mut harness = harness;
    let mut seen = vec![Row::Revision(4)];
    for _ in 0..6 {
        harness = harness.press("left");
        seen.push(harness.stream().cursor);
    }
    let expected = [4, 99, 3, 2, 1, 0, 0].map(|n| {
        if n == 99 {
            Row::Rejected(0)
        } else {
            Row::Revision(n)
        }
    });
    assert_eq!(seen, expected);
    assert!(
        harness
            .model
            .app
            .notice
            .as_ref()
            .unwrap()
            .text
            .contains("empty stream")
    );
    for expected in [1, 2, 3, 99, 4, 4] {
        harness = harness.press("right");
        let expected = if expected == 99 {
            Row::Rejected(0)
        } else {
            Row::Revision(expected)
        };
        assert_eq!(harness.stream().cursor, expected);
    }
}

#[test]
fn the_state_shown_is_that_of_the_cursor() {
    let harness = harness().press("enter left left");
    let stream = harness.stream();
    assert_eq!(stream.revision(), 3);
    assert_eq!(stream.state().unwrap().state["status"], "suspended");
    assert_eq!(stream.call(), "whodunit state user-sarah --at-revision 3");
}

#[test]
fn a_jump_to_a_time_lands_on_what_was_recorded_then() {
    for (text, revision) in [
        ("2025-03-24 15:46", 3),
        ("2025-03-24 15:47", 4),
        ("3:46 PM", 3),
        ("2", 2),
        ("0", 0),
        ("-5d", 2),
    ] {
        let harness = harness().press("enter t").type_text(text).press("enter");
        let stream = harness.stream();
        assert_eq!(
            (stream.revision(), harness.model.app.overlay.is_none()),
            (revision, true),
            "{text}"
        );
    }
    let harness = harness().press("enter t").type_text("99").press("enter");
    assert!(
        matches!(&harness.model.app.overlay, Some(Overlay::GoTo { error: Some(error), .. }) if error.contains("head is revision 4"))
    );
}

#[test]
fn escape_cancels_what_is_loading() {
    let harness = harness().silent().press("enter");
    assert!(harness.asked(Slot::Stream));
    let harness = harness.press("esc");
    let cancelled = |effect: &Effect| matches!(effect, Effect::Cancel(_));
    assert!(harness.effects.iter().any(cancelled));
    assert!(harness.model.front.asked().is_empty());
    assert_eq!(harness.press("esc").front(), Scope::Streams);
}

#[test]
fn leaving_and_coming_back_keeps_the_cursor() {
    let harness = harness().press("down enter");
    assert_eq!(harness.front(), Scope::Stream);
    let harness = harness.press("esc");
    assert_eq!(
        (harness.front(), harness.streams().selected),
        (Scope::Streams, 1)
    );
    let harness = harness.press("[");
    assert_eq!(harness.stream().stream.as_str(), "user-19aa");
    let harness = harness.press("]");
    assert_eq!(harness.front(), Scope::Streams);
}

#[test]
fn quit_goes_up_a_level_and_ends_at_the_top() {
    let harness = harness().press("enter w w q q");
    assert_eq!(
        (harness.front(), harness.effects.contains(&Effect::Quit)),
        (Scope::Streams, false)
    );
    assert!(harness.press("q").effects.contains(&Effect::Quit));
}

#[test]
fn the_call_is_copied() {
    let harness = harness().press("enter y");
    assert!(harness.effects.contains(&Effect::Copy(
        "whodunit state user-sarah --at-revision 4".to_owned()
    )));
    let harness = harness.press("g right m G d y");
    assert!(harness.effects.contains(&Effect::Copy(
        "whodunit diff user-sarah 1 4 --blame".to_owned()
    )));
}

#[test]
fn a_form_with_errors_does_not_run() {
    let harness = harness().press("enter w a enter").press("ctrl-s");
    let Some(Overlay::Form(form)) = &harness.model.app.overlay else {
        panic!("the form stays open")
    };
    assert!(form.submitted && form.fields[form.focus].error.is_some());
}

#[test]
fn a_lost_daemon_keeps_the_screen_and_coming_back_loads_again() {
    let mut harness = harness().press("enter");
    harness.send(Msg::Disconnected {
        at: now(),
        retry_at: now().plus_micros(1),
        cause: "gone".to_owned(),
        why: NoAnswer::Unreachable,
    });
    assert!(harness.stream().state().is_some());
    assert!(harness.model.animates());
    let mut harness = harness.silent();
    harness.effects.clear();
    harness.send(Msg::Connected(now()));
    assert!(harness.asked(Slot::Stream));
}

#[test]
fn a_new_event_of_the_stream_in_front_loads_it_again_once() {
    let mut harness = harness().press("enter left").silent();
    harness.effects.clear();
    let message = harness.daemon.live("UserWaved");
    harness.send(message.clone());
    harness.send(message);
    assert_eq!(
        harness.effects,
        [Effect::RefreshSoon],
        "many events in a row make one refresh"
    );
    harness.send(Msg::RefreshDue);
    assert!(harness.asked(Slot::Stream));
    assert_eq!(
        harness.stream().cursor,
        Row::Rejected(0),
        "the cursor stays"
    );
    assert_eq!(harness.model.app.head.position, 18_205);
}

#[test]
fn the_log_follows_until_one_moves() {
    let mut harness = harness().press("L");
    let rows = |harness: &Harness| harness.log().rows.value().unwrap().len();
    let message = harness.daemon.live("UserWaved");
    harness.send(message.clone());
    // Thirteen events and two rejected commands; then one more.
    assert_eq!((rows(&harness), harness.log().selected), (16, 15));
    let mut harness = harness.press("up");
    harness.send(message);
    assert_eq!((rows(&harness), harness.log().follow), (16, false));
    let harness = harness.press("space");
    assert!(harness.log().follow && harness.log().unseen.is_empty());
}

#[test]
fn the_filter_of_the_log_is_a_query_line() {
    let harness = harness()
        .press("L /")
        .type_text("since:soon")
        .press("enter");
    let error = harness.log().line.error.as_ref().unwrap();
    assert_eq!(error.column, 7, "{error}");
    let screen = harness.screen();
    assert!(screen.contains("at column 7"), "{screen}");
    let harness = Harness::new((120, 40), Daemon::sarah())
        .press("L /")
        .type_text("actor:job:* -reason:test since:-30d")
        .press("enter");
    let line = "actor:job:* since:2025-02-23T09:15:00Z -reason:test";
    assert_eq!(harness.log().applied.to_string(), line);
    let rows = harness.log().rows.value().unwrap();
    assert_eq!(rows.len(), 1);
    // A feed of its own brings what is committed and matches.
    assert_eq!(harness.log().summary.value().unwrap().query, line);
    let all = harness.press("/ esc").log().rows.value().unwrap().len();
    assert_eq!(all, 15);
}

/// What the feed of a filter brings goes into the log; what the feed of everything brings does not.
#[test]
fn a_filtered_log_has_a_feed_of_its_own() {
    let mut harness = harness()
        .silent()
        .press("L /")
        .type_text("type:UserWaved")
        .press("enter");
    let asked = |slot: Slot| {
        harness
            .effects
            .iter()
            .rev()
            .find_map(|effect| match effect {
                Effect::Ask {
                    ticket, request, ..
                } if request.slot() == slot => Some((*ticket, (**request).clone())),
                _ => None,
            })
    };
    let ((tail, request), (log, page)) = (asked(Slot::Tail).unwrap(), asked(Slot::Log).unwrap());
    assert_eq!(request, Request::Tail("type:UserWaved".to_owned(), 18_204));
    let reply = Box::new(harness.daemon.answer(&page));
    harness.send(Msg::Replied { ticket: log, reply });
    let live = harness.daemon.live("UserWaved");
    let Msg::Live(messages) = &live else {
        panic!("no feed")
    };
    let LiveItem::Event(event) = &messages[0].item else {
        panic!("no event")
    };
    let part = Part {
        rows: vec![Subject::Event(event.clone())],
        progress: None,
        run: None,
    };
    harness.send(live.clone());
    assert_eq!(harness.log().rows.value().unwrap().len(), 0);
    harness.send(Msg::Part {
        ticket: tail,
        part: Box::new(part),
    });
    assert_eq!(harness.log().rows.value().unwrap().len(), 1);
}

#[test]
fn the_guide_moves_on_as_it_is_followed_and_ends_for_good() {
    let mut harness = harness();
    harness.model.app.guide = Some(crate::model::guide::Guide::default());
    let line = |harness: &Harness| harness.model.app.guide.unwrap().line();
    assert!(line(&harness).contains("type sarah"));
    let harness = harness.press("/").type_text("sarah").press("enter");
    assert!(line(&harness).starts_with("2/"));
    let harness = harness.press("enter");
    assert!(line(&harness).starts_with("3/"));
    let harness = harness.press("f b");
    assert!(line(&harness).starts_with("4/"));
    let harness = harness.press("q left left w");
    assert!(line(&harness).starts_with("6/"));
    let harness = harness.press("x");
    assert!(line(&harness).starts_with("7/7"));
    assert!(harness.press("esc").model.app.guide.is_none());
}

#[test]
fn a_step_of_the_guide_that_is_skipped_is_not_stayed_at() {
    let line = |harness: &Harness| harness.model.app.guide.unwrap().line();
    let begin = || {
        let mut harness = harness();
        harness.model.app.guide = Some(crate::model::guide::Guide::default());
        harness
    };
    assert!(line(&begin().press("enter")).starts_with("3/"));
    assert!(line(&begin().press("enter left")).starts_with("5/"));
    assert!(line(&begin().press("enter left left w")).starts_with("6/"));
    assert!(line(&begin().press("enter left left w x")).starts_with("7/"));
}

#[test]
fn the_guide_fits_the_smallest_usual_terminal() {
    // Beside ` guide ` and a blank.
    let cells = crate::model::guide::Guide::cells_max();
    assert!(cells + 9 <= 80, "{cells} cells would be cut");
}

#[test]
fn every_bound_action_does_something_or_says_why_not() {
    for binding in crate::keys::BINDINGS {
        let way = match binding.scope {
            crate::keys::Scope::Streams | crate::keys::Scope::Everywhere => "down",
            crate::keys::Scope::Stream => "enter left left",
            crate::keys::Scope::WhatIf => "enter left left w x up",
            crate::keys::Scope::Log => "L up",
            crate::keys::Scope::Find => "enter f b",
            crate::keys::Scope::Causes => "enter c",
            crate::keys::Scope::Diff => "enter g right m G d down",
            crate::keys::Scope::World => "W down",
            crate::keys::Scope::Branches => "b down",
            crate::keys::Scope::Compare => "b down d down",
            crate::keys::Scope::Run => "enter w w I enter down",
            crate::keys::Scope::Pipeline => "p tab tab",
        };
        for key in binding.keys {
            let mut before = harness().press(way);
            before.effects.clear();
            let shown = format!("{:?}", before.model);
            let after = before.press(key);
            let changed = format!("{:?}", after.model) != shown || !after.effects.is_empty();
            assert!(changed, "`{key}` in {:?} does nothing", binding.scope);
        }
    }
}

#[test]
fn rejected_commands_stand_in_line_in_the_log() {
    let harness = harness().press("L");
    let rows = harness.log().rows.value().unwrap();
    let kinds: Vec<&str> = rows
        .iter()
        .filter_map(|row| match row {
            crate::model::log::LogRow::Event(event) => {
                (event.stream == crate::testing::sarah()).then_some(event.event_type.as_str())
            }
            crate::model::log::LogRow::Rejected(decision) => {
                (decision.stream == crate::testing::sarah()).then_some(&*decision.command_type)
            }
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "UserCreated",
            "UserNameChanged",
            "UserSuspended",
            "ChangeEmail",
            "UserDeleted"
        ]
    );
    // A filter by event type speaks of events only.
    let harness = harness
        .press("/")
        .type_text("type:UserDeleted")
        .press("enter");
    let rows = harness.log().rows.value().unwrap();
    assert!(
        rows.iter()
            .all(|row| matches!(row, crate::model::log::LogRow::Event(_)))
    );
}

#[test]
fn what_a_time_leaves_out_is_said_until_the_next_move() {
    let mut daemon = Daemon::sarah();
    // The clock went back: the suspension is on record as before the renaming.
    daemon.events[2].recorded_at = time("2025-03-08T00:00:00Z");
    let harness = Harness::new((120, 40), daemon)
        .press("enter t")
        .type_text("2025-03-08 12:00")
        .press("enter");
    assert_eq!(harness.stream().revision(), 1);
    let screen = harness.screen();
    assert!(
        screen.contains("! 1 event is left out, though recorded by then"),
        "{screen}"
    );
    assert_eq!(harness.stream().warnings()[0].revisions[0].0, 3);
    let harness = harness.press("right left");
    assert!(harness.stream().warnings().is_empty());
}

#[test]
fn the_state_pane_scrolls_when_it_is_in_focus() {
    let harness = Harness::new((80, 24), Daemon::sarah()).press("enter");
    let revision = harness.stream().revision();
    let screen = harness.screen();
    assert!(screen.contains("more below"), "{screen}");
    let harness = harness.press("tab G");
    let screen = harness.screen();
    assert!(screen.contains("▶  created_at"), "{screen}");
    assert!(!screen.contains("more below"), "{screen}");
    // The cursor has not moved; the arrows to the sides still move it.
    assert_eq!(harness.stream().revision(), revision);
    let harness = harness.press("g down up left left");
    assert!(harness.stream().revision() < revision);
}

#[test]
fn which_moment_a_time_of_day_came_to_is_said() {
    let harness = Harness::new((120, 40), Daemon::sarah()).press("enter t");
    let screen = harness.screen();
    assert!(
        screen.contains("read as of the cursor's day, Mon 24 Mar 2025"),
        "{screen}"
    );
    let harness = harness.type_text("15:46").press("enter");
    let notice = harness.model.app.notice.as_ref().unwrap();
    assert_eq!(
        notice.text,
        "as of Mon 24 Mar 2025 15:46:59.999999 UTC: revision 3"
    );
}

#[test]
fn a_step_along_the_time_axis_never_stands_still() {
    let mut harness = Harness::new((120, 40), Daemon::sarah()).press("enter home");
    for _ in 0..60 {
        harness = harness.press("shift-right");
    }
    assert_eq!(harness.stream().revision(), harness.stream().head());
}
