//! The pipeline's endpoints: projections, outbox, backfill, read models.
//!
//! Owns how "not yet" is told apart from an answer. Never waits for a long run: it asks once.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use whodunit_core::api::pipeline::{
    BackfillIn, BackfillPlan, CheckOut, DocumentOut, DocumentPage, JobOut, NotYetOut, OutboxPage,
    ProjectionOut, ReadModelOut, RetriedOut, RunOut,
};
use whodunit_core::api::{Page, segment};

use super::query::Params;
use super::{Client, ClientError, DocumentsQuery, OutboxQuery, REQUEST_TIMEOUT, Wait};

/// How long a consistency check may take: it is answered when the whole log has been folded.
pub const CHECK_TIMEOUT: Duration = Duration::from_hours(1);

/// What a read model answers when it was asked to have reached a position first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached<T> {
    /// It has come that far.
    Here(T),
    /// It has not, within the time it was given.
    NotYet(NotYetOut),
}

impl Client {
    /// `GET /v1/projections`.
    pub async fn projections(&self) -> Result<Page<ProjectionOut>, ClientError> {
        self.get("/v1/projections", &Params::new()).await
    }

    /// `GET /v1/projections/{name}`.
    pub async fn projection(&self, name: &str) -> Result<ProjectionOut, ClientError> {
        self.get(&projection_path(name, ""), &Params::new()).await
    }

    /// `POST /v1/projections/{name}/rebuild`: starts one.
    pub async fn rebuild(&self, name: &str) -> Result<RunOut, ClientError> {
        self.send(Method::POST, &projection_path(name, "/rebuild"))
            .await
    }

    /// `DELETE /v1/projections/{name}/rebuild`: ends the one under way; the read model stays as it was.
    pub async fn cancel_rebuild(&self, name: &str) -> Result<RunOut, ClientError> {
        self.send(Method::DELETE, &projection_path(name, "/rebuild"))
            .await
    }

    /// `POST /v1/projections/{name}/check`: answers when it is done, within [`CHECK_TIMEOUT`].
    pub async fn check(&self, name: &str) -> Result<CheckOut, ClientError> {
        let path = projection_path(name, "/check");
        let request = self.request(Method::POST, &path, &Params::new())?;
        self.within(CHECK_TIMEOUT, async {
            let response = self.accept(request.send().await).await?;
            self.decode(response).await
        })
        .await
    }

    /// `GET /v1/outbox`.
    pub async fn outbox(&self, query: &OutboxQuery) -> Result<OutboxPage, ClientError> {
        self.get("/v1/outbox", &query.params()).await
    }

    /// `GET /v1/outbox/{id}`.
    pub async fn job(&self, id: u64) -> Result<JobOut, ClientError> {
        self.get(&format!("/v1/outbox/{id}"), &Params::new()).await
    }

    /// `POST /v1/outbox/{id}/retry`: a failed job is pending again.
    pub async fn retry_job(&self, id: u64) -> Result<JobOut, ClientError> {
        self.send(Method::POST, &format!("/v1/outbox/{id}/retry"))
            .await
    }

    /// `POST /v1/outbox/retry`: all failed jobs of a handler are pending again.
    pub async fn retry_failed(&self, handler: &str) -> Result<RetriedOut, ClientError> {
        let mut params = Params::new();
        params.opt("handler", Some(handler));
        let request = self.request(Method::POST, "/v1/outbox/retry", &params)?;
        self.exchange(request).await
    }

    /// `POST /v1/backfill` with `dry_run`: what it would do.
    pub async fn plan_backfill(&self, what: &BackfillIn) -> Result<BackfillPlan, ClientError> {
        let body = BackfillIn {
            dry_run: true,
            ..what.clone()
        };
        // Nothing is changed by it.
        let asking = self.clone().with_read_only(None);
        asking.post("/v1/backfill", &Params::new(), &body).await
    }

    /// `POST /v1/backfill`: starts one.
    pub async fn backfill(&self, what: &BackfillIn) -> Result<RunOut, ClientError> {
        self.post("/v1/backfill", &Params::new(), what).await
    }

    /// `GET /v1/backfill`: those since the daemon began.
    pub async fn backfills(&self) -> Result<Page<RunOut>, ClientError> {
        self.get("/v1/backfill", &Params::new()).await
    }

    /// `GET /v1/backfill/{id}`.
    pub async fn backfill_run(&self, id: u64) -> Result<RunOut, ClientError> {
        self.get(&format!("/v1/backfill/{id}"), &Params::new())
            .await
    }

    /// `DELETE /v1/backfill/{id}`: ends one; the jobs it has made stay.
    pub async fn cancel_backfill(&self, id: u64) -> Result<RunOut, ClientError> {
        self.send(Method::DELETE, &format!("/v1/backfill/{id}"))
            .await
    }

    /// `GET /v1/read-models`.
    pub async fn read_models(&self) -> Result<Page<ReadModelOut>, ClientError> {
        self.get("/v1/read-models", &Params::new()).await
    }

    /// `GET /v1/read-models/{name}`.
    pub async fn documents(
        &self,
        name: &str,
        query: &DocumentsQuery,
    ) -> Result<Reached<DocumentPage>, ClientError> {
        let path = format!("/v1/read-models/{}", segment(name));
        self.reached(&path, &query.params(), query.wait).await
    }

    /// `GET /v1/read-models/{name}/{key}`.
    pub async fn document(
        &self,
        name: &str,
        key: &str,
        wait: Wait,
    ) -> Result<Reached<DocumentOut>, ClientError> {
        let path = format!("/v1/read-models/{}/{}", segment(name), segment(key));
        let mut params = Params::new();
        wait.add_to(&mut params);
        self.reached(&path, &params, wait).await
    }

    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
    ) -> Result<T, ClientError> {
        let request = self.request(method, path, &Params::new())?;
        self.exchange(request).await
    }

    /// Asks, and tells the 202 of a read model that has not come far enough from its answer.
    async fn reached<T: DeserializeOwned>(
        &self,
        path: &str,
        params: &Params,
        wait: Wait,
    ) -> Result<Reached<T>, ClientError> {
        let request = self.request(Method::GET, path, params)?;
        // The daemon's own wait comes on top of what any request may take.
        let limit = REQUEST_TIMEOUT + Duration::from_millis(wait.wait_ms.unwrap_or(0));
        self.within(limit, async {
            let response = self.accept(request.send().await).await?;
            if response.status() == StatusCode::ACCEPTED {
                return self.decode(response).await.map(Reached::NotYet);
            }
            self.decode(response).await.map(Reached::Here)
        })
        .await
    }
}

fn projection_path(name: &str, rest: &str) -> String {
    format!("/v1/projections/{}{rest}", segment(name))
}
