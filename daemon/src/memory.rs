//! Memory budgets: how many bytes of one kind may be held at a time.
//!
//! Owns the counting. Never waits: when the budget is used up, the caller refuses the request with a problem.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of this size.
const UNIT_BYTES: usize = 1 << 10;

/// A budget of bytes.
#[derive(Debug)]
pub(crate) struct Memory(Arc<Semaphore>);

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT_BYTES)))
    }

    /// Reserves bytes of the budget, released when the permit is dropped; `None` when too few are left.
    pub(crate) fn reserve(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).ok()?;
        Arc::clone(&self.0).try_acquire_many_owned(units).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_out_of_the_budget_and_go_back_to_it() {
        let memory = Memory::new(10 << 10);
        let first = memory.reserve(6 << 10).unwrap();
        assert!(memory.reserve(5 << 10).is_none());
        let second = memory.reserve(4 << 10).unwrap();
        assert!(
            memory.reserve(1).is_none(),
            "a started unit counts as a whole"
        );
        drop(first);
        assert!(memory.reserve(6 << 10).is_some());
        drop(second);
    }
}
