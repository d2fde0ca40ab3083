//! States of streams that are as recorded, where a log is gone through: the next command of such a stream finds its state there.
//!
//! Owns what is kept of them: the states that were used lately, within a bound on their weight.

use std::collections::HashMap;

use crate::fold::{step, step_read};
use crate::ids::{Revision, StreamName};
use crate::json::State;
use crate::model::Model;
use crate::redecide::place::Entry;
use crate::weight::{of_object, of_text};

/// Weight of one of the two halves of what is kept.
const HALF_WEIGHT_MAX: usize = 32 << 20;
/// Weight of an entry beside its state.
const ENTRY_WEIGHT: usize = 256;

struct Kept {
    revision: Revision,
    state: State,
    weight: usize,
}

/// The states: those used since the last turn, and those used in the turn before.
#[derive(Default)]
pub(super) struct Cache {
    young: HashMap<StreamName, Kept>,
    old: HashMap<StreamName, Kept>,
    weight: usize,
}

impl Cache {
    /// The state of a stream at a revision, if it is kept.
    pub(super) fn get(&mut self, stream: &StreamName, at: Revision) -> Option<&State> {
        if !self.old.is_empty()
            && let Some(kept) = self.old.remove(stream)
        {
            self.keep(stream, kept);
        }
        let kept = self.young.get(stream)?;
        (kept.revision == at).then_some(&kept.state)
    }

    pub(super) fn put(&mut self, stream: &StreamName, revision: Revision, state: State) {
        let weight = ENTRY_WEIGHT + of_object(&state);
        let kept = Kept {
            revision,
            state,
            weight,
        };
        self.keep(stream, kept);
    }

    fn keep(&mut self, stream: &StreamName, kept: Kept) {
        if self.weight + kept.weight > HALF_WEIGHT_MAX {
            self.old = std::mem::take(&mut self.young);
            self.weight = 0;
        }
        self.weight += kept.weight;
        if let Some(before) = self.young.insert(stream.clone(), kept) {
            self.weight = self.weight.saturating_sub(before.weight);
        }
    }

    /// Moves the state that a recorded entry builds on past its events, if it is kept.
    pub(super) fn pass(&mut self, model: &Model, entry: &mut Entry) {
        if entry.events.is_empty() {
            return;
        }
        if !self.old.is_empty() {
            self.old.remove(&entry.stream);
        }
        let Some(kept) = self.young.get_mut(&entry.stream) else {
            return;
        };
        if kept.revision != entry.base_revision() {
            return;
        }
        let mut ahead = entry.ahead.iter_mut().flat_map(|ahead| &mut ahead.data);
        for event in &entry.events {
            match ahead.next().and_then(Option::take) {
                Some(data) => step_read(model, &mut kept.state, event, data),
                None => step(model, &mut kept.state, event),
            };
            let brought = of_text(event.data.as_str());
            kept.weight += brought;
            self.weight += brought;
            kept.revision = event.revision;
        }
    }
}
