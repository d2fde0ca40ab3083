//! Restoring a decision from an export: its place in this log.
//!
//! Owns the rule that a decision stands where the events it names stand, and is refused where they are not its own.

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision};

use super::lookup::{Lookup, named_decision, named_event, recorded_event};
use super::{Batch, Checked};
use crate::store::{AppendError, DecisionPlace, NotItsEvents, RestoredDecision};

/// Plans the record of an exported decision; `None` when it is on record already.
///
/// # Errors
/// Why it is refused.
pub(crate) fn plan_restore(
    lookup: &impl Lookup,
    restored: &RestoredDecision,
) -> Checked<Option<Batch>> {
    let RestoredDecision { decision, place } = restored;
    let mut decision = decision.clone();
    if let Some(sequence) = lookup.sequence_of(&decision.command_id)? {
        let recorded = named_decision(lookup, sequence)?;
        return if decision.is_repeated_by(&recorded) {
            Ok(None)
        } else {
            Err(AppendError::CommandIdConflict {
                command_id: decision.command_id,
                sequence,
            })
        };
    }
    decision.sequence = lookup.head()?.decision + 1;
    match place {
        DecisionPlace::Events(ids) => beside_its_events(lookup, &mut decision, ids)?,
        DecisionPlace::After { log, stream } => {
            after(lookup, &mut decision, log.as_deref(), stream.as_deref())?;
        }
    }
    Ok(Some(Batch {
        decision: Some(decision),
        ..Batch::default()
    }))
}

fn named(lookup: &impl Lookup, event_id: &str) -> Checked<Event> {
    match lookup.position_of(event_id)? {
        Some(position) => Ok(named_event(lookup, position)?),
        None => Err(NotItsEvents::Missing {
            event_id: event_id.to_owned(),
        }
        .into()),
    }
}

/// Gives a decision the place that the events it led to have in this log.
fn beside_its_events(lookup: &impl Lookup, restored: &mut Decision, ids: &[String]) -> Checked<()> {
    let Outcome::Accepted {
        revision,
        position,
        events,
    } = &mut restored.result
    else {
        let count = NotItsEvents::Count {
            said: 0,
            named: ids.len(),
        };
        return Err(count.into());
    };
    if ids.is_empty() || usize::try_from(*events).ok() != Some(ids.len()) {
        let (said, named) = (*events, ids.len());
        return Err(NotItsEvents::Count { said, named }.into());
    }
    let mut before: Option<Event> = None;
    for id in ids {
        let event = named(lookup, id)?;
        let what = if event.stream != restored.stream {
            Some("of another stream")
        } else if event.causation_id.as_deref() != Some(restored.command_id.as_str()) {
            Some("of another cause")
        } else if before
            .as_ref()
            .is_some_and(|before| before.revision.next() != event.revision)
        {
            Some("not right after the one before it")
        } else {
            None
        };
        if let Some(what) = what {
            let event_id = id.clone();
            return Err(NotItsEvents::Other { event_id, what }.into());
        }
        if before.is_none() {
            restored.base_revision = Revision(event.revision.0 - 1);
            restored.base_position = Position(event.position.0 - 1);
        }
        (*revision, *position) = (event.revision, event.position);
        before = Some(event);
    }
    Ok(())
}

/// Gives a decision without events its place: right after the last event that the log, and its stream, had before it.
fn after(
    lookup: &impl Lookup,
    restored: &mut Decision,
    log: Option<&str>,
    stream: Option<&str>,
) -> Checked<()> {
    let base_position = match log {
        Some(id) => named(lookup, id)?.position,
        None => Position::ZERO,
    };
    let base_revision = match stream {
        None => Revision::ZERO,
        Some(id) => {
            let event = named(lookup, id)?;
            let other = |what| NotItsEvents::Other {
                event_id: id.to_owned(),
                what,
            };
            if event.stream != restored.stream {
                return Err(other("of another stream").into());
            }
            if event.position > base_position {
                return Err(other("later than the last event of the log before it").into());
            }
            event.revision
        }
    };
    let head = lookup.stream(&restored.stream)?.map(|info| info.revision);
    if head.is_some_and(|head| head > base_revision) {
        let next = recorded_event(lookup, &restored.stream, base_revision.next())?;
        if next.position <= base_position {
            return Err(NotItsEvents::OtherBase.into());
        }
    }
    if let Outcome::Accepted {
        revision,
        position,
        events,
    } = &mut restored.result
    {
        if *events > 0 {
            let said = *events;
            return Err(NotItsEvents::Count { said, named: 0 }.into());
        }
        (*revision, *position) = (base_revision, base_position);
    }
    (restored.base_revision, restored.base_position) = (base_revision, base_position);
    Ok(())
}
