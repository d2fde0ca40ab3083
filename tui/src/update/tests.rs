//! What keys and messages do to the model, and what they ask for.

use whodunit_core::api::what_if::{Continuation, Edit};

use super::*;
use crate::keys::Scope;
use crate::model::stream::Row;
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
    let harness = harness().press("enter w q q");
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
    assert!(matches!(
        harness.model.app.overlay,
        Some(Overlay::Diff { .. })
    ));
}

#[test]
fn dropping_an_event_refolds_when_it_lies_after_the_base() {
    // On revision 3 the base is after it: dropping it needs no re-fold.
    let harness = harness().press("enter left left w x");
    let screen = harness.what_if();
    assert!(matches!(screen.scenario.edits[..], [Edit::Drop(_)]));
    assert_eq!(screen.scenario.continuation, Continuation::None);
    assert_eq!(screen.result.value().unwrap().state["status"], "active");
    // Re-folded, the recorded deletion follows all the same.
    let harness = harness.press("m");
    assert_eq!(
        harness.what_if().result.value().unwrap().state["status"],
        "deleted"
    );
    assert!(
        harness
            .model
            .call()
            .ends_with("--at-revision 3 --drop 3 --refold")
    );
    // Undo, undo, redo.
    let harness = harness.press("u u");
    assert_eq!(harness.what_if().changes(), 0);
    let harness = harness.press("ctrl-r");
    assert_eq!(harness.what_if().changes(), 1);
    // Pressing x on a dropped event takes it back.
    assert_eq!(harness.press("x").what_if().changes(), 0);
}

#[test]
fn a_command_runs_from_its_form_and_a_raw_event_beside_it() {
    let harness = harness()
        .press("enter left left left w a down down down down enter")
        .type_text("fraud_detected")
        .press("tab enter");
    let out = harness.what_if().result.value().unwrap();
    assert_eq!(out.steps.len(), 1);
    assert_eq!(
        (out.steps[0].step_type.as_str(), out.steps[0].outcome),
        (
            "SuspendUser",
            whodunit_core::api::what_if::StepOutcome::Accepted
        )
    );
    let harness = harness
        .press("E")
        .type_text("UserDeleted")
        .press("enter enter");
    let screen = harness.what_if();
    assert_eq!(screen.result.value().unwrap().state["status"], "deleted");
    assert_eq!(
        screen.call(),
        "whodunit what-if user-sarah --at-revision 2 --command 'SuspendUser={}' --reason fraud_detected --event 'UserDeleted={}'"
    );
}

/// A password is never looked up in a what-if: what the rules say of a command that gives one is unknown until the user says
/// whether it is right, with one key, which the screen names.
#[test]
fn whether_a_password_is_right_is_answered_with_a_key() {
    use whodunit_core::api::what_if::StepOutcome::{Accepted, Rejected, Unknown};
    for size in [(60, 20), (80, 24), (120, 40)] {
        let outcome = |harness: &Harness| {
            let out = harness.what_if().result.value().unwrap();
            (out.steps[0].outcome, out.outcomes.unknown)
        };
        let harness = Harness::new(size, Daemon::sarah())
            .press("enter g right w a down down down enter")
            .type_text("current-one")
            .press("tab")
            .type_text("another-one")
            .press("ctrl-s")
            .press("down down");
        assert_eq!(outcome(&harness), (Unknown, 1));
        let screen = harness.screen();
        assert!(screen.contains("p to say"), "{screen}");
        assert!(!screen.contains("password_correct"), "{screen}");
        let harness = harness.press("p");
        assert_eq!(outcome(&harness), (Accepted, 0));
        assert!(
            harness
                .what_if()
                .call()
                .ends_with(" --password-correct yes")
        );
        let screen = harness.press("up").screen();
        assert!(
            screen.contains("current password supposed right"),
            "{screen}"
        );
        assert!(!screen.contains("p to say"), "{screen}");
    }
    let harness = harness()
        .press("enter g right w a down down down enter")
        .type_text("current-one")
        .press("tab")
        .type_text("another-one")
        .press("ctrl-s p p");
    let out = harness.what_if().result.value().unwrap();
    assert_eq!(out.steps[0].outcome, Rejected);
    assert!(harness.what_if().call().ends_with(" --password-correct no"));
    // Undone like every other change, and said in the help.
    let harness = harness.press("u u u ctrl-r");
    assert_eq!(harness.what_if().request().password_correct, None);
    assert_eq!(harness.what_if().changes(), 1);
    let screen = harness.press("?").type_text("password").screen();
    assert!(
        screen.contains("suppose that the current password is right"),
        "{screen}"
    );
}

/// Steps come page by page; what is not there yet is never shown as if nothing had changed.
#[test]
fn further_steps_of_a_what_if_come_as_one_goes_down() {
    let mut daemon = Daemon::many();
    daemon.page_max = 4;
    let drops = "x up x up x up x up x";
    let harness = Harness::new((120, 40), daemon)
        .press("/")
        .type_text("user-c410")
        .press("enter enter w");
    let all = harness.press(drops);
    let out = all.what_if().result.value().unwrap();
    assert_eq!((out.steps.len(), out.next_cursor.as_ref()), (5, None));
    let mut silent = all.press("u").silent();
    silent.effects.clear();
    let mut silent = silent.press("ctrl-r");
    let effects = std::mem::take(&mut silent.effects);
    let asked = effects.into_iter().find_map(|effect| match effect {
        Effect::Ask { ticket, request } if request.slot() == Slot::WhatIf => {
            Some((ticket, request))
        }
        _ => None,
    });
    let (ticket, request) = asked.unwrap();
    let reply = Box::new(silent.daemon.answer(&request));
    silent.send(Msg::Replied { ticket, reply });
    assert!(silent.asked(Slot::MoreWhatIf));
    let screen = silent.screen();
    assert!(screen.contains("3 more steps"), "{screen}");
    // The summary is of all of them.
    let out = silent.what_if().result.value().unwrap();
    assert_eq!((out.steps.len(), out.outcomes.dropped), (2, 5));
}

/// Of a long history only the rows around the base are listed, and how many are not is said.
#[test]
fn revisions_far_from_the_base_are_named_as_left_out() {
    use crate::model::what_if::{WhatIfScreen, World};
    let screen = WhatIfScreen::new(crate::testing::sarah(), 5_000, 9_000);
    let rows = screen.worlds();
    assert_eq!(rows.first(), Some(&World::Far(1, 4_799)));
    assert_eq!(rows.last(), Some(&World::Far(5_201, 9_000)));
    assert_eq!(rows.len(), 403);
}

#[test]
fn from_a_rejected_command_the_base_is_just_before_its_decision() {
    let harness = harness().press("enter left w");
    let screen = harness.what_if();
    let sequence = screen
        .scenario
        .decision
        .expect("the row is the rejected command's");
    assert_eq!(
        screen.call(),
        format!("whodunit what-if user-sarah --at-decision {sequence}")
    );
    assert_eq!(screen.request().at_revision, None);
    // Moved, it is a revision again; undone, the decision.
    let harness = harness.press("left");
    let moved = harness.what_if();
    assert_eq!(
        (moved.scenario.decision, moved.request().at_decision),
        (None, None)
    );
    let harness = harness.press("u");
    assert_eq!(harness.what_if().scenario.decision, Some(sequence));
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

/// A daemon that hangs keeps its connections: it is said at the top for how long it has not answered, and again nothing once it
/// does.
#[test]
fn a_daemon_that_hangs_is_said_to_be_silent_until_it_answers() {
    for size in [(60, 20), (80, 24), (120, 40)] {
        for redacted in [false, true] {
            let mut harness = Harness::new(size, Daemon::sarah()).press("enter");
            harness.model.app.head.redacted_copy = redacted;
            let top = |harness: &Harness| harness.screen().lines().next().unwrap().to_owned();
            assert!(top(&harness).contains("live"), "{}", top(&harness));
            assert!(!harness.model.animates());
            harness.send(Msg::Silent {
                at: now().plus_micros(4_000_000),
                since: now(),
            });
            assert!(
                top(&harness).contains("no answer for 4 s"),
                "{}",
                top(&harness)
            );
            assert!(harness.model.animates(), "the seconds are counted");
            harness.send(Msg::Tick(now().plus_micros(12_000_000)));
            assert!(
                top(&harness).contains("no answer for 12 s"),
                "{}",
                top(&harness)
            );
            assert_eq!(top(&harness).contains("redacted copy"), redacted);
            // The feed ends, long after: it is the same silence.
            harness.send(Msg::Disconnected {
                at: now().plus_micros(50_000_000),
                retry_at: now().plus_micros(51_000_000),
                cause: "no answer".to_owned(),
                why: NoAnswer::TimedOut,
            });
            assert!(
                top(&harness).contains("no answer for 50 s"),
                "{}",
                top(&harness)
            );
            harness.send(Msg::Answered(now().plus_micros(52_000_000)));
            assert!(top(&harness).contains("live"), "{}", top(&harness));
            assert!(harness.stream().state().is_some());
        }
    }
}

/// What failed while the daemon did not answer is asked again when it does; what is under way is left to be answered.
#[test]
fn what_failed_during_a_silence_is_asked_again_after_it() {
    let silent = Msg::Silent {
        at: now(),
        since: now(),
    };
    let mut harness = harness().press("enter").silent().got(silent.clone());
    harness.effects.clear();
    harness.send(Msg::Answered(now()));
    assert!(harness.asked(Slot::Stream));
    let mut harness = harness.got(silent);
    harness.effects.clear();
    harness.send(Msg::Answered(now()));
    assert!(!harness.asked(Slot::Stream), "it is under way");
}

fn timed_out(ticket: Ticket) -> Msg {
    Msg::Replied {
        ticket,
        reply: Box::new(Err(Failure {
            code: None,
            message: "no answer from http://127.0.0.1:4780 within 30 s".to_owned(),
            hint: None,
            no_answer: Some(NoAnswer::TimedOut),
        })),
    }
}

/// One request that takes too long is no reason to think that the daemon is away: it is said. While the daemon is known to be
/// silent, what is there stays.
#[test]
fn a_reply_that_does_not_come_in_time_is_said_unless_the_daemon_is_silent() {
    for silent in [false, true] {
        let mut harness = harness().press("enter").silent();
        if silent {
            harness.send(Msg::Silent {
                at: now(),
                since: now(),
            });
        }
        harness.effects.clear();
        let mut harness = harness.press("r");
        let ticket = harness.effects.iter().find_map(|effect| match effect {
            Effect::Ask { ticket, .. } => Some(*ticket),
            _ => None,
        });
        harness.send(timed_out(ticket.unwrap()));
        let says_so = harness.screen().contains("no answer from");
        assert_eq!(says_so, !silent, "{}", harness.screen());
        assert_eq!(harness.stream().info.value().is_some(), silent);
    }
}

/// Whatever is waited for, the top line says for what and for how long, and Esc ends it.
#[test]
fn every_wait_is_said_with_its_time_and_can_be_ended() {
    let later = |seconds: i64| Msg::Tick(now().plus_micros(seconds * 1_000_000));
    // The keys before the last one are answered.
    for (keys, last, what) in [
        ("", "r", "streams"),
        ("", "down", "state"),
        ("", "enter", "`user-sarah`"),
        ("enter", "left left", "state at revision 3"),
        ("enter", "d", "diff of revisions 3 and 4"),
        ("enter w", "x", "the what-if"),
        ("", "L", "the log"),
        ("L", "g", "older events"),
        ("", "p", "the pipeline"),
        ("p tab tab", "R", "retry of job"),
    ] {
        let mut daemon = Daemon::sarah();
        if last == "g" {
            daemon.page_max = 8;
        }
        for size in [(60, 20), (120, 40)] {
            let mut harness = Harness::new(size, daemon.clone()).press(keys).silent();
            harness = harness.press(last).got(later(12));
            let screen = harness.screen();
            let top = screen.lines().next().unwrap();
            let begin: String = what.chars().take(4).collect();
            assert!(
                top.contains(&begin) && top.contains(" 12 s"),
                "{last}: {top}"
            );
            assert!(top.contains("live"), "{last}: {top}");
            harness.effects.clear();
            // The first may close a box that waits.
            let harness = harness.press("esc").press("esc");
            let ended = |effect: &Effect| matches!(effect, Effect::Cancel(_));
            assert!(harness.effects.iter().any(ended), "{keys} {last}");
            assert!(
                harness.model.front.asked().what().is_none(),
                "{keys} {last}"
            );
            assert!(
                !harness.screen().contains("loading"),
                "{}",
                harness.screen()
            );
        }
    }
}

/// A check may take an hour: Esc leaves it alone, K ends it.
#[test]
fn a_check_goes_on_until_it_is_cancelled_by_its_own_key() {
    let harness = harness().press("p").silent().press("C esc");
    let harness = harness
        .got(Msg::Tick(now().plus_micros(90_000_000)))
        .press("r esc");
    assert!(harness.model.front.asked().has(Slot::Check));
    for keys in ["K", "C K"] {
        let mut harness = Harness::new((120, 40), Daemon::sarah());
        harness = harness.press("p").silent().press("C esc").press(keys);
        assert!(!harness.model.front.asked().has(Slot::Check), "{keys}");
        let notice = harness.model.app.notice.as_ref().unwrap();
        assert_eq!(notice.text, "the consistency check is cancelled");
        assert!(harness.model.app.overlay.is_none());
    }
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
    let harness = harness.press("F");
    assert!(harness.log().follow && harness.log().unseen.is_empty());
}

#[test]
fn a_bad_filter_of_the_log_says_what_is_wrong() {
    let harness = harness()
        .press("L /")
        .type_text("since:yesterday")
        .press("enter");
    assert!(
        harness
            .log()
            .filter_error
            .as_ref()
            .unwrap()
            .contains("yesterday")
    );
    let harness = Harness::new((120, 40), Daemon::sarah())
        .press("L /")
        .type_text("actor:job:cleanup since:2h gone missing")
        .press("enter");
    let query = &harness.log().applied;
    assert_eq!(
        (query.actor.as_deref(), query.text.as_deref()),
        (Some("job:cleanup"), Some("gone missing"))
    );
    assert_eq!(query.since, Some(time("2025-03-25T07:15:00Z")));
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
    let harness = harness.press("left left w");
    assert!(line(&harness).starts_with("5/"));
    let harness = harness.press("x");
    assert!(line(&harness).starts_with("6/"));
    let harness = harness.press("m");
    assert!(line(&harness).starts_with("7/"));
    let harness = harness.press("[ p");
    assert!(line(&harness).starts_with("8/8"));
    assert!(harness.press("esc").model.app.guide.is_none());
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
    assert!(screen.contains("! 1 events recorded by then"), "{screen}");
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
    assert!(screen.contains("+ deleted_at"), "{screen}");
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
        screen.contains("read as of the cursor's day, Mon Mar 24 2025"),
        "{screen}"
    );
    let harness = harness.type_text("15:46").press("enter");
    let notice = harness.model.app.notice.as_ref().unwrap();
    assert_eq!(
        notice.text,
        "as of Mon Mar 24 2025 15:46:59.999999 UTC: revision 3"
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
