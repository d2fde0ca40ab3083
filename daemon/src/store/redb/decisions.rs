//! The decision log: recording what rules answered, and restoring it from an export.

use redb::WriteTransaction;
use whodunit_core::command::{Decision, Outcome, Rejection};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::json::Json;

use super::append::Checked;
use super::engine;
use super::lookup::{
    decision, event, event_at, head, last_decision, load_stream, position_of, sequence_of,
};
use super::record::encode_decision;
use super::tables::{COMMAND_IDS, DECISIONS, STREAM_DECISIONS};
use crate::store::{
    Append, AppendError, AppendResult, DecisionPlace, NotItsEvents, PendingDecision,
    RestoredDecision, StoreError,
};

/// Writes a decision and answers the append with it.
pub(super) fn record(
    txn: &WriteTransaction,
    append: &Append,
    decided: &PendingDecision,
    revision: Revision,
    events: &[Event],
) -> Result<AppendResult, StoreError> {
    let head = head(txn)?;
    let position = events.last().map_or(head, |event| event.position);
    let result = match &decided.rejection {
        Some(Rejection { rule, message }) => Outcome::Rejected {
            rule: rule.clone(),
            message: message.clone(),
        },
        None => Outcome::Accepted {
            revision,
            position,
            events: u32::try_from(events.len()).unwrap_or(u32::MAX),
        },
    };
    let command = &decided.command;
    let decision = Decision {
        sequence: last_decision(txn)? + 1,
        command_id: command.command_id.clone(),
        stream: append.stream.clone(),
        command_type: command.command_type.clone(),
        payload: Json::from(serde_json::Value::Object(command.payload.clone())),
        actor: command.actor.clone(),
        reason: command.reason.clone(),
        correlation_id: command.correlation_id.clone(),
        causation_id: command.causation_id.clone(),
        base_revision: decided.base_revision,
        base_position: Position(head.0 - events.len() as u64),
        rules_hash: decided.rules_hash.clone(),
        decided_at: command.issued_at,
        result,
    };
    write_decision(txn, &decision)?;
    Ok(AppendResult {
        events: events.to_vec(),
        decision: Some(decision),
        revision,
        position,
        repeated: false,
        clock_back: 0,
    })
}

fn write_decision(txn: &WriteTransaction, decision: &Decision) -> Result<(), StoreError> {
    let doing = "writing a decision";
    let sequence = decision.sequence;
    let rejected = matches!(decision.result, Outcome::Rejected { .. });
    let mut decisions = txn.open_table(DECISIONS).map_err(engine(doing))?;
    decisions
        .insert(sequence, encode_decision(decision)?.as_slice())
        .map_err(engine(doing))?;
    let mut ids = txn.open_table(COMMAND_IDS).map_err(engine(doing))?;
    ids.insert(decision.command_id.as_str(), sequence)
        .map_err(engine(doing))?;
    let mut of_stream = txn.open_table(STREAM_DECISIONS).map_err(engine(doing))?;
    of_stream
        .insert((decision.stream.as_str(), sequence), rejected)
        .map_err(engine(doing))?;
    Ok(())
}

/// Restores an exported decision; `false` when it is on record already. Of the two errors, see
/// [`append`](super::append::append).
pub(super) fn restore_decision(
    txn: &WriteTransaction,
    restored: RestoredDecision,
) -> Result<Checked<bool>, StoreError> {
    match to_restore(txn, restored) {
        Err(refused) => Ok(Err(refused)),
        Ok(None) => Ok(Ok(false)),
        Ok(Some(decision)) => write_decision(txn, &decision).map(|()| Ok(true)),
    }
}

/// The decision as it is to be written; `None` when it is on record already.
fn to_restore(txn: &WriteTransaction, restored: RestoredDecision) -> Checked<Option<Decision>> {
    let RestoredDecision {
        decision: mut restored,
        place,
    } = restored;
    if let Some(sequence) = sequence_of(txn, &restored.command_id)? {
        let recorded = decision(txn, sequence)?;
        return if same_decision(restored.clone(), &recorded) {
            Ok(None)
        } else {
            Err(AppendError::CommandIdConflict {
                command_id: restored.command_id,
                sequence,
            })
        };
    }
    restored.sequence = last_decision(txn)? + 1;
    match place {
        DecisionPlace::Events(ids) => beside_its_events(txn, &mut restored, &ids)?,
        DecisionPlace::After { log, stream } => {
            after(txn, &mut restored, log.as_deref(), stream.as_deref())?;
        }
    }
    Ok(Some(restored))
}

fn named(txn: &WriteTransaction, event_id: &str) -> Checked<Event> {
    match position_of(txn, event_id)? {
        Some(position) => Ok(event(txn, position)?),
        None => Err(NotItsEvents::Missing {
            event_id: event_id.to_owned(),
        }
        .into()),
    }
}

/// Gives a decision the place that the events it led to have in this log.
fn beside_its_events(
    txn: &WriteTransaction,
    restored: &mut Decision,
    ids: &[String],
) -> Checked<()> {
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
        let event = named(txn, id)?;
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
    txn: &WriteTransaction,
    restored: &mut Decision,
    log: Option<&str>,
    stream: Option<&str>,
) -> Checked<()> {
    let base_position = match log {
        Some(id) => named(txn, id)?.position,
        None => Position::ZERO,
    };
    let base_revision = match stream {
        None => Revision::ZERO,
        Some(id) => {
            let event = named(txn, id)?;
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
    let head = load_stream(txn, &restored.stream)?.map(|(_, info)| info.revision);
    if head.is_some_and(|head| head > base_revision) {
        let next = event_at(txn, &restored.stream, base_revision.next())?;
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

/// Whether two decisions say the same. Their places may differ in another store; what was decided may not.
fn same_decision(mut restored: Decision, recorded: &Decision) -> bool {
    restored.sequence = recorded.sequence;
    restored.base_position = recorded.base_position;
    restored.base_revision = recorded.base_revision;
    if let (
        Outcome::Accepted {
            revision, position, ..
        },
        Outcome::Accepted {
            revision: r,
            position: p,
            ..
        },
    ) = (&mut restored.result, &recorded.result)
    {
        (*revision, *position) = (*r, *p);
    }
    restored == *recorded
}
