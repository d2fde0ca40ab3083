//! What can go wrong with the log.

use std::io;

use crate::store::StoreError;

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
    #[error("the log's file `{file}` belongs to another store")]
    Foreign {
        /// Its name.
        file: String,
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
    #[error("the log takes no writes since one failed: {cause}")]
    Refused {
        /// How it failed.
        cause: String,
    },
    /// The file is full and the next one could not be made. Nothing was written; it is tried again with the next write.
    #[error("there is no room for the log's next file: {cause}")]
    NoRoom {
        /// What the system said.
        cause: String,
    },
    /// More than a frame can carry. Nothing was written.
    #[error("{bytes} bytes are too many for one write, at most {max} are allowed")]
    TooLarge {
        /// Bytes given.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
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
                detail: "it is not there; restore it from a backup".to_owned(),
            },
            WalError::Format { file, found, known } => Self::UnknownFormat {
                path: file,
                found: found.to_string(),
                known,
            },
            WalError::Failed { doing, source } => Self::Engine {
                doing,
                source: Box::new(source),
            },
            other => Self::Engine {
                doing: "writing the log",
                source: Box::new(other),
            },
        }
    }
}
