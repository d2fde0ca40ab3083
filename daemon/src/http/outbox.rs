//! Outbox: jobs, their status, and retries of failed ones.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::pipeline::{JobOut, JobStatus, OutboxPage, RetriedOut};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::ids::StreamName;

use super::common::{Order, page_limit};
use super::error::ApiError;
use super::extract::{PathText, Query};
use super::reply::Reply;
use super::streams::NoParams;
use crate::daemon::Parts;
use crate::limits::SCAN_ENTRIES_MAX;
use crate::outbox::RetryError;
use crate::reading::read;
use crate::store::{Job, JobFilter, StoreError};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutboxParams {
    /// Exactly this handler.
    handler: Option<String>,
    /// Exactly this status.
    #[param(inline)]
    status: Option<JobStatus>,
    /// Exactly this stream: what is still under way for it.
    #[param(value_type = Option<String>)]
    stream: Option<StreamName>,
    /// Which way, by the jobs' numbers; `forward` when absent.
    #[param(inline)]
    order: Option<Order>,
    /// The `next_cursor` of the previous page.
    cursor: Option<String>,
    /// Items at most: 1 to 1000, 100 when absent.
    limit: Option<usize>,
}

/// Jobs, and for each handler the number of jobs by status. All given filters must match.
#[utoipa::path(get, path = "/v1/outbox", tag = "pipeline", params(OutboxParams),
    responses((status = 200, body = OutboxPage), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_jobs(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<OutboxParams>,
) -> Result<Reply<OutboxPage>, ApiError> {
    let limit = page_limit(params.limit)?;
    let order = params.order.unwrap_or_default();
    let from = order.read_cursor(params.cursor.as_deref())?;
    let filter = JobFilter {
        handler: params.handler,
        status: params.status,
        stream: params.stream,
    };
    let outbox = Arc::clone(&parts);
    read(&parts.store, move |view| {
        let page = view.jobs(&filter, from, order.into(), limit, SCAN_ENTRIES_MAX)?;
        Ok(Reply(OutboxPage {
            items: page.jobs.into_iter().map(shown).collect(),
            next_cursor: page.next.map(|next| order.cursor(next)),
            head: view.head().position.0,
            handlers: outbox.outbox.handlers(view)?,
        }))
    })
    .await
}

fn shown(job: Job) -> JobOut {
    JobOut {
        id: job.id,
        handler: job.handler,
        position: job.position,
        stream: job.stream,
        revision: job.revision,
        event_id: job.event_id,
        event_type: job.event_type,
        status: job.status,
        attempts: job.attempts,
        next_attempt_at: job.next_attempt_at,
        last_error: job.last_error,
        created_at: job.created_at,
        updated_at: job.updated_at,
        blocked_by: job.blocked_by,
    }
}

/// A number in the path.
pub(super) fn number(what: &str, text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_not_a_number| {
        Problem::new(
            Code::BadParameter,
            format!("the number of a {what} must be a whole number"),
        )
        .field("id")
        .into()
    })
}

/// One job.
#[utoipa::path(get, path = "/v1/outbox/{id}", tag = "pipeline",
    params(("id" = u64, Path, description = "its number")),
    responses((status = 200, body = JobOut), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_job(
    State(parts): State<Arc<Parts>>,
    PathText(id): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<JobOut>, ApiError> {
    let id = number("job", &id)?;
    let job = read(&parts.store, move |view| -> Result<_, StoreError> {
        view.job(id)
    })
    .await?;
    let job = job.ok_or_else(|| no_such_job(id))?;
    Ok(Reply(shown(job)))
}

fn no_such_job(id: u64) -> ApiError {
    Problem::new(Code::NoSuchJob, format!("there is no job {id}"))
        .hint("only the newest completed jobs are kept; `GET /v1/outbox` lists the jobs")
        .into()
}

/// Makes a failed job pending again, with its full number of attempts.
#[utoipa::path(post, path = "/v1/outbox/{id}/retry", tag = "pipeline",
    params(("id" = u64, Path, description = "its number")),
    responses((status = 200, body = JobOut),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`not_failed`")))]
pub(crate) async fn retry_job(
    State(parts): State<Arc<Parts>>,
    PathText(id): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<JobOut>, ApiError> {
    let id = number("job", &id)?;
    match parts.outbox.retry(id).await {
        Ok(job) => Ok(Reply(shown(job))),
        Err(RetryError::NoSuchJob(id)) => Err(no_such_job(id)),
        Err(RetryError::Store(error)) => Err(error.into()),
        Err(error @ RetryError::NotFailed { .. }) => {
            Err(Problem::new(Code::NotFailed, error.to_string()).into())
        }
        Err(error @ RetryError::NotSetUp { .. }) => Err(no_such_handler(&error.to_string())),
    }
}

fn no_such_handler(detail: &str) -> ApiError {
    Problem::new(
        Code::NoSuchHandler,
        whodunit_core::text::shown(detail).into_owned(),
    )
    .hint("`GET /v1/outbox` lists the handlers; a handler that is not set up cannot run its jobs")
    .into()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RetryParams {
    /// The handler whose failed jobs are retried.
    handler: String,
}

/// Makes every failed job of a handler pending again.
#[utoipa::path(post, path = "/v1/outbox/retry", tag = "pipeline", params(RetryParams),
    responses((status = 200, body = RetriedOut),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_handler`")))]
pub(crate) async fn retry_failed_jobs(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<RetryParams>,
) -> Result<Reply<RetriedOut>, ApiError> {
    let name = params.handler;
    if parts.outbox.handler(&name).is_none() {
        let counts = read(&parts.store, |view| -> Result<_, StoreError> {
            view.job_counts()
        });
        let has_jobs = counts.await?.iter().any(|own| own.handler == name);
        return Err(no_such_handler(&if has_jobs {
            format!("the handler `{name}` is not set up now, so its jobs would never run")
        } else {
            format!("there is no handler `{name}`")
        }));
    }
    let retried = parts.outbox.retry_all(&name).await?;
    Ok(Reply(RetriedOut { retried }))
}
