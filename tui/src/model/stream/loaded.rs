//! What is loaded of a stream: windows of steps, states and blame around the cursor.
//!
//! Owns how much of it is kept.

use std::collections::BTreeMap;

use whodunit_core::api::investigate::BlameOut;
use whodunit_core::api::time_travel::{StateOut, Step};

use super::{StreamScreen, WINDOW};
use crate::client::Origin;

/// Steps kept at most; beyond, those far from the cursor go.
const STEPS_MAX: usize = 2_000;
/// States kept at most, and blames, and origins of events.
const STATES_MAX: usize = 128;

/// Makes room for one more, at the far end from the cursor.
fn make_room<T>(kept: &mut BTreeMap<u64, T>, here: u64) {
    if kept.len() < STATES_MAX {
        return;
    }
    let far = kept.keys().copied().max_by_key(|at| at.abs_diff(here));
    if let Some(far) = far {
        kept.remove(&far);
    }
}

impl StreamScreen {
    pub(crate) fn add_state(&mut self, state: StateOut) {
        let here = self.revision();
        make_room(&mut self.states, here);
        self.states.insert(state.revision.0, state);
    }

    pub(crate) fn add_blame(&mut self, blame: BlameOut) {
        let here = self.revision();
        make_room(&mut self.blames, here);
        self.blames.insert(blame.revision.0, blame);
    }

    pub(crate) fn add_origin(&mut self, origin: Origin) {
        if self.origins.len() >= STATES_MAX {
            self.origins.clear();
        }
        self.origins.insert(origin.event_id.clone(), origin);
    }

    pub(crate) fn add_steps(&mut self, steps: Vec<Step>) {
        for step in steps {
            self.steps.insert(step.event.revision.0, step);
        }
        let here = self.revision();
        while self.steps.len() > STEPS_MAX {
            let first = self.steps.keys().next().copied().unwrap_or(here);
            let last = self.steps.keys().next_back().copied().unwrap_or(here);
            let far = if here.abs_diff(first) > here.abs_diff(last) {
                first
            } else {
                last
            };
            self.steps.remove(&far);
        }
    }

    /// The first revision of the window that is missing around the cursor, if any is.
    pub(crate) fn missing_window(&self, rows: usize) -> Option<u64> {
        let (here, head) = (self.revision(), self.head());
        let near = u64::try_from(rows).unwrap_or(WINDOW).min(WINDOW / 2);
        let (low, high) = (
            here.saturating_sub(near).max(1),
            here.saturating_add(near).min(head),
        );
        let missing = (low..=high).find(|revision| !self.steps.contains_key(revision))?;
        // Around a missing revision behind the cursor, load backwards: the window ends at it.
        let behind = missing < here && self.steps.contains_key(&here);
        Some(if behind {
            missing.saturating_sub(WINDOW / 2).max(1)
        } else {
            missing
        })
    }
}
