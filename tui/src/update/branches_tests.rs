//! Branches on screen: kept from the lab, listed, opened, compared, renamed, deleted, and read in place of the log.

use whodunit_core::api::branch::BranchOut;

use super::*;
use crate::client::branch_of;
use crate::keys::Scope;
use crate::model::branches::Purpose;
use crate::model::what_if::{Change, opened};
use crate::request::{Reply, Request, Slot};
use crate::testing::{Daemon, Harness};

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::decided())
}

fn type_name(harness: Harness, name: &str) -> Harness {
    harness.press("ctrl-u").type_text(name).press("enter")
}

fn request(harness: &Harness, slot: Slot) -> Option<(Request, Option<String>)> {
    harness
        .effects
        .iter()
        .rev()
        .find_map(|effect| match effect {
            Effect::Ask {
                request, branch, ..
            } if request.slot() == slot => Some(((**request).clone(), branch.clone())),
            _ => None,
        })
}

#[test]
fn what_is_on_screen_is_kept_and_a_name_that_is_taken_is_refused_once() {
    let lab = harness().press("enter left left w x B");
    let lab = type_name(lab, "there");
    let Some(Overlay::Naming(naming)) = &lab.model.app.overlay else {
        panic!("the box is gone");
    };
    assert_eq!(naming.purpose, Purpose::Keep);
    assert!(
        lab.screen().contains("Enter again replaces"),
        "{}",
        lab.screen()
    );
    // Another name is not replaced.
    let mut lab = lab.press("backspace").silent();
    lab.effects.clear();
    let lab = lab.press("enter");
    let Some((Request::KeepBranch(kept), None)) = request(&lab, Slot::KeepBranch) else {
        panic!("nothing was asked");
    };
    assert_eq!((kept.name.as_str(), kept.replace), ("ther", false));
    let lab = type_name(harness().press("enter left left w x B"), "there").press("enter");
    assert!(lab.model.app.overlay.is_none());
    assert!(!lab.what_if().is_unsaved());
    let said = &lab.model.app.notice.as_ref().unwrap().text;
    assert!(said.contains("kept as the branch there"), "{said}");
}

#[test]
fn events_as_recorded_and_nothing_at_all_are_not_kept() {
    for (keys, why) in [
        ("enter left left w w B", "nothing is changed"),
        ("enter left left w x m B", "the rules are asked"),
    ] {
        let lab = harness().press(keys);
        assert!(lab.model.app.overlay.is_none());
        let said = &lab.model.app.notice.as_ref().unwrap().text;
        assert!(said.contains(why), "{said}");
    }
}

/// What the lab makes of a branch asks for what was kept, to the letter.
#[test]
fn a_branch_opened_in_the_lab_is_the_what_if_that_was_kept() {
    let ways = [
        "enter left left w x",
        "enter left left w x down x",
        "enter left left w e tab tab ctrl-u b o b ctrl-s",
        "enter left left w a down enter n e w ctrl-s C",
        "enter left left w E u s e r ctrl-s p",
    ];
    for keys in ways {
        let lab = harness().press(keys);
        let asked = lab.what_if().request();
        let kept = branch_of(asked.clone(), None, None);
        let mut out: BranchOut = match Daemon::decided()
            .answer(&Request::Branch("there".to_owned()))
            .unwrap()
        {
            Reply::Branch(out) => out,
            other => panic!("{other:?}"),
        };
        let layer = &mut out.branch.layers[0];
        layer.edits.clone_from(&kept.edits);
        layer.actions.clone_from(&kept.actions);
        if let Some(revision) = kept.at_revision {
            (layer.base.revision, layer.base.after_decision) = (revision, None);
        }
        out.branch.causes = kept.causes.unwrap_or_default();
        out.branch.password_correct = kept.password_correct;
        let opened = opened(&out);
        assert_eq!(opened.scenario.request(&opened.stream), asked, "{keys}");
    }
}

#[test]
fn a_branch_is_opened_where_the_lab_of_its_stream_is() {
    let lab = harness().press("enter left left w x");
    let depth = lab.model.under.len();
    let again = lab.press("b down down enter");
    assert_eq!(again.model.under.len(), depth);
    assert_eq!(again.what_if().branch.as_deref(), Some("no-suspension"));
    assert_eq!(again.what_if().scenario.changes, [Change::DropEvent(3)]);
    assert!(!again.what_if().is_unsaved());
}

#[test]
fn a_what_if_upon_a_branch_is_asked_of_that_branch() {
    let list = harness().press("b down down n").silent();
    assert_eq!(list.front(), Scope::WhatIf);
    let top = list.screen().lines().next().unwrap().to_owned();
    assert!(top.contains("ON BRANCH no-suspension"), "{top}");
    let lab = list.press("x");
    let (_, branch) = request(&lab, Slot::WhatIf).unwrap();
    assert_eq!(branch.as_deref(), Some("no-suspension"));
    assert!(
        lab.model.call().ends_with("--branch no-suspension"),
        "{}",
        lab.model.call()
    );
    let lab = type_name(lab.press("B"), "both");
    let Some((Request::KeepBranch(kept), None)) = request(&lab, Slot::KeepBranch) else {
        panic!("nothing was asked");
    };
    assert_eq!(kept.on.as_deref(), Some("no-suspension"));
    // One of several layers is not taken apart.
    let upon = harness().press("b G enter");
    assert_eq!(upon.front(), Scope::WhatIf);
}

/// On every screen that shows what a branch has it says so, at every width, and all that is asked is asked of it.
#[test]
fn what_a_branch_has_is_never_taken_for_what_happened() {
    for size in [(60, 20), (80, 24), (120, 40)] {
        for keys in [
            "v", "W", "v c", "v left d", "d enter", "d W", "W enter", "v [ ]",
        ] {
            let mut at = Harness::new(size, Daemon::decided())
                .press("b down down")
                .press(keys);
            let top = at.screen().lines().next().unwrap().to_owned();
            assert!(top.contains("BRANCH no-suspension"), "{keys}: {top}");
            assert!(at.model.call().contains("--branch no-suspension"), "{keys}");
            at.effects.clear();
            let at = at.silent().press("r");
            for effect in &at.effects {
                if let Effect::Ask {
                    request, branch, ..
                } = effect
                {
                    assert_eq!(branch.as_deref(), Some("no-suspension"), "{request:?}");
                }
            }
        }
    }
    // Where a key would lead to what happened, it says why it does not.
    for key in ["f", "F", "w"] {
        let at = harness().press("b down down v").press(key);
        assert_eq!(at.front(), Scope::Stream);
        assert!(at.model.app.overlay.is_none());
        let said = &at.model.app.notice.as_ref().unwrap().text;
        assert!(said.contains("the branch no-suspension"), "{said}");
    }
    // And the screens of the log are of the log.
    let log = harness().press("b down down v q L");
    assert!(!log.screen().contains("BRANCH"), "{}", log.screen());
}

#[test]
fn a_branch_of_another_log_says_so_and_is_not_read() {
    let list = harness().press("b");
    assert!(
        list.screen().contains("made on another log"),
        "{}",
        list.screen()
    );
    let stream = list.press("v");
    assert!(
        stream.screen().contains("other_history"),
        "{}",
        stream.screen()
    );
}

#[test]
fn a_branch_is_renamed_and_deleted_and_asked_about_before() {
    let renamed = type_name(harness().press("b down R"), "better");
    assert!(renamed.model.app.overlay.is_none());
    let asked = harness().press("b down x");
    assert!(
        asked.screen().contains("delete the branch many?"),
        "{}",
        asked.screen()
    );
    let mut kept = asked.press("esc").silent();
    assert!(request(&kept, Slot::RemoveBranch).is_none());
    kept.effects.clear();
    let gone = kept.press("x enter");
    let asked = request(&gone, Slot::RemoveBranch).unwrap().0;
    assert_eq!(asked, Request::RemoveBranch("many".to_owned()));
}

#[test]
fn a_failure_while_naming_stays_in_the_box() {
    let mut list = harness().press("b down R");
    list.daemon.failure = Daemon::failing(false).failure;
    let list = type_name(list, "x");
    let Some(Overlay::Naming(naming)) = &list.model.app.overlay else {
        panic!("the box is gone");
    };
    assert!(naming.error.is_some());
}

#[test]
fn a_branch_of_another_log_is_adopted_after_a_question() {
    let asked = harness().press("b A");
    assert!(
        asked
            .screen()
            .contains("read the branch elsewhere on this log?"),
        "{}",
        asked.screen()
    );
    let mut kept = asked.press("n").silent();
    assert!(request(&kept, Slot::AdoptBranch).is_none());
    kept.effects.clear();
    let adopted = kept.press("A enter");
    let asked = request(&adopted, Slot::AdoptBranch).unwrap().0;
    assert_eq!(asked, Request::AdoptBranch("elsewhere".to_owned()));
    let own = harness().press("b down A");
    assert!(own.model.app.overlay.is_none());
    let said = &own.model.app.notice.as_ref().unwrap().text;
    assert!(said.contains("nothing to adopt"), "{said}");
}

#[test]
fn the_lab_names_the_branch_that_it_has() {
    let lab = harness().press("b down down enter");
    assert!(
        lab.screen().contains(" BRANCH no-suspension"),
        "{}",
        lab.screen()
    );
    let changed = lab.press("down x");
    assert!(
        changed.screen().contains(" CHANGED BRANCH no-suspension"),
        "{}",
        changed.screen()
    );
    let without = harness().press("enter left left w x");
    assert!(!without.screen().contains("BRANCH"), "{}", without.screen());
}

#[test]
fn a_name_that_does_not_fit_is_refused_in_the_words_of_the_box() {
    let mut naming = crate::model::branches::Naming::new(Purpose::Keep, "a b");
    naming.refuse("`/name` must have 1 to 64 characters");
    let said = naming.error.as_deref();
    assert_eq!(said, Some("the name must have 1 to 64 characters"));
    naming.refuse("the branches cannot be used");
    assert_eq!(naming.error.as_deref(), Some("the branches cannot be used"));
}
