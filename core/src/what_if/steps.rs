//! The steps of a what-if that a reply lists: a page of them, and counts of all.

use crate::api::what_if::{OutcomeCounts, StepSelection, WhatIfStep};
use crate::diff::DiffEntry;
use crate::weight;

/// Bytes of JSON after which a page of steps ends early, with a cursor to continue from.
pub const STEPS_BYTES_MAX: usize = 1 << 20;

/// Which steps are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepsWanted {
    /// Changed ones or all.
    pub which: StepSelection,
    /// How many of those are passed over: where the page before ended.
    pub skip: u64,
    /// How many are listed at most.
    pub limit: usize,
}

impl StepsWanted {
    /// All of them that were changed, on one page.
    pub const CHANGED: Self = Self {
        which: StepSelection::Changed,
        skip: 0,
        limit: usize::MAX,
    };
}

/// Takes the steps as they come.
pub(crate) struct Steps {
    wanted: StepsWanted,
    pub(crate) listed: Vec<WhatIfStep>,
    pub(crate) total: u64,
    pub(crate) unchanged: u64,
    pub(crate) outcomes: OutcomeCounts,
    /// Where the next page begins, once this one is full.
    pub(crate) next: Option<u64>,
    bytes: usize,
}

impl Steps {
    pub(crate) fn new(wanted: StepsWanted) -> Self {
        Self {
            wanted,
            listed: Vec::new(),
            total: 0,
            unchanged: 0,
            outcomes: OutcomeCounts::default(),
            next: None,
            bytes: 0,
        }
    }

    /// Takes a step; `changed` tells whether it is more than a recorded event with the effect that it had.
    pub(crate) fn push(&mut self, step: WhatIfStep, changed: bool) {
        let place = self.total - self.unchanged;
        self.total += 1;
        self.outcomes.add(step.outcome);
        if !changed && self.wanted.which == StepSelection::Changed {
            self.unchanged += 1;
            return;
        }
        if place < self.wanted.skip || self.next.is_some() {
            return;
        }
        if self.listed.len() >= self.wanted.limit || self.bytes >= STEPS_BYTES_MAX {
            self.next = Some(place);
            return;
        }
        self.bytes += json_length(&step);
        self.listed.push(step);
    }
}

/// About how many bytes a step takes as JSON. What is too large for a page is not written out to be counted.
fn json_length(step: &WhatIfStep) -> usize {
    let values = |entry: &DiffEntry| {
        let values = entry.before.iter().chain(&entry.after);
        values.map(weight::of_value).sum::<usize>()
    };
    let diff: usize = step.diff.iter().map(values).sum();
    if diff > STEPS_BYTES_MAX {
        return diff;
    }
    serde_json::to_vec(step).map_or(0, |text| text.len())
}
