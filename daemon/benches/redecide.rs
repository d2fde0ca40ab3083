//! What deciding again costs, beside accepting the same commands over HTTP in the same run: a whole log, one edit, a back-test.
//!
//! `cargo bench -p whodunit-daemon --bench redecide [-- COMMANDS]`: 20,000 commands unless said otherwise, on a tenth as many streams. The goals
//! are those for 1,000,000. The files lie in the system's temporary folder: set `TMPDIR` to measure another disk.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run has nothing to say"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower::ServiceExt;
use whodunit_daemon::builtin::{self, BuiltIn};
use whodunit_daemon::passwords::Cost;
use whodunit_daemon::store::engine::{LoggedStore, StoreOptions};
use whodunit_daemon::{Config, Daemon, http};

const COMMANDS: u64 = 20_000;
/// Commands under way at a time, as many clients send them.
const CLIENTS: usize = 64;
/// Edits of which the median is told.
const EDITS: u64 = 21;
/// Commands that one what-if may decide again.
const ASKED_MAX: u64 = 100_000;

/// Random numbers by splitmix64, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

#[derive(Clone)]
struct Bench {
    router: Router,
    missed: u32,
}

impl Bench {
    async fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let request = Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()));
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX);
        (
            status,
            String::from_utf8(bytes.await.unwrap().to_vec()).unwrap(),
        )
    }

    async fn asked(&self, path: &str, body: &Value) -> (Duration, Value) {
        let begun = Instant::now();
        let (status, text) = self.post(path, body).await;
        let took = begun.elapsed();
        assert_eq!(status, 200, "{text}");
        let last = text.lines().last().unwrap();
        (took, serde_json::from_str(last).unwrap())
    }

    fn row(&mut self, what: &str, figure: &str, ratio: f64, goal: &str, reached: bool) {
        self.missed += u32::from(!reached);
        let reached = if reached { "yes" } else { "NO" };
        println!("{what:<46} {figure:<30} {ratio:>12.3}  {goal:<16} {reached}");
    }

    /// Accounts, as another system brought them: none of them is decided again.
    async fn accounts(&self, streams: u64) {
        for n in 0..streams {
            let data = json!({"username": format!("user{n}"), "email": format!("user{n}@example.com"),
                "first_name": "A", "last_name": "B"});
            let body = json!({"events": [{"event_type": "UserCreated", "data": data}]});
            let (status, text) = self
                .post(&format!("/v1/streams/user-{n}/events"), &body)
                .await;
            assert_eq!(status, 200, "{text}");
        }
    }

    /// Gives commands as many clients do, each on a task of its own, and how long that took.
    async fn accept(&self, commands: u64, streams: u64) -> Duration {
        let mut random = Random(commands);
        let mut asked = vec![Vec::new(); CLIENTS];
        for n in 0..commands {
            let user = random.below(streams);
            // One client for each stream: its commands come in the order of their numbers.
            let client = usize::try_from(user).unwrap() % CLIENTS;
            asked[client].push((user, command(n, random.below(100))));
        }
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for asked in asked {
            let bench = self.clone();
            clients.spawn(async move {
                for (user, body) in asked {
                    let path = format!("/v1/streams/user-{user}/commands");
                    let (status, text) = bench.post(&path, &body).await;
                    assert!(matches!(status, 200 | 422), "{text}");
                }
            });
        }
        clients.join_all().await;
        begun.elapsed()
    }
}

fn command(n: u64, kind: u64) -> Value {
    let (kind, payload) = match kind {
        0..=59 => ("ChangeName", json!({"first_name": format!("A{n}")})),
        60..=89 => (
            "ChangeEmail",
            json!({"email": format!("user{n}@example.org")}),
        ),
        90..=94 => ("SuspendUser", json!({})),
        _ => ("ReactivateUser", json!({})),
    };
    json!({"type": kind, "payload": payload, "actor": format!("clerk:{}", n % 53), "reason": "a few words of reason"})
}

fn part(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

#[tokio::main]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let commands = std::env::args().find_map(|arg| arg.parse::<u64>().ok());
    let commands = commands.unwrap_or(COMMANDS);
    let streams = (commands / 10).max(10);
    let folder = tempfile::tempdir().unwrap();
    let store = LoggedStore::open(folder.path(), StoreOptions::Durable).unwrap();
    let config = Config {
        models: builtin::models(&[BuiltIn::Users], Cost::Light).unwrap(),
        ..Config::default()
    };
    let daemon = Daemon::open(config, Arc::new(store));
    let mut bench = Bench {
        router: http::router(&daemon),
        missed: 0,
    };
    bench.accounts(streams).await;
    let accepted = bench.accept(commands, streams).await;
    println!(
        "{commands} commands on {streams} streams, accepted over HTTP by {CLIENTS} clients in {accepted:.2?}; goals are those for 1,000,000\n"
    );
    println!(
        "{:<46} {:<30} {:>12}  {:<16} reached",
        "", "", "ratio", "goal"
    );
    whole(&mut bench, commands, accepted).await;
    edits(&mut bench, commands, streams).await;
    println!("\n{} goals missed", bench.missed);
    drop(daemon);
}

/// Every command of the log is decided again, under the rules in use and under others.
async fn whole(bench: &mut Bench, commands: u64, accepted: Duration) {
    let (same, out) = bench.asked("/v1/backtest", &json!({"rules": {}})).await;
    assert_eq!(out["end"]["counts"]["same"], commands, "as it was recorded");
    let ratio = part(same, accepted);
    let figure = format!("{same:.2?} / {accepted:.2?}");
    bench.row(
        "a whole log, against accepting it",
        &figure,
        ratio,
        "at most 0.11",
        ratio <= 0.11,
    );
    let rules = json!({"forbid": [{"command": "SuspendUser", "actor": "clerk:7"}]});
    let (other, out) = bench.asked("/v1/backtest", &json!({"rules": rules})).await;
    let ratio = part(accepted, other);
    let figure = format!(
        "{other:.2?}, {} to refused",
        out["end"]["counts"]["accepted_to_refused"]
    );
    bench.row(
        "a back-test, times faster than accepting",
        &figure,
        ratio,
        "at least 51",
        ratio >= 51.0,
    );
}

/// One command is dropped, and what that reaches is decided again; against everything after it.
async fn edits(bench: &mut Bench, commands: u64, streams: u64) {
    let mut random = Random(7);
    let mut times = Vec::new();
    let mut everything = Vec::new();
    for _ in 0..EDITS {
        let decision = 1 + random.below(commands);
        let stream = format!("user-{}", random.below(streams));
        let edit = json!({"drop_command": {"decision": decision}});
        let body = json!({"stream": stream, "edits": [edit], "continue": "redecide"});
        let (took, one) = bench.asked("/v1/what-if", &body).await;
        times.push(took);
        if commands <= ASKED_MAX {
            // The rules in use, as if they were others: each command is asked.
            let body = json!({"stream": stream, "at_revision": 0, "edits": [edit], "continue": "redecide", "rules": {}});
            let (took, all) = bench.asked("/v1/what-if", &body).await;
            everything.push(took);
            assert_eq!(
                (&one["flips"], &one["state"]),
                (&all["flips"], &all["state"]),
                "the same answer"
            );
            assert_eq!(
                one["redecided"]["streams"], all["redecided"]["streams"],
                "the same streams"
            );
        }
    }
    times.sort_unstable();
    let median = times[times.len() / 2];
    let (whole, of) = if everything.is_empty() {
        (
            bench.asked("/v1/backtest", &json!({"rules": {}})).await.0,
            "a back-test",
        )
    } else {
        everything.sort_unstable();
        (everything[everything.len() / 2], "the same answer")
    };
    let ratio = part(whole, median);
    let figure = format!("{median:.2?} / {whole:.2?}, {of}");
    bench.row(
        "one edit, times faster than everything",
        &figure,
        ratio,
        "at least 291",
        ratio >= 291.0,
    );
    let millis = median.as_secs_f64() * 1e3;
    bench.row(
        "one edit, in milliseconds",
        &format!("{median:.2?}"),
        millis,
        "at most 100",
        millis <= 100.0,
    );
}
