//! Stores for tests: on any disk, without threads, such that they seal soon.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{LoggedStore, Sealing, StoreOptions, Tuning};
use crate::store::StoreError;
use crate::store::disk::Disk;
use crate::store::redb::NewStore;

/// Seals after so many events; all files are small. What happens on the disk is the same every time.
pub(crate) fn tuning(events: u64) -> Tuning {
    Tuning {
        sealing: Sealing {
            events,
            bytes: 64 << 10,
            behind: 4,
        },
        file_bytes: 32 << 10,
        threads: false,
    }
}

/// Opens a store in the directory `/data` of a disk.
pub(crate) fn open(
    disk: &(impl Disk + Clone + 'static),
    new: NewStore,
    events: u64,
) -> Result<LoggedStore, StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let how = (StoreOptions::Durable, new);
    LoggedStore::open_with(&disk, Path::new("/data"), how, tuning(events))
}

/// Waits for a future of such a store. Nothing works beside it, so it is carried out here.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}
