//! What a log of a million events takes on disk, how it is read once it is sealed, and whether appends keep their pace as it
//! grows.
//!
//! `cargo bench -p whodunit-daemon --bench sealed [-- EVENTS STREAMS]`, a minute or two for 1,000,000 events in 100 streams. Every
//! index is on, as it always is. The files lie in the system's temporary folder: set `TMPDIR` to measure another disk.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

mod shop;
mod sizes;

use std::time::Instant;

use shop::{Random, Shop, bytes_of, fill, median, timed};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Direction, LogFilter, Store};

const EVENTS: u64 = 1_000_000;
const STREAMS: u64 = 100;
/// Events when the pace is measured first.
const EARLY: u64 = 10_000;

/// The median of a few times that something takes, in microseconds.
fn of_a_few<T>(mut act: impl FnMut() -> T) -> f64 {
    let times = (0..7).map(|_| {
        let before = Instant::now();
        drop(act());
        before.elapsed()
    });
    median(times.collect())
}

fn read(store: &LoggedStore) {
    let stream = StreamName::new("order-7").unwrap();
    let read = || {
        let view = store.view().unwrap();
        let all = (Revision(1), Direction::Forward, 10_000);
        view.stream_events(&stream, all.0, all.1, all.2).unwrap()
    };
    let count = read().len();
    println!(
        "{:>12.0} µs  the first {count} events of a stream",
        of_a_few(read)
    );
    let mut random = Random(5);
    let head = store.head().borrow().position.0;
    let single = || {
        let view = store.view().unwrap();
        let position = Position(1 + random.below(head));
        let event = view.event_at(position).unwrap().unwrap();
        view.event_by_id(&event.event_id).unwrap().unwrap()
    };
    println!(
        "{:>12.0} µs  an event by its position, and again by its id",
        of_a_few(single)
    );
    let mut filter = LogFilter::default();
    let page = |filter: &LogFilter| {
        let view = store.view().unwrap();
        let found = view.log(filter, None, Direction::Backward, 100, 50_000);
        found.unwrap().events.len()
    };
    println!(
        "{:>12.0} µs  the last 100 events of the log",
        of_a_few(|| page(&filter))
    );
    filter.correlation_id = Some("none that there is".to_owned());
    println!(
        "{:>12.0} µs  none of the whole log, by a correlation id",
        of_a_few(|| page(&filter))
    );
    filter = LogFilter {
        actor: Some("clerk:7".to_owned()),
        event_type: Some("OrderPaid".to_owned()),
        ..LogFilter::default()
    };
    println!(
        "{:>12.0} µs  100 events by actor and type",
        of_a_few(|| page(&filter))
    );
    let before = Instant::now();
    let (mut from, mut events) = (Some(Position(1)), 0);
    while let Some(position) = from {
        let all = LogFilter::default();
        let view = store.view().unwrap();
        let page = view.log(&all, Some(position), Direction::Forward, 1_000, 50_000);
        let page = page.unwrap();
        (from, events) = (page.next, events + page.events.len());
    }
    let seconds = before.elapsed().as_secs_f64();
    println!("{seconds:>12.2} s   the whole log, {events} events");
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u64>().ok());
    let (events, streams) = (
        numbers.next().unwrap_or(EVENTS),
        numbers.next().unwrap_or(STREAMS),
    );
    let folder = tempfile::tempdir().unwrap();
    let mut shop = Shop::new(streams);
    let store = LoggedStore::open(folder.path(), StoreOptions::Durable).unwrap();
    fill(&store, &mut shop, EARLY.min(events)).await;
    let early = timed(&store, &mut shop).await;
    let start = Instant::now();
    fill(&store, &mut shop, events).await;
    let seconds = start.elapsed().as_secs_f64();
    let late = timed(&store, &mut shop).await;
    store.close().await.unwrap();
    drop(store);
    let before = Instant::now();
    let store = LoggedStore::open(folder.path(), StoreOptions::Durable).unwrap();
    let opened = before.elapsed();
    let file = bytes_of(&folder.path().join("events.redb"));
    let log = bytes_of(&folder.path().join("log"));
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let of_payload = |bytes: u64| bytes as f64 / shop.payload as f64;
    println!(
        "{events} events in {streams} streams, {} bytes of payload each; filled in {seconds:.1} s, opened in {opened:.1?}\n\
         {:.2} bytes on disk per byte of payload in events.redb, and {} MiB of write-ahead log whatever its size\n\
         {early:.0} µs an append at {EARLY} events, {late:.0} µs at {events}: {:.2} times as long (medians)\n",
        shop.payload / store.head().borrow().position.0,
        of_payload(file),
        log >> 20,
        late / early,
    );
    read(&store);
    store.close().await.unwrap();
    drop(store);
    sizes::print(folder.path(), events, shop.payload);
}
