//! What a table holds, in brief, so that a table that holds anything else is known.
//!
//! Owns the hash of an entry and the sum of the hashes. A sum does not depend on the order in which entries came and went, so it moves
//! with each write, and is never taken from the table itself.

use redb::{Key, ReadableTable, TableHandle as _, Value, WriteTransaction};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128_with_seed};

use super::engine;
use super::tables::{ENTRY_COUNTS, META};
use crate::store::StoreError;

/// How many entries a table has, and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) entries: u64,
    pub(super) sum: u128,
}

impl Content {
    /// With one more entry.
    pub(super) fn add<K: Key + 'static, V: Value + 'static>(
        &mut self,
        key: &K::SelfType<'_>,
        value: &V::SelfType<'_>,
    ) {
        self.entries += 1;
        self.sum = self.sum.wrapping_add(hash::<V>(seed::<K>(key), value));
    }

    /// After what was put in and taken out.
    pub(super) fn and(self, growth: Growth) -> Self {
        Self {
            entries: self.entries.saturating_add_signed(growth.entries),
            sum: self.sum.wrapping_add(growth.sum),
        }
    }
}

impl From<(u64, u128)> for Content {
    fn from((entries, sum): (u64, u128)) -> Self {
        Self { entries, sum }
    }
}

/// What was put into a table, less what was taken out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Growth {
    entries: i64,
    sum: u128,
}

impl Growth {
    /// With an entry that is put in.
    pub(super) fn with<V: Value + 'static>(&mut self, seed: u64, value: &V::SelfType<'_>) {
        self.entries += 1;
        self.sum = self.sum.wrapping_add(hash::<V>(seed, value));
    }

    /// Without one that is taken out.
    pub(super) fn without<V: Value + 'static>(&mut self, seed: u64, value: &V::SelfType<'_>) {
        self.entries -= 1;
        self.sum = self.sum.wrapping_sub(hash::<V>(seed, value));
    }
}

/// What the table `meta` holds; there are a few entries.
pub(super) fn of_meta(
    meta: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Content, StoreError> {
    let doing = "reading what the file says of itself";
    let mut content = Content::default();
    for entry in meta.iter().map_err(engine(doing))? {
        let (key, value) = entry.map_err(engine(doing))?;
        content.add::<&str, &[u8]>(&key.value(), &value.value());
    }
    Ok(content)
}

/// Notes what the table `meta` holds now.
pub(super) fn note_meta(txn: &WriteTransaction) -> Result<(), StoreError> {
    let doing = "writing the counts of entries";
    let content = of_meta(&txn.open_table(META).map_err(engine(doing))?)?;
    let mut counts = txn.open_table(ENTRY_COUNTS).map_err(engine(doing))?;
    let noted = counts.insert(META.name(), (content.entries, content.sum));
    noted.map(drop).map_err(engine(doing))
}

/// The hash of a key, which goes into that of its entry.
pub(super) fn seed<K: Key + 'static>(key: &K::SelfType<'_>) -> u64 {
    xxh3_64(K::as_bytes(key).as_ref())
}

/// The hash of an entry.
fn hash<V: Value + 'static>(seed: u64, value: &V::SelfType<'_>) -> u128 {
    xxh3_128_with_seed(V::as_bytes(value).as_ref(), seed)
}
