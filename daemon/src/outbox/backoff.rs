//! Back-off: how long to wait before a job is retried.
//!
//! Owns the delays: exponential, with jitter. The jitter is derived from the job's number, so that delays are reproducible and
//! jobs that failed together are not retried together.

use std::time::Duration;

/// How many retries a job gets, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Retries after the first attempt.
    pub retries: u32,
    /// Delay of the first retry; each further delay is four times as long.
    pub first: Duration,
}

/// Factor between two delays.
const FACTOR: u32 = 4;
/// Largest jitter, in percent of the delay.
const JITTER_PERCENT: u64 = 25;

impl Default for Retries {
    fn default() -> Self {
        Self {
            retries: 3,
            first: Duration::from_secs(1),
        }
    }
}

impl Retries {
    /// The delay after this attempt (from 1); `None` when it was the last.
    pub fn after(self, job: u64, attempt: u32) -> Option<Duration> {
        if attempt > self.retries {
            return None;
        }
        let distance = self
            .first
            .saturating_mul(FACTOR.saturating_pow(attempt.saturating_sub(1)));
        let percent = scattered(job, attempt) % (JITTER_PERCENT + 1);
        let jitter = distance.saturating_mul(u32::try_from(percent).unwrap_or(0)) / 100;
        Some(distance.saturating_add(jitter))
    }
}

/// A number that neighbouring jobs do not share: the finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
fn scattered(job: u64, attempt: u32) -> u64 {
    let mut x = job
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(u64::from(attempt));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_grow_and_end() {
        let retries = Retries::default();
        for job in 1..200 {
            let distances: Vec<Duration> = (1..=9)
                .map_while(|attempt| retries.after(job, attempt))
                .collect();
            let bounds = [(1.0, 1.25), (4.0, 5.0), (16.0, 20.0)];
            assert_eq!(distances.len(), bounds.len());
            for (distance, (low, high)) in distances.iter().zip(bounds) {
                let seconds = distance.as_secs_f64();
                assert!((low..=high).contains(&seconds), "job {job}: {seconds}");
            }
        }
    }

    #[test]
    fn jobs_that_failed_together_are_not_tried_together() {
        let retries = Retries::default();
        let mut distances: Vec<_> = (1..=26).map(|job| retries.after(job, 1)).collect();
        distances.sort();
        distances.dedup();
        assert!(distances.len() > 13, "{distances:?}");
    }
}
