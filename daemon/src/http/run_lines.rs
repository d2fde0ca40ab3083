//! Long computations whose answer comes as lines: their progress, their end, and that they end with their client.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use whodunit_core::stop::{Stop, StopOnDrop};

use super::error::{ApiError, busy};
use crate::daemon::Parts;

/// Pieces of an answer that wait for a client that reads slowly; the computation waits, too.
const PIECES_MAX: usize = 8;
/// Bytes of lines after which they are sent.
const PIECE_BYTES: usize = 32 << 10;
/// Time after which the progress is sent, with the lines so far.
const EVERY: Duration = Duration::from_millis(200);

/// Numbers of such runs, counted from 1 since the daemon started.
pub(super) static NUMBERS: AtomicU64 = AtomicU64::new(0);

type Sender = mpsc::Sender<io::Result<Bytes>>;

/// Lines on their way.
pub(super) struct Lines {
    sender: Sender,
    stop: Stop,
    bytes: Vec<u8>,
    sent: Instant,
}

impl Lines {
    pub(super) fn push(&mut self, line: &impl Serialize) {
        if let Err(error) = serde_json::to_writer(&mut self.bytes, line) {
            drop(self.sender.blocking_send(Err(error.into())));
            self.stop.set();
            return;
        }
        self.bytes.push(b'\n');
        if self.bytes.len() >= PIECE_BYTES {
            self.send();
        }
    }

    /// Whether it is time to say how far it is.
    pub(super) fn are_due(&self) -> bool {
        self.sent.elapsed() >= EVERY
    }

    pub(super) fn send(&mut self) {
        self.sent = Instant::now();
        let piece = std::mem::take(&mut self.bytes);
        if self.sender.blocking_send(Ok(piece.into())).is_err() {
            // Its client has left.
            self.stop.set();
        }
    }
}

/// A place among the computations over many decisions.
pub(super) fn place(parts: &Parts) -> Result<OwnedSemaphorePermit, ApiError> {
    let place = Arc::clone(&parts.gates.backtests).try_acquire_owned();
    place.map_err(|_full| busy("another back-test, or computation over many decisions, is running"))
}

/// Answers with the lines of some work, which ends with its client.
pub(super) fn answer(
    parts: Arc<Parts>,
    place: OwnedSemaphorePermit,
    work: impl FnOnce(&mut Lines, &Stop) + Send + 'static,
) -> Response {
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    let stop = Stop::new();
    let left = stop.on_drop();
    tokio::task::spawn_blocking(move || {
        let mut lines = Lines {
            sender,
            stop: stop.clone(),
            bytes: Vec::new(),
            sent: Instant::now(),
        };
        work(&mut lines, &stop);
        lines.send();
        drop(place);
    });
    let answer = Answer {
        pieces,
        parts,
        left: Some(left),
    };
    let kind = HeaderValue::from_static("application/x-ndjson");
    let body = Body::from_stream(stream::unfold(answer, Answer::piece).fuse());
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// The answer, as long as its client takes it.
struct Answer {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    parts: Arc<Parts>,
    /// Ends the work when it is dropped.
    left: Option<StopOnDrop>,
}

impl Answer {
    async fn piece(mut self) -> Option<(io::Result<Bytes>, Self)> {
        let piece = tokio::select! {
            piece = self.pieces.recv() => piece,
            () = self.parts.stopping.cancelled(), if self.left.is_some() => {
                // Its last line says that it was stopped.
                self.left = None;
                self.pieces.recv().await
            }
        };
        piece.map(|piece| (piece, self))
    }
}
