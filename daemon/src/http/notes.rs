//! Notes over HTTP: written, found, removed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::notes::{NoteIn, NotePage};
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;
use whodunit_core::note::{BadNote, Note};
use whodunit_core::search::Search;
use whodunit_core::text::shown;
use whodunit_core::time::Timestamp;

use super::common::{Order, page_limit};
use super::error::ApiError;
use super::extract::{Json, PathText, Query};
use super::reply::Reply;
use super::streams::NoParams;
use crate::daemon::Parts;
use crate::limits::ACTOR_BYTES_MAX;
use crate::notes::{NotesError, Wanted, check_secrets};
use crate::reading::{blocking_aside, read};
use crate::store::View;

/// The order of notes: newest first.
const NEWEST_FIRST: Order = Order::Backward;

impl From<NotesError> for ApiError {
    fn from(error: NotesError) -> Self {
        let detail = error.to_string();
        match error {
            NotesError::Conflict(_) => Problem::new(Code::NoteIdConflict, detail).field("/note_id"),
            NotesError::Full => Problem::new(Code::LimitExceeded, detail)
                .hint("remove notes that are not needed any more"),
            NotesError::Unusable(_) => Problem::new(Code::Damaged, detail)
                .hint("move the file of notes out of the way, and start the daemon again"),
            NotesError::Disk(error) => {
                tracing::error!(%error, "notes could not be written");
                Problem::new(
                    Code::Internal,
                    "the notes could not be written; nothing was changed",
                )
                .hint("the daemon's log says why")
            }
        }
        .into()
    }
}

fn refused(bad: &BadNote) -> ApiError {
    let code = if bad.is_secret {
        Code::PlaintextSecret
    } else {
        Code::Malformed
    };
    let problem = Problem::new(code, bad.to_string()).field(bad.pointer);
    if bad.is_secret {
        problem.hint("notes are shown to every client, and are part of redacted exports: name the field instead")
    } else {
        problem
    }
    .into()
}

/// Writes a note about a stream, one of its revisions, or an event. It is kept beside the log, which it does not change: no hash, state or
/// read model depends on it. The same `note_id` with the same content again returns the first answer.
#[utoipa::path(post, path = "/v1/notes", tag = "notes", request_body = NoteIn,
    responses((status = 200, body = Note),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`plaintext_secret` for a text that holds a secret, among others"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`note_id_conflict`")))]
pub(crate) async fn add_note(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
    Json(asked): Json<NoteIn>,
) -> Result<Reply<Note>, ApiError> {
    let now = parts.clock.now();
    let fresh = parts.commands.fresh_id();
    let models = Arc::clone(&parts.models);
    let note = read(&parts.store, move |view| -> Result<Note, ApiError> {
        let (stream, event) = target(view, &asked)?;
        if let Some(event) = &event {
            check_secrets(&models, event, &asked.text).map_err(|bad| refused(&bad))?;
        }
        let note = note(asked, stream, event, now, fresh);
        note.check().map_err(|bad| refused(&bad))?;
        Ok(note)
    })
    .await?;
    let (note, _added) =
        blocking_aside(move || -> Result<_, ApiError> { Ok(parts.notes.add(note)?) }).await?;
    Ok(Reply(note))
}

fn note(
    asked: NoteIn,
    stream: StreamName,
    event: Option<Event>,
    written_at: Timestamp,
    fresh: String,
) -> Note {
    Note {
        note_id: asked.note_id.unwrap_or(fresh),
        stream,
        revision: event.as_ref().map(|event| event.revision),
        event_id: event.map(|event| event.event_id),
        actor: asked.actor,
        written_at,
        text: asked.text,
    }
}

/// What a note is about: a stream, and an event of it where one is named.
fn target(view: &dyn View, asked: &NoteIn) -> Result<(StreamName, Option<Event>), ApiError> {
    if let Some(id) = &asked.event_id {
        if asked.revision.is_some() || asked.stream.is_some() {
            let detail =
                "`/event_id` names the event by itself; leave `/stream` and `/revision` out";
            return Err(Problem::new(Code::Malformed, detail)
                .field("/event_id")
                .into());
        }
        let event = view.event_by_id(id)?.ok_or_else(|| {
            let detail = format!("there is no event `{}`", echo(id));
            Problem::new(Code::NoSuchEvent, detail).field("/event_id")
        })?;
        return Ok((event.stream.clone(), Some(event)));
    }
    let Some(stream) = &asked.stream else {
        let detail =
            "name what the note is about: `/event_id`, or `/stream` with or without `/revision`";
        return Err(Problem::new(Code::Malformed, detail)
            .field("/stream")
            .into());
    };
    let info = view.stream(stream)?.ok_or_else(|| {
        let detail = format!("there is no stream `{stream}`");
        Problem::new(Code::NoSuchStream, detail)
            .stream(stream)
            .field("/stream")
    })?;
    let Some(revision) = asked.revision else {
        return Ok((stream.clone(), None));
    };
    if revision.0 == 0 {
        let detail =
            "`/revision` must be 1 or more: revision 0 has no event; leave it out for the stream";
        return Err(Problem::new(Code::Malformed, detail)
            .field("/revision")
            .into());
    }
    let beyond = || Problem {
        revision: Some(info.revision.0),
        ..Problem::new(
            Code::RevisionBeyondHead,
            format!("stream `{stream}` ends at revision {}", info.revision),
        )
        .stream(stream)
        .field("/revision")
    };
    let event = view
        .event_at_revision(stream, revision)?
        .ok_or_else(beyond)?;
    Ok((stream.clone(), Some(event)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct NotesParams {
    /// Exactly this stream, with its revisions.
    #[param(value_type = Option<String>)]
    stream: Option<StreamName>,
    /// Exactly this revision.
    revision: Option<u64>,
    /// Exactly this event.
    event_id: Option<String>,
    /// Exactly this writer.
    actor: Option<String>,
    /// Occurs in text, writer or stream, without regard to case.
    text: Option<String>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
}

/// Notes, newest first.
#[utoipa::path(get, path = "/v1/notes", tag = "notes", params(NotesParams),
    responses((status = 200, body = NotePage),
        (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_notes(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<NotesParams>,
) -> Result<Reply<NotePage>, ApiError> {
    let limit = page_limit(params.limit)?;
    let from = NEWEST_FIRST.read_cursor(params.cursor.as_deref())?;
    let wanted = Wanted {
        stream: params.stream,
        revision: params.revision,
        event_id: params.event_id,
        actor: params.actor,
        text: params.text.as_deref().and_then(Search::new),
    };
    let found = blocking_aside(move || -> Result<_, ApiError> {
        Ok(parts.notes.find(&wanted, from, limit)?)
    })
    .await?;
    Ok(Reply(NotePage {
        items: found.notes,
        next_cursor: found.next.map(|next| NEWEST_FIRST.cursor(next)),
        notes: found.all,
        unreadable: found.unreadable,
    }))
}

/// Removes a note, text and all. Who asked is noted in the daemon's log (`x-whodunit-actor`).
#[utoipa::path(delete, path = "/v1/notes/{note_id}", tag = "notes",
    params(("note_id" = String, Path, description = "its id")),
    responses((status = 200, body = Note), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove_note(
    State(parts): State<Arc<Parts>>,
    PathText(note_id): PathText,
    Query(NoParams {}): Query<NoParams>,
    headers: HeaderMap,
) -> Result<Reply<Note>, ApiError> {
    let who = headers
        .get("x-whodunit-actor")
        .and_then(|value| value.to_str().ok())
        .filter(|who| !who.is_empty() && who.len() <= ACTOR_BYTES_MAX)
        .unwrap_or("anonymous")
        .to_owned();
    let id = note_id.clone();
    let removed = blocking_aside(move || -> Result<_, ApiError> { Ok(parts.notes.remove(&id)?) });
    let Some(note) = removed.await? else {
        let detail = format!("there is no note `{}`", echo(&note_id));
        return Err(Problem::new(Code::NoSuchNote, detail)
            .hint("`GET /v1/notes` lists them")
            .into());
    };
    let (who, stream) = (shown(&who), note.stream.as_str());
    tracing::info!(%who, note = echo(&note_id), stream, "a note was removed");
    Ok(Reply(note))
}
