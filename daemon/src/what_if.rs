//! What-if: loads the history that a scenario needs and has the core evaluate it.
//!
//! Owns the loading and its bounds. Never writes, not even a snapshot: the store's bytes stay as they are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::warning::{Warning, WarningCode};
use whodunit_core::api::what_if::{
    Continuation, DecisionRef, Edit, WhatIfBase, WhatIfIn, WhatIfOut,
};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::{KeyHolders, UniqueKey};
use whodunit_core::model::Model;
use whodunit_core::time::Timestamp;
use whodunit_core::what_if::{Scenario, StepsWanted, WhatIfError, evaluate_until};

use crate::limits::{
    WHAT_IF_ACTIONS_MAX, WHAT_IF_BYTES_MAX, WHAT_IF_EDITS_MAX, WHAT_IF_EVENTS_MAX,
};
use crate::store::{Direction, StoreError, StreamInfo, View};
use crate::time_travel::{
    Point, Resolved, TimeTravel, TravelError, clock_went_back, faults, left_out, resolve,
};

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

/// The base of a scenario, and what is known of the stream there.
struct Base {
    at: WhatIfBase,
    /// The stream; `None` when it has no event yet.
    found: Option<Resolved>,
    warnings: Vec<Warning>,
}

/// Evaluates a scenario. Blocks.
pub fn what_if(
    view: &dyn View,
    travel: &Arc<TimeTravel>,
    model: &Model,
    request: &WhatIfIn,
    steps: StepsWanted,
    clock_now: Timestamp,
) -> Result<WhatIfOut, WhatIfFailure> {
    check_counts(request)?;
    let base = find_base(view, request, clock_now)?;
    let first = request.edits.iter().map(first_touched).min();
    let from = base.at.revision.min(first.unwrap_or(base.at.revision));
    let head = base
        .found
        .as_ref()
        .map_or(Revision::ZERO, |found| found.info.revision);
    let to = match request.continuation {
        Continuation::None => base.at.revision,
        Continuation::Refold => head,
    };
    let events = load(view, &request.stream, from, to)?;
    let start = travel
        .state_without_snapshots(view, model, &request.stream, from)?
        .folded;
    let holders = HoldersThen {
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
    let mut out = evaluated.map_err(|error| match error {
        WhatIfError::Stopped(stopped) => StoreError::from(stopped).into(),
        error => WhatIfFailure::from(error),
    })?;
    out.warnings = base.warnings;
    if let Some(found) = &base.found {
        out.warnings
            .extend(clock_went_back(view, found, (Revision::ZERO, to))?);
    }
    out.warnings.extend(faults(&start));
    Ok(out)
}

/// The effective time of a revision; of revision 0, the time of the stream's first event.
fn time_of(view: &dyn View, base: &Base, revision: Revision) -> Result<Timestamp, StoreError> {
    let Some(Resolved { info, .. }) = &base.found else {
        return Ok(base.at.at);
    };
    let at = view.effective_at(&info.stream, revision)?;
    Ok(at.unwrap_or(info.first_at))
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
            format!("{} are all given; a what-if has one base", names.join(", ")),
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
    }
}

fn find_base(
    view: &dyn View,
    request: &WhatIfIn,
    clock_now: Timestamp,
) -> Result<Base, WhatIfFailure> {
    let stream = &request.stream;
    if let Some(position) = request.at_position {
        return at_position(view, stream, position);
    }
    if let Some(decision) = &request.at_decision {
        return at_decision(view, stream, decision);
    }
    let point = match (request.at_revision, request.as_of) {
        (Some(revision), _) => Point::Revision(revision),
        (None, Some(at)) => Point::AsOf(at),
        (None, None) => Point::Head,
    };
    let found = match resolve(view, stream, point) {
        // Asked for outright, the empty stream is a fine base even where nothing has happened yet.
        Err(TravelError::NoSuchStream { .. }) if point == Point::Revision(Revision::ZERO) => {
            return Ok(Base {
                at: WhatIfBase {
                    revision: Revision::ZERO,
                    position: Some(view.head().position),
                    at: clock_now,
                    decision: None,
                },
                found: None,
                warnings: Vec::new(),
            });
        }
        found => found?,
    };
    let (revision, info) = (found.revision, &found.info);
    let (at, position) = match point {
        Point::AsOf(at) => (at, None),
        Point::Head => (info.last_at, Some(view.head().position)),
        Point::Revision(_) => (
            view.effective_at(stream, revision)?
                .unwrap_or(info.first_at),
            Some(position_of(view, info, revision)?),
        ),
    };
    Ok(Base {
        at: WhatIfBase {
            revision,
            position,
            at,
            decision: None,
        },
        warnings: left_out(view, point, &found)?.into_iter().collect(),
        found: Some(found),
    })
}

/// After a position of the whole log. Its time is the effective time of the event there, or the stream's own where that is
/// later: what is invented does not happen before what it builds on.
fn at_position(
    view: &dyn View,
    stream: &StreamName,
    position: Position,
) -> Result<Base, WhatIfFailure> {
    let head = view.head().position;
    if position > head {
        let detail =
            format!("the log ends at position {head}; there is no position {position} yet");
        let problem = Problem {
            actual: Some(head.0.into()),
            ..Problem::new(Code::PositionBeyondHead, detail).field("/at_position")
        };
        return Err(refused(problem));
    }
    let Some(revision) = view.revision_at(stream, position)? else {
        return Err(no_such_stream(stream));
    };
    let found = resolve(view, stream, Point::Revision(revision))?;
    let own = view.effective_at(stream, revision)?;
    let there = match view.event_at(position)? {
        Some(event) => view.effective_at(&event.stream, event.revision)?,
        None => None,
    };
    Ok(Base {
        at: WhatIfBase {
            revision,
            position: Some(position),
            at: own.max(there).unwrap_or(found.info.first_at),
            decision: None,
        },
        found: Some(found),
        warnings: Vec::new(),
    })
}

/// Just before a decision, at the time that its rules saw.
fn at_decision(
    view: &dyn View,
    stream: &StreamName,
    asked: &DecisionRef,
) -> Result<Base, WhatIfFailure> {
    let decision = match asked {
        DecisionRef::Sequence(sequence) => view.decision(*sequence)?,
        DecisionRef::Command(id) => view.decision_by_command(id)?,
    };
    let Some(decision) = decision else {
        let named = whodunit_core::text::shown(&asked.to_string())
            .chars()
            .take(64)
            .collect::<String>();
        let detail = match asked {
            DecisionRef::Sequence(_) => format!("there is no decision {named}"),
            DecisionRef::Command(_) => format!("there is no decision on a command `{named}`"),
        };
        let problem = Problem::new(Code::NoSuchDecision, detail).field("/at_decision");
        return Err(refused(problem.hint("`GET /v1/decisions` lists them")));
    };
    let position = decision.base_position;
    let there = view.revision_at(stream, position)?;
    let is_own = decision.stream == *stream;
    if there.is_none() && !is_own {
        return Err(no_such_stream(stream));
    }
    let there = there.unwrap_or(Revision::ZERO);
    let revision = if is_own {
        decision.base_revision
    } else {
        there
    };
    let mut warnings = Vec::new();
    if revision != there {
        let detail = format!(
            "decision {} says that it was made at revision {revision}, but at position {position} of the log, where it \
             stands, its stream was at revision {there}; its own revision is taken",
            decision.sequence
        );
        warnings.push(Warning::new(
            WarningCode::MisplacedDecision,
            detail,
            [revision, there],
        ));
    }
    let found = match resolve(view, stream, Point::Revision(revision)) {
        Err(TravelError::NoSuchStream { .. }) if revision == Revision::ZERO => None,
        found => Some(found?),
    };
    Ok(Base {
        at: WhatIfBase {
            revision,
            position: Some(position),
            at: decision.decided_at,
            decision: Some(decision.sequence),
        },
        found,
        warnings,
    })
}

fn no_such_stream(stream: &StreamName) -> WhatIfFailure {
    let stream = stream.clone();
    TravelError::NoSuchStream { stream }.into()
}

/// The position of a revision; of revision 0, the one before the stream's first event.
fn position_of(
    view: &dyn View,
    info: &StreamInfo,
    revision: Revision,
) -> Result<Position, StoreError> {
    if revision == Revision::ZERO {
        return Ok(Position(info.first_position.0.saturating_sub(1)));
    }
    let events = view.stream_events(&info.stream, revision, Direction::Forward, 1)?;
    Ok(events
        .first()
        .map_or(info.last_position, |event| event.position))
}

/// The events after `from` up to `to`, within the bounds.
fn load(
    view: &dyn View,
    stream: &StreamName,
    from: Revision,
    to: Revision,
) -> Result<Vec<Event>, WhatIfFailure> {
    let count = to.0.saturating_sub(from.0);
    if count > WHAT_IF_EVENTS_MAX {
        let detail = format!(
            "the scenario goes through {count} recorded events, at most {WHAT_IF_EVENTS_MAX} are allowed"
        );
        return Err(refused(Problem::new(Code::LimitExceeded, detail).hint(
            "edit nearer to the base, choose a later base, or do not re-fold",
        )));
    }
    let mut events = Vec::new();
    let mut bytes = 0;
    if count > 0 {
        view.for_each_event(stream, from.next(), to, &mut |event| {
            bytes += event.data.as_str().len();
            events.push(event);
            bytes <= WHAT_IF_BYTES_MAX
        })?;
    }
    if bytes > WHAT_IF_BYTES_MAX {
        let detail = format!(
            "the scenario goes through more than {WHAT_IF_BYTES_MAX} bytes of recorded events"
        );
        return Err(refused(Problem::new(Code::LimitExceeded, detail)));
    }
    Ok(events)
}

fn refused(problem: Problem) -> WhatIfFailure {
    WhatIfFailure::Refused(Box::new(problem))
}

/// Who held a key at the base, by the store: by position, or by the streams' effective times where the base is a time.
struct HoldersThen<'a> {
    view: &'a dyn View,
    base: WhatIfBase,
    /// What was asked before: the base does not move.
    known: RefCell<HashMap<UniqueKey, Option<StreamName>>>,
    failure: RefCell<Option<StoreError>>,
}

impl KeyHolders for HoldersThen<'_> {
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
