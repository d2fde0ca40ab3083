//! The guide: one line that takes a newcomer of the demo from the missing account to its cause.
//!
//! Owns the steps as data. Moves on as each is followed; `Esc` ends it for good.

use crate::model::{Model, Screen};

/// A step of the guide.
struct Step {
    text: &'static str,
    done: fn(&Model) -> bool,
}

const STEPS: &[Step] = &[
    Step {
        text: "\"Sarah's account is missing!\"  press / and type sarah",
        done: |model| {
            model
                .streams
                .filter
                .value()
                .to_lowercase()
                .contains("sarah")
        },
    },
    Step {
        text: "there she is, deleted. press Enter until her stream opens",
        done: |model| model.screen == Screen::Stream,
    },
    Step {
        text: "who, when and why stand on the right. press ← to step to before the deletion",
        done: |model| {
            model
                .stream
                .as_ref()
                .is_some_and(|s| s.head() > 0 && s.revision() < s.head())
        },
    },
    Step {
        text: "keep stepping back: a suspension nobody meant. on it, press w: what if it had not happened?",
        done: |model| model.screen == Screen::WhatIf,
    },
    Step {
        text: "select UserSuspended with ↑↓ and press x to drop it; or press a to run a command instead",
        done: |model| model.what_if.as_ref().is_some_and(|w| w.changes() > 0),
    },
    Step {
        text: "press m to re-fold what came later onto that. nothing was written. Esc ends this guide, ? shows all keys",
        done: |_| false,
    },
];

/// Where in the guide one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Guide {
    step: usize,
}

impl Guide {
    /// The line to show, with how far it is.
    pub(crate) fn line(self) -> String {
        let text = STEPS.get(self.step).map_or("", |step| step.text);
        format!("{}/{}  {text}", self.step + 1, STEPS.len())
    }

    /// Moves past what has been done.
    pub(crate) fn follow(mut self, model: &Model) -> Self {
        while STEPS.get(self.step).is_some_and(|step| (step.done)(model)) {
            self.step += 1;
        }
        self
    }
}
