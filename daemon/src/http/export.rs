//! Exports over HTTP: the log as NDJSON, piece by piece.

use std::io;
use std::sync::Arc;

use super::reply::Showable;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::command::Decision;
use whodunit_core::ids::Position;
use whodunit_core::model::Models;
use whodunit_core::shown::{Reveal, Shown};
use whodunit_core::time::Timestamp;

use super::common::asked_to_reveal;
use super::error::ApiError;
use super::extract::Query;
use super::layers::busy;
use crate::daemon::Parts;
use crate::interleave::{Cursor, Entry, batch};
use crate::reading::{log_page, read};
use crate::store::{Direction, Head, LogFilter, StoreError, View};

/// Events of one piece, at most.
const PIECE_EVENTS: usize = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// Exactly this category.
    category: Option<String>,
    /// Exactly this event type.
    r#type: Option<String>,
    /// Exactly this actor.
    actor: Option<String>,
    /// Exactly this correlation id.
    correlation: Option<String>,
    /// Recorded not before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Recorded not after this time.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Occurs in stream, type, actor, reason, ids, data or metadata, without regard to case.
    text: Option<String>,
    /// Whether decisions are included; `true` when absent, unless events are filtered.
    decisions: Option<bool>,
    /// Whether to include secrets. Who asked is noted (`x-whodunit-actor`). Without them an export cannot be restored.
    reveal: Option<bool>,
}

/// The log as NDJSON: one Event a line, or `{"decision": Decision}`, in the order they were committed, up to the head at
/// the time of asking. With `reveal=true` it imports into an empty store as it was. The header `whodunit-redacted` says
/// whether secrets were left out.
#[utoipa::path(get, path = "/v1/export", tag = "ops", params(ExportParams),
    responses((status = 200, body = String, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn export(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<ExportParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let filter = LogFilter {
        category: params.category,
        event_type: params.r#type,
        actor: params.actor,
        correlation_id: params.correlation,
        since: params.since,
        until: params.until,
        text: params.text.filter(|text| !text.is_empty()),
    };
    let whole = filter == LogFilter::default();
    if !whole && params.decisions == Some(true) {
        let detail = "`decisions` cannot be had with a filter on events";
        return Err(Problem::new(Code::BadParameter, detail)
            .field("decisions")
            .into());
    }
    let Ok(place) = Arc::clone(&parts.gates.exports).try_acquire_owned() else {
        return Err(busy("too many exports are under way"));
    };
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "export", "the log");
    let until = *parts.store.head().borrow();
    let what = if whole && params.decisions != Some(false) {
        What::EventsAndDecisions(Cursor::default())
    } else {
        What::Events(Some(Position(1)), Box::new(filter))
    };
    let export = Export {
        parts,
        reveal,
        until,
        what: Some(what),
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(export, Export::piece));
    let redacted = HeaderValue::from_static(if reveal.yes() { "false" } else { "true" });
    let head = HeaderValue::from(until.position.0);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        ),
        (HeaderName::from_static("whodunit-redacted"), redacted),
        (HeaderName::from_static("whodunit-head"), head),
    ];
    Ok((headers, body).into_response())
}

/// What is left to export.
enum What {
    EventsAndDecisions(Cursor),
    Events(Option<Position>, Box<LogFilter>),
}

struct Export {
    parts: Arc<Parts>,
    reveal: Reveal,
    until: Head,
    what: Option<What>,
    _place: OwnedSemaphorePermit,
}

impl Export {
    /// The next lines. An error cuts the reply short, which its reader can tell from an end.
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let what = self.what.take()?;
        if self.parts.stopping.is_cancelled() {
            return Some((Err(io::Error::other("the daemon is shutting down")), self));
        }
        let (models, reveal, until) = (Arc::clone(&self.parts.models), self.reveal, self.until);
        let lines = read(&self.parts.store, move |view| {
            lines(view, what, until, &models, reveal)
        });
        match lines.await {
            Ok((lines, rest)) => {
                self.what = rest;
                Some((Ok(lines.into()), self))
            }
            Err(error) => {
                tracing::error!(error = error.with_cause(), "an export was cut short");
                Some((Err(io::Error::other("the store failed")), self))
            }
        }
    }
}

fn lines(
    view: &dyn View,
    what: What,
    until: Head,
    models: &Models,
    reveal: Reveal,
) -> Result<(Vec<u8>, Option<What>), StoreError> {
    let mut lines = Vec::new();
    let rest = match what {
        What::EventsAndDecisions(from) => {
            let found = batch(view, from, until, false, PIECE_EVENTS)?;
            for (entry, _) in found.entries {
                match entry {
                    Entry::Event(event) => line(&mut lines, &reveal.show(models, *event))?,
                    Entry::Decision(decision) => {
                        let decision = reveal.show(models, *decision);
                        line(
                            &mut lines,
                            &DecisionLine {
                                decision: &decision,
                            },
                        )?;
                    }
                }
            }
            let done =
                found.end.position >= until.position.0 && found.end.decision >= until.decision;
            (!done).then_some(What::EventsAndDecisions(found.end))
        }
        What::Events(from, filter) => {
            let show = |event| reveal.show(models, event);
            let page = log_page(view, &filter, from, Direction::Forward, PIECE_EVENTS, &show)?;
            for event in page.events {
                if event.position <= until.position {
                    line(&mut lines, &event)?;
                }
            }
            let next = page.next.filter(|next| *next <= until.position);
            next.map(|next| What::Events(Some(next), filter))
        }
    };
    Ok((lines, rest))
}

#[derive(Serialize)]
struct DecisionLine<'a> {
    decision: &'a Shown<Decision>,
}

impl Showable for DecisionLine<'_> {}

fn line(lines: &mut Vec<u8>, value: &impl Showable) -> Result<(), StoreError> {
    serde_json::to_writer(&mut *lines, value).map_err(|error| StoreError::Engine {
        doing: "writing a line of an export",
        source: error.into(),
    })?;
    lines.push(b'\n');
    Ok(())
}
