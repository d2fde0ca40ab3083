//! Live feeds over HTTP: server-sent events.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use whodunit_core::api::browse::LiveHead;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::shown::Reveal;

use super::error::{ApiError, busy};
use super::extract::Query;
use crate::daemon::Parts;
use crate::interleave::{Cursor, Entry};
use crate::live::{After, Feed, Message, NoFeed};

/// Bytes after which what is ready is sent, though more is ready.
const PIECE_BYTES: usize = 64 << 10;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LiveParams {
    /// Begin after this: a position, or the id of the last message seen (`position.decision`). Without it, and without the
    /// header `Last-Event-ID`, the feed begins with what comes next.
    after: Option<String>,
}

/// What is committed, as it is committed: `event: event` with an Event, `event: decision` with a rejected Decision,
/// `event: head` with how far the log has come once there is nothing left to bring, repeated as heartbeat.
#[utoipa::path(get, path = "/v1/live", tag = "browse",
    params(LiveParams, ("Last-Event-ID" = Option<String>, Header, description = "the id of the last message seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
        (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn live_events(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<LiveParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let (name, text) = match (last_id, params.after.as_deref()) {
        // A browser that reconnects repeats the URL: the header is the newer word.
        (Some(id), _) => ("Last-Event-ID", Some(id)),
        (None, after) => ("after", after),
    };
    let after = text.map(str::parse::<After>).transpose().map_err(|error| {
        Problem::new(Code::BadParameter, format!("`{name}`: {error}")).field(name)
    })?;
    let Ok(place) = Arc::clone(&parts.gates.live).try_acquire_owned() else {
        return Err(busy("too many live feeds are open"));
    };
    let feed = Feed::begin(&parts.store, &parts.places, after, parts.config.heartbeat).await;
    let feed = feed.map_err(|error| match error {
        NoFeed::Store(error) => ApiError::from(error),
        NoFeed::BeyondHead(head) => {
            let detail = format!(
                "`{name}` lies beyond the head ({}.{}): this is another log, or an earlier state of it",
                head.position, head.decision
            );
            Problem::new(Code::BadParameter, detail).field(name).into()
        }
    })?;
    let sending = Sending {
        parts,
        feed,
        _place: place,
    };
    let body = Body::from_stream(stream::unfold(sending, Sending::piece));
    let kind = HeaderValue::from_static("text/event-stream");
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

struct Sending {
    parts: Arc<Parts>,
    feed: Feed,
    _place: OwnedSemaphorePermit,
}

impl Sending {
    /// Everything that is ready, as one piece; `None` ends the feed.
    async fn piece(mut self) -> Option<(Result<Bytes, axum::Error>, Self)> {
        let mut piece = Vec::new();
        loop {
            let next = tokio::select! {
                biased;
                () = self.parts.stopping.cancelled() => return None,
                next = self.feed.next() => next,
            };
            let (message, cursor) = match next {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!(%error, "a live feed ended");
                    return None;
                }
            };
            if let Err(error) = self.write(&mut piece, message, cursor) {
                return Some((Err(axum::Error::new(error)), self));
            }
            if !self.feed.has_more() || piece.len() >= PIECE_BYTES {
                return Some((Ok(piece.into()), self));
            }
        }
    }

    fn write(
        &self,
        piece: &mut Vec<u8>,
        message: Message,
        cursor: Cursor,
    ) -> Result<(), serde_json::Error> {
        let models = &self.parts.models;
        let (kind, data) = match message {
            Message::Entry(Entry::Event(event)) => (
                "event",
                serde_json::to_string(&Reveal::NO.show(models, *event))?,
            ),
            Message::Entry(Entry::Decision(decision)) => (
                "decision",
                serde_json::to_string(&Reveal::NO.show(models, *decision))?,
            ),
            Message::Head(head) => {
                let head = LiveHead {
                    position: head.position.0,
                    decision: head.decision,
                };
                ("head", serde_json::to_string(&head)?)
            }
        };
        // JSON as serde writes it is one line, as a message's data must be.
        piece
            .extend_from_slice(format!("id: {cursor}\nevent: {kind}\ndata: {data}\n\n").as_bytes());
        Ok(())
    }
}
