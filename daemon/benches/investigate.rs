//! What investigating costs, against what it is to cost: states, blame, bisect and finding, each beside the plain way in the same run.
//!
//! `cargo bench -p whodunit-daemon --bench investigate [-- EVENTS]`: 100,000 events unless said otherwise. The goals are those for
//! 1,000,000; with fewer events they are printed, and some cannot be reached. Two minutes for 1,000,000. The files lie in the system's
//! temporary folder: set `TMPDIR` to measure another disk.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use whodunit_core::api::segment;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::merge;
use whodunit_core::time::Timestamp;
use whodunit_daemon::limits::FINDS_MAX;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, Store};
use whodunit_daemon::{Config, Daemon, http};

const EVENTS: u64 = 100_000;
/// Reads of a figure.
const READS: usize = 300;
/// Events of an append.
const BATCH: u64 = 100;
/// One event in so many is by the rare actor.
const RARE: u64 = 40_000;
/// Streams of the category that is searched.
const STREAMS: u64 = 1_000;

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

/// Figures as they are printed.
#[derive(Default)]
struct Table(u32);

impl Table {
    fn row(&mut self, what: &str, figure: &str, ratio: f64, goal: &str, reached: bool) {
        if !reached {
            self.0 += 1;
        }
        let reached = if reached { "yes" } else { "NO" };
        println!("{what:<46} {figure:<30} {ratio:>12.3}  {goal:<12} {reached}");
    }
}

fn percentile(mut times: Vec<Duration>, part: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * part / 100]
}

fn event(random: &mut Random, n: u64) -> NewEvent {
    let field = format!("field_{}", random.below(28));
    let total = random.below(100_000);
    let data = json!({field: format!("value-{}", random.next()), "counter": n, "total": total,
        "note": "a few words of text in every event"});
    let kinds = ["OrderPlaced", "ItemAdded", "OrderPaid", "OrderSent"];
    let mut event = NewEvent::new(kinds[usize::try_from(random.below(4)).unwrap()], data);
    let is_rare = n % RARE == 17;
    event.actor = Some(if is_rare {
        "job:rare".to_owned()
    } else {
        format!("clerk:{}", total % 53)
    });
    event.recorded_at = Some(Timestamp::from_micros(
        1_741_000_000_000_000 + n.cast_signed() * 1_000,
    ));
    event
}

/// Fills one stream, or many streams of a category.
async fn fill(store: &LoggedStore, name: &str, events: u64, streams: u64) {
    let mut random = Random(events + streams);
    let mut first = 0;
    while first < events {
        let count = BATCH.min(events - first);
        let stream = match streams {
            1 => name.to_owned(),
            many => format!("{name}-{}", random.below(many)),
        };
        let batch = (first..first + count)
            .map(|n| event(&mut random, n))
            .collect();
        let stream = StreamName::new(stream).unwrap();
        let mut append = Append::facts(stream, ExpectedRevision::Any, batch, Timestamp::MIN);
        append.fresh_ids = (first..first + count)
            .map(|n| format!("{name}:{n}"))
            .collect();
        store.append(append).await.unwrap();
        first += count;
    }
}

struct Bench {
    daemon: Daemon,
    router: Router,
    table: Table,
    events: u64,
}

impl Bench {
    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        lines: bool,
    ) -> axum::response::Response {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        let request = if lines {
            request.header("accept", "application/x-ndjson")
        } else {
            request
        };
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.router.clone().oneshot(request.unwrap()).await.unwrap()
    }

    async fn text(&self, method: &str, path: &str, body: Option<Value>, lines: bool) -> String {
        let response = self.send(method, path, body, lines).await;
        assert!(
            response.status().is_success(),
            "{path}: {}",
            response.status()
        );
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    async fn timed(&self, path: &str) -> Duration {
        let begun = Instant::now();
        black_box(self.text("GET", path, None, false).await);
        begun.elapsed()
    }

    /// Reads until no more snapshots are made on the way.
    async fn warm(&self, path: impl Fn(u64) -> String, revisions: u64) {
        let snapshots = || self.daemon.store().stats().unwrap().snapshots;
        let mut before = u64::MAX;
        while snapshots() != before {
            before = snapshots();
            for part in 0..=200 {
                self.timed(&path(revisions * part / 200)).await;
                self.daemon.time_travel().settled().await;
            }
        }
    }

    /// p99 of reads at random revisions.
    async fn anywhere(&self, path: impl Fn(u64) -> String, revisions: u64) -> Duration {
        let mut random = Random(7);
        let mut times = Vec::with_capacity(READS);
        for _ in 0..READS {
            times.push(self.timed(&path(1 + random.below(revisions))).await);
        }
        percentile(times, 99)
    }

    async fn states(&mut self, sizes: [u64; 3]) {
        let mut p99 = Vec::new();
        for size in sizes {
            let path = |revision| format!("/v1/streams/bench{size}-1/state?at_revision={revision}");
            self.warm(path, size).await;
            p99.push(self.anywhere(path, size).await);
        }
        let [_, middle, large] = sizes;
        let [small, medium, longest] = [p99[0], p99[1], p99[2]];
        let ratio = longest.as_secs_f64() / medium.as_secs_f64();
        let what = format!("p99 of a state: {large} events against {middle}");
        let figure = format!("{longest:.0?} / {medium:.0?} ({small:.0?})");
        self.table
            .row(&what, &figure, ratio, "at most 2", ratio <= 2.0);
        let model = merge::model();
        let stream = StreamName::new(format!("bench{large}-1")).unwrap();
        let begun = Instant::now();
        let view = self.daemon.store().view().unwrap();
        let mut folded = Folded::start(&model);
        view.for_each_event(&stream, Revision(1), Revision(large), &mut |event| {
            folded.push(&model, &event);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        black_box(folded);
        let whole = begun.elapsed();
        let ratio = whole.as_secs_f64() / longest.as_secs_f64();
        let what = format!("fold of all {large} events against that p99");
        let figure = format!("{whole:.0?} / {longest:.0?}");
        self.table
            .row(&what, &figure, ratio, "from 1000", ratio >= 1_000.0);
    }

    /// What the file grew by while snapshots were made.
    fn snapshots(&mut self, before: u64) {
        let stats = self.daemon.store().stats().unwrap();
        let grown = stats.file_bytes.saturating_sub(before);
        let ratio = ratio_of(grown, before);
        let figure = format!("{} KiB of {} KiB", grown >> 10, before >> 10);
        let what = format!("{} snapshots against the log, on disk", stats.snapshots);
        self.table
            .row(&what, &figure, ratio, "at most 0.25", ratio <= 0.25);
    }

    async fn blame(&mut self, size: u64) {
        let path = |revision| format!("/v1/streams/bench{size}-1/blame?at_revision={revision}");
        self.warm(path, size).await;
        let p99 = self.anywhere(path, size).await;
        let figure = format!("{p99:.1?}");
        let ratio = p99.as_secs_f64() / 0.05;
        self.table.row(
            "p99 of a blame, warm, against 50 ms",
            &figure,
            ratio,
            "below 1",
            ratio < 1.0,
        );
    }

    async fn bisect(&mut self, size: u64) {
        let body = json!({"stream": format!("bench{size}-1"), "predicate": format!("state.counter >= {}", size / 3),
            "one_flip": true});
        let found: Value =
            serde_json::from_str(&self.text("POST", "/v1/bisect", Some(body), false).await)
                .unwrap();
        let folds = found["folds"].as_u64().unwrap();
        let most = u64::from((size - 1).ilog2() + 1) + 2;
        let figure = format!("{folds} of {most} folds");
        self.table.row(
            "bisect where there is one flip",
            &figure,
            ratio_of(folds, most),
            "at most 1",
            folds <= most,
        );
    }

    async fn bisect_wide(&mut self) {
        let model = merge::model();
        let begun = Instant::now();
        let store = Arc::clone(self.daemon.store());
        let view = store.view().unwrap();
        let mut revisions = 0;
        for number in 0..STREAMS {
            let stream = StreamName::new(format!("order-{number}")).unwrap();
            let Some(info) = view.stream(&stream).unwrap() else {
                continue;
            };
            let mut folded = Folded::start(&model);
            view.for_each_event(&stream, Revision(1), info.revision, &mut |event| {
                folded.push(&model, &event);
                revisions += 1;
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
            black_box(folded);
        }
        drop(view);
        let plain = begun.elapsed();
        let body = json!({"category": "order", "predicate": "state.total == 77777", "all": true});
        let begun = Instant::now();
        black_box(self.text("POST", "/v1/bisect", Some(body), false).await);
        let wide = begun.elapsed();
        let ratio = wide.as_secs_f64() / plain.as_secs_f64();
        let what = format!("bisect of a category, {revisions} revisions, against a fold");
        let figure = format!("{wide:.0?} / {plain:.0?}");
        self.table
            .row(&what, &figure, ratio, "at most 2", ratio <= 2.0);
    }

    async fn find(&mut self) {
        let page = format!("/v1/events?q={}&limit=100", segment("actor:job:rare"));
        self.timed(&page).await;
        let mut times = Vec::new();
        for _ in 0..9 {
            times.push(self.timed(&page).await);
        }
        let indexed = percentile(times, 50);
        let scan = format!(
            "/v1/events?q={}",
            segment("where:event.actor == \"job:rare\"")
        );
        let begun = Instant::now();
        black_box(self.text("GET", &scan, None, true).await);
        let scanned = begun.elapsed();
        let ratio = scanned.as_secs_f64() / indexed.as_secs_f64();
        let figure = format!("{scanned:.0?} / {indexed:.0?}");
        self.table.row(
            "scan against the first page by an index",
            &figure,
            ratio,
            "from 100",
            ratio >= 100.0,
        );
        self.cancelled(&scan).await;
    }

    async fn opened(&self, path: &str) -> Option<BodyDataStream> {
        let response = self.send("GET", path, None, true).await;
        let taken = response.status() != StatusCode::SERVICE_UNAVAILABLE;
        taken.then(|| response.into_body().into_data_stream())
    }

    /// How long a scan goes on once its client has left: until its place among the searches is free.
    async fn cancelled(&mut self, scan: &str) {
        // Searches that are begun and not read do no work, and have their places.
        let mut waiting = Vec::new();
        for _ in 1..FINDS_MAX {
            waiting.push(self.opened(scan).await.unwrap());
        }
        let mut worst = Duration::ZERO;
        for round in 0..10_u64 {
            let Some(mut body) = self.opened(scan).await else {
                break;
            };
            let reading = tokio::spawn(async move { while body.next().await.is_some() {} });
            tokio::time::sleep(Duration::from_millis(3 + 7 * round)).await;
            if reading.is_finished() {
                break;
            }
            let begun = Instant::now();
            reading.abort();
            while self.opened(scan).await.is_none() {
                tokio::task::yield_now().await;
            }
            worst = worst.max(begun.elapsed());
        }
        let ratio = worst.as_secs_f64() / 0.05;
        let figure = format!("{worst:.1?}");
        self.table.row(
            "a scan after it was cancelled, against 50 ms",
            &figure,
            ratio,
            "at most 1",
            ratio <= 1.0,
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is rounded anyway")]
fn ratio_of(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
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
    let sizes = [100, (events / 100).max(200), events.max(400)];
    let folder = tempfile::tempdir().unwrap();
    let store = LoggedStore::open(folder.path(), StoreOptions::Relaxed).unwrap();
    for size in sizes {
        fill(&store, &format!("bench{size}-1"), size, 1).await;
    }
    fill(&store, "order", events, STREAMS).await;
    store.close().await.unwrap();
    drop(store);
    let store = LoggedStore::open(folder.path(), StoreOptions::Durable).unwrap();
    let daemon = Daemon::open(Config::default(), Arc::new(store));
    let router = http::router(&daemon);
    let mut bench = Bench {
        daemon,
        router,
        table: Table::default(),
        events,
    };
    let before = bench.daemon.store().stats().unwrap().file_bytes;
    println!(
        "{} events in one stream, and as many in {STREAMS} others; goals are those for 1,000,000\n",
        bench.events
    );
    println!(
        "{:<46} {:<30} {:>12}  {:<12} reached",
        "", "", "ratio", "goal"
    );
    bench.states(sizes).await;
    bench.blame(sizes[2]).await;
    bench.snapshots(before);
    bench.bisect(sizes[2]).await;
    bench.bisect_wide().await;
    bench.find().await;
    let head = bench.daemon.store().head().borrow().position;
    assert!(head > Position::ZERO);
    println!("\ngoals that were not reached: {}", bench.table.0);
    bench.daemon.close().await.unwrap();
}
