//! Requests of investigations: blame, field histories, bisect.

use whodunit_core::api::investigate::{BisectIn, BisectOut, BlameOut, FieldOut};
use whodunit_core::ids::StreamName;

use super::query::Params;
use super::{At, Client, ClientError, FieldQuery, stream_path};

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

    /// `POST /v1/bisect`.
    pub async fn bisect(&self, asked: &BisectIn) -> Result<BisectOut, ClientError> {
        self.post("/v1/bisect", &Params::new(), asked).await
    }
}
