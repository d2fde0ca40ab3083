//! `kill -9` under load: what was acknowledged is there after a restart, and the log has no gap.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};
use whodunit_tests::{Daemon, eventually};

const ROUNDS: u64 = 10;
const WRITERS: u64 = 8;
/// Acknowledged appends after which a round's kill comes, so that it lands in the middle of the load.
const KILL_AFTER: [u64; 10] = [1, 5, 20, 60, 33, 90, 7, 150, 45, 120];

/// What writers were told is durable: event id → (stream, revision, position).
type Acknowledged = BTreeMap<String, (String, u64, u64)>;

async fn write(
    url: String,
    round: u64,
    writer: u64,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> Acknowledged {
    let client = reqwest::Client::new();
    let mut acknowledged = Acknowledged::new();
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        // Half of the writers share one stream.
        let stream = if writer.is_multiple_of(2) {
            "load-shared".to_owned()
        } else {
            format!("load-{writer}")
        };
        let id = format!("{round}-{writer}-{n}");
        let body = json!({"events": [{"event_type": "Counted", "event_id": id, "data": {"n": n}}]});
        let sent = client
            .post(format!("{url}/v1/streams/{stream}/events"))
            .json(&body)
            .send()
            .await;
        let Ok(response) = sent else { break };
        if response.status() != 200 {
            break;
        }
        let Ok(answer) = response.json::<Value>().await else {
            break;
        };
        let number = |name: &str| answer[name].as_u64().unwrap();
        acknowledged.insert(id, (stream, number("revision"), number("position")));
        count.fetch_add(1, Ordering::SeqCst);
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_appends_survive_ten_kills() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for round in 0..ROUNDS {
        let daemon = Daemon::start(&folder.path().join("data")).unwrap();
        check(&daemon, &acknowledged).await;
        let (stop, count) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(
                    daemon.url().to_owned(),
                    round,
                    writer,
                    Arc::clone(&stop),
                    Arc::clone(&count),
                ))
            })
            .collect();
        let after = KILL_AFTER[usize::try_from(round).unwrap()];
        let watched = Arc::clone(&count);
        tokio::task::spawn_blocking(move || {
            eventually("enough acknowledged appends", || {
                (watched.load(Ordering::SeqCst) >= after).then_some(())
            });
        })
        .await
        .unwrap();
        daemon.kill().unwrap();
        stop.store(true, Ordering::SeqCst);
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    let daemon = Daemon::start(&folder.path().join("data")).unwrap();
    check(&daemon, &acknowledged).await;
    assert!(
        acknowledged.len() as u64 >= KILL_AFTER.iter().sum::<u64>(),
        "the load was too light to prove anything"
    );
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success(), "{status}");
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

/// Reads the whole log and compares: dense positions, dense revisions, nothing acknowledged missing or elsewhere.
async fn check(daemon: &Daemon, acknowledged: &Acknowledged) {
    let mut cursor = String::new();
    let mut found = Acknowledged::new();
    let mut revisions: BTreeMap<String, u64> = BTreeMap::new();
    let mut position = 0;
    loop {
        let (status, page) = daemon
            .get(&format!("/v1/events?limit=1000{cursor}"))
            .await
            .unwrap();
        assert_eq!(status, 200, "{page}");
        for event in page["items"].as_array().unwrap() {
            position += 1;
            assert_eq!(event["position"], position, "positions are dense");
            let stream = event["stream"].as_str().unwrap().to_owned();
            let revision = revisions.entry(stream.clone()).or_default();
            *revision += 1;
            assert_eq!(
                event["revision"], *revision,
                "revisions of `{stream}` are dense"
            );
            found.insert(
                event["event_id"].as_str().unwrap().to_owned(),
                (stream, *revision, position),
            );
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for (id, place) in acknowledged {
        assert_eq!(found.get(id), Some(place), "`{id}` was acknowledged");
    }
}
