//! A disk that is really full, or read-only: writes are refused, reads go on, and once there is room writes go on without a
//! restart; what is under way in that moment (an import, a backup, a restore) says so and leaves nothing half done.
//!
//! Needs a small file system of its own, which only an administrator may mount; where that is refused, the tests say so
//! and prove nothing.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use whodunit_tests::{Daemon, whodunit};

/// A file system in memory of this many MiB, gone with this value.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn new(at: &'a Path, mib: u32) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(at)
            .output();
        mounted.ok()?.status.success().then_some(Self(at))
    }
}

/// Mounts the file system at a place once more, for reading only, at another.
fn mounted_for_reading<'a>(from: &Path, at: &'a Path) -> Option<Mounted<'a>> {
    let mount = |args: &[&str], paths: &[&Path]| {
        let mounted = Command::new("mount").args(args).args(paths).output();
        mounted.is_ok_and(|mounted| mounted.status.success())
    };
    if !mount(&["--bind"], &[from, at]) {
        return None;
    }
    let mounted = Mounted(at);
    mount(&["-o", "remount,bind,ro"], &[at]).then_some(mounted)
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).output());
    }
}

/// Appends an event; the status, the reply, and whether it says when to try again.
async fn append(daemon: &Daemon, n: u64) -> (u16, Value, bool) {
    let events = json!({"events": [{"event_type": "Counted", "data": {"n": n, "text": "x".repeat(50_000)}}]});
    let sent = reqwest::Client::new()
        .post(format!("{}/v1/streams/load-1/events", daemon.url()))
        .json(&events)
        .send()
        .await
        .unwrap();
    let again = sent.headers().contains_key("retry-after");
    (sent.status().as_u16(), sent.json().await.unwrap(), again)
}

/// Takes all the room that is left.
fn fill(filler: &Path) {
    let mut bytes = 128 << 20;
    while bytes >= 4096 {
        let had = std::fs::metadata(filler).map_or(0, |meta| meta.len());
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(filler)
            .unwrap();
        let filled = std::io::Write::write_all(&mut &file, &vec![1; bytes]);
        if filled.is_err() {
            file.set_len(had).unwrap();
            bytes /= 2;
        }
    }
}

/// Appends until it is refused; the refusal.
async fn until_refused(daemon: &Daemon, acknowledged: &mut u64) -> (u16, Value, bool) {
    loop {
        match append(daemon, *acknowledged).await {
            (200, ..) => *acknowledged += 1,
            refused => return refused,
        }
        assert!(*acknowledged < 10_000, "the disk never fills up");
    }
}

/// Appends until it is refused and stays so, the rest of the disk filled by something else; the last refusal, and what health says
/// then. What is sealed behind a refused append can make room again: that is used up, too.
async fn until_full(
    daemon: &Daemon,
    filler: &Path,
    acknowledged: &mut u64,
) -> ((u16, Value, bool), Value) {
    let mut rounds = 0;
    loop {
        fill(filler);
        let refused = until_refused(daemon, acknowledged).await;
        let (_, health) = daemon.get("/v1/health").await.unwrap();
        if health["status"] == "read_only" {
            return (refused, health);
        }
        rounds += 1;
        assert!(rounds < 100, "refused again and again: {health}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mounted) = Mounted::new(folder.path(), 160) else {
        eprintln!("skipped: a file system could not be mounted; run it as root");
        return;
    };
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    assert_eq!(append(&daemon, 0).await.0, 200);
    // Something else fills the disk.
    let filler = folder.path().join("filler");
    let mut acknowledged = 1;
    let ((status, problem, again), health) = until_full(&daemon, &filler, &mut acknowledged).await;
    assert_eq!(status, 507, "{problem}");
    assert_eq!(problem["code"], "read_only");
    assert!(again, "it says when to try again");
    assert_eq!(health["head"], acknowledged);
    let (status, page) = daemon.get("/v1/events?limit=1&order=desc").await.unwrap();
    assert_eq!(status, 200, "{page}");
    // There is room again.
    std::fs::remove_file(&filler).unwrap();
    let (status, reply, _) = append(&daemon, acknowledged).await;
    assert_eq!(status, 200, "{reply}");
    let (_, health) = daemon.get("/v1/health").await.unwrap();
    assert_eq!(
        (&health["status"], &health["head"]),
        (&json!("ok"), &json!(acknowledged + 1))
    );
    // Stopped while the disk is full, it ends cleanly, and what it acknowledged is there when it is started again.
    acknowledged += 1;
    let ((status, ..), _) = until_full(&daemon, &filler, &mut acknowledged).await;
    assert_eq!(status, 507);
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success(), "{status}: {log}");
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    let (_, health) = daemon.get("/v1/health").await.unwrap();
    assert_eq!(
        (&health["status"], &health["head"]),
        (&json!("read_only"), &json!(acknowledged))
    );
    std::fs::remove_file(&filler).unwrap();
    assert_eq!(append(&daemon, acknowledged).await.0, 200);
    let (status, _) = daemon.stop().unwrap();
    assert!(status.success(), "{status}");
}

/// Runs the program; how it ended and what it said.
fn run(daemon: &str, args: &[&str]) -> (i32, String) {
    let (code, out, err) = whodunit(daemon, args);
    (code, format!("{out}{err}"))
}

const NO_DAEMON: &str = "http://127.0.0.1:1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_under_an_import_a_backup_or_a_restore_leaves_nothing_half_done() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let Some(_mounted) = Mounted::new(folder.path(), 200) else {
        eprintln!("skipped: a file system could not be mounted; run it as root");
        return;
    };
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    assert_eq!(append(&daemon, 0).await.0, 200);
    let filler = folder.path().join("filler");
    // An import for which there is too little room. Its text does not get any smaller.
    let lines = elsewhere.path().join("lines.ndjson");
    let (mut text, mut random) = (String::new(), 1_u64);
    for n in 0..1_500 {
        let words = (0..1_200).map(|_| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("{random:016x}")
        });
        let words: String = words.collect();
        let line = json!({"stream": format!("file-{}", n % 7), "event_type": "Imported", "event_id": format!("line-{n}"), "data": {"text": words}});
        text.push_str(&line.to_string());
        text.push('\n');
    }
    std::fs::write(&lines, &text).unwrap();
    fill(&filler);
    let had = std::fs::metadata(&filler).unwrap().len();
    let file = std::fs::File::options().write(true).open(&filler).unwrap();
    file.set_len(had - (12 << 20)).unwrap();
    // An open file keeps its room after it is removed.
    drop(file);
    let import = ["import", lines.to_str().unwrap()];
    let (code, said) = run(daemon.url(), &import);
    assert!(code != 0 && said.contains("full"), "{code}: {said}");
    let (_, health) = daemon.get("/v1/health").await.unwrap();
    assert_eq!(health["status"], "read_only", "{health}");
    // A backup to the full disk has no name.
    fill(&filler);
    let backup = place("shop.backup");
    let (code, said) = run(daemon.url(), &["backup", &backup]);
    assert!(code != 0, "{said}");
    assert!(!Path::new(&backup).exists(), "{said}");
    // With room, both go on, and no event is there twice.
    std::fs::remove_file(&filler).unwrap();
    let (code, said) = run(daemon.url(), &import);
    assert_eq!(code, 0, "{said}");
    let (_, health) = daemon.get("/v1/health").await.unwrap();
    assert_eq!(health["head"], 1_501, "{health}");
    let backup = elsewhere.path().join("shop.backup");
    let backup = backup.to_str().unwrap();
    assert_eq!(run(daemon.url(), &["backup", backup]).0, 0);
    // A restore to the full disk is no store, and the next one is.
    fill(&filler);
    let (code, said) = run(NO_DAEMON, &["restore", backup, &place("restored")]);
    assert!(
        code != 0 && !Path::new(&place("restored")).exists(),
        "{said}"
    );
    std::fs::remove_file(&filler).unwrap();
    let (code, said) = run(NO_DAEMON, &["verify", "--data", &place("data")]);
    assert!(
        code != 0 && said.contains("open"),
        "a daemon has it: {said}"
    );
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success(), "{status}: {log}");
    std::fs::remove_dir_all(place("data")).unwrap();
    let (code, said) = run(NO_DAEMON, &["restore", backup, &place("restored")]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("the store holds exactly what was written"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_on_a_read_only_file_system_is_refused_and_left_as_it_is() {
    let (folder, seen) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = folder.path().join("data");
    let daemon = Daemon::start(&data).unwrap();
    assert_eq!(append(&daemon, 0).await.0, 200);
    // Killed: opening it has something to put right.
    daemon.kill().unwrap();
    let Some(mounted) = mounted_for_reading(folder.path(), seen.path()) else {
        eprintln!("skipped: a file system could not be mounted; run it as root");
        return;
    };
    let read_only = seen.path().join("data");
    let refused = Daemon::start(&read_only).unwrap_err().to_string();
    assert!(refused.to_lowercase().contains("read-only"), "{refused}");
    let (code, said) = run(
        NO_DAEMON,
        &["verify", "--data", read_only.to_str().unwrap()],
    );
    assert!(
        code != 0 && said.to_lowercase().contains("read-only"),
        "{said}"
    );
    // Salvaging needs to write nothing there.
    let out = folder.path().join("salvaged.ndjson");
    let args = [
        "salvage",
        read_only.to_str().unwrap(),
        out.to_str().unwrap(),
    ];
    let (code, said) = run(NO_DAEMON, &args);
    assert_eq!(code, 0, "{said}");
    drop(mounted);
    let daemon = Daemon::start(&data).unwrap();
    let (_, health) = daemon.get("/v1/health").await.unwrap();
    assert_eq!(health["head"], 1, "{health}");
    assert_eq!(append(&daemon, 1).await.0, 200);
    let (status, _) = daemon.stop().unwrap();
    assert!(status.success(), "{status}");
}
