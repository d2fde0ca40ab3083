//! Backups with the real programs: taken under load, with kills in the middle, restored, and what is salvaged of a damaged store.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use whodunit_tests::{Daemon, binary, eventually, whodunit};

/// Events of each append that fills a store, and bytes of text in each.
const EVENTS: usize = 40;
const TEXT: usize = 20_000;

async fn fill(daemon: &Daemon, appends: u64) {
    let mut seed: u64 = 42;
    for n in 0..appends {
        let mut events = Vec::new();
        for _ in 0..EVENTS {
            let words = (0..TEXT / 16).map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                format!("{seed:016x}")
            });
            let text = words.collect::<Vec<_>>().concat();
            events
                .push(json!({"event_type": "Noted", "actor": "a", "data": {"n": n, "text": text}}));
        }
        let stream = format!("/v1/streams/note-{}/events", n % 5);
        let (status, answer) = daemon
            .post(&stream, &json!({"events": events}))
            .await
            .unwrap();
        assert_eq!(status, 200, "{answer}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs the program and checks how it ends; what it said.
fn run(daemon: &str, args: &[&str], code: i32) -> String {
    let (actual, out, err) = whodunit(daemon, args);
    assert_eq!(actual, code, "whodunit {args:?}\n{out}\n{err}");
    format!("{out}{err}")
}

const NO_DAEMON: &str = "http://127.0.0.1:1";

/// The records of an export of a store, without the lines that say of it.
fn records(daemon: &Daemon) -> Vec<String> {
    let (code, out, err) = whodunit(daemon.url(), &["export", "--reveal"]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<_> = out.lines().map(str::to_owned).collect();
    lines[1..lines.len() - 1].to_vec()
}

async fn health(daemon: &Daemon) -> Value {
    daemon.get("/v1/health").await.unwrap().1
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_taken_while_writes_go_on_and_restored_without_a_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let daemon = Daemon::start(&place("data")).unwrap();
    fill(&daemon, 10).await;
    let before = health(&daemon).await;
    let known = records(&daemon);
    let file = place("one.backup");
    let said = run(daemon.url(), &["backup", text(&file)], 0);
    assert!(
        said.contains("checked") && said.contains(before["store_id"].as_str().unwrap()),
        "{said}"
    );
    #[cfg(unix)]
    assert_eq!(mode(&file), 0o600);
    // Nothing is written over, but an older backup of the same store where that is asked for.
    run(daemon.url(), &["backup", text(&file)], 4);
    fill(&daemon, 1).await;
    run(daemon.url(), &["backup", text(&file), "--replace"], 0);
    std::fs::write(place("own"), "mine").unwrap();
    run(
        daemon.url(),
        &["backup", text(&place("own")), "--replace"],
        4,
    );
    assert_eq!(std::fs::read(place("own")).unwrap(), b"mine");
    let other = Daemon::start(&place("other")).unwrap();
    run(other.url(), &["backup", text(&file), "--replace"], 4);
    other.kill().unwrap();
    // Into a folder: each gets a name of its own.
    std::fs::create_dir(place("many")).unwrap();
    run(daemon.url(), &["backup", text(&place("many"))], 0);
    run(NO_DAEMON, &["restore", "--check", text(&place("many"))], 0);

    let to = place("restored");
    let report = run(NO_DAEMON, &["restore", text(&file), text(&to), "--json"], 0);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["backup"]["store_id"], before["store_id"]);
    let verified = &report["verified"];
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(verified["head"], report["backup"]["position"]);
    run(NO_DAEMON, &["restore", text(&file), text(&to)], 4);
    let original = health(&daemon).await;
    let all = records(&daemon);
    assert_eq!(all[..known.len()], known);
    daemon.kill().unwrap();
    let again = Daemon::start(&to).unwrap();
    let restored = health(&again).await;
    for same in ["store_id", "head", "decisions", "head_hash", "streams"] {
        assert_eq!(restored[same], original[same], "{same}");
    }
    assert!(records(&again) == all, "every record is the same");
    fill(&again, 1).await;
    let (status, log) = again.stop().unwrap();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}

fn begin_backup(daemon: &Daemon, file: &Path) -> Child {
    Command::new(binary("whodunit"))
        .args(["backup", text(file)])
        .env("WHODUNIT_DAEMON", daemon.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until so many bytes of a backup are written, or it has ended.
fn written(child: &mut Child, part: &Path, bytes: u64) {
    eventually("the backup to come so far", || {
        let so_far = std::fs::metadata(part).map_or(0, |meta| meta.len()) >= bytes;
        (so_far || child.try_wait().unwrap().is_some()).then_some(())
    });
}

/// However the daemon or the program is killed while a backup is taken: a file with its name is a whole backup, anything else is
/// known as none, and the next backup succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_a_backup_leaves_no_half_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut daemon = Daemon::start(&data).unwrap();
    fill(&daemon, 25).await;
    let (mut cut, mut whole) = (0, 0);
    for (round, bytes) in [1, 100_000, 1_000_000, 4_000_000, 8_000_000, 1]
        .into_iter()
        .enumerate()
    {
        let file = folder.path().join(format!("{round}.backup"));
        let part = folder.path().join(format!("{round}.backup.part"));
        let mut child = begin_backup(&daemon, &file);
        written(&mut child, &part, bytes);
        let of_client = round % 2 == 1;
        if of_client {
            drop(child.kill());
        } else {
            daemon.kill().unwrap();
            daemon = Daemon::start(&data).unwrap();
        }
        let status = eventually("the backup to end", || child.try_wait().unwrap());
        if file.exists() {
            run(NO_DAEMON, &["restore", "--check", text(&file)], 0);
            whole += 1;
        } else {
            assert!(!status.success());
            cut += 1;
            if part.exists() {
                assert!(of_client, "only a program that was killed leaves anything");
                let (code, _, err) = whodunit(NO_DAEMON, &["restore", "--check", text(&part)]);
                // All bytes may be there that were not looked at yet.
                assert!(code == 0 || code == 1 || code == 2, "{code}: {err}");
            }
            run(daemon.url(), &["backup", text(&file)], 0);
            run(NO_DAEMON, &["restore", "--check", text(&file)], 0);
            assert!(!part.exists());
        }
    }
    assert!(
        cut > 0,
        "no kill came in the middle; {whole} backups were whole"
    );
}

/// A restore that is killed leaves nothing that a daemon could take for a store, and the next one succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_in_the_middle_of_a_restore_leaves_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    fill(&daemon, 25).await;
    let file = folder.path().join("a.backup");
    run(daemon.url(), &["backup", text(&file)], 0);
    daemon.kill().unwrap();
    let to = folder.path().join("restored");
    let part = folder.path().join("restored.restoring");
    let mut child = Command::new(binary("whodunit"))
        .args(["restore", text(&file), text(&to)])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("the restore to begin", || {
        let ended = child.try_wait().unwrap().is_some();
        (ended || part.join("events.redb").exists()).then_some(())
    });
    drop(child.kill());
    child.wait().unwrap();
    if !to.exists() {
        assert!(part.exists());
        run(NO_DAEMON, &["restore", text(&file), text(&to)], 0);
    }
    assert!(!part.exists());
    Daemon::start(&to).unwrap().kill().unwrap();
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_read_of_a_damaged_store_is_salvaged_and_imported_with_its_holes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let place = |name: &str| folder.path().join(name);
    let daemon = Daemon::start(&data).unwrap();
    fill(&daemon, 30).await;
    let all = records(&daemon);
    run(
        NO_DAEMON,
        &["salvage", text(&data), text(&place("held"))],
        4,
    );
    daemon.stop().unwrap();
    let whole = place("whole.ndjson");
    run(NO_DAEMON, &["salvage", text(&data), text(&whole)], 0);
    run(NO_DAEMON, &["salvage", text(&data), text(&whole)], 4);
    #[cfg(unix)]
    assert_eq!(mode(&whole), 0o600);
    let salvaged = std::fs::read_to_string(&whole).unwrap();
    let lines: Vec<_> = salvaged.lines().map(str::to_owned).collect();
    assert!(
        lines[1..lines.len() - 1] == all,
        "an undamaged store is salvaged whole"
    );

    // A log that is gone, and pages that are.
    std::fs::remove_dir_all(data.join("log")).unwrap();
    let store = data.join("events.redb");
    let mut bytes = std::fs::read(&store).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40_000].fill(0x55);
    std::fs::write(&store, &bytes).unwrap();
    let before = files(&data);
    let part = place("part.ndjson");
    let args = ["salvage", text(&data), text(&part), "--json"];
    let (code, out, err) = whodunit(NO_DAEMON, &args);
    assert_eq!(code, 1, "{out}{err}");
    assert!(files(&data) == before, "nothing of the store is changed");
    let report: Value = serde_json::from_str(&out).unwrap();
    let count = |name: &str| report[name].as_u64().unwrap();
    assert_eq!(count("expected_events"), 30 * EVENTS as u64);
    assert!(count("events") < count("expected_events"), "{report}");
    assert!(
        !report["missing_events"].as_array().unwrap().is_empty(),
        "{report}"
    );
    let salvaged = std::fs::read_to_string(&part).unwrap();
    let lines: Vec<_> = salvaged.lines().collect();
    for line in &lines[1..lines.len() - 1] {
        assert!(all.iter().any(|known| known == line), "{line:.80}");
    }
    // Imported, no hole is closed in silence.
    let copy = Daemon::start(&place("copy")).unwrap();
    let (code, out, err) = whodunit(copy.url(), &["import", text(&part), "--json"]);
    assert_eq!(code, 1, "{out}{err}");
    let import: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(import["incomplete"], true);
    let missing = count("expected_events") - count("events");
    assert_eq!(import["missing"], missing);
    let imported = records(&copy);
    assert!(!imported.is_empty());
    for line in imported {
        let event: Value = serde_json::from_str(&line).unwrap();
        let same = |known: &&String| {
            let known: Value = serde_json::from_str(known).unwrap();
            known["event_id"] == event["event_id"]
                && known["revision"] == event["revision"]
                && known["stream"] == event["stream"]
        };
        assert!(all.iter().any(|known| same(&known)), "{line:.80}");
    }
}
