//! Errors of the write path.

use whodunit_core::api::problem::Problem;
use whodunit_core::event::ExpectedRevision;
use whodunit_core::ids::StreamName;

use crate::store::{AppendError, StoreError};
use crate::time_travel::TravelError;

/// Why a write was refused or failed. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The request does not fit: which field, and why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The category has no model, so no commands.
    #[error("category `{}` has no model, so no commands", stream.category())]
    NoModel {
        /// The stream the command was for.
        stream: StreamName,
    },
    /// The step before deciding failed; says nothing about the command.
    #[error("{0}")]
    Prepare(String),
    /// It depends on a secret that this log, a redacted copy, does not hold; says nothing about the command.
    #[error("{0}")]
    Redacted(String),
    /// The store refused the append.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The state it is decided on cannot be reached.
    #[error(transparent)]
    Travel(#[from] TravelError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WriteError {
    pub(super) fn refused(problem: impl Into<Box<Problem>>) -> Self {
        Self::Refused(problem.into())
    }

    /// With the expected revision as the author wrote it, not as it was resolved to on the way.
    pub(super) fn with_expected(mut self, asked: ExpectedRevision) -> Self {
        if let Self::Append(AppendError::WrongRevision { expected, .. }) = &mut self {
            *expected = asked;
        }
        self
    }
}
