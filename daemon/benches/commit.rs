//! Durable single-event appends through the logged store, from one caller and from 64, each beside the limit in the same run:
//! a bare file, made ahead and filled with zeros, that takes the same bytes and one `fdatasync` for each commit.
//!
//! `cargo bench -p whodunit-daemon --bench commit`, about 45 seconds. The files lie in the system's temporary folder: set
//! `TMPDIR` to measure another disk. On a machine that does other work, an ordinary process that waits for the disk waits for
//! its turn on a processor as well, up to a tick of the scheduler: run the built program under `chrt -f 1` then, with `--bench`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, Store};

const CALLERS: usize = 64;
const ROUNDS: usize = 5;
/// How long each of the four is measured in a round.
const SLICE: Duration = Duration::from_secs(2);
/// As many as share a commit of the store at most.
const GROUP_MAX: usize = 512;
/// Bytes of the bare file; it begins again at its start.
const FILE_BYTES: usize = 64 << 20;

/// The `n`-th event of a caller, as an application would send it, with the revision it expects.
fn event(caller: usize, n: u64) -> Append {
    let data = json!({"order": n, "customer": format!("customer-{}", n % 997), "total": n * 7 % 10_000, "currency": "EUR",
        "note": "a few words of text, as there are in every event of a real system"});
    let mut event = NewEvent::new("OrderPlaced", data);
    event.event_id = Some(format!("0195d3a1-7c2e-7000-{caller:04}-{n:012}"));
    event.actor = Some("shop".to_owned());
    event.correlation_id = Some(format!("checkout-{caller}-{n}"));
    let stream = StreamName::new(format!("order-{caller}")).unwrap();
    let at = Timestamp::from_micros(1_741_000_000_000_000);
    let expected = ExpectedRevision::Exact(Revision(n));
    Append::facts(stream, expected, vec![event], at)
}

/// What a log has to keep of that event: the bytes that the bare file is given.
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

/// What was measured of one slice.
struct Figures {
    per_second: f64,
    /// Of one append, in microseconds.
    p50: f64,
    p99: f64,
}

fn figures(mut times: Vec<Duration>, since: Instant) -> Figures {
    let seconds = since.elapsed().as_secs_f64();
    times.sort_unstable();
    let at =
        |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e6;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_second = times.len() as f64 / seconds;
    Figures {
        per_second,
        p50: at(50),
        p99: at(99),
    }
}

/// Lets callers write, each one event after another, for as long as a slice lasts.
async fn measured<W: Future<Output = ()> + Send>(
    callers: usize,
    write: impl Fn(Append) -> W + Clone + Send + 'static,
) -> Figures {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for caller in 0..callers {
        let write = write.clone();
        running.spawn(async move {
            let mut times = Vec::new();
            while start.elapsed() < SLICE {
                let append = event(caller, times.len() as u64);
                let before = Instant::now();
                write(append).await;
                times.push(before.elapsed());
            }
            times
        });
    }
    let times = running.join_all().await.concat();
    figures(times, start)
}

/// A file that was made ahead: a write goes to zeros that are on the disk already.
struct Bare {
    file: File,
    end: usize,
}

impl Bare {
    fn new(path: &Path) -> Self {
        let mut file = File::create(path).unwrap();
        for _ in 0..FILE_BYTES >> 20 {
            file.write_all(&vec![0; 1 << 20]).unwrap();
        }
        file.sync_all().unwrap();
        Self { file, end: 0 }
    }

    fn commit(&mut self, bytes: &[u8]) {
        if self.end + bytes.len() > FILE_BYTES {
            self.end = 0;
        }
        self.file.write_all_at(bytes, self.end as u64).unwrap();
        self.file.sync_data().unwrap();
        self.end += bytes.len();
    }
}

/// One caller: one commit per event, without a thread or a queue between.
fn bare_one(path: &Path) -> Figures {
    let mut bare = Bare::new(path);
    let (start, mut times) = (Instant::now(), Vec::new());
    while start.elapsed() < SLICE {
        let append = event(0, times.len() as u64);
        let before = Instant::now();
        bare.commit(&bytes(&append));
        times.push(before.elapsed());
    }
    figures(times, start)
}

/// A thread and a queue: group commit and nothing else.
struct BareGroup {
    queue: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    thread: JoinHandle<()>,
}

impl BareGroup {
    fn start(mut bare: Bare) -> Self {
        let (queue, mut waiting) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>(4096);
        let thread = std::thread::spawn(move || {
            while let Some((mut bytes, to)) = waiting.blocking_recv() {
                let mut group = vec![to];
                while group.len() < GROUP_MAX
                    && let Ok((more, to)) = waiting.try_recv()
                {
                    bytes.extend(more);
                    group.push(to);
                }
                bare.commit(&bytes);
                for to in group {
                    to.send(()).unwrap();
                }
            }
        });
        Self { queue, thread }
    }
}

async fn bare_many(path: &Path) -> Figures {
    let group = BareGroup::start(Bare::new(path));
    let queue = group.queue.clone();
    let found = measured(CALLERS, move |append| {
        let queue = queue.clone();
        async move {
            let (done, wait) = oneshot::channel();
            queue.send((bytes(&append), done)).await.unwrap();
            wait.await.unwrap();
        }
    })
    .await;
    drop(group.queue);
    group.thread.join().unwrap();
    found
}

async fn through_the_store(folder: &Path, callers: usize) -> Figures {
    let store = Arc::new(LoggedStore::open(folder, StoreOptions::Durable).unwrap());
    let caller = Arc::clone(&store);
    let found = measured(callers, move |append| {
        let done = caller.append(append);
        async { drop(done.await.unwrap()) }
    })
    .await;
    store.close().await.unwrap();
    found
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How much of the last ten seconds processes waited for a processor, as the kernel says it.
fn pressure() -> String {
    let text = std::fs::read_to_string("/proc/pressure/cpu").unwrap_or_default();
    let some = text.split_whitespace().nth(1).unwrap_or("unknown");
    some.replace("avg10=", "") + " %"
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let mut found: [Vec<Figures>; 4] = Default::default();
    let folder = tempfile::tempdir().unwrap();
    println!(
        "durable appends in {}, one event each with the revision it expects, median of {ROUNDS} rounds of {} s\n\
         processes waited for a processor {} of the time before\n",
        std::env::temp_dir().display(),
        SLICE.as_secs(),
        pressure()
    );
    for round in 0..ROUNDS {
        // New files every round, in turn: neither gets the quieter disk or the smaller file.
        let place = |name: &str| folder.path().join(format!("{name}-{round}"));
        found[0].push(bare_one(&place("bare-one")));
        found[1].push(through_the_store(&place("store-one"), 1).await);
        found[2].push(bare_many(&place("bare-many")).await);
        found[3].push(through_the_store(&place("store-many"), CALLERS).await);
    }
    println!(
        "{:<36} {:>12} {:>10} {:>10}",
        "", "per second", "p50 µs", "p99 µs"
    );
    let names = [
        "1 caller, bare file",
        "1 caller, the store",
        "64 callers, bare file",
        "64 callers, the store",
    ];
    for (name, rounds) in names.iter().zip(&found) {
        println!(
            "{name:<36} {:>12.0} {:>10.0} {:>10.0}",
            median(rounds.iter().map(|round| round.per_second)),
            median(rounds.iter().map(|round| round.p50)),
            median(rounds.iter().map(|round| round.p99)),
        );
    }
    let ratio = |of: usize, to: usize| {
        let rounds = found[of].iter().zip(&found[to]);
        median(rounds.map(|(of, to)| of.per_second / to.per_second))
    };
    println!(
        "\nof the bare file, the store reaches {:.2} with 1 caller, {:.2} with {CALLERS} (medians of the rounds' ratios); processes waited {}",
        ratio(1, 0),
        ratio(3, 2),
        pressure()
    );
}
