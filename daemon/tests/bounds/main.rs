//! What one client may cost the others: memory, places, time. Measured on real processes over real sockets.
//!
//! A smaller form runs with all tests. The full one, with the figures that are promised, runs alone and optimised:
//! `WHODUNIT_BOUNDS=full cargo test --release -p whodunit-daemon --test bounds -- --nocapture --test-threads 1`.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "in a test, a failure is the message")]
#![expect(clippy::print_stdout, reason = "the figures are the result")]

mod daemon;
mod doors;
mod imports;
mod memory;
mod slow;
mod sockets;

/// Whether the full form is asked for.
fn full() -> bool {
    std::env::var_os("WHODUNIT_BOUNDS").is_some_and(|form| form == "full")
}

/// One figure in the small form, another in the full one.
fn sized<T>(small: T, whole: T) -> T {
    if full() { whole } else { small }
}
