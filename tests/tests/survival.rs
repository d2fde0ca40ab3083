//! `kill -9` under load: what was acknowledged is there after a restart, and the log has no gap; and so it is in a store that is
//! restored from a backup that was taken under that load.
//!
//! A hundred kills: `WHODUNIT_KILLS=100 cargo test -p whodunit-tests --test survival`.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

#[path = "survival/ledger.rs"]
mod ledger;
#[path = "survival/load.rs"]
mod load;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ledger::Ledger;
use load::{Backup, Load};
use serde_json::json;
use whodunit_tests::{Daemon, eventually, whodunit};

/// Acknowledgements after which a round's kill comes, so that it lands in the middle of the load.
const KILL_AFTER: [u64; 10] = [1, 5, 20, 60, 33, 90, 7, 150, 45, 120];

fn rounds() -> usize {
    let asked = std::env::var("WHODUNIT_KILLS").ok();
    asked.map_or(KILL_AFTER.len(), |kills| kills.parse().unwrap())
}

/// Waits for that many acknowledgements.
async fn until(count: &Arc<AtomicU64>, enough: u64) {
    let count = Arc::clone(count);
    let waited = tokio::task::spawn_blocking(move || {
        eventually("enough acknowledgements", || {
            (count.load(Ordering::SeqCst) >= enough).then_some(())
        });
    });
    waited.await.unwrap();
}

/// Restores a backup, and looks whether it has what was acknowledged before it was begun.
async fn restored(folder: &Path, round: usize, backup: &Backup) {
    let place = |name: &str| folder.join(format!("{round}.{name}"));
    let (file, to) = (place("backup"), place("restored"));
    std::fs::write(&file, &backup.bytes).unwrap();
    let args = ["restore", file.to_str().unwrap(), to.to_str().unwrap()];
    let (code, out, err) = whodunit("http://127.0.0.1:1", &args);
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("the store holds exactly what was written"),
        "{out}"
    );
    let daemon = Daemon::start(&to).unwrap();
    backup.told.check(&daemon).await;
    daemon.kill().unwrap();
    std::fs::remove_dir_all(&to).unwrap();
    std::fs::remove_file(&file).unwrap();
}

/// Stops the process in its tracks, sees that it answers nothing, and lets it go on.
async fn hang(daemon: &Daemon) {
    daemon.hang().unwrap();
    let health = reqwest::get(format!("{}/v1/health", daemon.url()));
    let answered = tokio::time::timeout(Duration::from_millis(50), health).await;
    assert!(answered.is_err(), "it hangs");
    daemon.signal("CONT").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_under_every_load() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Ledger::default();
    let mut restores = 0;
    for round in 0..rounds() {
        let daemon = Daemon::start(&folder.path().join("data")).unwrap();
        told.check(&daemon).await;
        let load = Load::start(daemon.url(), round as u64);
        let after = KILL_AFTER[round % KILL_AFTER.len()];
        if round % 3 == 1 {
            until(&load.count, after / 2).await;
            hang(&daemon).await;
        }
        until(&load.count, after).await;
        daemon.kill().unwrap();
        let (more, backup) = load.end().await;
        told.extend(more);
        // Not every one: restoring takes longer than a round.
        if let Some(backup) = backup.filter(|_| round % 4 == 3) {
            restored(folder.path(), round, &backup).await;
            restores += 1;
        }
    }
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    told.check(&daemon).await;
    println!(
        "{} kills: {} events, {} decisions and {} imported events were acknowledged, and are there; {restores} backups were restored",
        rounds(),
        told.events.len(),
        told.decisions.len(),
        told.imported.len()
    );
    assert!(
        !told.events.is_empty()
            && !told.decisions.is_empty()
            && !told.imported.is_empty()
            && restores > 0,
        "the load was too light to prove anything"
    );
    let check = daemon
        .post("/v1/projections/users/check", &json!({}))
        .await
        .unwrap();
    assert_eq!((check.0, &check.1["ok"]), (200, &json!(true)), "{check:?}");
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success(), "{status}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}
