//! The find screen: rows stream in, the scan can be stopped, names are completed, the line is narrowed.

use super::*;
use crate::client::Subject;
use crate::effect::Ticket;
use crate::model::hits::Hit;
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

#[test]
fn a_part_of_the_time_axis_narrows_the_line_to_it() {
    let mut harness = harness().press("F").type_text("user").press("enter");
    let density = harness
        .find()
        .summary
        .value()
        .unwrap()
        .density
        .clone()
        .unwrap();
    harness.model.app.notice = None;
    let taken = harness.press("shift-left");
    let notice = taken.model.app.notice.as_ref().unwrap().text.clone();
    assert!(notice.contains("Enter narrows the line"), "{notice}");
    // Escape lets go of it, and does not leave.
    let let_go = taken.press("esc");
    assert_eq!(let_go.find().span, None);
    let narrowed = let_go
        .press("shift-left")
        .press("shift-left")
        .press("enter");
    let line = narrowed.find().applied.to_string();
    assert!(
        line.contains(" since:") || line.contains("since:"),
        "{line}"
    );
    assert!(line.contains("until:") && line.contains("user"), "{line}");
    let rows = narrowed.find().rows();
    assert!(!rows.is_empty());
    // Bounds of before give way to narrower ones.
    let again = narrowed.press("shift-left").press("enter");
    let line = again.find().applied.to_string();
    assert_eq!(line.matches("since:").count(), 1, "{line}");
    // The mouse takes from where it is pressed to where it is.
    let mut dragged = again;
    dragged.send(Msg::Dragged {
        from: Hit::Time(density.first),
        to: Hit::Time(density.last),
    });
    assert!(dragged.find().span.is_some());
    // Moving to another row is no narrowing.
    assert!(dragged.press("down").find().span.is_none());
}

#[test]
fn saved_lines_stand_for_themselves_and_are_completed() {
    let mut harness = harness();
    let line = "type:UserSuspended".to_owned();
    harness.model.app.queries = [("held".to_owned(), line)].into();
    let harness = harness.press("F").type_text("@he");
    let screen = harness.screen();
    assert!(screen.contains("saved lines: held"), "{screen}");
    let harness = harness.press("tab").press("enter");
    assert_eq!(harness.find().line.text(), "@held ");
    assert_eq!(harness.find().call(), "whodunit find type:UserSuspended");
    assert_eq!(harness.find().rows().len(), 3);
    let harness = harness
        .press("/")
        .press("ctrl-u")
        .type_text("@nope")
        .press("enter");
    let error = harness.find().line.error.as_ref().unwrap();
    assert!(error.message.contains("no saved line `nope`"), "{error}");
}

#[test]
fn a_line_is_saved_by_a_name() {
    let harness = harness()
        .press("F")
        .type_text("actor:api")
        .press("enter")
        .press("s");
    let screen = harness.screen();
    assert!(screen.contains("save the line by a name"), "{screen}");
    let harness = harness.press("enter");
    assert!(
        harness.screen().contains("type a name"),
        "{}",
        harness.screen()
    );
    let harness = harness.type_text("api").press("enter");
    assert!(harness.model.app.overlay.is_none());
    assert_eq!(
        harness.model.app.queries.get("api").map(String::as_str),
        Some("actor:api")
    );
    let notice = harness.model.app.notice.as_ref().unwrap();
    assert!(
        notice.text.contains("@api stands for the line"),
        "{notice:?}"
    );
    // Another line of the name takes its place only when that is asked for again.
    let harness = harness
        .press("/")
        .press("ctrl-u")
        .type_text("actor:job:*")
        .press("enter");
    let harness = harness.press("s").type_text("api").press("enter");
    assert!(
        harness.screen().contains("Enter again replaces it"),
        "{}",
        harness.screen()
    );
    let harness = harness.press("enter");
    assert_eq!(
        harness.model.app.queries.get("api").map(String::as_str),
        Some("actor:job:*")
    );
}

#[test]
fn fields_of_conditions_are_completed_in_the_line() {
    let harness = harness().press("F").type_text("where:state.st");
    let screen = harness.screen();
    assert!(screen.contains("field: state.status 40"), "{screen}");
    let harness = harness.press("tab").type_text("== \"suspended\"");
    assert_eq!(
        harness.find().line.text(),
        "where:state.status == \"suspended\""
    );
}
