//! Request and response bodies between a connection and the API.
//!
//! Owns what the connection is told of them, and what happens to a request's body that no handler reads to its end: a bounded
//! part of it is read and thrown away, so that a client that is still sending sees the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body as ApiBody, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::connections::Connection;
use crate::limits::{BODY_DISCARD_BYTES_MAX, BODY_DISCARD_TIMEOUT};

/// A request's body.
pub(super) struct Received {
    body: Option<Incoming>,
    connection: Arc<Connection>,
    /// Bytes since the last progress that counted.
    bytes: usize,
    /// Whether the client waits to be told to send it. If it is not read at all, it is never sent.
    awaited: bool,
}

impl Received {
    pub(super) fn new(body: Incoming, expects: bool, connection: Arc<Connection>) -> Self {
        connection.begin(!body.is_end_stream());
        Self {
            body: Some(body),
            connection,
            bytes: 0,
            awaited: expects,
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        this.awaited = false;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(cx);
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                this.bytes += frame.data_ref().map_or(0, Bytes::len);
                this.connection.progress(&mut this.bytes);
            }
            Poll::Ready(None | Some(Err(_))) => {
                this.body = None;
                this.connection.received();
            }
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.connection.received();
        let rest = self.body.take().filter(|body| !body.is_end_stream());
        if let Some(rest) = rest.filter(|_| !self.awaited)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(discard(rest));
        }
    }
}

/// Reads a body and throws it away, up to a bound. Ends with the connection.
async fn discard(mut body: Incoming) {
    let read = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > BODY_DISCARD_BYTES_MAX {
                break;
            }
        }
    };
    let ended = tokio::time::timeout(BODY_DISCARD_TIMEOUT, read).await;
    drop(ended);
}

/// An answer's body. The connection rests once it is gone.
pub(super) struct Sent {
    body: ApiBody,
    connection: Arc<Connection>,
}

impl Sent {
    pub(super) fn new(body: ApiBody, connection: Arc<Connection>) -> Self {
        Self { body, connection }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.connection.rest();
    }
}
