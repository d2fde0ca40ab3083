//! Middleware of every request: time-out, concurrency limit, panics, headers, access log.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tower_http::compression::Predicate;
use tower_http::compression::predicate::{NotForContentType, SizeAbove};
use whodunit_core::api::problem::{Code, Problem, echo};

use super::error::{ApiError, busy};
use super::trace::{REQUEST_ID, request_id};
use crate::clock::{Ids, UuidV7};
use crate::daemon::Parts;
use crate::limits::{COMPRESSED_BYTES_MIN, HANDLER_TIMEOUT};
use crate::reading::as_request;

/// Bytes that are compressed before other tasks get their turn.
const SLICE_BYTES: usize = 8 << 10;

/// Outermost: adds the headers that every reply has, counts it, and one line in the log.
pub(super) async fn surround(
    State(parts): State<Arc<Parts>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    // The route, not the path: a path may contain personal data, which has no place in a log.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let request_id = match request_id(request.headers()) {
        Some(given) => given.clone(),
        None => fresh_request_id(),
    };
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(REQUEST_ID, request_id.clone());
    let took = started.elapsed();
    let ms = took.as_secs_f64() * 1_000.0;
    if parts.store.is_redacted_copy() {
        let name = HeaderName::from_static("whodunit-redacted-copy");
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static("true"));
    }
    let status = response.status().as_u16();
    let counted = route.as_deref().unwrap_or("none");
    parts
        .metrics
        .answered(known_method(&method), counted, status, took);
    tracing::debug!(%method, route, status, ms, request_id = request_id.to_str().unwrap_or_default(), "answered");
    response
}

fn fresh_request_id() -> HeaderValue {
    HeaderValue::try_from(UuidV7.fresh()).unwrap_or_else(|_never| HeaderValue::from_static("none"))
}

/// Which answers are compressed for clients that take gzip: those of some size, and no live feed, whose messages must not
/// wait for each other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Compressed;

impl Predicate for Compressed {
    fn should_compress<B: hyper::body::Body>(&self, response: &axum::http::Response<B>) -> bool {
        SizeAbove::new(COMPRESSED_BYTES_MIN)
            .and(NotForContentType::SSE)
            // A backup is compressed as far as it goes.
            .and(NotForContentType::const_new("application/octet-stream"))
            .should_compress(response)
    }
}

/// Whether a client takes gzip, by its `Accept-Encoding`.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let codings = values.filter_map(|value| value.to_str().ok());
    codings.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().strip_prefix("q=").unwrap_or_default();
        name.trim().eq_ignore_ascii_case("gzip") && weight.parse().is_ok_and(|q: f32| q > 0.0)
    })
}

/// Hands streamed bodies on in slices to what compresses them, so that a large one does not keep a thread from the other requests.
pub(super) async fn in_slices(request: Request, next: Next) -> Response {
    let is_compressed = request.headers().contains_key(header::ACCEPT_ENCODING);
    let response = next.run(request).await;
    if is_compressed {
        response.map(|body| Body::new(Sliced::new(body)))
    } else {
        response
    }
}

/// A body in slices, with a pause for other tasks after each.
struct Sliced {
    body: Body,
    rest: Bytes,
    pauses: bool,
}

impl Sliced {
    fn new(body: Body) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            pauses: false,
        }
    }
}

impl HttpBody for Sliced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if std::mem::take(&mut self.pauses) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        }
        let length = self.rest.len().min(SLICE_BYTES);
        self.pauses = length == SLICE_BYTES;
        let slice = self.rest.split_to(length);
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, inner) = (self.rest.len() as u64, self.body.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest + inner.lower());
        if let Some(upper) = inner.upper() {
            hint.set_upper(rest + upper);
        }
        hint
    }
}

/// A method as a metrics label; clients may send any word, so unknown ones share one label.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Answers for a handler that panicked. The panic's own words stay in the log.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that the layer asks for"
)]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let said = panic.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
    tracing::error!(said, "a request panicked");
    ApiError::from(
        Problem::new(
            Code::Internal,
            "the daemon failed while handling this request",
        )
        .hint("see the daemon's log, and please report it"),
    )
    .into_response()
}

/// Bounds how many requests are worked on at a time. A reply that is streamed counts until it begins.
pub(super) async fn one_of_many(
    State(parts): State<Arc<Parts>>,
    request: Request,
    next: Next,
) -> Response {
    match Arc::clone(&parts.gates.requests).try_acquire_owned() {
        Ok(place) => {
            let takes_gzip = takes_gzip(request.headers());
            as_request(place, &parts.gates.readers, takes_gzip, next.run(request)).await
        }
        Err(_full) => busy("too many requests are in progress").into_response(),
    }
}

/// Bounds how long a request may take.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(HANDLER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let seconds = HANDLER_TIMEOUT.as_secs();
            let detail = format!("there was no answer within {seconds} seconds");
            ApiError::from(Problem::new(Code::Timeout, detail).hint(
                "a write may still have been stored: repeat it with the same ids to learn its outcome",
            ))
            .into_response()
        }
    }
}

pub(super) async fn no_such_path(uri: Uri) -> ApiError {
    let detail = format!("there is no path `{}`", echo(uri.path()));
    Problem::new(Code::NoSuchPath, detail)
        .hint("`GET /v1/openapi.json` lists the paths")
        .into()
}

pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Response<Body> {
    let detail = format!("`{}` does not accept {method}", echo(uri.path()));
    let problem = Problem::new(Code::MethodNotAllowed, detail);
    ApiError::from(problem.hint("the header `Allow` lists the methods it accepts")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_where_it_is_listed_and_not_refused() {
        for (value, taken) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("br;q=1.0, gzip; q=0.8", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
        ] {
            let value = HeaderValue::from_static(value);
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, value.clone())]);
            assert_eq!(takes_gzip(&headers), taken, "{value:?}");
        }
    }
}
