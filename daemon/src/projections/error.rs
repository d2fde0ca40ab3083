//! Errors of projections and read models.

use whodunit_core::ids::Position;

use crate::runs::End;
use crate::store::StoreError;

/// A projection could not do its work. None of these says anything about the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectionError {
    /// The read model's file failed, or the disk below it.
    #[error("the read model failed while {doing}: {source}")]
    Engine {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The engine's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A write to the read model's file failed, or one before did. The file takes no more until it is opened again.
    #[error("the read model could not be written while {doing}: {reason}")]
    Unwritten {
        /// What was being done, as a verb phrase.
        doing: &'static str,
        /// The system's error; that of an earlier failure is no longer known.
        reason: String,
    },
    /// The disk or the directory failed.
    #[error("{doing}: {source}")]
    Disk {
        /// What was being done, as a verb phrase with its object.
        doing: String,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A record of the read model does not decode. It is derived data: the read model is rebuilt.
    #[error("{place} of the read model is damaged: {detail}")]
    Damaged {
        /// Which record.
        place: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The projection could not apply an event.
    #[error("the event at position {position} could not be applied: {reason}")]
    Apply {
        /// The event's position.
        position: Position,
        /// Why not.
        reason: String,
    },
    /// The projection panicked.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was ended before it was done: by an operator, or because the daemon stops.
    #[error("it was stopped")]
    Stopped,
    /// The read model was closed.
    #[error("the read model is closed")]
    Closed,
}

impl ProjectionError {
    /// Whether the read model itself is at fault, so that it helps to reset it.
    pub(super) fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

/// How a run ended that had this result.
pub(super) fn end_of<T>(result: &Result<T, ProjectionError>) -> End {
    match result {
        Ok(_) => End::Completed,
        Err(ProjectionError::Stopped) => End::Cancelled,
        Err(error) => End::Failed(error.to_string()),
    }
}

/// The words of a panic.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> ProjectionError {
    let said = panic.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
    ProjectionError::Panicked(said.unwrap_or_else(|| "without a word".to_owned()))
}

/// Why a request about a projection is refused or fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no projection of this name; which one may have been meant, as a question.
    #[error("there is no projection `{0}`")]
    NoSuchProjection(String, Option<String>),
    /// Such a run is under way.
    #[error("a {kind} of `{name}` is already running")]
    AlreadyRunning {
        /// `rebuild` or `check`.
        kind: &'static str,
        /// The projection.
        name: String,
    },
    /// No such run is under way.
    #[error("no {kind} of `{name}` is running")]
    NotRunning {
        /// `rebuild` or `check`.
        kind: &'static str,
        /// The projection.
        name: String,
    },
    /// The read model is being built for the first time, or again after damage, and nothing answers in its place: that it has
    /// no document says nothing.
    #[error("the read model `{0}` is not built yet")]
    NotBuilt(String),
    /// The projection or its read model failed.
    #[error(transparent)]
    Failed(#[from] ProjectionError),
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}
