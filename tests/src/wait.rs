//! Waiting for a condition.

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Generous: a busy machine is no failure.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Calls `check` until it gives something, and fails the test with `what` when it does not within a minute.
///
/// # Panics
/// When the deadline passes.
pub fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(
            start.elapsed() < DEADLINE,
            "waited {DEADLINE:?} in vain for {what}"
        );
        // Not a wait for a time but a pause between two looks.
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
