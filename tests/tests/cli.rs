//! The command line of the real program against a real daemon: answers, exit codes, import and export.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use whodunit_tests::{Daemon, whodunit};

/// Runs `whodunit` and checks how it ends; what it printed.
fn run(daemon: &Daemon, args: &[&str], code: i32) -> String {
    let (actual, out, err) = whodunit(daemon.url(), args);
    assert_eq!(actual, code, "whodunit {args:?}\n{out}\n{err}");
    assert!(
        code == 0 || code == 1 || err.contains("error:") || err.contains("urn:whodunit:problem:"),
        "whodunit {args:?} says what is wrong: {err}"
    );
    out
}

fn json(daemon: &Daemon, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    serde_json::from_str(&run(daemon, &args, 0)).unwrap()
}

async fn sarah(daemon: &Daemon) {
    let data = json!({"username": "sarah", "email": "sarah@example.com", "first_name": "S", "last_name": "K", "password_hash": "$argon2id$x"});
    let events = json!({"events": [
        {"event_type": "UserCreated", "recorded_at": "2025-03-04T09:12:04Z", "actor": "api", "data": data},
        {"event_type": "UserDeleted", "recorded_at": "2025-03-24T15:47:23Z", "actor": "job:inactive-cleanup", "reason": "inactive for 90 days", "data": {}},
    ]});
    let (status, answer) = daemon
        .post("/v1/streams/user-sarah/events", &events)
        .await
        .unwrap();
    assert_eq!(status, 200, "{answer}");
}

/// The lines of an export but for its first and last, which say of which store it is.
fn records(export: &str) -> Vec<&str> {
    let lines: Vec<_> = export.lines().collect();
    let [first, records @ .., last] = lines.as_slice() else {
        unreachable!("no export: {export}");
    };
    assert!(first.starts_with(r#"{"export":"#) && last.starts_with(r#"{"export_end":"#));
    records.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one ending after another")]
async fn every_kind_of_ending_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    sarah(&daemon).await;
    assert!(run(&daemon, &["streams", "sarah"], 0).contains("sarah@example.com"));
    assert!(run(&daemon, &["state", "user-sarah", "--at-revision", "1"], 0).contains("active"));
    let suspend = [
        "what-if",
        "user-sarah",
        "--command",
        "SuspendUser",
        "--reason",
        "fraud_detected",
    ];
    assert!(
        run(&daemon, &suspend, 1).contains("user.deleted"),
        "a refused command answers no"
    );
    assert!(
        run(
            &daemon,
            &[&suspend[..], &["--as-of", "2025-03-24T15:47:00Z"]].concat(),
            0
        )
        .contains("accepted")
    );
    run(
        &daemon,
        &[
            "do",
            "user-sarah",
            "SuspendUser",
            "--actor",
            "anna",
            "--reason",
            "x",
        ],
        1,
    );
    run(&daemon, &["state"], 2);
    run(
        &daemon,
        &["state", "user-sarah", "--as-of", "2025-03-24T15:47:00"],
        2,
    );
    run(&daemon, &["state", "noid-"], 3);
    run(&daemon, &["state", "user-nobody"], 3);
    // By the beginning of its name, and by what it is titled; a name that there is not is no empty answer.
    assert!(run(&daemon, &["state", "user-sa"], 0).contains("sarah@example.com"));
    assert!(run(&daemon, &["event", "sarah@example.com@2"], 0).contains("UserDeleted"));
    run(&daemon, &["events", "--type", "UserDeletd"], 3);
    run(&daemon, &["streams", "--status", "suspendet", "--json"], 3);
    run(&daemon, &["state", "user-sarah", "--at-revision", "9"], 3);
    run(&daemon, &["steps", "user-sarah", "--from", "9"], 3);
    // What a script's unset variable leaves is no filter.
    run(&daemon, &["events", "--actor", ""], 2);
    run(&daemon, &["event", ""], 2);
    let before = ["state", "user-sarah", "--as-of", "2020-01-01T00:00:00Z"];
    run(&daemon, &before, 3);
    let stale = [
        "do",
        "user-sarah",
        "SuspendUser",
        "--actor",
        "a",
        "--reason",
        "x",
        "--expected-revision",
        "1",
    ];
    run(&daemon, &stale, 4);
    daemon.kill().unwrap();
    // Nothing listens on the discard port of loopback.
    let (code, _, err) = whodunit("http://127.0.0.1:9", &["streams"]);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("hint: "), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_imported_into_an_empty_store_is_the_same_log() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let daemon = Daemon::start(first.path()).unwrap();
    sarah(&daemon).await;
    let create = json!({"type": "CreateUser", "actor": "api", "payload":
        {"username": "omar", "email": "omar@example.com", "first_name": "O", "last_name": "M", "password": "long enough"}});
    assert_eq!(
        daemon
            .post("/v1/streams/user-omar/commands", &create)
            .await
            .unwrap()
            .0,
        200
    );
    assert_eq!(
        daemon
            .post("/v1/streams/user-omar/commands", &create)
            .await
            .unwrap()
            .0,
        422
    );
    let exported = run(&daemon, &["export", "--reveal"], 0);
    assert_eq!(
        exported.lines().count(),
        7,
        "three events and two decisions between the first line and the last:\n{exported}"
    );
    let file = first.path().join("log.ndjson");
    std::fs::write(&file, &exported).unwrap();

    let copy = Daemon::start(second.path()).unwrap();
    for again in ["the same log, byte for byte", "a second time adds nothing"] {
        run(&copy, &["import", file.to_str().unwrap()], 0);
        let copied = run(&copy, &["export", "--reveal"], 0);
        assert_eq!(records(&copied), records(&exported), "{again}");
    }

    let redacted = run(&daemon, &["export"], 0);
    assert!(
        !redacted.contains("$argon2") && redacted.contains("[redacted]"),
        "{redacted}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_record_is_reported_with_its_line_and_stops_nothing_unless_strict() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let file = folder.path().join("mixed.ndjson");
    let good = |n: u32| {
        json!({"stream": "order-1", "event_type": "OrderPlaced", "event_id": format!("o{n}"), "data": {"n": n}}).to_string()
    };
    std::fs::write(&file, format!("{}\nnot json\n\n{}\n", good(1), good(2))).unwrap();
    let (code, out, err) = whodunit(
        daemon.url(),
        &["import", file.to_str().unwrap(), "--strict"],
    );
    assert_eq!(code, 1, "{out}{err}");
    assert!(format!("{out}{err}").contains("line 2"), "{out}{err}");
    let (code, out, err) = whodunit(daemon.url(), &["import", file.to_str().unwrap()]);
    assert_eq!(code, 1, "{out}{err}");
    let (_, health) = daemon.get("/v1/health").await.unwrap();
    assert_eq!(health["head"], 2);
}

#[test]
fn the_demo_is_the_same_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    let export = |seed: &str| {
        let args = ["demo", "--no-tui", "--seed", seed];
        let demo = Daemon::run("whodunit", &args, Some(folder.path())).unwrap();
        let log = run(&demo, &["export"], 0);
        assert!(demo.stop().unwrap().0.success());
        log
    };
    let (first, again, other) = (export("1547"), export("1547"), export("8"));
    // The README's tour names Sarah's stream in the demo as it comes: seed 1547.
    let readme = include_str!("../../README.md");
    let (_, named) = readme.split_once("whodunit events ").unwrap();
    let stream = named.split_whitespace().next().unwrap();
    assert!(
        first.contains(&format!("\"stream\":\"{stream}\"")),
        "`{stream}` of the README is not in the demo"
    );
    assert!(
        first.lines().count() > 1_000,
        "a month of a user service: {} lines",
        first.lines().count()
    );
    assert_eq!(records(&first), records(&again));
    assert_ne!(records(&first), records(&other));
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "a demo takes its store along");
}

/// `serve` is a daemon, `open` shows its store once it has stopped, or what it exported, and neither changes the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_and_an_export_open_as_the_same_log() {
    let (folder, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (data, file) = (text(&data), text(&folder.path().join("log.ndjson")));
    let serve = [
        "serve",
        "--data",
        &data,
        "--listen",
        "127.0.0.1:0",
        "--model",
        "users",
    ];
    let daemon = Daemon::run("whodunit", &serve, None).unwrap();
    sarah(&daemon).await;
    let log = run(&daemon, &["export", "--reveal"], 0);
    let store = format!("{data}/events.redb");
    let held = Daemon::run("whodunit", &["open", "--no-tui", &store], None).unwrap_err();
    assert!(held.to_string().contains("already open"), "{held}");
    assert!(daemon.stop().unwrap().0.success());
    std::fs::write(&file, &log).unwrap();
    for path in [&data, &store, &file] {
        let args = ["open", "--no-tui", path];
        let opened = Daemon::run("whodunit", &args, Some(temporary.path())).unwrap();
        let opened_log = run(&opened, &["export", "--reveal"], 0);
        assert_eq!(records(&opened_log), records(&log), "{path}");
        assert!(opened.stop().unwrap().0.success());
    }
    let left = std::fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(left, 0, "the temporary store is gone");
    let nothing = Daemon::run(
        "whodunit",
        &["open", "--no-tui", &text(folder.path())],
        None,
    );
    let said = nothing.unwrap_err().to_string();
    assert!(said.contains("is not a store"), "{said}");
}

/// The real `CloudTrail` records, where they are: `WHODUNIT_TEST_DATA`, or beside the repository.
fn cloudtrail() -> Option<PathBuf> {
    let folder = std::env::var_os("WHODUNIT_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    Some(folder.join("cloudtrail-2023-07-10.ndjson")).filter(|path| path.is_file())
}

#[tokio::test(flavor = "multi_thread")]
async fn real_records_say_who_deleted_the_malicious_user() {
    let Some(file) = cloudtrail() else {
        println!(
            "skipped: cloudtrail-2023-07-10.ndjson is not here; set WHODUNIT_TEST_DATA to its folder"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path()).unwrap();
    let file = file.to_str().unwrap();
    let report = json(&daemon, &["import", file, "--mapping", "cloudtrail"]);
    assert_eq!(
        (&report["read"], &report["failed"]),
        (&json!(2900), &json!(0)),
        "{report}"
    );
    let again = json(&daemon, &["import", file, "--mapping", "cloudtrail"]);
    assert_eq!(
        (&again["added"], &again["repeated"]),
        (&json!(0), &report["added"]),
        "{again}"
    );
    let out = run(&daemon, &["events", "--category", "iamuser"], 0);
    let deleted = out
        .lines()
        .find(|line| line.contains("malicious-iam-user") && line.contains(" DeleteUser "))
        .unwrap();
    for part in ["2023-07-10 12:28:24", "bert-jan", "192.168.10.20"] {
        assert!(deleted.contains(part), "`{part}` in {deleted}");
    }
    trail_by_address(&daemon, "192.168.10.20");
    let stream = "iamuser-malicious-iam-user";
    let before = json(
        &daemon,
        &["state", stream, "--as-of", "2023-07-10T12:28:23Z"],
    );
    let after = json(&daemon, &["state", stream]);
    assert_eq!(
        (&before["state"]["status"], &after["state"]["status"]),
        (&json!("active"), &json!("deleted"))
    );
}

/// Finding by a source address lists what came from there, and nothing else.
fn trail_by_address(daemon: &Daemon, address: &str) {
    let all = |args: &[&str]| -> Vec<Value> {
        let out = run(daemon, &[args, &["--all", "--json"]].concat(), 0);
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let came_from = |event: &Value| event["metadata"]["source_address"] == address;
    let expected: Vec<Value> = all(&["events"])
        .into_iter()
        .filter(came_from)
        .map(|event| event["position"].clone())
        .collect();
    let by_text = all(&["find", &format!("\"{address}\"")]);
    let by_condition = all(&[
        "find",
        &format!("where:event.metadata.source_address == \"{address}\""),
    ]);
    for found in [by_text, by_condition] {
        let end = &found.last().unwrap()["end"];
        assert_eq!(end["complete"], true, "{end}");
        let events = found.iter().filter(|line| line["event"].is_object());
        let found: Vec<Value> = events
            .map(|line| line["event"]["position"].clone())
            .collect();
        assert_eq!(found, expected);
    }
    assert!(expected.len() > 10, "{}", expected.len());
}
