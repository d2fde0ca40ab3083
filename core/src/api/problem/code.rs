//! Problem codes: what went wrong, for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

use utoipa::ToSchema;

/// The stable code of the problem, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    /// 400: the body is not JSON, or not of the shape asked for.
    Malformed,
    /// 400: a path segment or query parameter does not fit.
    BadParameter,
    /// 400: a time without zone, or no time at all.
    BadTime,
    /// 400: not a possible stream name.
    BadStreamName,
    /// 400: a page, replay or simulation larger than its documented bound.
    LimitExceeded,
    /// 400: an event carries a plaintext secret.
    PlaintextSecret,
    /// 400: the model has no such command.
    UnknownCommand,
    /// 400: the category has no model, so no commands.
    NoModel,
    /// 400: an edit of a what-if names a revision it cannot reach.
    BadEdit,
    /// 400: a predicate that cannot be read, or asks about what is not known there.
    BadPredicate,
    /// 400: a query line that cannot be read.
    BadQuery,
    /// 403: foreign `Origin`.
    ForeignOrigin,
    /// 404: no such path.
    NoSuchPath,
    /// 404: the stream has no event.
    NoSuchStream,
    /// 404: no such event.
    NoSuchEvent,
    /// 404: no event and no command has this correlation id.
    NoSuchCorrelation,
    /// 404: no model for the category.
    NoSuchModel,
    /// 404: no such job in the outbox; a completed one may have been pruned.
    NoSuchJob,
    /// 404: no projection or read model of this name.
    NoSuchProjection,
    /// 404: no handler of this name is set up.
    NoSuchHandler,
    /// 404: the read model has no document of this key.
    NoSuchDocument,
    /// 404: no such run, or none under way.
    NoSuchRun,
    /// 404: no such note.
    NoSuchNote,
    /// 404: no branch of this name.
    NoSuchBranch,
    /// 404: the stream's head is before the revision asked for.
    RevisionBeyondHead,
    /// 404: the log's head is before the position asked for.
    PositionBeyondHead,
    /// 404: no such decision.
    NoSuchDecision,
    /// 404: the state has nothing at this path.
    NoSuchField,
    /// 404: the time asked for is before the stream's first event.
    BeforeFirstEvent,
    /// 405: the path knows other methods.
    MethodNotAllowed,
    /// 409: the stream's head is not the expected revision.
    WrongRevision,
    /// 409: the event id is in the log with other content.
    EventIdConflict,
    /// 409: the command id is on record for another command.
    CommandIdConflict,
    /// 409: another note has the id.
    NoteIdConflict,
    /// 409: another branch has the name.
    BranchExists,
    /// 409: another stream holds a unique key that the events would take.
    KeyTaken,
    /// 409: a redacted export, and the log holds other history.
    RedactedExport,
    /// 409: it depends on what this log, a redacted copy, does not hold.
    RedactedCopy,
    /// 409: the id of a live message, or a branch, is of another history than this log's.
    OtherHistory,
    /// 409: such a run is under way already.
    AlreadyRunning,
    /// 409: only a failed job can be retried.
    NotFailed,
    /// 409: a backfill with effects was not confirmed, or with another count than its plan's; `plan` is the plan.
    NotConfirmed,
    /// 408: the request's body did not arrive in time.
    Timeout,
    /// 413: the body is larger than its documented bound.
    TooLarge,
    /// 414: the path and query are longer than their documented bound.
    UriTooLong,
    /// 415: the body is not declared as what the path takes, or is compressed.
    UnsupportedMediaType,
    /// 421: foreign `Host`.
    ForeignHost,
    /// 422: a rule refused the command.
    Rejected,
    /// 431: the request's head is larger than its documented bound.
    HeadersTooLarge,
    /// 500: a record of the store is damaged.
    Damaged,
    /// 500: the daemon failed; says nothing about the data asked for.
    Internal,
    /// 503: too much of this kind is under way; the same request may well pass a moment later.
    Busy,
    /// 503: the daemon is shutting down or not ready yet.
    Unavailable,
    /// 503, or 507 where the disk is full: nothing can be recorded now; what is there is read as before.
    ReadOnly,
}

impl Code {
    /// The HTTP status it is sent with.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed
            | Self::BadParameter
            | Self::BadTime
            | Self::BadStreamName
            | Self::LimitExceeded
            | Self::PlaintextSecret
            | Self::UnknownCommand
            | Self::NoModel
            | Self::BadEdit
            | Self::BadPredicate
            | Self::BadQuery => 400,
            Self::ForeignOrigin => 403,
            Self::NoSuchPath
            | Self::NoSuchStream
            | Self::NoSuchEvent
            | Self::NoSuchCorrelation
            | Self::NoSuchModel
            | Self::NoSuchJob
            | Self::NoSuchProjection
            | Self::NoSuchHandler
            | Self::NoSuchDocument
            | Self::NoSuchRun
            | Self::NoSuchNote
            | Self::NoSuchBranch
            | Self::RevisionBeyondHead
            | Self::PositionBeyondHead
            | Self::NoSuchDecision
            | Self::NoSuchField
            | Self::BeforeFirstEvent => 404,
            Self::MethodNotAllowed => 405,
            Self::Timeout => 408,
            Self::WrongRevision
            | Self::EventIdConflict
            | Self::CommandIdConflict
            | Self::NoteIdConflict
            | Self::BranchExists
            | Self::KeyTaken
            | Self::RedactedExport
            | Self::RedactedCopy
            | Self::OtherHistory
            | Self::AlreadyRunning
            | Self::NotFailed
            | Self::NotConfirmed => 409,
            Self::TooLarge => 413,
            Self::UriTooLong => 414,
            Self::UnsupportedMediaType => 415,
            Self::ForeignHost => 421,
            Self::Rejected => 422,
            Self::HeadersTooLarge => 431,
            Self::Damaged | Self::Internal => 500,
            Self::Busy | Self::Unavailable | Self::ReadOnly => 503,
        }
    }

    /// A short title of the code.
    pub fn title(self) -> &'static str {
        match self {
            Self::Malformed => "malformed request",
            Self::BadParameter => "invalid parameter",
            Self::BadTime => "not a valid time",
            Self::BadStreamName => "invalid stream name",
            Self::LimitExceeded => "limit exceeded",
            Self::PlaintextSecret => "plaintext secret refused",
            Self::UnknownCommand => "unknown command",
            Self::NoModel => "no model for this category",
            Self::BadEdit => "invalid edit",
            Self::BadPredicate => "invalid predicate",
            Self::BadQuery => "invalid query line",
            Self::ForeignOrigin => "foreign origin refused",
            Self::NoSuchPath => "no such path",
            Self::NoSuchStream => "no such stream",
            Self::NoSuchEvent => "no such event",
            Self::NoSuchCorrelation => "no such correlation",
            Self::NoSuchModel => "no such model",
            Self::NoSuchJob => "no such job",
            Self::NoSuchProjection => "no such projection",
            Self::NoSuchHandler => "no such handler",
            Self::NoSuchDocument => "no such document",
            Self::NoSuchRun => "no such run",
            Self::NoSuchNote => "no such note",
            Self::NoSuchBranch => "no such branch",
            Self::RevisionBeyondHead => "revision beyond the head",
            Self::PositionBeyondHead => "position beyond the head",
            Self::NoSuchDecision => "no such decision",
            Self::NoSuchField => "no such field",
            Self::BeforeFirstEvent => "before the first event",
            Self::MethodNotAllowed => "method not allowed",
            Self::Timeout => "request timed out",
            Self::WrongRevision => "wrong expected revision",
            Self::EventIdConflict => "event id already used",
            Self::CommandIdConflict => "command id already used",
            Self::NoteIdConflict => "note id already used",
            Self::BranchExists => "branch name already used",
            Self::KeyTaken => "unique key already held",
            Self::RedactedExport => "redacted export refused",
            Self::RedactedCopy => "not in this redacted copy",
            Self::OtherHistory => "of another history",
            Self::AlreadyRunning => "already running",
            Self::NotFailed => "job has not failed",
            Self::NotConfirmed => "plan not confirmed",
            Self::TooLarge => "request body too large",
            Self::UriTooLong => "URL too long",
            Self::UnsupportedMediaType => "unsupported media type",
            Self::ForeignHost => "foreign host refused",
            Self::Rejected => "rejected by a rule",
            Self::HeadersTooLarge => "request headers too large",
            Self::Damaged => "damaged record",
            Self::Internal => "internal error",
            Self::Busy => "too busy",
            Self::Unavailable => "not available",
            Self::ReadOnly => "read only",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The wire word: serde's own spelling is the single source.
        self.serialize(f)
    }
}
