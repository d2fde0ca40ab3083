//! The tables of one transaction, each opened at most once, when it is first used.
//!
//! Owns the words of their errors: what was being done to which table.

use std::borrow::Borrow;
use std::cell::OnceCell;
use std::ops::RangeBounds;
use std::sync::Arc;

use redb::{
    AccessGuard, Key, Range, ReadOnlyTable, ReadTransaction, ReadableTable,
    ReadableTableMetadata as _, Table, TableDefinition, TableError, TableHandle as _, Value,
    WriteTransaction,
};

use super::backup::{TableCopy, put, rows};
use super::content::{Content, Growth, seed};
use super::tables::{
    CATEGORIES, COMMAND_HASHES, DECISION_CAUSES, DECISION_CORRELATIONS, ENTRY_COUNTS, EVENT_CAUSES,
    EVENT_CORRELATIONS, EVENT_HASHES, Hold, HoldKey, JOB_COUNTS, JOBS, JOBS_BY_EVENT,
    JOBS_BY_HANDLER, JOBS_BY_STREAM, JOBS_OPEN, KEYS, LATE_EVENTS, REJECTIONS, RUNS,
    SEGMENT_CHUNKS, SEGMENTS, SEGMENTS_BY_DECISION, SEGMENTS_BY_POSITION, SNAPSHOTS,
    STREAM_DECISIONS, STREAM_NUMBERS, STREAMS, STREAMS_BY_LAST, WORDS,
};
use super::{FILE_NAME, engine};
use crate::store::{StoreError, TableSize};
use whodunit_core::counted;

type Text = &'static str;
type Bytes = &'static [u8];
type IdHash = &'static [u8; 12];

/// A transaction that tables are opened in.
pub(super) trait Transaction: Clone {
    /// What an open table is.
    type Table<K: Key + 'static, V: Value + 'static>: ReadableTable<K, V>;

    /// Opens a table.
    fn open<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Self::Table<K, V>, TableError>;
}

impl<'t> Transaction for &'t WriteTransaction {
    type Table<K: Key + 'static, V: Value + 'static> = Table<'t, K, V>;

    fn open<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Table<'t, K, V>, TableError> {
        self.open_table(definition)
    }
}

impl Transaction for Arc<ReadTransaction> {
    type Table<K: Key + 'static, V: Value + 'static> = ReadOnlyTable<K, V>;

    fn open<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<ReadOnlyTable<K, V>, TableError> {
        self.open_table(definition)
    }
}

/// A table that is opened when it is first used.
pub(super) struct Slot<T: Transaction, K: Key + 'static, V: Value + 'static> {
    txn: T,
    definition: TableDefinition<'static, K, V>,
    /// What is in it.
    what: &'static str,
    reading: &'static str,
    writing: &'static str,
    /// What was put in here, less what was taken out.
    growth: Growth,
    table: OnceCell<T::Table<K, V>>,
}

impl<T: Transaction, K: Key + 'static, V: Value + 'static> Slot<T, K, V> {
    fn open(&self) -> Result<&T::Table<K, V>, StoreError> {
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        let opened = self.txn.open(self.definition);
        let table = opened.map_err(engine(self.reading))?;
        Ok(self.table.get_or_init(|| table))
    }

    /// The value of a key.
    pub(super) fn get<'a>(
        &self,
        key: impl Borrow<K::SelfType<'a>>,
    ) -> Result<Option<AccessGuard<'_, V>>, StoreError> {
        self.open()?.get(key).map_err(engine(self.reading))
    }

    /// The last entry.
    pub(super) fn last(&self) -> Result<Option<Entry<'_, K, V>>, StoreError> {
        self.open()?.last().map_err(engine(self.reading))
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> Result<u64, StoreError> {
        self.open()?.len().map_err(engine(self.reading))
    }

    /// What it holds, entry by entry; `each` is called before each.
    fn content(
        &self,
        each: &mut dyn FnMut() -> Result<(), StoreError>,
    ) -> Result<Content, StoreError> {
        let mut content = Content::default();
        for entry in self.entries()? {
            each()?;
            let (key, value) = entry?;
            content.add::<K, V>(&key.value(), &value.value());
        }
        Ok(content)
    }

    /// What it takes in the file.
    fn size(&self, name: &'static str) -> Result<TableSize, StoreError> {
        let stats = self.open()?.stats().map_err(engine(self.reading))?;
        Ok(TableSize {
            name,
            entries: self.len()?,
            stored: stats.stored_bytes(),
            branches: stats.metadata_bytes(),
            unused: stats.fragmented_bytes(),
        })
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
    pub(super) fn entries(&self) -> Result<Entries<'_, K, V>, StoreError> {
        let entries = self.open()?.iter().map_err(engine(self.reading))?;
        let reading = self.reading;
        Ok(Entries { entries, reading })
    }
}

impl<'t, K: Key + 'static, V: Value + 'static> Slot<&'t WriteTransaction, K, V> {
    fn open_mut(&mut self) -> Result<&mut Table<'t, K, V>, StoreError> {
        self.open()?;
        self.table.get_mut().ok_or(StoreError::Closed)
    }

    /// Sets the value of a key.
    pub(super) fn insert<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<(), StoreError> {
        let (key, value) = (key.borrow(), value.borrow());
        let (seed, mut growth, writing) = (seed::<K>(key), self.growth, self.writing);
        let before = self.open_mut()?.insert(key, value);
        if let Some(before) = before.map_err(engine(writing))? {
            growth.without::<V>(seed, &before.value());
        }
        growth.with::<V>(seed, value);
        self.growth = growth;
        Ok(())
    }

    /// Removes a key.
    pub(super) fn remove<'a>(
        &mut self,
        key: impl Borrow<K::SelfType<'a>>,
    ) -> Result<(), StoreError> {
        let key = key.borrow();
        let (mut growth, writing) = (self.growth, self.writing);
        if let Some(before) = self.open_mut()?.remove(key).map_err(engine(writing))? {
            growth.without::<V>(seed::<K>(key), &before.value());
        }
        self.growth = growth;
        Ok(())
    }
}

/// A key and its value.
pub(super) type Entry<'r, K, V> = (AccessGuard<'r, K>, AccessGuard<'r, V>);

/// Entries of a table, from either end.
pub(super) struct Entries<'r, K: Key + 'static, V: Value + 'static> {
    entries: Range<'r, K, V>,
    reading: &'static str,
}

impl<'r, K: Key + 'static, V: Value + 'static> Iterator for Entries<'r, K, V> {
    type Item = Result<Entry<'r, K, V>, StoreError>;

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
        /// The tables of a transaction. Those of a write transaction are dropped before its commit.
        pub(super) struct OpenTables<T: Transaction> {
            $(pub(super) $name: Slot<T, $key, $value>,)+
        }

        impl<T: Transaction> OpenTables<T> {
            /// Opens none of them yet.
            pub(super) fn new(txn: &T) -> Self {
                Self {
                    $($name: Slot {
                        txn: txn.clone(),
                        definition: $definition,
                        what: $what,
                        reading: concat!("reading ", $what),
                        writing: concat!("writing ", $what),
                        growth: Growth::default(),
                        table: OnceCell::new(),
                    },)+
                }
            }

            /// How much each grew here, by name.
            fn growths(&self) -> Vec<(&'static str, Growth)> {
                vec![$((stringify!($name), self.$name.growth),)+]
            }

            /// What each takes in the file, in the order of their definition.
            pub(super) fn sizes(&self) -> Result<Vec<TableSize>, StoreError> {
                Ok(vec![$(self.$name.size(stringify!($name))?,)+])
            }

            /// What the table of a name holds, entry by entry; `each` is called before each. Nothing where there is none.
            pub(super) fn content(
                &self,
                name: &str,
                each: &mut dyn FnMut() -> Result<(), StoreError>,
            ) -> Result<Content, StoreError> {
                match name {
                    $(stringify!($name) => self.$name.content(each),)+
                    _ => Ok(Content::default()),
                }
            }

            /// How many entries each has, by name.
            pub(super) fn lens(&self) -> Result<Vec<(&'static str, u64)>, StoreError> {
                Ok(vec![$((stringify!($name), self.$name.len()?),)+])
            }
        }

        /// How the rows of each are copied.
        pub(super) const COPIES: &[TableCopy] = &[
            $(TableCopy {
                name: stringify!($name),
                rows: |txn, after, bytes_max| rows(txn, $definition, after, bytes_max),
                put: |txn, bytes| put(txn, $definition, bytes),
                #[cfg(test)]
                tamper: |txn, how| super::tampering::tamper(txn, $definition, how),
            },)+
        ];
    };
}

/// Tables whose entries are not counted: the counts, what may be emptied at any time, and the parts of segments, each of which is
/// looked for by its number.
pub(super) const UNCOUNTED: [&str; 3] = ["entry_counts", "segment_chunks", "snapshots"];

impl<T: Transaction> OpenTables<T> {
    /// What was written into the table of a name.
    pub(super) fn written(&self, name: &str) -> Result<Content, StoreError> {
        let written = self.entry_counts.get(name)?;
        Ok(written.map_or_else(Content::default, |written| written.value().into()))
    }

    /// Refuses an index that has more or fewer entries than were written: what it does not have may be there all the same, and what
    /// it has may lead to nothing.
    pub(super) fn whole<K: Key + 'static, V: Value + 'static>(
        &self,
        index: &Slot<T, K, V>,
    ) -> Result<(), StoreError> {
        let entries = index.len()?;
        let written = self.written(index.definition.name())?.entries;
        if entries == written {
            return Ok(());
        }
        Err(StoreError::Damaged {
            place: format!("{} in `{FILE_NAME}`", index.what),
            detail: format!(
                "it has {}, but {written} were written; `whodunit verify` says more",
                counted::counted(entries, "entry")
            ),
        })
    }
}

impl WriteTables<'_> {
    /// Notes what each table holds now: what it held before, and what was put in less what was taken out. So an entry that was
    /// lost, invented or changed otherwise is not noted.
    pub(super) fn note_entries(&mut self) -> Result<(), StoreError> {
        for (name, growth) in self.growths() {
            if growth != Growth::default() && !UNCOUNTED.contains(&name) {
                let Content { entries, sum } = self.written(name)?.and(growth);
                self.entry_counts.insert(name, (entries, sum))?;
            }
        }
        Ok(())
    }
}

/// The tables of a write transaction.
pub(super) type WriteTables<'t> = OpenTables<&'t WriteTransaction>;

open_tables! {
    segments: u64 => Bytes, SEGMENTS, "the segments";
    segment_chunks: (u64, u64) => Bytes, SEGMENT_CHUNKS, "the parts of the segments";
    segments_by_position: (u64, u64) => (), SEGMENTS_BY_POSITION, "the index of segments by position";
    segments_by_decision: (u64, u64) => (), SEGMENTS_BY_DECISION, "the index of segments by decision";
    runs: (u64, u64) => Bytes, RUNS, "the runs of the streams";
    event_hashes: IdHash => (), EVENT_HASHES, "the hashes of event ids";
    command_hashes: IdHash => (), COMMAND_HASHES, "the hashes of command ids";
    words: (u8, Text, u64) => u64, WORDS, "the index of words";
    event_correlations: IdHash => (), EVENT_CORRELATIONS, "the index of the events' correlation ids";
    event_causes: IdHash => (), EVENT_CAUSES, "the index of the events' causation ids";
    decision_correlations: IdHash => (), DECISION_CORRELATIONS, "the index of the decisions' correlation ids";
    decision_causes: IdHash => (), DECISION_CAUSES, "the index of the decisions' causation ids";
    rejections: u64 => u64, REJECTIONS, "the index of rejections";
    stream_numbers: Text => u64, STREAM_NUMBERS, "the numbers of the streams";
    streams: u64 => Bytes, STREAMS, "the streams";
    late_events: (u64, u64) => i64, LATE_EVENTS, "the index of late events";
    streams_by_last: u64 => u64, STREAMS_BY_LAST, "the index of last events";
    categories: Text => (u64, u64), CATEGORIES, "the categories";
    stream_decisions: (Text, u64) => bool, STREAM_DECISIONS, "the index of the streams' decisions";
    keys: HoldKey => Hold, KEYS, "the index of unique keys";
    snapshots: (u64, Text, u64) => Bytes, SNAPSHOTS, "the snapshots";
    jobs: u64 => Bytes, JOBS, "the jobs";
    jobs_by_handler: (Text, u8, u64) => (), JOBS_BY_HANDLER, "the index of jobs by handler";
    jobs_by_stream: (Text, u64) => (), JOBS_BY_STREAM, "the index of jobs by stream";
    jobs_open: (Text, Text, u64) => (), JOBS_OPEN, "the index of open jobs";
    jobs_by_event: (u64, u64) => (), JOBS_BY_EVENT, "the index of jobs by event";
    job_counts: (Text, u8) => u64, JOB_COUNTS, "the counts of jobs";
    entry_counts: Text => (u64, u128), ENTRY_COUNTS, "the counts of entries";
}
