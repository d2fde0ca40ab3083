//! The guide moves on as its steps are followed.

use whodunit_core::api::what_if::Continuation;

use crate::model::guide::Guide;
use crate::model::{Model, Screen};

pub(super) fn follow(model: &mut Model) {
    let Some(mut step) = model.app.guide else {
        return;
    };
    while is_done(step, &model.front) && step.next() != step {
        step = step.next();
    }
    model.app.guide = Some(step);
}

fn is_done(step: Guide, front: &Screen) -> bool {
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
        (Guide::Change, Screen::WhatIf(screen)) => screen.changes() > 0,
        (Guide::Refold, Screen::WhatIf(screen)) => {
            screen.scenario.continuation == Continuation::Refold
        }
        (Guide::Pipeline, Screen::Pipeline(_)) => true,
        _ => false,
    }
}
