//! The socket of an HTTP connection, with a write time-out and a bound on a request's head.
//!
//! Owns two things that the HTTP engine leaves open: a client that takes nothing for too long is cut off, and what the
//! engine refuses by itself (heads that are too large or no HTTP) is answered with a problem document as everything is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::http::unread_answer;

/// Bytes that a client must take within the time-out, unless less than that is left to take.
const PROGRESS_BYTES: usize = 1 << 10;

/// A socket whose writes do not wait for ever.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    timeout: Duration,
    /// Runs while the client has to take something and does not.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Bytes it has taken since the clock began to run.
    taken: usize,
    /// What is sent instead of the engine's own words, how much of it was sent, and how long those words are.
    instead: Option<(Vec<u8>, usize, usize)>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, timeout: Duration) -> Self {
        Self {
            stream,
            timeout,
            stalled: None,
            taken: 0,
            instead: None,
        }
    }

    /// Looks at the clock after a write.
    fn timed(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        wanted: usize,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(n)) => {
                self.taken += n;
                if n == wanted || self.taken >= PROGRESS_BYTES {
                    self.stalled = None;
                    self.taken = 0;
                }
                Poll::Ready(Ok(n))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                let timeout = self.timeout;
                let clock = self.stalled.get_or_insert_with(|| {
                    self.taken = 0;
                    Box::pin(sleep(timeout))
                });
                match clock.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the client does not read its reply",
                    ))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    /// Sends what is to be sent instead, where there is something.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Option<Poll<io::Result<usize>>> {
        loop {
            let (text, sent, length) = self.instead.as_ref()?;
            let rest = text.get(*sent..).unwrap_or_default();
            if rest.is_empty() {
                let length = *length;
                self.instead = None;
                return Some(Poll::Ready(Ok(length)));
            }
            let wanted = rest.len();
            let written = Pin::new(&mut self.stream).poll_write(cx, rest);
            match self.timed(cx, written, wanted) {
                Poll::Ready(Ok(n)) => {
                    if let Some((_, sent, _)) = &mut self.instead {
                        *sent += n;
                    }
                }
                other => return Some(other),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.instead.is_none() {
            this.instead = unread_answer(buf).map(|text| (text, 0, buf.len()));
        }
        if let Some(sent) = this.poll_instead(cx) {
            return sent;
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.timed(cx, written, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut filled = bufs.iter().filter(|buf| !buf.is_empty());
        if let (Some(only), None) = (filled.next(), filled.next()) {
            return Pin::new(this).poll_write(cx, only);
        }
        let wanted = bufs.iter().map(|buf| buf.len()).sum();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.timed(cx, written, wanted)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
