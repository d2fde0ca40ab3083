//! `POST /v1/minimal` and `POST /v1/undo`: the smallest history that leads to an outcome, and commands that undo one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use whodunit_core::api::minimal::{MinimalIn, MinimalLine};
use whodunit_core::api::pipeline::RunOut;
use whodunit_core::api::problem::Problem;
use whodunit_core::api::undo::{UndoIn, UndoLine};
use whodunit_core::stop::Stop;

use super::error::ApiError;
use super::extract::Json;
use super::inevitable::of_state;
use super::run_lines::{self, Lines, NUMBERS};
use crate::daemon::Parts;
use crate::runs::{End, Run};
use crate::what_if::{Over, WhatIfFailure, check_undo, find_minimal, find_undo};

/// Finds a minimal history, by delta debugging: the smallest part of a stream's events, applied as recorded, or of the commands that may reach
/// it, the rules asked again, with which the outcome still comes. It is 1-minimal: without any single one of what is left it does not. The answer
/// comes as lines: the progress, and what it came to. It ends when its client leaves. Nothing is written.
#[utoipa::path(post, path = "/v1/minimal", tag = "what-if", request_body = MinimalIn,
    responses((status = 200, body = MinimalLine, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`bad_predicate`, or one that asks for more than the state"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "`busy`: another such computation is running")))]
pub(crate) async fn run_minimal(
    State(parts): State<Arc<Parts>>,
    Json(request): Json<MinimalIn>,
) -> Result<Response, ApiError> {
    let predicate = of_state(&request.predicate)?;
    let place = run_lines::place(&parts)?;
    let run = Run::begin("minimal", request.stream.as_str(), &parts.clock, &NUMBERS);
    let worker = Arc::clone(&parts);
    Ok(run_lines::answer(parts, place, move |lines, stop| {
        let say = |run| MinimalLine::Progress(Box::new(run));
        let found = work(
            &worker,
            &run,
            (&mut *lines, stop),
            &say,
            |over, progress, ended| find_minimal(over, &request, &predicate, progress, ended),
        );
        lines.push(&match found {
            Ok(end) => MinimalLine::End(Box::new(end)),
            Err(failure) => MinimalLine::Broken(Box::new(ApiError::from(failure).0.bounded())),
        });
    }))
}

/// Looks for an undo plan: a shortest list of commands that the rules accept now, and that brings chosen fields back to what they were at a
/// revision. The plan is run on the state as it is before it is answered; where there is none within the bounds, the answer says so. Nothing is
/// written. The answer comes as lines: the progress, and what it came to.
#[utoipa::path(post, path = "/v1/undo", tag = "what-if", request_body = UndoIn,
    responses((status = 200, body = UndoLine, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "`busy`: another such computation is running")))]
pub(crate) async fn run_undo(
    State(parts): State<Arc<Parts>>,
    Json(request): Json<UndoIn>,
) -> Result<Response, ApiError> {
    check_undo(&request, &parts.models)?;
    let place = run_lines::place(&parts)?;
    let run = Run::begin("undo", request.stream.as_str(), &parts.clock, &NUMBERS);
    let worker = Arc::clone(&parts);
    Ok(run_lines::answer(parts, place, move |lines, stop| {
        let say = |run| UndoLine::Progress(Box::new(run));
        let now = worker.clock.now();
        let found = work(
            &worker,
            &run,
            (&mut *lines, stop),
            &say,
            |over, progress, ended| find_undo(over, &request, now, progress, ended),
        );
        lines.push(&match found {
            Ok(end) => UndoLine::End(Box::new(end)),
            Err(failure) => UndoLine::Broken(Box::new(ApiError::from(failure).0.bounded())),
        });
    }))
}

/// Works on one view, and says how far it is.
fn work<T, L: Serialize>(
    parts: &Parts,
    run: &Run,
    (lines, stop): (&mut Lines, &Stop),
    say: &dyn Fn(RunOut) -> L,
    find: impl FnOnce(
        Over<'_>,
        &mut dyn FnMut(u64, u64),
        &dyn Fn() -> RunOut,
    ) -> Result<T, WhatIfFailure>,
) -> Result<T, WhatIfFailure> {
    let mut view = parts.store.view()?;
    view.set_stop(stop.clone());
    let over = Over {
        view: view.as_ref(),
        travel: &parts.travel,
        models: &parts.models,
    };
    let mut progress = |done: u64, total: u64| {
        run.progress(done, total);
        if lines.are_due() {
            lines.push(&say(run.shown()));
            lines.send();
        }
    };
    let ended = || {
        run.end(End::Completed);
        run.shown()
    };
    let found = find(over, &mut progress, &ended);
    if let Err(failure) = &found {
        run.end(End::Failed(failure.to_string()));
    }
    found
}
