//! The what-if endpoint.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::what_if::{StepSelection, WhatIfIn, WhatIfOut};
use whodunit_core::shown::Shown;
use whodunit_core::what_if::StepsWanted;

use super::branch_view::{answer_upon, named};
use super::common::{asked_to_reveal, page_limit};
use super::error::ApiError;
use super::extract::{Json, Query};
use super::reply::Written;
use super::travel::shown_until;
use crate::daemon::Parts;
use crate::what_if::{layers::what_if_upon, what_if};

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
    /// The `next_cursor` of the previous page. The request must be the same, and so must what was recorded; otherwise it is
    /// refused.
    cursor: Option<String>,
    /// Whether to show secrets. The request is logged with its actor (header `x-whodunit-actor`).
    reveal: Option<bool>,
    /// The branch that it builds on: its edits and actions come first. What the request names is what the log has.
    branch: Option<String>,
}

/// Evaluates a what-if: history with edits and actions. Never writes.
#[utoipa::path(post, path = "/v1/what-if", tag = "what-if", params(WhatIfParams), request_body = WhatIfIn,
    responses((status = 200, body = Shown<WhatIfOut>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "there is no such base: `no_such_stream`, `revision_beyond_head`, `before_first_event`, `position_beyond_head` or `no_such_decision`"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "`wrong_revision`, `key_taken`, `command_id_conflict` or `event_id_conflict`, as the real endpoint would answer at the base")))]
pub(crate) async fn run_what_if(
    State(parts): State<Arc<Parts>>,
    Query(params): Query<WhatIfParams>,
    headers: HeaderMap,
    Json(request): Json<WhatIfIn>,
) -> Result<Written, ApiError> {
    let stream = request.stream.as_str();
    let reveal = asked_to_reveal(params.reveal == Some(true), &headers, "what-if", stream);
    let models = Arc::clone(&parts.models);
    let cursor = params.cursor.as_deref().map(Cursor::read).transpose()?;
    let wanted = StepsWanted {
        which: params.steps.unwrap_or_default(),
        skip: cursor.as_ref().map_or(0, |cursor| cursor.place),
        limit: page_limit(params.limit)?,
    };
    let (travel, now) = (Arc::clone(&parts.travel), parts.clock.now());
    let upon = match named(params.branch) {
        Some(name) => Some(parts.branches.get(&name)?),
        None => None,
    };
    let own = Arc::clone(&parts);
    let name = upon.as_ref().map(|branch| branch.name.clone());
    answer_upon(&own, name, move |view| {
        let mut out = match &upon {
            Some(branch) => {
                let both = (branch, &request);
                what_if_upon(view, &travel, &models, both, wanted, now)?
            }
            None => what_if(view, &travel, &models, &request, wanted, now)?,
        };
        let story = digest(&request, wanted.which, &out);
        if cursor.is_some_and(|cursor| cursor.story != story) {
            let problem = bad_cursor(
                "belongs to another what-if, or to one whose recorded history has changed since",
            );
            return Err(problem.hint("ask without it for the first page").into());
        }
        if let Some(place) = &mut out.next_cursor {
            *place = format!("{place}.{story}");
        }
        shown_until(view, reveal, &models, out)
    })
    .await
}

/// Where a page of steps ended, and of what.
struct Cursor {
    place: u64,
    story: String,
}

impl Cursor {
    fn read(text: &str) -> Result<Self, ApiError> {
        let parts = text.split_once('.');
        let cursor = parts.and_then(|(place, story)| {
            let (place, story) = (place.parse().ok()?, story.to_owned());
            Some(Self { place, story })
        });
        cursor.ok_or_else(|| bad_cursor("does not come from a page of steps").into())
    }
}

fn bad_cursor(why: &str) -> Problem {
    Problem::new(Code::BadParameter, format!("`cursor` {why}")).field("cursor")
}

/// Tells what-ifs apart whose pages do not belong together.
fn digest(request: &WhatIfIn, which: StepSelection, out: &WhatIfOut) -> String {
    let told = (
        (
            request,
            which,
            out.base.revision,
            &out.rules_hash,
            out.actual.revision,
        ),
        (out.steps_total, out.steps_unchanged, out.outcomes),
    );
    let hash = Sha256::digest(serde_json::to_vec(&told).unwrap_or_default());
    let mut hex = String::with_capacity(16);
    for byte in hash.iter().take(8) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
