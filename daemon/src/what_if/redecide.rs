//! Re-decide over a store: finds the base's place in the log, and follows the changes from there.

use std::sync::Arc;

use whodunit_core::api::warning::{Warning, WarningCode};
use whodunit_core::api::what_if::{WhatIfIn, WhatIfOut};
use whodunit_core::counted::counted;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::model::Models;
use whodunit_core::redecide::{
    Asked, BasePlace, Bounds, Failed, Following, History as _, OtherRules, Place, Reach, Scope,
    redecide_upon,
};
use whodunit_core::what_if::StepsWanted;

use super::WhatIfFailure;
use super::backtest::with_rules;
use super::base::Base;
use super::history::StoreHistory;
use crate::store::{StoreError, View};
use crate::time_travel::{TimeTravel, clock_went_back};

/// Decides again what the scenario's changes can reach.
pub(super) fn follow(
    view: &dyn View,
    travel: &Arc<TimeTravel>,
    models: &Models,
    (below, request): (&[Asked<'_>], &WhatIfIn),
    steps: StepsWanted,
    mut base: Base,
) -> Result<WhatIfOut, WhatIfFailure> {
    let mut history = StoreHistory {
        view,
        travel,
        models,
        ahead: None,
    };
    let place = place_of_base(&mut history, request, &mut base)?;
    let other = request.rules.as_ref();
    let other = other.map(|rules| with_rules(models, rules, "/rules"));
    let other = other.transpose()?;
    let scope = Scope::default();
    let following = Following {
        models,
        causes: request.causes,
        reach: Reach::Changed,
        password_correct: request.password_correct,
        all_diffs: false,
        rules: other.as_ref().map(|(models, _)| OtherRules {
            models,
            scope: &scope,
            from: place.place.before(0),
        }),
        bounds: Bounds::default(),
        stop: view.stop(),
    };
    let asked = Asked {
        stream: &request.stream,
        edits: &request.edits,
        actions: &request.actions,
        base: place,
    };
    let layers = (below, &asked);
    let followed = redecide_upon(&mut history, &following, layers, base.at, steps);
    let mut out = followed.map_err(|failed| match failed {
        Failed::History(failure) => failure,
        Failed::WhatIf(error) => super::failure(error),
    })?;
    out.warnings = base.warnings;
    if let Some(found) = &base.found {
        let whole = (Revision::ZERO, found.info.revision);
        out.warnings.extend(clock_went_back(view, found, whole)?);
    }
    let other_rules = out.redecided.as_ref().map_or(0, |again| again.other_rules);
    if other_rules > 0 {
        out.warnings.push(Warning::new(
            WarningCode::OtherRules,
            format!(
                "{} decided again had been recorded under rules other than those in use: a difference may come from \
                 the rules",
                counted(other_rules, "command")
            ),
            [],
        ));
    }
    Ok(out)
}

/// Whether the base of a request is the head of its stream.
pub(super) fn is_at_head(request: &WhatIfIn) -> bool {
    request.at_revision.is_none()
        && request.as_of.is_none()
        && request.at_position.is_none()
        && request.at_decision.is_none()
}

/// The base's place among the entries of the log.
pub(super) fn place_of_base(
    history: &mut StoreHistory<'_>,
    request: &WhatIfIn,
    base: &mut Base,
) -> Result<BasePlace, WhatIfFailure> {
    let view = history.view;
    let at_head = is_at_head(request);
    let decision = match base.at.decision {
        Some(sequence) => view.decision(sequence)?,
        None => None,
    };
    let (place, position) = match (decision, base.at.position) {
        (Some(decision), _) => (Place::of_decision(&decision), decision.base_position),
        (None, _) if at_head => (Place::END, view.head().position),
        (None, position) => {
            let position = match position {
                Some(position) => position,
                None => position_as_of(view, base)?,
            };
            let position = after_whole_entry(history, position, base)?;
            base.at.position = Some(position);
            (Place::after_position(position), position)
        }
    };
    Ok(BasePlace {
        place,
        position,
        revision: base.at.revision,
        at: base.at.at,
    })
}

/// Moves a base that stands among the events of one command behind the last of them: they are written at once.
fn after_whole_entry(
    history: &mut StoreHistory<'_>,
    position: Position,
    base: &mut Base,
) -> Result<Position, WhatIfFailure> {
    let Some(event) = history.view.event_at(position)? else {
        return Ok(position);
    };
    let entry = history.entry_of_event(&event.stream, event.revision)?;
    let Some(last) = entry.and_then(|entry| entry.events.last().cloned()) else {
        return Ok(position);
    };
    if last.position > position {
        let of_base = base.found.as_ref().map(|found| &found.info.stream);
        if of_base == Some(&last.stream) {
            base.at.revision = last.revision;
        }
        let detail = format!(
            "position {position} is in the middle of one command's events, which are written together: the base is position {}",
            last.position
        );
        let revisions = [event.revision, last.revision];
        let warning = Warning::new(WarningCode::BaseMoved, detail, revisions);
        base.warnings.push(warning);
    }
    Ok(last.position.max(position))
}

/// The position that the log had come to at the base's time: among those at which the stream is at the base's revision, the
/// last whose event was recorded by then.
fn position_as_of(view: &dyn View, base: &Base) -> Result<Position, StoreError> {
    let Some(found) = &base.found else {
        return Ok(view.head().position);
    };
    let (stream, revision) = (&found.info.stream, base.at.revision);
    let at = |revision| view.event_at_revision(stream, revision);
    let mut low = at(revision)?.map_or(0, |event| event.position.0);
    let next = at(revision.next())?.map(|event| event.position.0);
    let mut high = next.map_or(view.head().position.0, |next| next - 1);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let event = view.event_at(Position(middle))?;
        if event.is_some_and(|event| event.recorded_at <= base.at.at) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(Position(low))
}
