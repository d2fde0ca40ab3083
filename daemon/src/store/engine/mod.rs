//! The store behind its seam: a write-ahead log in front, a file behind, and the tail between them in memory.
//!
//! Owns opening and closing, and what stands on what: requests share commits (`group`), are planned on the log as it is
//! (`ground`), written as one frame and published (`commit`); a thread moves the tail's beginning into the file (`sealer`); reads
//! see both as one (`view`).

mod backup;
mod check;
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
mod stall_tests;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::watch;
use whodunit_core::time::Timestamp;

use self::check::Verifying;
use self::commit::{Committer, Request};
use self::shared::{FrameEnd, Published, START, Shared};
use self::view::MergedView;
use super::backup::Backup;
use super::disk::head::LogEnd;
use super::disk::{Disk, MemoryDisk, RealDisk, StoreId};
use super::group::{Bounds, Group, Refused};
use super::redb::FILE_NAME;
use super::redb::sealed::{Mark, SealedFile};
use super::tail::Tail;
use super::wal::{FILE_BYTES, Folder, Recovered, Wal, WalOptions, set_aside};
use super::write::bytes_of_changes;
use super::{
    Append, AppendError, AppendResult, BoxFuture, Head, Job, JobChange, ReadOnly, RestoredDecision,
    Snapshot, Store, StoreError, StoreStats, TableSize, Verifiable, View, Write, Written, frame,
};
use crate::limits::{GROUP_BYTES_MAX, GROUP_REQUESTS_MAX};

pub(crate) use self::shared::Sealing;
pub(crate) use self::view::SealedView;
pub use super::redb::NewStore;

/// Name of the folder of the write-ahead log in the data directory.
pub(crate) const LOG_NAME: &str = "log";

/// What waits, and what shares a commit.
const BOUNDS: Bounds = Bounds {
    waiting: 4096,
    waiting_bytes: 64 << 20,
    group: GROUP_REQUESTS_MAX,
    group_bytes: GROUP_BYTES_MAX,
};

/// How careful the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreOptions {
    /// An acknowledged append survives `kill -9` and power loss.
    #[default]
    Durable,
    /// An acknowledged append is readable, but may be lost in a crash. Only for stores that are thrown away.
    Relaxed,
}

/// How the log is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning {
    pub(crate) sealing: Sealing,
    /// Bytes of a file of the write-ahead log.
    pub(crate) file_bytes: u64,
    /// Whether threads seal the log and make its files; else writers do, between their writes, and always at the same points.
    pub(crate) threads: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            sealing: Sealing {
                events: 16_384,
                bytes: 16 << 20,
                behind: 8,
            },
            file_bytes: FILE_BYTES,
            threads: true,
        }
    }
}

impl Tuning {
    /// For a store in memory: no threads, and files that take little of it.
    fn small() -> Self {
        Self {
            file_bytes: 256 << 10,
            threads: false,
            ..Self::default()
        }
    }
}

/// A store in a data directory.
pub struct LoggedStore {
    id: StoreId,
    shared: Arc<Shared>,
    group: Group<Committer>,
    head: watch::Receiver<Head>,
    closing: Arc<Closing>,
}

/// What it takes to close the store, once its last request is carried out.
struct Closing {
    shared: Arc<Shared>,
    sealer: Mutex<Option<JoinHandle<()>>>,
}

impl Closing {
    /// Ends what works beside the writers, writes what need not be there, and gives the files up. Idempotent.
    fn close(&self) -> Result<(), StoreError> {
        let mut thread = self.sealer.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.stop_sealing();
        if let Some(thread) = thread.take() {
            drop(thread.join());
        }
        if self.shared.published().is_none() {
            return Ok(());
        }
        if self.shared.snapshots.count() > 0
            && let Err(error) = sealer::seal_all(&self.shared)
        {
            let cause = error.with_cause();
            tracing::warn!(cause, "snapshots were not saved; they are made again");
        }
        self.shared.unpublish();
        // Before the lock on the file is given up: the next process works in the same folder.
        self.shared.wal().stop();
        self.shared.file.close()
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

/// Does something that blocks, on a thread that may; `None` when the runtime has ended.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(act).await.ok(),
        Err(_no_runtime) => Some(act()),
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
    /// not ours at all, [`StoreError::Damaged`] when what is on disk is not what was written, [`StoreError::Missing`],
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
        Self::open_with(disk, directory, (options, new), Tuning::default())
    }

    /// Opens a new store in memory, gone when it is dropped.
    ///
    /// # Errors
    /// When there is no randomness to make a store of.
    pub fn in_memory(options: StoreOptions) -> Result<Self, StoreError> {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let new = NewStore::WhereNothingIsLeft;
        Self::open_with(&disk, Path::new("/"), (options, new), Tuning::small())
    }

    pub(crate) fn open_with(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        (options, new): (StoreOptions, NewStore),
        tuning: Tuning,
    ) -> Result<Self, StoreError> {
        let durable = options == StoreOptions::Durable;
        let folder = directory.join(LOG_NAME);
        let replay = |file: &SealedFile, store: StoreId, mark: Option<Mark>| {
            if mark.is_none() {
                let doing = "making the log's folder";
                disk.make_directory(&folder).map_err(failed(doing))?;
            } else if has_no_files(&**disk, &folder)? {
                return Err(StoreError::NoLog {
                    path: folder.display().to_string(),
                    store: directory.join(FILE_NAME).display().to_string(),
                });
            }
            let folder = Folder::new(Arc::clone(disk), &folder).with_reserve(file.reserve());
            if mark.is_none() && new == NewStore::Insist {
                for file in set_aside(&folder, &store.to_string())? {
                    tracing::warn!(file, "a file of an older log was set aside");
                }
            }
            let options = WalOptions {
                store: store.0,
                file_bytes: tuning.file_bytes,
                ahead: tuning.threads,
                salt,
                durable,
            };
            let place = mark.map(|mark| mark.place);
            let (wal, recovered) = Wal::open(folder, options, place)?;
            for note in &recovered.notes {
                tracing::warn!(note, "what a crash left of the log was put right");
            }
            if mark.is_none() {
                if file.read()?.head() != Head::default() {
                    return Err(StoreError::Damaged {
                        place: "the store's file".to_owned(),
                        detail: "it does not say up to where the log is in it".to_owned(),
                    });
                }
                // From now on a log belongs to the file.
                file.seal([], &[], Some(START))?;
            }
            let mark = mark.unwrap_or(START);
            let published = replay(file, mark, &recovered)?;
            let mut marks = vec![mark];
            marks.extend(published.frames.iter().map(|frame| frame.mark));
            let end = LogEnd {
                head: published.tail.head(),
                frame: marks.last().map_or(0, |last| last.place.frame),
                chain: published.chain.head_hash().0,
            };
            Ok(((store, wal, published), end, marks))
        };
        let (file, (id, wal, published)) = SealedFile::open(disk, directory, new, durable, replay)?;
        Self::start(id, file, wal, tuning, published)
    }

    fn start(
        id: StoreId,
        file: SealedFile,
        wal: Wal,
        tuning: Tuning,
        published: Published,
    ) -> Result<Self, StoreError> {
        let (announce, head) = watch::channel(published.tail.head());
        let is_due = tuning.sealing.is_due(&published.tail);
        let how = (tuning.sealing, tuning.threads);
        let shared = Arc::new(Shared::new(file, wal, how, published));
        let committer = Committer {
            shared: Arc::clone(&shared),
            announce,
            lookup: None,
            unwritten: Vec::new(),
            buffer: Vec::new(),
        };
        let works = Arc::clone(&shared);
        let sealer = tuning.threads.then(|| {
            std::thread::Builder::new()
                .name("store-sealer".to_owned())
                .spawn(move || sealer::run(&works))
                .map_err(failed("starting the sealer"))
        });
        let sealer = sealer.transpose()?;
        if is_due {
            shared.seal();
        }
        Ok(Self {
            id,
            group: Group::new(committer, BOUNDS),
            head,
            closing: Arc::new(Closing {
                shared: Arc::clone(&shared),
                sealer: Mutex::new(sealer),
            }),
            shared,
        })
    }

    /// What each table of the store's file takes, and what no table uses: to see where bytes go. Reads every page of the tables.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn table_sizes(&self) -> Result<Vec<TableSize>, StoreError> {
        let published = self.shared.published().ok_or(StoreError::Closed)?;
        self.shared.file.guarded(|| published.sealed.sizes())
    }

    /// Why nothing may be written now.
    fn read_only(&self) -> Option<ReadOnly> {
        if self.group.has_fallen() {
            return Some(ReadOnly::WriterEnded);
        }
        self.shared.read_only()
    }

    fn keep_snapshot(&self, snapshot: Snapshot) -> Result<(), StoreError> {
        let published = self.shared.published().ok_or(StoreError::Closed)?;
        let in_tail = published.tail.streams().get(&snapshot.stream).is_some();
        let sealed = || {
            let found = published.sealed.lookup().stream(&snapshot.stream)?;
            Ok(found.is_some())
        };
        if (in_tail || self.shared.file.guarded(sealed)?) && self.shared.snapshots.keep(snapshot) {
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
        let group = self.group.clone();
        Box::pin(async move {
            let ended = || {
                let fallen = StoreError::ReadOnly(ReadOnly::WriterEnded);
                let why = if group.has_fallen() {
                    AppendError::Store(fallen)
                } else {
                    AppendError::Closed
                };
                Err(why.into())
            };
            match queued {
                Ok(answer) => answer.await.unwrap_or_else(ended),
                Err(Refused::Full) => Err(AppendError::Busy.into()),
                Err(Refused::Closed) => ended(),
            }
        })
    }
}

/// Whether a folder is missing, or has no files.
fn has_no_files(disk: &dyn Disk, folder: &Path) -> Result<bool, StoreError> {
    match disk.list(folder) {
        Ok(names) => Ok(names.is_empty()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(failed("reading the log's folder")(error)),
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
                    detail: format!(
                        "it does not continue at position {next}, where the log in `{FILE_NAME}` ends"
                    ),
                });
            }
            published.tail.apply(&Arc::new(batch));
        }
        let mark = Mark {
            place: found.place,
            chain: published.chain,
        };
        let batches = published.batches();
        published.frames.push_back(FrameEnd {
            mark,
            batches,
            bytes: found.payload.len(),
        });
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

    fn write_all(&self, writes: Vec<Write>) -> BoxFuture<Vec<Written>> {
        let bytes = writes.iter().map(Write::bytes).sum();
        let mut writes = Some(writes);
        let queued = self.group.submit(bytes, |to| {
            Request::Many(writes.take().unwrap_or_default(), to)
        });
        Box::pin(async move {
            let failed = |why: fn() -> AppendError| {
                let with_answer = |write: Write| {
                    let answer = write.failed(why());
                    (write, answer)
                };
                writes
                    .unwrap_or_default()
                    .into_iter()
                    .map(with_answer)
                    .collect()
            };
            match queued {
                Ok(answer) => answer.await.unwrap_or_default(),
                Err(Refused::Full) => failed(|| AppendError::Busy),
                Err(Refused::Closed) => failed(|| AppendError::Closed),
            }
        })
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

    fn verifiable(&self) -> Result<Box<dyn Verifiable>, StoreError> {
        let snapshots = self.shared.snapshots.now();
        let published = self.shared.published().ok_or(StoreError::Closed)?;
        Ok(Box::new(Verifying {
            view: MergedView {
                sealed: published.sealed.view(),
                tail: published.tail.clone(),
                snapshots,
            },
            published,
            shared: Arc::clone(&self.shared),
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
        let log_bytes = self.shared.log.bytes();
        Ok(StoreStats {
            head: published.tail.head(),
            head_hash: published.chain.head_hash(),
            streams: streams + published.tail.streams().new_streams(),
            snapshots: snapshots + self.shared.snapshots.count(),
            file_bytes: self.shared.file.bytes() + log_bytes,
            read_only: self.read_only(),
        })
    }

    fn is_redacted_copy(&self) -> bool {
        self.shared.file.is_redacted_copy()
    }

    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>> {
        let (shared, read_only) = (Arc::clone(&self.shared), self.read_only());
        Box::pin(async move {
            let label = move || match read_only {
                Some(why) => Err(StoreError::ReadOnly(why)),
                None => shared
                    .file
                    .guarded_write(|| shared.file.label_redacted_copy()),
            };
            blocking(label).await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn backup(&self, taken_at: Timestamp) -> Result<Box<dyn Backup>, StoreError> {
        let source = backup::Source::begin(&self.shared, self.id, taken_at)?;
        Ok(Box::new(source))
    }

    fn close(&self) -> BoxFuture<Result<(), StoreError>> {
        let last = self.group.close_with(Request::Close);
        let closing = Arc::clone(&self.closing);
        Box::pin(async move {
            last.await.unwrap_or(Ok(()))?;
            blocking(move || closing.close()).await.unwrap_or(Ok(()))
        })
    }
}

impl Drop for LoggedStore {
    /// Finishes what was asked for, so that the files are free once the store is gone.
    fn drop(&mut self) {
        let _last = self.group.close_with(Request::Close);
        self.group.finish();
        if let Err(error) = self.closing.close() {
            let cause = error.with_cause();
            tracing::error!(cause, "the store could not be closed cleanly");
        }
    }
}
