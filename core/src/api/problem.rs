//! Errors on the wire: RFC 9457 problem details with a stable code.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::pipeline::BackfillPlan;
use crate::text::shown;

/// What went wrong, for programs. Stable.
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
    /// 403: foreign `Origin`.
    ForeignOrigin,
    /// 404: no such path.
    NoSuchPath,
    /// 404: the stream has no event.
    NoSuchStream,
    /// 404: no such event.
    NoSuchEvent,
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
    /// 404: the stream's head is before the revision asked for.
    RevisionBeyondHead,
    /// 404: the log's head is before the position asked for.
    PositionBeyondHead,
    /// 404: no such decision.
    NoSuchDecision,
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
    /// 409: another stream holds a unique key that the events would take.
    KeyTaken,
    /// 409: a redacted export, and the log holds other history.
    RedactedExport,
    /// 409: it depends on what this log, a redacted copy, does not hold.
    RedactedCopy,
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
            | Self::BadEdit => 400,
            Self::ForeignOrigin => 403,
            Self::NoSuchPath
            | Self::NoSuchStream
            | Self::NoSuchEvent
            | Self::NoSuchModel
            | Self::NoSuchJob
            | Self::NoSuchProjection
            | Self::NoSuchHandler
            | Self::NoSuchDocument
            | Self::NoSuchRun
            | Self::RevisionBeyondHead
            | Self::PositionBeyondHead
            | Self::NoSuchDecision
            | Self::BeforeFirstEvent => 404,
            Self::MethodNotAllowed => 405,
            Self::Timeout => 408,
            Self::WrongRevision
            | Self::EventIdConflict
            | Self::CommandIdConflict
            | Self::KeyTaken
            | Self::RedactedExport
            | Self::RedactedCopy
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
            Self::Busy | Self::Unavailable => 503,
        }
    }

    /// The problem in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::Malformed => "malformed request",
            Self::BadParameter => "bad parameter",
            Self::BadTime => "not a moment",
            Self::BadStreamName => "impossible stream name",
            Self::LimitExceeded => "beyond a limit",
            Self::PlaintextSecret => "plaintext secret refused",
            Self::UnknownCommand => "unknown command",
            Self::NoModel => "no model for this category",
            Self::BadEdit => "edit out of reach",
            Self::ForeignOrigin => "foreign origin refused",
            Self::NoSuchPath => "no such path",
            Self::NoSuchStream => "no such stream",
            Self::NoSuchEvent => "no such event",
            Self::NoSuchModel => "no such model",
            Self::NoSuchJob => "no such job",
            Self::NoSuchProjection => "no such projection",
            Self::NoSuchHandler => "no such handler",
            Self::NoSuchDocument => "no such document",
            Self::NoSuchRun => "no such run",
            Self::RevisionBeyondHead => "revision beyond the head",
            Self::PositionBeyondHead => "position beyond the head",
            Self::NoSuchDecision => "no such decision",
            Self::BeforeFirstEvent => "nothing yet at that time",
            Self::MethodNotAllowed => "method not allowed",
            Self::Timeout => "request timed out",
            Self::WrongRevision => "wrong expected revision",
            Self::EventIdConflict => "event id already used",
            Self::CommandIdConflict => "command id already used",
            Self::KeyTaken => "unique key already held",
            Self::RedactedExport => "redacted export refused",
            Self::RedactedCopy => "not in this redacted copy",
            Self::AlreadyRunning => "already running",
            Self::NotFailed => "job has not failed",
            Self::NotConfirmed => "plan not confirmed",
            Self::TooLarge => "body too large",
            Self::UriTooLong => "path and query too long",
            Self::UnsupportedMediaType => "media type not taken",
            Self::ForeignHost => "foreign host refused",
            Self::Rejected => "rejected by a rule",
            Self::HeadersTooLarge => "head of the request too large",
            Self::Damaged => "damaged record",
            Self::Internal => "internal error",
            Self::Busy => "too busy at the moment",
            Self::Unavailable => "not available",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The wire word: serde's own spelling is the single source.
        self.serialize(f)
    }
}

/// Problem details (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:whodunit:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The problem in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What failed, on what.
    pub detail: String,
    /// What went wrong, for programs. Stable.
    pub code: Code,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The field or parameter that is wrong: a JSON Pointer into the body, or a parameter's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The rule that refused a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What was expected (a revision, for `wrong_revision`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What is there instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// The stream it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The revision it is about: the stream's head for a rejected command or a revision beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The id of the rejected command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command_id: Option<String>,
    /// The plan of the backfill that was not confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<BackfillPlan>>,
}

impl Problem {
    /// A problem of this code.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:whodunit:problem:{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code,
            hint: None,
            field: None,
            rule: None,
            expected: None,
            actual: None,
            stream: None,
            revision: None,
            command_id: None,
            plan: None,
        }
    }

    /// With what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With the field or parameter that is wrong.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// With the stream it is about.
    pub fn stream(mut self, stream: impl fmt::Display) -> Self {
        self.stream = Some(stream.to_string());
        self
    }
}

/// Characters of a request's own words that a problem repeats.
pub const ECHO_CHARS_MAX: usize = 64;
/// Characters of a problem's text altogether.
const TEXT_CHARS_MAX: usize = 2_000;

/// A request's own word (a key, type, path, name) as a problem may repeat it: cut, and with nothing that acts on a
/// terminal. All problems say such words through here.
pub fn echo(word: &str) -> String {
    shown(&cut(word, ECHO_CHARS_MAX)).into_owned()
}

/// The beginning of a text, with a sign that it is not all.
fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

/// A text of ours with what it quotes (between backticks) cut as [`echo`] cuts it, and altogether no longer than our own
/// words are.
fn bounded(text: &str) -> String {
    let parts = text
        .split('`')
        .enumerate()
        .map(|(index, part)| match index % 2 {
            1 => cut(part, ECHO_CHARS_MAX),
            _ => part.to_owned(),
        });
    cut(&parts.collect::<Vec<_>>().join("`"), TEXT_CHARS_MAX)
}

impl Problem {
    /// The problem with nothing of the request in it that is longer than a problem repeats. Every problem goes out through
    /// here, whoever wrote its words.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.detail = bounded(&self.detail);
        self.hint = self.hint.map(|hint| bounded(&hint));
        // A pointer's steps are keys of the request.
        self.field = self.field.map(|field| {
            let steps = field.split('/').map(|step| cut(step, ECHO_CHARS_MAX));
            cut(&steps.collect::<Vec<_>>().join("/"), 4 * ECHO_CHARS_MAX)
        });
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_repeats_little_of_a_request() {
        let long = "x".repeat(1 << 20);
        for detail in [
            format!("there is no `{}` here", echo(&long)),
            format!("there is no `{long}` here"),
            format!("there is no {long} here"),
            format!("`{}`", "a`".repeat(1 << 19)),
        ] {
            let problem = Problem::new(Code::Malformed, detail)
                .hint(format!("not `{long}` but `{long}`"))
                .field(format!("/{long}/0/{}", "y/".repeat(1 << 19)));
            let text = serde_json::to_string(&problem.bounded()).unwrap();
            assert!(text.len() < 10_000, "{}", text.len());
        }
        assert_eq!(echo("\u{1b}[2J"), "␛[2J");
        let short = Problem::new(Code::Malformed, "`a` and `b`").field("/a/b");
        assert_eq!(short.clone().bounded(), short);
        let cut = Problem::new(Code::Malformed, format!("no `{long}` here")).bounded();
        assert_eq!(cut.detail, format!("no `{}…` here", "x".repeat(64)));
    }

    #[test]
    fn codes_print_as_on_the_wire() {
        assert_eq!(Code::NoSuchStream.to_string(), "no_such_stream");
        let problem = Problem::new(Code::WrongRevision, "x");
        assert_eq!(problem.kind, "urn:whodunit:problem:wrong_revision");
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }
}
