//! What keys, replies and time do on the pipeline screen, and to the status of a stream.

use whodunit_core::api::pipeline::{JobStatus, RunStatus};

use super::*;
use crate::effect::{NoAnswer, Ticket};
use crate::keys::Scope;
use crate::model::pipeline::{Confirmed, Pane};
use crate::request::{Reply, Request, Slot};
use crate::testing::pipeline::run;
use crate::testing::{Daemon, Harness, now};

fn harness(keys: &str) -> Harness {
    Harness::new((120, 40), Daemon::sarah()).press(keys)
}

/// What was asked for since, in a slot.
fn requests(harness: &Harness, wanted: Slot) -> Vec<Request> {
    let of = |effect: &Effect| match effect {
        Effect::Ask { request, .. } if request.slot() == wanted => Some((**request).clone()),
        _ => None,
    };
    harness.effects.iter().filter_map(of).collect()
}

/// The ticket of the newest question of a kind.
fn ticket(harness: &Harness, wanted: Slot) -> Ticket {
    let asked = harness
        .effects
        .iter()
        .rev()
        .find_map(|effect| match effect {
            Effect::Ask {
                ticket, request, ..
            } if request.slot() == wanted => Some(*ticket),
            _ => None,
        });
    asked.unwrap()
}

fn notice(harness: &Harness) -> (&str, bool) {
    let notice = harness.model.app.notice.as_ref().unwrap();
    (&notice.text, notice.is_error)
}

/// So many quarters of a second later.
fn later(harness: &mut Harness, ticks: i64) {
    for tick in 1..=ticks {
        harness.send(Msg::Tick(now().plus_micros(tick * 250_000)));
    }
}

#[test]
fn the_screen_looks_again_about_once_a_second_and_never_twice_at_a_time() {
    let mut harness = harness("p").silent();
    assert!(harness.model.animates());
    later(&mut harness, 3);
    assert!(!harness.asked(Slot::Pipeline), "three quarters of a second");
    later(&mut harness, 4);
    assert_eq!(
        requests(&harness, Slot::Pipeline),
        [Request::Pipeline(None)]
    );
    later(&mut harness, 40);
    let message = harness.daemon.live("UserWaved");
    harness.send(message);
    harness.send(Msg::RefreshDue);
    assert_eq!(
        requests(&harness, Slot::Pipeline).len(),
        1,
        "while one look is under way there is no other"
    );
    // Nobody asked: the screen does not say that it loads, and Esc goes back.
    assert!(!harness.screen().contains("loading"));
    assert_eq!(harness.press("esc").front(), Scope::Streams);
}

#[test]
fn an_event_makes_it_look_at_once() {
    let mut harness = harness("p").silent();
    later(&mut harness, 1);
    let message = harness.daemon.live("UserWaved");
    harness.send(message);
    assert!(harness.effects.contains(&Effect::RefreshSoon));
    harness.send(Msg::RefreshDue);
    assert!(harness.asked(Slot::Pipeline));
}

#[test]
fn a_lost_daemon_is_not_asked_and_a_failed_look_keeps_what_there_is() {
    let mut harness = harness("p");
    harness.daemon.failure = Daemon::failing(false).failure;
    later(&mut harness, 4);
    assert_eq!(
        notice(&harness),
        ("the store failed while reading an event", true)
    );
    assert_eq!(harness.pipeline().projections().len(), 2);
    let mut harness = harness.silent();
    harness.send(Msg::Disconnected {
        at: now(),
        retry_at: now().plus_micros(1),
        cause: "gone".to_owned(),
        why: NoAnswer::Unreachable,
    });
    later(&mut harness, 40);
    assert!(!harness.asked(Slot::Pipeline));
    harness.send(Msg::Connected(now()));
    assert!(harness.asked(Slot::Pipeline));
}

#[test]
fn the_jobs_are_those_of_the_selected_handler() {
    let harness = harness("p tab down down down");
    assert_eq!(
        harness.pipeline().current_handler().unwrap().handler,
        "webhook:crm"
    );
    let ids: Vec<u64> = harness.pipeline().jobs().iter().map(|job| job.id).collect();
    assert_eq!(ids, [8830, 8842, 8841]);
    assert_eq!(
        harness.model.call(),
        "whodunit outbox --handler webhook:crm"
    );
    let harness = harness.press("enter down");
    assert_eq!(harness.pipeline().pane, Pane::Jobs);
    assert_eq!(harness.model.call(), "whodunit outbox 8842");
}

#[test]
fn enter_on_a_job_opens_its_event_and_escape_comes_back() {
    let harness = harness("p tab tab down enter");
    let stream = harness.stream();
    assert_eq!(
        (stream.stream.as_str(), stream.revision()),
        ("user-sarah", 4)
    );
    let harness = harness.press("esc");
    assert_eq!(harness.front(), Scope::Pipeline);
    assert_eq!(harness.pipeline().current_job().unwrap().id, 8830);
    assert_eq!(harness.press("[ [").front(), Scope::Pipeline);
}

#[test]
fn only_a_failed_job_is_tried_again() {
    let at_job = harness("p tab tab").silent().press("R");
    assert_eq!(requests(&at_job, Slot::RetryJob), [Request::RetryJob(8812)]);
    let twice = at_job.press("R");
    assert_eq!(
        requests(&twice, Slot::RetryJob).len(),
        1,
        "one thing at a time"
    );
    let held = harness("p tab tab down down down").silent().press("R");
    assert!(
        notice(&held).0.contains("job 8840 is pending"),
        "{:?}",
        held.model.app.notice
    );
    assert!(held.effects.is_empty());
    // Done, it says so and looks again.
    let done = harness("p tab tab R");
    assert_eq!(notice(&done), ("job 8812 is pending again", false));
}

#[test]
fn what_cannot_be_taken_back_is_asked_about_first() {
    let asked = harness("p B").silent();
    assert!(
        matches!(&asked.model.app.overlay, Some(Overlay::Confirm(Confirmed::Rebuild(name))) if name == "users")
    );
    assert_eq!(asked.model.call(), "whodunit rebuild users");
    let undone = asked.press("x n");
    assert!(undone.effects.is_empty() && undone.model.app.overlay.is_none());
    let done = undone.press("B enter");
    assert_eq!(
        requests(&done, Slot::Rebuild),
        [Request::Rebuild("users".to_owned())]
    );
    // Of the selected handler, or of the selected job's; not where nothing failed.
    let all = harness("p tab tab").silent().press("A y");
    let wanted = Request::RetryFailed("send_security_notification".to_owned());
    assert_eq!(requests(&all, Slot::RetryFailed), [wanted]);
    let none = harness("p tab down A");
    assert_eq!(
        notice(&none),
        ("no job of send_welcome_email has failed", true)
    );
}

#[test]
fn a_run_under_way_is_cancelled_the_rebuild_first() {
    let idle = harness("p K");
    assert!(notice(&idle).1);
    let mut daemon = Daemon::sarah();
    daemon.pipeline.projections[1].rebuild = Some(run("rebuild", "states", RunStatus::Running));
    daemon.pipeline.backfills = vec![run("backfill", "webhook:crm", RunStatus::Running)];
    let busy = Harness::new((120, 40), daemon)
        .press("p")
        .silent()
        .press("K");
    assert_eq!(
        requests(&busy, Slot::CancelBackfill),
        [Request::CancelBackfill(3)]
    );
    let mut busy = busy;
    busy.model.front.give_up();
    let busy = busy.press("down K");
    assert_eq!(
        requests(&busy, Slot::CancelRebuild)[0],
        Request::CancelRebuild("states".to_owned())
    );
    let busy = busy.press("B");
    assert!(
        notice(&busy).0.contains("K cancels"),
        "{:?}",
        busy.model.app.notice
    );
}

#[test]
fn findings_lead_to_their_events() {
    let mut harness = harness("");
    harness.daemon.sound = false;
    let harness = harness.press("p C");
    assert_eq!(harness.pipeline().findings().len(), 2);
    assert_eq!(harness.model.call(), "whodunit projections users --check");
    let opened = harness.press("enter");
    let stream = opened.stream();
    assert_eq!(
        (stream.stream.as_str(), stream.revision()),
        ("user-sarah", 3)
    );
    assert!(opened.model.app.overlay.is_none());
}

#[test]
fn a_check_that_ends_while_its_box_is_closed_is_kept_and_shown_on_demand() {
    let mut harness = harness("p").silent().press("C esc");
    assert_eq!(requests(&harness, Slot::Check).len(), 1);
    let harness = {
        harness = harness.press("C esc");
        assert_eq!(
            requests(&harness, Slot::Check).len(),
            1,
            "one check at a time"
        );
        let ticket = ticket(&harness, Slot::Check);
        harness.send(Msg::Replied {
            ticket,
            reply: Box::new(Ok(Reply::Check(crate::testing::pipeline::check(false)))),
        });
        harness
    };
    assert!(
        notice(&harness).0.contains("7 documents"),
        "{:?}",
        harness.model.app.notice
    );
    let harness = harness.press("C");
    assert_eq!(
        requests(&harness, Slot::Check).len(),
        1,
        "it is shown, not run again"
    );
    let harness = harness.press("C");
    assert_eq!(
        requests(&harness, Slot::Check).len(),
        2,
        "asked again, it runs again"
    );
}

#[test]
fn a_backfill_shows_its_plan_before_it_starts() {
    let harness = harness("p tab down down down").silent().press("b");
    let filled = harness.press("tab").type_text("7").press("ctrl-s");
    let [Request::PlanBackfill(body)] = &requests(&filled, Slot::PlanBackfill)[..] else {
        panic!("{:?}", filled.effects)
    };
    assert_eq!(body.handlers, ["webhook:crm"]);
    assert_eq!((body.from_position, body.to_position), (Some(7), None));
    assert!(requests(&filled, Slot::Backfill).is_empty());
    // Its counts are asked about; what is confirmed is that plan.
    let asked = self::harness("p tab down down down b tab")
        .type_text("7")
        .press("ctrl-s");
    let Some(Overlay::Confirm(Confirmed::Backfill(planned))) = &asked.model.app.overlay else {
        panic!("{:?}", asked.model.app.overlay)
    };
    assert_eq!(planned.plan.jobs, 120);
    assert_eq!(
        asked.model.call(),
        "whodunit backfill webhook:crm --from-position 7 --yes"
    );
    assert!(
        asked.screen().contains("120 UserCreated"),
        "{}",
        asked.screen()
    );
    let done = asked.silent().press("enter");
    let [Request::Backfill(body)] = &requests(&done, Slot::Backfill)[..] else {
        panic!("{:?}", done.effects)
    };
    assert_eq!((body.confirm, body.expected_jobs), (true, Some(120)));
}

#[test]
fn a_refusal_says_why_and_what_to_do() {
    let mut harness = harness("p tab tab");
    harness.daemon.failure = Some(Failure {
        code: Some("not_failed".to_owned()),
        message: "job 8812 is completed".to_owned(),
        hint: Some("only failed jobs".to_owned()),
        no_answer: None,
    });
    let harness = harness.press("R");
    assert_eq!(
        notice(&harness),
        ("job 8812 is completed; only failed jobs", true)
    );
    assert!(harness.pipeline().all.value().is_some());
}

#[test]
fn a_stream_whose_jobs_move_is_looked_at_again() {
    let asked = |harness: &Harness| requests(harness, Slot::StreamStatus).len();
    // Sarah's two jobs rest, and her last event is far behind every checkpoint.
    let mut rests = harness("enter").silent();
    assert!(!rests.model.animates());
    later(&mut rests, 8);
    assert_eq!(asked(&rests), 0);
    let mut daemon = Daemon::sarah();
    for job in &mut daemon.pipeline.jobs {
        job.status = JobStatus::Processing;
    }
    let mut moves = Harness::new((120, 40), daemon).press("enter").silent();
    assert!(moves.model.animates());
    later(&mut moves, 3);
    assert_eq!(asked(&moves), 0);
    later(&mut moves, 12);
    assert_eq!(asked(&moves), 1, "one look at a time");
}

/// While the daemon takes its time, the jobs of one handler never stand for those of another, nor does their absence.
#[test]
fn jobs_of_another_handler_are_never_shown() {
    let mut harness = Harness::new((120, 40), Daemon::sarah())
        .press("p tab")
        .silent();
    harness.send(Msg::Key("down".to_owned()));
    assert!(harness.pipeline().current_handler().is_some());
    assert!(harness.pipeline().jobs().is_empty());
    let screen = harness.screen();
    assert!(screen.contains("loading the jobs"), "{screen}");
    assert!(!screen.contains("none has failed"), "{screen}");
    harness.effects.clear();
    harness.send(Msg::Key("A".to_owned()));
    harness.send(Msg::Key("esc".to_owned()));
    harness.send(Msg::Key("R".to_owned()));
    let asks = harness
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Ask { .. }));
    assert!(!asks, "a job that is not shown is not retried");
}
