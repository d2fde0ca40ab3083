//! What planning asks of the sealed records.
//!
//! Owns nothing: records come from segments, streams, keys and jobs from their own tables.

use std::sync::Arc;

use redb::ReadTransaction;
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use super::super::open_tables::OpenTables;
use super::parts::Parts;
use super::records::Records;
use crate::store::write::{JobLookup, Lookup};
use crate::store::{Head, Job, KeyHold, StoreError, StreamInfo};

type StoreResult<T> = Result<T, StoreError>;
type Tables = OpenTables<Arc<ReadTransaction>>;

/// The sealed records of a read transaction, for planning.
pub(in crate::store::redb) struct SegmentLookup {
    tables: Tables,
    parts: Arc<Parts>,
    head: Head,
}

impl SegmentLookup {
    pub(in crate::store::redb) fn new(
        txn: &Arc<ReadTransaction>,
        parts: Arc<Parts>,
        head: Head,
    ) -> Self {
        let tables = OpenTables::new(txn);
        Self {
            tables,
            parts,
            head,
        }
    }

    fn records(&self) -> Records<'_, Arc<ReadTransaction>> {
        Records {
            tables: &self.tables,
            parts: &self.parts,
            head: self.head,
        }
    }
}

impl Lookup for SegmentLookup {
    fn head(&self) -> StoreResult<Head> {
        Ok(self.head)
    }

    fn stream(&self, stream: &StreamName) -> StoreResult<Option<StreamInfo>> {
        self.tables.stream(stream)
    }

    fn event_at(&self, position: Position) -> StoreResult<Option<Event>> {
        self.records().event_at(position)
    }

    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Event>> {
        self.records().event_at_revision(stream, revision)
    }

    fn position_of(&self, event_id: &str) -> StoreResult<Option<Position>> {
        self.records().position_of(event_id)
    }

    fn decision(&self, sequence: u64) -> StoreResult<Option<Decision>> {
        self.records().decision(sequence)
    }

    fn sequence_of(&self, command_id: &str) -> StoreResult<Option<u64>> {
        self.records().sequence_of(command_id)
    }

    fn last_hold(&self, category: &str, key: &UniqueKey) -> StoreResult<Option<KeyHold>> {
        self.tables.last_hold(category, key)
    }
}

impl JobLookup for SegmentLookup {
    fn job(&self, id: u64) -> StoreResult<Option<Job>> {
        self.tables.job(id)
    }

    fn last_job(&self) -> StoreResult<u64> {
        self.tables.last_job()
    }

    fn has_open_job(&self, position: Position, handler: &str) -> StoreResult<bool> {
        self.tables.has_open_job(position, handler)
    }

    fn jobs_under_way(&self) -> StoreResult<Vec<u64>> {
        self.tables.jobs_under_way()
    }

    fn completed_kept(&self, handler: &str) -> StoreResult<u64> {
        self.tables.completed_kept(handler)
    }

    fn oldest_completed(&self, handler: &str, limit: usize) -> StoreResult<Vec<u64>> {
        self.tables.oldest_completed(handler, limit)
    }
}
