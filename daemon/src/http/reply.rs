//! JSON replies.
//!
//! Owns the bound on replies that their clients have not taken yet. Large ones are written where blocking is allowed.

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::time_travel::StepsOut;
use whodunit_core::api::{Page, browse, ops, pipeline, write};
use whodunit_core::shown::Shown;
use whodunit_core::stop::Stop;

use super::error::{ApiError, busy};
use crate::daemon::Parts;
use crate::memory::Memory;
use crate::reading::read;
use crate::store::{StoreError, View};

/// Replies below this many bytes are not counted against the bound: connections bound them well enough.
const COUNTED_FROM_BYTES: usize = 64 << 10;

/// What a reply may hold: what redaction made, and what has no place for a secret. An event, a decision or a state is only
/// shown as [`Shown`].
pub(crate) trait Showable: Serialize {}

impl<T: Serialize> Showable for Shown<T> {}
impl<T: Showable> Showable for Page<T> {}
impl<T: Showable> Showable for &T {}
impl<T: Showable> Showable for StepsOut<T> {}

/// Types without a place for a secret: names, counts, times, and documents that a projection keeps without secrets.
macro_rules! showable {
    ($($type:ty),* $(,)?) => { $(impl Showable for $type {})* };
}

showable!(
    browse::Category,
    browse::DensityOut,
    browse::LiveHead,
    browse::ModelOut,
    browse::Stream,
    ops::HealthOut,
    pipeline::BackfillPlan,
    pipeline::CheckOut,
    pipeline::DocumentOut,
    pipeline::DocumentPage,
    pipeline::JobOut,
    pipeline::NotYetOut,
    pipeline::OutboxPage,
    pipeline::ProjectionOut,
    pipeline::ReadModelOut,
    pipeline::RetriedOut,
    pipeline::RunOut,
    write::ImportReport,
);

/// A JSON reply.
#[derive(Debug)]
pub(crate) struct Reply<T>(pub(crate) T);

impl<T: Showable> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => json(Bytes::from(body)),
            Err(error) => unwritable(&error).into_response(),
        }
    }
}

fn json(body: Bytes) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], Body::from(body)).into_response()
}

fn unwritable(error: &serde_json::Error) -> ApiError {
    tracing::error!(%error, "a reply could not be written as JSON");
    Problem::new(Code::Internal, "the reply could not be written").into()
}

/// A JSON reply that is written already. Its share of the replies' memory is released when the client has received it.
#[derive(Debug)]
pub(crate) struct Written(Bytes);

/// The bytes of a reply and their share of the memory.
struct Counted {
    bytes: Vec<u8>,
    _share: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Memory that is written to until it is to stop.
struct Stoppable<'a> {
    bytes: Vec<u8>,
    stop: &'a Stop,
}

impl io::Write for Stoppable<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.stop.check().map_err(io::Error::other)?;
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn new(value: &impl Showable, replies: &Memory, stop: &Stop) -> Result<Self, ApiError> {
        let mut out = Stoppable {
            bytes: Vec::with_capacity(128),
            stop,
        };
        let written = serde_json::to_writer(&mut out, value);
        stop.check().map_err(StoreError::from)?;
        written.map_err(|error| unwritable(&error))?;
        let bytes = out.bytes;
        if bytes.len() < COUNTED_FROM_BYTES {
            return Ok(Self(bytes.into()));
        }
        let share = replies.reserve(bytes.capacity());
        let share =
            share.ok_or_else(|| busy("too much reply data is waiting for clients to read it"))?;
        Ok(Self(Bytes::from_owner(Counted {
            bytes,
            _share: share,
        })))
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        json(self.0)
    }
}

/// Answers with what a read of the log finds.
pub(crate) async fn answer<T: Showable>(
    parts: &Parts,
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    let replies = Arc::clone(&parts.gates.replies);
    read(&parts.store, move |view| {
        Written::new(&work(view)?, &replies, view.stop())
    })
    .await
}

/// Answers with what heavy work on the log finds: in a pool of its own.
pub(crate) async fn answer_heavy<T: Showable>(
    parts: &Parts,
    work: impl FnOnce(&dyn View) -> Result<T, ApiError> + Send + 'static,
) -> Result<Written, ApiError> {
    let replies = Arc::clone(&parts.gates.replies);
    let heavy = &parts.gates.heavy;
    heavy
        .read(&parts.store, move |view| {
            let found = work(view)?;
            view.stop().check().map_err(StoreError::from)?;
            Written::new(&found, &replies, view.stop())
        })
        .await
}
