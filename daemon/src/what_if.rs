//! What-if: loads the history that a scenario needs and has the core evaluate it.
//!
//! Owns the loading and its bounds. Never writes, not even a snapshot: the store's bytes stay as they are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::what_if::{
    Causes, Continuation, Edit, ModeReason, Redecided, WhatIfBase, WhatIfIn, WhatIfOut,
};
use whodunit_core::counted::counted;
use whodunit_core::event::Event;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::keys::{KeyHolders, UniqueKey};
use whodunit_core::model::Models;
use whodunit_core::time::Timestamp;
use whodunit_core::what_if::{Scenario, StepsWanted, WhatIfError, evaluate_until};

use crate::limits::{
    WHAT_IF_ACTIONS_MAX, WHAT_IF_BYTES_MAX, WHAT_IF_EDITS_MAX, WHAT_IF_EVENTS_MAX,
};
use crate::store::{ReadEvents, ReadKeys, StoreError, View};
use crate::time_travel::{TimeTravel, TravelError, clock_went_back, faults};

mod ahead;
mod backtest;
mod base;
mod history;
mod ids;
mod inevitable;
pub(crate) mod layers;
mod parts;
mod redecide;

pub(crate) use backtest::Backtest;
use base::{find_base, time_of};
use ids::check_ids;
pub(crate) use inevitable::Inevitable;
pub(crate) use parts::{Over, check_undo, find_minimal, find_undo};

/// Why a scenario is not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WhatIfFailure {
    /// There is no such base.
    #[error(transparent)]
    Travel(#[from] TravelError),
    /// The request does not fit the history or the model.
    #[error(transparent)]
    Scenario(#[from] WhatIfError),
    /// The request contradicts itself or is beyond a bound.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Evaluates a scenario. Blocks.
pub fn what_if(
    view: &dyn View,
    travel: &Arc<TimeTravel>,
    models: &Models,
    request: &WhatIfIn,
    steps: StepsWanted,
    clock_now: Timestamp,
) -> Result<WhatIfOut, WhatIfFailure> {
    check_counts(request)?;
    check_causes(request)?;
    if request.continuation == Continuation::Auto {
        return auto(view, travel, models, request, steps, clock_now);
    }
    let base = find_base(view, request, clock_now)?;
    check_ids(view, request, &base.at)?;
    if request.continuation == Continuation::Redecide {
        return redecide::follow(view, travel, models, (&[], request), steps, base);
    }
    let other = request.rules.as_ref();
    let other = other.map(|rules| backtest::with_rules(models, rules, "/rules"));
    let other = other.transpose()?;
    let models = other.as_ref().map_or(models, |(models, _)| models);
    let model = models.for_stream(&request.stream);
    let first = request.edits.iter().map(first_touched).min();
    let from = base.at.revision.min(first.unwrap_or(base.at.revision));
    let head = base
        .found
        .as_ref()
        .map_or(Revision::ZERO, |found| found.info.revision);
    let to = match request.continuation {
        Continuation::None => base.at.revision,
        Continuation::Refold | Continuation::Redecide | Continuation::Auto => head,
    };
    let events = load(view, &request.stream, from, to)?;
    let start = travel
        .state_without_snapshots(view, model, &request.stream, from)?
        .folded;
    let holders = HoldersAtBase {
        view,
        base: base.at,
        known: RefCell::default(),
        failure: RefCell::new(None),
    };
    let scenario = Scenario {
        model,
        stream: &request.stream,
        start: &start,
        start_at: time_of(view, &base, from)?,
        events: &events,
        base: base.at,
        edits: &request.edits,
        actions: &request.actions,
        continuation: request.continuation,
        holders: &holders,
        password_correct: request.password_correct,
        steps,
    };
    let evaluated = evaluate_until(&scenario, view.stop());
    if let Some(failure) = holders.failure.into_inner() {
        return Err(failure.into());
    }
    let mut out = evaluated.map_err(failure)?;
    out.warnings = base.warnings;
    if let Some(found) = &base.found {
        out.warnings
            .extend(clock_went_back(view, found, (Revision::ZERO, to))?);
    }
    out.warnings.extend(faults(&start));
    Ok(out)
}

/// Asks the rules, unless nothing that was reached has a command on record: then there is nothing to ask them about, and the
/// events are applied as recorded.
fn auto(
    view: &dyn View,
    travel: &Arc<TimeTravel>,
    models: &Models,
    request: &WhatIfIn,
    steps: StepsWanted,
    clock_now: Timestamp,
) -> Result<WhatIfOut, WhatIfFailure> {
    let resolved = |continuation, mode_reason| {
        let request = WhatIfIn {
            continuation,
            ..request.clone()
        };
        let out = what_if(view, travel, models, &request, steps, clock_now)?;
        Ok::<_, WhatIfFailure>(WhatIfOut { mode_reason, ..out })
    };
    let out = resolved(Continuation::Redecide, ModeReason::CommandsOnRecord)?;
    let raw_only = out.redecided.as_ref();
    let raw_only = raw_only.is_some_and(Redecided::reached_raw_events_only);
    // What only the rules can tell is not asked of recorded events.
    let needs_rules =
        request.edits.iter().any(Edit::needs_rules) || request.causes != Causes::default();
    let needs_rules = needs_rules || request.rules.is_some();
    if raw_only && !needs_rules {
        return resolved(Continuation::Refold, ModeReason::NoCommandOnRecord);
    }
    Ok(out)
}

fn failure(error: WhatIfError) -> WhatIfFailure {
    match error {
        WhatIfError::Stopped(stopped) => StoreError::from(stopped).into(),
        error => WhatIfFailure::from(error),
    }
}

/// What becomes of causes is asked only where commands are decided again.
fn check_causes(request: &WhatIfIn) -> Result<(), WhatIfFailure> {
    if request.causes == Causes::default() || request.continuation.asks_rules() {
        return Ok(());
    }
    let detail = "`/causes` needs `continue: redecide`: recorded commands are asked only then";
    Err(refused(
        Problem::new(Code::Malformed, detail).field("/causes"),
    ))
}

fn check_counts(request: &WhatIfIn) -> Result<(), WhatIfFailure> {
    let given: Vec<&str> = [
        ("at_revision", request.at_revision.is_some()),
        ("as_of", request.as_of.is_some()),
        ("at_position", request.at_position.is_some()),
        ("at_decision", request.at_decision.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, given)| given.then_some(name))
    .collect();
    if let [first, .., last] = given.as_slice() {
        let names: Vec<_> = given.iter().map(|name| format!("`{name}`")).collect();
        let problem = Problem::new(
            Code::Malformed,
            format!(
                "{} cannot be combined; a what-if has one base",
                names.join(", ")
            ),
        );
        return Err(refused(
            problem
                .field(format!("/{last}"))
                .hint(format!("keep one of them, such as `{first}`")),
        ));
    }
    for (field, count, max) in [
        ("/edits", request.edits.len(), WHAT_IF_EDITS_MAX),
        ("/do", request.actions.len(), WHAT_IF_ACTIONS_MAX),
    ] {
        if count > max {
            let detail = format!("`{field}` has {count} entries, at most {max} are allowed");
            return Err(refused(
                Problem::new(Code::LimitExceeded, detail).field(field),
            ));
        }
    }
    Ok(())
}

/// The state before which revision an edit needs.
fn first_touched(edit: &Edit) -> Revision {
    match edit {
        Edit::Drop(edit) => Revision(edit.revision.0.saturating_sub(1)),
        Edit::Replace(edit) => Revision(edit.revision.0.saturating_sub(1)),
        Edit::Insert(edit) => edit.after_revision,
        // Refused by the core, where commands are not decided again.
        _ => Revision(u64::MAX),
    }
}

/// The events after `from` up to `to`, within the bounds.
fn load(
    view: &dyn ReadEvents,
    stream: &StreamName,
    from: Revision,
    to: Revision,
) -> Result<Vec<Event>, WhatIfFailure> {
    let count = to.0.saturating_sub(from.0);
    if count > WHAT_IF_EVENTS_MAX {
        let detail = format!(
            "the what-if runs through {}, at most {WHAT_IF_EVENTS_MAX} are allowed",
            counted(count, "recorded event")
        );
        return Err(refused(Problem::new(Code::LimitExceeded, detail).hint(
            "edit closer to the base, choose a later base, or do not re-fold",
        )));
    }
    let mut events = Vec::new();
    let mut bytes = 0;
    if count > 0 {
        view.for_each_event(stream, from.next(), to, &mut |event| {
            bytes += event.data.as_str().len();
            events.push(event);
            Ok(if bytes <= WHAT_IF_BYTES_MAX {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
    }
    if bytes > WHAT_IF_BYTES_MAX {
        let detail = format!(
            "the what-if runs through more than {WHAT_IF_BYTES_MAX} bytes of recorded events"
        );
        return Err(refused(Problem::new(Code::LimitExceeded, detail)));
    }
    Ok(events)
}

fn refused(problem: Problem) -> WhatIfFailure {
    WhatIfFailure::Refused(Box::new(problem))
}

/// Who held a key at the base, by the store: by position, or by the streams' effective times where the base is a time.
struct HoldersAtBase<'a> {
    view: &'a dyn ReadKeys,
    base: WhatIfBase,
    /// What was asked before: the base does not move.
    known: RefCell<HashMap<UniqueKey, Option<StreamName>>>,
    failure: RefCell<Option<StoreError>>,
}

impl KeyHolders for HoldersAtBase<'_> {
    fn holder(&self, category: &str, key: &UniqueKey, except: &StreamName) -> Option<StreamName> {
        if let Some(known) = self.known.borrow().get(key) {
            return known.clone();
        }
        let found = match self.base.position {
            Some(_) => self.view.key_holder(category, key, self.base.position),
            None => self
                .view
                .key_holder_as_of(category, key, self.base.at, except),
        };
        let holder = match found {
            Ok(hold) => hold
                .map(|hold| hold.stream)
                .filter(|holder| holder != except),
            Err(error) => {
                self.failure.replace(Some(error));
                None
            }
        };
        self.known.borrow_mut().insert(key.clone(), holder.clone());
        holder
    }
}
