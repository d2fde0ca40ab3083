//! Files of a store with a history, for tests that damage them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::work::Work;
use super::{close, open};
use crate::store::disk::simulated::SimulatedDisk;

/// The files of a store after it was closed, or after it was killed.
pub(in crate::store) fn files(closed: bool) -> BTreeMap<PathBuf, Vec<u8>> {
    let disk = SimulatedDisk::default();
    let store = open(&disk).unwrap();
    let mut work = Work::new(3, 900);
    for _ in 0..150 {
        work.append(&store).unwrap();
    }
    if closed {
        close(&store);
        drop(store);
        return disk.files();
    }
    disk.files()
}
