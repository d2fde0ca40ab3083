//! Minimal histories and undo plans, over a store.

use std::sync::Arc;

use whodunit_core::api::minimal::{MinimalEnd, MinimalIn, MinimalOf};
use whodunit_core::api::pipeline::RunOut;
use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::undo::{PlannedCommand, UndoEnd, UndoIn, UndoPlan, UndoneField};
use whodunit_core::api::what_if::{Action, Causes, StepOutcome, WhatIfCommand, WhatIfIn};
use whodunit_core::counted::counted;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::inevitable::{
    MinimalFound, Question, Unfound, minimal_commands, minimal_events, undo_plan,
};
use whodunit_core::json::State;
use whodunit_core::minimal::NotMinimal;
use whodunit_core::model::Models;
use whodunit_core::pointer::Pointer;
use whodunit_core::predicate::Predicate;
use whodunit_core::shown::redact_state;
use whodunit_core::time::Timestamp;
use whodunit_core::undo::{STEPS_MAX, are_back, commands};
use whodunit_core::what_if::StepsWanted;

use super::history::StoreHistory;
use super::inevitable::{candidates_of, failed, too_much};
use super::{WhatIfFailure, load, refused, what_if};
use crate::builtin::BuiltIn;
use crate::limits::{MINIMAL_COMMANDS_TESTS_MAX, MINIMAL_EVENTS_TESTS_MAX, UNDO_FIELDS_MAX};
use crate::store::View;
use crate::time_travel::{Point, TimeTravel, resolve};

/// Commands of a plan when nothing is said.
const STEPS_DEFAULT: usize = 3;

/// A log and its rules.
#[derive(Clone, Copy)]
pub(crate) struct Over<'a> {
    pub(crate) view: &'a dyn View,
    pub(crate) travel: &'a Arc<TimeTravel>,
    pub(crate) models: &'a Models,
}

impl<'a> Over<'a> {
    fn history(self) -> StoreHistory<'a> {
        StoreHistory {
            view: self.view,
            travel: self.travel,
            models: self.models,
            ahead: None,
        }
    }

    fn question<'b>(
        self,
        history: &'b mut StoreHistory<'a>,
        (stream, predicate): (&'b StreamName, &'b Predicate),
        progress: &'b mut dyn FnMut(u64, u64),
    ) -> Question<'b, StoreHistory<'a>>
    where
        'a: 'b,
    {
        Question {
            history,
            models: self.models,
            stream,
            predicate,
            causes: Causes::Follow,
            password_correct: None,
            stop: self.view.stop(),
            runs: 0,
            asked: 0,
            progress,
            runs_expected: 0,
        }
    }
}

/// Finds a minimal history. Blocks.
pub(crate) fn find_minimal(
    over: Over<'_>,
    request: &MinimalIn,
    predicate: &Predicate,
    progress: &mut dyn FnMut(u64, u64),
    run: impl FnOnce() -> RunOut,
) -> Result<MinimalEnd, WhatIfFailure> {
    let found_stream = resolve(over.view, &request.stream, Point::Head)?;
    let mut history = over.history();
    let asked = (&request.stream, predicate);
    let mut question = over.question(&mut history, asked, progress);
    let (state, _) = question.recorded().map_err(failed)?;
    let holds = question.holds(&state).map_err(|error| too_much(&error))?;
    let nothing = MinimalFound {
        before: 0,
        kept: Vec::new(),
        tests: 0,
        all: true,
    };
    let found = match (holds, request.of) {
        (false, _) => Ok(nothing),
        (true, MinimalOf::Events) => {
            let (start, end) = (Revision::ZERO, found_stream.revision);
            let events = load(over.view, &request.stream, start, end)?;
            minimal_events(&mut question, &events, MINIMAL_EVENTS_TESTS_MAX)
        }
        (true, MinimalOf::Commands) => minimal_commands(&mut question, MINIMAL_COMMANDS_TESTS_MAX),
    };
    let found = found.map_err(not_minimal)?;
    let text = predicate.text();
    Ok(MinimalEnd {
        answer: minimal_answer(text, holds, request.of, &found),
        stream: request.stream.clone(),
        predicate: text.to_owned(),
        of: request.of,
        holds,
        before: found.before,
        kept: found.kept,
        tests: found.tests,
        all: found.all,
        run: run(),
    })
}

fn minimal_answer(predicate: &str, holds: bool, of: MinimalOf, found: &MinimalFound) -> String {
    let (what, test) = match of {
        MinimalOf::Events => ("event", "re-fold"),
        MinimalOf::Commands => ("command", "re-decision"),
    };
    let before = counted(found.before, what);
    let kept = found.kept.len();
    match (holds, kept) {
        (false, _) => {
            format!("`{predicate}` does not hold at the end: there is nothing to reduce.")
        }
        (true, 0) => format!("`{predicate}` holds even without any of the {before}."),
        (true, _) => format!(
            "{before} reduced to {kept}, in {}.",
            counted(found.tests, test)
        ),
    }
}

fn not_minimal(not: NotMinimal<Unfound<WhatIfFailure>>) -> WhatIfFailure {
    match not {
        NotMinimal::Test(unfound) => failed(unfound),
        NotMinimal::TooManyTests(max) => {
            let detail = format!("a minimal history takes more than {max} tests");
            refused(Problem::new(Code::LimitExceeded, detail))
        }
    }
}

/// Finds an undo plan, and runs it. Blocks.
pub(crate) fn find_undo(
    over: Over<'_>,
    request: &UndoIn,
    now: Timestamp,
    progress: &mut dyn FnMut(u64, u64),
    run: impl FnOnce() -> RunOut,
) -> Result<UndoEnd, WhatIfFailure> {
    let (fields, steps) = check_undo(request, over.models)?;
    let stream = &request.stream;
    let model = over.models.for_stream(stream);
    let head = resolve(over.view, stream, Point::Head)?;
    let then = resolve(over.view, stream, Point::Revision(request.to_revision))?;
    let state = |revision: Revision| -> Result<State, WhatIfFailure> {
        let found = over
            .travel
            .state_without_snapshots(over.view, model, stream, revision)?;
        Ok(found.folded.state)
    };
    let (is, wanted) = (state(head.revision)?, state(then.revision)?);
    // What is shown holds no secret, and nor does a payload that is tried.
    let (mut shown_now, mut shown_then) = (is, wanted.clone());
    redact_state(model, &mut shown_now);
    redact_state(model, &mut shown_then);
    let commands = commands(model, &shown_then, &others_of(over, stream)?);
    let always: Predicate = "true".parse().map_err(|error| too_much(&error))?;
    let mut history = over.history();
    let mut question = over.question(&mut history, (stream, &always), progress);
    let actor = request.actor.as_deref().unwrap_or("what-if");
    let at = head.info.last_at.max(now);
    let asked = (actor, at, steps);
    let searched = undo_plan(&mut question, (&wanted, &fields), &commands, asked);
    let searched = searched.map_err(failed)?;
    let mut side_effects = Vec::new();
    if let Some(plan) = &searched.plan {
        let out = prove(over, request, (plan, actor), now)?;
        if !are_back(&out.state, &wanted, &fields) {
            let detail = "a plan was found, and did not hold when it was run".to_owned();
            return Err(refused(Problem::new(Code::Internal, detail)));
        }
        let mut after = out.state;
        redact_state(model, &mut after);
        side_effects = whodunit_core::diff::diff(&shown_now, &after);
        let own = |path: &str| {
            let path: Option<Pointer> = path.parse().ok();
            path.is_some_and(|path| fields.iter().any(|field| field.covers(&path)))
        };
        side_effects.retain(|entry| !own(&entry.path));
    }
    let shown_fields = fields.iter().map(|field| UndoneField {
        path: field.to_string(),
        now: field.lookup(&shown_now).cloned(),
        wanted: field.lookup(&shown_then).cloned(),
    });
    Ok(UndoEnd {
        answer: undo_answer(searched.plan.as_ref(), searched.exhausted, steps),
        stream: stream.clone(),
        revision: head.revision,
        to_revision: then.revision,
        fields: shown_fields.collect(),
        plan: searched.plan,
        side_effects,
        commands_tried: commands,
        attempts: searched.attempts,
        exhausted: searched.exhausted,
        steps,
        run: run(),
    })
}

/// Commands that were given to the stream, or to others of its category.
fn others_of(over: Over<'_>, stream: &StreamName) -> Result<Vec<PlannedCommand>, WhatIfFailure> {
    let others = candidates_of(over.view, over.models, stream)?.tried;
    let planned = others.into_iter().map(|tried| PlannedCommand {
        command_type: tried.command_type,
        payload: tried.payload,
    });
    Ok(planned.collect())
}

/// Runs a plan as a what-if on the state as it is: each command must be accepted.
fn prove(
    over: Over<'_>,
    request: &UndoIn,
    (plan, actor): (&UndoPlan, &str),
    now: Timestamp,
) -> Result<whodunit_core::api::what_if::WhatIfOut, WhatIfFailure> {
    let action = |planned: &PlannedCommand| {
        Action::Command(WhatIfCommand {
            command_type: planned.command_type.clone(),
            payload: planned.payload.clone(),
            actor: Some(actor.to_owned()),
            reason: Some("undo".to_owned()),
            command_id: None,
            correlation_id: None,
            causation_id: None,
            expected_revision: None,
            password_correct: None,
        })
    };
    let asked = WhatIfIn {
        actions: plan.commands.iter().map(action).collect(),
        ..WhatIfIn::new(request.stream.clone())
    };
    let wanted = StepsWanted {
        which: whodunit_core::api::what_if::StepSelection::All,
        ..StepsWanted::CHANGED
    };
    let out = what_if(over.view, over.travel, over.models, &asked, wanted, now)?;
    let refused_one = out
        .steps
        .iter()
        .any(|step| step.outcome != StepOutcome::Accepted);
    if refused_one {
        let detail = "a plan was found, and a command of it was refused when it was run".to_owned();
        return Err(refused(Problem::new(Code::Internal, detail)));
    }
    Ok(out)
}

/// Reads what a request for an undo plan asks for: the fields, and how long a plan may be.
pub(crate) fn check_undo(
    request: &UndoIn,
    models: &Models,
) -> Result<(Vec<Pointer>, usize), WhatIfFailure> {
    let model = models.for_stream(&request.stream);
    if !model.has_commands() {
        let category = request.stream.category();
        let detail = format!("category `{category}` has no model, so no command can be given");
        let problem = Problem::new(Code::NoModel, detail).field("/stream");
        return Err(refused(problem.hint(BuiltIn::how_to_ask_for(category))));
    }
    let bad = |field: &str, detail: String| {
        Err(refused(Problem::new(Code::Malformed, detail).field(field)))
    };
    let count = request.fields.len();
    if count == 0 || count > UNDO_FIELDS_MAX {
        return bad(
            "/fields",
            format!("`/fields` must name 1 to {UNDO_FIELDS_MAX} fields"),
        );
    }
    let mut fields = Vec::new();
    for (index, text) in request.fields.iter().enumerate() {
        let place = format!("/fields/{index}");
        match text.parse::<Pointer>() {
            Ok(field) if field.is_root() => {
                return bad(
                    &place,
                    format!("`{place}` names the whole state: name its fields"),
                );
            }
            Ok(field) if field.tokens().iter().any(|name| model.is_secret(name)) => {
                return bad(
                    &place,
                    format!("`{place}` is a secret: no command can bring it back"),
                );
            }
            Ok(field) => fields.push(field),
            Err(error) => return bad(&place, format!("`{place}` is no JSON Pointer: {error}")),
        }
    }
    let steps = request.steps.unwrap_or(STEPS_DEFAULT);
    if steps == 0 || steps > STEPS_MAX {
        return bad("/steps", format!("`/steps` must be 1 to {STEPS_MAX}"));
    }
    Ok((fields, steps))
}

fn undo_answer(plan: Option<&UndoPlan>, exhausted: bool, steps: usize) -> String {
    match plan {
        Some(plan) if plan.commands.is_empty() => {
            "Nothing to undo: these fields are what they were.".to_owned()
        }
        Some(plan) => {
            let named: Vec<&str> = plan
                .commands
                .iter()
                .map(|planned| planned.command_type.as_str())
                .collect();
            format!(
                "{} would bring it back; it was tried, and nothing was written.",
                named.join(", then ")
            )
        }
        None if exhausted => {
            format!(
                "No plan of up to {}, of those that were tried, brings it back.",
                counted(steps, "command")
            )
        }
        None => "No plan was found within the bounds; not every plan was tried.".to_owned(),
    }
}
