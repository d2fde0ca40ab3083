//! A receiver of webhooks: it keeps what it is sent, and answers as told.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::Stream;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What it answers.
#[derive(Clone)]
pub(crate) enum Reply {
    With(u16, String),
    Redirect(u16, String),
    Hang,
    /// A body that never ends, after this beginning.
    Endless(u16, &'static str),
}

pub(crate) struct Receiver {
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<Mutex<usize>>,
}

impl Receiver {
    pub(crate) async fn start(reply: Reply) -> Self {
        Self::start_with(reply, None).await
    }

    pub(crate) async fn start_with(reply: Reply, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (kept, counted) = (Arc::clone(&received), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *counted.lock().unwrap() += 1;
                let (kept, reply, tls) = (Arc::clone(&kept), reply.clone(), tls.clone());
                tokio::spawn(async move {
                    let stream: Box<dyn Stream> = match tls {
                        None => Box::new(stream),
                        Some(tls) => match TlsAcceptor::from(tls).accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        },
                    };
                    let service = service_fn(move |request| {
                        answer(request, Arc::clone(&kept), reply.clone())
                    });
                    let served =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // A client that goes away is part of some tests.
                    drop(served.await);
                });
            }
        });
        Self {
            port,
            received,
            connections,
        }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

type Body = http_body_util::Either<Full<Bytes>, Endless>;

async fn answer(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<Received>>>,
    reply: Reply,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    kept.lock().unwrap().push(Received {
        method: head.method,
        path: head.uri.to_string(),
        headers: head.headers,
        body,
    });
    let response = Response::builder();
    let full = |text: String| Body::Left(Full::new(Bytes::from(text)));
    Ok(match reply {
        Reply::With(status, text) => response.status(status).body(full(text)),
        Reply::Redirect(status, to) => response
            .status(status)
            .header("location", to)
            .body(full(String::new())),
        Reply::Endless(status, text) => response.status(status).body(Body::Right(Endless(text))),
        Reply::Hang => std::future::pending().await,
    }
    .unwrap())
}

/// A body that goes on and on.
pub(crate) struct Endless(&'static str);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        let piece = Bytes::from_static(self.0.as_bytes());
        std::task::Poll::Ready(Some(Ok(hyper::body::Frame::data(piece))))
    }
}
