//! The guide moves on as its steps are followed.

use crate::model::guide::Guide;
use crate::model::what_if::Change;
use crate::model::{Model, Overlay, Screen};

pub(super) fn follow(model: &mut Model) {
    let Some(mut step) = model.app.guide else {
        return;
    };
    let is_asking = matches!(model.app.overlay, Some(Overlay::Question(_)));
    while is_done(step, &model.front, is_asking) && step.next() != step {
        step = step.next();
    }
    model.app.guide = Some(step);
}

fn is_done(step: Guide, front: &Screen, is_asking: bool) -> bool {
    match (step, front) {
        (Guide::Filter, Screen::Streams(screen)) => {
            screen.filter.value().to_lowercase().contains("sarah")
        }
        (Guide::Open, Screen::Stream(_)) => true,
        (Guide::Follow, Screen::Find(_)) => true,
        (Guide::StepBack, Screen::Stream(screen)) => {
            screen.head() > 0 && screen.revision() < screen.head()
        }
        (Guide::WhatIf, Screen::WhatIf(_)) => true,
        // The question is open over the screen from which it was asked.
        (Guide::WhatIf, _) => is_asking,
        (Guide::Drop, Screen::WhatIf(screen)) => {
            let changes = &screen.scenario.changes;
            changes
                .iter()
                .any(|change| matches!(change, Change::DropEvent(_)))
        }
        _ => false,
    }
}
