//! Failures on their way out: every one becomes a problem document.
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

use crate::commands::WriteError;
use crate::store::{AppendError, StoreError};
use crate::time_travel::TravelError;
use crate::what_if::WhatIfFailure;

/// A problem to answer with.
#[derive(Debug)]
pub(crate) struct ApiError(pub(crate) Box<Problem>);

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        (status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Closed) {
            return unavailable().into();
        }
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "the store failed a request");
        match error {
            StoreError::Damaged { place, .. } => {
                Problem::new(Code::Damaged, format!("{place} is damaged"))
                    .hint("the daemon's log says what is wrong with it")
            }
            _ => Problem::new(
                Code::Internal,
                "the store failed; this says nothing about the data",
            )
            .hint("the daemon's log says why"),
        }
        .into()
    }
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
                .hint("`GET /v1/streams?match=` finds streams by a part of their name or title"),
            TravelError::BeyondHead { stream, head, .. } => Problem {
                revision: Some(head.0),
                ..Problem::new(Code::RevisionBeyondHead, detail).stream(stream)
            },
            TravelError::BeforeFirst { stream, first, .. } => Problem {
                actual: Some(json!(first)),
                ..Problem::new(Code::BeforeFirstEvent, detail).stream(stream)
            }
            .hint("`at_revision=0` is the empty state"),
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
            .hint("read the stream again and decide anew"),
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
            WriteError::Refused(problem) => Self(problem),
            WriteError::NoModel { stream } => no_model(stream.category()).into(),
            WriteError::Prepare(cause) => unprepared(&cause).into(),
            WriteError::Append(error) => error.into(),
            WriteError::Store(error) => error.into(),
        }
    }
}

fn no_model(category: &str) -> Problem {
    Problem::new(
        Code::NoModel,
        format!("category `{category}` has no model, so no commands"),
    )
    .hint("append events to it instead, or see `GET /v1/models` for what has commands")
}

fn unprepared(cause: &str) -> Problem {
    tracing::error!(cause, "a command could not be prepared");
    Problem::new(
        Code::Internal,
        "the command could not be prepared; the rules were not asked",
    )
    .hint("the daemon's log says why")
}

impl From<WhatIfFailure> for ApiError {
    fn from(failure: WhatIfFailure) -> Self {
        match failure {
            WhatIfFailure::Travel(error) => error.into(),
            WhatIfFailure::Store(error) => error.into(),
            WhatIfFailure::Refused(problem) => Self(problem),
            WhatIfFailure::Scenario(error) => untold(&error).into(),
        }
    }
}

fn untold(error: &WhatIfError) -> Problem {
    let detail = error.to_string();
    match error {
        WhatIfError::BadEdit { index, .. } => {
            Problem::new(Code::BadEdit, detail).field(format!("/edits/{index}"))
        }
        WhatIfError::NoModel { category, index } => {
            no_model(category).field(format!("/do/{index}/command"))
        }
        WhatIfError::UnknownCommand { index, .. } => {
            Problem::new(Code::UnknownCommand, detail).field(format!("/do/{index}/command/type"))
        }
        WhatIfError::Malformed { pointer, .. } => {
            Problem::new(Code::Malformed, detail).field(pointer)
        }
        WhatIfError::PlaintextSecret { pointer } => {
            Problem::new(Code::PlaintextSecret, detail).field(pointer)
        }
        WhatIfError::Prepare(cause) => unprepared(cause),
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
