//! Reception of request bodies: each is read in full before its request counts as being worked on.
//!
//! Owns the bounds of a body: how large, how slow, and how many bytes of bodies are held at a time. A client that sends
//! slowly holds its connection and nothing else.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use whodunit_core::api::problem::{Code, Problem};

use super::error::{ApiError, busy};
use crate::config::Timeouts;
use crate::daemon::Parts;
use crate::limits::{BODY_BYTES_MAX, BODY_BYTES_PER_SECOND_MIN, BODY_UNCOUNTED_BYTES};

/// Reads the body, so that what comes after has it at hand.
pub(super) async fn receive(
    State(parts): State<Arc<Parts>>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(refused) = compressed(request.headers()) {
        return refused;
    }
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    match read(&parts, body).await {
        Ok(bytes) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Err(error) => error.into_response(),
    }
}

/// Refuses a body that is compressed.
pub(super) async fn uncompressed(request: Request, next: Next) -> Response {
    match compressed(request.headers()) {
        None => next.run(request).await,
        Some(refused) => refused,
    }
}

/// The refusal of a body that is compressed.
fn compressed(headers: &HeaderMap) -> Option<Response> {
    let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return None;
    }
    let detail = "the body is compressed (`Content-Encoding`), which is not supported";
    let problem = Problem::new(Code::UnsupportedMediaType, detail);
    let mut response = ApiError::from(problem.hint("send it as it is")).into_response();
    let taken = HeaderValue::from_static("identity");
    response
        .headers_mut()
        .insert(header::ACCEPT_ENCODING, taken);
    Some(response)
}

/// The bytes of a body and their share of the memory for bodies.
struct Held {
    bytes: Vec<u8>,
    _share: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

async fn read(parts: &Parts, body: Body) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let started = Instant::now();
    let (mut bytes, mut share, mut counted) = (Vec::new(), None, BODY_UNCOUNTED_BYTES);
    let mut pieces = body.into_data_stream();
    loop {
        let timeouts = parts.config.timeouts;
        let due = due(timeouts, started, bytes.len());
        let Ok(piece) = tokio::time::timeout_at(due, pieces.next()).await else {
            return Err(too_slow(timeouts, started));
        };
        let Some(piece) = piece else { break };
        let piece: Bytes = piece.map_err(|_broken| {
            Problem::new(Code::Malformed, "the body ended before it was complete")
        })?;
        let length = bytes.len() + piece.len();
        if length > BODY_BYTES_MAX {
            return Err(too_large());
        }
        if length > counted {
            // As much again, as the buffer grows too.
            let more = parts.gates.bodies.reserve(length.max(counted));
            let more = more.ok_or_else(|| busy("too much request data is being received"))?;
            counted += length.max(counted);
            match &mut share {
                None => share = Some(more),
                Some(share) => OwnedSemaphorePermit::merge(share, more),
            }
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Bytes::from_owner(Held {
        bytes,
        _share: share,
    }))
}

/// When the next piece is due: in time for the whole body, and for what it has brought so far not to be too slow.
fn due(timeouts: Timeouts, started: Instant, received: usize) -> Instant {
    let earned = Duration::from_secs((received / BODY_BYTES_PER_SECOND_MIN) as u64);
    started + (timeouts.body_grace + earned).min(timeouts.body)
}

fn too_large() -> ApiError {
    let detail = format!("the body is larger than {BODY_BYTES_MAX} bytes");
    Problem::new(Code::TooLarge, detail)
        .hint("split it; `POST /v1/import` takes any number of records")
        .into()
}

fn too_slow(timeouts: Timeouts, started: Instant) -> ApiError {
    let seconds = started.elapsed().as_secs();
    let detail = format!(
        "the body arrived too slowly: it was not complete after {seconds} seconds, and a body must bring at least {BODY_BYTES_PER_SECOND_MIN} bytes a second and be complete within {} seconds",
        timeouts.body.as_secs()
    );
    Problem::new(Code::Timeout, detail).into()
}
