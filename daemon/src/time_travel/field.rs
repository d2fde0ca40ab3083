//! Field histories: the values that a field had, page by page.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use whodunit_core::blame::{FieldChange, FieldHistory, FieldPath};
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::model::Model;
use whodunit_core::weight::{StateBound, of_object, of_value};

use super::{TimeTravel, TravelError};
use crate::limits::{STATE_WEIGHT_MAX, STEPS_WEIGHT_MAX};
use crate::store::{Direction, ReadEvents, ReadSnapshots, Stoppable, try_for_each_event};

/// A value that a field had from a revision on.
pub type FieldValue = FieldChange;

/// A page of the values that a field had.
#[derive(Debug, Default)]
pub struct FieldValues {
    /// The values, in the order in which the field had them.
    pub values: VecDeque<FieldValue>,
    /// Whether there are more: later ones where the page was read forward, else earlier ones.
    pub has_more: bool,
    /// Of a page read forward that has more: the revision of the value after its last one.
    pub next_revision: Option<Revision>,
    /// The last state folded: for the faults on the way to it.
    pub folded: Folded,
    weight: usize,
}

impl FieldValues {
    fn add(&mut self, value: FieldValue) {
        self.weight += weight(&value);
        self.values.push_back(value);
    }

    fn is_full(&self, limit: usize) -> bool {
        let too_heavy = self.weight > STEPS_WEIGHT_MAX && self.values.len() > 1;
        self.values.len() > limit || too_heavy
    }

    /// Gives up the values at one end that are too many; there are more, then.
    fn cut(&mut self, limit: usize, end: Direction) {
        while self.is_full(limit) {
            let cut = match end {
                Direction::Forward => self.values.pop_back(),
                Direction::Backward => self.values.pop_front(),
            };
            self.weight -= cut.as_ref().map_or(0, weight);
            if end == Direction::Forward {
                self.next_revision = cut.map(|value| value.revision);
            }
            self.has_more = true;
        }
    }
}

fn weight(value: &FieldValue) -> usize {
    size_of::<FieldValue>() + value.value.as_ref().map_or(0, of_value)
}

impl TimeTravel {
    /// The values that a field of a stream had after revision `after` and up to `to`: the first of them, or the last ones where
    /// they are read backward.
    pub fn field_values(
        &self,
        view: &(impl ReadEvents + ReadSnapshots + Stoppable + ?Sized),
        model: &Model,
        (stream, path): (&StreamName, &FieldPath),
        (after, to): (Option<Revision>, Revision),
        (direction, limit): (Direction, usize),
    ) -> Result<FieldValues, TravelError> {
        let start = after.unwrap_or(Revision::ZERO);
        let mut folded = self.state(view, model, stream, start.min(to))?.folded;
        let mut history = FieldHistory::start(path.clone(), &folded);
        let mut found = FieldValues::default();
        if after.is_none()
            && let Some(value) = history.value()
        {
            let revision = Revision::ZERO;
            let value = Some(value.clone());
            found.add(FieldValue { revision, value });
        }
        let mut bound = StateBound::new(STATE_WEIGHT_MAX, &folded.state);
        try_for_each_event(view, stream, (start.next(), to), |event| {
            let added = bound.add(event.data.as_str(), || of_object(&folded.state));
            added.map_err(|too_large| TravelError::StateTooLarge {
                stream: stream.clone(),
                revision: event.revision,
                too_large,
            })?;
            if let (_, Some(change)) = history.push(model, &mut folded, &event) {
                found.add(change);
                if direction == Direction::Backward {
                    found.cut(limit, direction);
                } else if found.is_full(limit) {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok::<_, TravelError>(ControlFlow::Continue(()))
        })?;
        found.cut(limit, direction);
        found.folded = folded;
        Ok(found)
    }
}
