//! Events a second, lately.

use std::time::{Duration, Instant};

/// Time after which what has been counted weighs about a third.
const MEMORY: Duration = Duration::from_secs(5);

/// A rate that forgets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    weighed: f64,
    at: Instant,
    since: Instant,
}

impl Rate {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            weighed: 0.0,
            at: now,
            since: now,
        }
    }

    /// Counts events.
    pub(crate) fn add(&mut self, events: u64, now: Instant) {
        self.weighed = self.remembered(now) + as_float(events);
        self.at = now;
    }

    /// Events a second as of now.
    pub(crate) fn per_second(&self, now: Instant) -> f64 {
        let memory = MEMORY.as_secs_f64();
        let age = now.saturating_duration_since(self.since).as_secs_f64();
        // What it can have seen of its memory so far; a tenth of a second at least, so that the first events are no burst.
        let seen = memory * (1.0 - (-age.max(0.1) / memory).exp());
        self.remembered(now) / seen
    }

    fn remembered(&self, now: Instant) -> f64 {
        let past = now.saturating_duration_since(self.at);
        self.weighed * (-past.as_secs_f64() / MEMORY.as_secs_f64()).exp()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is for people: beyond 2^53 events a few do not matter"
)]
pub(crate) fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_told_from_the_start_and_forgotten_at_the_end() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        for second in 1..=20 {
            let now = start + Duration::from_secs(second);
            rate.add(100, now);
            let told = rate.per_second(now);
            assert!((90.0..130.0).contains(&told), "{second}: {told}");
        }
        let later = start + Duration::from_mins(1);
        assert!(rate.per_second(later) < 0.1);
    }
}
