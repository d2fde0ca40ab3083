//! The tables of one write transaction, each opened at most once, when it is first used.
//!
//! Owns the words of their errors: what was being done to which table.

use std::borrow::Borrow;
use std::cell::OnceCell;
use std::ops::RangeBounds;

use redb::{
    AccessGuard, Key, Range, ReadableTable, Table, TableDefinition, Value, WriteTransaction,
};

use super::engine;
use super::tables::{
    BY_ACTOR, BY_CATEGORY, BY_CORRELATION, BY_TIME, BY_TYPE, CATEGORIES, COMMAND_IDS, DECISIONS,
    EVENT_IDS, EVENTS, Hold, HoldKey, JOB_COUNTS, JOBS, JOBS_BY_HANDLER, JOBS_BY_STREAM, JOBS_OPEN,
    JOBS_OPEN_BY_EVENT, KEYS, LATE_EVENTS, SNAPSHOTS, STREAM_DECISIONS, STREAM_EVENTS,
    STREAM_NUMBERS, STREAMS, STREAMS_BY_LAST,
};
use crate::store::StoreError;

type Text = &'static str;
type Bytes = &'static [u8];

/// A table that is opened when it is first used.
pub(super) struct Slot<'t, K: Key + 'static, V: Value + 'static> {
    txn: &'t WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    reading: &'static str,
    writing: &'static str,
    table: OnceCell<Table<'t, K, V>>,
}

impl<'t, K: Key + 'static, V: Value + 'static> Slot<'t, K, V> {
    fn open(&self) -> Result<&Table<'t, K, V>, StoreError> {
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        let opened = self.txn.open_table(self.definition);
        let table = opened.map_err(engine(self.reading))?;
        Ok(self.table.get_or_init(|| table))
    }

    fn open_mut(&mut self) -> Result<&mut Table<'t, K, V>, StoreError> {
        self.open()?;
        self.table.get_mut().ok_or(StoreError::Closed)
    }

    /// The value of a key.
    pub(super) fn get<'a>(
        &self,
        key: impl Borrow<K::SelfType<'a>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StoreError> {
        self.open()?.get(key).map_err(engine(self.reading))
    }

    /// The last entry.
    pub(super) fn last(
        &self,
    ) -> Result<Option<(AccessGuard<'_, K>, AccessGuard<'_, V>)>, StoreError> {
        self.open()?.last().map_err(engine(self.reading))
    }

    /// The entries of a range of keys.
    pub(super) fn range<'a, KR: Borrow<K::SelfType<'a>> + 'a>(
        &self,
        range: impl RangeBounds<KR> + 'a,
    ) -> Result<Entries<'_, K, V>, StoreError> {
        let entries = self.open()?.range(range).map_err(engine(self.reading))?;
        let reading = self.reading;
        Ok(Entries { entries, reading })
    }

    /// All entries.
    pub(super) fn iter(&self) -> Result<Entries<'_, K, V>, StoreError> {
        let entries = self.open()?.iter().map_err(engine(self.reading))?;
        let reading = self.reading;
        Ok(Entries { entries, reading })
    }

    /// Sets the value of a key.
    pub(super) fn insert<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<(), StoreError> {
        let writing = self.writing;
        let before = self.open_mut()?.insert(key, value);
        before.map(drop).map_err(engine(writing))
    }

    /// Removes a key.
    pub(super) fn remove<'a>(
        &mut self,
        key: impl Borrow<K::SelfType<'a>>,
    ) -> Result<(), StoreError> {
        let writing = self.writing;
        let before = self.open_mut()?.remove(key);
        before.map(drop).map_err(engine(writing))
    }
}

/// Entries of a table, from either end.
pub(super) struct Entries<'r, K: Key + 'static, V: Value + 'static> {
    entries: Range<'r, K, V>,
    reading: &'static str,
}

impl<'r, K: Key + 'static, V: Value + 'static> Iterator for Entries<'r, K, V> {
    type Item = Result<(AccessGuard<'r, K>, AccessGuard<'r, V>), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.entries.next()?;
        Some(next.map_err(engine(self.reading)))
    }
}

impl<K: Key + 'static, V: Value + 'static> DoubleEndedIterator for Entries<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let next = self.entries.next_back()?;
        Some(next.map_err(engine(self.reading)))
    }
}

macro_rules! open_tables {
    ($($name:ident: $key:ty => $value:ty, $definition:ident, $what:literal;)+) => {
        /// The tables of a write transaction. Dropped before its commit.
        pub(super) struct OpenTables<'t> {
            $(pub(super) $name: Slot<'t, $key, $value>,)+
        }

        impl<'t> OpenTables<'t> {
            /// Opens none of them yet.
            pub(super) fn new(txn: &'t WriteTransaction) -> Self {
                Self {
                    $($name: Slot {
                        txn,
                        definition: $definition,
                        reading: concat!("reading ", $what),
                        writing: concat!("writing ", $what),
                        table: OnceCell::new(),
                    },)+
                }
            }
        }
    };
}

open_tables! {
    events: u64 => Bytes, EVENTS, "the events";
    decisions: u64 => Bytes, DECISIONS, "the decisions";
    stream_numbers: Text => u64, STREAM_NUMBERS, "the numbers of the streams";
    streams: u64 => Bytes, STREAMS, "the streams";
    stream_events: (u64, u64) => (u64, i64), STREAM_EVENTS, "the index of the streams' events";
    late_events: (u64, u64) => i64, LATE_EVENTS, "the index of late events";
    streams_by_last: u64 => u64, STREAMS_BY_LAST, "the index of last events";
    categories: Text => (u64, u64), CATEGORIES, "the categories";
    event_ids: Text => u64, EVENT_IDS, "the index of event ids";
    by_category: (Text, u64) => (), BY_CATEGORY, "the index by category";
    by_type: (Text, u64) => (), BY_TYPE, "the index by type";
    by_actor: (Text, u64) => (), BY_ACTOR, "the index by actor";
    by_correlation: (Text, u64) => (), BY_CORRELATION, "the index by correlation id";
    by_time: (i64, u64) => i64, BY_TIME, "the index by time";
    command_ids: Text => u64, COMMAND_IDS, "the index of command ids";
    stream_decisions: (Text, u64) => bool, STREAM_DECISIONS, "the index of the streams' decisions";
    keys: HoldKey => Hold, KEYS, "the unique keys";
    snapshots: (u64, Text, u64) => Bytes, SNAPSHOTS, "the snapshots";
    jobs: u64 => Bytes, JOBS, "the jobs";
    jobs_by_handler: (Text, u8, u64) => (), JOBS_BY_HANDLER, "the index of jobs by handler";
    jobs_by_stream: (Text, u64) => (), JOBS_BY_STREAM, "the index of jobs by stream";
    jobs_open: (Text, Text, u64) => (), JOBS_OPEN, "the index of open jobs";
    jobs_open_by_event: (u64, Text) => u64, JOBS_OPEN_BY_EVENT, "the index of open jobs by event";
    job_counts: (Text, u8) => u64, JOB_COUNTS, "the counts of jobs";
}
