//! How a request is sent and its reply read.
//!
//! Owns how replies, problems and lost connections are told apart, and how long each may take.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use whodunit_core::api::problem::Problem;

use super::branches::reads_a_branch;
use super::query::Params;
use super::{Client, ClientError, REQUEST_TIMEOUT};

/// Largest reply of a plain request, in bytes: a full page of the largest events fits.
const REPLY_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Whether a request that has a body, or takes long, changes nothing all the same.
fn asks_only(path: &str, params: &Params) -> bool {
    matches!(
        path,
        "/v1/what-if"
            | "/v1/backtest"
            | "/v1/inevitable"
            | "/v1/minimal"
            | "/v1/undo"
            | "/v1/bisect"
            | "/v1/verify"
            | "/v1/backup"
    ) || path.starts_with("/v1/projections/") && path.ends_with("/check")
        || params.iter().any(|param| param == ("dry_run", "true"))
}

impl Client {
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        params: &Params,
    ) -> Result<T, ClientError> {
        let request = self.request(Method::GET, path, params)?;
        self.exchange(request).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        params: &Params,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let request = self.request(Method::POST, path, params)?.json(body);
        self.exchange(request).await
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        params: &Params,
    ) -> Result<RequestBuilder, ClientError> {
        if method != Method::GET && !asks_only(path, params) {
            self.may_write()?;
        }
        // Joined as text: a path of the base URL is kept, and percent-encoded segments stay as they are.
        let text = format!("{}{path}", self.url());
        let mut url = Url::parse(&text).map_err(|error| ClientError::BadUrl {
            url: text,
            reason: error.to_string(),
        })?;
        if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(params.iter());
        }
        if let Some(branch) = &self.branch
            && reads_a_branch(&method, path)
        {
            url.query_pairs_mut().append_pair("branch", branch);
        }
        let request = self.http.request(method, url);
        Ok(match &self.actor {
            Some(actor) => request.header("x-whodunit-actor", actor.clone()),
            None => request,
        })
    }

    /// Sends a plain request and reads its whole reply, both within [`REQUEST_TIMEOUT`].
    pub(super) async fn exchange<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ClientError> {
        let (url, bytes) = self.fetch(request).await?;
        parse(url, &bytes)
    }

    /// The reply of a plain request, and where it came from.
    async fn fetch(&self, request: RequestBuilder) -> Result<(String, Vec<u8>), ClientError> {
        self.within(REQUEST_TIMEOUT, async {
            let response = self.accept(request.send().await).await?;
            let url = response.url().to_string();
            Ok((url, self.read(response).await?))
        })
        .await
    }

    /// Waits for what is done, so long at most.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        done: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        match tokio::time::timeout(limit, done).await {
            Ok(result) => result,
            Err(_elapsed) => Err(ClientError::Timeout {
                url: self.url().to_owned(),
                seconds: limit.as_secs(),
            }),
        }
    }

    /// Sends a request whose reply is streamed: only its head must arrive within [`REQUEST_TIMEOUT`].
    pub(super) async fn open(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        match tokio::time::timeout(REQUEST_TIMEOUT, request.send()).await {
            Ok(sent) => self.accept(sent).await,
            Err(_elapsed) => Err(ClientError::Timeout {
                url: self.url().to_owned(),
                seconds: REQUEST_TIMEOUT.as_secs(),
            }),
        }
    }

    /// Lets successes through and reads the problem of every other reply.
    pub(super) async fn accept(
        &self,
        sent: reqwest::Result<Response>,
    ) -> Result<Response, ClientError> {
        let response = sent.map_err(|error| ClientError::from_reqwest(self.url(), &error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let url = response.url().to_string();
        let bytes = self.read(response).await?;
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(ClientError::Problem(Box::new(problem))),
            Err(_not_a_problem) => Err(ClientError::BadReply {
                url,
                reason: format!("status {} without a problem document", status.as_u16()),
            }),
        }
    }

    pub(super) async fn decode<T: DeserializeOwned>(
        &self,
        response: Response,
    ) -> Result<T, ClientError> {
        let url = response.url().to_string();
        let bytes = self.read(response).await?;
        parse(url, &bytes)
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        loop {
            let chunk = response
                .chunk()
                .await
                .map_err(|error| ClientError::from_reqwest(self.url(), &error))?;
            let Some(chunk) = chunk else {
                return Ok(bytes);
            };
            if bytes.len() + chunk.len() > REPLY_BYTES_MAX {
                return Err(ClientError::BadReply {
                    url: response.url().to_string(),
                    reason: format!("the reply is larger than {REPLY_BYTES_MAX} bytes"),
                });
            }
            bytes.extend_from_slice(&chunk);
        }
    }
}

fn parse<T: DeserializeOwned>(url: String, bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|error| ClientError::BadReply {
        url,
        reason: error.to_string(),
    })
}
