//! What can go wrong with the log.

use std::io;

use crate::store::disk::reserve::is_full;
use crate::store::{ReadOnly, StoreError, StoreId};

/// Why the log could not be opened or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WalError {
    /// What is on disk is not what was written.
    #[error("the log's file `{file}` is damaged at byte {byte}: {detail}")]
    Damaged {
        /// Its name.
        file: String,
        /// Where.
        byte: u64,
        /// What is wrong.
        detail: String,
    },
    /// A file that belongs there is not there.
    #[error("the log's file `{file}` is missing")]
    Missing {
        /// Its name.
        file: String,
    },
    /// A file belongs to another store.
    #[error(
        "the log's file `{file}` belongs to the store {found}, and the data directory to the store {expected}"
    )]
    Foreign {
        /// Its name.
        file: String,
        /// The store it says it belongs to.
        found: StoreId,
        /// The store it lies beside.
        expected: StoreId,
    },
    /// A file is of another format.
    #[error("the log's file `{file}` has format {found}, this version reads format {known}")]
    Format {
        /// Its name.
        file: String,
        /// What its header says.
        found: u32,
        /// What this build reads.
        known: u32,
    },
    /// A write or sync failed. Whether it is durable is unknown, so nothing of it is acknowledged.
    #[error("the log failed while {doing}")]
    Failed {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The system's own word.
        #[source]
        source: io::Error,
    },
    /// An earlier write failed; the log takes none until it goes on in another file. Nothing was written.
    #[error("the log takes no writes since one failed: {0}")]
    Refused(NoFile),
    /// The file is full and the next one could not be made. Nothing was written; it is tried again with the next write.
    #[error("the log's next file could not be made: {0}")]
    NoNextFile(NoFile),
    /// More than a frame can carry. Nothing was written.
    #[error("{bytes} bytes are too many for one write, at most {max} are allowed")]
    TooLarge {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
}

/// What the system said where it failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct NoFile {
    cause: String,
    /// Whether there was no room.
    full: bool,
}

impl NoFile {
    pub(super) fn because(error: &io::Error) -> Self {
        Self {
            cause: error.to_string(),
            full: is_full(error),
        }
    }

    /// What it means to those who write.
    pub(crate) fn read_only(&self) -> ReadOnly {
        if self.full {
            ReadOnly::DiskFull
        } else {
            ReadOnly::DiskFailed
        }
    }
}

impl WalError {
    /// For a failure of the system, by what was being done.
    pub(super) fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Failed { doing, source }
    }
}

impl From<WalError> for StoreError {
    fn from(error: WalError) -> Self {
        match error {
            WalError::Damaged { file, byte, detail } => Self::Damaged {
                place: format!("byte {byte} of the log's file `{file}`"),
                detail,
            },
            WalError::Missing { file } => Self::Damaged {
                place: format!("the log's file `{file}`"),
                detail: "it is not there; put it back, or restore the store from a backup; `whodunit salvage` exports what is left"
                    .to_owned(),
            },
            WalError::Foreign {
                file,
                found,
                expected,
            } => Self::Damaged {
                place: format!("the log's file `{file}`"),
                detail: format!(
                    "it belongs to the store {found}, and the data directory to the store {expected}: put the files of one store together"
                ),
            },
            WalError::Format { file, found, known } => Self::UnknownFormat {
                path: file,
                found: found.to_string(),
                known,
            },
            WalError::Refused(why) | WalError::NoNextFile(why) => Self::ReadOnly(why.read_only()),
            WalError::Failed { source, .. } if is_full(&source) => {
                Self::ReadOnly(ReadOnly::DiskFull)
            }
            WalError::Failed { doing, source } => Self::Engine {
                doing,
                source: Box::new(source),
            },
            other @ WalError::TooLarge { .. } => Self::Engine {
                doing: "writing the log",
                source: Box::new(other),
            },
        }
    }
}
