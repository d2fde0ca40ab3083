//! What can go wrong at the store seam.

use whodunit_core::counted::counted;
use whodunit_core::event::ExpectedRevision;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::stop::Stopped;

use super::disk::StoreId;

/// The store could not do its work. None of these says anything about the data asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is open in another process.
    #[error(
        "`{path}` is already open in another process; stop that daemon or choose another data directory"
    )]
    InUse {
        /// The file.
        path: String,
    },
    /// The file is not ours, or of a format this build does not know.
    #[error(
        "`{path}` has store format {found}, this version reads format {known}; export with the version that wrote it, and import the export into a new data directory"
    )]
    UnknownFormat {
        /// The file.
        path: String,
        /// What its header says.
        found: String,
        /// What this build reads.
        known: u32,
    },
    /// The store ends before what was acknowledged, by the file that notes it.
    #[error(
        "`{path}` ends at position {found} and decision {found_decisions}, but position {acknowledged} and decision {acknowledged_decisions} were acknowledged: what lies between is lost; restore the store from a backup, or remove `{noted_in}` to continue without it"
    )]
    Behind {
        /// The file.
        path: String,
        /// Its last position.
        found: u64,
        /// How many decisions it has.
        found_decisions: u64,
        /// The last position that was acknowledged.
        acknowledged: u64,
        /// How many decisions were acknowledged.
        acknowledged_decisions: u64,
        /// The file that says so.
        noted_in: String,
    },
    /// A file of the data directory belongs to another store.
    #[error(
        "`{path}` belongs to the store {found}, but `{other}` to the store {expected}: the data directory is mixed up; put the files of one store together, or remove `{other}` to continue without it"
    )]
    Foreign {
        /// The file of the log.
        path: String,
        /// The store it says it belongs to.
        found: StoreId,
        /// The file that does not belong to it.
        other: String,
        /// The store that one says it belongs to.
        expected: StoreId,
    },
    /// The log is not there, but other files of a store are.
    #[error(
        "`{path}` is missing or empty, but `{left}` exists: this is not a new store; put the file back, restore it from a backup, or force a new, empty store with `--create`"
    )]
    Missing {
        /// The file of the log.
        path: String,
        /// What is left of the store.
        left: String,
    },
    /// The write-ahead log is not there, but the file that it is moved into is.
    #[error(
        "`{path}` is missing or empty, but `{store}` exists: the latest writes are only in the missing log; put the folder back, or restore the store from a backup; `whodunit salvage` exports what is left"
    )]
    NoLog {
        /// The folder of the log.
        path: String,
        /// The file beside it.
        store: String,
    },
    /// There is no store, and none is to be made.
    #[error("there is no store in `{path}`")]
    NoStore {
        /// The directory.
        path: String,
    },
    /// A record does not decode.
    #[error("{place} is damaged: {detail}")]
    Damaged {
        /// Which record.
        place: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Nothing can be written now; what is there is read as before.
    #[error("{0}: the store is read only")]
    ReadOnly(ReadOnly),
    /// The engine or the disk failed.
    #[error("the store failed while {doing}")]
    Engine {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The engine's own word.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// So much was written since a list's first page that its order then can no longer be told.
    #[error("too much has changed since the first page of this list")]
    CursorTooOld,
    /// A read was stopped before its end: its caller left, or its time is over.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a store takes no writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadOnly {
    /// There is no room. It goes on by itself once there is.
    #[error("the disk is full")]
    DiskFull,
    /// The file was deleted or moved away, or its directory was: what is written would not be found again.
    #[error("the store's file is no longer in the data directory")]
    FileGone,
    /// A write failed, and what is on disk is not known until the store is opened again.
    #[error("a write to the disk failed")]
    DiskFailed,
    /// The code that commits failed in a way that it does not know itself; it has ended.
    #[error("the store's writer failed and has ended")]
    WriterEnded,
    /// So much is written and not sealed that more is not taken, and sealing fails.
    #[error("what was written cannot be moved into the store's file")]
    NotSealed,
}

impl ReadOnly {
    /// What ends it, as advice.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::DiskFull => "free some disk space: writes are then accepted again",
            Self::FileGone => {
                "put the file back where it was, or restart the daemon on the right data directory"
            }
            Self::DiskFailed | Self::WriterEnded | Self::NotSealed => {
                "see the daemon's log, then restart the daemon"
            }
        }
    }
}

impl StoreError {
    /// The same again, for another that the same failure struck while something was committed.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Damaged { place, detail } => Self::Damaged {
                place: place.clone(),
                detail: detail.clone(),
            },
            Self::ReadOnly(why) => Self::ReadOnly(*why),
            Self::Closed => Self::Closed,
            other => Self::Engine {
                doing: "committing",
                source: other.with_cause().into(),
            },
        }
    }

    /// What failed and why, in one line: for the operator. Clients see the first half only.
    pub fn with_cause(&self) -> String {
        match self {
            Self::Engine { source, .. } => format!("{self}: {source}"),
            Self::InUse { .. }
            | Self::UnknownFormat { .. }
            | Self::Behind { .. }
            | Self::Foreign { .. }
            | Self::Missing { .. }
            | Self::NoLog { .. }
            | Self::NoStore { .. }
            | Self::ReadOnly(_)
            | Self::Damaged { .. }
            | Self::Closed
            | Self::CursorTooOld
            | Self::Stopped(_) => self.to_string(),
        }
    }
}

/// Why the events that a restored decision names are not its own in this log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotItsEvents {
    /// The log has no such event.
    #[error("event `{event_id}`, which says where it belongs, is not in this log")]
    Missing {
        /// The id.
        event_id: String,
    },
    /// The log has it, but elsewhere or by another cause.
    #[error("event `{event_id}`, which says where it belongs, is {what} in this log")]
    Other {
        /// The id.
        event_id: String,
        /// How it differs, such as `of another stream`.
        what: &'static str,
    },
    /// The number of events it says and the number it names differ.
    #[error("it says that it led to {}, but names {named}", counted(*said, "event"))]
    Count {
        /// What its outcome says.
        said: u32,
        /// How many ids it brings.
        named: usize,
    },
    /// The stream has grown between the event it was decided on and the one it was decided after.
    #[error("its stream has other events in this log than it had when it was decided")]
    OtherBase,
}

/// Why an append was refused or failed. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The stream's head is not what the author believed.
    #[error("stream `{stream}` is at revision {actual}, expected {expected}")]
    WrongRevision {
        /// The stream.
        stream: StreamName,
        /// What was expected.
        expected: ExpectedRevision,
        /// Its head.
        actual: Revision,
    },
    /// An event id is on record with other content.
    #[error(
        "event id `{event_id}` is already in the log at position {position} with other content"
    )]
    EventIdConflict {
        /// The id.
        event_id: String,
        /// Where it stands.
        position: Position,
    },
    /// A command id is on record for another command.
    #[error(
        "command id `{command_id}` is already on record for another command (decision {sequence})"
    )]
    CommandIdConflict {
        /// The id.
        command_id: String,
        /// Where it stands.
        sequence: u64,
    },
    /// Another stream holds a key that the events would take.
    #[error("{key} is held by `{holder}`")]
    KeyTaken {
        /// The key.
        key: UniqueKey,
        /// Who holds it.
        holder: StreamName,
    },
    /// A restored decision names events that are not its own in this log.
    #[error(transparent)]
    NotItsEvents(#[from] NotItsEvents),
    /// The queue of writes is full.
    #[error("too many writes are waiting; try again shortly")]
    Busy,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The store failed; whether the append is durable is unknown only if `source` says so.
    #[error(transparent)]
    Store(#[from] StoreError),
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
