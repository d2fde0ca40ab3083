//! What keys do to a scenario, and what is asked for it.

use whodunit_core::api::what_if::{Continuation, Edit};

use super::*;
use crate::request::Slot;
use crate::testing::{Daemon, Harness};

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::sarah())
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
            .press("ctrl-s down");
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
