//! Snapshot saver: stores snapshots asynchronously.
//!
//! Owns a bounded queue and the task that empties it. A reader never waits: when the queue is full the snapshot is not
//! saved; a later read offers it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};

use crate::limits::SNAPSHOTS_QUEUED_MAX;
use crate::store::{Snapshot, Store};

/// The queue's near end.
#[derive(Debug)]
pub(super) struct Saver {
    queue: mpsc::Sender<Snapshot>,
    queued: AtomicU64,
    done: watch::Receiver<u64>,
}

impl Saver {
    /// Starts the task. It ends when this is dropped.
    pub(super) fn start(store: Arc<dyn Store>) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Snapshot>(SNAPSHOTS_QUEUED_MAX);
        let (announce, done) = watch::channel(0);
        tokio::spawn(async move {
            while let Some(snapshot) = waiting.recv().await {
                let (stream, revision) = (snapshot.stream.clone(), snapshot.revision);
                if let Err(error) = store.save_snapshot(snapshot).await {
                    tracing::warn!(%stream, %revision, error = error.with_cause(), "a snapshot could not be saved");
                }
                announce.send_modify(|done| *done += 1);
            }
        });
        Self {
            queue,
            queued: AtomicU64::new(0),
            done,
        }
    }

    /// Takes a snapshot to be saved, or drops it when the queue is full.
    pub(super) fn offer(&self, snapshot: Snapshot) {
        if self.queue.try_send(snapshot).is_ok() {
            self.queued.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything offered so far is saved or dropped.
    pub(super) async fn settled(&self) {
        let queued = self.queued.load(Ordering::Relaxed);
        let mut done = self.done.clone();
        // An error means that the task has ended: nothing is left to wait for.
        let _ended = done.wait_for(|done| *done >= queued).await.is_err();
    }
}
