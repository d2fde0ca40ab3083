//! The guide: one line that takes a newcomer of the demo from the missing account to its cause.
//!
//! Owns the steps as data. Moves on as each is followed; `Esc` ends it for good.

use whodunit_core::api::what_if::Continuation;

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
        text: "who, when, why: all here. press ← to step to before the deletion",
        done: |model| {
            model
                .stream
                .as_ref()
                .is_some_and(|s| s.head() > 0 && s.revision() < s.head())
        },
    },
    Step {
        text: "← again: a suspension nobody meant. w: what if it hadn't happened?",
        done: |model| model.screen == Screen::WhatIf,
    },
    Step {
        text: "↑↓ to UserSuspended, x drops it; or a: run a command instead",
        done: |model| model.what_if.as_ref().is_some_and(|w| w.changes() > 0),
    },
    Step {
        text: "m re-folds what came later onto it. nothing is ever written",
        done: |model| {
            model
                .what_if
                .as_ref()
                .is_some_and(|w| w.story.continuation == Continuation::Refold)
        },
    },
    Step {
        text: "[ goes back, then p: behind the log, a mail failed. Esc ends this",
        done: |model| model.screen == Screen::Pipeline,
    },
    Step {
        text: "R on the job tries it again. that was the tour: Esc ends this",
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

    /// How many cells the widest of its lines takes.
    #[cfg(test)]
    pub(crate) fn cells_max() -> usize {
        let line = |step| crate::text::width(&Self { step }.line());
        (0..STEPS.len()).map(line).max().unwrap_or_default()
    }

    /// Moves past what has been done.
    pub(crate) fn follow(mut self, model: &Model) -> Self {
        while STEPS.get(self.step).is_some_and(|step| (step.done)(model)) {
            self.step += 1;
        }
        self
    }
}
