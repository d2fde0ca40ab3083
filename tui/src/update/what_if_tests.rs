//! What keys do to a what-if, and what is asked for it.

use whodunit_core::api::what_if::{Causes, Continuation, Edit, StepOutcome};

use super::*;
use crate::model::what_if::{Change, Pane, RowId};
use crate::request::Slot;
use crate::testing::{Daemon, Harness};

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::decided())
}

fn edits(harness: &Harness) -> Vec<serde_json::Value> {
    let asked = harness.what_if().request();
    let edits = asked.edits.iter();
    edits
        .map(|edit| serde_json::to_value(edit).unwrap())
        .collect()
}

/// The surprise: without the suspension there is no deletion either, as the rules are asked; as recorded, there is.
#[test]
fn without_the_suspension_there_is_no_deletion() {
    let harness = harness().press("enter left left w x");
    let screen = harness.what_if();
    assert_eq!(screen.request().continuation, Continuation::Auto);
    let out = screen.result.value().unwrap();
    assert_eq!(out.mode, Continuation::Redecide);
    let flips: Vec<_> = out
        .flips
        .iter()
        .map(|flip| (flip.command_type.as_str(), flip.outcome.as_str()))
        .collect();
    assert_eq!(
        flips,
        [("ChangeEmail", "accepted"), ("DeleteUser", "not_issued")]
    );
    assert_eq!(harness.model.call(), "whodunit what-if user-sarah --drop 3");
    let shown = harness.screen();
    for part in [
        "What if UserSuspended (rev 3, fraud-scan) had not happened?",
        "rules asked again about later commands",
        "sarah@example.com would not have been deleted",
        "2 flips · 1 of 2 later commands asked again",
        "⇄ ● accepted: UserEmailChanged",
        "⇄ ○ not issued: cause gone",
        "✗ user.suspended",
        "○ dropped",
        "deleted → active",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let harness = harness.press("m");
    assert_eq!(
        harness.what_if().result.value().unwrap().state["status"],
        "deleted"
    );
    assert!(harness.model.call().ends_with("--drop 3 --refold"));
    let shown = harness.screen();
    assert!(
        shown.contains("events as recorded, rules not asked"),
        "{shown}"
    );
    assert!(shown.contains("(rules not asked)"), "{shown}");
    // Undone and done again; the row that was dropped comes back with its key.
    let harness = harness.press("u");
    assert!(!harness.what_if().scenario.as_recorded);
    let harness = harness.press("u");
    assert_eq!(harness.what_if().changes(), 0);
    let harness = harness.press("ctrl-r x");
    assert_eq!(harness.what_if().changes(), 0);
    let shown = harness.screen();
    assert!(shown.contains("Nothing is changed yet"), "{shown}");
}

/// Where no command is on record there is nothing to ask the rules about: it is said, and why.
#[test]
fn without_commands_on_record_the_events_are_as_recorded() {
    let harness = Harness::new((120, 40), Daemon::many())
        .press("/")
        .type_text("order-3")
        .press("enter enter left w x");
    let out = harness.what_if().result.value().unwrap();
    assert_eq!(out.mode, Continuation::Refold);
    let shown = harness.screen();
    assert!(
        shown.contains("rules not asked: no command is on record"),
        "{shown}"
    );
}

/// What is edited in place: what an event says, who, why and when; only what differs is a change.
#[test]
fn an_event_is_edited_in_place() {
    let harness = harness().press("enter left left w e");
    let unchanged = harness.press("ctrl-s");
    assert_eq!(unchanged.what_if().changes(), 0);
    let harness = unchanged
        .press("e tab tab ctrl-u")
        .type_text("support")
        .press("tab ctrl-u")
        .type_text("+1h")
        .press("ctrl-s");
    assert_eq!(
        edits(&harness),
        [
            serde_json::json!({"change": {"revision": 3, "actor": "support", "recorded_at": "2025-03-20T04:00:00Z"}})
        ]
    );
    let shown = harness.screen();
    assert!(
        shown.contains("had come from support and had come at Thu 20 Mar 2025 04:00"),
        "{shown}"
    );
    assert!(
        harness
            .model
            .call()
            .contains(r#"--edit '{"change":{"revision":3,"actor":"support""#)
    );
    // Only the rules can tell what comes of that.
    let harness = harness.press("m");
    assert!(!harness.what_if().scenario.as_recorded);
    let notice = &harness.model.app.notice.as_ref().unwrap().text;
    assert!(notice.contains("only the rules"), "{notice}");
    // As it was again: no change is left.
    let harness = harness
        .press("e tab tab ctrl-u")
        .type_text("fraud-scan")
        .press("tab ctrl-u")
        .type_text("2025-03-20T03:00:00Z")
        .press("ctrl-s");
    assert_eq!(harness.what_if().changes(), 0);
}

#[test]
fn a_refused_command_is_edited_dropped_and_given_again() {
    let harness = harness().press("enter left w x");
    assert_eq!(
        edits(&harness),
        [serde_json::json!({"drop_command": {"decision": 9}})]
    );
    assert_eq!(
        harness.model.call(),
        "whodunit what-if user-sarah --drop-command 9"
    );
    let harness = harness
        .press("u e ctrl-u")
        .type_text("s@new.org")
        .press("ctrl-s");
    let edit = &edits(&harness)[0]["replace_command"];
    assert_eq!(
        (&edit["decision"], &edit["payload"]["email"]),
        (&9.into(), &"s@new.org".into())
    );
    // Now: after everything that is on record, a deleted user changes nothing.
    let harness = harness.press("u n");
    let asked = harness.what_if().request();
    assert_eq!(
        (asked.at_revision, asked.at_decision, asked.actions.len()),
        (None, None, 1)
    );
    let out = harness.what_if().result.value().unwrap();
    assert_eq!(
        out.steps.last().unwrap().rule.as_deref(),
        Some("user.deleted")
    );
    assert!(
        harness.model.call().contains("--command"),
        "{}",
        harness.model.call()
    );
}

#[test]
fn a_command_is_added_where_the_cursor_stands() {
    let harness = harness()
        .press("enter left left left w a down down down down enter")
        .type_text("fraud_detected")
        .press("ctrl-s");
    let screen = harness.what_if();
    let asked = screen.request();
    assert_eq!(asked.at_revision.unwrap().0, 2);
    assert_eq!(screen.cursor, RowId::Added(0));
    assert_eq!(
        screen.call(),
        "whodunit what-if user-sarah --at-revision 2 --command 'SuspendUser={}' --reason fraud_detected"
    );
    let out = screen.result.value().unwrap();
    assert_eq!(
        out.flips[0].command_type, "SuspendUser",
        "the recorded one is refused"
    );
    // One more further back: the earlier of the two places is an edit.
    let harness = harness
        .press("g + down down down down enter")
        .type_text("x")
        .press("ctrl-s");
    let asked = harness.what_if().request();
    assert_eq!((asked.actions.len(), asked.edits.len()), (1, 1));
    assert!(matches!(&asked.edits[0], Edit::InsertCommand(_)));
    assert!(
        harness.model.call().contains("--edit"),
        "{}",
        harness.model.call()
    );
    // And a raw event before a refused command.
    let harness = harness
        .press("u u down down down down E")
        .type_text("UserWaved")
        .press("ctrl-s");
    let asked = harness.what_if().request();
    assert!(asked.at_decision.is_some(), "{asked:?}");
    assert_eq!(asked.actions.len(), 1);
    // What was added goes as it came.
    assert_eq!(harness.press("x").what_if().changes(), 0);
}

/// A password is never looked up in a what-if: what the rules say of a command that gives one is unknown until the user says
/// whether it is right, with one key, which the screen names.
#[test]
fn whether_a_password_is_right_is_answered_with_a_key() {
    use StepOutcome::{Accepted, Rejected, Unknown};
    for size in [(60, 20), (80, 24), (120, 40)] {
        let outcome = |harness: &Harness| {
            let out = harness.what_if().result.value().unwrap();
            let step = out
                .steps
                .iter()
                .find(|step| step.step_type == "ChangePassword");
            (step.unwrap().outcome, out.outcomes.unknown)
        };
        let harness = Harness::new(size, Daemon::decided())
            .press("enter g right w a down down down enter")
            .type_text("current-one")
            .press("tab")
            .type_text("another-one")
            .press("ctrl-s");
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
        let screen = harness.screen();
        assert!(
            screen.contains("current password assumed right"),
            "{screen}"
        );
        assert!(!screen.contains("p to say"), "{screen}");
        let harness = harness.press("p");
        assert_eq!(outcome(&harness), (Rejected, 0));
        assert!(harness.what_if().call().ends_with(" --password-correct no"));
        // Undone like every other change, and said in the help.
        let harness = harness.press("u u u ctrl-r");
        assert_eq!(harness.what_if().request().password_correct, None);
        assert_eq!(harness.what_if().changes(), 1);
        let screen = harness.press("?").type_text("password").screen();
        assert!(
            screen.contains("assume that the current password is"),
            "{screen}"
        );
    }
}

/// A newer change gives up on the question before it, and what is shown is known to be old. Esc ends the wait and keeps the changes.
#[test]
fn a_newer_change_cancels_the_older_question() {
    let mut harness = harness().press("enter left left w x").silent();
    harness.effects.clear();
    let mut harness = harness.press("down x up x");
    let asked: Vec<_> = harness
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Ask {
                ticket, request, ..
            } if request.slot() == Slot::WhatIf => Some(*ticket),
            _ => None,
        })
        .collect();
    assert_eq!(asked.len(), 2);
    assert!(harness.effects.contains(&Effect::Cancel(asked[0])));
    harness.model.app.now = crate::testing::now().plus_micros(4_000_000);
    let shown = harness.screen();
    assert!(
        shown.contains("asking again · 4 s · Esc cancels"),
        "{shown}"
    );
    let before = harness.what_if().scenario.clone();
    let harness = harness.press("esc");
    assert_eq!(harness.what_if().scenario, before);
    let shown = harness.screen();
    assert!(shown.contains("not asked: r asks"), "{shown}");
}

/// An answer that is not to the question above it says so, also where nothing is on its way: the daemon has gone.
#[test]
fn an_older_answer_is_not_shown_as_the_new_ones() {
    let mut harness = harness().press("enter left left w x");
    let said = "shown is what came before the last change";
    assert!(!harness.screen().contains(said));
    let crate::model::Screen::WhatIf(screen) = &mut harness.model.front else {
        panic!("the lab is in front");
    };
    screen.answered = None;
    let shown = harness.screen();
    assert!(shown.contains(said), "{shown}");
}

/// The story, its edits and their undo are there when one comes back, by every way; a new question is a change that can be undone.
#[test]
fn the_story_survives_leaving() {
    let harness = harness().press("enter left left w x down x q");
    let harness = harness.press("w");
    let shown = harness.screen();
    assert!(
        shown.contains("continue the what-if of this stream: 2 changes"),
        "{shown}"
    );
    let harness = harness.press("w");
    assert_eq!(harness.what_if().changes(), 2);
    assert!(harness.what_if().result.value().is_some());
    let harness = harness.press("u");
    assert_eq!(harness.what_if().changes(), 1);
    // From elsewhere, by the way one came.
    let harness = harness.press("f a [");
    assert_eq!(harness.what_if().changes(), 1);
    assert_eq!(harness.what_if().redo.len(), 1);
    // A new question.
    let harness = harness.press("q G w x");
    let changes = &harness.what_if().scenario.changes;
    assert_eq!(*changes, [Change::DropEvent(4)]);
    let harness = harness.press("u u");
    assert_eq!(harness.what_if().scenario.changes, [Change::DropEvent(3)]);
    // What would be gone with the program is said once.
    let harness = harness.press("q q q");
    assert!(harness.effects.iter().all(|effect| *effect != Effect::Quit));
    let notice = &harness.model.app.notice.as_ref().unwrap().text;
    assert!(notice.contains("1 what-if not saved"), "{notice}");
    let harness = harness.press("q");
    assert!(harness.effects.contains(&Effect::Quit));
}

/// From any event, wherever it is shown.
#[test]
fn every_screen_with_events_asks_what_if() {
    for way in [
        "",
        "enter",
        "L up",
        "enter f b",
        "enter c",
        "enter enter",
        "enter f",
    ] {
        let harness = harness().press(way).press("w x");
        let screen = harness.what_if();
        assert_eq!(screen.changes(), 1, "{way}");
        assert!(screen.result.value().is_some(), "{way}");
        assert!(screen.recorded().unwrap().is_loaded, "{way}");
    }
}

#[test]
fn a_what_if_is_saved_once_and_over_nothing_unless_that_is_asked_for() {
    let harness = harness().press("enter left left w w S");
    assert!(
        harness.model.app.overlay.is_none(),
        "nothing is changed yet"
    );
    let harness = harness.press("x S");
    let shown = harness.screen();
    assert!(shown.contains("what-if-user-sarah.toml"), "{shown}");
    let saved = harness.press("enter");
    let notice = &saved.model.app.notice.as_ref().unwrap().text;
    assert!(
        notice.contains("whodunit check what-if-user-sarah.toml"),
        "{notice}"
    );
    assert!(!saved.what_if().is_unsaved());
    assert!(saved.press("down x").what_if().is_unsaved());
    let harness = self::harness()
        .press("enter left left w x S ctrl-u")
        .type_text("there.toml")
        .press("enter");
    let shown = harness.screen();
    assert!(shown.contains("already exists"), "{shown}");
    assert!(shown.contains("Enter again writes over it"), "{shown}");
    assert!(harness.what_if().is_unsaved());
    // Another name is not written over.
    let other = harness.press("x").type_text("y").screen();
    assert!(!other.contains("Enter again"), "{other}");
}

/// Over a name that is there, a second Enter writes.
#[test]
fn a_second_enter_writes_over_a_file() {
    let harness = harness()
        .press("enter left left w x S ctrl-u")
        .type_text("there.toml")
        .press("enter enter");
    assert!(!harness.what_if().is_unsaved());
}

#[test]
fn commands_whose_cause_is_gone_can_be_asked_all_the_same() {
    let harness = harness().press("enter left left w x C");
    assert_eq!(harness.what_if().request().causes, Causes::Keep);
    assert_eq!(
        harness.what_if().result.value().unwrap().state["status"],
        "deleted"
    );
    assert!(harness.model.call().ends_with("--causes keep"));
}

/// What differs in another stream is one key away, with that stream's own two worlds; Esc goes back.
#[test]
fn another_stream_that_differs_opens_with_its_own_worlds() {
    let mut daemon = Daemon::decided();
    // An event of another stream that the suspension led to.
    let other = daemon
        .events
        .iter_mut()
        .find(|event| event.stream.as_str() == "user-19aa" && event.revision.0 == 2);
    other.unwrap().causation_id = Some("0195-3".to_owned());
    let harness = Harness::new((120, 40), daemon).press("enter left left w x");
    let shown = harness.screen();
    assert!(shown.contains("other streams that differ · 1"), "{shown}");
    let harness = harness.press("tab");
    assert_eq!(harness.what_if().pane, Pane::Streams);
    let harness = harness.press("enter");
    assert_eq!(harness.what_if().shown.as_str(), "user-19aa");
    let shown = harness.screen();
    assert!(
        shown.contains("UserNameChanged") && shown.contains("⇄ ○ not issued"),
        "{shown}"
    );
    let harness = harness.press("esc");
    assert_eq!(harness.what_if().shown.as_str(), "user-sarah");
    assert_eq!(harness.front(), crate::keys::Scope::WhatIf);
}

/// Steps come page by page; what is not there yet is never shown as if nothing had changed.
#[test]
fn further_steps_come_as_one_goes_down() {
    let mut daemon = Daemon::many();
    daemon.page_max = 4;
    let drops = "w x up x up x up x up x";
    let harness = Harness::new((120, 40), daemon)
        .press("/")
        .type_text("user-c410")
        .press("enter enter");
    let all = harness.press(drops);
    let out = all.what_if().result.value().unwrap();
    assert_eq!(out.next_cursor, None);
    assert!(out.steps.len() >= 5, "{}", out.steps.len());
    let mut silent = all.press("u").silent();
    silent.effects.clear();
    let mut silent = silent.press("ctrl-r");
    let effects = std::mem::take(&mut silent.effects);
    let asked = effects.into_iter().find_map(|effect| match effect {
        Effect::Ask {
            ticket, request, ..
        } if request.slot() == Slot::WhatIf => Some((ticket, request)),
        _ => None,
    });
    let (ticket, request) = asked.unwrap();
    let reply = Box::new(silent.daemon.answer(&request));
    silent.send(Msg::Replied { ticket, reply });
    assert!(silent.asked(Slot::MoreWhatIf));
    let screen = silent.screen();
    assert!(screen.contains("not loaded yet"), "{screen}");
}

/// Of a long history only a window is loaded: what is not is named, and Enter loads it.
#[test]
fn what_is_not_loaded_is_named_and_loads_with_enter() {
    let mut harness = harness().press("enter w w");
    let crate::model::Screen::WhatIf(screen) = &mut harness.model.front else {
        panic!("the what-if is in front");
    };
    screen
        .recorded_mut()
        .steps
        .retain(|revision, _| *revision > 2);
    screen.cursor = RowId::Far(1);
    let shown = harness.screen();
    assert!(shown.contains("1 to 2: Enter loads them"), "{shown}");
    let harness = harness.press("enter");
    assert_eq!(harness.what_if().recorded().unwrap().steps.len(), 4);
}

/// Before a refused command: keys are asked of that moment.
#[test]
fn beside_a_refused_command_the_base_is_just_before_it() {
    let harness = harness()
        .press("enter left w a down down enter")
        .type_text("s@new.org")
        .press("ctrl-s");
    let asked = harness.what_if().request();
    assert_eq!(asked.at_revision, None);
    assert!(asked.at_decision.is_some());
    assert!(
        harness.model.call().contains("--at-decision 9"),
        "{}",
        harness.model.call()
    );
}

/// A daemon that is away leaves what was shown; one that fails says so, and the changes stay.
#[test]
fn a_failure_keeps_the_story() {
    let mut harness = harness().press("enter left left w x");
    harness.daemon.failure = Daemon::failing(false).failure;
    let harness = harness.press("down x");
    assert_eq!(harness.what_if().changes(), 2);
    let shown = harness.screen();
    assert!(
        shown.contains("the store failed") && shown.contains("u undoes the last"),
        "{shown}"
    );
    assert!(shown.contains("UserSuspended"), "{shown}");
}
