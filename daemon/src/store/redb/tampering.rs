//! For tests: an entry of a table that is missing or does not belong, behind the back of the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use redb::{Key, ReadableTable as _, ReadableTableMetadata as _, TableDefinition, Value};

use super::open_tables::{COPIES, UNCOUNTED};
use super::opening;
use crate::store::disk::simulated::SimulatedDisk;

/// What is done to a table.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) enum How {
    /// The entry of this number, modulo those there are, is taken out.
    Miss(u64),
    /// One like it is put in beside it, under another key.
    Invent(u64),
}

/// The tables whose entries are counted.
pub(in crate::store) fn tables() -> Vec<&'static str> {
    let names = COPIES.iter().map(|copy| copy.name);
    names.filter(|name| !UNCOUNTED.contains(name)).collect()
}

/// A store that is closed, with one table tampered with; `None` where the table has nothing to begin with.
pub(in crate::store) fn tampered(
    files: &BTreeMap<PathBuf, Vec<u8>>,
    table: &str,
    how: How,
) -> Option<SimulatedDisk> {
    let disk = SimulatedDisk::with_files(files);
    let path = Path::new("/data/events.redb");
    let (database, _pages) = opening::open_file(&disk, path).unwrap();
    let txn = database.begin_write().unwrap();
    let copy = COPIES.iter().find(|copy| copy.name == table).unwrap();
    let is_changed = (copy.tamper)(&txn, how);
    txn.commit().unwrap();
    drop(database);
    is_changed.then_some(disk)
}

pub(super) fn tamper<K: Key + 'static, V: Value + 'static>(
    txn: &redb::WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    how: How,
) -> bool {
    let mut table = txn.open_table(definition).unwrap();
    let entries = table.len().unwrap();
    if entries == 0 {
        return false;
    }
    let (How::Miss(number) | How::Invent(number)) = how;
    let nth = usize::try_from(number % entries).unwrap();
    let (mut key, value) = {
        let (key, value) = table.iter().unwrap().nth(nth).unwrap().unwrap();
        let (key, value) = (key.value(), value.value());
        (
            K::as_bytes(&key).as_ref().to_vec(),
            V::as_bytes(&value).as_ref().to_vec(),
        )
    };
    if matches!(how, How::Miss(_)) {
        return table.remove(K::from_bytes(&key)).unwrap().is_some();
    }
    // The number that a key ends with, or the last byte of its text or hash.
    let name = K::type_name();
    let behind = if name.name().trim_end_matches(')').ends_with("u64") {
        8
    } else {
        1
    };
    let at = key.len() - behind;
    for change in 1..128 {
        key[at] ^= change;
        if table.get(K::from_bytes(&key)).unwrap().is_none() {
            let (key, value) = (K::from_bytes(&key), V::from_bytes(&value));
            return table.insert(key, value).unwrap().is_none();
        }
        key[at] ^= change;
    }
    false
}
