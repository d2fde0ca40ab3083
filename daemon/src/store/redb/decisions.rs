//! The decision log: recording what rules answered, and restoring it from an export.

use redb::WriteTransaction;
use whodunit_core::command::{Decision, Outcome, Rejection};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::json::Json;

use super::append::{Checked, check_place};
use super::engine;
use super::lookup::{decision, head, last_decision, sequence_of};
use super::record::encode_decision;
use super::tables::{COMMAND_IDS, DECISIONS, STREAM_DECISIONS};
use crate::store::{Append, AppendError, AppendResult, PendingDecision, StoreError};

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
    restored: Decision,
) -> Result<Checked<bool>, StoreError> {
    match to_restore(txn, restored) {
        Err(refused) => Ok(Err(refused)),
        Ok(None) => Ok(Ok(false)),
        Ok(Some(decision)) => write_decision(txn, &decision).map(|()| Ok(true)),
    }
}

/// The decision as it is to be written; `None` when it is on record already.
fn to_restore(txn: &WriteTransaction, mut restored: Decision) -> Checked<Option<Decision>> {
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
    let next = last_decision(txn)? + 1;
    if restored.sequence == 0 {
        restored.sequence = next;
    }
    check_place("decision sequence", Some(restored.sequence), next)?;
    Ok(Some(restored))
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
