//! `kill -9` under load: what was acknowledged is there after a restart, and the log has no gap.
//!
//! A hundred kills: `WHODUNIT_KILLS=100 cargo test -p whodunit-tests --test survival`.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

#[path = "survival/ledger.rs"]
mod ledger;
#[path = "survival/load.rs"]
mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ledger::Ledger;
use load::Load;
use serde_json::json;
use whodunit_tests::{Daemon, eventually};

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

/// Stops the process in its tracks, sees that it answers nothing, and lets it go on.
async fn hang(daemon: &Daemon) {
    daemon.signal("STOP").unwrap();
    let health = reqwest::get(format!("{}/v1/health", daemon.url()));
    let answered = tokio::time::timeout(Duration::from_millis(50), health).await;
    assert!(answered.is_err(), "it hangs");
    daemon.signal("CONT").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kills_under_every_load() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = Ledger::default();
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
        told.extend(load.end().await);
    }
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    told.check(&daemon).await;
    println!(
        "{} kills: {} events, {} decisions and {} imported events were acknowledged, and are there",
        rounds(),
        told.events.len(),
        told.decisions.len(),
        told.imported.len()
    );
    assert!(
        !told.events.is_empty() && !told.decisions.is_empty() && !told.imported.is_empty(),
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
