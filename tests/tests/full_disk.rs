//! A disk that is really full: writes are refused, reads go on, and once there is room writes go on without a restart.
//!
//! Needs a small file system of its own, which only an administrator may mount; where that is refused, the test says so
//! and proves nothing.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use whodunit_tests::Daemon;

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
    fill(&filler);
    let mut acknowledged = 1;
    let (status, problem, again) = until_refused(&daemon, &mut acknowledged).await;
    assert_eq!(status, 507, "{problem}");
    assert_eq!(problem["code"], "read_only");
    assert!(again, "it says when to try again");
    let (_, health) = daemon.get("/v1/health").await.unwrap();
    assert_eq!(health["status"], "read_only", "{health}");
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
    fill(&filler);
    assert_eq!(until_refused(&daemon, &mut acknowledged).await.0, 507);
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
