//! What finding by a query line takes over a million events: the first page by an index against looking at every event, how soon a
//! search shows its first results, and how soon it ends once its client has left.
//!
//! `cargo bench -p whodunit-daemon --bench find [-- EVENTS]`, a minute or two for 1,000,000 events. The files lie in the system's
//! temporary folder: set `TMPDIR` to measure another disk.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, Store};
use whodunit_daemon::{Config, Daemon, http};

const EVENTS: u64 = 1_000_000;
const STREAMS: u64 = 1_000;
/// Events of an append.
const BATCH: u64 = 20;
/// One event in so many is by the rare actor.
const RARE: u64 = 40_000;

/// Random numbers by splitmix64, the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn append(random: &mut Random, first: u64, events: u64) -> Append {
    let stream = StreamName::new(format!("order-{}", random.below(STREAMS))).unwrap();
    let kinds = ["OrderPlaced", "ItemAdded", "OrderPaid", "OrderSent"];
    let events = (first..first + events).map(|n| {
        let total = random.below(100_000);
        let kind = kinds[usize::try_from(random.below(4)).unwrap()];
        let data = json!({"customer": format!("customer-{}", total % 9_973), "total": total, "currency": "EUR",
            "lines": [{"sku": format!("SKU-{:05}", total % 5_003), "count": 1 + total % 7}], "note": "leave it at the door"});
        let mut event = NewEvent::new(kind, data);
        let actor = if n % RARE == 17 { "job:rare".to_owned() } else { format!("clerk:{}", total % 53) };
        event.actor = Some(actor);
        event.recorded_at = Some(Timestamp::from_micros(1_741_000_000_000_000 + n.cast_signed() * 1_000));
        event
    });
    Append::facts(
        stream,
        ExpectedRevision::Any,
        events.collect(),
        Timestamp::MIN,
    )
}

async fn fill(store: &LoggedStore, events: u64) {
    let (mut random, mut running) = (Random(1), VecDeque::new());
    let mut first = 0;
    while first < events {
        let count = BATCH.min(events - first);
        running.push_back(store.append(append(&mut random, first, count)));
        first += count;
        if running.len() >= 64 {
            drop(running.pop_front().unwrap().await.unwrap());
        }
    }
    for append in running {
        drop(append.await.unwrap());
    }
}

fn request(path: &str, lines: bool) -> Request<Body> {
    let request = Request::builder().uri(path).header("host", "localhost");
    let request = if lines {
        request.header("accept", "application/x-ndjson")
    } else {
        request
    };
    request.body(Body::empty()).unwrap()
}

async fn page(router: &Router, path: &str) -> Value {
    let response = router.clone().oneshot(request(path, false)).await.unwrap();
    assert!(response.status().is_success());
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Looks at everything, line by line; what the last line says, and when the first one came.
async fn scan(router: &Router, path: &str) -> (Value, Duration) {
    let begun = Instant::now();
    let response = router.clone().oneshot(request(path, true)).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let (mut text, mut first) = (Vec::new(), None);
    while let Some(piece) = body.next().await {
        first.get_or_insert(begun.elapsed());
        text.extend_from_slice(&piece.unwrap());
    }
    let text = String::from_utf8(text).unwrap();
    let end = serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap();
    (end["end"].clone(), first.unwrap())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Encoded for a URL.
fn path(line: &str, more: &str) -> String {
    format!("/v1/events?q={}{more}", whodunit_core::api::segment(line))
}

async fn compare(router: &Router, indexed: &str, same: &str) {
    let mut times = Vec::new();
    let mut found = 0;
    let before = Instant::now();
    page(router, &path(indexed, "&limit=100")).await;
    let cold = before.elapsed();
    for _ in 0..7 {
        let before = Instant::now();
        let answer = page(router, &path(indexed, "&limit=100")).await;
        times.push(before.elapsed());
        found = answer["items"].as_array().unwrap().len();
    }
    let page = median(times);
    let before = Instant::now();
    let (end, first) = scan(router, &path(same, "")).await;
    let scan = before.elapsed();
    println!(
        "{indexed}\n  first page: {page:?} ({cold:?} the first time), {found} found\n  by `{same}`: {scan:?} for {} events, {} found, first line after {first:?}\n  {:.0} times as long",
        end["scanned"],
        end["matches"],
        scan.as_secs_f64() / page.as_secs_f64()
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let events = std::env::args()
        .find_map(|arg| arg.parse::<u64>().ok())
        .unwrap_or(EVENTS);
    let folder = tempfile::tempdir().unwrap();
    let store = LoggedStore::open(folder.path(), StoreOptions::Relaxed).unwrap();
    fill(&store, events).await;
    store.close().await.unwrap();
    drop(store);
    let store = LoggedStore::open(folder.path(), StoreOptions::Durable).unwrap();
    let daemon = Daemon::open(Config::default(), Arc::new(store));
    let router = http::router(&daemon);
    println!("{events} events in {STREAMS} streams");
    compare(
        &router,
        "actor:job:rare",
        "where:event.actor == \"job:rare\"",
    )
    .await;
    compare(
        &router,
        "actor:job:rare type:OrderPaid",
        "where:event.actor == \"job:rare\" && event.event_type == \"OrderPaid\"",
    )
    .await;
    compare(
        &router,
        "type:OrderPaid actor:clerk:7",
        "where:event.actor == \"clerk:7\" && event.event_type == \"OrderPaid\"",
    )
    .await;
    compare(
        &router,
        "stream:order-77",
        "where:event.stream == \"order-77\"",
    )
    .await;
    let (end, _) = scan(&router, &path("\"no such text\"", "")).await;
    println!("a text that is nowhere: {} looked at", end["scanned"]);
    let before = Instant::now();
    let summary = page(&router, "/v1/find/summary?q=").await;
    println!(
        "summary of everything: {:?}, complete: {}",
        before.elapsed(),
        summary["complete"]
    );
}
