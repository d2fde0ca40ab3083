//! A stream's events as NDJSON: piece by piece, the next one made while the client takes the last.
//!
//! Owns the lines. How many pieces there are in memory is bounded: two of each reply, and so many replies at a time.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use whodunit_core::api::browse::{StreamEnd, StreamLine};
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::model::Models;
use whodunit_core::shown::Reveal;

use super::common::Order;
use super::error::{ApiError, busy};
use super::find::NDJSON;
use crate::daemon::Parts;
use crate::reading::read;
use crate::store::{StoreError, View};
use crate::time_travel::{Point, resolve};

/// Events of one piece, at most.
const PIECE_EVENTS: u64 = 1_000;
/// Bytes of one piece, but for its last event.
const PIECE_BYTES: usize = 512 << 10;

/// What is asked for.
pub(super) struct Asked {
    pub(super) stream: StreamName,
    pub(super) from: Option<Revision>,
    pub(super) order: Order,
    pub(super) limit: Option<u64>,
    pub(super) reveal: Reveal,
}

/// Answers with the events up to the stream's head at the time of asking, as lines.
pub(super) async fn lines(parts: &Arc<Parts>, asked: Asked) -> Result<Response, ApiError> {
    let Ok(place) = Arc::clone(&parts.gates.exports).try_acquire_owned() else {
        return Err(busy("too many exports are running"));
    };
    let (stream, order) = (asked.stream.clone(), asked.order);
    let (head, position) = read(&parts.store, move |view| -> Result<_, ApiError> {
        let head = resolve(view, &stream, Point::Head)?.revision;
        Ok((head, view.head().position))
    })
    .await?;
    let next = match order {
        Order::Forward => asked.from.unwrap_or_default().max(Revision(1)),
        Order::Backward => asked.from.unwrap_or(head).min(head),
    };
    let mut run = Run {
        making: None,
        end: StreamEnd {
            head: position.0,
            redacted_copy: parts.store.is_redacted_copy(),
            ..StreamEnd::default()
        },
        left: asked.limit.unwrap_or(u64::MAX),
        head,
        asked: Arc::new(asked),
        parts: Arc::clone(parts),
        _place: place,
    };
    run.make(next);
    let pieces = stream::unfold(run, Run::piece);
    let body = Body::from_stream(pieces.fuse());
    let kind = HeaderValue::from_static(NDJSON);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// Some lines, and the revision to go on from.
struct Piece {
    lines: Vec<u8>,
    events: u64,
    next: Option<Revision>,
}

struct Run {
    /// The next piece; `None` behind the last.
    making: Option<JoinHandle<Result<Piece, StoreError>>>,
    end: StreamEnd,
    /// How many more are asked for.
    left: u64,
    /// The stream's head when it was asked.
    head: Revision,
    asked: Arc<Asked>,
    parts: Arc<Parts>,
    _place: OwnedSemaphorePermit,
}

impl Run {
    /// Begins to make a piece.
    fn make(&mut self, from: Revision) {
        let (asked, parts, head) = (Arc::clone(&self.asked), Arc::clone(&self.parts), self.head);
        let limit = self.left.min(PIECE_EVENTS);
        self.making = Some(tokio::spawn(async move {
            // The readers' pool is never closed.
            let reader = Arc::clone(&parts.gates.readers).acquire_owned().await.ok();
            let models = Arc::clone(&parts.models);
            read(&parts.store, move |view| {
                let _reader = reader;
                piece(view, &asked, (from, head, limit), &models)
            })
            .await
        }));
    }

    /// The next lines. An error cuts the reply short, which its reader can tell from an end.
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let made = self.making.take()?.await;
        if self.parts.stopping.is_cancelled() {
            return Some((Err(io::Error::other("the daemon is shutting down")), self));
        }
        let lines = match made {
            Ok(Ok(piece)) => self.take(piece),
            Ok(Err(error)) => {
                let error = error.with_cause();
                tracing::error!(error, "the events of a stream were cut short");
                Err(io::Error::other("the store failed"))
            }
            Err(ended) => Err(io::Error::other(ended)),
        };
        Some((lines.map(Bytes::from), self))
    }

    /// Takes a piece: the next one is made meanwhile, and after the last stands the end.
    fn take(&mut self, piece: Piece) -> io::Result<Vec<u8>> {
        let mut lines = piece.lines;
        self.end.events += piece.events;
        self.left -= piece.events;
        match piece.next {
            Some(next) if self.left > 0 => self.make(next),
            next => {
                let order = self.asked.order;
                self.end.next_cursor = next.map(|next| order.cursor(next.0));
                let end = StreamLine::<()>::End(self.end.clone());
                serde_json::to_writer(&mut lines, &end)?;
                lines.push(b'\n');
            }
        }
        Ok(lines)
    }
}

fn piece(
    view: &dyn View,
    asked: &Asked,
    (from, head, limit): (Revision, Revision, u64),
    models: &Models,
) -> Result<Piece, StoreError> {
    let mut piece = Piece {
        lines: Vec::with_capacity(PIECE_BYTES),
        events: 0,
        next: None,
    };
    let range = match asked.order {
        Order::Forward => (from, head),
        Order::Backward => (Revision(1), from),
    };
    view.walk_stream(&asked.stream, range, asked.order.into(), &mut |event| {
        if piece.events >= limit || piece.lines.len() >= PIECE_BYTES {
            piece.next = Some(event.revision);
            return Ok(ControlFlow::Break(()));
        }
        piece.lines.extend_from_slice(b"{\"event\":");
        let written = asked.reveal.write_event(models, event, &mut piece.lines);
        written.map_err(|error| StoreError::Engine {
            doing: "writing an event",
            source: error.into(),
        })?;
        piece.lines.extend_from_slice(b"}\n");
        piece.events += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(piece)
}
