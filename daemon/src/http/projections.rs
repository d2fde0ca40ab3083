//! Projections: how they keep up, rebuilding them, checking them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use whodunit_core::api::Page;
use whodunit_core::api::pipeline::{CheckOut, ProjectionOut, RunOut};
use whodunit_core::api::problem::{Code, Problem, echo};

use super::error::{ApiError, unavailable};
use super::extract::{PathText, Query};
use super::reply::Reply;
use super::streams::NoParams;
use crate::daemon::Parts;
use crate::projections::{ProjectionError, RequestError};
use crate::reading::blocking;

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let detail = error.to_string();
        match error {
            RequestError::NoSuchProjection(name, meant) => {
                // The two go by one name, and either may have been asked for.
                let detail = format!("there is no projection or read model `{}`", echo(&name));
                let listed = || "`GET /v1/projections` lists what there is".to_owned();
                Problem::new(Code::NoSuchProjection, detail).hint(meant.unwrap_or_else(listed))
            }
            RequestError::AlreadyRunning { .. } => Problem::new(Code::AlreadyRunning, detail)
                .hint("`GET /v1/projections` shows its progress"),
            RequestError::NotRunning { .. } => Problem::new(Code::NoSuchRun, detail),
            RequestError::NotBuilt(_) => Problem::new(Code::Unavailable, detail)
                .hint("it is being built from the log; `GET /v1/projections` shows its progress"),
            RequestError::Failed(error) => failed(error),
        }
        .into()
    }
}

fn failed(error: ProjectionError) -> Problem {
    match error {
        ProjectionError::Store(error) => *ApiError::from(error).0,
        ProjectionError::Closed | ProjectionError::Stopped => unavailable(),
        ProjectionError::Damaged { .. } => {
            tracing::error!(%error, "a read model is damaged and is being rebuilt");
            Problem::new(Code::Unavailable, "the read model is being rebuilt")
                .hint("try again shortly; `GET /v1/projections` shows its progress")
        }
        error => {
            tracing::error!(%error, "a request failed in a read model");
            Problem::new(
                Code::Internal,
                "the read model failed; this does not mean that the log is damaged",
            )
            .hint("the daemon's log says why")
        }
    }
}

/// All projections with checkpoint, lag and status. Lag is measured against the log's head at this moment.
#[utoipa::path(get, path = "/v1/projections", tag = "pipeline", responses((status = 200, body = Page<ProjectionOut>)))]
pub(crate) async fn list_projections(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<Page<ProjectionOut>>, ApiError> {
    let projections = Arc::clone(&parts.projections);
    let items = blocking(move || Ok::<_, RequestError>(projections.statuses())).await?;
    Ok(Reply(Page {
        next_cursor: None,
        redacted_copy: parts.store.is_redacted_copy(),
        head: parts.store.head().borrow().position.0,
        scanned: items.len() as u64,
        items,
    }))
}

/// One projection with checkpoint, lag and status.
#[utoipa::path(get, path = "/v1/projections/{name}", tag = "pipeline",
    params(("name" = String, Path, description = "the projection's name")),
    responses((status = 200, body = ProjectionOut), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_projection(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<ProjectionOut>, ApiError> {
    let projections = Arc::clone(&parts.projections);
    Ok(Reply(blocking(move || projections.status(&name)).await?))
}

/// Starts to rebuild a read model from position 0, beside the one that answers queries. It replaces that one when it has
/// caught up with the log; a rebuild that is interrupted by a stop or a crash continues at the next start.
#[utoipa::path(post, path = "/v1/projections/{name}/rebuild", tag = "pipeline",
    params(("name" = String, Path, description = "the projection's name")),
    responses((status = 202, body = RunOut), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "one is already running")))]
pub(crate) async fn rebuild_projection(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Response, ApiError> {
    let run = parts.projections.rebuild(&name)?;
    Ok((StatusCode::ACCEPTED, Reply(run)).into_response())
}

/// Cancels a rebuild. The read model that answers queries stays as it is. Answers once the rebuild has ended.
#[utoipa::path(delete, path = "/v1/projections/{name}/rebuild", tag = "pipeline",
    params(("name" = String, Path, description = "the projection's name")),
    responses((status = 200, body = RunOut),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "none is running")))]
pub(crate) async fn cancel_rebuild(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<RunOut>, ApiError> {
    Ok(Reply(parts.projections.cancel_rebuild(&name).await?))
}

/// Compares a read model with the log: folds the expected state of every document up to the read model's checkpoint and names
/// the first event after which the two diverge. Has no time-out; it ends when the client disconnects.
#[utoipa::path(post, path = "/v1/projections/{name}/check", tag = "pipeline",
    params(("name" = String, Path, description = "the projection's name")),
    responses((status = 200, body = CheckOut), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "one is already running")))]
pub(crate) async fn check_projection(
    State(parts): State<Arc<Parts>>,
    PathText(name): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<CheckOut>, ApiError> {
    Ok(Reply(parts.projections.check(&name).await?))
}
