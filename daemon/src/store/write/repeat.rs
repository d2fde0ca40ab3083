//! Appends that were made before: the first answer is given again, and nothing is written.

use std::collections::HashSet;

use whodunit_core::command::Outcome;
use whodunit_core::ids::Revision;

use super::Checked;
use super::lookup::{Lookup, named_decision, named_event, recorded_event};
use crate::store::{Append, AppendError, AppendResult, PendingDecision};

/// A command that is on record gets the recorded outcome. Under its id another command is a conflict.
pub(super) fn repeated_command(
    lookup: &impl Lookup,
    append: &Append,
) -> Checked<Option<AppendResult>> {
    let Some(PendingDecision { command, .. }) = &append.decision else {
        return Ok(None);
    };
    let Some(sequence) = lookup.sequence_of(&command.command_id)? else {
        return Ok(None);
    };
    let decision = named_decision(lookup, sequence)?;
    if decision.stream != command.stream || decision.command_type != command.command_type {
        let (command_id, sequence) = (command.command_id.clone(), decision.sequence);
        return Err(AppendError::CommandIdConflict {
            command_id,
            sequence,
        });
    }
    let (revision, position, events) = match &decision.result {
        Outcome::Rejected { .. } => (decision.base_revision, decision.base_position, Vec::new()),
        Outcome::Accepted {
            revision,
            position,
            events,
        } => {
            let count = u64::from(*events);
            let events = (revision.0 + 1 - count.min(revision.0)..=revision.0)
                .map(|revision| recorded_event(lookup, &decision.stream, Revision(revision)))
                .collect::<Result<_, _>>()?;
            (*revision, *position, events)
        }
    };
    Ok(Some(AppendResult {
        events: events.into_iter().collect(),
        decision: Some(decision.into()),
        revision,
        position,
        repeated: true,
        clock_back: 0,
    }))
}

/// An append whose event ids are all on record, in order, with the same content, is a repetition. One of whose ids any is
/// on record otherwise is a conflict.
pub(super) fn repeated_events(
    lookup: &impl Lookup,
    append: &Append,
) -> Checked<Option<AppendResult>> {
    let mut given = HashSet::new();
    let mut known = Vec::new();
    for new in &append.events {
        let Some(event_id) = new.event_id.as_deref() else {
            continue;
        };
        // One alone is not there twice.
        if append.events.len() > 1 && !given.insert(event_id) {
            let (event_id, position) = (event_id.to_owned(), lookup.head()?.position.next());
            return Err(AppendError::EventIdConflict { event_id, position });
        }
        if let Some(position) = lookup.position_of(event_id)? {
            let event = named_event(lookup, position)?;
            // A new command cannot have led to old events: its decision would be lost in a repetition.
            let decided = append.decision.is_some();
            if decided || event.stream != append.stream || !new.is_repeated_by(&event) {
                return Err(AppendError::EventIdConflict {
                    event_id: event_id.to_owned(),
                    position: event.position,
                });
            }
            known.push(event);
        }
    }
    let Some(first) = known.first() else {
        return Ok(None);
    };
    let in_order = known
        .iter()
        .zip(first.revision.0..)
        .all(|(event, revision)| event.revision.0 == revision);
    if known.len() < append.events.len() || !in_order {
        let (event_id, position) = (first.event_id.clone(), first.position);
        return Err(AppendError::EventIdConflict { event_id, position });
    }
    let (revision, position) = known.last().map_or((first.revision, first.position), |e| {
        (e.revision, e.position)
    });
    Ok(Some(AppendResult {
        events: known.into_iter().collect(),
        decision: None,
        revision,
        position,
        repeated: true,
        clock_back: 0,
    }))
}
