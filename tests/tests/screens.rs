//! The screens of the real program in a real pseudo-terminal.

use serde_json::json;
use whodunit_tests::{Daemon, Screen};

const LEFT: &str = "\u{1b}[D";
const ENTER: &str = "\r";

#[test]
fn the_demo_leads_from_the_missing_account_to_its_cause() {
    let mut screen = Screen::open(&["demo", "--seed", "7"], (120, 40)).unwrap();
    screen.wait_for("press / and type sarah");
    screen.press("/sarah").unwrap();
    screen.wait_for("guide  2/");
    screen.press(ENTER).unwrap();
    screen.press(ENTER).unwrap();
    let shown = screen.wait_for("state · rev 4 of 4");
    assert!(shown.contains("sarah@example.com"), "{shown}");
    let shown = screen.wait_for("DELETED this on Mon 24 Mar 2025 15:47");
    assert!(
        shown.contains("UserDeleted") && shown.contains("job:inactive-cleanup"),
        "{shown}"
    );
    // Who else was hit, and back.
    screen.press("f").unwrap();
    screen.wait_for("the batch of its cause");
    screen.press("b").unwrap();
    screen.wait_for("guide  4/");
    screen.wait_for("active → suspended");
    screen.press("q").unwrap();
    screen.wait_for("state · rev 4 of 4");
    // Back to the state before the deletion.
    screen.press(LEFT).unwrap();
    let shown = screen.wait_for("tried ChangeEmail");
    assert!(shown.contains("user.suspended"), "{shown}");
    screen.press(LEFT).unwrap();
    let shown = screen.wait_for("SUSPENDED this on Thu 20 Mar 2025");
    assert!(shown.contains("fraud_detected"), "{shown}");
    // What if the suspension had not happened? Then there is no deletion either.
    screen.press("w").unwrap();
    screen.wait_for("it had not happened");
    screen.press("x").unwrap();
    screen.wait_for("WHAT-IF nothing is written");
    let shown = screen.wait_for("would not have been deleted");
    assert!(shown.contains("guide  7/7"), "{shown}");
    let shown = screen.wait_for("accepted: UserEmailChanged");
    assert!(shown.contains("not issued: cause gone"), "{shown}");
    // A narrower terminal, and back.
    screen.resize((80, 24)).unwrap();
    screen.wait_for("dropped");
    screen.resize((120, 40)).unwrap();
    // As recorded, the deletion comes all the same.
    screen.press("m").unwrap();
    screen.wait_for("rules not asked");
    screen.press("u").unwrap();
    screen.wait_for("rules asked again");
    // And behind the log: a mail that failed, and one key to try it again.
    screen.press("q").unwrap();
    screen.wait_for("state · rev");
    screen.press("p").unwrap();
    // By now, or soon: it is tried four times.
    screen.wait_for("1 ✗");
    screen.press("\t\tR").unwrap();
    screen.wait_for("no job is waiting, and none has failed");
    // Out by q from each level; that the what-if is in no file is said once.
    screen.press("qq").unwrap();
    screen.wait_for("1 what-if not saved");
    screen.press("q").unwrap();
    assert_eq!(screen.exit_code(), 0);
    assert!(screen.restored(), "the terminal is as it was");
    let sent = String::from_utf8_lossy(&screen.sent()).into_owned();
    assert!(!sent.contains("argon2"), "a hash reached the screen");
}

/// A newcomer's minute, counted in keys: from the missing account to who, when and why, to the cause, to everyone else that its
/// batch hit, and to who set a field and what it was before.
#[test]
fn a_newcomer_needs_few_keys() {
    let mut screen = Screen::open(&["demo", "--seed", "7"], (120, 40)).unwrap();
    screen.wait_for("press / and type sarah");
    let mut keys = 0;
    let mut press = |screen: &mut Screen, key: &str| {
        screen.press(key).unwrap();
        keys += 1;
        keys
    };
    let mut pressed = 0;
    for key in ["/", "s", "a", "r", "a", "h"] {
        pressed = press(&mut screen, key);
    }
    let shown = screen.wait_for("job:inactive-cleanup DELETED this on Mon 24 Mar 2025 15:47:");
    assert!(shown.contains("\"inactive for 90 days\""), "{shown}");
    assert_eq!(pressed, 6, "keys to who, when and why");
    // The cause stands below it.
    let shown = screen.wait_for("because of rev 3 UserSuspended by fraud-scan");
    assert!(shown.contains("Thu 20 Mar 2025"), "{shown}");
    assert!(pressed <= 8, "keys to the cause");
    // Out of the filter, and everyone else of that batch, before and after.
    press(&mut screen, ENTER);
    press(&mut screen, "f");
    screen.wait_for("the batch of its cause");
    pressed = press(&mut screen, "b");
    let shown = screen.wait_for("active → suspended");
    assert!(
        shown.contains("correlation:fraud-scan-2025-03-20"),
        "{shown}"
    );
    assert!(shown.matches("UserSuspended").count() > 2, "{shown}");
    assert!(pressed <= 10, "keys to everyone else");
    // Who set a field, and what it was before.
    press(&mut screen, ENTER);
    screen.wait_for("state · rev");
    screen.wait_for("SUSPENDED this on");
    press(&mut screen, "\t");
    screen.wait_for("▶~ status");
    let after = press(&mut screen, ENTER) - pressed;
    screen.wait_for("history of status");
    let shown = screen.wait_for("values, newest first");
    assert!(shown.contains("fraud-scan"), "{shown}");
    assert!(after <= 3, "keys to a field's history");
    screen.press("qqqq").unwrap();
    assert_eq!(screen.exit_code(), 0);
}

/// What is typed while the window changes its size is there at once, not with the next key.
#[test]
fn a_key_that_comes_with_a_change_of_size_is_not_held_back() {
    // Nothing listens on the discard port of loopback; the help needs no daemon.
    let mut screen = Screen::open(&["--daemon", "http://127.0.0.1:9"], (100, 30)).unwrap();
    screen.wait_for("no daemon reachable");
    for round in 0..30 {
        screen.resize((80, 24)).unwrap();
        screen.resize((100, 30)).unwrap();
        screen.press("?").unwrap();
        screen.wait_for("type to filter");
        screen.resize((80, 24)).unwrap();
        screen.press("\u{1b}").unwrap();
        screen.resize((100, 30)).unwrap();
        screen.wait_until(&format!("the help is closed, round {round}"), |shown| {
            !shown.contains("type to filter") && shown.contains("no daemon reachable")
        });
    }
    screen.press("q").unwrap();
    assert_eq!(screen.exit_code(), 0);
}

/// Closing the window is a way out like any other: the program ends and takes its temporary store along.
#[test]
fn a_terminal_that_goes_away_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let left = || std::fs::read_dir(folder.path()).unwrap().count();
    let mut screen = Screen::open_in(&["demo"], (80, 24), folder.path()).unwrap();
    screen.wait_for("press / and type sarah");
    assert_eq!(left(), 1, "the store of the demo");
    screen.hang_up().unwrap();
    screen.exit_code();
    assert_eq!(left(), 0, "the store is gone");
}

/// A stopped process keeps its connections, so that only its silence tells: the screen says so well before any time limit of a
/// request, also for what is asked meanwhile, and recovers by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_hangs_is_said_not_to_answer_and_the_screen_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let event =
        json!({"events": [{"event_type": "OrderPlaced", "actor": "shop", "data": {"total": 3}}]});
    daemon
        .post("/v1/streams/order-1/events", &event)
        .await
        .unwrap();
    let mut screen = Screen::open(&["--daemon", daemon.url()], (100, 30)).unwrap();
    screen.wait_for("order-1");
    screen.wait_for("● live");
    daemon.hang().unwrap();
    let stopped = std::time::Instant::now();
    screen.press(ENTER).unwrap();
    screen.wait_for("`order-1` 2 s");
    let shown = screen.wait_for("no answer for");
    let after = stopped.elapsed();
    // Seven seconds on a machine that has time for it; without a sign of life it would be fifty.
    assert!(after.as_secs() <= 20, "{after:?}: {shown}");
    // The wait can be ended meanwhile.
    screen.press("\u{1b}").unwrap();
    screen.wait_for("cancelled");
    daemon.signal("CONT").unwrap();
    let shown = screen.wait_for("● live");
    assert!(!shown.contains("no answer"), "{shown}");
    screen.wait_for("OrderPlaced");
    screen.press("qq").unwrap();
    assert_eq!(screen.exit_code(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_daemon_leaves_a_stale_screen_that_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let event =
        json!({"events": [{"event_type": "OrderPlaced", "actor": "shop", "data": {"total": 3}}]});
    daemon
        .post("/v1/streams/order-1/events", &event)
        .await
        .unwrap();
    let url = daemon.url().to_owned();
    let port = url.rsplit(':').next().unwrap().to_owned();
    let mut screen = Screen::open(&["--daemon", &url], (100, 30)).unwrap();
    screen.wait_for("order-1");
    screen.wait_for("● live");
    daemon.kill().unwrap();
    let shown = screen.wait_for("offline");
    assert!(
        shown.contains("order-1"),
        "what was there stays on screen: {shown}"
    );
    let daemon = Daemon::start_on(folder.path(), &format!("127.0.0.1:{port}")).unwrap();
    screen.press("r").unwrap();
    screen.wait_for("● live");
    let event = json!({"events": [{"event_type": "OrderPlaced", "data": {"total": 4}}]});
    daemon
        .post("/v1/streams/order-2/events", &event)
        .await
        .unwrap();
    screen.wait_for("order-2");
    screen.press("q").unwrap();
    assert_eq!(screen.exit_code(), 0);
    assert!(screen.restored());
}

/// A mail that cannot be written: seen on the pipeline screen, with the event behind it one key away, and tried again once
/// there is a place for it. Four attempts take their time.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_job_is_seen_understood_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let mail = folder.path().join("mail");
    std::fs::remove_dir(&mail).unwrap();
    std::fs::write(&mail, "in the way").unwrap();
    let create = json!({"type": "CreateUser", "actor": "api", "payload": {"username": "sarah", "email": "sarah@example.com",
        "first_name": "Sarah", "last_name": "Hill", "password": "correct horse battery"}});
    let (status, answer) = daemon
        .post("/v1/streams/user-sarah/commands", &create)
        .await
        .unwrap();
    assert_eq!(status, 200, "{answer}");
    let mut screen = Screen::open(&["--daemon", daemon.url()], (120, 40)).unwrap();
    screen.wait_for("user-sarah");
    screen.press("p").unwrap();
    screen.wait_for("1 not done");
    // From the projections over the handlers to the jobs.
    screen.press("\t\t").unwrap();
    let shown = screen.wait_for("send_welcome_email ← UserCreated: 4 attempts");
    assert!(shown.contains("cannot write a mail"), "{shown}");
    assert!(shown.contains("whodunit outbox 1"), "{shown}");
    screen.press(ENTER).unwrap();
    let shown = screen.wait_for("✗ send_welcome_email");
    assert!(
        shown.contains("state · rev 1 of 1") && shown.contains("UserCreated"),
        "{shown}"
    );
    screen.press("\u{1b}").unwrap();
    screen.wait_for("jobs · 1 not done");
    std::fs::remove_file(&mail).unwrap();
    std::fs::create_dir(&mail).unwrap();
    screen.press("R").unwrap();
    screen.wait_for("no job is waiting, and none has failed");
    let mails: Vec<_> = std::fs::read_dir(&mail).unwrap().collect();
    assert_eq!(mails.len(), 1, "{mails:?}");
    screen.press("qqq").unwrap();
    assert_eq!(screen.exit_code(), 0);
    assert!(screen.restored());
}

#[test]
fn without_a_daemon_the_screen_says_so_and_what_to_do() {
    // Nothing listens on the discard port of loopback.
    let mut screen = Screen::open(&["--daemon", "http://127.0.0.1:9"], (100, 30)).unwrap();
    let shown = screen.wait_for("no daemon reachable");
    assert!(shown.contains("whodunit serve"), "{shown}");
    screen.press("q").unwrap();
    assert_eq!(screen.exit_code(), 0);
    assert!(screen.restored());
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_is_shown_and_never_sent() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let reason = "\u{1b}]52;c;ZXZpbA==\u{7}\u{1b}[2Jgone\u{9b}31m";
    let event = json!({"events": [{"event_type": "Evil", "reason": reason, "data": {"x\u{1b}[0m": "\u{1b}c"}}]});
    let (status, answer) = daemon
        .post("/v1/streams/order-1/events", &event)
        .await
        .unwrap();
    assert_eq!(status, 200, "{answer}");
    let mut screen = Screen::open(&["--daemon", daemon.url()], (120, 40)).unwrap();
    screen.wait_for("order-1");
    screen.press(ENTER).unwrap();
    screen.wait_for("state · rev 1 of 1");
    screen.wait_for("␛]52;c;ZXZpbA==␇");
    screen.press("\r").unwrap();
    screen.wait_for("event as recorded");
    // One closes the box, one leaves the stream, one the program.
    screen.press("qqq").unwrap();
    assert_eq!(screen.exit_code(), 0);
    let sent = screen.sent();
    for evil in ["\u{1b}]52", "\u{1b}[2Jgone", "\u{1b}c", "\u{202e}"] {
        let found = sent
            .windows(evil.len())
            .any(|window| window == evil.as_bytes());
        assert!(!found, "{evil:?} was sent to the terminal");
    }
}
