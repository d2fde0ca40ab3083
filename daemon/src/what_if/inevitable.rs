//! How inevitable an outcome was, over a store.

use std::sync::Arc;

use whodunit_core::api::inevitable::{InevitableEnd, InevitableIn};
use whodunit_core::api::pipeline::RunOut;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::command::Decision;
use whodunit_core::ids::StreamName;
use whodunit_core::inevitable::{
    Candidates, Dropped, Question, Unfound, answer, candidates, moments, necessity,
};
use whodunit_core::model::Models;
use whodunit_core::predicate::Predicate;
use whodunit_core::redecide::Failed;

use super::history::StoreHistory;
use super::{WhatIfFailure, refused};
use crate::store::{DecisionFilter, Direction, StoreError, View};
use crate::time_travel::{Point, TimeTravel, resolve};

/// Decisions that are looked at for payloads: of the stream, and then of any.
const PAYLOADS_FROM: usize = 500;

/// What is asked, and with what.
pub(crate) struct Inevitable<'a> {
    pub(crate) view: &'a dyn View,
    pub(crate) travel: &'a Arc<TimeTravel>,
    pub(crate) models: &'a Models,
    pub(crate) request: &'a InevitableIn,
    pub(crate) predicate: &'a Predicate,
}

impl Inevitable<'_> {
    /// Finds out. Blocks. `progress` is told how often the log was decided again, of how many times as far as is known.
    pub(crate) fn find_out(
        &self,
        progress: &mut dyn FnMut(u64, u64),
        run: impl FnOnce() -> RunOut,
    ) -> Result<InevitableEnd, WhatIfFailure> {
        let stream = &self.request.stream;
        resolve(self.view, stream, Point::Head)?;
        let mut history = StoreHistory {
            view: self.view,
            travel: self.travel,
            models: self.models,
            ahead: None,
        };
        let mut question = Question {
            history: &mut history,
            models: self.models,
            stream,
            predicate: self.predicate,
            causes: self.request.causes,
            password_correct: self.request.password_correct,
            stop: self.view.stop(),
            runs: 0,
            asked: 0,
            progress,
            runs_expected: 0,
        };
        let (state, revision) = question.recorded().map_err(failed)?;
        let holds = question.holds(&state).map_err(|error| too_much(&error))?;
        let candidates = candidates_of(self.view, self.models, stream)?;
        let (mut dropped, mut found) = (Dropped::default(), (Vec::new(), 0));
        if holds {
            dropped = necessity(&mut question).map_err(failed)?;
            found = moments(&mut question, &candidates.tried).map_err(failed)?;
        }
        let (moments, moments_left_out) = found;
        let last = moments.iter().rev().find(|moment| moment.avoiding > 0);
        let text = self.predicate.text();
        Ok(InevitableEnd {
            answer: answer(text, holds, &dropped, &moments, last),
            stream: stream.clone(),
            predicate: text.to_owned(),
            revision,
            holds,
            point_of_no_return: last.cloned(),
            commands: dropped.commands,
            dropped: dropped.dropped,
            without_effect: dropped.without_effect,
            all_dropped: dropped.all_dropped,
            left_out: dropped.left_out,
            all_pairs: dropped.all_pairs,
            moments,
            moments_left_out,
            commands_tried: candidates.tried,
            not_tried: candidates.not_tried,
            runs: question.runs,
            asked: question.asked,
            run: run(),
        })
    }
}

/// Commands to try on a stream: those that were given to it first, then those of its category.
pub(super) fn candidates_of(
    view: &dyn View,
    models: &Models,
    stream: &StreamName,
) -> Result<Candidates, StoreError> {
    let of = |stream: Option<StreamName>| {
        let filter = DecisionFilter {
            stream,
            ..DecisionFilter::default()
        };
        view.decisions(&filter, None, Direction::Backward, PAYLOADS_FROM)
    };
    let mut decisions: Vec<Decision> = of(Some(stream.clone()))?.decisions;
    let category = stream.category();
    let others = of(None)?.decisions.into_iter();
    decisions.extend(others.filter(|decision| decision.stream.category() == category));
    Ok(candidates(models.for_stream(stream), &decisions))
}

pub(super) fn failed(unfound: Unfound<WhatIfFailure>) -> WhatIfFailure {
    match unfound {
        Unfound::Failed(Failed::History(failure)) => failure,
        Unfound::Failed(Failed::WhatIf(error)) => super::failure(error),
        Unfound::TooMuchWork(error) => too_much(&error),
    }
}

pub(super) fn too_much(error: &impl std::fmt::Display) -> WhatIfFailure {
    let problem = Problem::new(Code::LimitExceeded, error.to_string());
    refused(problem.hint("ask about a part of the state: a shorter list, a single field"))
}
