//! Necessity: whether a field would have its value without one event, found by re-folding without it.
//!
//! Recorded later events are applied again, commands are not decided again: it says what the event's own effect was, not
//! what the rules would have done.

use serde_json::Value;

use super::FieldPath;
use super::history::same_optional;
use crate::event::Event;
use crate::fold::Folded;
use crate::ids::Revision;
use crate::model::Model;

/// What an event is to the value of a field at a later revision.
#[derive(Debug, Clone, PartialEq)]
pub enum Necessity {
    /// Without it the field would have another value.
    Necessary {
        /// The one it would have; `None` where it would not be there.
        without: Option<Value>,
    },
    /// It made a difference that a later event overwrote: the value is that event's.
    Masked {
        /// The event that did.
        by: Revision,
    },
    /// It made a difference until a later event, which changed nothing, would have set the same.
    Overdetermined {
        /// The event that would have.
        by: Revision,
    },
    /// It never made a difference to the field.
    NoEffect,
}

/// Folds a history twice: as it was, and without one event.
#[derive(Debug, Clone)]
pub struct Refold {
    path: FieldPath,
    dropped: Revision,
    actual: Folded,
    without: Folded,
    /// The field's value in the history as it was.
    value: Option<Value>,
    differs: bool,
    /// The event since which both are the same again, and whether it changed the field.
    converged: Option<(Revision, bool)>,
}

impl Refold {
    /// Begins right before the event, with the state as it was then.
    pub fn start(path: FieldPath, dropped: Revision, before: Folded) -> Self {
        Self {
            value: path.lookup(&before.state).cloned(),
            path,
            dropped,
            without: before.clone(),
            actual: before,
            differs: false,
            converged: None,
        }
    }

    /// Moves past the next event.
    pub fn push(&mut self, model: &Model, event: &Event) {
        self.actual.push(model, event);
        if event.revision != self.dropped {
            self.without.push(model, event);
        }
        let actual = self.path.lookup(&self.actual.state);
        let without = self.path.lookup(&self.without.state);
        let differs = !same_optional(actual, without);
        let changed = !same_optional(self.value.as_ref(), actual);
        if changed {
            self.value = actual.cloned();
        }
        if self.differs != differs {
            self.converged = (!differs).then_some((event.revision, changed));
        }
        self.differs = differs;
    }

    /// The value of the field in the history as it was.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// How many events more could not be applied without the dropped one.
    pub fn faults_more(&self) -> u64 {
        let (without, actual) = (self.without.faults_total, self.actual.faults_total);
        without.saturating_sub(actual)
    }

    /// The states reached, as it was and without the event: to bound their weight.
    pub fn states(&self) -> [&Folded; 2] {
        [&self.actual, &self.without]
    }

    /// What the event is to the field's value at the revision reached.
    pub fn necessity(&self) -> Necessity {
        match self.converged {
            _ if self.differs => Necessity::Necessary {
                without: self.path.lookup(&self.without.state).cloned(),
            },
            Some((by, true)) => Necessity::Masked { by },
            Some((by, false)) => Necessity::Overdetermined { by },
            None => Necessity::NoEffect,
        }
    }
}
