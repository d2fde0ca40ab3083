//! The events of a shop, and what benches of large logs have in common.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::LoggedStore;
use whodunit_daemon::store::{Append, Store};

/// Events of an append while the log is filled.
const BATCH: u64 = 20;
/// Appends of one event each whose times are taken.
const TIMED: usize = 2_000;

/// Random numbers by splitmix64, the same on every run.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
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
#[derive(Debug)]
pub(crate) struct Shop {
    random: Random,
    streams: u64,
    micros: u64,
    correlation: String,
    /// Bytes of payload so far.
    pub(crate) payload: u64,
}

impl Shop {
    /// One with so many streams.
    pub(crate) fn new(streams: u64) -> Self {
        Self {
            random: Random(1),
            streams,
            micros: 1_741_000_000_000_000,
            correlation: String::new(),
            payload: 0,
        }
    }

    pub(crate) fn append(&mut self, events: u64) -> Append {
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

/// Fills a store up to so many events.
pub(crate) async fn fill(store: &LoggedStore, shop: &mut Shop, up_to: u64) {
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

/// Their median, in microseconds.
pub(crate) fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// The median time of appends of one event each, one after the other, in microseconds.
pub(crate) async fn timed(store: &LoggedStore, shop: &mut Shop) -> f64 {
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
pub(crate) fn bytes_of(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.map(|entry| bytes_of(&entry.unwrap().path())).sum();
    }
    path.metadata().unwrap().blocks() * 512
}
