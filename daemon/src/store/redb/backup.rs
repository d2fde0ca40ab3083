//! Rows of the store's tables out of one file and into another, for backups.
//!
//! Owns which tables go along: all but the segments, which are checked on the way, what is made again with them, and snapshots,
//! which are derived. Rows are the engine's own bytes of key and value.

use std::ops::Bound;
use std::path::Path;

use redb::{Database, Key, ReadTransaction, TableDefinition, Value, WriteTransaction};

use super::file::label_redacted_copy;
use super::open_tables::{COPIES, OpenTables};
use super::opening::{close_file, make_file_of};
use super::sealed::{Mark, SealedRead, write_mark};
use super::{engine, segments};
use crate::store::StoreError;
use crate::store::bytes::{Malformed, Read, Reader, Writer};
use crate::store::disk::{Disk, StoreId};
use crate::store::segment::Segment;

type StoreResult<T> = Result<T, StoreError>;

const READING: &str = "reading a table for a backup";
const WRITING: &str = "writing a table from a backup";
/// Tables that do not go along as rows.
const APART: [&str; 5] = [
    "segments",
    "segment_chunks",
    "segments_by_position",
    "segments_by_decision",
    "snapshots",
];

/// How the rows of a table are copied.
pub(super) struct TableCopy {
    pub(super) name: &'static str,
    pub(super) rows: fn(&ReadTransaction, Option<&[u8]>, usize) -> StoreResult<Rows>,
    pub(super) put: fn(&WriteTransaction, &[u8]) -> StoreResult<u64>,
    /// Takes an entry out or puts one in that does not belong; whether that changed anything.
    #[cfg(test)]
    pub(super) tamper: fn(&WriteTransaction, super::tampering::How) -> bool,
}

/// Rows of a table.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    /// Each is a key and a value, each behind its length.
    pub(crate) bytes: Vec<u8>,
    /// How many.
    pub(crate) count: u64,
    /// The key of the last one, where there may be more.
    pub(crate) last: Option<Vec<u8>>,
}

/// Rows behind a key, up to about so many bytes.
pub(super) fn rows<K: Key + 'static, V: Value + 'static>(
    txn: &ReadTransaction,
    definition: TableDefinition<'static, K, V>,
    after: Option<&[u8]>,
    bytes_max: usize,
) -> StoreResult<Rows> {
    let table = txn.open_table(definition).map_err(engine(READING))?;
    let start = after.map_or(Bound::Unbounded, |key| Bound::Excluded(K::from_bytes(key)));
    let range = table.range::<K::SelfType<'_>>((start, Bound::Unbounded));
    let mut rows = Rows::default();
    for entry in range.map_err(engine(READING))? {
        let (key, value) = entry.map_err(engine(READING))?;
        let (key, value) = (key.value(), value.value());
        let (key, value) = (K::as_bytes(&key), V::as_bytes(&value));
        for bytes in [key.as_ref(), value.as_ref()] {
            Writer(&mut rows.bytes).count(bytes.len());
            rows.bytes.extend_from_slice(bytes);
        }
        rows.count += 1;
        if rows.bytes.len() >= bytes_max {
            rows.last = Some(key.as_ref().to_vec());
            break;
        }
    }
    Ok(rows)
}

/// Puts rows into a table; how many.
pub(super) fn put<K: Key + 'static, V: Value + 'static>(
    txn: &WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    rows: &[u8],
) -> StoreResult<u64> {
    let malformed = |Malformed(detail)| StoreError::Damaged {
        place: format!("a row of table `{}`", redb::TableHandle::name(&definition)),
        detail: detail.into_owned(),
    };
    let mut table = txn.open_table(definition).map_err(engine(WRITING))?;
    let (mut from, mut count) = (Reader(rows), 0);
    while !from.0.is_empty() {
        let key = field::<K>(&mut from).map_err(malformed)?;
        let value = field::<V>(&mut from).map_err(malformed)?;
        let before = table.insert(K::from_bytes(key), V::from_bytes(value));
        before.map(drop).map_err(engine(WRITING))?;
        count += 1;
    }
    Ok(count)
}

fn field<'a, T: Value>(from: &mut Reader<'a>) -> Read<&'a [u8]> {
    let length = from.size()?;
    let bytes = from.bytes(length)?;
    if T::fixed_width().is_some_and(|width| width != length) {
        return Err("it is longer or shorter than any is".into());
    }
    if !is_one(T::type_name().name(), bytes) {
        return Err("its bytes make no sense".into());
    }
    Ok(bytes)
}

/// Whether bytes are a value of a type, as the engine names it: it takes for granted that they are.
fn is_one(name: &str, bytes: &[u8]) -> bool {
    let parts: Vec<&str> = match name
        .strip_prefix('(')
        .and_then(|name| name.strip_suffix(')'))
    {
        Some(parts) => parts.split(',').map(str::trim).collect(),
        None => vec![name],
    };
    let width = |part: &str| match part {
        "u8" | "bool" => Some(1),
        "u64" | "i64" => Some(8),
        "u128" => Some(16),
        "" => Some(0),
        part => part.strip_prefix("[u8;")?.strip_suffix(']')?.parse().ok(),
    };
    let mut from = Reader(bytes);
    let mut lengths = Vec::new();
    // The lengths of texts stand first, but for the last part's: that goes to the end.
    for (index, part) in (1..).zip(&parts) {
        let length = match width(part) {
            Some(width) => Some(width),
            None if index == parts.len() => None,
            None => match text_length(&mut from) {
                Ok(length) => Some(length),
                Err(_too_short) => return false,
            },
        };
        lengths.push(length);
    }
    for (part, length) in parts.iter().zip(lengths) {
        let Ok(own) = from.bytes(length.unwrap_or(from.0.len())) else {
            return false;
        };
        let is_own = match *part {
            "&str" => std::str::from_utf8(own).is_ok(),
            "bool" => matches!(own, [0 | 1]),
            _ => true,
        };
        if !is_own {
            return false;
        }
    }
    from.0.is_empty()
}

/// The length of a text, as the engine has it before a tuple's parts.
fn text_length(from: &mut Reader<'_>) -> Read<usize> {
    Ok(match from.byte()? {
        254 => usize::from(u16::from_le_bytes(from.array()?)),
        255 => usize::try_from(u32::from_le_bytes(from.array()?)).unwrap_or(usize::MAX),
        short => usize::from(short),
    })
}

/// A segment: its number, its manifest's frame, and its other parts.
pub(crate) type SegmentBytes = (u64, Vec<u8>, Vec<u8>);

impl SealedRead {
    /// Rows of the table of this number, behind a key, and its name; `None` behind the last table.
    pub(crate) fn rows(
        &self,
        table: usize,
        after: Option<&[u8]>,
        bytes_max: usize,
    ) -> StoreResult<Option<(&'static str, Rows)>> {
        let mut copies = COPIES.iter().filter(|copy| !APART.contains(&copy.name));
        let Some(copy) = copies.nth(table) else {
            return Ok(None);
        };
        Ok(Some((
            copy.name,
            (copy.rows)(self.txn(), after, bytes_max)?,
        )))
    }

    /// The next segment behind one: its number, its manifest's frame, and its other parts.
    pub(crate) fn segment_after(&self, number: u64) -> StoreResult<Option<SegmentBytes>> {
        let tables = OpenTables::new(self.txn());
        let Some(found) = tables.segments.range(number + 1..)?.next() else {
            return Ok(None);
        };
        let (number, manifest) = found?;
        let number = number.value();
        let mut body = Vec::new();
        for chunk in tables
            .segment_chunks
            .range((number, 0)..=(number, u64::MAX))?
        {
            body.extend_from_slice(chunk?.1.value());
        }
        Ok(Some((number, manifest.value().to_vec(), body)))
    }
}

/// The file of a store while it is filled from a backup.
pub(crate) struct Filling {
    database: Database,
    /// Committed at the end.
    txn: WriteTransaction,
}

impl Filling {
    /// Makes the file in a directory that has none.
    pub(crate) fn begin(disk: &dyn Disk, directory: &Path, store: StoreId) -> StoreResult<Self> {
        let database = make_file_of(disk, directory, store)?;
        let txn = database.begin_write().map_err(engine(WRITING))?;
        Ok(Self { database, txn })
    }

    /// Puts the next segment in.
    pub(crate) fn segment(&mut self, number: u64, segment: &Segment) -> StoreResult<()> {
        let txn = &self.txn;
        segments::insert(&mut OpenTables::new(&txn), number, segment)
    }

    /// Puts rows of a table in; how many. `None` when there is no such table.
    pub(crate) fn rows(&mut self, table: &str, rows: &[u8]) -> StoreResult<Option<u64>> {
        let mut copies = COPIES.iter().filter(|copy| !APART.contains(&copy.name));
        let copy = copies.find(|copy| copy.name == table);
        copy.map(|copy| (copy.put)(&self.txn, rows)).transpose()
    }

    /// Ends with the mark up to where the log is in it.
    pub(crate) fn finish(self, mark: Mark, redacted_copy: bool) -> StoreResult<()> {
        let Self { database, mut txn } = self;
        txn.set_quick_repair(true);
        write_mark(&txn, mark)?;
        if redacted_copy {
            label_redacted_copy(&txn)?;
        }
        txn.commit().map_err(engine(WRITING))?;
        close_file(database)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that is added goes along, or stands apart on purpose: none is forgotten.
    #[test]
    fn every_table_goes_along_or_apart() {
        for name in APART {
            assert!(COPIES.iter().any(|copy| copy.name == name), "{name}");
        }
        let document = include_str!("../../../../docs/STORE_FORMAT.md");
        for copy in COPIES {
            assert!(document.contains(&format!("| `{}` |", copy.name)));
        }
    }
}
