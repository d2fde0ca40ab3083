//! Time travel: state at a revision or time, steps.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use whodunit_core::api::problem::Problem;
use whodunit_core::api::time_travel::{StateOut, Step, StepsOut};
use whodunit_core::ids::Revision;
use whodunit_core::model::Models;
use whodunit_core::shown::{Redact, Reveal, Shown};

use super::branch_view::answer_in;
use super::common::{Order, asked_to_reveal};
use super::error::ApiError;
use super::extract::{Query, StreamPath};
use super::point::{AtPoint, NoMore, PointParams, QueryAt};
use super::reply::Written;
use super::streams::WithinParams;
use crate::daemon::Parts;
use crate::store::{StoreError, View};
use crate::time_travel::{Point, clock_went_back, redacted_copy, resolve};

/// The state of a stream at a revision or time.
#[utoipa::path(get, path = "/v1/streams/{stream}/state", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), PointParams),
    responses((status = 200, body = Shown<StateOut>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_stream`, `revision_beyond_head` or `before_first_event`")))]
pub(crate) async fn get_state(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    QueryAt(at, NoMore {}): QueryAt<NoMore>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let asked = AtPoint::new(at, (&parts, &headers), "state", stream)?;
    answer_in(&parts, asked.branch.clone(), move |view| {
        let (travel, model, stream) = (&asked.travel, &asked.model, &asked.stream);
        let found = resolve(view, stream, asked.point)?;
        let reached = travel.state(view, model, stream, found.revision)?;
        let warnings = asked.warnings(view, &found, &reached.folded)?;
        let out = StateOut {
            stream: stream.clone(),
            revision: found.revision,
            position: reached.last.map(|(position, _)| position),
            recorded_at: reached.last.map(|(_, at)| at),
            state: reached.folded.state,
            redacted: Vec::new(),
            head_revision: found.info.revision,
            model: model.name().to_owned(),
            rules_hash: model.rules_hash().to_owned(),
            snapshot_revision: reached.snapshot_revision,
            faults: reached.folded.faults,
            faults_total: reached.folded.faults_total,
            warnings,
        };
        shown_until(view, asked.reveal, &asked.models, out)
    })
    .await
}

/// A value as it may be shown, unless the client has left.
pub(super) fn shown_until<T: Redact>(
    view: &dyn View,
    reveal: Reveal,
    models: &Models,
    value: T,
) -> Result<Shown<T>, ApiError> {
    let shown = reveal.show_until(models, value, view.stop());
    shown.map_err(|stopped| StoreError::from(stopped).into())
}

/// A stream's events, each with the changes it made to the state.
#[utoipa::path(get, path = "/v1/streams/{stream}/steps", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), WithinParams),
    responses((status = 200, body = StepsOut<Shown<Step>>), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_steps(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(params): Query<WithinParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let within = params.check(false)?;
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "steps",
        stream.as_str(),
    );
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let model = models.for_stream(&stream).clone();
    let redacted_copy = redacted_copy(parts.store.as_ref());
    answer_in(&parts, params.branch, move |view| {
        let (mut events, mut next_cursor) = within.load(view, &stream)?;
        let warnings = match (events.first(), events.last()) {
            (Some(one), Some(other)) => {
                let (first, last) = (
                    one.revision.min(other.revision),
                    one.revision.max(other.revision),
                );
                let before = Revision(first.0.saturating_sub(1));
                let found = resolve(view, &stream, Point::Head)?;
                clock_went_back(view, &found, (before, last))?
            }
            _ => None,
        };
        // A fold runs forward, whichever way its steps are listed.
        let backward = within.order == Order::Backward;
        if backward {
            events.reverse();
        }
        let loaded = events.len();
        let mut steps: Vec<_> = travel
            .steps(view, &model, events, within.order.into())?
            .into();
        if backward {
            steps.reverse();
        }
        if steps.len() < loaded {
            // Their differences weigh too much for one page.
            next_cursor = steps.last().map(|step| within.after(step.event.revision));
        }
        let items = steps.into_iter();
        let items = items.map(|step| shown_until(view, reveal, &models, step));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        Ok(StepsOut {
            scanned: items.len() as u64,
            items,
            next_cursor,
            head: view.head().position.0,
            warnings: redacted_copy.into_iter().chain(warnings).collect(),
        })
    })
    .await
}
