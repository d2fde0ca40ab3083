//! Giving what an append brings its place: positions, revisions, ids, times, the stream's record, keys, the decision.
//!
//! Decides nothing about whether it is admitted: by now everything but generated ids is checked.

use std::collections::{HashMap, HashSet};

use whodunit_core::command::{Decision, Outcome, Rejection};
use whodunit_core::event::{Event, NewEvent};
use whodunit_core::ids::{Position, Revision};
use whodunit_core::json::Json;
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use super::Checked;
use super::batch::{Batch, JobWrite, KeyWrite, Placed, StreamWrite};
use super::jobs::new_job;
use super::lookup::{JobLookup, Lookup};
use super::plan::{Planned, TOO_FEW_IDS, malformed};
use crate::store::{
    Append, AppendError, Head, KeyHold, PendingDecision, StoreError, StreamInfo, StreamLabel,
};

/// Plans an append that is admitted. `stream` is its stream's record, if it has one.
pub(super) fn place(
    lookup: &impl JobLookup,
    append: &Append,
    stream: Option<StreamInfo>,
) -> Checked<Planned> {
    let head = lookup.head()?;
    let before = stream.as_ref().map_or(Revision::ZERO, |info| info.revision);
    if let Some(decided) = &append.decision
        && let Some(rejection) = &decided.rejection
    {
        return Ok(reject(head, decided, rejection, before));
    }
    let events = placed(lookup, append, head.position, stream.as_ref())?;
    let revision = events.last().map_or(before, |last| last.event.revision);
    let position = events
        .last()
        .map_or(head.position, |last| last.event.position);
    let accepted = Outcome::Accepted {
        revision,
        position,
        events: u32::try_from(events.len()).unwrap_or(u32::MAX),
    };
    let batch = Batch {
        stream: stream_write(append, stream, &events),
        keys: key_writes(lookup, append, &events)?,
        decision: append
            .decision
            .as_ref()
            .map(|decided| decision(head, decided, accepted)),
        jobs: new_jobs(lookup, append, &events)?,
        events,
    };
    Ok(Planned {
        batch,
        revision,
        position,
    })
}

/// Plans the record of a rejection, with the stream at `revision`.
pub(super) fn reject(
    head: Head,
    decided: &PendingDecision,
    rejection: &Rejection,
    revision: Revision,
) -> Planned {
    let Rejection { rule, message } = rejection.clone();
    Planned {
        batch: Batch {
            decision: Some(decision(head, decided, Outcome::Rejected { rule, message })),
            ..Batch::default()
        },
        revision,
        position: head.position,
    }
}

/// The decision as it is recorded, right behind the head.
fn decision(head: Head, decided: &PendingDecision, result: Outcome) -> Decision {
    let command = &decided.command;
    Decision {
        sequence: head.decision + 1,
        command_id: command.command_id.clone(),
        stream: command.stream.clone(),
        command_type: command.command_type.clone(),
        payload: Json::from(serde_json::Value::Object(command.payload.clone())),
        actor: command.actor.clone(),
        reason: command.reason.clone(),
        correlation_id: command.correlation_id.clone(),
        causation_id: command.causation_id.clone(),
        base_revision: decided.base_revision,
        base_position: head.position,
        rules_hash: decided.rules_hash.clone(),
        decided_at: command.issued_at,
        result,
    }
}

/// Gives the facts their places: positions, revisions, ids and times.
fn placed(
    lookup: &impl Lookup,
    append: &Append,
    head: Position,
    stream: Option<&StreamInfo>,
) -> Checked<Vec<Placed>> {
    let (mut position, mut revision) = (head, stream.map_or(Revision::ZERO, |info| info.revision));
    let mut effective_at = stream.map_or(Timestamp::MIN, |info| info.last_at);
    let mut fresh_ids = append.fresh_ids.iter();
    // What a generated id must differ from.
    let mut used: HashSet<&str> = if append.fresh_ids.is_empty() {
        HashSet::new()
    } else {
        let given = append.events.iter();
        given.filter_map(|new| new.event_id.as_deref()).collect()
    };
    let mut events = Vec::with_capacity(append.events.len());
    for new in &append.events {
        (position, revision) = (position.next(), revision.next());
        let event_id = if let Some(id) = &new.event_id {
            id
        } else {
            let fresh = fresh_ids.next().ok_or_else(|| malformed(TOO_FEW_IDS))?;
            unused(lookup, fresh, &mut used, position)?;
            fresh
        };
        let event = event(append, new, event_id, (position, revision));
        effective_at = effective_at.max(event.recorded_at);
        events.push(Placed {
            event,
            effective_at,
        });
    }
    Ok(events)
}

fn event(
    append: &Append,
    new: &NewEvent,
    event_id: &str,
    (position, revision): (Position, Revision),
) -> Event {
    Event {
        position,
        stream: append.stream.clone(),
        revision,
        event_id: event_id.to_owned(),
        event_type: new.event_type.clone(),
        schema_version: new.schema_version.unwrap_or(1),
        recorded_at: new.recorded_at.unwrap_or(append.now),
        actor: new.actor.clone(),
        reason: new.reason.clone(),
        correlation_id: new.correlation_id.clone(),
        causation_id: new.causation_id.clone(),
        data: new.data.clone(),
        metadata: new.metadata.clone(),
    }
}

/// Makes sure that a generated id is new: to overwrite the place of another event would lose it.
fn unused<'a>(
    lookup: &impl Lookup,
    fresh: &'a str,
    used: &mut HashSet<&'a str>,
    next: Position,
) -> Checked<()> {
    let taken = if used.insert(fresh) {
        lookup.position_of(fresh)?
    } else {
        Some(next)
    };
    match taken {
        None => Ok(()),
        Some(position) => Err(AppendError::EventIdConflict {
            event_id: fresh.to_owned(),
            position,
        }),
    }
}

/// The stream's record after the events, or with only its new label; `None` where neither changes it.
fn stream_write(
    append: &Append,
    before: Option<StreamInfo>,
    events: &[Placed],
) -> Option<StreamWrite> {
    let last_before = before.as_ref().map(|info| info.last_position);
    let mut info = match (before, events.first()) {
        (Some(_), None) if append.label.is_none() => return None,
        (Some(info), _) => info,
        (None, Some(first)) => new_stream(&first.event),
        (None, None) => return None,
    };
    if let Some(Placed {
        event: last,
        effective_at,
    }) = events.last()
    {
        let late = events.iter().find(|placed| placed.is_late());
        info.clock_back_at = info.clock_back_at.or(late.map(|late| late.event.revision));
        info.revision = last.revision;
        info.last_position = last.position;
        info.last_at = *effective_at;
        info.last_event_type.clone_from(&last.event_type);
        info.last_actor.clone_from(&last.actor);
        info.last_reason.clone_from(&last.reason);
    }
    if let Some(label) = &append.label {
        info.label.clone_from(label);
    }
    Some(StreamWrite {
        last_before,
        info: info.into(),
    })
}

fn new_stream(first: &Event) -> StreamInfo {
    StreamInfo {
        stream: first.stream.clone(),
        revision: Revision::ZERO,
        first_position: first.position,
        last_position: first.position,
        first_at: first.recorded_at,
        last_at: Timestamp::MIN,
        last_event_type: String::new(),
        last_actor: None,
        last_reason: None,
        label: StreamLabel::default(),
        clock_back_at: None,
    }
}

/// Ends the holds that are given up and begins those that are taken, each at its event and that event's effective time.
fn key_writes(
    lookup: &impl Lookup,
    append: &Append,
    events: &[Placed],
) -> Result<Vec<KeyWrite>, StoreError> {
    let mut writes = Vec::new();
    // What this append has written of a key stands behind what is on record.
    let mut written: HashMap<&UniqueKey, KeyHold> = HashMap::new();
    for change in &append.keys {
        let Some(Placed {
            event,
            effective_at,
        }) = events.get(change.event)
        else {
            continue;
        };
        let last = match written.get(&change.key) {
            Some(hold) => Some(hold.clone()),
            None => lookup.last_hold(append.stream.category(), &change.key)?,
        };
        let open = last.filter(|hold| hold.until.is_none() && hold.stream == append.stream);
        let hold = match (open, change.taken) {
            (Some(open), false) => KeyHold {
                until: Some(event.position),
                until_at: Some(*effective_at),
                ..open
            },
            (None, true) => KeyHold {
                stream: append.stream.clone(),
                since: event.position,
                until: None,
                since_at: *effective_at,
                until_at: None,
            },
            // Giving up what one does not hold, or taking what one holds, changes nothing.
            (None, false) | (Some(_), true) => continue,
        };
        written.insert(&change.key, hold.clone());
        let key = change.key.clone();
        writes.push(KeyWrite { key, hold });
    }
    Ok(writes)
}

fn new_jobs(
    lookup: &impl JobLookup,
    append: &Append,
    events: &[Placed],
) -> Result<Vec<JobWrite>, StoreError> {
    if append.jobs.is_empty() {
        return Ok(Vec::new());
    }
    let first = lookup.last_job()? + 1;
    let wanted = append
        .jobs
        .iter()
        .filter_map(|new| events.get(new.event).map(|placed| (new, &placed.event)));
    Ok((first..)
        .zip(wanted)
        .map(|(id, (new, event))| JobWrite::Made(new_job(id, &new.handler, event, append.now)))
        .collect())
}
