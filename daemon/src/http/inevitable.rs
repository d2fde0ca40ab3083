//! `POST /v1/inevitable`: what an outcome depended on, and until when it could have been avoided.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use whodunit_core::api::inevitable::{InevitableEnd, InevitableIn, InevitableLine};
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::predicate::{Before, Predicate};
use whodunit_core::stop::Stop;

use super::bisect::predicate_of;
use super::error::ApiError;
use super::extract::Json;
use super::run_lines::{self, Lines, NUMBERS};
use crate::daemon::Parts;
use crate::runs::{End, Run};
use crate::what_if::{Inevitable, WhatIfFailure};

/// Finds out how inevitable an outcome was: a condition on the state that a stream ends with. Each recorded command that may have reached the
/// stream is dropped, one at a time, then masked ones in pairs, and the rules are asked again; then a few simple commands are added at each moment
/// of the stream, to find the last one at which a single command still avoids it. The answer comes as lines: the progress, and what it came
/// to. It ends when its client leaves. Nothing is written.
#[utoipa::path(post, path = "/v1/inevitable", tag = "what-if", request_body = InevitableIn,
    responses((status = 200, body = InevitableLine, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_predicate`, or one that asks for more than the state"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "`busy`: another such computation is running")))]
pub(crate) async fn run_inevitable(
    State(parts): State<Arc<Parts>>,
    Json(request): Json<InevitableIn>,
) -> Result<Response, ApiError> {
    let predicate = of_state(&request.predicate)?;
    let place = run_lines::place(&parts)?;
    let run = Run::begin(
        "inevitable",
        request.stream.as_str(),
        &parts.clock,
        &NUMBERS,
    );
    let worker = Arc::clone(&parts);
    Ok(run_lines::answer(parts, place, move |lines, stop| {
        let found = find_out(&worker, &request, &predicate, &run, (&mut *lines, stop));
        lines.push(&match found {
            Ok(end) => InevitableLine::End(Box::new(end)),
            Err(failure) => InevitableLine::Broken(Box::new(ApiError::from(failure).0.bounded())),
        });
    }))
}

/// Reads a predicate that asks about nothing but the state: of a moment that never was there is nothing else.
pub(super) fn of_state(text: &str) -> Result<Predicate, ApiError> {
    let predicate = predicate_of("/predicate", text)?;
    let needs = predicate.needs();
    if needs.event || needs.before != Before::Nothing {
        let detail =
            "only the `state` can be asked about here: the outcome is what the stream ends with";
        let problem = Problem::new(Code::BadPredicate, detail).field("/predicate");
        return Err(problem.hint("`whodunit bisect` asks about events").into());
    }
    Ok(predicate)
}

fn find_out(
    parts: &Parts,
    request: &InevitableIn,
    predicate: &Predicate,
    run: &Run,
    (lines, stop): (&mut Lines, &Stop),
) -> Result<InevitableEnd, WhatIfFailure> {
    let mut view = parts.store.view()?;
    view.set_stop(stop.clone());
    let inevitable = Inevitable {
        view: view.as_ref(),
        travel: &parts.travel,
        models: &parts.models,
        request,
        predicate,
    };
    let mut progress = |done: u64, total: u64| {
        run.progress(done, total);
        if lines.are_due() {
            lines.push(&InevitableLine::Progress(Box::new(run.shown())));
            lines.send();
        }
    };
    let found = inevitable.find_out(&mut progress, || {
        run.end(End::Completed);
        run.shown()
    });
    if let Err(failure) = &found {
        run.end(End::Failed(failure.to_string()));
    }
    found
}
