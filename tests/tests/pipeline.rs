//! `kill -9` at random moments under load: whatever was acknowledged reaches the read models exactly once in effect, and no
//! mail is lost.
//!
//! Prints what it counted; see it with `cargo test -p whodunit-tests --test pipeline -- --nocapture`.

#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use whodunit_tests::{Daemon, eventually};

const ROUNDS: u64 = 50;
const WRITERS: u64 = 6;
/// Seed of the moments at which the kills come.
const SEED: u64 = 0x0077_686f_6475_6e69;
/// How long a restarted daemon may take to be done with everything.
const PATIENCE: Duration = Duration::from_mins(2);

/// Event ids that writers were told are durable.
type Acknowledged = BTreeSet<String>;

/// The next number of a xorshift generator (Marsaglia 2003): the same moments in every run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// What a user goes through, one append each.
fn life(stream: &str) -> Vec<Value> {
    let event = |event_type: &str, data: Value| {
        let id = format!("{stream}/{event_type}");
        json!({"event_type": event_type, "event_id": id, "actor": "load", "data": data})
    };
    let address = format!("{stream}@example.com");
    vec![
        event(
            "UserCreated",
            json!({"username": stream, "email": address, "first_name": "A", "last_name": "B"}),
        ),
        event("UserNameChanged", json!({"first_name": "C"})),
        event("UserPasswordChanged", json!({})),
        event("UserSuspended", json!({})),
    ]
}

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
        let stream = format!("user-{round}-{writer}-{n}");
        for event in life(&stream) {
            if stop.load(Ordering::SeqCst) {
                return acknowledged;
            }
            let sent = client
                .post(format!("{url}/v1/streams/{stream}/events"))
                .json(&json!({"events": [event]}))
                .send()
                .await;
            match sent {
                Ok(response) if response.status() == 200 => {
                    acknowledged.insert(event["event_id"].as_str().unwrap().to_owned());
                    count.fetch_add(1, Ordering::SeqCst);
                }
                _ => return acknowledged,
            }
        }
    }
    acknowledged
}

/// Loads a daemon and kills it once `after` appends are acknowledged.
async fn round(data: &Path, round: u64, after: u64) -> Acknowledged {
    let daemon = Daemon::start(data).unwrap();
    let (stop, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
            tokio::spawn(write(daemon.url().to_owned(), round, writer, stop, count))
        })
        .collect();
    tokio::task::spawn_blocking(move || {
        eventually("enough acknowledged appends", || {
            (count.load(Ordering::SeqCst) >= after).then_some(())
        });
    })
    .await
    .unwrap();
    daemon.kill().unwrap();
    stop.store(true, Ordering::SeqCst);
    let mut acknowledged = Acknowledged::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_lose_nothing_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = SEED;
    let mut acknowledged = Acknowledged::new();
    for n in 0..ROUNDS {
        let after = 1 + next(&mut state) % 60;
        acknowledged.extend(round(folder.path(), n, after).await);
    }
    let daemon = Daemon::start(folder.path()).unwrap();
    let events = whole_log(&daemon).await;
    for id in &acknowledged {
        assert!(
            events.contains_key(id),
            "`{id}` was acknowledged (seed {SEED:#x})"
        );
    }
    let handlers = settled(&daemon, events.len() as u64).await;
    let created = of_type(&events, "UserCreated");
    let changed = of_type(&events, "UserPasswordChanged");
    let mails = std::fs::read_dir(folder.path().join("mail"))
        .unwrap()
        .filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            Path::new(&name)
                .extension()
                .is_some_and(|kind| kind == "eml")
        })
        .count() as u64;
    println!(
        "{ROUNDS} kills: {} events acknowledged, {} in the log; {created} users, {mails} mails",
        acknowledged.len(),
        events.len()
    );
    assert_eq!(handlers["send_welcome_email"], (created, 0), "{handlers:?}");
    assert_eq!(
        handlers["send_security_notification"],
        (changed, 0),
        "{handlers:?}"
    );
    assert_eq!(mails, created + changed, "each mail once, none lost");

    let documents = documents(&daemon, "users").await;
    let mut revisions: BTreeMap<String, u64> = BTreeMap::new();
    for (stream, revision) in events
        .values()
        .map(|(stream, revision, _)| (stream, *revision))
    {
        let head = revisions.entry(stream.clone()).or_default();
        *head = revision.max(*head);
    }
    assert_eq!(
        documents, revisions,
        "each user at the revision of its stream"
    );
    for projection in ["users", "states"] {
        let path = format!("/v1/projections/{projection}/check");
        let (status, check) = daemon.post(&path, &json!({})).await.unwrap();
        println!("{projection}: {check}");
        assert_eq!((status, &check["ok"]), (200, &json!(true)), "{check}");
        assert_eq!(check["events"], events.len(), "{check}");
    }
    let (status, log) = daemon.stop().unwrap();
    assert!(status.success(), "{status}");
    assert!(!log.contains("ERROR"), "{log}");
}

/// Event id → (stream, revision, type).
type Events = BTreeMap<String, (String, u64, String)>;

fn of_type(events: &Events, event_type: &str) -> u64 {
    let own = events.values().filter(|(_, _, own)| own == event_type);
    own.count() as u64
}

async fn whole_log(daemon: &Daemon) -> Events {
    let mut events = Events::new();
    for event in pages(daemon, "/v1/events?limit=1000").await {
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        let revision = event["revision"].as_u64().unwrap();
        let before = events.insert(
            text("event_id"),
            (text("stream"), revision, text("event_type")),
        );
        assert_eq!(before, None, "an event id twice");
    }
    events
}

async fn documents(daemon: &Daemon, name: &str) -> BTreeMap<String, u64> {
    let path = format!("/v1/read-models/{name}?limit=1000");
    let documents = pages(daemon, &path).await.into_iter().map(|document| {
        let key = document["key"].as_str().unwrap().to_owned();
        (key, document["revision"].as_u64().unwrap())
    });
    documents.collect()
}

async fn pages(daemon: &Daemon, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = daemon.get(&format!("{path}{cursor}")).await.unwrap();
        assert_eq!(status, 200, "{page}");
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// Waits until every job is done and every projection is level with the head; (completed, failed) by handler.
async fn settled(daemon: &Daemon, head: u64) -> BTreeMap<String, (u64, u64)> {
    let began = Instant::now();
    loop {
        let (_, outbox) = daemon.get("/v1/outbox?limit=1").await.unwrap();
        let (_, projections) = daemon.get("/v1/projections").await.unwrap();
        let handlers: Vec<Value> = outbox["handlers"].as_array().unwrap().clone();
        let n = |own: &Value, name: &str| own["counts"][name].as_u64().unwrap();
        let open: u64 = handlers
            .iter()
            .map(|own| n(own, "pending") + n(own, "processing"))
            .sum();
        let level = projections["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|own| own["checkpoint"] == head && own["lag_events"] == 0);
        if open == 0 && level {
            return handlers
                .iter()
                .map(|own| {
                    let name = own["handler"].as_str().unwrap().to_owned();
                    (name, (n(own, "completed"), n(own, "failed")))
                })
                .collect();
        }
        assert!(began.elapsed() < PATIENCE, "{outbox}\n{projections}");
        tokio::task::yield_now().await;
    }
}
