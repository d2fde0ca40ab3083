//! A large log under the real daemon: its memory, idle and under load, how soon it is ready after `kill -9`, and appends at its
//! size against appends at 10,000 events.
//!
//! `cargo bench -p whodunit-daemon --bench large [-- EVENTS STREAMS SECONDS]`: 10,000,000 events in 1,000 streams and a minute of
//! load, about 3 GB in the system's temporary folder (`TMPDIR` chooses another disk), a quarter of an hour. An hour of load:
//! `-- 10000000 1000 3600`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

mod shop;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use shop::{Shop, bytes_of, fill, median, timed};
use whodunit_daemon::store::Store;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

const EVENTS: u64 = 10_000_000;
const STREAMS: u64 = 1_000;
const SECONDS: u64 = 60;
/// Events when the pace is measured first.
const EARLY: u64 = 10_000;
/// Clients that append, and clients that read.
const WRITERS: u64 = 8;
const READERS: u64 = 2;

/// A daemon on a data directory, killed when dropped.
struct Daemon {
    child: Child,
    url: String,
    /// How long it took until it said that it listens.
    ready: Duration,
}

impl Daemon {
    fn start(data: &Path) -> Self {
        let begun = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_whodunitd"))
            .args(["--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut said).unwrap();
        let ready = begun.elapsed();
        let url = said.trim_end().strip_prefix("listening on ");
        let url = url.unwrap_or_else(|| unreachable!("it did not start: {said}"));
        let url = url.to_owned();
        Self { child, url, ready }
    }

    /// MiB that it has in memory.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.unwrap().split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() >> 10
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What clients share.
#[derive(Debug, Default)]
struct Load {
    stop: AtomicBool,
    appends: AtomicU64,
    reads: AtomicU64,
}

/// Appends to a stream of its own, one event after the other; the times that they took.
async fn append(load: Arc<Load>, url: String, writer: u64) -> Vec<Duration> {
    let client = reqwest::Client::new();
    let mut times = Vec::new();
    for n in 0_u64.. {
        if load.stop.load(Ordering::Relaxed) {
            break;
        }
        let event =
            json!({"event_type": "Counted", "actor": "bench", "data": {"n": n, "writer": writer}});
        let url = format!("{url}/v1/streams/load-{writer}/events");
        let before = Instant::now();
        let sent = client.post(url).json(&json!({"events": [event]})).send();
        let Ok(reply) = sent.await else { break };
        assert!(reply.status().is_success());
        drop(reply.bytes().await);
        times.push(before.elapsed());
        load.appends.fetch_add(1, Ordering::Relaxed);
    }
    times
}

/// Reads streams, pages of the log and states.
async fn read(load: Arc<Load>, url: String, reader: u64, streams: u64) {
    let client = reqwest::Client::new();
    for n in reader.. {
        if load.stop.load(Ordering::Relaxed) {
            break;
        }
        let stream = 1 + n * 7_919 % streams;
        let path = match n % 3 {
            0 => format!("/v1/streams/order-{stream}/events?limit=1000"),
            1 => format!("/v1/streams/order-{stream}/state"),
            _ => format!("/v1/events?actor=clerk:{}&limit=100", n % 53),
        };
        let Ok(reply) = client.get(format!("{url}{path}")).send().await else {
            break;
        };
        assert!(reply.status().is_success(), "{path}: {}", reply.status());
        drop(reply.bytes().await);
        load.reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// Load for so long; what the daemon had in memory in each tenth of it, and the times of the appends.
async fn under_load(daemon: &Daemon, seconds: u64, streams: u64) -> (Vec<u64>, Vec<Duration>) {
    let load = Arc::new(Load::default());
    let writers: Vec<_> = (0..WRITERS)
        .map(|n| tokio::spawn(append(Arc::clone(&load), daemon.url.clone(), n)))
        .collect();
    let readers: Vec<_> = (0..READERS)
        .map(|n| tokio::spawn(read(Arc::clone(&load), daemon.url.clone(), n, streams)))
        .collect();
    let mut resident = Vec::new();
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(seconds * 100)).await;
        resident.push(daemon.resident());
    }
    load.stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for writer in writers {
        times.extend(writer.await.unwrap());
    }
    for reader in readers {
        reader.await.unwrap();
    }
    println!(
        "{} appends and {} reads by {WRITERS} and {READERS} clients in {seconds} s",
        load.appends.load(Ordering::Relaxed),
        load.reads.load(Ordering::Relaxed)
    );
    (resident, times)
}

/// Fills a store, and says what appends take early and late.
async fn filled(folder: &Path, events: u64, streams: u64) {
    let mut shop = Shop::new(streams);
    let store = LoggedStore::open(folder, StoreOptions::Durable).unwrap();
    fill(&store, &mut shop, EARLY.min(events)).await;
    let early = timed(&store, &mut shop).await;
    let begun = Instant::now();
    fill(&store, &mut shop, events).await;
    let took = begun.elapsed();
    let late = timed(&store, &mut shop).await;
    store.close().await.unwrap();
    println!(
        "{events} events in {streams} streams, {} MiB of payload, {} MiB on disk, filled in {took:.0?}\n\
         {early:.0} µs an append at {EARLY} events, {late:.0} µs at {events}: {:.2} times as long (medians, in process)",
        shop.payload >> 20,
        bytes_of(folder) >> 20,
        late / early
    );
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u64>().ok());
    let (events, streams, seconds) = (
        numbers.next().unwrap_or(EVENTS),
        numbers.next().unwrap_or(STREAMS),
        numbers.next().unwrap_or(SECONDS),
    );
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    filled(&data, events, streams).await;
    let daemon = Daemon::start(&data);
    tokio::time::sleep(Duration::from_secs(10)).await;
    println!(
        "ready after {:.0?}; {} MiB in memory, idle for 10 s",
        daemon.ready,
        daemon.resident()
    );
    let (resident, times) = under_load(&daemon, seconds, streams).await;
    println!(
        "{resident:?} MiB in memory under load, by tenths; {:.0} µs an append over HTTP (median)",
        median(times)
    );
    // Killed in the middle of it, three times.
    drop(daemon);
    for _ in 0..3 {
        let daemon = Daemon::start(&data);
        println!("ready {:.0?} after `kill -9` under load", daemon.ready);
        let load = Arc::new(Load::default());
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| tokio::spawn(append(Arc::clone(&load), daemon.url.clone(), n)))
            .collect();
        tokio::time::sleep(Duration::from_secs(3)).await;
        drop(daemon);
        for writer in writers {
            drop(writer.await);
        }
    }
    let daemon = Daemon::start(&data);
    println!("ready {:.0?} after `kill -9` under load", daemon.ready);
}
