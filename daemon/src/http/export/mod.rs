//! Exports over HTTP: the log, or a part of it, as NDJSON, piece by piece.

mod piece;

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::ids::StreamName;
use whodunit_core::query::{Field, Query as Line};
use whodunit_core::shown::Reveal;
use whodunit_core::time::Timestamp;
use whodunit_core::transfer::{
    ExportEnd, ExportHeader, LinesDigest, PartialExport, end_line, header_line,
};

use self::piece::{Asked, NotesTaken, Piece, What, lines, unwritten};
use super::common::asked_to_reveal;
use super::error::{ApiError, busy};
use super::extract::Query;
use super::find::read_line;
use crate::daemon::Parts;
use crate::find::Find;
use crate::interleave::Cursor;
use crate::reading::{blocking, read};
use crate::store::chain::Chain;
use crate::store::{Head, HeadHash, StoreError};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// A query line, such as `type:UserDeleted actor:job:*`: only events that match. See `docs/QUERY.md`. The other filters are
    /// shorthands of its terms; all of them must hold.
    q: Option<String>,
    /// The zone of times of the line that name none: an offset such as `+02:00`, or `Z`.
    zone: Option<String>,
    /// Exactly this stream.
    #[param(value_type = Option<String>)]
    stream: Option<StreamName>,
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

impl ExportParams {
    /// The line that says which events are wanted.
    fn line(&self, parts: &Parts) -> Result<Line, ApiError> {
        let mut line = read_line(parts, self.q.as_deref(), self.zone.as_deref())?;
        if line.is_of_decisions() {
            let detail = "an export is of events, and this line asks for decisions";
            return Err(Problem::new(Code::BadQuery, detail).field("q").into());
        }
        let stream = self.stream.as_ref().map(ToString::to_string);
        for (field, value) in [
            (Field::Stream, &stream),
            (Field::Category, &self.category),
            (Field::Type, &self.r#type),
            (Field::Actor, &self.actor),
            (Field::Correlation, &self.correlation),
        ] {
            if let Some(value) = value {
                line = line.and_field(field, value);
            }
        }
        if let Some(at) = self.since {
            line = line.and_since(at);
        }
        if let Some(at) = self.until {
            line = line.and_until(at);
        }
        let line = line.and_text(self.text.as_deref().unwrap_or_default());
        if !line.is_everything() && self.decisions == Some(true) {
            let detail = "`decisions` cannot be combined with a filter on events";
            return Err(Problem::new(Code::BadParameter, detail)
                .field("decisions")
                .into());
        }
        Ok(line)
    }
}

/// The log as NDJSON: one Event a line, or `{"decision": Decision}`, in the order they were committed, up to the head at
/// the time of asking, and then the notes, each as `{"note": Note}`. With `reveal=true` it imports into an empty store as it was. Before
/// them stands a line `{"export": {"redacted": …, "events": …, "decisions": …, "store_id": …}}` (the counts are `null` where a filter decides
/// what follows), and after them `{"export_end": {"events": …, "decisions": …, "sha256": …}}`, so that a file that was cut short or changed
/// is known as one. The last line of an export of the whole log with its secrets also has `head_hash`, the hash over all records that
/// `GET /v1/health` shows: it was computed again on the way, and an export of records that do not lead to it is cut short.
/// Where secrets were left out, `redacted` says so, and so does the header `whodunit-redacted`: such an export imports as a
/// redacted copy. With a filter it is a part of the log, without decisions and with the notes about its events and streams: its first line says of what,
/// in `partial`, and an import reports it. Where notes are not in it because their lines are damaged, the header `whodunit-notes-unreadable` and the last
/// line (`notes_unreadable`) say how many.
#[utoipa::path(get, path = "/v1/export", tag = "ops", params(ExportParams),
    responses((status = 200, body = String, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_stream` for `stream`")))]
pub(crate) async fn export_events(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<ExportParams>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let line = params.line(&parts)?;
    if let Some(stream) = params.stream.clone() {
        let known = read(&parts.store, move |view| view.stream(&stream)).await?;
        if known.is_none() {
            let detail = "there is no such stream to export";
            return Err(Problem::new(Code::NoSuchStream, detail)
                .field("stream")
                .into());
        }
    }
    let Ok(place) = Arc::clone(&parts.gates.exports).try_acquire_owned() else {
        return Err(busy("too many exports are running"));
    };
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "export", "the log");
    let store = Arc::clone(&parts.store);
    let stats = blocking(move || store.stats()).await?;
    let redacted =
        parts.store.is_redacted_copy() || (!reveal.yes() && hides_something(&parts).await?);
    let (notes, notes_unreadable) = notes_of(&parts, line.is_everything())?;
    let mut export = Export {
        is_whole: line.is_everything() && params.decisions != Some(false),
        what: None,
        reveal,
        until: stats.head,
        notes: Some(notes),
        told: ExportEnd {
            notes_unreadable,
            ..ExportEnd::default()
        },
        digest: LinesDigest::default(),
        redacted,
        chain: Chain::START,
        head_hash: stats.head_hash,
        parts,
        _place: place,
    };
    let header = export.header(&line)?;
    export.digest.lines(&header);
    export.what = Some(export.begin(line));
    let head = HeaderValue::from(export.until.position.0);
    let pieces = stream::unfold(export, Export::piece);
    let body = Body::from_stream(stream::iter([Ok(header)]).chain(pieces).fuse());
    let redacted = HeaderValue::from_static(if redacted { "true" } else { "false" });
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-ndjson"),
        ),
        (HeaderName::from_static("whodunit-redacted"), redacted),
        (HeaderName::from_static("whodunit-head"), head),
    ];
    let mut response = (headers, body).into_response();
    if notes_unreadable > 0 {
        let name = HeaderName::from_static("whodunit-notes-unreadable");
        let value = HeaderValue::from(notes_unreadable);
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// The notes there are, and how many cannot be read: the export says so in its header and its last line.
fn notes_of(parts: &Parts, all: bool) -> Result<(NotesTaken, u64), ApiError> {
    let (notes, unreadable) = parts.notes.all()?;
    if unreadable > 0 {
        tracing::warn!(
            unreadable,
            "an export is without the notes that are damaged"
        );
    }
    Ok((NotesTaken::new(notes, all), unreadable))
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

struct Export {
    parts: Arc<Parts>,
    reveal: Reveal,
    until: Head,
    what: Option<What>,
    /// Those of the store, until they are written.
    notes: Option<NotesTaken>,
    /// What was written so far, for the last line.
    told: ExportEnd,
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
    /// The first line: of which store it is, whether it is redacted, and how much follows, where that is known.
    fn header(&self, line: &Line) -> Result<Bytes, StoreError> {
        let is_part = !line.is_everything();
        let decisions = if self.is_whole {
            self.until.decision
        } else {
            0
        };
        let notes = self.notes.as_ref().map_or(0, NotesTaken::count);
        let header = ExportHeader {
            redacted: self.redacted,
            events: (!is_part).then_some(self.until.position.0),
            decisions: (!is_part).then_some(decisions),
            store_id: Some(self.parts.store.id().to_string()),
            notes: (!is_part && notes > 0).then_some(notes),
            bundle: None,
            partial: is_part.then(|| PartialExport {
                query: line.to_string(),
                of_events: self.until.position.0,
                of_decisions: self.until.decision,
            }),
        };
        let mut text = Vec::new();
        header_line(&mut text, header).map_err(unwritten)?;
        text.push(b'\n');
        Ok(text.into())
    }

    /// Everything that is to be exported.
    fn begin(&self, line: Line) -> What {
        if line.is_everything() {
            return What::Log {
                from: Cursor::default(),
                decisions: self.is_whole,
            };
        }
        What::Part {
            from: 1,
            find: Box::new(Find {
                query: Arc::new(line),
                models: Arc::clone(&self.parts.models),
                travel: Arc::clone(&self.parts.travel),
                reveal: self.reveal,
                // Records of which the line says neither yes nor no are counted, all of them.
                projections: None,
            }),
        }
    }

    /// The next lines. An error cuts the reply short, which its reader can tell from an end.
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let what = self.what.take()?;
        if self.parts.stopping.is_cancelled() {
            return Some((Err(io::Error::other("the daemon is shutting down")), self));
        }
        match self.next_piece(what).await {
            Ok(piece) => match self.with_end(piece) {
                Ok(lines) => Some((Ok(lines.into()), self)),
                Err(error) => {
                    tracing::error!(error = error.with_cause(), "an export was cut short");
                    Some((Err(io::Error::other("the store failed")), self))
                }
            },
            Err(error) => {
                tracing::error!(detail = error.0.detail, "an export was cut short");
                Some((Err(io::Error::other("the store failed")), self))
            }
        }
    }

    async fn next_piece(&mut self, what: What) -> Result<Piece, ApiError> {
        let (models, reveal, until) = (Arc::clone(&self.parts.models), self.reveal, self.until);
        let so_far = (self.chain, self.notes.take().unwrap_or_default());
        let is_heavy = matches!(&what, What::Part { find, .. } if find.is_heavy());
        let work = move |view: &dyn crate::store::View| {
            let asked = Asked {
                until,
                models: &models,
                reveal,
            };
            lines(view, what, so_far, &asked)
        };
        if is_heavy {
            self.parts.gates.heavy.read(&self.parts.store, work).await
        } else {
            read(&self.parts.store, work).await
        }
    }

    /// Counts the lines of a piece; after the last of them stand the notes, and the export's own.
    fn with_end(&mut self, piece: Piece) -> Result<Vec<u8>, StoreError> {
        let mut lines = piece.lines;
        self.chain = piece.chain;
        self.told.events += piece.events;
        self.told.decisions += piece.decisions;
        self.told.undecided += piece.undecided;
        self.what = piece.rest;
        if self.what.is_some() {
            self.digest.lines(&lines);
            self.notes = Some(piece.notes);
            return Ok(lines);
        }
        self.told.notes = piece.notes.count();
        piece.notes.lines(&mut lines)?;
        self.digest.lines(&lines);
        if self.is_whole && self.chain.head_hash() != self.head_hash {
            return Err(StoreError::Damaged {
                place: format!("the log up to position {}", self.until.position),
                detail: "its records are not those that were written: their chain does not lead to the head's hash".to_owned(),
            });
        }
        let end = ExportEnd {
            sha256: std::mem::take(&mut self.digest).hex(),
            // It is a hash over secrets, too: a copy without them neither says nor needs it.
            head_hash: (self.is_whole && !self.redacted).then(|| self.head_hash.to_string()),
            ..self.told.clone()
        };
        end_line(&mut lines, end).map_err(unwritten)?;
        lines.push(b'\n');
        Ok(lines)
    }
}
