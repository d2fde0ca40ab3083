//! The what-if endpoint.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::problem::Problem;
use whodunit_core::api::what_if::{StepSelection, WhatIfIn, WhatIfOut};
use whodunit_core::shown::Shown;
use whodunit_core::what_if::StepsWanted;

use super::common::{asked_to_reveal, page_limit};
use super::error::ApiError;
use super::extract::{Json, Query};
use super::reply::{Written, answer_heavy};
use super::travel::shown_until;
use crate::daemon::Parts;
use crate::what_if::what_if;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhatIfParams {
    /// Which steps are listed: `changed` (those made or changed, and recorded ones that had another effect; when absent) or
    /// `all`. The rest is counted.
    #[param(inline)]
    steps: Option<StepSelection>,
    /// Steps at most: 1 to 1000, 100 when absent. A page of large steps ends early, with a cursor.
    limit: Option<usize>,
    /// The `next_cursor` of the previous page; the request must be the same.
    cursor: Option<u64>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
}

/// Evaluates a what-if: history with edits and actions. Never writes.
#[utoipa::path(post, path = "/v1/what-if", tag = "what-if", params(WhatIfParams), request_body = WhatIfIn,
    responses((status = 200, body = Shown<WhatIfOut>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "there is no such base: `no_such_stream`, `revision_beyond_head`, `before_first_event`, `position_beyond_head` or `no_such_decision`"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`wrong_revision` or `key_taken`, as the real endpoint would answer")))]
pub(crate) async fn run_what_if(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<WhatIfParams>,
    headers: HeaderMap,
    Json(request): Json<WhatIfIn>,
) -> Result<Written, ApiError> {
    let stream = request.stream.as_str();
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "what-if", stream);
    let models = Arc::clone(&parts.models);
    let model = models.for_stream(&request.stream).clone();
    let wanted = StepsWanted {
        which: params.steps.unwrap_or_default(),
        skip: params.cursor.unwrap_or_default(),
        limit: page_limit(params.limit)?,
    };
    let (travel, now) = (Arc::clone(&parts.travel), parts.clock.now());
    answer_heavy(&parts, move |view| {
        let scenario = what_if(view, &travel, &model, &request, wanted, now)?;
        shown_until(view, reveal, &models, scenario)
    })
    .await
}
