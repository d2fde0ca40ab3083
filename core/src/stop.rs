//! Stop tokens: cancellation of long-running work whose caller no longer waits.
//!
//! Owns the token alone. Who sets it (a client that left, a time-out, a shutdown) is not known here; who works looks at
//! it once per event or record and ends with [`Stopped`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A stop token. Clones share one flag; once set it stays set. Cheap to look at.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

/// The work was stopped before its end; says nothing about what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the work was stopped before its end")]
pub struct Stopped;

impl Stop {
    /// A token that is not set yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work is to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error once the work is to stop: for loops, as `stop.check()?`.
    ///
    /// # Errors
    /// [`Stopped`], once the token is set.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_set() { Err(Stopped) } else { Ok(()) }
    }

    /// A guard that asks the work to stop when it is dropped: held by the caller that waits for the work.
    #[must_use = "the work is stopped as soon as the guard is dropped"]
    pub fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }
}

/// Sets its token when dropped. See [`Stop::on_drop`].
#[derive(Debug)]
pub struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_set_once_for_all_its_clones() {
        let stop = Stop::new();
        let guard = stop.on_drop();
        assert_eq!(stop.check(), Ok(()));
        drop(guard);
        assert_eq!(stop.check(), Err(Stopped));
        assert!(stop.is_set());
    }
}
