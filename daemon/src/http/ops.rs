//! Operations: health, readiness, and the `OpenAPI` document.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use whodunit_core::api::ops::HealthOut;
use whodunit_core::api::problem::{Code, Problem};

use super::error::{ApiError, read_only, unavailable};
use super::extract::Query;
use super::reply::Reply;
use super::streams::NoParams;
use crate::daemon::Parts;
use crate::reading::blocking;
use crate::store::StoreError;

/// Whether the process answers, and the size of its store.
#[utoipa::path(get, path = "/v1/health", tag = "ops", responses((status = 200, body = HealthOut)))]
pub(crate) async fn health(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<HealthOut>, ApiError> {
    let store = Arc::clone(&parts.store);
    let stats = blocking(move || store.stats()).await?;
    let status = if parts.stopping.is_cancelled() {
        "shutting_down"
    } else if stats.read_only.is_some() {
        "read_only"
    } else {
        "ok"
    };
    Ok(Reply(HealthOut {
        status: status.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        read_only_because: stats.read_only.map(|why| why.to_string()),
        store_id: parts.store.id().to_string(),
        head: stats.head.position.0,
        decisions: stats.head.decision,
        head_hash: stats.head_hash.to_string(),
        streams: stats.streams,
        redacted_copy: parts.store.is_redacted_copy(),
        store_bytes: stats.file_bytes,
        verified_at_start: Some(parts.at_start.shown()),
        uptime_seconds: parts.started.elapsed().as_secs(),
    }))
}

/// Whether it accepts requests: the store answers and accepts writes, and the daemon is not stopping.
#[utoipa::path(get, path = "/v1/ready", tag = "ops",
    responses((status = 200, body = HealthOut), (status = 503, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn ready(
    state: State<Arc<Parts>>,
    params: Query<NoParams>,
) -> Result<Response, ApiError> {
    if state.stopping.is_cancelled() {
        return Err(unavailable().into());
    }
    let store = Arc::clone(&state.store);
    let usable = blocking(move || -> Result<_, StoreError> {
        store.view()?;
        Ok(store.stats()?.read_only)
    });
    match usable.await {
        Ok(None) => {}
        Ok(Some(why)) => return Err(read_only(why).into()),
        Err(_) => {
            let problem = Problem::new(Code::Unavailable, "the store does not answer");
            return Err(problem.hint("the daemon's log says why").into());
        }
    }
    let health = health(state, params).await?;
    Ok((StatusCode::OK, health).into_response())
}
