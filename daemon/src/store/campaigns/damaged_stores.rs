//! Files of a store with a history, for tests that damage them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::work::Work;
use super::{close, open};
use crate::store::disk::simulated::SimulatedDisk;
use crate::store::engine::LoggedStore;

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn worked(disk: &SimulatedDisk) -> (LoggedStore, Work) {
    let store = open(disk).unwrap();
    let mut work = Work::new(3, 900);
    for _ in 0..150 {
        work.append(&store).unwrap();
    }
    (store, work)
}

/// A store with a history.
pub(crate) fn store() -> LoggedStore {
    worked(&SimulatedDisk::default()).0
}

/// The files of a store that was killed, and those that it had earlier.
pub(in crate::store) fn moments() -> (Files, Files) {
    let disk = SimulatedDisk::default();
    let (store, mut work) = worked(&disk);
    let older = disk.files();
    for _ in 0..60 {
        work.append(&store).unwrap();
    }
    (disk.files(), older)
}

/// The files of such a store after it was closed, or after it was killed.
pub(crate) fn files(closed: bool) -> Files {
    let disk = SimulatedDisk::default();
    let (store, _) = worked(&disk);
    if closed {
        close(&store);
        drop(store);
        return disk.files();
    }
    disk.files()
}
