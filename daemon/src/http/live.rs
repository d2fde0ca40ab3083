//! Live feeds over HTTP: server-sent events.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use whodunit_core::api::browse::LiveHead;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::StreamName;
use whodunit_core::search::Search;
use whodunit_core::shown::Reveal;

use super::error::{ApiError, busy};
use super::extract::Query;
use crate::daemon::Parts;
use crate::interleave::Entry;
use crate::limits::LIVE_RETRY;
use crate::live::{After, Feed, FeedError, Message, Place};

/// Bytes after which what is ready is sent, though more is ready.
const PIECE_BYTES: usize = 64 << 10;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LiveParams {
    /// Begin after this: a position, or the id of the last message seen (`position.decision.mark`). Without it, and without the
    /// header `Last-Event-ID`, the feed begins with what comes next. An id stands for exactly what was sent before it, and is
    /// refused (`other_history`) where this log has another history there. A
    /// position alone stands for the place right after its event in a feed from the beginning: of rejections that were
    /// restored since, those that belong before it do not come.
    after: Option<String>,
    /// Exactly this category.
    category: Option<String>,
    /// Exactly this event type. Decisions have none: they are left out.
    r#type: Option<String>,
    /// Exactly this stream.
    #[param(value_type = Option<String>)]
    stream: Option<StreamName>,
    /// Exactly this actor.
    actor: Option<String>,
    /// Exactly this correlation id.
    correlation: Option<String>,
    /// Occurs in the event, without regard to case. Decisions are left out.
    text: Option<String>,
}

impl LiveParams {
    /// Whether an event is wanted, its text aside.
    fn takes_event(&self, event: &Event) -> bool {
        self.takes(
            &event.stream,
            event.actor.as_ref(),
            event.correlation_id.as_ref(),
        ) && self
            .r#type
            .as_ref()
            .is_none_or(|own| *own == event.event_type)
    }

    /// Whether a decision is wanted.
    fn takes_decision(&self, decision: &Decision) -> bool {
        self.r#type.is_none()
            && self.text.is_none()
            && self.takes(
                &decision.stream,
                decision.actor.as_ref(),
                decision.correlation_id.as_ref(),
            )
    }

    fn takes(
        &self,
        stream: &StreamName,
        actor: Option<&String>,
        correlation: Option<&String>,
    ) -> bool {
        let is = |wanted: &Option<String>, value: Option<&String>| {
            wanted.is_none() || wanted.as_ref() == value
        };
        self.category
            .as_ref()
            .is_none_or(|own| own == stream.category())
            && self.stream.as_ref().is_none_or(|own| own == stream)
            && is(&self.actor, actor)
            && is(&self.correlation, correlation)
    }
}

/// Events and rejected decisions as they are committed: each event as a message without a type, for `onmessage` of an `EventSource`;
/// `event: decision` with a rejected Decision; `event: head` with the position of the head once there is nothing left to
/// send, repeated as heartbeat. Every message has an id to resume from. Entries that do not match the filters are left out.
#[utoipa::path(get, path = "/v1/live", tag = "browse",
    params(LiveParams, ("Last-Event-ID" = Option<String>, Header, description = "the id of the last message seen")),
    responses((status = 200, body = String, content_type = "text/event-stream"),
        (status = 409, body = Problem, content_type = "application/problem+json"),
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
    let feed = Feed::begin(&parts.store, after, parts.config.heartbeat).await;
    let store = parts.store.id();
    let feed = feed.map_err(|error| match error {
        FeedError::OtherHistory(head) => {
            let detail = format!(
                "`{name}` is not an id of this log's history (store {store}, head {}.{}): another store gave it, or this one \
                 before a backup of it was restored",
                head.position, head.decision
            );
            Problem::new(Code::OtherHistory, detail)
                .field(name)
                .hint("read again what came before, then begin without it, or with `after=` and a position")
                .into()
        }
        FeedError::Store(error) => ApiError::from(error),
        FeedError::BeyondHead(head) => {
            let detail = format!(
                "`{name}` is beyond the head ({}.{}): this is a different log, or an older copy of it",
                head.position, head.decision
            );
            Problem::new(Code::BadParameter, detail).field(name).into()
        }
    })?;
    let sending = Sending {
        parts,
        feed,
        text: params.text.as_deref().and_then(Search::new),
        wanted: params,
        _place: place,
    };
    let retry = format!("retry: {}\n\n", LIVE_RETRY.as_millis());
    let first = stream::once(std::future::ready(Ok(Bytes::from(retry))));
    let body = Body::from_stream(first.chain(stream::unfold(sending, Sending::piece)).fuse());
    let kind = HeaderValue::from_static("text/event-stream");
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

struct Sending {
    parts: Arc<Parts>,
    feed: Feed,
    wanted: LiveParams,
    text: Option<Search>,
    _place: OwnedSemaphorePermit,
}

impl Sending {
    /// Whether an event, as it is shown, is wanted.
    fn takes(&self, event: &Event) -> bool {
        self.wanted.takes_event(event) && self.text.as_ref().is_none_or(|text| text.in_event(event))
    }

    /// Everything that is ready, as one piece; `None` ends the feed.
    async fn piece(mut self) -> Option<(Result<Bytes, axum::Error>, Self)> {
        let mut piece = Vec::new();
        loop {
            let next = tokio::select! {
                biased;
                () = self.parts.stopping.cancelled() => return None,
                next = self.feed.next() => next,
            };
            let (message, place) = match next {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!(%error, "a live feed ended");
                    return None;
                }
            };
            if let Err(error) = self.write(&mut piece, message, place) {
                return Some((Err(axum::Error::new(error)), self));
            }
            // Entries that do not match make no piece: continue with the next ones.
            if !piece.is_empty() && !self.feed.has_more() || piece.len() >= PIECE_BYTES {
                return Some((Ok(piece.into()), self));
            }
        }
    }

    fn write(
        &self,
        piece: &mut Vec<u8>,
        message: Message,
        place: Place,
    ) -> Result<(), serde_json::Error> {
        let models = &self.parts.models;
        let (kind, data) = match message {
            Message::Entry(Entry::Event(event)) => {
                let event = Reveal::NO.show(models, *event);
                if !self.takes(&event) {
                    return Ok(());
                }
                ("", serde_json::to_string(&event)?)
            }
            Message::Entry(Entry::Decision(decision)) => {
                let decision = Reveal::NO.show(models, *decision);
                if !self.wanted.takes_decision(&decision) {
                    return Ok(());
                }
                ("event: decision\n", serde_json::to_string(&decision)?)
            }
            Message::Head(head) => {
                let head = LiveHead {
                    position: head.position.0,
                    decision: head.decision,
                    redacted_copy: self.parts.store.is_redacted_copy(),
                };
                ("event: head\n", serde_json::to_string(&head)?)
            }
        };
        // JSON as serde writes it is one line, as a message's data must be.
        piece.extend_from_slice(format!("id: {place}\n{kind}data: {data}\n\n").as_bytes());
        Ok(())
    }
}
