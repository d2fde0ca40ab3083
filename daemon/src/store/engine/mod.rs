//! The store behind its seam: a write-ahead log in front, a file behind, and the tail between them in memory.
//!
//! Owns opening and closing, and what stands on what: requests share commits (`group`), are planned on the log as it is
//! (`ground`), written as one frame and published (`commit`); a thread moves the tail's beginning into the file (`sealer`); reads
//! see both as one (`view`).

mod commit;
mod ground;
mod jobs;
mod lists;
mod sealer;
mod shared;
mod snapshots;
mod times;
mod view;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::watch;
use whodunit_core::time::Timestamp;

use self::commit::{Committer, Request};
use self::shared::{FrameEnd, Published, START, Shared};
use self::view::MergedView;
use super::disk::{RealDisk, StoreId};
use super::group::{Bounds, Group, Refused};
use super::redb::StoreOptions;
use super::redb::sealed::{Mark, SealedFile};
use super::tail::Tail;
use super::wal::{Directory, FILE_BYTES, Recovered, Wal, WalOptions};
use super::write::bytes_of_changes;
use super::{
    Append, AppendError, AppendResult, BoxFuture, Head, Job, JobChange, ReadOnly, RestoredDecision,
    Snapshot, Store, StoreError, StoreStats, View, frame,
};
use crate::limits::{GROUP_BYTES_MAX, GROUP_REQUESTS_MAX};

pub(crate) use self::shared::Sealing;
pub(crate) use self::view::SealedView;

/// Name of the folder of the write-ahead log in the data directory.
pub(crate) const LOG_NAME: &str = "log";

/// What waits, and what shares a commit.
const BOUNDS: Bounds = Bounds {
    waiting: 4096,
    waiting_bytes: 64 << 20,
    group: GROUP_REQUESTS_MAX,
    group_bytes: GROUP_BYTES_MAX,
};

const SEALING: Sealing = Sealing {
    events: 16_384,
    bytes: 32 << 20,
    behind: 8,
};

/// A store in a data directory.
pub struct LoggedStore {
    id: StoreId,
    shared: Arc<Shared>,
    group: Group<Committer>,
    head: watch::Receiver<Head>,
    sealer: Arc<SealerThread>,
}

/// The sealer, until it has ended.
#[derive(Debug)]
struct SealerThread(Mutex<Option<JoinHandle<()>>>);

impl SealerThread {
    /// Waits for its end; it must have been told to.
    fn join(&self) {
        let mut thread = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            drop(thread.join());
        }
    }
}

impl std::fmt::Debug for LoggedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoggedStore")
            .field("head", &*self.head.borrow())
            .finish_non_exhaustive()
    }
}

fn failed(doing: &'static str) -> impl FnOnce(std::io::Error) -> StoreError {
    move |error| StoreError::Engine {
        doing,
        source: error.into(),
    }
}

fn salt() -> u64 {
    getrandom::u64().unwrap_or_default()
}

impl LoggedStore {
    /// Opens the store in a data directory, making both where they are absent.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open, [`StoreError::UnknownFormat`] when a file is of another format or
    /// not ours at all, [`StoreError::Damaged`] when what is on disk is not what was written.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        Self::open_with(directory, options, SEALING, FILE_BYTES)
    }

    pub(crate) fn open_with(
        directory: &Path,
        options: StoreOptions,
        sealing: Sealing,
        file_bytes: u64,
    ) -> Result<Self, StoreError> {
        let durable = options == StoreOptions::Durable;
        let folder = directory.join(LOG_NAME);
        let replay = |file: &SealedFile, store: StoreId, mark: Option<Mark>| {
            super::redb::opening::make_directory(&folder)
                .map_err(failed("making the log's folder"))?;
            let options = WalOptions {
                store: store.0,
                file_bytes,
                ahead: true,
                salt,
                durable,
            };
            let place = mark.map(|mark| mark.place);
            let (wal, recovered) = Wal::open(Directory::new(&folder), options, place)?;
            for note in &recovered.notes {
                tracing::warn!(note, "what a crash left of the log was put right");
            }
            if mark.is_none() {
                // From now on a log belongs to the file.
                file.seal([], &[], Some(START))?;
            }
            let published = replay(file, mark.unwrap_or(START), &recovered)?;
            let head = published.tail.head();
            Ok(((store, wal, published), head))
        };
        let (file, (id, wal, published)) = SealedFile::open(&RealDisk, directory, durable, replay)?;
        Self::start(id, file, wal, sealing, published)
    }

    fn start(
        id: StoreId,
        file: SealedFile,
        wal: Wal<Directory>,
        sealing: Sealing,
        published: Published,
    ) -> Result<Self, StoreError> {
        let (announce, head) = watch::channel(published.tail.head());
        let is_due = sealing.is_due(&published.tail);
        let shared = Arc::new(Shared::new(file, wal, sealing, published));
        let committer = Committer {
            shared: Arc::clone(&shared),
            announce,
            lookup: None,
            unwritten: Vec::new(),
            buffer: Vec::new(),
        };
        let works = Arc::clone(&shared);
        let sealer = std::thread::Builder::new()
            .name("store-sealer".to_owned())
            .spawn(move || sealer::run(&works))
            .map_err(failed("starting the sealer"))?;
        if is_due {
            shared.seal();
        }
        Ok(Self {
            id,
            shared,
            group: Group::new(committer, BOUNDS),
            head,
            sealer: Arc::new(SealerThread(Mutex::new(Some(sealer)))),
        })
    }

    fn keep_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        let published = self.shared.published().ok_or(StoreError::Closed)?;
        let is_new = published.tail.streams().get(&snapshot.stream).is_some();
        if (is_new
            || published
                .sealed
                .lookup()
                .stream(&snapshot.stream)?
                .is_some())
            && self.shared.snapshots.keep(snapshot)
        {
            self.shared.seal();
        }
        Ok(())
    }

    /// Puts a request into the queue now; the future waits for its answer, and may lead the commit.
    fn request<T: Send + 'static, E: From<AppendError> + Send + 'static>(
        &self,
        bytes: usize,
        make: impl FnOnce(tokio::sync::oneshot::Sender<Result<T, E>>) -> Request,
    ) -> BoxFuture<Result<T, E>> {
        let queued = self.group.submit(bytes, make);
        Box::pin(async move {
            match queued {
                Ok(answer) => answer
                    .await
                    .unwrap_or_else(|| Err(AppendError::Closed.into())),
                Err(Refused::Full) => Err(AppendError::Busy.into()),
                Err(Refused::Closed) => Err(AppendError::Closed.into()),
            }
        })
    }
}

/// The log as it was, from what is sealed and the frames behind that.
fn replay(file: &SealedFile, mark: Mark, recovered: &Recovered) -> Result<Published, StoreError> {
    let sealed = file.read()?;
    let mut published = Published {
        tail: Tail::new(sealed.head()),
        sealed: Arc::new(sealed),
        frames: imbl::Vector::new(),
        sealed_batches: 0,
        chain: mark.chain,
    };
    for found in &recovered.frames {
        let number = found.place.frame;
        let batches = frame::decode(number, &found.payload, &mut published.chain)?;
        for batch in batches {
            let next = published.tail.head().position.next();
            if batch
                .events
                .first()
                .is_some_and(|first| first.event.position != next)
            {
                return Err(StoreError::Damaged {
                    place: format!("frame {number} of the write-ahead log"),
                    detail: format!("it does not go on at position {next}"),
                });
            }
            published.tail.apply(&Arc::new(batch));
        }
        let mark = Mark {
            place: found.place,
            chain: published.chain,
        };
        let batches = published.batches();
        published.frames.push_back(FrameEnd { mark, batches });
    }
    Ok(published)
}

impl Store for LoggedStore {
    fn id(&self) -> StoreId {
        self.id
    }

    fn append(&self, append: Append) -> BoxFuture<Result<AppendResult, AppendError>> {
        let bytes = append.bytes();
        self.request(bytes, |to| Request::Append(Box::new(append), to))
    }

    fn restore_decision(&self, restored: RestoredDecision) -> BoxFuture<Result<bool, AppendError>> {
        let bytes = restored.bytes();
        self.request(bytes, |to| Request::Restore(Box::new(restored), to))
    }

    fn view(&self) -> Result<Box<dyn View>, StoreError> {
        let snapshots = self.shared.snapshots.now();
        let published = self.shared.published().ok_or(StoreError::Closed)?;
        Ok(Box::new(MergedView {
            sealed: published.sealed.view(),
            tail: published.tail.clone(),
            snapshots,
        }))
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<Result<(), StoreError>> {
        let saved = self.keep_snapshot(snapshot);
        Box::pin(async move { saved })
    }

    fn change_jobs(
        &self,
        changes: Vec<JobChange>,
        at: Timestamp,
    ) -> BoxFuture<Result<Vec<Option<Job>>, StoreError>> {
        let bytes = bytes_of_changes(&changes);
        self.request(bytes, move |to| Request::Jobs { changes, at, to })
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        let published = self.shared.published().ok_or(StoreError::Closed)?;
        let (streams, snapshots) = published.sealed.counts()?;
        let wal = self.shared.wal();
        Ok(StoreStats {
            head: published.tail.head(),
            streams: streams + published.tail.streams().new_streams(),
            snapshots: snapshots + self.shared.snapshots.count(),
            file_bytes: self.shared.file.bytes() + wal.bytes(),
            read_only: wal.refuses().map(|_| ReadOnly::DiskFailed),
        })
    }

    fn is_redacted_copy(&self) -> bool {
        self.shared.file.is_redacted_copy()
    }

    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>> {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let labelled = tokio::task::spawn_blocking(move || shared.file.label_redacted_copy());
            labelled.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn close(&self) -> BoxFuture<Result<(), StoreError>> {
        let last = self.group.close_with(Request::Close);
        let shared = Arc::clone(&self.shared);
        let sealer = Arc::clone(&self.sealer);
        Box::pin(async move {
            last.await.unwrap_or(Ok(()))?;
            let close = move || {
                shared.stop_sealing();
                sealer.join();
                shared.unpublish();
                shared.file.close()
            };
            let closed = tokio::task::spawn_blocking(close).await;
            closed.unwrap_or(Ok(()))
        })
    }
}

impl Drop for LoggedStore {
    /// Waits for the sealer, so that the files are free once the store is gone.
    fn drop(&mut self) {
        self.group.close();
        self.shared.stop_sealing();
        self.sealer.join();
    }
}
