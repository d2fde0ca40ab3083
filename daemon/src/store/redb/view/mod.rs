//! The read view: the file as it is at one moment.
//!
//! Owns every read, one file for each trait of the seam. A view holds a read transaction, so it sees one state of the log
//! however long it lives, and never waits for the writer.

mod candidates;
mod decisions;
mod density;
mod events;
mod jobs;
mod keys;
pub(super) mod recent;
mod sealed;
mod snapshots;
mod streams;
mod times;

use std::ops::ControlFlow;
use std::sync::Arc;

use redb::ReadTransaction;
use whodunit_core::stop::Stop;

pub(crate) use self::candidates::passes;
pub(crate) use self::density::bucket;
pub(super) use self::keys::hold_of;
pub(crate) use self::streams::stream_passes;
pub(super) use self::times::late_events;
use super::open_tables::OpenTables;
use crate::store::{Direction, Head, Stoppable, StoreError, View};

type StoreResult<T> = Result<T, StoreError>;

/// A read view of the file.
pub(crate) struct RedbView {
    txn: Arc<ReadTransaction>,
    pub(super) tables: OpenTables<Arc<ReadTransaction>>,
    pub(super) head: Head,
    stop: Stop,
}

impl RedbView {
    /// A view of what a transaction sees, whose log ends there.
    pub(super) fn with_head(txn: Arc<ReadTransaction>, head: Head) -> Self {
        Self {
            tables: OpenTables::new(&txn),
            head,
            stop: Stop::new(),
            txn,
        }
    }

    /// Hands the position of a stream's events of a range of revisions to `each` until it breaks off.
    fn for_each_position(
        &self,
        number: u64,
        (low, high): (u64, u64),
        direction: Direction,
        each: &mut dyn FnMut(u64) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<()> {
        if low > high {
            return Ok(());
        }
        let range = (number, low)..=(number, high);
        let mut entries = self.tables.stream_events.range(range)?;
        loop {
            self.stop.check()?;
            let entry = match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            };
            let Some(entry) = entry else { return Ok(()) };
            let (position, _) = entry?.1.value();
            if each(position)?.is_break() {
                return Ok(());
            }
        }
    }
}

impl Stoppable for RedbView {
    fn stop(&self) -> &Stop {
        &self.stop
    }
}

impl View for RedbView {
    fn head(&self) -> Head {
        self.head
    }

    fn set_stop(&mut self, stop: Stop) {
        self.stop = stop;
    }
}
