//! Reading one long stream, importing and exporting a whole log, its bytes on disk, and opening it after a kill.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use whodunit_core::command::Command;
use whodunit_core::event::NewEvent;
use whodunit_core::ids::Revision;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, PendingDecision, Store};

use crate::appends::event;
use crate::figures::{float, median};
use crate::postgres::Postgres;
use crate::umadb::{self, Umadb};
use crate::wire::{Daemon, Http, ready};
use crate::{Extent, peer};

const STREAM_EVENTS: u64 = 10_000;
const READS: usize = 9;
const PAGE: &str = "limit=1000";
const DECISIONS: u64 = 20_000;

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn say(what: &str, figures: &str) {
    println!("{what:<58} {figures}");
}

/// Reads a stream page by page; how many pages there were.
async fn pages(http: &mut Http, stream: &str) -> u64 {
    let (mut path, mut pages) = (format!("/v1/streams/{stream}/events?{PAGE}"), 0);
    loop {
        let body = http.get(&path).await;
        pages += 1;
        // It stands behind the items.
        let end = String::from_utf8_lossy(&body[body.len().saturating_sub(200)..]);
        let cursor = end.rsplit("\"next_cursor\":").next().unwrap();
        let Some(cursor) = cursor.strip_prefix('"') else {
            return pages;
        };
        let cursor = cursor.split('"').next().unwrap();
        path = format!("/v1/streams/{stream}/events?{PAGE}&cursor={cursor}");
    }
}

/// Reads a stream as lines; how many events there were.
async fn as_lines(http: &mut Http, stream: &str) -> u64 {
    let path = format!("/v1/streams/{stream}/events");
    let body = http.send("GET", &path, "application/x-ndjson", b"").await;
    // The last line stands behind the events.
    let end = String::from_utf8_lossy(&body[body.len().saturating_sub(200)..]).into_owned();
    let count = end.rsplit("{\"end\":{\"events\":").next().unwrap();
    count.split(',').next().unwrap().parse().unwrap()
}

async fn fill(http: &mut Http) {
    for first in (0..STREAM_EVENTS).step_by(1_000) {
        let events: Vec<NewEvent> = (first..first + 1_000)
            .flat_map(|n| event("long", 1, n).events)
            .collect();
        let body = json!({"expected_revision": first, "events": events});
        http.post("/v1/streams/long-1/events", body.to_string().as_bytes())
            .await;
    }
}

/// `PostgreSQL` with the same stream.
async fn with_postgres(stream: &str) -> Option<Postgres> {
    let mut connection = Postgres::connect(&peer("PEERS_POSTGRES")?).await;
    for n in 0..STREAM_EVENTS {
        let append = event("long", 1, n);
        let event = &append.events[0];
        let (revision, correlation) = ((n + 1).to_string(), format!("checkout-{n}"));
        let (id, data) = (event.event_id.as_deref().unwrap(), event.data.as_str());
        let values = [
            stream,
            &revision,
            id,
            "OrderPlaced",
            "shop",
            &correlation,
            data,
        ];
        connection.append(values).await;
    }
    Some(connection)
}

/// `UmaDB` with the same stream. No more at once than a server takes before it says how much more.
async fn with_umadb(stream: &str) -> Option<Umadb> {
    let mut connection = Umadb::connect(&peer("PEERS_UMADB")?).await;
    for first in (0..STREAM_EVENTS).step_by(50) {
        let appends: Vec<_> = (first..first + 50).map(|n| event("long", 1, n)).collect();
        let events: Vec<_> = appends
            .iter()
            .map(|append| umadb::Event {
                kind: &append.events[0].event_type,
                id: append.events[0].event_id.as_deref().unwrap(),
                tag: stream,
                data: append.events[0].data.as_str(),
            })
            .collect();
        connection.append(&events).await;
    }
    Some(connection)
}

pub(crate) async fn one_stream(extent: Extent) {
    let folder = tempfile::tempdir().unwrap();
    let daemon = Daemon::start(folder.path());
    let mut http = Http::connect(&daemon.address).await;
    fill(&mut http).await;
    // More of other streams, so that it is sealed like most of a log.
    import(&mut http, &lines(20_000)).await;
    let run = std::process::id();
    let stream = format!("long-{run}");
    let mut pg = with_postgres(&stream).await;
    let mut uma = with_umadb(&stream).await;
    println!("\na stream of {STREAM_EVENTS} events, whole envelopes");
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..READS * extent.rounds / 3 {
        let before = Instant::now();
        assert_eq!(pages(&mut http, "long-1").await, STREAM_EVENTS / 1_000);
        times[3].push(millis(before.elapsed()));
        let before = Instant::now();
        assert_eq!(as_lines(&mut http, "long-1").await, STREAM_EVENTS);
        times[0].push(millis(before.elapsed()));
        if let Some(connection) = &mut pg {
            let before = Instant::now();
            let rows = connection.read(&stream).await;
            times[1].push(millis(before.elapsed()));
            assert_eq!(rows as u64, STREAM_EVENTS);
        }
        if let Some(connection) = &mut uma {
            let before = Instant::now();
            assert!(connection.read(&stream).await > 1_000_000);
            times[2].push(millis(before.elapsed()));
        }
    }
    let own = median(times[0].iter().copied());
    let names = [
        "whodunit, as lines",
        "PostgreSQL",
        "UmaDB",
        "whodunit, pages of 1,000",
    ];
    for (name, times) in names.iter().zip(&times) {
        if !times.is_empty() {
            let took = median(times.iter().copied());
            say(
                name,
                &format!("{took:.1} ms, whodunit is {:.2} times as fast", took / own),
            );
        }
    }
}

/// Lines of an import: as many events, of a tenth as many streams.
fn lines(events: u64) -> Vec<u8> {
    let streams = (events / 10).max(1);
    let mut out = Vec::new();
    for n in 0..events {
        let (stream, revision) = (n % streams, n / streams + 1);
        let append = event("order", 0, n);
        let event = &append.events[0];
        let line = json!({"position": n + 1, "stream": format!("order-{stream:08}"), "revision": revision,
            "event_id": format!("0195d3a1-7c2e-7000-8000-{:012x}", n * 2_654_435_761 % (1 << 40)), "event_type": event.event_type,
            "schema_version": 1, "recorded_at": Timestamp::from_micros(1_741_000_000_000_000 + i64::try_from(n).unwrap() * 1_000),
            "actor": format!("clerk-{}", n % 50), "correlation_id": event.correlation_id, "data": event.data});
        serde_json::to_writer(&mut out, &line).unwrap();
        out.push(b'\n');
    }
    out
}

async fn import(http: &mut Http, lines: &[u8]) -> Duration {
    let before = Instant::now();
    let body = http
        .send("POST", "/v1/import", "application/x-ndjson", lines)
        .await;
    let took = before.elapsed();
    let report: Value = serde_json::from_slice(body).unwrap();
    let count = std::str::from_utf8(lines).unwrap().lines().count();
    assert_eq!(report["added"], json!(count), "{report}");
    took
}

/// How long it takes to parse lines and do nothing else.
fn parse(lines: &[u8]) -> Duration {
    let before = Instant::now();
    for line in lines.split(|byte| *byte == b'\n') {
        if !line.is_empty() {
            black_box(serde_json::from_slice::<Value>(line).unwrap());
        }
    }
    before.elapsed()
}

pub(crate) async fn whole_log(extent: Extent) {
    let lines = lines(extent.events);
    let payload: u64 = (0..1_000)
        .map(|n| event("order", 0, n).events[0].data.as_str().len() as u64)
        .sum::<u64>()
        * extent.events
        / 1_000;
    println!(
        "\na log of {} events, {} bytes of NDJSON",
        extent.events,
        lines.len()
    );
    let events = float(extent.events);
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let (mut import_rates, mut export_rates) = (Vec::new(), Vec::new());
    let mut last = None;
    for round in 0..extent.rounds {
        let folder = tempfile::tempdir().unwrap();
        let daemon = Daemon::start(folder.path());
        let mut http = Http::connect(&daemon.address).await;
        let parsed = parse(&lines);
        let imported = import(&mut http, &lines).await;
        import_rates.push(events / imported.as_secs_f64());
        imports.push(parsed.as_secs_f64() / imported.as_secs_f64());
        let before = Instant::now();
        let body = http.get("/v1/export?reveal=true").await;
        let exported = before.elapsed();
        let own = parse(&unchunked(body));
        export_rates.push(events / exported.as_secs_f64());
        exports.push(own.as_secs_f64() / exported.as_secs_f64());
        if round + 1 == extent.rounds {
            last = Some((folder, daemon));
        }
    }
    let rate = |rates: Vec<f64>, ratios: Vec<f64>| {
        format!(
            "{:.0} a second, {:.2} of a bare parse of the same lines",
            median(rates),
            median(ratios)
        )
    };
    say("import over HTTP", &rate(import_rates, imports));
    say(
        "export over HTTP, secrets too",
        &rate(export_rates, exports),
    );
    let Some((folder, daemon)) = last else { return };
    say(
        "memory of the daemon",
        &format!("{} MiB", daemon.memory() >> 20),
    );
    daemon.kill();
    let mut times = Vec::new();
    for _ in 0..3 {
        let (daemon, took) = ready(folder.path()).await;
        times.push(millis(took));
        daemon.kill();
    }
    say(
        "from the start after `kill -9` until `/v1/ready`",
        &format!("{:.0} ms", median(times)),
    );
    let (daemon, _) = ready(folder.path()).await;
    say(
        "until it ended when asked to (SIGTERM)",
        &format!("{:.0} ms", millis(daemon.stop())),
    );
    crate::sizes::print(folder.path(), extent.events, payload);
}

/// A body in chunks, without what marks them.
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&body[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        out.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
    out
}

/// The `n`-th command of an application whose ids are UUIDs.
fn decided(n: u64, with_decision: bool) -> Append {
    let id = |kind: u64| {
        format!(
            "0195d3a1-7c2e-7{kind:03}-8000-{:012x}",
            n * 2_654_435_761 % (1 << 40)
        )
    };
    let mut append = event("order", 0, n);
    let payload = append.events[0].data.to_value();
    append.stream = whodunit_core::ids::StreamName::new(format!("order-{n}")).unwrap();
    append.expected = whodunit_core::event::ExpectedRevision::Any;
    append.events[0].event_id = Some(id(1));
    append.decision = with_decision.then(|| PendingDecision {
        command: Command {
            command_id: id(2),
            stream: append.stream.clone(),
            command_type: "PlaceOrder".to_owned(),
            payload: payload.as_object().cloned().unwrap(),
            actor: Some("shop".to_owned()),
            reason: None,
            correlation_id: append.events[0].correlation_id.clone(),
            causation_id: None,
            issued_at: append.now,
        },
        base_revision: Revision(0),
        rules_hash: "0123456789abcdef".to_owned(),
        rejection: None,
    });
    append
}

async fn size(with_decisions: bool) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let store = LoggedStore::open(folder.path(), StoreOptions::Relaxed).unwrap();
    let mut waiting = Vec::new();
    for n in 0..DECISIONS {
        waiting.push(store.append(decided(n, with_decisions)));
        if waiting.len() == 512 {
            for append in waiting.drain(..) {
                append.await.unwrap();
            }
        }
    }
    for append in waiting {
        append.await.unwrap();
    }
    store.close().await.unwrap();
    let bytes = std::fs::metadata(folder.path().join("events.redb"));
    bytes.unwrap().len()
}

pub(crate) async fn decisions() {
    let (with, without) = (size(true).await, size(false).await);
    let each = with.saturating_sub(without) / DECISIONS;
    println!();
    say(
        "bytes of the file that a decision takes beyond its events",
        &format!("about {each} (of {DECISIONS}; the file grows in steps)"),
    );
}
