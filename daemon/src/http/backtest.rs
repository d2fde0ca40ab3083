//! `POST /v1/backtest`: commands with another outcome under other rules, line by line, how far it is, and what it came to.

use std::cell::RefCell;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use whodunit_core::api::backtest::{BacktestCounts, BacktestEnd, BacktestIn, BacktestLine};
use whodunit_core::api::problem::Problem;
use whodunit_core::counted::{clause, counted};
use whodunit_core::ids::Position;
use whodunit_core::redecide::Backtested;
use whodunit_core::stop::Stop;

use super::error::ApiError;
use super::extract::Json;
use super::run_lines::{self, Lines, NUMBERS};
use crate::daemon::Parts;
use crate::runs::{End, Run};
use crate::what_if::{Backtest, WhatIfFailure};

/// Decisions after which the clock is looked at.
const DECISIONS_AT_A_TIME: u64 = 64;

/// Decides the decision log, or a part of it, again under other rules. A changed decision changes what later ones see: commands that
/// it reaches outside the range are decided again by the rules in use. The answer comes as lines: each command with another outcome,
/// in the order of the log, now and then the progress, then the streams that differ, and at the end the counts by rule, actor, type and
/// day. Under the rules in use it is empty. It ends when its client leaves, and begins from the start when it is asked for again: the
/// log up to its head is read on one view, and nothing is written.
#[utoipa::path(post, path = "/v1/backtest", tag = "what-if", request_body = BacktestIn,
    responses((status = 200, body = BacktestLine, content_type = "application/x-ndjson"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "a parameter of the rules is not known, or does not fit: `field` says which"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "`busy`: another back-test is running")))]
pub(crate) async fn run_backtest(
    State(parts): State<Arc<Parts>>,
    Json(request): Json<BacktestIn>,
) -> Result<Response, ApiError> {
    let backtest = Backtest::new(request, &parts.models)?;
    let place = run_lines::place(&parts)?;
    let worker = Worker {
        parts: Arc::clone(&parts),
        run: Run::begin("backtest", backtest.model().name(), &parts.clock, &NUMBERS),
        backtest,
    };
    Ok(run_lines::answer(parts, place, move |lines, stop| {
        worker.work(lines, stop);
    }))
}

struct Worker {
    parts: Arc<Parts>,
    run: Arc<Run>,
    backtest: Backtest,
}

impl Worker {
    fn work(&self, lines: &mut Lines, stop: &Stop) {
        let shared = RefCell::new(lines);
        let done = self.decide(&shared, stop);
        let lines = shared.into_inner();
        let last = match done {
            Ok((position, came_to)) => {
                self.run.end(End::Completed);
                for stream in &came_to.streams {
                    lines.push(&BacktestLine::Stream(stream.clone()));
                }
                BacktestLine::End(Box::new(self.end(position, came_to)))
            }
            Err(failure) => {
                self.run.end(End::Failed(failure.to_string()));
                BacktestLine::Broken(Box::new(ApiError::from(failure).0.bounded()))
            }
        };
        lines.push(&last);
    }

    fn decide(
        &self,
        lines: &RefCell<&mut Lines>,
        stop: &Stop,
    ) -> Result<(Position, Backtested), WhatIfFailure> {
        let mut log = self.parts.store.view()?;
        log.set_stop(stop.clone());
        let head = log.head();
        let mut view = self.parts.store.view()?;
        view.set_stop(stop.clone());
        self.run.progress(0, head.decision);
        let mut told = |change| {
            lines
                .borrow_mut()
                .push(&BacktestLine::Change(Box::new(change)));
        };
        let mut looked_at = |done: u64| {
            if !done.is_multiple_of(DECISIONS_AT_A_TIME) {
                return;
            }
            let mut lines = lines.borrow_mut();
            if lines.are_due() {
                self.run.progress(done, head.decision);
                lines.push(&BacktestLine::Progress(Box::new(self.run.shown())));
                lines.send();
            }
        };
        let travel = &self.parts.travel;
        let came_to = self
            .backtest
            .run((log, view.as_ref()), travel, &mut told, &mut looked_at)?;
        self.run.progress(came_to.looked_at, head.decision);
        Ok((head.position, came_to))
    }

    fn end(&self, position: Position, came_to: Backtested) -> BacktestEnd {
        let (model, in_use) = (self.backtest.model(), self.backtest.in_use());
        BacktestEnd {
            answer: answer(&came_to),
            model: model.name().to_owned(),
            rules_hash: model.rules_hash().to_owned(),
            rules_in_use: in_use.rules_hash().to_owned(),
            same_rules: model.rules_hash() == in_use.rules_hash(),
            position,
            looked_at: came_to.looked_at,
            counts: came_to.counts,
            outside: came_to.outside,
            raw_refused: came_to.raw_refused,
            raw_frozen: came_to.raw_frozen,
            by_rule: came_to.by_rule,
            by_actor: came_to.by_actor,
            by_type: came_to.by_type,
            by_day: came_to.by_day,
            frozen: came_to.frozen,
            streams_changed: came_to.streams.len() as u64,
            without_reactions: came_to.without_reactions,
            recorded_under_others: came_to.recorded_under_others,
            redacted_copy: self.parts.store.is_redacted_copy(),
            run: self.run.shown(),
        }
    }
}

/// What it came to, in a sentence.
fn answer(came_to: &Backtested) -> String {
    let BacktestCounts {
        same,
        accepted_to_refused,
        refused_to_accepted,
        changed,
        not_issued,
        frozen,
    } = came_to.counts;
    let asked = same + accepted_to_refused + refused_to_accepted + changed;
    let parts = [
        (accepted_to_refused, "accepted before and refused now"),
        (refused_to_accepted, "refused before and accepted now"),
        (changed, "changed in another way"),
        (not_issued, "never issued"),
        (frozen, "not decided again"),
    ];
    let named: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let outside = came_to.outside.changes() + came_to.raw_refused;
    let outside = match outside {
        0 => String::new(),
        count => format!(
            "; outside the range, {} a different outcome",
            clause(count, "command", "has")
        ),
    };
    // Of nothing it is not said that all of it is well.
    if came_to.counts.total() == 0 {
        return format!("No recorded command is in the range: nothing was decided again{outside}.");
    }
    if named.is_empty() && outside.is_empty() {
        return format!(
            "{} decided again: no outcome has changed.",
            clause(asked, "command", "was")
        );
    }
    let named = if named.is_empty() {
        "all have the outcome on record".to_owned()
    } else {
        named.join(", ")
    };
    let asked = counted(asked, "command");
    format!("Of {asked} decided again: {named}{outside}.")
}
