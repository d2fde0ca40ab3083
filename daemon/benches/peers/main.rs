//! The store beside its limits and its peers, all in one run and in turn: what `docs/PERFORMANCE.md` lists.
//!
//! `scripts/peers.sh` starts a throw-away `PostgreSQL` and `UmaDB` and runs this; alone it is
//! `cargo bench -p whodunit-daemon --bench peers`, with `PEERS_POSTGRES` and `PEERS_UMADB` naming the addresses of servers that may be
//! written to. `PEERS=full` measures longer and with a million events. Only the sections whose names stand in `PEERS_ONLY` are
//! measured, where that is set.
//!
//! Every client speaks its server's protocol itself, on connections that are kept, from one program: what is compared is the
//! servers. Ratios are those of a round, and their median is shown: a disk and a machine that others use drift.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run has nothing to say"
)]

mod appends;
mod figures;
mod postgres;
mod process;
#[path = "../sizes/mod.rs"]
mod sizes;
mod umadb;
mod whole;
mod wire;

use std::time::Duration;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    /// How long each of those in a round is measured.
    pub(crate) slice: Duration,
    /// Events of the log that is imported, exported and weighed.
    pub(crate) events: u64,
}

impl Extent {
    fn chosen() -> Self {
        if std::env::var("PEERS").is_ok_and(|extent| extent == "full") {
            Self {
                rounds: 5,
                slice: Duration::from_secs(3),
                events: 1_000_000,
            }
        } else {
            Self {
                rounds: 3,
                slice: Duration::from_millis(1_500),
                events: 200_000,
            }
        }
    }
}

/// Where a peer listens; `None` where there is none.
pub(crate) fn peer(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}

fn wanted(section: &str) -> bool {
    let only = std::env::var("PEERS_ONLY").unwrap_or_default();
    only.is_empty() || only.split(',').any(|one| one.trim() == section)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo bench` says so; `cargo test --benches` wants to see it built, not measured.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let extent = Extent::chosen();
    println!("{}", figures::machine());
    for (variable, name) in [("PEERS_POSTGRES", "PostgreSQL"), ("PEERS_UMADB", "UmaDB")] {
        if peer(variable).is_none() {
            println!("without {name}: {variable} names none; `scripts/peers.sh` starts one");
        }
    }
    if wanted("process") {
        process::in_process(extent).await;
    }
    if wanted("http") {
        appends::over_http(extent).await;
    }
    if wanted("commands") {
        appends::commands(extent).await;
    }
    if wanted("stream") {
        whole::one_stream(extent).await;
    }
    if wanted("log") {
        whole::whole_log(extent).await;
    }
    if wanted("decisions") {
        whole::decisions().await;
    }
    println!("\nat the end {}", figures::pressure());
}
