//! A streamed reply: pieces as they come, with a bound on silence.

use std::time::Duration;

use reqwest::Response;

use super::ClientError;

/// A reply whose bytes come piece by piece.
#[derive(Debug)]
pub struct ByteStream {
    /// The daemon's address, for errors.
    url: String,
    response: Response,
    idle: Duration,
}

impl ByteStream {
    pub(super) fn new(url: &str, response: Response, idle: Duration) -> Self {
        Self {
            url: url.to_owned(),
            response,
            idle,
        }
    }

    /// How many bytes will come, when the daemon said so.
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// A header of the reply.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next piece; `None` at the end. A reply that is cut short is an error, never an end.
    ///
    /// Cancel safe: a piece that has not been returned is not lost.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        match tokio::time::timeout(self.idle, self.response.chunk()).await {
            Err(_elapsed) => Err(ClientError::Timeout {
                url: self.url.clone(),
                seconds: self.idle.as_secs(),
            }),
            Ok(Ok(chunk)) => Ok(chunk.map(|bytes| bytes.to_vec())),
            Ok(Err(error)) => Err(ClientError::from_reqwest(&self.url, &error)),
        }
    }
}
