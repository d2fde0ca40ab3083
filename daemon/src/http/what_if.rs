//! The what-if endpoint.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::IntoParams;
use whodunit_core::api::problem::Problem;
use whodunit_core::api::what_if::{WhatIfIn, WhatIfOut};
use whodunit_core::shown::Shown;

use super::common::asked_to_reveal;
use super::error::ApiError;
use super::extract::{Json, Query};
use super::reply::{Written, answer_heavy};
use crate::daemon::Parts;
use crate::what_if::what_if;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhatIfParams {
    /// Whether to show secrets. Who asked is noted (`x-whodunit-actor`).
    reveal: Option<bool>,
}

/// Evaluates what would have been: history with edits and actions. Never writes.
#[utoipa::path(post, path = "/v1/what-if", tag = "what-if", params(WhatIfParams), request_body = WhatIfIn,
    responses((status = 200, body = Shown<WhatIfOut>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "there is no such base")))]
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
    let (travel, now) = (Arc::clone(&parts.travel), parts.clock.now());
    answer_heavy(&parts, move |view| {
        let scenario = what_if(view, &travel, &model, &request, now)?;
        Ok(reveal.show(&models, scenario))
    })
    .await
}
