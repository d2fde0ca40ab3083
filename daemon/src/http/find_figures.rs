//! Figures of what a query line finds: how it is spread, and what tells it from the rest.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::find::{DifferenceOut, DiffersBy, DiffersOut, SummaryOut};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::contrast::Difference;
use whodunit_core::query::Query;
use whodunit_core::shown::Reveal;
use whodunit_core::time::input::Zone;

use super::common::bounded;
use super::error::ApiError;
use super::extract::Query as Params;
use super::find::read_line;
use super::reply::{Written, answer_heavy};
use crate::daemon::Parts;
use crate::find::Find;
use crate::limits::{
    DENSITY_BUCKETS_DEFAULT, DENSITY_BUCKETS_MAX, DIFFERENCES_DEFAULT, DIFFERENCES_MAX,
    FACET_VALUES_DEFAULT, FACET_VALUES_NAMED_MAX,
};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SummaryParams {
    /// The query line; everything when absent. See `docs/QUERY.md`.
    q: Option<String>,
    /// The zone of times of the line that name none: an offset such as `+02:00`, or `Z`.
    zone: Option<String>,
    /// Parts of the time axis: 1 to 1000, 100 when absent.
    buckets: Option<usize>,
    /// Values of each field that are named: 1 to 1000, 10 when absent.
    top: Option<usize>,
}

/// What a query line finds, in figures: how many events, how they are spread over time, and the most frequent types, actors,
/// categories and streams. Within bounds: beyond them the figures are of the newest events only, and say so.
#[utoipa::path(get, path = "/v1/find/summary", tag = "browse", params(SummaryParams),
    responses((status = 200, body = SummaryOut),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_query`, with the column in `actual`, among others")))]
pub(crate) async fn find_summary(
    State(parts): State<Arc<Parts>>,
    Params(params): Params<SummaryParams>,
) -> Result<Written, ApiError> {
    let query = read_line(&parts, params.q.as_deref(), params.zone.as_deref())?;
    only_events(&query)?;
    let buckets = bounded(
        "buckets",
        params.buckets,
        DENSITY_BUCKETS_DEFAULT,
        DENSITY_BUCKETS_MAX,
    )?;
    let top = bounded(
        "top",
        params.top,
        FACET_VALUES_DEFAULT,
        FACET_VALUES_NAMED_MAX,
    )?;
    let redacted_copy = parts.store.is_redacted_copy();
    let find = find(&parts, query);
    answer_heavy(&parts, move |view| {
        let summary = find.summary(view)?;
        let query = find.query.to_string();
        Ok(SummaryOut {
            head: view.head().position.0,
            redacted_copy,
            ..summary.finish(query, buckets, top)
        })
    })
    .await
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffersParams {
    /// The query line that selects. See `docs/QUERY.md`.
    q: String,
    /// The zone of times of the line that name none, and of weekdays and hours: an offset such as `+02:00`, or `Z`. Weekdays
    /// and hours are UTC's when it is absent.
    zone: Option<String>,
    /// What to compare: `stream` (the default) or `event`.
    #[param(inline)]
    by: Option<DiffersBy>,
    /// Differences at most: 1 to 1000, 20 when absent.
    limit: Option<usize>,
}

/// What tells the selection of a query line from the rest: values of fields of the state before, of the events before, of
/// times and actors that it has more often than the other streams (or events) of the same categories, the most surprising
/// first. Sorted by the log-likelihood ratio G²; with the difference of the shares, its 95 % interval, and the chance of so much by
/// accident.
#[utoipa::path(get, path = "/v1/what-differs", tag = "time travel", params(DiffersParams),
    responses((status = 200, body = DiffersOut),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_query`, with the column in `actual`, among others")))]
pub(crate) async fn what_differs(
    State(parts): State<Arc<Parts>>,
    Params(params): Params<DiffersParams>,
) -> Result<Written, ApiError> {
    let zone = params.zone.as_deref();
    let query = read_line(&parts, Some(&params.q), zone)?;
    only_events(&query)?;
    let limit = bounded("limit", params.limit, DIFFERENCES_DEFAULT, DIFFERENCES_MAX)?;
    let offset = match zone.and_then(Zone::parse) {
        Some(Zone::Fixed(seconds)) => seconds,
        _ => 0,
    };
    let by = params.by.unwrap_or_default();
    let redacted_copy = parts.store.is_redacted_copy();
    let find = find(&parts, query);
    answer_heavy(&parts, move |view| {
        let found = match by {
            DiffersBy::Stream => find.differs_by_stream(view, offset, limit)?,
            DiffersBy::Event => find.differs_by_event(view, offset, limit)?,
        };
        let differences = found.differences;
        Ok(DiffersOut {
            query: find.query.to_string(),
            by,
            selected: differences.selected,
            rest: differences.rest,
            moment: found.moment,
            not_yet: found.not_yet,
            complete: found.complete,
            differences: differences
                .differences
                .into_iter()
                .map(difference)
                .collect(),
            looked_at: differences.looked_at,
            left_out: differences.left_out,
            head: view.head().position.0,
            redacted_copy,
        })
    })
    .await
}

fn difference(found: Difference) -> DifferenceOut {
    DifferenceOut {
        attribute: found.attribute,
        value: found.value,
        selected: found.selected,
        rest: found.rest,
        g2: found.g2,
        difference: found.difference,
        low: found.low,
        high: found.high,
        p: found.p,
    }
}

fn find(parts: &Parts, query: Query) -> Find {
    Find {
        query: Arc::new(query),
        models: Arc::clone(&parts.models),
        travel: Arc::clone(&parts.travel),
        reveal: Reveal::NO,
        projections: Some(Arc::clone(&parts.projections)),
    }
}

/// Figures are of events.
fn only_events(query: &Query) -> Result<(), ApiError> {
    if !query.is_of_decisions() {
        return Ok(());
    }
    let detail = "figures are of events; `outcome:`, `rule:` and `decision` are about decisions";
    Err(Problem::new(Code::BadQuery, detail)
        .field("q")
        .hint("leave those terms out; `GET /v1/events` finds decisions by them")
        .into())
}
