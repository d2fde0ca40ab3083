//! About how many bytes a request brings: what a group that shares a commit is bounded by.

use serde_json::Value;
use whodunit_core::event::NewEvent;

use crate::store::{Append, DecisionPlace, Job, JobChange, RestoredDecision, Write};

impl Append {
    /// About how many bytes it brings.
    pub(crate) fn bytes(&self) -> usize {
        let events: usize = self.events.iter().map(event_bytes).sum();
        let payload = self.decision.as_ref().map_or(0, |decided| {
            let values = decided.command.payload.values();
            values.map(value_bytes).sum()
        });
        events + payload
    }
}

impl Write {
    /// About how many bytes it brings.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Append(append) => append.bytes(),
            Self::Restore(restored) => restored.bytes(),
        }
    }
}

impl RestoredDecision {
    /// About how many bytes it brings.
    pub(crate) fn bytes(&self) -> usize {
        let named = match &self.place {
            DecisionPlace::Events(ids) => ids.iter().map(String::len).sum(),
            DecisionPlace::After { .. } => 0,
        };
        self.decision.payload.as_str().len() + named
    }
}

/// About how many bytes changes of jobs bring: the record of each job is written again.
pub(crate) fn bytes_of_changes(changes: &[JobChange]) -> usize {
    changes.len() * size_of::<Job>()
}

fn event_bytes(event: &NewEvent) -> usize {
    let texts = [
        &event.event_id,
        &event.actor,
        &event.reason,
        &event.correlation_id,
        &event.causation_id,
    ];
    let texts: usize = texts.into_iter().flatten().map(String::len).sum();
    let metadata = event
        .metadata
        .as_ref()
        .map_or(0, |json| json.as_str().len());
    event.event_type.len() + event.data.as_str().len() + metadata + texts
}

fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => size_of::<Value>(),
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(value_bytes).sum(),
        Value::Object(fields) => {
            let bytes = |(name, value): (&String, &Value)| name.len() + value_bytes(value);
            fields.iter().map(bytes).sum()
        }
    }
}
