//! Campaigns against the files of a store: damages, and power cuts, by the thousand.
//!
//! Each case has a number; a number makes the same case every time, and is printed where a case fails. The ordinary tests run some;
//! how many is set by an environment variable, named at the head of each campaign.

mod answers;
mod damages;
mod power_cuts;
mod work;

use std::path::Path;
use std::sync::Arc;

use super::redb::{NewStore, RedbStore, StoreOptions};
use super::{Store, StoreError};
use crate::store::disk::Disk;
use crate::store::disk::simulated::SimulatedDisk;

/// The data directory, on any simulated disk.
const DATA: &str = "/data";

fn open(disk: &SimulatedDisk) -> Result<RedbStore, StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    RedbStore::open_on(
        &disk,
        Path::new(DATA),
        StoreOptions::Durable,
        NewStore::WhereNothingIsLeft,
    )
}

/// How many cases are to be run.
fn cases(variable: &str, ordinarily: u64) -> u64 {
    std::env::var(variable).map_or(ordinarily, |cases| cases.parse().unwrap())
}

/// Waits for a future of a store, whose writer is a thread of its own.
fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

fn close(store: &RedbStore) {
    wait(store.close()).unwrap();
}
