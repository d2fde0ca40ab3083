//! Answers that come as lines of JSON.

use std::marker::PhantomData;

use reqwest::Response;
use serde::de::DeserializeOwned;

use super::{ByteStream, Client, ClientError, IDLE_TIMEOUT};

/// Lines as they come.
#[derive(Debug)]
pub struct Lines<T> {
    url: String,
    bytes: ByteStream,
    begun: Vec<u8>,
    line: PhantomData<T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// Those of a response.
    pub(super) fn of(client: &Client, response: Response) -> Self {
        Self {
            url: response.url().to_string(),
            bytes: ByteStream::new(client.url(), response, IDLE_TIMEOUT),
            begun: Vec::new(),
            line: PhantomData,
        }
    }

    /// The next line; `None` once the reply is over.
    ///
    /// Cancel safe: what has not been returned is not lost.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.begun.drain(..=end).collect();
                let read = serde_json::from_slice(&line);
                return read.map(Some).map_err(|error| ClientError::BadReply {
                    url: self.url.clone(),
                    reason: error.to_string(),
                });
            }
            match self.bytes.next().await? {
                Some(piece) => self.begun.extend_from_slice(&piece),
                None => return Ok(None),
            }
        }
    }
}
