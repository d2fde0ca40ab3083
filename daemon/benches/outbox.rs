//! What the outbox costs and how fast it is: durable appends with a job for each event beside the same appends without, and
//! how long a backlog of jobs takes a handler that has nothing to do.
//!
//! `cargo bench -p whodunit-daemon --bench outbox`, about two minutes. The files lie in the system's temporary folder: set
//! `TMPDIR` to measure another disk.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;
use whodunit_daemon::outbox::{Delivery, EventPattern, Handler, HandlerError, Handlers};
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, BoxFuture, NewJob, Store};
use whodunit_daemon::{Config, Daemon};

const WRITERS: usize = 64;
const ROUNDS: usize = 5;
/// How long each kind of append is measured in a round.
const SLICE: Duration = Duration::from_secs(2);
/// Jobs of a backlog.
const BACKLOG: u64 = 10_000;

/// A handler that has nothing to do, and counts.
struct Nothing {
    takes: [EventPattern; 1],
    done: watch::Sender<u64>,
}

impl Handler for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn kind(&self) -> &'static str {
        "bench"
    }

    fn target(&self) -> String {
        "nowhere".to_owned()
    }

    fn takes(&self) -> &[EventPattern] {
        &self.takes
    }

    fn handle(&self, _delivery: Delivery) -> BoxFuture<Result<(), HandlerError>> {
        self.done.send_modify(|done| *done += 1);
        Box::pin(async { Ok(()) })
    }
}

fn append(stream: String, n: u64, job: bool) -> Append {
    let data = json!({"order": n, "customer": format!("customer-{}", n % 997), "total": n * 7 % 10_000, "currency": "EUR"});
    let mut event = NewEvent::new("OrderPlaced", data);
    event.event_id = Some(format!("{stream}/{n}"));
    event.actor = Some("shop".to_owned());
    let stream = StreamName::new(stream).unwrap();
    let at = Timestamp::from_micros(1_741_000_000_000_000);
    let mut append = Append::facts(stream, ExpectedRevision::Any, vec![event], at);
    if job {
        append.jobs = vec![NewJob {
            event: 0,
            handler: "nothing".to_owned(),
        }];
    }
    append
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn rate(n: u64, took: Duration) -> f64 {
    n as f64 / took.as_secs_f64()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Appends per second of many writers, each event with a job or without. No worker handles the jobs.
async fn appends(folder: &Path, job: bool) -> f64 {
    let store: Arc<dyn Store> = Arc::new(LoggedStore::open(folder, StoreOptions::Durable).unwrap());
    let start = Instant::now();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let mut n = 0;
            while start.elapsed() < SLICE {
                store
                    .append(append(format!("order-{writer}"), n, job))
                    .await
                    .unwrap();
                n += 1;
            }
            n
        });
    }
    let figure = rate(writers.join_all().await.into_iter().sum(), start.elapsed());
    store.close().await.unwrap();
    figure
}

/// Jobs per second of a backlog, of as many streams, each completed durably.
async fn backlog(folder: &Path, streams: u64) -> f64 {
    let store: Arc<dyn Store> = Arc::new(LoggedStore::open(folder, StoreOptions::Durable).unwrap());
    for from in (0..BACKLOG).step_by(1_000) {
        let waiting: Vec<_> = (from..from + 1_000)
            .map(|n| store.append(append(format!("order-{}", n % streams), n, true)))
            .collect();
        for appended in waiting {
            appended.await.unwrap();
        }
    }
    let done = watch::Sender::new(0);
    let mut count = done.subscribe();
    let handler: Arc<dyn Handler> = Arc::new(Nothing {
        takes: [EventPattern::parse("*").unwrap()],
        done,
    });
    let config = Config {
        handlers: Handlers(vec![handler]),
        ..Config::default()
    };
    let start = Instant::now();
    let daemon = Daemon::open(config, store);
    count.wait_for(|done| *done >= BACKLOG).await.unwrap();
    let figure = rate(BACKLOG, start.elapsed());
    daemon.close().await.unwrap();
    figure
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut figures: [Vec<f64>; 4] = Default::default();
    for round in 0..ROUNDS {
        let place = |name: &str| folder.path().join(format!("{name}-{round}"));
        figures[0].push(appends(&place("without"), false).await);
        figures[1].push(appends(&place("with"), true).await);
        figures[2].push(backlog(&place("many"), 1_000).await);
        figures[3].push(backlog(&place("one"), 1).await);
    }
    let names = [
        format!("appends/s of {WRITERS} writers, no handler"),
        format!("appends/s of {WRITERS} writers, a job each"),
        format!("jobs/s of a backlog of {BACKLOG}, 1,000 streams"),
        format!("jobs/s of a backlog of {BACKLOG}, 1 stream"),
    ];
    println!("{:<46} {:>10} {:>10} {:>10}", "", "median", "least", "most");
    for (name, values) in names.iter().zip(&figures) {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        println!(
            "{name:<46} {:>10.0} {least:>10.0} {most:>10.0}",
            median(values)
        );
    }
    let ratio = |of: usize, to: usize| median(&figures[of]) / median(&figures[to]);
    println!(
        "\nwith a job for each event {:.2} of the appends without; a backlog is worked off at {:.2} of the rate it was made",
        ratio(1, 0),
        ratio(2, 1)
    );
}
