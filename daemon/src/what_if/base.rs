//! The base of a what-if: from what a request names to a moment of the log.
//!
//! Owns which revision, position and time a base stands for. Everything is found by index, so the cost does not grow with
//! what was logged since.

use whodunit_core::api::problem::{Code, Problem};
use whodunit_core::api::warning::{Warning, WarningCode};
use whodunit_core::api::what_if::{DecisionRef, WhatIfBase, WhatIfIn};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::{WhatIfFailure, refused};
use crate::store::{ReadEvents, ReadTimes, StoreError, StreamInfo, View};
use crate::time_travel::{Point, Resolved, TravelError, left_out, resolve};

/// The base of a scenario, and what is known of the stream there.
pub(super) struct Base {
    pub(super) at: WhatIfBase,
    /// The stream; `None` when it has no event yet.
    pub(super) found: Option<Resolved>,
    pub(super) warnings: Vec<Warning>,
}

/// Finds the base that a request asks for.
pub(super) fn find_base(
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
            "decision {} says that it was made at revision {revision}, but at its position {position} in the log the stream was at revision {there}; the revision that it says is used",
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
    view: &dyn ReadEvents,
    info: &StreamInfo,
    revision: Revision,
) -> Result<Position, StoreError> {
    if revision == Revision::ZERO {
        return Ok(Position(info.first_position.0.saturating_sub(1)));
    }
    let event = view.event_at_revision(&info.stream, revision)?;
    Ok(event.map_or(info.last_position, |event| event.position))
}

/// The effective time of a revision; of revision 0, the time of the stream's first event.
pub(super) fn time_of(
    view: &dyn ReadTimes,
    base: &Base,
    revision: Revision,
) -> Result<Timestamp, StoreError> {
    let Some(Resolved { info, .. }) = &base.found else {
        return Ok(base.at.at);
    };
    let at = view.effective_at(&info.stream, revision)?;
    Ok(at.unwrap_or(info.first_at))
}
