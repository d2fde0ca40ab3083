//! Layers: the edits and actions of a branch, and those upon it, followed through the log as one.
//!
//! Owns the step from a layer's base, which is for good, to its place in the log as it is now.

use std::collections::HashSet;
use std::sync::Arc;

use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::api::warning::Warning;
use whodunit_core::api::what_if::{Action, Continuation, WhatIfIn, WhatIfOut};
use whodunit_core::branch::{Branch, Layer, LayerBase};
use whodunit_core::model::Models;
use whodunit_core::redecide::{
    Asked, BasePlace, Bounds, Failed, Following, Place, Reach, Visit, WorldEnd, follow_layers,
};
use whodunit_core::time::Timestamp;
use whodunit_core::what_if::StepsWanted;

use super::base::find_base;
use super::history::StoreHistory;
use super::ids::check_ids;
use super::redecide::{is_at_head, place_of_base};
use super::{WhatIfFailure, check_counts, redecide, refused};
use crate::store::{StoreError, View};
use crate::time_travel::TimeTravel;

/// The layer that a request asks for: its base is resolved, so that the same is meant however much is logged later.
pub(crate) fn layer(
    view: &dyn View,
    travel: &Arc<TimeTravel>,
    models: &Models,
    request: WhatIfIn,
    clock_now: Timestamp,
) -> Result<(Layer, Vec<Warning>), WhatIfFailure> {
    check_counts(&request)?;
    let mut base = find_base(view, &request, clock_now)?;
    check_ids(view, &request, &base.at)?;
    let mut history = StoreHistory {
        view,
        travel,
        models,
        ahead: None,
    };
    let place = place_of_base(&mut history, &request, &mut base)?;
    let head = view.head();
    let at_head = is_at_head(&request);
    let layer = Layer {
        base: LayerBase {
            revision: place.revision,
            position: place.position.min(head.position),
            at: place.at,
            before_decision: base.at.decision,
            after_decision: at_head.then_some(head.decision),
        },
        stream: request.stream,
        edits: request.edits,
        actions: request.actions,
    };
    Ok((layer, base.warnings))
}

/// Refuses ids that two layers give.
pub(crate) fn check_ids_of_layers(branch: &Branch) -> Result<(), Box<Problem>> {
    let mut known = HashSet::new();
    for layer in &branch.layers {
        for (index, action) in layer.actions.iter().enumerate() {
            let (what, id) = match action {
                Action::Command(command) => ("command", &command.command_id),
                Action::Event(event) => ("event", &event.event_id),
            };
            let Some(id) = id else { continue };
            if !known.insert((what, id)) {
                let (code, field) = match what {
                    "command" => (Code::CommandIdConflict, "command/command_id"),
                    _ => (Code::EventIdConflict, "event/event_id"),
                };
                let detail = format!("the branch has the {what} id `{}` already", echo(id));
                let problem = Problem::new(code, detail);
                return Err(Box::new(problem.field(format!("/do/{index}/{field}"))));
            }
        }
    }
    Ok(())
}

/// Where the actions of a branch's layers happen.
fn places(view: &dyn View, branch: &Branch) -> Result<Vec<BasePlace>, StoreError> {
    let place = |layer: &Layer| {
        let base = layer.base;
        let place = match (base.before_decision, base.after_decision) {
            (Some(sequence), _) => {
                let decision = view.decision(sequence)?;
                let decision = decision.ok_or_else(|| StoreError::Damaged {
                    place: format!("decision {sequence}"),
                    detail: "a branch begins before it, and it is not there".to_owned(),
                })?;
                Place::of_decision(&decision)
            }
            (None, Some(last)) => Place::after_head(base.position, last),
            (None, None) => Place::after_position(base.position),
        };
        Ok(BasePlace {
            place,
            position: base.position,
            revision: base.revision,
            at: base.at,
        })
    };
    branch.layers.iter().map(place).collect()
}

fn asked<'a>(branch: &'a Branch, places: &[BasePlace]) -> Vec<Asked<'a>> {
    let layers = branch.layers.iter().zip(places);
    layers
        .map(|(layer, place)| Asked {
            stream: &layer.stream,
            edits: &layer.edits,
            actions: &layer.actions,
            base: *place,
        })
        .collect()
}

/// Follows a branch through the log: `each` gets every entry that it reaches, in the order of the log.
pub(crate) fn follow(
    view: &dyn View,
    travel: &Arc<TimeTravel>,
    models: &Models,
    branch: &Branch,
    each: &mut dyn Visit,
) -> Result<Vec<WorldEnd>, WhatIfFailure> {
    let mut history = StoreHistory {
        view,
        travel,
        models,
        ahead: None,
    };
    let places = places(view, branch)?;
    let following = Following {
        models,
        causes: branch.causes,
        reach: Reach::Changed,
        password_correct: branch.password_correct,
        all_diffs: false,
        rules: None,
        bounds: Bounds::default(),
        stop: view.stop(),
    };
    let layers = asked(branch, &places);
    follow_layers(&mut history, &following, &layers, each).map_err(|failed| match failed {
        Failed::History(failure) => failure,
        Failed::WhatIf(error) => super::failure(error),
    })
}

/// Evaluates a what-if upon a branch. Blocks.
pub(crate) fn what_if_upon(
    view: &dyn View,
    travel: &Arc<TimeTravel>,
    models: &Models,
    (branch, request): (&Branch, &WhatIfIn),
    steps: StepsWanted,
    clock_now: Timestamp,
) -> Result<WhatIfOut, WhatIfFailure> {
    if request.continuation != Continuation::Redecide {
        let detail = "a what-if on a branch asks the rules: `/continue` must be `redecide`";
        let problem = Problem::new(Code::Malformed, detail).field("/continue");
        return Err(refused(problem));
    }
    if request.rules.is_some() {
        let detail = "a what-if on a branch uses the rules in use: `/rules` is only for a what-if on the log";
        let problem = Problem::new(Code::Malformed, detail).field("/rules");
        return Err(refused(problem));
    }
    check_counts(request)?;
    let base = find_base(view, request, clock_now)?;
    check_ids(view, request, &base.at)?;
    let mut request = request.clone();
    request.causes = branch.causes;
    request.password_correct = request.password_correct.or(branch.password_correct);
    let places = places(view, branch)?;
    let below = asked(branch, &places);
    redecide::follow(view, travel, models, (&below, &request), steps, base)
}
