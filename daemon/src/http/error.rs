//! Errors over HTTP: every error becomes a problem document (RFC 9457).
//!
//! Owns which failure of which layer is which code, and that a failure of ours is logged once, here. Never shows a
//! client the engine's own words.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::ExpectedRevision;
use whodunit_core::what_if::WhatIfError;

use crate::builtin::BuiltIn;
use crate::commands::WriteError;
use crate::limits::{HEAD_BYTES_MAX, URI_BYTES_MAX};
use crate::reading::Overloaded;
use crate::store::{AppendError, ReadOnly, StoreError};
use crate::time_travel::TravelError;
use crate::what_if::WhatIfFailure;

/// A problem to answer with.
#[derive(Debug)]
pub(crate) struct ApiError(pub(crate) Box<Problem>);

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem.bounded()))
    }
}

impl From<Box<Problem>> for ApiError {
    fn from(problem: Box<Problem>) -> Self {
        (*problem).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        if matches!(self.0.status, 429 | 503 | 507) {
            let seconds = match self.0.code {
                Code::Busy => 1,
                _ => 5,
            };
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The whole answer to a request that the HTTP engine refused by itself, in place of its own, which has no body. `None`
/// when `engine` is no such answer.
pub(crate) fn unread_answer(engine: &[u8]) -> Option<Vec<u8>> {
    let rest = engine.strip_prefix(b"HTTP/1.1 4")?;
    let text = std::str::from_utf8(rest).ok()?;
    let is_whole = text.ends_with("\r\n\r\n") && text.contains("content-length: 0\r\n");
    if !is_whole || !text.contains("connection: close\r\n") {
        return None;
    }
    let problem = match text.get(..2)? {
        "00" => Problem::new(Code::Malformed, "the request is not valid HTTP/1.1"),
        "14" => uri_too_long(),
        "31" => headers_too_large(),
        _ => return None,
    };
    let body = serde_json::to_string(&problem).ok()?;
    let first = engine.split(|&byte| byte == b'\r').next()?;
    let first = String::from_utf8_lossy(first);
    Some(
        format!(
            "{first}\r\ncontent-type: application/problem+json\r\nx-content-type-options: nosniff\r\n\
             cache-control: no-store\r\ncross-origin-resource-policy: same-origin\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

pub(crate) fn headers_too_large() -> Problem {
    let detail = format!(
        "the request's head is larger than {HEAD_BYTES_MAX} bytes, or has more than 100 headers"
    );
    Problem::new(Code::HeadersTooLarge, detail)
}

pub(crate) fn cursor_too_old() -> ApiError {
    Problem::new(
        Code::BadParameter,
        "too much has changed since the first page to continue this list",
    )
    .field("cursor")
    .hint("begin again without `cursor`, or order the list by name")
    .into()
}

pub(crate) fn uri_too_long() -> Problem {
    let detail = format!("the request's path and query are longer than {URI_BYTES_MAX} bytes");
    Problem::new(Code::UriTooLong, detail)
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        // Work is stopped while its caller still waits only when the daemon stops.
        if matches!(error, StoreError::Closed | StoreError::Stopped(_)) {
            return unavailable().into();
        }
        if matches!(error, StoreError::CursorTooOld) {
            return cursor_too_old();
        }
        if let StoreError::ReadOnly(why) = error {
            return read_only(why).into();
        }
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "a request failed in the store");
        match error {
            StoreError::Damaged { place, .. } => {
                Problem::new(Code::Damaged, format!("{place} is damaged"))
                    .hint("the daemon's log says what is wrong with it")
            }
            _ => Problem::new(
                Code::Internal,
                "the store failed; this does not mean that the data is damaged",
            )
            .hint("the daemon's log says why"),
        }
        .into()
    }
}

impl From<Overloaded> for ApiError {
    fn from(error: Overloaded) -> Self {
        busy(&error.to_string())
    }
}

/// A refusal for being too busy.
pub(crate) fn busy(detail: &str) -> ApiError {
    Problem::new(Code::Busy, detail)
        .hint("try again shortly")
        .into()
}

/// A refusal to record anything now.
pub(crate) fn read_only(why: ReadOnly) -> Problem {
    let problem = Problem::new(
        Code::ReadOnly,
        format!("{why}: nothing can be recorded now; reads still work"),
    );
    let status = match why {
        ReadOnly::DiskFull => 507,
        ReadOnly::FileGone | ReadOnly::DiskFailed | ReadOnly::WriterEnded | ReadOnly::NotSealed => {
            problem.status
        }
    };
    Problem { status, ..problem }.hint(why.remedy())
}

pub(crate) fn unavailable() -> Problem {
    Problem::new(Code::Unavailable, "the daemon is shutting down")
}

impl From<TravelError> for ApiError {
    fn from(error: TravelError) -> Self {
        let detail = error.to_string();
        match error {
            TravelError::NoSuchStream { stream } => Problem::new(Code::NoSuchStream, detail)
                .stream(stream)
                .hint("`GET /v1/streams?match=` finds streams by part of their name or title"),
            TravelError::BeyondHead { stream, head, .. } => Problem {
                revision: Some(head.0),
                ..Problem::new(Code::RevisionBeyondHead, detail).stream(stream)
            },
            TravelError::BeforeFirst {
                stream,
                first,
                left_out,
                ..
            } => Problem {
                actual: Some(json!(first)),
                warnings: left_out.into_iter().collect(),
                ..Problem::new(Code::BeforeFirstEvent, detail).stream(stream)
            }
            .hint("`at_revision=0` is the empty state"),
            TravelError::StateTooLarge { stream, .. } => {
                Problem::new(Code::LimitExceeded, detail).stream(stream).hint(
                    "an earlier revision may be small enough; its events can be read one by one at any size",
                )
            }
            TravelError::Store(error) => return error.into(),
        }
        .into()
    }
}

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> Self {
        let detail = error.to_string();
        match error {
            AppendError::WrongRevision {
                stream,
                expected,
                actual,
            } => Problem {
                expected: Some(expected_json(expected)),
                actual: Some(json!(actual)),
                revision: Some(actual.0),
                ..Problem::new(Code::WrongRevision, detail).stream(stream)
            }
            .hint("read the stream again, then decide again on its current state"),
            AppendError::EventIdConflict { .. } => Problem::new(Code::EventIdConflict, detail),
            AppendError::CommandIdConflict { .. } => Problem::new(Code::CommandIdConflict, detail),
            // Who holds it is not said: who may not see the other stream would learn of it.
            AppendError::KeyTaken { key, .. } => Problem {
                rule: Some(key.rule()),
                ..Problem::new(Code::KeyTaken, key.rejection().message)
            },
            AppendError::NotItsEvents(_) => Problem::new(Code::Malformed, detail),
            AppendError::Busy => Problem::new(Code::Busy, detail),
            AppendError::Closed => unavailable(),
            AppendError::Store(error) => return error.into(),
        }
        .into()
    }
}

fn expected_json(expected: ExpectedRevision) -> serde_json::Value {
    match expected {
        ExpectedRevision::Exact(revision) => json!(revision),
        word => json!(word.to_string()),
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(problem) => (*problem).into(),
            WriteError::NoModel { stream } => no_model(stream.category()).into(),
            WriteError::Prepare(cause) => unprepared(&cause).into(),
            WriteError::Redacted(detail) => Problem::new(Code::RedactedCopy, detail)
                .hint("send it to the daemon with the original log; a what-if can assume the password: `password_correct`")
                .into(),
            WriteError::Append(error) => error.into(),
            WriteError::Travel(error) => error.into(),
            WriteError::Store(error) => error.into(),
        }
    }
}

fn no_model(category: &str) -> Problem {
    let detail = format!("no model is in use for category `{category}`, so it has no commands");
    Problem::new(Code::NoModel, detail).hint(format!(
        "append events instead; {}",
        BuiltIn::how_to_ask_for(category)
    ))
}

fn unprepared(cause: &str) -> Problem {
    tracing::error!(cause, "a command could not be prepared");
    Problem::new(
        Code::Internal,
        "the command could not be prepared; the rules did not run",
    )
    .hint("the daemon's log says why")
}

impl From<WhatIfFailure> for ApiError {
    fn from(failure: WhatIfFailure) -> Self {
        match failure {
            WhatIfFailure::Travel(error) => error.into(),
            WhatIfFailure::Store(error) => error.into(),
            WhatIfFailure::Refused(problem) => (*problem).into(),
            WhatIfFailure::Scenario(error) => not_evaluated(error).into(),
        }
    }
}

fn not_evaluated(error: WhatIfError) -> Problem {
    let detail = error.to_string();
    match error {
        WhatIfError::BadEdit { index, .. } => {
            Problem::new(Code::BadEdit, detail).field(format!("/edits/{index}"))
        }
        WhatIfError::NoModel { category, at } => no_model(&category).field(at),
        WhatIfError::Refused(problem) => *problem,
        WhatIfError::WrongRevision {
            at,
            expected,
            actual,
        } => Problem {
            expected: Some(expected_json(expected)),
            actual: Some(json!(actual)),
            revision: Some(actual.0),
            ..Problem::new(Code::WrongRevision, detail).field(format!("{at}/expected_revision"))
        },
        WhatIfError::KeyTaken { index, key } => Problem {
            rule: Some(key.rule()),
            ..Problem::new(Code::KeyTaken, detail).field(format!("/do/{index}/event"))
        },
        WhatIfError::Prepare(cause) => unprepared(&cause),
        WhatIfError::TooLarge(_) => Problem::new(Code::LimitExceeded, detail)
            .hint("choose an earlier base, or do not re-fold"),
        WhatIfError::TooFar { .. } => Problem::new(Code::LimitExceeded, detail)
            .hint("change something later, or re-fold the one stream"),
        _ => Problem::new(Code::Malformed, detail),
    }
}

/// The answer to a command that a rule refused.
pub(crate) fn rejected(decision: &Decision) -> ApiError {
    let (rule, message) = match &decision.result {
        Outcome::Rejected { rule, message } => (rule.clone(), message.clone()),
        Outcome::Accepted { .. } => Default::default(),
    };
    Problem {
        rule: Some(rule),
        command_id: Some(decision.command_id.clone()),
        revision: Some(decision.base_revision.0),
        ..Problem::new(Code::Rejected, message).stream(&decision.stream)
    }
    .into()
}
