//! Requests of investigations: blame, field histories, bisect.

use reqwest::Method;
use whodunit_core::api::investigate::{BisectIn, BisectLine, BisectOut, BlameOut, FieldOut};
use whodunit_core::ids::StreamName;

use super::query::Params;
use super::{At, Client, ClientError, FieldQuery, Lines, stream_path};

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

    /// `POST /v1/bisect` over a category or the log: what is found comes line by line.
    pub async fn bisect_lines(&self, asked: &BisectIn) -> Result<Lines<BisectLine>, ClientError> {
        let request = self.request(Method::POST, "/v1/bisect", &Params::new())?;
        let response = self.open(request.json(asked)).await?;
        Ok(Lines::of(self, response))
    }

    /// `POST /v1/bisect` of one stream.
    pub async fn bisect(&self, asked: &BisectIn) -> Result<BisectOut, ClientError> {
        self.post("/v1/bisect", &Params::new(), asked).await
    }
}
