//! A verification of what is sealed: segments, and every table beside them, against each other.
//!
//! Owns what is compared with what, below the seam. Parts of segments are read from the file, not from what readers keep in
//! memory. Memory is bounded: one segment's blocks, a cache of [`VERIFY_CACHE_BYTES`], a few numbers for each segment, and
//! nothing that grows with the log. So an index is held against the log in both directions without collecting either: each record
//! is looked up in the index, and the index's entries are counted. Every record has an entry and there are as many entries as
//! records, so there is no other entry; where the counts differ, the entries are walked again and each is looked up in the log.

mod causes;
mod decisions;
mod events;
mod ids;
mod jobs;
mod keys;
mod quick;
mod snapshots;
mod streams;
mod structure;

use std::sync::Arc;

use redb::{Key, ReadTransaction, Value};
use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::counted::counted;

use super::super::file::File;
use super::super::open_tables::{OpenTables, Slot};
use super::super::sealed::Mark;
use super::parts::Parts;
use super::records::Records;
use crate::limits::VERIFY_CACHE_BYTES;
use crate::store::check::Check;
use crate::store::{Head, StoreError};

type StoreResult<T> = Result<T, StoreError>;
type Table<K, V> = Slot<Arc<ReadTransaction>, K, V>;

/// What is sealed, to be verified.
pub(in crate::store::redb) struct SealedCheck<'a> {
    file: &'a File,
    txn: &'a Arc<ReadTransaction>,
    tables: OpenTables<Arc<ReadTransaction>>,
    parts: Parts,
    head: Head,
}

/// What the records of the segments come to, for the indexes to be held against.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Whether all of them could be read: else counts say nothing.
    whole: bool,
    /// Events that the index of ids has.
    events: u64,
    /// Decisions that the index of command ids has.
    commands: u64,
    /// Decisions that the index by stream has.
    of_streams: u64,
    /// Late events that the index of these has.
    late: u64,
    /// Ids that records name, by index.
    named: causes::Named,
}

impl<'a> SealedCheck<'a> {
    /// Of what a transaction sees, whose log ends there.
    pub(in crate::store::redb) fn new(
        file: &'a File,
        txn: &'a Arc<ReadTransaction>,
        head: Head,
    ) -> Self {
        Self {
            file,
            txn,
            tables: OpenTables::new(txn),
            parts: Parts::new(file.pages().header().store, VERIFY_CACHE_BYTES),
            head,
        }
    }

    /// Looks at everything.
    pub(in crate::store::redb) fn all(
        &self,
        mark: Option<Mark>,
        check: &mut Check<'_>,
    ) -> StoreResult<()> {
        let segments = self.structure(check)?;
        self.mark(check, &segments, mark);
        let mut tally = Tally {
            whole: segments.whole,
            ..Tally::default()
        };
        check.phase("events");
        for segment in &segments.list {
            self.segment(check, segment, &mut tally)?;
        }
        check.phase("decisions");
        for segment in &segments.list {
            self.decisions(check, segment, &mut tally)?;
        }
        check.phase("indexes");
        self.entry_counts(check)?;
        self.contents(check)?;
        self.runs(check, &segments)?;
        self.late_events(check, &tally)?;
        self.event_ids(check, &tally)?;
        self.command_ids(check, &tally)?;
        self.decision_indexes(check, &tally)?;
        if tally.whole {
            self.more_names(check, &tally.named)?;
        }
        self.streams(check)?;
        check.phase("keys");
        self.keys(check)?;
        check.phase("jobs");
        self.jobs(check)?;
        check.phase("snapshots");
        self.snapshots(check)
    }

    fn records(&self) -> Records<'_, Arc<ReadTransaction>> {
        Records {
            tables: &self.tables,
            parts: &self.parts,
            head: self.head,
        }
    }

    /// Reads something; what cannot be read is a finding.
    fn read<T>(
        &self,
        check: &mut Check<'_>,
        place: impl FnOnce() -> VerifyPlace,
        read: impl FnOnce() -> StoreResult<T>,
    ) -> StoreResult<Option<T>> {
        check.readable(place, self.file.guarded(read))
    }

    /// Hands every entry of a table to `each`; how many there are, or `None` where it cannot be read to its end.
    fn walk<K: Key + 'static, V: Value + 'static>(
        &self,
        check: &mut Check<'_>,
        (name, table): (&str, &Table<K, V>),
        mut each: impl FnMut(&mut Check<'_>, K::SelfType<'_>, V::SelfType<'_>) -> StoreResult<()>,
    ) -> StoreResult<Option<u64>> {
        let walked = self.file.guarded(|| {
            let mut count = 0;
            for entry in table.entries()? {
                let (key, value) = entry?;
                check.tick()?;
                each(check, key.value(), value.value())?;
                count += 1;
            }
            Ok(count)
        });
        check.checked.index_entries += walked.as_ref().copied().unwrap_or_default();
        check.readable(|| VerifyPlace::table(name), walked)
    }

    /// Finds where an index has another number of entries than it should have. Whether it has too many.
    #[expect(clippy::unused_self, reason = "a step of the check like the others")]
    fn has_more(
        &self,
        check: &mut Check<'_>,
        name: &str,
        (entries, expected): (Option<u64>, u64),
    ) -> bool {
        let Some(entries) = entries else { return false };
        if entries < expected {
            let detail = format!(
                "it has {}, but should have {expected}",
                counted(entries, "entry")
            );
            check.found(VerifyCode::CountWrong, VerifyPlace::table(name), detail);
        }
        entries > expected
    }

    /// Whether a position is one of the sealed log.
    fn is_sealed(&self, position: u64) -> bool {
        (1..=self.head.position.0).contains(&position)
    }
}
