//! Mails to a mail server.
//!
//! Owns the conversation: connect, protect, log in, hand over. What has to be protected is never sent before it is, and
//! what was sent to log in is in no error.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::message::Mail;
use crate::handlers::secret::Scrub;
use crate::handlers::settings::{Login, Security, SmtpSettings};
use crate::handlers::{HandlersError, tls};
use crate::limits::CONNECT_TIMEOUT;

/// Time to say goodbye: the mail is handed over by then, and nothing hangs on it.
const QUIT_TIMEOUT: Duration = Duration::from_secs(1);

/// How the connection is protected.
enum Protection {
    None,
    StartTls(TlsParameters),
    Tls(TlsParameters),
}

/// A mail server.
pub(super) struct Smtp {
    host: String,
    port: u16,
    protection: Protection,
    login: Option<Credentials>,
    scrub: Scrub,
    timeout: Duration,
}

impl Smtp {
    /// Sets a server up; does not speak to it.
    pub(super) fn new(settings: &SmtpSettings) -> Result<Self, HandlersError> {
        let login = settings.login.as_ref();
        Ok(Self {
            host: settings.host.clone(),
            port: settings.port,
            protection: match settings.security {
                Security::Plain => Protection::None,
                Security::StartTls => Protection::StartTls(tls_parameters(settings)?),
                Security::Tls => Protection::Tls(tls_parameters(settings)?),
            },
            login: login.map(|Login { username, password }| {
                Credentials::new(username.reveal().to_owned(), password.reveal().to_owned())
            }),
            scrub: login.map_or_else(Scrub::default, |login| {
                Scrub::login(&login.username, &login.password)
            }),
            timeout: settings.timeout,
        })
    }

    pub(super) fn target(&self) -> String {
        let security = match &self.protection {
            Protection::None => Security::Plain,
            Protection::StartTls(_) => Security::StartTls,
            Protection::Tls(_) => Security::Tls,
        };
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        format!("{}://{host}:{}", security.scheme(), self.port)
    }

    /// Hands a mail over.
    ///
    /// # Errors
    /// A sentence that begins with what went wrong, the server's own answer if there was one: where it is shown there is
    /// often room for its first words only.
    pub(super) async fn send(&self, mail: &Mail) -> Result<(), String> {
        let talk = self.talk(mail);
        let mut connection = match tokio::time::timeout(self.timeout, talk).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(why)) => {
                let why = self.scrub.quote(&why);
                return Err(format!("{why} ({})", self.target()));
            }
            Err(_late) => {
                let limit = self.timeout.as_secs_f64();
                return Err(format!("not taken within {limit} s ({})", self.target()));
            }
        };
        // It has the mail. That it may not answer a goodbye is no reason to send the mail again.
        drop(tokio::time::timeout(QUIT_TIMEOUT, connection.quit()).await);
        Ok(())
    }

    async fn talk(&self, mail: &Mail) -> Result<AsyncSmtpConnection, String> {
        let mut connection = self.connect().await?;
        if let Some(login) = &self.login {
            let answer = connection.auth(DEFAULT_MECHANISMS, login).await;
            answer.map_err(|error| refused("login refused", &error))?;
        }
        let answer = connection.send(&mail.envelope, &mail.bytes).await;
        answer.map_err(|error| refused("refused", &error))?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, String> {
        let hello = ClientId::default();
        let server = (self.host.as_str(), self.port);
        let limit = Some(CONNECT_TIMEOUT);
        let connected = match &self.protection {
            Protection::None => {
                AsyncSmtpConnection::connect_tokio1(server, limit, &hello, None, None).await
            }
            Protection::Tls(tls) => {
                let tls = Some(tls.clone());
                AsyncSmtpConnection::connect_tokio1(server, limit, &hello, tls, None).await
            }
            Protection::StartTls(tls) => {
                let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(server))
                    .await
                    .unwrap_or_else(|_late| Err(io::ErrorKind::TimedOut.into()))
                    .map_err(|error| format!("cannot connect: {error}"))?;
                let stream = Box::new(ByteWise(stream));
                let plain = AsyncSmtpConnection::connect_with_transport(stream, &hello);
                let mut connection = plain
                    .await
                    .map_err(|error| format!("cannot connect: {}", say(&error)))?;
                let upgraded = connection.starttls(tls.clone(), &hello).await;
                upgraded.map_err(|error| format!("STARTTLS failed: {}", say(&error)))?;
                return Ok(connection);
            }
        };
        connected.map_err(|error| format!("cannot connect: {}", say(&error)))
    }
}

fn tls_parameters(settings: &SmtpSettings) -> Result<TlsParameters, HandlersError> {
    // Fails when there is no authority to trust, which would otherwise show with the first mail only.
    tls::roots(settings.ca_file.as_deref())?;
    let fail = |error: Error| HandlersError::MailServer {
        server: format!("{}:{}", settings.host, settings.port),
        reason: say(&error),
    };
    let mut builder = TlsParameters::builder(settings.host.clone());
    for authority in tls::authorities(settings.ca_file.as_deref())? {
        let authority = Certificate::from_der(authority.to_vec()).map_err(fail)?;
        builder = builder.add_root_certificate(authority);
    }
    builder.build().map_err(fail)
}

/// That the server said no; without an answer of its, it did not.
fn refused(what: &str, error: &Error) -> String {
    let what = if error.status().is_some() {
        what
    } else {
        "broken off"
    };
    format!("{what}: {}", say(error))
}

/// What went wrong: the server's own answer with its code where there is one.
fn say(error: &Error) -> String {
    let said = |source: &dyn std::error::Error| source.to_string();
    let source = std::error::Error::source(error);
    match (error.status(), source) {
        (Some(code), Some(source)) => format!("{code} {}", said(source)),
        (Some(code), None) => code.to_string(),
        (None, Some(source)) => said(source),
        (None, None) => error.to_string(),
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Smtp").field(&self.target()).finish()
    }
}

/// A connection that is read byte by byte, so that nothing is read ahead: what an attacker slips in after the answer to
/// `STARTTLS`, before the connection is protected, would otherwise be taken as said under its protection.
#[derive(Debug)]
struct ByteWise(TcpStream);

impl AsyncRead for ByteWise {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut one))?;
        buffer.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteWise {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl AsyncTokioStream for ByteWise {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}
