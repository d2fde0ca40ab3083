//! What was tried, and what is worth keeping: branches with their answers, and scenarios of them and of decisions.

use std::sync::Arc;

use whodunit_core::api::causes::CauseKind;
use whodunit_core::api::what_if::{Continuation, DecisionRef, Edit, StepSelection, WhatIfIn};
use whodunit_core::branch::Branch;
use whodunit_core::bundle::{ScenarioText, WhatIfPart};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::scenario::{Scenario, again};
use whodunit_core::shown::{Reveal, has_mark};
use whodunit_core::what_if::StepsWanted;

use super::super::branch_view;
use super::super::branches;
use super::super::error::ApiError;
use super::super::travel::shown_until;
use super::collect::Collector;
use crate::branches::{Page, compare};
use crate::limits::PAGE_ITEMS_MAX;
use crate::store::{Stoppable as _, StoreError};
use crate::what_if::what_if;

/// Scenarios of decisions.
const DECISIONS_MAX: usize = 10;
/// Streams of a branch whose ends are compared.
const STREAMS_MAX: usize = 20;

/// Branches of a file, and what each came to, with a scenario of it.
pub(super) type Branches = (Vec<Branch>, Vec<(WhatIfPart, Option<ScenarioText>)>);

/// Scenarios of the decision behind the event, and of commands on its stream that were refused.
pub(super) fn of_decisions(all: &mut Collector<'_>) -> Result<Vec<ScenarioText>, ApiError> {
    let subject = all.found.subject.clone();
    let Some(subject) = subject.filter(|node| node.kind == CauseKind::Event) else {
        return Ok(Vec::new());
    };
    let is_wanted = |decision: &&Decision| {
        let refused = matches!(decision.result, Outcome::Rejected { .. });
        decision.stream == subject.stream
            && (refused || subject.causation_id.as_ref() == Some(&decision.command_id))
    };
    let mut wanted: Vec<Decision> = all.decisions().iter().filter(is_wanted).cloned().collect();
    let more = wanted.len().saturating_sub(DECISIONS_MAX);
    wanted.drain(..more);
    all.leave_out(more, "refused command", " without a scenario");
    let mut scenarios = Vec::new();
    for decision in wanted {
        // What a password was is not on record.
        if has_mark(
            &Reveal::NO
                .show(&all.parts.models, decision.clone())
                .into_inner()
                .payload,
        ) {
            all.leave_out(1, "command", " with secrets, so without a scenario");
            continue;
        }
        let asked = again(&decision);
        let name = Scenario::name_of(&decision);
        match scenario(all, &name, &asked)? {
            Some(scenario) => scenarios.push(scenario),
            None => all.leave_out(
                1,
                "command",
                " that could not be decided again, so without a scenario",
            ),
        }
    }
    Ok(scenarios)
}

/// A what-if with its answer as a scenario; none where there is no answer, or it holds secrets.
fn scenario(
    all: &Collector<'_>,
    name: &str,
    asked: &WhatIfIn,
) -> Result<Option<ScenarioText>, ApiError> {
    let (view, parts) = (&all.view, all.parts);
    let wanted = StepsWanted {
        which: StepSelection::Changed,
        skip: 0,
        limit: PAGE_ITEMS_MAX,
    };
    let out = what_if(view, &parts.travel, &parts.models, asked, wanted, all.now);
    let Ok(out) = out else {
        view.stop().check().map_err(StoreError::from)?;
        return Ok(None);
    };
    let out = shown_until(view, Reveal::NO, &parts.models, out)?.into_inner();
    let scenario = Scenario::of(name, asked, &out);
    Ok(Some(ScenarioText {
        name: name.to_owned(),
        toml: scenario.to_toml(),
    }))
}

/// What a branch came to, with a scenario of it where one can be made; none for a branch that holds secrets of events.
pub(super) fn of_branch(
    all: &mut Collector<'_>,
    branch: &Branch,
) -> Result<Option<(WhatIfPart, Option<ScenarioText>)>, ApiError> {
    let models = &all.parts.models;
    let told = branches::told(all.parts, &all.view, branch.clone())?;
    let told = shown_until(&all.view, Reveal::NO, models, told)?.into_inner();
    if !told.redacted.is_empty() {
        return Ok(None);
    }
    let mut part = WhatIfPart {
        name: branch.name.clone(),
        note: branch.note.clone(),
        actor: branch.actor.clone(),
        supposes: supposes(branch),
        answer: String::new(),
        flips: Vec::new(),
        flips_total: 0,
        streams: Vec::new(),
        streams_total: 0,
        failed: None,
    };
    if let Err(error) = answer(all, branch, &mut part) {
        part.failed = Some(error.0.detail);
    }
    let [layer] = branch.layers.as_slice() else {
        all.leave_out(1, "branch", " built on another, so without a scenario");
        return Ok(Some((part, None)));
    };
    let mut asked = WhatIfIn {
        edits: layer.edits.clone(),
        actions: layer.actions.clone(),
        continuation: Continuation::Redecide,
        causes: branch.causes,
        password_correct: branch.password_correct,
        ..WhatIfIn::new(layer.stream.clone())
    };
    match layer.base.before_decision {
        Some(sequence) => asked.at_decision = Some(DecisionRef::Sequence(sequence)),
        None => asked.at_revision = Some(layer.base.revision),
    }
    let mut sequences = all.decisions().iter();
    if let Some(DecisionRef::Sequence(sequence)) = asked.at_decision
        && let Some(decision) = sequences.find(|own| own.sequence == sequence)
    {
        asked.at_decision = Some(DecisionRef::Command(decision.command_id.clone()));
    }
    let name = branch.note.as_ref().unwrap_or(&branch.name);
    let scenario = match part.failed {
        Some(_) => None,
        None => scenario(all, name, &asked)?,
    };
    Ok(Some((part, scenario)))
}

fn answer(all: &mut Collector<'_>, branch: &Branch, part: &mut WhatIfPart) -> Result<(), ApiError> {
    let parts = all.parts;
    let (world, _) = branch_view::open(parts, &branch.name, &all.view)?;
    let page = Page {
        after: None,
        limit: STREAMS_MAX,
    };
    let log = Arc::clone(&all.log);
    let both = (&log, &world);
    let found = compare(&mut all.view, both, (&parts.travel, &parts.models), &page);
    all.view.show(&log);
    let found = found?;
    part.answer = branches::sentence(found.streams_total, found.flips_total, &found.flips);
    part.flips = found.flips;
    part.flips_total = found.flips_total;
    part.streams_total = found.streams_total;
    for stream in found.streams {
        let shown = shown_until(&all.view, Reveal::NO, &parts.models, stream)?;
        part.streams.push(shown.into_inner());
    }
    Ok(())
}

/// What a branch supposes, a line for each edit and action.
fn supposes(branch: &Branch) -> Vec<String> {
    let mut lines = Vec::new();
    for layer in &branch.layers {
        let stream = &layer.stream;
        let decision = |decision: &DecisionRef| match decision {
            DecisionRef::Sequence(sequence) => format!("decision {sequence}"),
            DecisionRef::Command(id) => format!("command {id}"),
        };
        for edit in &layer.edits {
            lines.push(match edit {
                Edit::Drop(edit) => {
                    format!("revision {} of {stream} had not happened", edit.revision)
                }
                Edit::Replace(edit) => format!(
                    "revision {} of {stream} had said something else",
                    edit.revision
                ),
                Edit::Insert(edit) => format!(
                    "{} had come after revision {} of {stream}",
                    edit.event_type, edit.after_revision
                ),
                Edit::Change(edit) => format!(
                    "revision {} of {stream} had come from elsewhere, or at another time",
                    edit.revision
                ),
                Edit::Move(edit) => format!(
                    "revision {} of {stream} had come after revision {}",
                    edit.revision, edit.after_revision
                ),
                Edit::DropCommand(edit) => {
                    format!("{} had not been sent", decision(&edit.decision))
                }
                Edit::ReplaceCommand(edit) => {
                    format!("{} had been another", decision(&edit.decision))
                }
                Edit::InsertCommand(edit) => {
                    format!("{} had been sent as well", edit.command.command_type)
                }
                Edit::MoveCommand(edit) => {
                    format!("{} had been sent at another time", decision(&edit.decision))
                }
            });
        }
        for action in &layer.actions {
            use whodunit_core::api::what_if::Action;
            lines.push(match action {
                Action::Command(command) => format!(
                    "{} had been sent to {stream} after revision {}",
                    command.command_type, layer.base.revision
                ),
                Action::Event(event) => format!(
                    "{} had come to {stream} after revision {}",
                    event.event_type, layer.base.revision
                ),
            });
        }
    }
    lines
}
