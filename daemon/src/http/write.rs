//! Writes: commands and raw events.

use std::sync::Arc;

use axum::extract::State;
use whodunit_core::api::problem::Problem;
use whodunit_core::api::write::{AppendIn, AppendedOut, CommandAccepted, CommandIn};
use whodunit_core::shown::{Reveal, Shown};

use super::error::{ApiError, rejected};
use super::extract::{Json, Query, StreamPath};
use super::reply::Reply;
use super::streams::NoParams;
use super::trace::Trace;
use crate::commands::{CommandResult, RawAppend};
use crate::daemon::Parts;

/// Decides a command by the rules of the stream's model. The decision is recorded, a rejection too.
#[utoipa::path(post, path = "/v1/streams/{stream}/commands", tag = "write",
    params(("stream" = String, Path, description = "its name, `category-id`"),
        ("x-request-id" = Option<String>, Header, description = "kept in the events' metadata as `request_id`, and sent back"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context: kept in the events' metadata; its trace id is the correlation id of a request that names no ids")), request_body = CommandIn,
    responses((status = 200, body = Shown<CommandAccepted>),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "malformed: names the field; nothing is stored"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`wrong_revision` or `command_id_conflict`; nothing is stored"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "`rejected` by a rule; on record")))]
pub(crate) async fn send_command(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(NoParams {}): Query<NoParams>,
    trace: Trace,
    Json(mut command): Json<CommandIn>,
) -> Result<Reply<Shown<CommandAccepted>>, ApiError> {
    trace.correlate(&mut command);
    match parts
        .commands
        .handle_traced(stream, command, trace.metadata())
        .await?
    {
        CommandResult::Rejected(decision) => Err(rejected(&decision)),
        CommandResult::Accepted(accepted) => Ok(Reply(Reveal::NO.show(&parts.models, *accepted))),
    }
}

/// Appends raw events, without running rules: all of them, or none.
#[utoipa::path(post, path = "/v1/streams/{stream}/events", tag = "write",
    params(("stream" = String, Path, description = "its name, `category-id`"),
        ("x-request-id" = Option<String>, Header, description = "kept in the events' metadata as `request_id`, and sent back"),
        ("traceparent" = Option<String>, Header, description = "W3C Trace Context: kept in the events' metadata; its trace id is the correlation id of a request that names no ids")), request_body = AppendIn,
    responses((status = 200, body = Shown<AppendedOut>),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "malformed: names the field; nothing is stored"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`wrong_revision`, `event_id_conflict` or `key_taken`; nothing is stored")))]
pub(crate) async fn append_events(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(NoParams {}): Query<NoParams>,
    trace: Trace,
    Json(mut body): Json<AppendIn>,
) -> Result<Reply<Shown<AppendedOut>>, ApiError> {
    trace.mark(&mut body.events);
    let raw = RawAppend {
        stream: stream.clone(),
        expected: body.expected_revision.unwrap_or_default(),
        events: body.events,
        handled: true,
    };
    let appended = parts.commands.append(raw).await?;
    let events = appended.events;
    // A repetition answers as the first append did, though its stream may have grown since.
    let out = AppendedOut {
        revision: events
            .last()
            .map_or(appended.revision, |event| event.revision),
        position: events
            .last()
            .map_or(appended.position, |event| event.position),
        stream,
        events: events.to_vec(),
        repeated: appended.repeated,
    };
    Ok(Reply(Reveal::NO.show(&parts.models, out)))
}
