//! The guide: one line that takes a newcomer of the demo from the missing account to its cause.
//!
//! Owns the steps and their texts; the update moves on as each is followed. `Esc` ends it for good.

/// A step of the guide, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Guide {
    #[default]
    Filter,
    Open,
    Follow,
    StepBack,
    WhatIf,
    Drop,
    Answer,
}

impl Guide {
    const STEPS: [(Self, &'static str); 7] = [
        (
            Self::Filter,
            "\"Sarah's account is missing!\"  press / and type sarah",
        ),
        (
            Self::Open,
            "who, when, why: all below. press Enter until her stream opens",
        ),
        (
            Self::Follow,
            "who else did that batch hit? press f to follow, then b",
        ),
        (
            Self::StepBack,
            "states before and after. q goes back; then ← before the deletion",
        ),
        (
            Self::WhatIf,
            "← to UserSuspended, which nobody meant. then w: what if …",
        ),
        (
            Self::Drop,
            "x: … it had not happened? the rules are asked again",
        ),
        (
            Self::Answer,
            "surprise: no deletion either! S keeps it as a test. Esc ends this",
        ),
    ];

    fn index(self) -> usize {
        let mut steps = Self::STEPS.iter();
        steps.position(|(step, _)| *step == self).unwrap_or(0)
    }

    /// The step after it; the last one stays.
    pub(crate) fn next(self) -> Self {
        let next = Self::STEPS.get(self.index() + 1);
        next.map_or(self, |(step, _)| *step)
    }

    /// The line to show, with how far it is.
    pub(crate) fn line(self) -> String {
        let index = self.index();
        let text = Self::STEPS.get(index).map_or("", |(_, text)| text);
        format!("{}/{}  {text}", index + 1, Self::STEPS.len())
    }

    /// How many cells the widest of its lines takes.
    #[cfg(test)]
    pub(crate) fn cells_max() -> usize {
        let lines = Self::STEPS.iter().map(|(step, _)| step.line());
        let cells = lines.map(|line| crate::text::width(&line));
        cells.max().unwrap_or_default()
    }
}
