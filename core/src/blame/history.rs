//! Field history: every value of a field, with the revision that brought it.

use serde_json::Value;

use super::FieldPath;
use crate::event::Event;
use crate::fold::{EventEffect, Folded};
use crate::ids::Revision;
use crate::model::Model;
use crate::same::same;

/// A new value of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// The revision that brought it.
    pub revision: Revision,
    /// The value; `None` where the field is no longer there.
    pub value: Option<Value>,
}

/// Follows a field along a fold.
#[derive(Debug, Clone)]
pub struct FieldHistory {
    path: FieldPath,
    value: Option<Value>,
}

impl FieldHistory {
    /// Begins with the value that a state has.
    pub fn start(path: FieldPath, folded: &Folded) -> Self {
        let value = path.lookup(&folded.state).cloned();
        Self { path, value }
    }

    /// The value as it is.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// Moves a state past an event; the change of the field, if it changed. Where the event cannot have reached the field,
    /// nothing is compared.
    pub fn push(
        &mut self,
        model: &Model,
        folded: &mut Folded,
        event: &Event,
    ) -> (EventEffect, Option<FieldChange>) {
        let key = self.path.first_key().unwrap_or_default();
        let (effect, may_touch) = folded.push_and_tell(model, event, key);
        let change = if may_touch {
            self.observe(event.revision, folded)
        } else {
            None
        };
        (effect, change)
    }

    fn observe(&mut self, revision: Revision, folded: &Folded) -> Option<FieldChange> {
        let now = self.path.lookup(&folded.state);
        if same_optional(self.value.as_ref(), now) {
            return None;
        }
        self.value = now.cloned();
        let value = self.value.clone();
        Some(FieldChange { revision, value })
    }
}

/// Whether two values that may be absent are the same: absent and `null` are not.
pub(super) fn same_optional(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    }
}
