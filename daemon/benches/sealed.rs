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

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};

use whodunit_daemon::store::{Append, Direction, LogFilter, Store};

const EVENTS: u64 = 1_000_000;
const STREAMS: u64 = 100;
/// Events of an append while the log is filled.
const BATCH: u64 = 20;
/// Events when the pace is measured first.
const EARLY: u64 = 10_000;
/// Appends of one event each whose times are taken.
const TIMED: usize = 2_000;

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

    /// An id as applications make them: the time first, then random digits.
    fn id(&mut self, micros: u64) -> String {
        let (millis, one, two) = (micros / 1000, self.next(), self.next());
        format!(
            "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
            millis >> 16,
            millis & 0xffff,
            one & 0xfff,
            0x8000 | (one >> 16 & 0x3fff),
            two & 0xffff_ffff_ffff
        )
    }
}

/// Makes the events of a shop, one append after another.
struct Shop {
    random: Random,
    streams: u64,
    micros: u64,
    correlation: String,
    payload: u64,
}

impl Shop {
    fn append(&mut self, events: u64) -> Append {
        let stream = 1 + self.random.below(self.streams);
        self.append_to(stream, events)
    }

    fn append_to(&mut self, stream: u64, events: u64) -> Append {
        let events = (0..events).map(|_| self.event()).collect();
        let at = Timestamp::from_micros(self.micros.cast_signed());
        let stream = StreamName::new(format!("order-{stream}")).unwrap();
        Append::facts(stream, ExpectedRevision::Any, events, at)
    }

    fn event(&mut self) -> NewEvent {
        self.micros += 1 + self.random.below(200_000);
        if self.random.below(3) == 0 {
            self.correlation = self.random.id(self.micros);
        }
        let n = self.random.below(1 << 40);
        let notes = [
            "leave it at the door",
            "call before delivery",
            "a gift, without the invoice",
        ];
        let note = notes[usize::try_from(n % 3).unwrap()];
        let data = json!({"order": n, "customer": format!("customer-{}", n % 99_991), "total": n % 100_003, "currency": "EUR",
            "lines": [{"sku": format!("SKU-{:05}", n % 5_003), "count": 1 + n % 7, "price": n % 9_973}],
            "note": note});
        self.payload += data.to_string().len() as u64;
        let kind = ["OrderPlaced", "ItemAdded", "OrderPaid", "OrderSent"];
        let mut event = NewEvent::new(kind[usize::try_from(n % 4).unwrap()], data);
        event.event_id = Some(self.random.id(self.micros));
        event.actor = Some(format!("clerk:{}", n % 53));
        event.correlation_id = Some(self.correlation.clone());
        event.recorded_at = Some(Timestamp::from_micros(self.micros.cast_signed()));
        event
    }
}

async fn fill(store: &LoggedStore, shop: &mut Shop, up_to: u64) {
    let mut running = std::collections::VecDeque::new();
    while store.head().borrow().position.0 < up_to {
        let left = up_to - store.head().borrow().position.0;
        running.push_back(store.append(shop.append(left.min(BATCH))));
        if running.len() >= 64 {
            drop(running.pop_front().unwrap().await.unwrap());
        }
    }
    for append in running {
        drop(append.await.unwrap());
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

async fn timed(store: &LoggedStore, shop: &mut Shop) -> f64 {
    let mut times = Vec::new();
    for _ in 0..TIMED {
        let append = shop.append(1);
        let before = Instant::now();
        drop(store.append(append).await.unwrap());
        times.push(before.elapsed());
    }
    median(times)
}

/// What a file or a folder takes on disk: a file may be longer than what of it was ever written.
fn bytes_of(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.map(|entry| bytes_of(&entry.unwrap().path())).sum();
    }
    path.metadata().unwrap().blocks() * 512
}

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
    let mut shop = Shop {
        random: Random(1),
        streams,
        micros: 1_741_000_000_000_000,
        correlation: String::new(),
        payload: 0,
    };
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
}
