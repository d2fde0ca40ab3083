//! What a read view has beside the sealed records: the tables of a transaction.
//!
//! Owns the reads of streams, keys, jobs and snapshots. A view holds a read transaction, so it sees one state of the log
//! however long it lives, and never waits for the writer.

mod density;
mod filter;
mod jobs;
mod keys;
pub(super) mod recent;
mod snapshots;
mod streams;
mod times;

use std::sync::Arc;

use redb::ReadTransaction;
use whodunit_core::stop::Stop;

pub(crate) use self::density::bucket;
pub(crate) use self::filter::passes;
pub(super) use self::keys::hold_of;
pub(crate) use self::streams::stream_passes;
pub(super) use self::times::late_events;
use super::open_tables::OpenTables;
use crate::store::{Head, Stoppable, StoreError};

type StoreResult<T> = Result<T, StoreError>;

/// A read view of the file.
pub(crate) struct RedbView {
    pub(super) tables: OpenTables<Arc<ReadTransaction>>,
    pub(super) head: Head,
    stop: Stop,
}

impl RedbView {
    /// A view of what a transaction sees, whose log ends there.
    pub(super) fn with_head(txn: &Arc<ReadTransaction>, head: Head) -> Self {
        Self {
            tables: OpenTables::new(txn),
            head,
            stop: Stop::new(),
        }
    }

    pub(in crate::store::redb) fn set_stop(&mut self, stop: Stop) {
        self.stop = stop;
    }
}

impl Stoppable for RedbView {
    fn stop(&self) -> &Stop {
        &self.stop
    }
}
