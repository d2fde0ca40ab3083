//! The store seam: what the rest of the daemon may ask of an event store.
//!
//! Owns the trait and its types; `redb/` is the embedded implementation and `conformance` the suite
//! that every implementation must pass. Never knows a model, a rule or HTTP: unique keys, titles and rules hashes come
//! in as values.
//!
//! Writes go through [`Store::append`], which is atomic, durable when it returns, and ordered. Reads go through a
//! [`View`]: a consistent read view of the log at one moment, which never waits for the writer.

mod append;
pub mod backup;
mod bytes;
pub(crate) mod chain;
pub mod check;
pub mod disk;
pub mod engine;
mod error;
pub(crate) mod frame;
mod group;
mod jobs;
mod read;
pub mod redb;
pub mod salvage;
pub(crate) mod segment;
mod tail;
pub(crate) mod wal;
pub(crate) mod write;

#[cfg(test)]
pub(crate) mod campaigns;
#[cfg(test)]
mod conformance;

use std::pin::Pin;

use tokio::sync::watch;
use whodunit_core::ids::Position;
use whodunit_core::time::Timestamp;

pub(crate) use self::group::blocking_here;
pub use append::{
    Append, AppendResult, AppendedDecision, AppendedEvents, DecisionPlace, PendingDecision,
    RestoredDecision,
};
pub use backup::Backup;
pub use chain::HeadHash;
pub use check::{Check, Scope, Verifiable};
pub use disk::StoreId;
pub use error::{AppendError, NotItsEvents, ReadOnly, StoreError};
pub use jobs::{Job, JobChange, NewJob};
pub use read::{
    CategoryInfo, DecisionFilter, DecisionPage, Density, Direction, EachView, HandlerCounts,
    JobFilter, JobPage, KeyHold, LateEvents, LateRange, LogFilter, LogPage, ReadDecisions,
    ReadEvents, ReadJobs, ReadKeys, ReadSnapshots, ReadStreams, ReadTimes, ReadWords, Snapshot,
    Stoppable, StreamCursor, StreamFilter, StreamInfo, StreamLabel, StreamOrder, StreamPage, View,
    WordField, WordPage, try_for_each_event,
};

/// A boxed future, so that the trait stays usable as `dyn Store`.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send + 'static>>;

/// An append-only event store.
pub trait Store: Send + Sync + 'static {
    /// Which store this is: given when it was made, and in every file that belongs to it. No other has it.
    fn id(&self) -> StoreId;

    /// Appends all of the request or nothing of it, and returns once it is durable.
    ///
    /// Concurrent appends share one durable commit. Appends submitted one after another (the calls, not the awaits)
    /// get positions in that order.
    fn append(&self, append: Append) -> BoxFuture<Result<AppendResult, AppendError>>;

    /// Restores a decision from an export, with the outcome it says and the next sequence. Its positions and revisions
    /// become those that the events it names have in this log; without them it is refused
    /// ([`AppendError::NotItsEvents`]). A `command_id` already on record with the same content is skipped (`false`).
    fn restore_decision(&self, restored: RestoredDecision) -> BoxFuture<Result<bool, AppendError>>;

    /// Carries out many writes, each by itself and in order, as one request: for imports. Returns once all that were taken are
    /// durable, each write with its answer. All of them are answered [`AppendError::Busy`] when the request was not taken.
    fn write_all(&self, writes: Vec<Write>) -> BoxFuture<Vec<Written>> {
        let answers: Vec<_> = writes
            .iter()
            .map(|write| match write.clone() {
                Write::Append(append) => Answers::Append(self.append(*append)),
                Write::Restore(restored) => Answers::Restore(self.restore_decision(*restored)),
            })
            .collect();
        Box::pin(async move {
            let mut written = Vec::with_capacity(writes.len());
            for (write, answer) in writes.into_iter().zip(answers) {
                let answer = match answer {
                    Answers::Append(answer) => Answer::Appended(answer.await),
                    Answers::Restore(answer) => Answer::Restored(answer.await),
                };
                written.push((write, answer));
            }
            written
        })
    }

    /// A read view of everything acknowledged so far. Blocking; call it where blocking is allowed.
    fn view(&self) -> Result<Box<dyn View>, StoreError>;

    /// What a verification looks at: everything acknowledged so far, with what is below the seam. Blocking.
    fn verifiable(&self) -> Result<Box<dyn Verifiable>, StoreError>;

    /// Saves a snapshot. Derived data: need not be durable when it returns, and losing it harms nothing.
    fn save_snapshot(&self, snapshot: Snapshot) -> BoxFuture<Result<(), StoreError>>;

    /// Changes jobs of the outbox, in order and all in one transaction, at the daemon's time `at`. Durable when it
    /// returns, but for a list of nothing but [`JobChange::Begin`].
    ///
    /// The answer has an entry for each change: the job as it is now, or `None` where the change did not apply (no such
    /// job, or not in the status the change starts from). [`JobChange::ReleaseAll`] always answers `None`.
    fn change_jobs(
        &self,
        changes: Vec<JobChange>,
        at: Timestamp,
    ) -> BoxFuture<Result<Vec<Option<Job>>, StoreError>>;

    /// The log's head, announced after each durable commit. Decisions without events announce as well.
    fn head(&self) -> watch::Receiver<Head>;

    /// Bytes on disk and counts, for people and metrics.
    fn stats(&self) -> Result<StoreStats, StoreError>;

    /// Whether the log is a copy from which secrets were taken out: its events stand in their places, and some of what they
    /// say is not what was recorded.
    fn is_redacted_copy(&self) -> bool;

    /// Labels the log as a redacted copy, for good. Durable when it returns.
    fn label_redacted_copy(&self) -> BoxFuture<Result<(), StoreError>>;

    /// Begins a backup of everything acknowledged so far, which says that it was taken at this time. Writes go on. Blocking.
    fn backup(&self, taken_at: Timestamp) -> Result<Box<dyn Backup>, StoreError>;

    /// Stops taking writes, finishes those under way and closes the file. Later writes answer
    /// [`AppendError::Closed`]. Idempotent.
    fn close(&self) -> BoxFuture<Result<(), StoreError>>;
}

/// Answers that are awaited.
enum Answers {
    Append(BoxFuture<Result<AppendResult, AppendError>>),
    Restore(BoxFuture<Result<bool, AppendError>>),
}

/// One of many writes.
#[derive(Debug, Clone)]
pub enum Write {
    /// See [`Store::append`].
    Append(Box<Append>),
    /// See [`Store::restore_decision`].
    Restore(Box<RestoredDecision>),
}

/// The answer to one of many writes.
#[derive(Debug)]
pub enum Answer {
    /// To an append.
    Appended(Result<AppendResult, AppendError>),
    /// To a restored decision.
    Restored(Result<bool, AppendError>),
}

/// A write with its answer.
pub type Written = (Write, Answer);

impl Write {
    /// The answer that it failed.
    pub(crate) fn failed(&self, error: AppendError) -> Answer {
        match self {
            Self::Append(_) => Answer::Appended(Err(error)),
            Self::Restore(_) => Answer::Restored(Err(error)),
        }
    }
}

/// The end of the log at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Head {
    /// Position of the last event; 0 for an empty log.
    pub position: Position,
    /// Sequence of the last decision; 0 when there is none.
    pub decision: u64,
}

/// Bytes and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// The head.
    pub head: Head,
    /// Its hash.
    pub head_hash: HeadHash,
    /// How many streams.
    pub streams: u64,
    /// How many snapshots.
    pub snapshots: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Why it takes no writes now; `None` when it does.
    pub read_only: Option<ReadOnly>,
}

/// What a table of the store's file takes there, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSize {
    /// Its name.
    pub name: &'static str,
    /// How many entries it has.
    pub entries: u64,
    /// Keys and values.
    pub stored: u64,
    /// What leads to them.
    pub branches: u64,
    /// What of its pages holds nothing.
    pub unused: u64,
}

impl TableSize {
    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.stored + self.branches + self.unused
    }
}
