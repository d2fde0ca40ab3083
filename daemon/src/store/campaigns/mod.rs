//! Campaigns against the files of a store: damages, and power cuts, by the thousand.
//!
//! Each case has a number; a number makes the same case every time, and is printed where a case fails. The ordinary tests run some;
//! how many is set by an environment variable, named at the head of each campaign.

mod answers;
mod backups;
pub(crate) mod damaged_stores;
pub(in crate::store) mod damages;
mod indexes;
mod lost_writes;
mod power_cuts;
mod work;

use super::engine::testing::{self, wait};
use super::engine::{LoggedStore, NewStore};
use super::{Store, StoreError};
use crate::store::disk::simulated::SimulatedDisk;

/// Events after which the log is sealed: often enough that every file is at work.
const SEALED_AFTER: u64 = 30;

fn open(disk: &SimulatedDisk) -> Result<LoggedStore, StoreError> {
    testing::open(disk, NewStore::WhereNothingIsLeft, SEALED_AFTER)
}

/// How many cases are to be run.
pub(in crate::store) fn cases(variable: &str, ordinarily: u64) -> u64 {
    std::env::var(variable).map_or(ordinarily, |cases| cases.parse().unwrap())
}

fn close(store: &LoggedStore) {
    wait(store.close()).unwrap();
}
