//! Following, holding a moment, running to a condition, and the history of a field.

use super::*;
use crate::client::At;
use crate::keys::Scope;
use crate::model::Remote;
use crate::model::follow::Lead;
use crate::model::stream::Row;
use crate::request::Request;
use crate::testing::{Daemon, Harness};

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::sarah())
}

fn notice(harness: &Harness) -> &str {
    harness
        .model
        .app
        .notice
        .as_ref()
        .map_or("", |notice| &notice.text)
}

/// From the list: who else the batch behind a deletion hit, in three keys.
#[test]
fn the_batch_behind_an_event_is_two_keys_away() {
    let harness = harness().press("f");
    let Some(Overlay::Follow(menu)) = &harness.model.app.overlay else {
        panic!("no menu: {}", harness.screen());
    };
    let entries = menu.entries(Scope::Streams);
    let of = |key: &str| entries.iter().find(|entry| entry.key == key).unwrap();
    assert_eq!(of("b").count, "2 events in 2 streams");
    assert_eq!(of("a").count, "1 event in 1 stream");
    assert_eq!(of("left").what, "cause: rev 3 UserSuspended");
    assert!(matches!(of("s").lead, Some(Lead::Stream(_, 4))));
    let harness = harness.press("b");
    assert_eq!(harness.front(), Scope::Find);
    assert_eq!(
        harness.find().call(),
        "whodunit find correlation:fraud-scan-2025-03-20"
    );
    let streams: Vec<&str> = harness
        .find()
        .rows()
        .iter()
        .map(|row| row.stream().as_str())
        .collect();
    assert_eq!(streams, ["user-sarah", "user-c410"]);
    let screen = harness.screen();
    assert!(screen.contains("status active → suspended"), "{screen}");
    // Into one of them, at that revision, and back to what was found.
    let harness = harness.press("enter");
    assert_eq!(harness.stream().cursor, Row::Revision(3));
    assert_eq!(harness.press("q").front(), Scope::Find);
}

#[test]
fn a_cause_is_followed_to_its_revision() {
    let harness = harness().press("enter f left");
    assert_eq!(harness.stream().cursor, Row::Revision(3));
    assert!(harness.model.app.overlay.is_none());
    // What leads nowhere says why, and the menu stays.
    let harness = harness.press("f left");
    assert_eq!(notice(&harness), "no cause is on record");
    assert!(matches!(
        harness.model.app.overlay,
        Some(Overlay::Follow(_))
    ));
}

#[test]
fn a_refused_command_can_be_followed_too() {
    let harness = harness().press("enter left f a");
    assert_eq!(harness.front(), Scope::Find);
    assert_eq!(harness.find().call(), "whodunit find actor:sarah");
}

/// Counts of a menu that was closed, or opened again on something else, go nowhere.
#[test]
fn late_counts_do_not_fill_another_menu() {
    let mut harness = harness().press("enter").silent().press("f");
    let ticket = |harness: &Harness| {
        harness
            .effects
            .iter()
            .rev()
            .find_map(|effect| match effect {
                Effect::Ask {
                    ticket, request, ..
                } => match &**request {
                    Request::FollowCounts(of) => Some((*ticket, of.clone())),
                    _ => None,
                },
                _ => None,
            })
    };
    let (late, subject) = ticket(&harness).unwrap();
    harness = harness.press("esc left f");
    let reply = harness.daemon.answer(&Request::FollowCounts(subject));
    harness.send(Msg::Replied {
        ticket: late,
        reply: Box::new(reply),
    });
    let Some(Overlay::Follow(menu)) = &harness.model.app.overlay else {
        panic!("no menu");
    };
    assert!(matches!(menu.counts, Remote::Loading(_)));
}

/// A moment between two events stays that moment, on every screen, until it is released.
#[test]
fn a_moment_is_held_across_screens_until_it_is_released() {
    let harness = harness().press("enter t").type_text("15:46").press("enter");
    let moment = "2025-03-24T15:46:59.999999Z";
    assert_eq!(harness.model.app.as_of, Some(crate::testing::time(moment)));
    assert_eq!(harness.stream().cursor, Row::Revision(3));
    assert_eq!(
        harness.stream().call(),
        format!("whodunit state user-sarah --as-of {moment}")
    );
    let screen = harness.screen();
    assert!(
        screen
            .lines()
            .next()
            .unwrap()
            .contains("as of Mon 24 Mar 2025 15:46"),
        "{screen}"
    );
    assert!(
        screen.contains("┄ as of Mon 24 Mar 2025 15:46:59.999999 UTC"),
        "{screen}"
    );
    // Beside it the cursor is at a revision again, and the moment stays.
    let harness = harness.press("left");
    assert!(harness.stream().call().ends_with("--at-revision 2"));
    assert!(harness.model.app.as_of.is_some());
    // The list shows states as of it, and a stream opens there.
    let harness = harness.press("q");
    let state = &harness.streams().preview.value().unwrap().state;
    assert_eq!(state.revision.0, 3);
    assert!(
        harness
            .screen()
            .contains("1 event happened after this moment")
    );
    let harness = harness.press("down enter");
    assert_eq!(harness.stream().held.map(|(_, revision)| revision), Some(2));
    // Esc releases it before it leaves.
    let harness = harness.press("esc");
    assert_eq!(
        (harness.model.app.as_of, harness.front()),
        (None, Scope::Stream)
    );
    let harness = harness.press("q");
    assert_eq!(harness.streams().preview_as_of, None);
    assert_eq!(
        harness.press("T").model.app.notice.unwrap().text,
        "this is now already: no moment is held"
    );
}

#[test]
fn the_list_takes_a_moment_and_now() {
    let harness = harness().press("t").type_text("Mar 20 12:00");
    let screen = harness.screen();
    assert!(
        screen.contains("= as of Thu 20 Mar 2025 12:00:59.999999 UTC"),
        "{screen}"
    );
    let harness = harness.press("enter");
    let asked = harness.streams().preview.value().unwrap();
    assert_eq!(asked.state.state["status"], "suspended");
    let harness = harness.press("t").type_text("7").press("enter");
    assert!(harness.screen().contains("a revision is one of a stream"));
    let harness = harness.press("esc t").type_text("now").press("enter");
    assert_eq!(harness.model.app.as_of, None);
    assert_eq!(
        harness.streams().preview.value().unwrap().state.state["status"],
        "deleted"
    );
}

#[test]
fn it_runs_to_where_a_condition_holds_and_back() {
    let harness = harness().press("enter g B").type_text("/sta").press("tab");
    let text = |harness: &Harness| match &harness.model.app.overlay {
        Some(Overlay::RunTo { input, .. }) => input.value().to_owned(),
        _ => String::new(),
    };
    // At revision 0 there is no field to complete yet.
    assert_eq!(text(&harness), "/sta");
    let harness = harness.press("esc right B").type_text("/sta").press("tab");
    assert_eq!(text(&harness), "/status");
    let harness = harness.press("ctrl-u").type_text("state.sta").press("tab");
    assert_eq!(text(&harness), "state.status");
    let harness = harness
        .press("ctrl-u")
        .type_text("!before.stat")
        .press("tab");
    assert_eq!(text(&harness), "!before.status");
    let harness = harness.press("ctrl-u").type_text("/status");
    let harness = harness.type_text(" == \"suspended\"").press("enter");
    assert_eq!(
        harness.stream().cursor,
        Row::Revision(3),
        "{}",
        harness.screen()
    );
    assert!(notice(&harness).contains("holds at revision 3"));
    let harness = harness.press("n");
    assert!(
        notice(&harness).contains("does not hold anywhere from revision 4 to 4"),
        "{}",
        notice(&harness)
    );
    let harness = harness.press("G N");
    assert_eq!(harness.stream().cursor, Row::Revision(3));
    let harness = harness.press("B ctrl-u").type_text("((").press("enter");
    assert!(matches!(
        &harness.model.app.overlay,
        Some(Overlay::RunTo { error: Some(_), .. })
    ));
}

#[test]
fn a_field_has_its_history_with_what_was_refused() {
    let harness = harness().press("enter tab enter");
    assert_eq!(harness.stream().field_path, "/status");
    let screen = harness.screen();
    assert!(screen.contains("history of status"), "{screen}");
    let values = &harness.stream().field.value().unwrap().values;
    let revisions: Vec<u64> = values.iter().map(|value| value.revision.0).collect();
    assert_eq!(revisions, [4, 3, 1]);
    // Enter goes to the event that set the value.
    let harness = harness.press("down enter");
    assert_eq!(harness.stream().cursor, Row::Revision(3));
    // A command that would have changed it is there as well.
    let mut harness = harness.press("g");
    while harness.stream().current_field().unwrap().path != "/email" {
        harness = harness.press("down");
    }
    let harness = harness.press("enter");
    let screen = harness.screen();
    assert!(
        screen.contains("(refused)") && screen.contains("user.suspended"),
        "{screen}"
    );
    assert!(screen.contains("1 refused attempt"), "{screen}");
}

/// What set a field is asked once for each step, and shown beside it.
#[test]
fn each_step_asks_once_what_set_the_fields() {
    let mut harness = harness().press("enter").silent();
    harness.effects.clear();
    let harness = harness.press("left left");
    let asked = harness.effects.iter().filter(|effect| {
        matches!(effect, Effect::Ask { request, .. } if matches!(**request, Request::Blame(_, At::Revision(_))))
    });
    assert_eq!(
        asked.count(),
        1,
        "the refused command is at the same revision"
    );
    let shown = Harness::new((120, 40), Daemon::sarah())
        .press("enter")
        .screen();
    let row = shown
        .lines()
        .find(|line| line.contains("last_name"))
        .unwrap();
    assert!(row.contains("rev 2  sarah"), "{row}");
}

#[test]
fn a_key_that_does_nothing_says_so() {
    let harness = harness().press("Q");
    assert_eq!(notice(&harness), "`Q` does nothing here; ? shows all keys");
    assert_eq!(notice(&harness.press("[")), "there is no earlier place");
}
