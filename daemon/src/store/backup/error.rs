//! What can go wrong with a backup.

use std::io;

use crate::store::StoreError;

/// Why a backup could not be read or put back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// It does not begin as one.
    #[error("it is not a backup: it does not begin like one")]
    NotOne,
    /// It is of another format.
    #[error(
        "it has backup format {found} of store format {found_store}, and this version reads {known} of {known_store}; restore it with the version that took it"
    )]
    Format {
        /// What it says.
        found: u32,
        /// What it says of the store.
        found_store: u32,
        /// What this version reads.
        known: u32,
        /// What this version reads of a store.
        known_store: u32,
    },
    /// It ends before its end.
    #[error("it was cut short at byte {at}: the backup was not finished, or not copied completely")]
    CutShort {
        /// Where it ends.
        at: u64,
    },
    /// It is not what was written.
    #[error("it is damaged at byte {at}: {detail}")]
    Damaged {
        /// Where, about.
        at: u64,
        /// What is wrong.
        detail: String,
    },
    /// There is something already where the store is to be.
    #[error("`{path}` {what}: a restore never overwrites anything")]
    InTheWay {
        /// Where.
        path: String,
        /// What is there.
        what: &'static str,
    },
    /// The disk failed.
    #[error("cannot {doing} `{path}`: {source}")]
    Disk {
        /// What, as a verb phrase.
        doing: &'static str,
        /// Which file.
        path: String,
        /// The system's own word.
        source: io::Error,
    },
    /// The backup could not be read.
    #[error("cannot read it: {0}")]
    Read(io::Error),
    /// The store that was made of it is not as it should be, or could not be made.
    #[error("the store restored from it is damaged: {}", .0.with_cause())]
    Store(StoreError),
}

impl BackupError {
    pub(super) fn damaged(at: u64, detail: impl Into<String>) -> Self {
        Self::Damaged {
            at,
            detail: detail.into(),
        }
    }
}

impl From<StoreError> for BackupError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
