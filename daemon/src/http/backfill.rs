//! Backfills: start, progress, cancellation.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use whodunit_core::api::Page;
use whodunit_core::api::pipeline::{BackfillIn, BackfillPlan, RunOut};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::text::shown;

use super::error::ApiError;
use super::extract::{Json, PathText, Query};
use super::outbox::number;
use super::reply::Reply;
use super::streams::NoParams;
use crate::backfill::{BackfillError, Requested};
use crate::daemon::Parts;
use crate::runs::Run;

/// Runs a range of history through the named handlers again, and no others. For handlers with effects it is a
/// plan first: send it with `dry_run`, then again with `confirm` and the plan's `jobs` as `expected_jobs`.
#[utoipa::path(post, path = "/v1/backfill", tag = "pipeline", request_body = BackfillIn,
    responses((status = 200, body = BackfillPlan, description = "with `dry_run`: the plan; nothing was started"),
        (status = 202, body = RunOut, description = "started"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_handler`"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`already_running`, or `not_confirmed` with the plan")))]
pub(crate) async fn start_backfill(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
    Json(asked): Json<BackfillIn>,
) -> Result<Response, ApiError> {
    if let (Some(since), Some(until)) = (asked.since, asked.until)
        && since > until
    {
        let detail = format!("`/since` is {since}, after `/until`, {until}");
        return Err(Problem::new(Code::BadParameter, detail)
            .field("/until")
            .into());
    }
    match parts.backfills.request(&asked).await {
        Ok(Requested::Planned(plan)) => Ok(Reply(plan).into_response()),
        Ok(Requested::Started(run)) => Ok((StatusCode::ACCEPTED, Reply(run)).into_response()),
        Err(BackfillError::Store(error)) => Err(error.into()),
        Err(error) => Err(refused(error).into()),
    }
}

fn refused(error: BackfillError) -> Problem {
    let detail = shown(&error.to_string()).into_owned();
    match error {
        BackfillError::Store(error) => *ApiError::from(error).0,
        BackfillError::NoRange => Problem::new(Code::BadParameter, detail)
            .field("/all_history")
            .hint("give `from_position`, `to_position`, `since` or `until`, or `\"all_history\": true`"),
        BackfillError::RangeAndAllHistory => {
            Problem::new(Code::BadParameter, detail).field("/all_history")
        }
        BackfillError::NotConfirmed(plan) => {
            let jobs = plan.jobs;
            unconfirmed(detail, plan).hint(format!(
                "to start it, send the request again with `\"confirm\": true, \"expected_jobs\": {jobs}`"
            ))
        }
        BackfillError::PlanChanged { expected, plan } => {
            let jobs = plan.jobs;
            let problem = unconfirmed(detail, plan).hint(format!(
                "look at the new plan; to start it, send `\"confirm\": true, \"expected_jobs\": {jobs}`"
            ));
            Problem {
                expected: Some(expected.into()),
                actual: Some(jobs.into()),
                ..problem
            }
        }
        BackfillError::NoHandlers => Problem::new(Code::Malformed, detail).field("/handlers"),
        BackfillError::NoSuchHandler(_) => Problem::new(Code::NoSuchHandler, detail)
            .field("/handlers")
            .hint("`GET /v1/outbox` lists the handlers, `GET /v1/projections` the projections"),
        BackfillError::EmptyRange { .. } => {
            Problem::new(Code::BadParameter, detail).field("/to_position")
        }
        BackfillError::AlreadyRunning(id) => Problem::new(Code::AlreadyRunning, detail)
            .hint(format!("`DELETE /v1/backfill/{id}` cancels it")),
    }
}

fn unconfirmed(detail: String, plan: Box<BackfillPlan>) -> Problem {
    Problem {
        plan: Some(plan),
        ..Problem::new(Code::NotConfirmed, detail)
    }
}

/// The running backfill and the last ones since the daemon started, newest first.
#[utoipa::path(get, path = "/v1/backfill", tag = "pipeline", responses((status = 200, body = Page<RunOut>)))]
pub(crate) async fn list_backfills(
    State(parts): State<Arc<Parts>>,
    Query(NoParams {}): Query<NoParams>,
) -> Reply<Page<RunOut>> {
    let items = parts.backfills.newest_first();
    Reply(Page {
        scanned: items.len() as u64,
        items,
        next_cursor: None,
        redacted_copy: parts.store.is_redacted_copy(),
        head: parts.store.head().borrow().position.0,
    })
}

/// One backfill.
#[utoipa::path(get, path = "/v1/backfill/{id}", tag = "pipeline",
    params(("id" = u64, Path, description = "its number")),
    responses((status = 200, body = RunOut), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_backfill(
    State(parts): State<Arc<Parts>>,
    PathText(id): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<RunOut>, ApiError> {
    Ok(Reply(found(&parts, &id)?.shown()))
}

fn found(parts: &Parts, id: &str) -> Result<Arc<Run>, ApiError> {
    let id = number("backfill", id)?;
    parts.backfills.run(id).ok_or_else(|| {
        Problem::new(Code::NoSuchRun, format!("there is no backfill {id}"))
            .hint("`GET /v1/backfill` lists those since the daemon started")
            .into()
    })
}

/// Cancels a backfill. Jobs that it created stay.
#[utoipa::path(delete, path = "/v1/backfill/{id}", tag = "pipeline",
    params(("id" = u64, Path, description = "its number")),
    responses((status = 200, body = RunOut), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn cancel_backfill(
    State(parts): State<Arc<Parts>>,
    PathText(id): PathText,
    Query(NoParams {}): Query<NoParams>,
) -> Result<Reply<RunOut>, ApiError> {
    let run = found(&parts, &id)?;
    run.cancel();
    run.ended().await;
    Ok(Reply(run.shown()))
}
