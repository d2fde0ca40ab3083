//! The embedded store: one redb file, one writer thread, any number of readers.
//!
//! Owns opening and closing the file. Its layout is described in `tables` and, byte by byte, in `docs/STORE_FORMAT.md`.

mod apply;
pub(crate) mod backend;
mod file;
mod guarded_view;
mod lookup;
mod open_tables;
pub(crate) mod opening;
mod place;
mod record;
pub(crate) mod sealed;
mod segments;
mod tables;
mod view;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use redb::{Database, Durability, ReadableDatabase, ReadableTableMetadata, StorageBackend};
use tokio::sync::{mpsc, oneshot, watch};
use whodunit_core::time::Timestamp;

use self::file::{File, check_format, open_error};
use self::guarded_view::GuardedView;
pub use self::opening::NewStore;
use self::opening::Opened;
use self::view::RedbView;
pub(crate) use self::view::{bucket, passes, stream_passes};
use self::writer::{Request, Write};
use super::disk::pages::PageFile;
use super::disk::{Disk, RealDisk, StoreId};
use super::{
    Append, AppendError, AppendResult, BoxFuture, Head, Job, JobChange, RestoredDecision, Snapshot,
    Store, StoreError, StoreStats, View,
};

/// Name of the store's file in its data directory.
pub const FILE_NAME: &str = "events.redb";
/// Name of the file beside it that notes what was acknowledged.
pub const HEAD_NAME: &str = "events.head";
/// Name of the file that keeps room for the last writes.
pub const RESERVE_NAME: &str = "events.reserve";
/// How many writes may wait; one more is answered with [`AppendError::Busy`].
const QUEUE_MAX: usize = 4096;
/// Memory for pages, in bytes: beyond this the operating system's cache does as well.
const CACHE_BYTES: usize = 128 * 1024 * 1024;

/// How careful the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreOptions {
    /// An acknowledged append survives `kill -9` and power loss.
    #[default]
    Durable,
    /// An acknowledged append is readable, but may be lost in a crash. Only for stores that are thrown away.
    Relaxed,
}

impl StoreOptions {
    fn durability(self) -> Durability {
        match self {
            Self::Durable => Durability::Immediate,
            Self::Relaxed => Durability::None,
        }
    }
}

/// A store in a redb file.
pub struct RedbStore {
    file: Arc<File>,
    id: StoreId,
    path: PathBuf,
    requests: mpsc::Sender<Request>,
    head: watch::Receiver<Head>,
    writer: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbStore")
            .field("path", &self.path)
            .field("head", &*self.head.borrow())
            .finish_non_exhaustive()
    }
}

/// Turns an error of the engine into one of ours, with what was being done.
fn engine<E: Into<redb::Error>>(doing: &'static str) -> impl FnOnce(E) -> StoreError {
    move |error| match error.into() {
        redb::Error::DatabaseClosed => StoreError::Closed,
        error => StoreError::Engine {
            doing,
            source: Box::new(error),
        },
    }
}

impl RedbStore {
    /// Opens the store in a data directory, making both where they are absent.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open, [`StoreError::UnknownFormat`] when the file is of another
    /// format or not ours at all, [`StoreError::Damaged`] when it is too damaged to be opened, [`StoreError::Missing`],
    /// [`StoreError::Behind`] and [`StoreError::Foreign`] when the files of the directory contradict each other.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        Self::open_on(&disk, directory, options, NewStore::WhereNothingIsLeft)
    }

    /// Opens the store in a data directory of any disk.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_on(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        options: StoreOptions,
        new: NewStore,
    ) -> Result<Self, StoreError> {
        let opened = opening::open(disk, directory, new)?;
        opening::guarded(&opened.path.clone(), || Self::start(opened, options))
    }

    /// Opens a new store in memory, gone when it is closed.
    pub fn in_memory(options: StoreOptions) -> Result<Self, StoreError> {
        Self::open_backend(redb::backends::InMemoryBackend::new(), options)
    }

    /// Opens a store on any storage: memory, or one that fails on purpose.
    pub fn open_backend(
        backend: impl StorageBackend,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let path = PathBuf::from("(no file)");
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(backend);
        let database = database.map_err(|error| open_error(&path, error))?;
        check_format(&database, &path)?;
        let head = RedbView::open(&database)?.head();
        let id = StoreId::random().map_err(|error| StoreError::Engine {
            doing: "making a store id",
            source: error.into(),
        })?;
        let opened = Opened {
            database,
            pages: None,
            acknowledged: None,
            place: None,
            head,
            id,
            path,
        };
        Self::start(opened, options)
    }

    fn start(opened: Opened, options: StoreOptions) -> Result<Self, StoreError> {
        let Opened {
            database,
            pages,
            acknowledged,
            place,
            head: current,
            id,
            path,
        } = opened;
        let (announce, head) = watch::channel(current);
        let (requests, waiting) = mpsc::channel(QUEUE_MAX);
        let file = Arc::new(File::new(database, pages, acknowledged, place)?);
        let shared = Arc::clone(&file);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer::run(&shared, options, waiting, &announce))
            .map_err(|error| StoreError::Engine {
                doing: "starting the writer",
                source: error.into(),
            })?;
        Ok(Self {
            file,
            id,
            path,
            requests,
            head,
            writer: Some(writer),
        })
    }

    /// Puts a request into the queue now; the future only waits for its answer.
    fn request<T: Send + 'static, E: From<AppendError> + Send + 'static>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, E>>) -> Request,
    ) -> BoxFuture<Result<T, E>> {
        let (to, answer) = oneshot::channel();
        let queued = self.requests.try_send(make(to));
        Box::pin(async move {
            queued.map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => AppendError::Busy,
                mpsc::error::TrySendError::Closed(_) => AppendError::Closed,
            })?;
            // The writer answers everything it takes; if it does not, it is gone.
            answer
                .await
                .unwrap_or_else(|_gone| Err(AppendError::Closed.into()))
        })
    }
}

impl From<AppendError> for StoreError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Store(error) => error,
            AppendError::Closed => Self::Closed,
            other => Self::Engine {
                doing: "queueing a write",
                source: Box::new(other),
            },
        }
    }
}

impl Store for RedbStore {
    fn id(&self) -> StoreId {
        self.id
    }

    fn append(&self, append: Append) -> BoxFuture<Result<AppendResult, AppendError>> {
        self.request(|to| Request::Write(Write::Append(Box::new(append), to)))
    }

    fn restore_decision(&self, restored: RestoredDecision) -> BoxFuture<Result<bool, AppendError>> {
        self.request(|to| Request::Write(Write::RestoreDecision(Box::new(restored), to)))
    }

    fn view(&self) -> Result<Box<dyn View>, StoreError> {
        let view = self.file.guarded(|| self.file.with(RedbView::open))?;
        Ok(Box::new(GuardedView::new(view, Arc::clone(&self.file))))
    }

    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<Result<(), StoreError>> {
        self.request(|to| Request::Write(Write::Snapshot(snapshot, to)))
    }

    fn change_jobs(
        &self,
        changes: Vec<JobChange>,
        at: Timestamp,
    ) -> BoxFuture<Result<Vec<Option<Job>>, StoreError>> {
        self.request(move |to| Request::Write(Write::Jobs { changes, at, to }))
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        let doing = "counting";
        let (streams, snapshots) = self.file.guarded(|| {
            let txn = self
                .file
                .with(|database| database.begin_read().map_err(engine(doing)))?;
            let streams = txn.open_table(tables::STREAMS).map_err(engine(doing))?;
            let snapshots = txn.open_table(tables::SNAPSHOTS).map_err(engine(doing))?;
            Ok((
                streams.len().map_err(engine(doing))?,
                snapshots.len().map_err(engine(doing))?,
            ))
        })?;
        let on_disk = self.file.pages().map(PageFile::bytes_on_disk);
        Ok(StoreStats {
            head: *self.head.borrow(),
            streams,
            snapshots,
            file_bytes: on_disk.map_or(0, |bytes| bytes.unwrap_or(0)),
            read_only: self.file.read_only(),
        })
    }

    fn is_redacted_copy(&self) -> bool {
        self.file.is_redacted_copy()
    }

    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>> {
        self.request(|to| Request::Write(Write::LabelRedactedCopy(to)))
    }

    fn close(&self) -> BoxFuture<Result<(), StoreError>> {
        let (to, answer) = oneshot::channel();
        let queued = self.requests.try_send(Request::Close(to));
        let requests = self.requests.downgrade();
        Box::pin(async move {
            // Unlike a write, closing waits for room in the queue.
            match (queued, requests.upgrade()) {
                (Err(mpsc::error::TrySendError::Full(request)), Some(requests)) => {
                    drop(requests.send(request).await);
                }
                (queued, _) => drop(queued),
            }
            // Without an answer the store was closed before: that is what was asked for.
            answer.await.unwrap_or(Ok(()))
        })
    }
}

impl Drop for RedbStore {
    /// Waits for the writer, so that the file is free once the store is gone.
    fn drop(&mut self) {
        let (nobody, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.requests, nobody));
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod job_model_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod opening_tests;
#[cfg(test)]
mod place_tests;
#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod size_tests;
#[cfg(test)]
mod tests;
