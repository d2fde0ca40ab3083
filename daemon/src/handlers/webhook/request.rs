//! One request of a webhook, from the name of a host to the status of an answer.
//!
//! Owns the connection: the address that was checked is the address that is connected to, there is no second look-up, no
//! redirect, no proxy, and no connection kept for later.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;
use url::{Host, Position, Url};

use super::resolve::Resolve;
use crate::handlers::allow_list::AllowList;
use crate::limits::{ADDRESSES_MAX, CONNECT_TIMEOUT, WEBHOOK_ANSWER_BYTES_MAX};

/// What a request goes through.
pub(super) struct Client {
    pub(super) allow: AllowList,
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The first bytes of the body; none are read of a success.
    pub(super) body: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Client {
    /// Posts a body.
    ///
    /// # Errors
    /// A sentence. It names the host and no more of the URL.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, String> {
        let host = url.host().ok_or("the URL has no host")?;
        let port = url.port_or_known_default().ok_or("the URL has no port")?;
        let addresses = self.addresses(&host, port).await?;
        let stream = connect(&host, &addresses, port).await?;
        let stream: Box<dyn Stream> = if url.scheme() == "https" {
            Box::new(self.secure(&host, stream).await?)
        } else {
            Box::new(stream)
        };
        let request = request(url, headers, body).map_err(|error| error.to_string())?;
        exchange(stream, request)
            .await
            .map_err(|error| format!("`{host}` did not answer: {}", causes(&error)))
    }

    /// The addresses of a host, all of them allowed. One forbidden address fails the attempt: a name that resolves to it
    /// cannot be trusted.
    async fn addresses(&self, host: &Host<&str>, port: u16) -> Result<Vec<IpAddr>, String> {
        let mut addresses = match host {
            Host::Ipv4(address) => vec![(*address).into()],
            Host::Ipv6(address) => vec![(*address).into()],
            Host::Domain(name) => self
                .resolver
                .resolve(name)
                .await
                .map_err(|error| format!("`{name}` cannot be resolved: {error}"))?,
        };
        for address in &addresses {
            self.allow.check_address(host, *address, port)?;
        }
        addresses.truncate(ADDRESSES_MAX);
        if addresses.is_empty() {
            return Err(format!("`{host}` has no address"));
        }
        Ok(addresses)
    }

    async fn secure(
        &self,
        host: &Host<&str>,
        stream: TcpStream,
    ) -> Result<impl Stream + use<>, String> {
        let config = self.tls.clone().ok_or("TLS is not set up")?;
        let name = match host {
            Host::Domain(name) => ServerName::try_from((*name).to_owned())
                .map_err(|error| format!("`{name}` is not a name that TLS can verify: {error}"))?,
            Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
        };
        TlsConnector::from(config)
            .connect(name, stream)
            .await
            .map_err(|error| format!("TLS with `{host}` failed: {}", causes(&error)))
    }
}

async fn connect(host: &Host<&str>, addresses: &[IpAddr], port: u16) -> Result<TcpStream, String> {
    let mut last = String::new();
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        let tried = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        match tried.unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("cannot connect to `{host}` at {address}: {error}"),
        }
    }
    Err(last)
}

fn request(
    url: &Url,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, &url[Position::BeforeHost..Position::AfterPort])
        .body(Full::new(body))?;
    request.headers_mut().extend(headers);
    Ok(request)
}

async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this attempt, however that ends.
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = if status.is_success() {
        Vec::new()
    } else {
        first_bytes(response).await
    };
    Ok(Answer { status, body })
}

/// The first bytes of a body, for an error to quote. A body that breaks off is quoted as far as it came.
async fn first_bytes(response: Response<Incoming>) -> Vec<u8> {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while bytes.len() < WEBHOOK_ANSWER_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Ok(data) = frame.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes.truncate(WEBHOOK_ANSWER_BYTES_MAX);
    bytes
}

/// An error and what it comes from, each said once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !out.contains(&text) {
            out = format!("{out}: {text}");
        }
        next = cause.source();
    }
    out
}
