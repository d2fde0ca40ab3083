//! Time travel: state at a revision or time, steps, diffs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::time_travel::{DiffOut, StateOut, Step, StepsOut};
use whodunit_core::diff::diff_within;
use whodunit_core::ids::Revision;
use whodunit_core::model::Models;
use whodunit_core::shown::{Redact, Reveal, Shown};
use whodunit_core::time::{TimeError, Timestamp};
use whodunit_core::weight::Unfinished;

use super::common::{Order, asked_to_reveal, at_most_one};
use super::error::ApiError;
use super::extract::{Query, StreamPath};
use super::reply::{Written, answer_heavy};
use super::streams::WithinParams;
use crate::daemon::Parts;
use crate::limits::DIFF_WEIGHT_MAX;
use crate::store::{StoreError, View};
use crate::time_travel::{Point, clock_went_back, faults, left_out, redacted_copy, resolve};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StateParams {
    /// After this revision; 0 is the empty state. The head when neither is given.
    at_revision: Option<u64>,
    /// As it was recorded at this time (RFC 3339, with a zone).
    #[param(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
}

/// The state of a stream at a revision or time.
#[utoipa::path(get, path = "/v1/streams/{stream}/state", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), StateParams),
    responses((status = 200, body = Shown<StateOut>), (status = 404, body = Problem, content_type = "application/problem+json",
        description = "`no_such_stream`, `revision_beyond_head` or `before_first_event`")))]
pub(crate) async fn get_state(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(params): Query<StateParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let point = asked_point(params.at_revision, params.as_of)?;
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "state",
        stream.as_str(),
    );
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let model = models.for_stream(&stream).clone();
    let redacted_copy = redacted_copy(parts.store.as_ref());
    answer_heavy(&parts, move |view| {
        let found = resolve(view, &stream, point)?;
        let reached = travel.state(view, &model, &stream, found.revision)?;
        let beginning = (Revision::ZERO, found.revision);
        let warnings = [
            redacted_copy,
            left_out(view, point, &found)?,
            clock_went_back(view, &found, beginning)?,
            faults(&reached.folded),
        ];
        let out = StateOut {
            stream,
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
            warnings: warnings.into_iter().flatten().collect(),
        };
        shown_until(view, reveal, &models, out)
    })
    .await
}

/// The point of a stream's history that a request names.
pub(super) fn asked_point(
    revision: Option<u64>,
    as_of: Option<Timestamp>,
) -> Result<Point, ApiError> {
    at_most_one(
        ("at_revision", revision.is_some()),
        ("as_of", as_of.is_some()),
    )?;
    Ok(match (revision, as_of) {
        (Some(revision), _) => Point::Revision(Revision(revision)),
        (None, Some(at)) => Point::AsOf(at),
        (None, None) => Point::Head,
    })
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
    let within = params.check()?;
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "steps",
        stream.as_str(),
    );
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let model = models.for_stream(&stream).clone();
    let redacted_copy = redacted_copy(parts.store.as_ref());
    answer_heavy(&parts, move |view| {
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

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffParams {
    /// A revision or a time; 0 when absent.
    from: Option<String>,
    /// A revision or a time, possibly the earlier one; the head when absent.
    to: Option<String>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
}

/// The differences between a stream's states at two revisions or times.
#[utoipa::path(get, path = "/v1/streams/{stream}/diff", tag = "time travel",
    params(("stream" = String, Path, description = "its name, `category-id`"), DiffParams),
    responses((status = 200, body = Shown<DiffOut>), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get_diff(
    State(parts): State<Arc<Parts>>,
    StreamPath(stream): StreamPath,
    Query(params): Query<DiffParams>,
    headers: HeaderMap,
) -> Result<Written, ApiError> {
    let from = point("from", params.from.as_deref())?.unwrap_or(Point::Revision(Revision::ZERO));
    let to = point("to", params.to.as_deref())?.unwrap_or(Point::Head);
    let reveal = asked_to_reveal(
        params.reveal == Some(true),
        &headers,
        "diff",
        stream.as_str(),
    );
    let (travel, models) = (Arc::clone(&parts.travel), Arc::clone(&parts.models));
    let model = models.for_stream(&stream).clone();
    let redacted_copy = redacted_copy(parts.store.as_ref());
    answer_heavy(&parts, move |view| {
        let (from_point, to_point) = (from, to);
        let (from, to) = (resolve(view, &stream, from)?, resolve(view, &stream, to)?);
        let before = travel.state(view, &model, &stream, from.revision)?.folded;
        let after = travel.state(view, &model, &stream, to.revision)?.folded;
        let later = if from.revision > to.revision {
            &before
        } else {
            &after
        };
        let mut warnings = vec![
            redacted_copy,
            left_out(view, from_point, &from)?,
            left_out(view, to_point, &to)?,
            clock_went_back(view, &to, (Revision::ZERO, later.revision))?,
            faults(later),
        ];
        warnings.dedup();
        let (from, to) = (from.revision, to.revision);
        let found = diff_within(&before.state, &after.state, DIFF_WEIGHT_MAX, view.stop());
        let diff = found.map_err(|unfinished| match unfinished {
            Unfinished::Stopped(stopped) => ApiError::from(StoreError::from(stopped)),
            Unfinished::TooLarge(too_large) => {
                let problem = Problem::new(Code::LimitExceeded, too_large.to_string());
                problem
                    .hint("compare two points that are nearer to each other")
                    .into()
            }
        })?;
        drop((before, after));
        let out = DiffOut {
            stream,
            from,
            to,
            diff,
            redacted: Vec::new(),
            warnings: warnings.into_iter().flatten().collect(),
        };
        shown_until(view, reveal, &models, out)
    })
    .await
}

fn point(name: &str, text: Option<&str>) -> Result<Option<Point>, ApiError> {
    text.map(str::parse)
        .transpose()
        .map_err(|error: TimeError| {
            let detail = format!("`{name}` is neither a revision nor a time: {error}");
            Problem::new(Code::BadTime, detail).field(name).into()
        })
}
