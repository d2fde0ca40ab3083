//! What-if: loads the history that a scenario needs and has the core evaluate it.
//!
//! Owns the loading and its bounds. Never writes, not even a snapshot: the store's bytes stay as they are.

use std::cell::RefCell;
use std::sync::Arc;

use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::what_if::{Continuation, Edit, WhatIfIn, WhatIfOut};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::{KeyHolders, UniqueKey};
use whodunit_core::model::Model;
use whodunit_core::time::Timestamp;
use whodunit_core::what_if::{Scenario, WhatIfError, evaluate_until};

use crate::limits::{
    SCAN_ENTRIES_MAX, WHAT_IF_ACTIONS_MAX, WHAT_IF_BYTES_MAX, WHAT_IF_EDITS_MAX, WHAT_IF_EVENTS_MAX,
};
use crate::store::{Direction, LogFilter, StoreError, View};
use crate::time_travel::{Point, Resolved, TimeTravel, TravelError, resolve};

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

/// The base of a scenario.
struct Base {
    revision: Revision,
    head: Revision,
    /// The time of the base: when the actions happen.
    now: Timestamp,
    /// The log's position at the base, for who held which key then; `None` for now.
    position: Option<Position>,
}

/// Evaluates a scenario. Blocks, for as long as the prepared commands' passwords take to hash.
pub fn what_if(
    view: &dyn View,
    travel: &Arc<TimeTravel>,
    model: &Model,
    request: &WhatIfIn,
    clock_now: Timestamp,
) -> Result<WhatIfOut, WhatIfFailure> {
    check_counts(request)?;
    let base = find_base(view, request, clock_now)?;
    let first = request.edits.iter().map(first_touched).min();
    let from = base.revision.min(first.unwrap_or(base.revision));
    let to = match request.continuation {
        Continuation::None => base.revision,
        Continuation::Refold => base.head,
    };
    let events = load(view, &request.stream, from, to)?;
    let start = travel
        .state_without_snapshots(view, model, &request.stream, from)?
        .folded;
    let holders = HoldersThen {
        view,
        at: base.position,
        failure: RefCell::new(None),
    };
    let scenario = Scenario {
        model,
        stream: &request.stream,
        start: &start,
        events: &events,
        base: base.revision,
        edits: &request.edits,
        actions: &request.actions,
        continuation: request.continuation,
        holders: &holders,
        now: base.now,
    };
    let run = evaluate_until(&scenario, view.stop());
    match holders.failure.into_inner() {
        Some(failure) => Err(failure.into()),
        None => run.map_err(|error| match error {
            WhatIfError::Stopped(stopped) => StoreError::from(stopped).into(),
            error => error.into(),
        }),
    }
}

fn check_counts(request: &WhatIfIn) -> Result<(), WhatIfFailure> {
    if request.at_revision.is_some() && request.as_of.is_some() {
        let problem = Problem::new(
            Code::Malformed,
            "`at_revision` and `as_of` are both given; a scenario has one base",
        );
        return Err(refused(problem.field("/as_of")));
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
    let point = match (request.at_revision, request.as_of) {
        (Some(revision), _) => Point::Revision(revision),
        (None, Some(at)) => Point::AsOf(at),
        (None, None) => Point::Head,
    };
    let Resolved { revision, info } = match resolve(view, stream, point) {
        // Asked for outright, the empty stream is a fine base even where nothing has happened yet.
        Err(TravelError::NoSuchStream { .. }) if point == Point::Revision(Revision::ZERO) => {
            return Ok(Base {
                revision: Revision::ZERO,
                head: Revision::ZERO,
                now: clock_now,
                position: None,
            });
        }
        resolved => resolved?,
    };
    let (now, position) = match point {
        Point::AsOf(at) => match log_as_of(view, at)? {
            None => (at, position_of(view, stream, revision)?),
            then => (at, then),
        },
        Point::Head => (info.last_at, None),
        Point::Revision(Revision::ZERO) => {
            let before = info.first_position.0.saturating_sub(1);
            (info.first_at, Some(Position(before)))
        }
        Point::Revision(revision) => {
            let at = view.effective_at(stream, revision)?;
            let position = position_of(view, stream, revision)?;
            (at.unwrap_or(info.last_at), position)
        }
    };
    Ok(Base {
        revision,
        head: info.revision,
        now,
        position,
    })
}

/// The position of the last event recorded until then; `None` when so much was recorded since that finding it would take
/// too long.
fn log_as_of(view: &dyn View, at: Timestamp) -> Result<Option<Position>, StoreError> {
    let filter = LogFilter {
        until: Some(at),
        ..LogFilter::default()
    };
    let page = view.log(&filter, None, Direction::Backward, 1, SCAN_ENTRIES_MAX)?;
    Ok(match (page.events.first(), page.next) {
        (Some(event), _) => Some(event.position),
        (None, None) => Some(Position::ZERO),
        (None, Some(_)) => None,
    })
}

/// The position of an event.
fn position_of(
    view: &dyn View,
    stream: &StreamName,
    revision: Revision,
) -> Result<Option<Position>, StoreError> {
    let events = view.stream_events(stream, revision, Direction::Forward, 1)?;
    Ok(events.first().map(|event| event.position))
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

/// Who held a key then, by the store.
struct HoldersThen<'a> {
    view: &'a dyn View,
    at: Option<Position>,
    failure: RefCell<Option<StoreError>>,
}

impl KeyHolders for HoldersThen<'_> {
    fn holder(&self, category: &str, key: &UniqueKey) -> Option<StreamName> {
        match self.view.key_holder(category, key, self.at) {
            Ok(hold) => hold.map(|hold| hold.stream),
            Err(error) => {
                self.failure.replace(Some(error));
                None
            }
        }
    }
}
