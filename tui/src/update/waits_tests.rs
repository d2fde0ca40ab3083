//! What is waited for: it is said, for how long, and it can be ended; a daemon that hangs, and one that comes to again.

use super::*;
use crate::effect::{NoAnswer, Ticket};
use crate::request::Slot;
use crate::testing::{Daemon, Harness, now};

fn harness() -> Harness {
    Harness::new((120, 40), Daemon::sarah())
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
