//! Exports over HTTP: the log as NDJSON, piece by piece.

use std::io;
use std::sync::Arc;

use super::reply::Showable;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::EventView;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::model::Models;
use whodunit_core::shown::Reveal;
use whodunit_core::time::Timestamp;
use whodunit_core::transfer::{
    DecisionIds, ExportEnd, ExportHeader, LinesDigest, decision_line, end_line, header_line,
};

use super::common::asked_to_reveal;
use super::error::{ApiError, busy};
use super::extract::Query;
use crate::daemon::Parts;
use crate::interleave::{Ask, Cursor, EntryView, walk};
use crate::reading::{blocking, log_page, read};
use crate::store::chain::Chain;
use crate::store::{Direction, Head, HeadHash, LogFilter, ReadEvents, StoreError, StoreId, View};

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
/// the time of asking. With `reveal=true` it imports into an empty store as it was. Before them stands a line
/// `{"export": {"redacted": …, "events": …, "decisions": …, "store_id": …}}` (the counts are `null` where a filter decides what follows), and
/// after them `{"export_end": {"events": …, "decisions": …, "sha256": …}}`, so that a file that was cut short or changed
/// is known as one. The last line of an export of the whole log with its secrets also has `head_hash`, the hash over all records that `GET /v1/health`
/// shows: it was computed again on the way, and an export of records that do not lead to it is cut short.
/// Where secrets were left out, `redacted` says so, and so does the header `whodunit-redacted`: such an export imports as a
/// redacted copy.
#[utoipa::path(get, path = "/v1/export", tag = "ops", params(ExportParams),
    responses((status = 200, body = String, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn export_events(
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
        words: Vec::new(),
    };
    let text = params.text.filter(|text| !text.is_empty());
    let whole = filter == LogFilter::default() && text.is_none();
    if !whole && params.decisions == Some(true) {
        let detail = "`decisions` cannot be combined with a filter on events";
        return Err(Problem::new(Code::BadParameter, detail)
            .field("decisions")
            .into());
    }
    let Ok(place) = Arc::clone(&parts.gates.exports).try_acquire_owned() else {
        return Err(busy("too many exports are running"));
    };
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "export", "the log");
    let store = Arc::clone(&parts.store);
    let stats = blocking(move || store.stats()).await?;
    let until = stats.head;
    let is_whole = whole && params.decisions != Some(false);
    let what = if is_whole {
        What::EventsAndDecisions(Cursor::default())
    } else {
        What::Events(Some(Position(1)), Box::new((filter, text)))
    };
    let redacted =
        parts.store.is_redacted_copy() || (!reveal.yes() && hides_something(&parts).await?);
    let store = parts.store.id();
    let header = header_of(store, &what, until, redacted)?;
    let mut digest = LinesDigest::default();
    digest.lines(&header);
    let export = Export {
        parts,
        reveal,
        until,
        what: Some(what),
        events: 0,
        decisions: 0,
        digest,
        is_whole,
        redacted,
        chain: Chain::START,
        head_hash: stats.head_hash,
        _place: place,
    };
    let pieces = stream::unfold(export, Export::piece);
    let body = Body::from_stream(stream::iter([Ok(header)]).chain(pieces).fuse());
    let redacted = HeaderValue::from_static(if redacted { "true" } else { "false" });
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

/// Whether something of the log may be hidden in what is shown of it.
async fn hides_something(parts: &Parts) -> Result<bool, StoreError> {
    if parts.models.have_secrets() {
        return Ok(true);
    }
    let models = Arc::clone(&parts.models);
    read(&parts.store, move |view| {
        let categories = view.categories()?;
        Ok(categories
            .iter()
            .any(|info| models.for_category(&info.category).has_secrets()))
    })
    .await
}

/// The first line of an export: of which store it is, whether it is redacted, and how much follows, where that is known.
fn header_of(
    store: StoreId,
    what: &What,
    until: Head,
    redacted: bool,
) -> Result<Bytes, StoreError> {
    let (events, decisions) = match what {
        What::EventsAndDecisions(_) => (Some(until.position.0), Some(until.decision)),
        What::Events(_, wanted) if **wanted == (LogFilter::default(), None) => {
            (Some(until.position.0), Some(0))
        }
        What::Events(..) => (None, None),
    };
    let mut line = Vec::new();
    let header = ExportHeader {
        redacted,
        events,
        decisions,
        store_id: Some(store.to_string()),
    };
    header_line(&mut line, header).map_err(unwritten)?;
    line.push(b'\n');
    Ok(line.into())
}

/// What is left to export.
enum What {
    EventsAndDecisions(Cursor),
    Events(Option<Position>, Box<(LogFilter, Option<String>)>),
}

struct Export {
    parts: Arc<Parts>,
    reveal: Reveal,
    until: Head,
    what: Option<What>,
    // What was written so far, for the last line.
    events: u64,
    decisions: u64,
    digest: LinesDigest,
    /// Whether all records are exported.
    is_whole: bool,
    /// Whether secrets were left out.
    redacted: bool,
    /// Their chain so far.
    chain: Chain,
    /// What it is at the end, as the store has it.
    head_hash: HeadHash,
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
        let chain = self.chain;
        let lines = read(&self.parts.store, move |view| {
            lines(view, (what, chain), until, &models, reveal)
        });
        match lines.await.and_then(|piece| self.with_end(piece)) {
            Ok(lines) => Some((Ok(lines.into()), self)),
            Err(error) => {
                tracing::error!(error = error.with_cause(), "an export was cut short");
                Some((Err(io::Error::other("the store failed")), self))
            }
        }
    }

    /// Counts the lines of a piece; after the last of them stands the export's own.
    fn with_end(&mut self, piece: Piece) -> Result<Vec<u8>, StoreError> {
        let Piece {
            mut lines,
            events,
            decisions,
            chain,
            rest,
        } = piece;
        self.chain = chain;
        self.events += events;
        self.decisions += decisions;
        self.digest.lines(&lines);
        self.what = rest;
        if self.what.is_none() {
            if self.is_whole && self.chain.head_hash() != self.head_hash {
                return Err(StoreError::Damaged {
                    place: format!("the log up to position {}", self.until.position),
                    detail: "its records are not those that were written: their chain does not lead to the head's hash".to_owned(),
                });
            }
            let end = ExportEnd {
                events: self.events,
                decisions: self.decisions,
                sha256: self.digest.hex(),
                // It is a hash over secrets, too: a copy without them neither says nor needs it.
                head_hash: (self.is_whole && !self.redacted).then(|| self.head_hash.to_string()),
            };
            end_line(&mut lines, end).map_err(unwritten)?;
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

/// Some lines of an export.
struct Piece {
    lines: Vec<u8>,
    events: u64,
    decisions: u64,
    /// The chain behind them, where all records are exported.
    chain: Chain,
    /// What is left to export after them.
    rest: Option<What>,
}

impl Piece {
    /// Appends an event, and chains it.
    fn event(
        &mut self,
        models: &Models,
        reveal: Reveal,
        event: &EventView<'_>,
    ) -> Result<(), StoreError> {
        self.chain.event(event);
        let written = reveal.write_event(models, event, &mut self.lines);
        written.map_err(unwritten)?;
        self.lines.push(b'\n');
        self.events += 1;
        Ok(())
    }
}

fn lines(
    view: &dyn View,
    (what, chain): (What, Chain),
    until: Head,
    models: &Models,
    reveal: Reveal,
) -> Result<Piece, StoreError> {
    let mut piece = Piece {
        lines: Vec::new(),
        events: 0,
        decisions: 0,
        chain,
        rest: None,
    };
    match what {
        What::EventsAndDecisions(from) => {
            let ask = Ask {
                from,
                until,
                only_rejected: false,
                limit: PIECE_EVENTS,
            };
            let mut last = None;
            let end = walk(view, ask, &mut |entry, _| {
                match entry {
                    EntryView::Event(event) => {
                        piece.event(models, reveal, event)?;
                        last = Some((event.position, event.event_id.as_str().to_owned()));
                    }
                    EntryView::Decision(decision) => {
                        let ids = place(view, &decision, last.as_ref())?;
                        piece.chain.decision(&decision);
                        let decision = reveal.show(models, decision);
                        decision_line(&mut piece.lines, &decision, &ids).map_err(unwritten)?;
                        piece.lines.push(b'\n');
                        piece.decisions += 1;
                    }
                }
                Ok(())
            })?;
            let done = end.position >= until.position.0 && end.decision >= until.decision;
            piece.rest = (!done).then_some(What::EventsAndDecisions(end));
        }
        What::Events(from, wanted) => {
            let show = |event| reveal.show(models, event);
            let (filter, text) = wanted.as_ref();
            let filter = (filter, text.as_deref());
            let page = log_page(view, filter, from, Direction::Forward, PIECE_EVENTS, &show)?;
            for event in page.events {
                if event.position <= until.position {
                    line(&mut piece.lines, &event)?;
                    piece.events += 1;
                }
            }
            let next = page.next.filter(|next| *next <= until.position);
            piece.rest = next.map(|next| What::Events(Some(next), wanted));
        }
    }
    Ok(piece)
}

/// Which events tell a decision's place. The last event written is looked at first: mostly it is the one.
fn place(
    view: &dyn ReadEvents,
    decision: &Decision,
    last: Option<&(Position, String)>,
) -> Result<DecisionIds, StoreError> {
    let written = |at: Position| last.filter(|(position, _)| *position == at);
    if let Outcome::Accepted {
        revision,
        position,
        events,
    } = decision.result
        && events > 0
    {
        if events == 1
            && let Some((_, id)) = written(position)
        {
            let event_ids = vec![id.clone()];
            return Ok(DecisionIds::Events { event_ids });
        }
        let first = Revision((revision.0 + 1).saturating_sub(u64::from(events)));
        let count = usize::try_from(events).unwrap_or(usize::MAX);
        let events = view.stream_events(&decision.stream, first, Direction::Forward, count)?;
        let event_ids = events.into_iter().map(|event| event.event_id).collect();
        return Ok(DecisionIds::Events { event_ids });
    }
    let base_event_id = match (decision.base_position, written(decision.base_position)) {
        (Position::ZERO, _) => None,
        (_, Some((_, id))) => Some(id.clone()),
        (at, None) => view.event_at(at)?.map(|event| event.event_id),
    };
    let base_stream_event_id = if decision.base_revision == Revision::ZERO {
        None
    } else {
        let base = view.event_at_revision(&decision.stream, decision.base_revision)?;
        base.map(|event| event.event_id)
    };
    Ok(DecisionIds::After {
        base_event_id,
        base_stream_event_id,
    })
}

fn line(lines: &mut Vec<u8>, value: &impl Showable) -> Result<(), StoreError> {
    serde_json::to_writer(&mut *lines, value).map_err(unwritten)?;
    lines.push(b'\n');
    Ok(())
}

fn unwritten(error: serde_json::Error) -> StoreError {
    StoreError::Engine {
        doing: "writing a line of an export",
        source: error.into(),
    }
}
