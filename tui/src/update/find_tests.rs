//! The find screen: rows stream in, the scan can be stopped, names are completed, the line is narrowed.

use super::*;
use crate::client::Subject;
use crate::effect::Ticket;
use crate::request::{Part, Request, Slot};
use crate::testing::{Daemon, Harness};

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::sarah())
}

/// The ticket of the last question of a kind.
fn ticket(harness: &Harness, slot: Slot) -> (Ticket, Request) {
    let mut asked = harness.effects.iter().rev();
    let found = asked.find_map(|effect| match effect {
        Effect::Ask {
            ticket, request, ..
        } if request.slot() == slot => Some((*ticket, (**request).clone())),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{slot:?} was not asked"))
}

#[test]
fn rows_stream_in_and_escape_stops_the_scan() {
    let mut harness = harness()
        .press("F")
        .silent()
        .type_text("user")
        .press("enter");
    let (ticket, request) = ticket(&harness, Slot::Find);
    let part: Part = harness.daemon.parts(&request).remove(0);
    let rows = part.rows.len();
    assert!(rows > 0);
    harness.send(Msg::Part {
        ticket,
        part: Box::new(part),
    });
    assert_eq!(harness.find().rows().len(), rows);
    let screen = harness.screen();
    assert!(screen.contains("scanned 9,102 of 18,204"), "{screen}");
    harness.effects.clear();
    let harness = harness.press("esc");
    assert!(harness.effects.contains(&Effect::Cancel(ticket)));
    assert_eq!(harness.find().rows().len(), rows);
    let screen = harness.screen();
    assert!(screen.contains("stopped at 9,102 of 18,204"), "{screen}");
    // What comes all the same is no longer waited for.
    let mut harness = harness;
    let late = harness.daemon.parts(&request).remove(1);
    harness.send(Msg::Part {
        ticket,
        part: Box::new(late),
    });
    assert_eq!(harness.find().rows().len(), rows);
}

#[test]
fn newest_come_first_with_their_figures() {
    let harness = harness().press("F").type_text("actor:*").press("enter");
    let times: Vec<_> = harness.find().rows().iter().map(Subject::at).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    let screen = harness.screen();
    assert!(screen.contains("scanned 18,204 of 18,204"), "{screen}");
    assert!(screen.contains("facets"), "{screen}");
    assert!(
        screen.contains("differs from the rest  before.status suspended 16/27"),
        "{screen}"
    );
}

#[test]
fn names_are_completed_with_their_counts() {
    let harness = harness().press("F").type_text("type:UserS");
    let screen = harness.screen();
    assert!(screen.contains("type: UserSuspended 3"), "{screen}");
    let harness = harness.press("tab");
    assert_eq!(harness.find().line.text(), "type:UserSuspended ");
    let harness = harness.press("enter");
    assert_eq!(harness.find().call(), "whodunit find type:UserSuspended");
    assert_eq!(harness.find().rows().len(), 3);
}

#[test]
fn what_is_wrong_with_a_line_is_said_below_its_column() {
    let harness = harness()
        .press("F")
        .type_text("user since:soon")
        .press("enter");
    let error = harness.find().line.error.as_ref().unwrap();
    let screen = harness.screen();
    let caret = screen.lines().find(|line| line.trim() == "^").unwrap();
    assert_eq!(caret.find('^'), Some(3 + error.column - 1), "{screen}");
    assert!(screen.contains("at column"), "{screen}");
    // The line stays open, and the next key takes the error away.
    assert!(harness.find().line.typing);
    assert!(harness.press("x").find().line.error.is_none());
}

#[test]
fn a_name_that_is_not_known_says_which_one_may_be_meant() {
    let harness = harness()
        .press("F")
        .type_text("type:UserDeletd")
        .press("enter");
    let screen = harness.screen();
    assert!(screen.contains("nothing matches"), "{screen}");
    assert!(screen.contains("did you mean UserDeleted?"), "{screen}");
}

#[test]
fn a_line_is_narrowed_and_freed_again() {
    let harness = harness().press("F").type_text("user").press("enter n");
    // The first row takes the only term off; the second adds the most frequent type.
    let harness = harness.press("down enter");
    let line = harness.find().applied.to_string();
    assert!(
        line.starts_with("type:") && line.ends_with(" user"),
        "{line}"
    );
    let harness = harness.press("n enter");
    assert_eq!(harness.find().applied.to_string(), "user");
    let harness = harness.press("n down -");
    let line = harness.find().applied.to_string();
    assert!(line.starts_with("-type:"), "{line}");
}

#[test]
fn commands_that_the_rules_refused_are_found_too() {
    let harness = harness()
        .press("F")
        .type_text("outcome:rejected")
        .press("enter");
    let rows = harness.find().rows();
    assert!(!rows.is_empty());
    assert!(rows.iter().all(|row| matches!(row, Subject::Decision(_))));
    let harness = harness.press("enter");
    assert_eq!(harness.stream().stream.as_str(), "user-sarah");
}
