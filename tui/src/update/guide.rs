//! The guide moves on as its steps are followed.

use crate::model::guide::Guide;
use crate::model::what_if::Change;
use crate::model::{Model, Overlay, Screen};

pub(super) fn follow(model: &mut Model) {
    let Some(mut step) = model.app.guide else {
        return;
    };
    let is_asking = matches!(model.app.overlay, Some(Overlay::Question(_)));
    // A step that is skipped is not gone back to: the last one that is done counts.
    let mut later = step;
    loop {
        if is_done(later, &model.front, is_asking) {
            step = later.next();
        }
        if later.next() == later {
            break;
        }
        later = later.next();
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
