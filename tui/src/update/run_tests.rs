//! Long questions: what is typed for them, how far they are, cancelling them, and where their answers lead.

use super::*;
use crate::keys::Scope;
use crate::model::Remote;
use crate::model::run::{Of, RunScreen};
use crate::request::{Part, Slot};
use crate::testing::{Daemon, Harness, pipeline};

fn lab() -> Harness {
    Harness::new((120, 40), Daemon::decided()).press("enter left left w x")
}

fn front(harness: &Harness) -> &RunScreen {
    match &harness.model.front {
        Screen::Run(screen) => screen,
        other => panic!("{:?} is in front", other.scope()),
    }
}

#[test]
fn the_outcome_on_screen_is_what_is_asked_about() {
    let asked = lab().press("I enter");
    let Of::Inevitable(of) = &front(&asked).of else {
        panic!("another question");
    };
    assert_eq!(of.predicate, "/status == \"deleted\"");
    assert!(
        asked
            .model
            .call()
            .starts_with("whodunit inevitable user-sarah")
    );
    // The field that is selected goes before.
    let field = lab().press("tab I enter");
    let Of::Inevitable(of) = &front(&field).of else {
        panic!("another question");
    };
    assert!(of.predicate.starts_with('/'), "{}", of.predicate);
    let minimal = lab().press("M tab enter");
    assert!(
        minimal.model.call().ends_with('\''),
        "{}",
        minimal.model.call()
    );
    let undo = lab().press("U enter");
    assert!(
        undo.model.call().contains("--to 3 --field /status"),
        "{}",
        undo.model.call()
    );
}

#[test]
fn what_cannot_be_read_stays_in_its_box() {
    for (keys, typed) in [
        ("I ctrl-u", "/status =="),
        ("U ctrl-u", "status"),
        ("q q L B", ""),
    ] {
        let asked = lab().press(keys).type_text(typed).press("enter");
        let Some(Overlay::Asking(asking)) = &asked.model.app.overlay else {
            panic!("{keys}: the box is gone");
        };
        assert!(asking.error.is_some(), "{keys}");
    }
}

#[test]
fn a_long_question_says_how_far_it_is_and_esc_cancels_it() {
    let mut asked = lab().silent();
    asked.effects.clear();
    let mut asked = asked.press("I enter");
    let ticket = asked.effects.iter().find_map(|effect| match effect {
        Effect::Ask {
            ticket, request, ..
        } if request.slot() == Slot::Run => Some(*ticket),
        _ => None,
    });
    let ticket = ticket.unwrap();
    let run = pipeline::run(
        "inevitable",
        "x",
        whodunit_core::api::pipeline::RunStatus::Running,
    );
    let part = Part {
        rows: Vec::new(),
        progress: None,
        run: Some(run),
    };
    asked.send(Msg::Part {
        ticket,
        part: Box::new(part),
    });
    let screen = asked.screen();
    assert!(screen.contains("11,124 of 18,204 done"), "{screen}");
    let asked = asked.press("esc");
    assert!(asked.effects.contains(&Effect::Cancel(ticket)));
    assert_eq!(front(&asked).found, Remote::Absent);
    assert!(asked.screen().contains("press r"), "{}", asked.screen());
}

#[test]
fn a_row_of_an_answer_leads_to_its_stream() {
    for keys in [
        "I enter down enter",
        "I enter G enter",
        "M enter enter",
        "U enter enter",
    ] {
        let there = lab().press(keys);
        assert_eq!(there.front(), Scope::Stream, "{keys}");
        assert_eq!(there.stream().stream.as_str(), "user-sarah", "{keys}");
        let back = there.press("q");
        assert_eq!(back.front(), Scope::Run);
        assert!(front(&back).found.value().is_some());
    }
}

/// A rules file, which has to be there.
fn rules() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    std::fs::write(&path, "[rules]\n").unwrap();
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn a_back_test_lists_what_would_have_been_decided_otherwise() {
    let (_folder, path) = rules();
    let report = Harness::new((120, 40), Daemon::decided())
        .press("L B")
        .type_text(&format!("{path} --actor 'job:*'"))
        .press("enter");
    let screen = report.screen();
    for text in [
        "rules.toml",
        "which decisions of the range",
        "by rule: job.may_not",
        "by day: 2025-03-24",
        "frozen",
    ] {
        assert!(screen.contains(text), "{text}\n{screen}");
    }
    let call = report.model.call();
    assert_eq!(call, format!("whodunit backtest {path} --actor 'job:*'"));
    // A change leads to its event, not to the head.
    let there = report.press("down enter");
    assert_eq!(there.front(), Scope::Stream);
    let cursor = there.stream().cursor;
    assert_eq!(cursor, crate::model::stream::Row::Revision(2));
}
