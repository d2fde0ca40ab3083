//! Bisect over HTTP.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use whodunit_core::api::investigate::{
    BisectIn, BisectLine, BisectMatch, BisectOut, FindIn, UndefinedOut,
};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::bisect::Pick;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::predicate::Predicate;

use super::bisect_wide::{self, Wide};
use super::branch_view::{answer_in, named};
use super::causes::Causes;
use super::common::page_limit;
use super::error::ApiError;
use super::extract::{Json, Query};
use super::reply::Written;
use super::streams::BranchParams;
use crate::bisect::{Bisect, BisectError, Found};
use crate::daemon::Parts;
use crate::store::View;
use crate::time_travel::{Point, clock_went_back, faults, redacted_copy, resolve};

/// Finds the revision of a stream at which a condition first holds, last holds, or every one from which on it holds or no
/// longer holds. All revisions are looked at, in one fold, unless the client says that the condition flips once at most. Of a
/// category or the whole log the answer comes as lines: a match each, now and then the progress, and at the end what it came to.
#[utoipa::path(post, path = "/v1/bisect", tag = "time travel", params(BranchParams), request_body = BisectIn,
    responses((status = 200, content((BisectOut = "application/json"), (BisectLine = "application/x-ndjson"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_predicate`, with the column in `actual`, among others"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`no_such_stream` or `revision_beyond_head`")))]
pub(crate) async fn run_bisect(
    State(parts): State<Arc<Parts>>,
    Query(BranchParams { branch }): Query<BranchParams>,
    Json(request): Json<BisectIn>,
) -> Result<Response, ApiError> {
    let predicate = read_predicate(&request.predicate)?;
    let pick = picked(&request)?;
    let limit = page_limit(request.limit)?;
    let wanted = (&request.stream, &request.category, request.log);
    let category = match wanted {
        (Some(stream), None, false) => {
            let stream = stream.clone();
            let found = of_stream(
                (&parts, branch),
                request,
                (stream, predicate),
                (pick, limit),
            )
            .await?;
            return Ok(found.into_response());
        }
        (None, Some(category), false) => Some(category.clone()),
        (None, None, true) => None,
        _ => {
            let detail = "give exactly one of `stream`, `category` and `log`";
            return Err(Problem::new(Code::BadParameter, detail)
                .field("stream")
                .into());
        }
    };
    if request.from.is_some() || request.to.is_some() || request.one_flip {
        let detail = "`from`, `to` and `one_flip` are for one stream";
        return Err(Problem::new(Code::BadParameter, detail)
            .field("stream")
            .into());
    }
    if named(branch).is_some() {
        let detail = "on a branch, only a single stream can be bisected";
        return Err(Problem::new(Code::BadParameter, detail)
            .field("branch")
            .hint("name a `stream`; `GET /v1/branches/{name}/compare` lists those that differ")
            .into());
    }
    let wide = Wide {
        predicate,
        pick,
        limit,
        category,
    };
    bisect_wide::answer(parts, wide)
}

async fn of_stream(
    (parts, branch): (&Arc<Parts>, Option<String>),
    request: BisectIn,
    (stream, predicate): (StreamName, Predicate),
    (pick, limit): (Pick, usize),
) -> Result<Written, ApiError> {
    let travel = Arc::clone(&parts.travel);
    let model = parts.models.for_stream(&stream).clone();
    let redacted_copy = redacted_copy(parts.store.as_ref());
    answer_in(parts, branch, move |view| {
        let to = request.to.map_or(Point::Head, Point::Revision);
        let found = resolve(view, &stream, to)?;
        let from = request.from.unwrap_or_default();
        if from > found.revision {
            let detail = format!("`from` is revision {from}, after `to`: {}", found.revision);
            return Err(Problem::new(Code::BadParameter, detail)
                .field("from")
                .into());
        }
        let range = (from, found.revision);
        let bisect = Bisect {
            travel: &travel,
            view,
            model: &model,
            stream: &stream,
            predicate: &predicate,
            range,
        };
        let result = if request.one_flip {
            bisect.search()?
        } else {
            bisect.scan(pick, limit)?
        };
        let warnings = [
            redacted_copy,
            clock_went_back(view, &found, range)?,
            result.folded.as_ref().and_then(faults),
        ];
        Ok(BisectOut {
            predicate: predicate.to_string(),
            from,
            to: found.revision,
            matches: matches(view, &stream, &result)?,
            matches_total: result.matches_total,
            holds_at_start: result.holds_at_start,
            holds_at_end: result.holds_at_end,
            assumed_one_flip: request.one_flip,
            folds: result.folds,
            revisions: result.revisions,
            evaluations: result.evaluations,
            undefined: undefined(&predicate, &result),
            warnings: warnings.into_iter().flatten().collect(),
        })
    })
    .await
}

/// Reads a predicate; of one that is wrong it says where and what to write instead.
pub(super) fn read_predicate(text: &str) -> Result<Predicate, ApiError> {
    predicate_of("predicate", text)
}

/// The same, of a field or parameter of any name.
pub(super) fn predicate_of(name: &str, text: &str) -> Result<Predicate, ApiError> {
    let predicate = Predicate::parse(text).map_err(|error| {
        let mut problem = Problem::new(Code::BadPredicate, error.to_string()).field(name);
        problem.actual = Some(serde_json::json!({ "column": error.column }));
        ApiError::from(match error.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        })
    })?;
    if predicate.needs().decision {
        let detail = "only states and events can be asked about here, not `decision`";
        return Err(Problem::new(Code::BadPredicate, detail).field(name).into());
    }
    Ok(predicate)
}

fn picked(request: &BisectIn) -> Result<Pick, ApiError> {
    let contradiction = |detail: &str, field: &str| {
        Err(Problem::new(Code::BadParameter, detail).field(field).into())
    };
    match (request.find, request.all) {
        (FindIn::Last, true) => contradiction("`all` and `find` ask for different things", "all"),
        (FindIn::Last, false) if request.one_flip => contradiction(
            "with `one_flip` the flip is found, whichever way it goes; leave `find` out",
            "find",
        ),
        (FindIn::Last, false) => Ok(Pick::Last),
        (FindIn::Flips, _) | (_, true) => Ok(Pick::Flips),
        (FindIn::First, false) => Ok(Pick::First),
    }
}

pub(super) fn matches(
    view: &dyn View,
    stream: &StreamName,
    result: &Found,
) -> Result<Vec<BisectMatch>, ApiError> {
    let mut causes = Causes::new(view, stream);
    let told = result.matches.iter().map(|flip| {
        Ok(BisectMatch {
            stream: stream.clone(),
            revision: flip.revision,
            holds: flip.holds,
            event: causes.at(flip.revision)?,
        })
    });
    told.collect()
}

pub(super) fn undefined(predicate: &Predicate, result: &Found) -> Option<UndefinedOut> {
    let (first, why): (Revision, _) = result.undefined.first?;
    Some(UndefinedOut {
        revisions: result.undefined.count,
        first,
        reason: predicate.describe(why),
    })
}

impl From<BisectError> for ApiError {
    fn from(error: BisectError) -> Self {
        match error {
            BisectError::Travel(error) => error.into(),
            too_much => Problem::new(Code::LimitExceeded, too_much.to_string())
                .hint("ask about a part of the state: a shorter list, a single field")
                .into(),
        }
    }
}
