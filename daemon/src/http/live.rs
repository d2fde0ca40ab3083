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
use whodunit_core::query::{Answer, Field, Query, Subject};
use whodunit_core::shown::{Reveal, Shown};

use super::error::{ApiError, busy};
use super::extract::Query as Params;
use super::find::read_line;
use crate::daemon::Parts;
use crate::find::Find;
use crate::interleave::Entry;
use crate::limits::LIVE_RETRY;
use crate::live::{After, Feed, FeedError, Message, Place};
use crate::reading::read;
use crate::store::{Head, StoreError, View};

/// Bytes after which what is ready is sent, though more is ready.
const PIECE_BYTES: usize = 64 << 10;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LiveParams {
    /// A query line, such as `type:UserDeleted actor:job:*`. See `docs/QUERY.md`. A rejected decision comes where the line
    /// matches it; with `outcome:` or `rule:` no events come. What a line says neither yes nor no of is left out, and counted in
    /// the messages `head` (`undecided`).
    q: Option<String>,
    /// The zone of times of the line that name none: an offset such as `+02:00`, or `Z`.
    zone: Option<String>,
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
    /// The line that says all of it.
    fn query(&self, parts: &Parts) -> Result<Query, ApiError> {
        let mut query = read_line(parts, self.q.as_deref(), self.zone.as_deref())?;
        if query.asks_for_later() {
            let detail = "a live feed does not know what will follow an event";
            return Err(Problem::new(Code::BadQuery, detail)
                .field("q")
                .hint("ask `GET /v1/events` for events that something followed, or did not")
                .into());
        }
        let stream = self
            .stream
            .as_ref()
            .map(|stream| stream.as_str().to_owned());
        let fields = [
            (Field::Category, &self.category),
            (Field::Type, &self.r#type),
            (Field::Stream, &stream),
            (Field::Actor, &self.actor),
            (Field::Correlation, &self.correlation),
        ];
        for (field, value) in fields {
            if let Some(value) = value {
                query = query.and_field(field, value);
            }
        }
        Ok(query.and_text(self.text.as_deref().unwrap_or_default()))
    }

    /// Whether decisions are left out: they have no event type, and are not searched for a text.
    fn leaves_decisions_out(&self) -> bool {
        self.r#type.is_some() || self.text.is_some()
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
    Params(params): Params<LiveParams>,
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
    let query = params.query(&parts)?;
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
                .hint("read what came before again, then start without it, or with `after=` and a position")
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
        find: Find {
            query: Arc::new(query),
            models: Arc::clone(&parts.models),
            travel: Arc::clone(&parts.travel),
            reveal: Reveal::NO,
            projections: None,
        },
        parts,
        feed,
        leaves_decisions_out: params.leaves_decisions_out(),
        left_out: LeftOut::default(),
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
    find: Find,
    leaves_decisions_out: bool,
    left_out: LeftOut,
    _place: OwnedSemaphorePermit,
}

/// What a feed leaves out because its line says neither yes nor no of it.
#[derive(Debug, Default)]
struct LeftOut {
    count: u64,
    first: Option<u64>,
    /// How many of them were told, and the place of the last message.
    told: u64,
    last: Option<Place>,
}

impl LeftOut {
    /// Whether an entry before this position is wanted; counts those that are not decided.
    fn takes(&mut self, answer: Answer, position: u64) -> bool {
        if matches!(answer, Answer::Undecided(_)) {
            self.count += 1;
            self.first.get_or_insert(position);
        }
        answer == Answer::Yes
    }
}

impl Sending {
    /// Whether an event, as it is shown, is wanted.
    async fn takes_event(&mut self, event: &Shown<Event>) -> Result<bool, StoreError> {
        let (query, position) = (&self.find.query, event.position.0);
        if query.is_of_decisions() {
            return Ok(false);
        }
        let model = self.parts.models.for_stream(&event.stream);
        let answer = match query.glance(Subject::Event(event), model) {
            Some(answer) => answer,
            None => {
                let (find, event) = (self.find.clone(), event.clone());
                let look = move |view: &dyn View| find.answer(view, Subject::Event(&event));
                read(&self.parts.store, look).await?
            }
        };
        Ok(self.left_out.takes(answer, position))
    }

    /// Whether a decision, as it is shown, is wanted.
    async fn takes_decision(&mut self, decision: &Shown<Decision>) -> Result<bool, StoreError> {
        if self.leaves_decisions_out {
            return Ok(false);
        }
        let position = decision.base_position.0;
        let model = self.parts.models.for_stream(&decision.stream);
        let answer = match self.find.query.glance(Subject::Decision(decision), model) {
            Some(answer) => answer,
            None => {
                let (find, decision) = (self.find.clone(), decision.clone());
                let look = move |view: &dyn View| find.answer(view, Subject::Decision(&decision));
                read(&self.parts.store, look).await?
            }
        };
        Ok(self.left_out.takes(answer, position))
    }

    /// Everything that is ready, as one piece; `None` ends the feed.
    async fn piece(mut self) -> Option<(Result<Bytes, axum::Error>, Self)> {
        let mut piece = Vec::new();
        loop {
            let next = tokio::select! {
                biased;
                () = self.parts.stopping.cancelled() => return self.last_word(),
                next = self.feed.next() => next,
            };
            let (message, place) = match next {
                Ok(next) => next,
                Err(error) => {
                    tracing::debug!(%error, "a live feed ended");
                    return None;
                }
            };
            if let Err(error) = self.write(&mut piece, message, place).await {
                return Some((Err(error), self));
            }
            // Entries that do not match make no piece: continue with the next ones.
            if !piece.is_empty() && !self.feed.has_more() || piece.len() >= PIECE_BYTES {
                return Some((Ok(piece.into()), self));
            }
        }
    }

    /// Ends the feed: what was left out since the last head is told before.
    fn last_word(mut self) -> Option<(Result<Bytes, axum::Error>, Self)> {
        let place = self.left_out.last?;
        if self.left_out.told == self.left_out.count {
            return None;
        }
        self.left_out.told = self.left_out.count;
        let head = *self.parts.store.head().borrow();
        let mut piece = Vec::new();
        let written = serde_json::to_string(&self.head(head))
            .map(|data| append_message(&mut piece, place, "event: head\n", &data));
        Some((
            written.map(|()| piece.into()).map_err(axum::Error::new),
            self,
        ))
    }

    fn head(&self, head: Head) -> LiveHead {
        LiveHead {
            position: head.position.0,
            decision: head.decision,
            redacted_copy: self.parts.store.is_redacted_copy(),
            undecided: self.left_out.count,
            undecided_from: self.left_out.first,
        }
    }

    async fn write(
        &mut self,
        piece: &mut Vec<u8>,
        message: Message,
        place: Place,
    ) -> Result<(), axum::Error> {
        let models = Arc::clone(&self.parts.models);
        self.left_out.last = Some(place);
        let (kind, data) = match message {
            Message::Entry(Entry::Event(event)) => {
                let event = Reveal::NO.show(&models, *event);
                if !self.takes_event(&event).await.map_err(axum::Error::new)? {
                    return Ok(());
                }
                ("", serde_json::to_string(&event))
            }
            Message::Entry(Entry::Decision(decision)) => {
                let decision = Reveal::NO.show(&models, *decision);
                if !self
                    .takes_decision(&decision)
                    .await
                    .map_err(axum::Error::new)?
                {
                    return Ok(());
                }
                ("event: decision\n", serde_json::to_string(&decision))
            }
            Message::Head(head) => {
                self.left_out.told = self.left_out.count;
                ("event: head\n", serde_json::to_string(&self.head(head)))
            }
        };
        let data = data.map_err(axum::Error::new)?;
        append_message(piece, place, kind, &data);
        Ok(())
    }
}

/// Appends a message. JSON as serde writes it is one line, as a message's data must be.
fn append_message(piece: &mut Vec<u8>, place: Place, kind: &str, data: &str) {
    piece.extend_from_slice(format!("id: {place}\n{kind}data: {data}\n\n").as_bytes());
}
