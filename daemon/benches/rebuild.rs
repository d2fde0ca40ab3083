//! A rebuild of `users` over a large log while commands arrive and queries are answered, beside a plain fold of the same log
//! in the same run; then the consistency check, and how soon a burst is caught up with.
//!
//! `cargo bench -p whodunit-daemon --bench rebuild [-- --events N]`

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use whodunit_core::api::write::CommandIn;
use whodunit_core::event::{ExpectedRevision, NewEvent};
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::time::Timestamp;
use whodunit_daemon::builtin::{self, BuiltIn};
use whodunit_daemon::passwords::Cost;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::store::{Append, Direction, LogFilter, Store};
use whodunit_daemon::{Config, Daemon, http};

const EVENTS: u64 = 1_000_000;
/// Events of a user, in appends of [`TOGETHER`], each round of appends going through all users.
const EVENTS_PER_USER: u64 = 10;
const TOGETHER: u64 = 2;
const FOLDS: usize = 3;
const BURST: u64 = 10_000;
const BURSTS: usize = 5;
const LONG: Duration = Duration::from_mins(10);

/// A small generator (`SplitMix64`), so that every run has the same history.
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

fn stream(user: u64) -> StreamName {
    StreamName::new(format!("user-{:016x}", Random(user).next())).unwrap()
}

fn event(random: &mut Random, user: u64, first: bool) -> NewEvent {
    let n = random.next() % 100_000;
    let mut event = match (first, n % 5) {
        (true, _) => NewEvent::new(
            "UserCreated",
            json!({"username": format!("name{user}"), "email": format!("name{user}@example.com"),
                "first_name": format!("First{}", n % 500), "last_name": format!("Last{n}"),
                "password_hash": format!("$argon2id$v=19$m=19456,t=2,p=1${n:040}${user:040}")}),
        ),
        (_, 0) => NewEvent::new("UserNameChanged", json!({"first_name": format!("F{n}")})),
        (_, 1) => NewEvent::new(
            "UserEmailChanged",
            json!({"email": format!("name{user}.{n}@example.com")}),
        ),
        (_, 2) => NewEvent::new(
            "UserPasswordChanged",
            json!({"password_hash": format!("$argon2id$v=19$m=19456,t=2,p=1${n:040}${user:040}")}),
        ),
        (_, 3) => NewEvent::new("UserSuspended", json!({})),
        (_, _) => NewEvent::new("UserReactivated", json!({})),
    };
    event.actor = Some("bench".to_owned());
    event
}

fn append(random: &mut Random, user: u64, first: bool, count: u64) -> Append {
    let events: Vec<_> = (0..count)
        .map(|n| event(random, user, first && n == 0))
        .collect();
    let at = Timestamp::from_micros(1_741_000_000_000_000);
    let mut append = Append::facts(stream(user), ExpectedRevision::Any, events, at);
    append.fresh_ids = (0..count)
        .map(|_| format!("{:016x}{:016x}", random.next(), random.next()))
        .collect();
    append
}

fn change_name(n: u64) -> CommandIn {
    let command = json!({"type": "ChangeName", "actor": "load", "payload": {"first_name": format!("Name {n}")}});
    serde_json::from_value(command).unwrap()
}

/// Submits appends a few hundred at a time, so that they share commits.
async fn submit(store: &dyn Store, appends: impl Iterator<Item = Append>) -> Position {
    let mut waiting = Vec::new();
    let mut last = Position::ZERO;
    for append in appends {
        waiting.push(store.append(append));
        if waiting.len() == 500 {
            for answer in waiting.drain(..) {
                last = answer.await.unwrap().position;
            }
        }
    }
    for answer in waiting {
        last = answer.await.unwrap().position;
    }
    last
}

/// Folds the whole log in memory, page by page.
fn plain_fold(daemon: &Daemon) -> (HashMap<StreamName, Folded>, u64, f64) {
    let start = Instant::now();
    let view = daemon.store().view().unwrap();
    let (all, mut next, mut events) = (LogFilter::default(), Some(Position(1)), 0);
    let mut states: HashMap<StreamName, Folded> = HashMap::new();
    while next.is_some() {
        let page = view
            .log(&all, next, Direction::Forward, 2_048, u64::MAX)
            .unwrap();
        for event in &page.events {
            let model = daemon.models().for_stream(&event.stream);
            if !states.contains_key(&event.stream) {
                states.insert(event.stream.clone(), Folded::start(model));
            }
            states.get_mut(&event.stream).unwrap().push(model, event);
        }
        events += page.events.len() as u64;
        next = page.next;
    }
    (states, events, per_second(events, start.elapsed()))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate does not need more digits"
)]
fn per_second(events: u64, time: Duration) -> f64 {
    events as f64 / time.as_secs_f64()
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

async fn get(app: &Router, path: &str) -> Value {
    let request = Request::get(path).header("host", "localhost");
    let response = app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    assert!(status.is_success(), "{path}: {status}");
    serde_json::from_slice(&body).unwrap()
}

/// Gives a hundred commands a second, and asks all the time; until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    writes: Arc<AtomicU64>,
    writer: tokio::task::JoinHandle<()>,
    reader: tokio::task::JoinHandle<Vec<f64>>,
}

impl Load {
    fn start(daemon: &Daemon, app: &Router, users: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let writes = Arc::new(AtomicU64::new(0));
        let writer = {
            let (stop, writes) = (Arc::clone(&stop), Arc::clone(&writes));
            let daemon = daemon.clone();
            tokio::spawn(async move {
                let mut random = Random(99);
                let mut tick = tokio::time::interval(Duration::from_millis(10));
                while !stop.load(Ordering::Relaxed) {
                    tick.tick().await;
                    let user = random.next() % users;
                    let command = change_name(random.next());
                    // Accepted or, of a user who is suspended or deleted, rejected: on record either way.
                    daemon
                        .commands()
                        .handle(stream(user), command)
                        .await
                        .unwrap();
                    writes.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let reader = {
            let (stop, app) = (Arc::clone(&stop), app.clone());
            tokio::spawn(async move {
                let mut random = Random(7);
                let mut times = Vec::new();
                let mut tick = tokio::time::interval(Duration::from_millis(5));
                while !stop.load(Ordering::Relaxed) {
                    tick.tick().await;
                    let user = random.next() % users;
                    let path = match user % 3 {
                        0 => format!("/v1/read-models/users/{}", stream(user)),
                        1 => format!("/v1/read-models/users?username=NAME{user}"),
                        _ => "/v1/read-models/users?sort=created_at&order=backward&limit=20"
                            .to_owned(),
                    };
                    let start = Instant::now();
                    get(&app, &path).await;
                    times.push(start.elapsed().as_secs_f64() * 1e3);
                }
                times
            })
        };
        Self {
            stop,
            writes,
            writer,
            reader,
        }
    }

    async fn end(self) -> (u64, Vec<f64>) {
        self.stop.store(true, Ordering::Relaxed);
        self.writer.await.unwrap();
        let mut times = self.reader.await.unwrap();
        times.sort_by(f64::total_cmp);
        (self.writes.load(Ordering::Relaxed), times)
    }
}

/// Every document of `users` beside the plain fold. Returns how many differ.
async fn different(app: &Router, states: &HashMap<StreamName, Folded>) -> (usize, usize) {
    let (mut seen, mut different) = (0, 0);
    let mut cursor = None;
    loop {
        let path = match &cursor {
            None => "/v1/read-models/users?limit=1000".to_owned(),
            Some(cursor) => format!("/v1/read-models/users?limit=1000&cursor={cursor}"),
        };
        let page = get(app, &path).await;
        for item in page["items"].as_array().unwrap() {
            let key = StreamName::new(item["key"].as_str().unwrap()).unwrap();
            let mut state = states[&key].state.clone();
            state.shift_remove("password_hash");
            let same = item["revision"] == json!(states[&key].revision)
                && item["document"] == Value::Object(state);
            seen += 1;
            different += usize::from(!same);
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return (seen, different),
        }
    }
}

fn events_wanted() -> u64 {
    let mut args = std::env::args();
    while let Some(arg) = args.next() {
        if arg == "--events" {
            return args.next().unwrap().parse().unwrap();
        }
    }
    EVENTS
}

#[expect(clippy::too_many_lines, reason = "one run, from top to bottom")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo test --benches` passes flags that ask for nothing to be measured.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    let wanted = events_wanted();
    let users = (wanted / EVENTS_PER_USER).max(1);
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(LoggedStore::open(folder.path(), StoreOptions::Relaxed).unwrap());
    let start = Instant::now();
    let mut random = Random(1);
    let rounds = EVENTS_PER_USER / TOGETHER;
    let history = (0..rounds * users).map(|n| append(&mut random, n % users, n < users, TOGETHER));
    let head = submit(store.as_ref(), history).await.0;
    println!(
        "{head} events of {users} users written in {:.1} s (seed 1)\n",
        start.elapsed().as_secs_f64()
    );

    let config = Config {
        models: builtin::models(&[BuiltIn::Users], Cost::Light).unwrap_or_default(),
        data: Some(folder.path().to_path_buf()),
        ..Config::default()
    };
    let start = Instant::now();
    let daemon = Daemon::open(config, store);
    let app = http::router(&daemon);
    let projections = Arc::clone(daemon.projections());
    for name in ["users", "states"] {
        projections.rebuilt(name).await.unwrap();
        let reached = projections
            .wait_for(name, Position(head), LONG)
            .await
            .unwrap();
        assert_eq!(reached.0, head);
    }
    println!(
        "both read models made for the first time, side by side: {:.1} s",
        start.elapsed().as_secs_f64()
    );

    let mut folds = Vec::new();
    for _ in 0..FOLDS {
        let (_, events, rate) = plain_fold(&daemon);
        assert_eq!(events, head);
        folds.push(rate);
    }
    let load = Load::start(&daemon, &app, users);
    let start = Instant::now();
    projections.rebuild("users").unwrap();
    projections.rebuilt("users").await.unwrap();
    let took = start.elapsed();
    let (writes, times) = load.end().await;
    let run = projections.status("users").unwrap().rebuild.unwrap();
    assert!(run.error.is_none(), "{run:?}");
    let (rebuilt, plain) = (per_second(run.done, took), median(folds.clone()));
    println!("plain folds of the log, events/s: {folds:.0?}, median {plain:.0}");
    println!(
        "rebuild of `users` over {} events: {:.2} s, {rebuilt:.0} events/s, {:.2} of a plain fold",
        run.done,
        took.as_secs_f64(),
        rebuilt / plain
    );
    println!(
        "meanwhile: {writes} commands ({:.0}/s), {} queries answered, median {:.2} ms, slowest {:.1} ms\n",
        per_second(writes, took),
        times.len(),
        times[times.len() / 2],
        times.last().unwrap()
    );

    let end = daemon.store().head().borrow().position;
    let reached = projections.wait_for("users", end, LONG).await.unwrap();
    assert_eq!(reached, end);
    let (states, _, _) = plain_fold(&daemon);
    let (seen, differ) = different(&app, &states).await;
    println!(
        "documents beside the plain fold: {seen} of {}, {differ} differ",
        states.len()
    );
    drop(states);
    for name in ["users", "states"] {
        let start = Instant::now();
        let check = projections.check(name).await.unwrap();
        println!(
            "consistency check of `{name}`: {} documents, {} events, {} findings, {:.1} s",
            check.documents,
            check.events,
            check.findings_total,
            start.elapsed().as_secs_f64()
        );
        assert!(check.ok, "{check:?}");
    }

    let (mut after, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..BURSTS {
        let start = Instant::now();
        let burst = (0..BURST / 10).map(|_| {
            let user = random.next() % users;
            append(&mut random, user, false, 10)
        });
        let burst: Vec<_> = burst.collect();
        let end = submit(daemon.store().as_ref(), burst.into_iter()).await;
        let written = Instant::now();
        for name in ["users", "states"] {
            projections.wait_for(name, end, LONG).await.unwrap();
        }
        assert_eq!(projections.status("users").unwrap().lag_events, 0);
        after.push(written.elapsed().as_secs_f64() * 1e3);
        whole.push(start.elapsed().as_secs_f64() * 1e3);
    }
    println!(
        "\nbursts of {BURST} events: lag of both is 0 after {after:.0?} ms, median {:.0} ms (from the burst's start {:.0} ms)",
        median(after.clone()),
        median(whole)
    );
    daemon.close().await.unwrap();
}
