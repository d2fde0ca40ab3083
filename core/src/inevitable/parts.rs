//! Parts of a history: the smallest that leads to an outcome, and commands that undo one.

use super::necessity::may_reach;
use super::{Question, Unfound, is_unknown, tried};
use crate::api::minimal::MinimalItem;
use crate::api::undo::PlannedCommand;
use crate::api::what_if::{Action, DecisionRef, DropCommandEdit, Edit};
use crate::command::Decision;
use crate::event::Event;
use crate::fold::step;
use crate::ids::{Position, Revision};
use crate::json::State;
use crate::minimal::{NotMinimal, minimal};
use crate::pointer::Pointer;
use crate::redecide::{BasePlace, Failed, History, Place};
use crate::time::Timestamp;
use crate::undo::{Searched, plan};

/// A minimal history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinimalFound {
    /// How many there were.
    pub before: u64,
    /// What is left.
    pub kept: Vec<MinimalItem>,
    /// How many tests it took.
    pub tests: u64,
    /// Whether every command that could have reached the stream was among them.
    pub all: bool,
}

/// The smallest part of a stream's events that still leads to the outcome, applied as recorded.
///
/// # Errors
/// When it cannot be found out within `tests_max` tests.
pub fn minimal_events<H: History>(
    question: &mut Question<'_, H>,
    events: &[Event],
    tests_max: u64,
) -> Result<MinimalFound, NotMinimal<Unfound<H::Error>>> {
    let found = minimal(events.len(), tests_max, &mut |part| {
        question
            .stop
            .check()
            .map_err(|stopped| Unfound::Failed(Failed::from(stopped)))?;
        question.runs += 1;
        (question.progress)(question.runs, question.runs);
        let model = question.model();
        let mut state = model.decider().initial_state();
        for event in part.iter().filter_map(|index| events.get(*index)) {
            step(model, &mut state, event);
        }
        Ok(question.holds(&state)?)
    })?;
    let kept = found.kept.iter().filter_map(|index| events.get(*index));
    Ok(MinimalFound {
        before: events.len() as u64,
        kept: kept.map(of_event).collect(),
        tests: found.tests,
        all: true,
    })
}

/// The smallest part of the commands that may reach the stream with which the outcome still comes, the rules asked again.
///
/// # Errors
/// When it cannot be found out within `tests_max` tests.
pub fn minimal_commands<H: History>(
    question: &mut Question<'_, H>,
    tests_max: u64,
) -> Result<MinimalFound, NotMinimal<Unfound<H::Error>>> {
    let (decisions, all) = may_reach(question).map_err(NotMinimal::Test)?;
    let found = minimal(decisions.len(), tests_max, &mut |part| {
        let gone = (0..decisions.len()).filter(|index| part.binary_search(index).is_err());
        let gone = gone.filter_map(|index| decisions.get(index));
        let drop = |decision: &Decision| {
            let decision = DecisionRef::Sequence(decision.sequence);
            Edit::DropCommand(DropCommandEdit { decision })
        };
        let edits: Vec<Edit> = gone.map(drop).collect();
        // Where it cannot be told, it does not lead there for certain.
        match question.attempt(&edits, None) {
            Err(error) if is_unknown(&error) => Ok(false),
            ended => Ok(ended?.holds == Some(true)),
        }
    })?;
    let kept = found.kept.iter().filter_map(|index| decisions.get(*index));
    Ok(MinimalFound {
        before: decisions.len() as u64,
        kept: kept.map(of_decision).collect(),
        tests: found.tests,
        all,
    })
}

fn of_event(event: &Event) -> MinimalItem {
    MinimalItem {
        stream: event.stream.clone(),
        revision: Some(event.revision),
        position: Some(event.position),
        decision: None,
        item_type: event.event_type.clone(),
        actor: event.actor.clone(),
        reason: event.reason.clone(),
        at: event.recorded_at,
    }
}

fn of_decision(decision: &Decision) -> MinimalItem {
    MinimalItem {
        stream: decision.stream.clone(),
        revision: None,
        position: None,
        decision: Some(decision.sequence),
        item_type: decision.command_type.clone(),
        actor: decision.actor.clone(),
        reason: decision.reason.clone(),
        at: decision.decided_at,
    }
}

/// A shortest plan of commands at the end of the log that brings fields back.
///
/// # Errors
/// When it cannot be found out.
pub fn undo_plan<H: History>(
    question: &mut Question<'_, H>,
    (wanted, fields): (&State, &[Pointer]),
    commands: &[PlannedCommand],
    (actor, at, steps_max): (&str, Timestamp, usize),
) -> Result<Searched, Unfound<H::Error>> {
    let (state, revision) = question.recorded()?;
    let base = at_the_end(revision, at);
    plan(
        (&state, wanted),
        fields,
        commands,
        steps_max,
        &mut |given| {
            let action = |planned: &PlannedCommand| {
                let mut command = tried(&planned.command_type, &planned.payload);
                command.actor = Some(actor.to_owned());
                command.reason = Some("undo".to_owned());
                Action::Command(command)
            };
            let actions: Vec<Action> = given.iter().map(action).collect();
            let ended = match question.attempt(&[], Some((&actions, base))) {
                Err(error) if is_unknown(&error) => return Ok(None),
                ended => ended?.end,
            };
            let are_legal =
                ended.accepted.len() == given.len() && ended.accepted.iter().all(|is| *is);
            Ok((are_legal && ended.frozen == 0).then_some(ended.state))
        },
    )
}

fn at_the_end(revision: Revision, at: Timestamp) -> BasePlace {
    BasePlace {
        place: Place::END,
        position: Position(u64::MAX),
        revision,
        at,
    }
}
