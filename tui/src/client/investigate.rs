//! Requests of investigations: blame, field histories, bisect.

use reqwest::Method;
use whodunit_core::api::backtest::{BacktestIn, BacktestLine};
use whodunit_core::api::causes::{CausesOut, CorrelationOut, ImpactPage};
use whodunit_core::api::inevitable::{InevitableIn, InevitableLine};
use whodunit_core::api::investigate::{BisectIn, BisectLine, BisectOut, BlameOut, FieldOut};
use whodunit_core::api::minimal::{MinimalIn, MinimalLine};
use whodunit_core::api::segment;
use whodunit_core::api::time_travel::DiffOut;
use whodunit_core::api::undo::{UndoIn, UndoLine};
use whodunit_core::api::why::WhyOut;
use whodunit_core::api::world::{WorldDiffOut, WorldOut};
use whodunit_core::ids::StreamName;

use super::query::Params;
use super::{
    At, Client, ClientError, DiffQuery, FieldQuery, Lines, TraceQuery, WhyQuery, WorldQuery,
    stream_path,
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

    /// `GET /v1/streams/{stream}/diff`, with a path, another stream, and what set each side. Where a side is not sent the API
    /// takes the beginning and the head, so that a comparison from the head names its revision.
    pub async fn compare(
        &self,
        stream: &StreamName,
        query: &DiffQuery,
    ) -> Result<DiffOut, ClientError> {
        let mut query = query.clone();
        if query.from == At::Head {
            query.from = At::Revision(self.stream(stream).await?.revision);
        }
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
    pub async fn bisect_lines(&self, asked: &BisectIn) -> Result<Lines<BisectLine>, ClientError> {
        let request = self.request(Method::POST, "/v1/bisect", &Params::new())?;
        let response = self.open(request.json(asked)).await?;
        Ok(Lines::of(self, response))
    }

    /// `POST /v1/backtest`: what differs comes line by line.
    pub async fn backtest(&self, asked: &BacktestIn) -> Result<Lines<BacktestLine>, ClientError> {
        let request = self.request(Method::POST, "/v1/backtest", &Params::new())?;
        let response = self.open(request.json(asked)).await?;
        Ok(Lines::of(self, response))
    }

    /// `POST /v1/inevitable`: the progress, and what it came to.
    pub async fn inevitable(
        &self,
        asked: &InevitableIn,
    ) -> Result<Lines<InevitableLine>, ClientError> {
        let request = self.request(Method::POST, "/v1/inevitable", &Params::new())?;
        let response = self.open(request.json(asked)).await?;
        Ok(Lines::of(self, response))
    }

    /// `POST /v1/minimal`: the progress, and what it came to.
    pub async fn minimal(&self, asked: &MinimalIn) -> Result<Lines<MinimalLine>, ClientError> {
        let request = self.request(Method::POST, "/v1/minimal", &Params::new())?;
        let response = self.open(request.json(asked)).await?;
        Ok(Lines::of(self, response))
    }

    /// `POST /v1/undo`: the progress, and what it came to.
    pub async fn undo(&self, asked: &UndoIn) -> Result<Lines<UndoLine>, ClientError> {
        let request = self.request(Method::POST, "/v1/undo", &Params::new())?;
        let response = self.open(request.json(asked)).await?;
        Ok(Lines::of(self, response))
    }

    /// `POST /v1/bisect` of one stream.
    pub async fn bisect(&self, asked: &BisectIn) -> Result<BisectOut, ClientError> {
        self.post("/v1/bisect", &Params::new(), asked).await
    }
}
