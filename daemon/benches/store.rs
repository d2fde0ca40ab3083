//! Durable appends per second through the store, from one writer and from 64, each beside plain redb in the same run: one
//! durable commit per event for the one, a bare group commit of the same bytes for the 64; and beside the store on a plain file of the
//! engine, which shows what checked pages and the noted head cost.
//!
//! `cargo bench -p whodunit-daemon --bench store`, about a minute. The files lie in the system's temporary folder: set
//! `TMPDIR` to measure another disk.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{Database, TableDefinition};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::redb::{RedbStore, StoreOptions};
use whodunit_daemon::store::{Append, Store};

const WRITERS: usize = 64;
const ROUNDS: usize = 5;
/// How long each of the six is measured in a round.
const SLICE: Duration = Duration::from_secs(2);
/// As many as the store's own writer takes into one commit.
const GROUP_MAX: usize = 512;

const LOG: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("log");

/// The `n`-th event of a writer, as an application would send it.
fn event(writer: usize, n: u64) -> Append {
    let data = json!({"order": n, "customer": format!("customer-{}", n % 997), "total": n * 7 % 10_000, "currency": "EUR",
        "note": "a few words of text, as there are in every event of a real system"});
    let mut event = NewEvent::new("OrderPlaced", data);
    event.event_id = Some(format!("0195d3a1-7c2e-7000-{writer:04}-{n:012}"));
    event.actor = Some("shop".to_owned());
    event.correlation_id = Some(format!("checkout-{writer}-{n}"));
    let stream = StreamName::new(format!("order-{writer}")).unwrap();
    let at = Timestamp::from_micros(1_741_000_000_000_000);
    Append::facts(stream, ExpectedRevision::Any, vec![event], at)
}

/// What the store keeps of that event in its log, without any index: the bytes that plain redb is given.
fn bytes(append: &Append) -> Vec<u8> {
    let event = &append.events[0];
    let texts = [
        append.stream.as_str(),
        event.event_id.as_deref().unwrap_or_default(),
        &event.event_type,
        event.actor.as_deref().unwrap_or_default(),
        event.correlation_id.as_deref().unwrap_or_default(),
        event.data.as_str(),
    ];
    let mut bytes = vec![1; 21];
    for text in texts {
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// Lets writers write, each one event after another, for as long as a slice lasts; events per second.
async fn per_second<W: Future<Output = ()> + Send>(
    writers: usize,
    write: impl Fn(Append) -> W + Clone + Send + 'static,
) -> f64 {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for writer in 0..writers {
        let write = write.clone();
        running.spawn(async move {
            let mut n = 0;
            while start.elapsed() < SLICE {
                write(event(writer, n)).await;
                n += 1;
            }
            n
        });
    }
    rate(running.join_all().await.into_iter().sum(), start)
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn rate(written: u64, since: Instant) -> f64 {
    written as f64 / since.elapsed().as_secs_f64()
}

fn plain(path: &Path) -> Database {
    Database::builder()
        .set_cache_size(128 << 20)
        .create(path)
        .unwrap()
}

/// Plain redb, a thread and a queue: group commit and nothing else.
struct Group {
    queue: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    thread: JoinHandle<()>,
}

impl Group {
    fn start(database: Database) -> Self {
        let (queue, mut waiting) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>(4096);
        let thread = std::thread::spawn(move || {
            let mut position = 0;
            while let Some(first) = waiting.blocking_recv() {
                let mut group = vec![first];
                while group.len() < GROUP_MAX
                    && let Ok(next) = waiting.try_recv()
                {
                    group.push(next);
                }
                position = commit(&database, position, group.iter().map(|(bytes, _)| bytes));
                for (_, done) in group {
                    done.send(()).unwrap();
                }
            }
        });
        Self { queue, thread }
    }

    fn stop(self) {
        drop(self.queue);
        self.thread.join().unwrap();
    }
}

/// One durable commit; the last position.
fn commit<'a>(
    database: &Database,
    mut position: u64,
    records: impl Iterator<Item = &'a Vec<u8>>,
) -> u64 {
    let txn = database.begin_write().unwrap();
    {
        let mut log = txn.open_table(LOG).unwrap();
        for record in records {
            position += 1;
            log.insert(position, record.as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
    position
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Plain redb, one writer: one durable commit per event, without a thread or a queue between.
fn plain_one(path: &Path) -> f64 {
    let database = plain(path);
    let (start, mut position) = (Instant::now(), 0);
    while start.elapsed() < SLICE {
        let record = bytes(&event(0, position));
        position = commit(&database, position, std::iter::once(&record));
    }
    rate(position, start)
}

/// Plain redb, many writers who share commits.
async fn plain_many(path: &Path) -> f64 {
    let group = Group::start(plain(path));
    let queue = group.queue.clone();
    let figure = per_second(WRITERS, move |append| {
        let queue = queue.clone();
        async move {
            let (done, wait) = oneshot::channel();
            queue.send((bytes(&append), done)).await.unwrap();
            wait.await.unwrap();
        }
    })
    .await;
    group.stop();
    figure
}

/// Whether the store's pages are checked, as they are, or lie in a plain file of the engine.
#[derive(Clone, Copy, PartialEq)]
enum Pages {
    Checked,
    Plain,
}

fn store(place: &Path, pages: Pages) -> RedbStore {
    if pages == Pages::Checked {
        return RedbStore::open(place, StoreOptions::Durable).unwrap();
    }
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    let backend = FileBackend::new(options.open(place).unwrap()).unwrap();
    RedbStore::open_backend(backend, StoreOptions::Durable).unwrap()
}

async fn through_the_store(place: &Path, pages: Pages, writers: usize) -> f64 {
    let store = Arc::new(store(place, pages));
    let writer = Arc::clone(&store);
    let figure = per_second(writers, move |append| {
        let done = writer.append(append);
        async { drop(done.await.unwrap()) }
    })
    .await;
    store.close().await.unwrap();
    figure
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let mut figures: [Vec<f64>; 6] = Default::default();
    let folder = tempfile::tempdir().unwrap();
    println!(
        "durable appends per second in {}, one event each, median of {ROUNDS} rounds of {} s\n",
        std::env::temp_dir().display(),
        SLICE.as_secs()
    );
    for round in 0..ROUNDS {
        // New files every round, in turn: neither gets the quieter disk or the smaller file.
        let place = |name: &str| folder.path().join(format!("{name}-{round}"));
        figures[0].push(plain_one(&place("plain-one")));
        figures[1].push(through_the_store(&place("store-one"), Pages::Checked, 1).await);
        figures[4].push(through_the_store(&place("unchecked-one"), Pages::Plain, 1).await);
        figures[2].push(plain_many(&place("plain-many")).await);
        figures[3].push(through_the_store(&place("store-many"), Pages::Checked, WRITERS).await);
        figures[5].push(through_the_store(&place("unchecked-many"), Pages::Plain, WRITERS).await);
    }
    let names = [
        "1 writer, plain redb, one commit per event".to_owned(),
        "1 writer, the store".to_owned(),
        format!("{WRITERS} writers, plain redb, group commit"),
        format!("{WRITERS} writers, the store"),
        "1 writer, the store without checked pages".to_owned(),
        format!("{WRITERS} writers, the store without checked pages"),
    ];
    println!("{:<46} {:>10} {:>10} {:>10}", "", "median", "least", "most");
    for (name, values) in names.iter().zip(&figures) {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        let median = median(values);
        println!("{name:<46} {median:>10.0} {least:>10.0} {most:>10.0}");
    }
    let ratio = |of: usize, to: usize| median(&figures[of]) / median(&figures[to]);
    println!(
        "\nthe store reaches {:.2} of plain redb with 1 writer, {:.2} with {WRITERS}; {WRITERS} writers together reach {:.1} times one",
        ratio(1, 0),
        ratio(3, 2),
        ratio(3, 1)
    );
    println!(
        "with checked pages it reaches {:.2} of what it does without them with 1 writer, {:.2} with {WRITERS}",
        ratio(1, 4),
        ratio(3, 5)
    );
}
