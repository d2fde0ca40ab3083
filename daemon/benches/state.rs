//! State at the last and at a random revision of a 10,000-event stream, beside a plain fold of the same events in memory
//! and beside the same reads without snapshots, all in one run.
//!
//! `cargo bench -p whodunit-daemon --bench state`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::fold::fold;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::merge;
use whodunit_core::model::Model;
use whodunit_core::time::Timestamp;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, Direction, Store};
use whodunit_daemon::time_travel::TimeTravel;

const EVENTS: u64 = 10_000;
const READS: usize = 300;
const ROUNDS: usize = 3;

/// A small generator (`SplitMix64`), so that every run reads the same revisions.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

fn percentile(times: &mut [Duration], part: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * part / 100]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Times `read` on each revision; p50 and p99 in microseconds.
fn time(revisions: &[u64], mut read: impl FnMut(u64)) -> (f64, f64) {
    let mut times: Vec<Duration> = revisions
        .iter()
        .map(|&revision| {
            let start = Instant::now();
            read(revision);
            start.elapsed()
        })
        .collect();
    (
        micros(percentile(&mut times, 50)),
        micros(percentile(&mut times, 99)),
    )
}

async fn fill(store: &LoggedStore, stream: &StreamName) {
    let mut random = Random(1);
    for batch in 0..EVENTS / 100 {
        let events = (0..100)
            .map(|n| {
                let field = format!("field_{}", random.next() % 28);
                let data = json!({field: format!("value-{}", random.next()), "counter": batch * 100 + n, "note": "a few words of text in every event"});
                let mut event = NewEvent::new("FieldSet", data);
                event.event_id = Some(format!("{batch}-{n}"));
                event
            })
            .collect();
        let at = Timestamp::from_micros(1_741_000_000_000_000);
        store
            .append(Append::facts(
                stream.clone(),
                ExpectedRevision::Any,
                events,
                at,
            ))
            .await
            .unwrap();
    }
}

/// Reads through time travel; every read opens its own view, as a request does.
fn travel(
    store: &LoggedStore,
    travel: &TimeTravel,
    model: &Model,
    stream: &StreamName,
    revision: u64,
) {
    let view = store.view().unwrap();
    black_box(
        travel
            .state(view.as_ref(), model, stream, Revision(revision))
            .unwrap(),
    );
}

#[expect(clippy::too_many_lines, reason = "one run, from top to bottom")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LoggedStore::open(folder.path(), StoreOptions::Relaxed).unwrap());
    let stream = StreamName::new("bench-1").unwrap();
    fill(&store, &stream).await;
    let model = merge::model();
    let view = store.view().unwrap();
    let events = view
        .stream_events(&stream, Revision(1), Direction::Forward, 10_000)
        .unwrap();
    drop(view);

    let mut random = Random(7);
    let anywhere: Vec<u64> = (0..READS).map(|_| 1 + random.next() % EVENTS).collect();
    let last = vec![EVENTS; READS];
    // Without snapshots: a model of other rules finds none and leaves its own aside.
    let cold = |revision: u64| {
        let view = store.view().unwrap();
        let mut folded = whodunit_core::fold::Folded::start(&model);
        view.for_each_event(&stream, Revision(1), Revision(revision), &mut |event| {
            folded.push(&model, &event);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        black_box(folded);
    };
    let time_travel = TimeTravel::start(Arc::clone(&store) as Arc<dyn Store>);
    // The first reads leave the snapshots behind; the queue is bounded, so a few passes may be needed.
    let mut snapshots = u64::MAX;
    while store.stats().unwrap().snapshots != snapshots {
        snapshots = store.stats().unwrap().snapshots;
        for revision in (0..=EVENTS).step_by(500) {
            travel(&store, &time_travel, &model, &stream, revision);
            time_travel.settled().await;
        }
    }
    println!(
        "{EVENTS} events, {snapshots} snapshots, {READS} reads a figure, microseconds, median of {ROUNDS} rounds\n"
    );
    println!("{:<44} {:>10} {:>10}", "", "p50", "p99");
    let few = &anywhere[..30];
    let mut rows: Vec<(&str, Vec<(f64, f64)>)> = [
        "plain fold in memory, last revision",
        "plain fold in memory, random revision",
        "from the store without snapshots, random",
        "time travel, last revision",
        "time travel, random revision",
    ]
    .map(|name| (name, Vec::new()))
    .to_vec();
    for _ in 0..ROUNDS {
        let in_memory = |revision: u64| {
            let upto = usize::try_from(revision).unwrap();
            black_box(fold(&model, &events[..upto]));
        };
        rows[0].1.push(time(&last[..30], in_memory));
        rows[1].1.push(time(few, in_memory));
        rows[2].1.push(time(few, cold));
        rows[3].1.push(time(&last, |revision| {
            travel(&store, &time_travel, &model, &stream, revision);
        }));
        rows[4].1.push(time(&anywhere, |revision| {
            travel(&store, &time_travel, &model, &stream, revision);
        }));
    }
    let median = |values: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = values.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let mut figures = Vec::new();
    for (name, values) in &rows {
        let (p50, p99) = (median(values, |v| v.0), median(values, |v| v.1));
        println!("{name:<44} {p50:>10.1} {p99:>10.1}");
        figures.push(p50);
    }
    println!(
        "\ntime travel at a random revision takes {:.4} of a plain fold of the whole stream, {:.4} of the same read without snapshots",
        figures[4] / figures[0],
        figures[4] / figures[2]
    );
    store.close().await.unwrap();
}
