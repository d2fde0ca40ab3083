//! Requests of investigations: blame, field histories, bisect.

use reqwest::Method;
use whodunit_core::api::causes::{CausesOut, CorrelationOut, ImpactPage};
use whodunit_core::api::investigate::{BisectIn, BisectLine, BisectOut, BlameOut, FieldOut};
use whodunit_core::api::segment;
use whodunit_core::api::time_travel::DiffOut;
use whodunit_core::api::why::WhyOut;
use whodunit_core::api::world::{WorldDiffOut, WorldOut};
use whodunit_core::ids::StreamName;

use super::query::Params;
use super::{
    At, ByteStream, Client, ClientError, DiffQuery, FieldQuery, IDLE_TIMEOUT, TraceQuery, WhyQuery,
    WorldQuery, stream_path,
};

impl Client {
    /// `GET /v1/streams/{stream}/blame`: of fields at or below a path, or of all of them.
    pub async fn blame(
        &self,
        stream: &StreamName,
        at: At,
        path: Option<&str>,
        removed: bool,
        reveal: bool,
    ) -> Result<BlameOut, ClientError> {
        let mut params = at.params();
        params.opt("path", path);
        params.flag("removed", removed);
        params.flag("reveal", reveal);
        self.get(&stream_path(stream, "/blame"), &params).await
    }

    /// `GET /v1/streams/{stream}/field`.
    pub async fn field(
        &self,
        stream: &StreamName,
        query: &FieldQuery,
    ) -> Result<FieldOut, ClientError> {
        self.get(&stream_path(stream, "/field"), &query.params())
            .await
    }

    /// `GET /v1/streams/{stream}/diff`, with a path, another stream, and what set each side.
    pub async fn compare(
        &self,
        stream: &StreamName,
        query: &DiffQuery,
    ) -> Result<DiffOut, ClientError> {
        self.get(&stream_path(stream, "/diff"), &query.params())
            .await
    }

    /// `GET /v1/streams/{stream}/why`.
    pub async fn why(&self, stream: &StreamName, query: &WhyQuery) -> Result<WhyOut, ClientError> {
        self.get(&stream_path(stream, "/why"), &query.params())
            .await
    }

    /// `GET /v1/world`.
    pub async fn world(&self, query: &WorldQuery) -> Result<WorldOut, ClientError> {
        self.get("/v1/world", &query.params()).await
    }

    /// `GET /v1/world/diff`.
    pub async fn world_diff(&self, query: &WorldQuery) -> Result<WorldDiffOut, ClientError> {
        self.get("/v1/world/diff", &query.params()).await
    }

    /// `GET /v1/events/{event_id}/causes`: of an event or a command.
    pub async fn causes(&self, id: &str, query: &TraceQuery) -> Result<CausesOut, ClientError> {
        let path = format!("/v1/events/{}/causes", segment(id));
        self.get(&path, &query.params()).await
    }

    /// `GET /v1/correlations/{correlation_id}`.
    pub async fn correlation(
        &self,
        id: &str,
        query: &TraceQuery,
    ) -> Result<CorrelationOut, ClientError> {
        let path = format!("/v1/correlations/{}", segment(id));
        self.get(&path, &query.params()).await
    }

    /// `GET /v1/correlations/{correlation_id}/streams`.
    pub async fn correlation_streams(
        &self,
        id: &str,
        cursor: Option<&str>,
        limit: usize,
        reveal: bool,
    ) -> Result<ImpactPage, ClientError> {
        let mut params = Params::new();
        params.opt("cursor", cursor);
        params.opt("limit", Some(limit));
        params.flag("reveal", reveal);
        let path = format!("/v1/correlations/{}/streams", segment(id));
        self.get(&path, &params).await
    }

    /// `POST /v1/bisect` over a category or the log: what is found comes line by line.
    pub async fn bisect_lines(&self, asked: &BisectIn) -> Result<BisectLines, ClientError> {
        let request = self.request(Method::POST, "/v1/bisect", &Params::new())?;
        let response = self.open(request.json(asked)).await?;
        Ok(BisectLines {
            url: response.url().to_string(),
            bytes: ByteStream::new(self.url(), response, IDLE_TIMEOUT),
            begun: Vec::new(),
        })
    }

    /// `POST /v1/bisect` of one stream.
    pub async fn bisect(&self, asked: &BisectIn) -> Result<BisectOut, ClientError> {
        self.post("/v1/bisect", &Params::new(), asked).await
    }
}

/// Lines of a bisect as they come.
#[derive(Debug)]
pub struct BisectLines {
    url: String,
    bytes: ByteStream,
    begun: Vec<u8>,
}

impl BisectLines {
    /// The next line; `None` once the reply is over.
    pub async fn next(&mut self) -> Result<Option<BisectLine>, ClientError> {
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
