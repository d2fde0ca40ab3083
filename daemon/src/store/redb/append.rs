//! One append inside a write transaction.
//!
//! Owns the order of checks and what is written. Everything is checked before anything is written, so a refused append
//! leaves no trace in a transaction that others share. What is read here includes what earlier appends of the same
//! transaction wrote.

use redb::{ReadableTable, WriteTransaction};
use whodunit_core::command::{Decision, Outcome, Rejection};
use whodunit_core::event::{Event, NewEvent};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

use super::engine;
use super::record::{
    decode_decision, decode_event, decode_stream, encode_decision, encode_event, encode_stream,
};
use super::tables::{
    BY_ACTOR, BY_CATEGORY, BY_CORRELATION, BY_TIME, BY_TYPE, CATEGORIES, COMMAND_IDS, DECISIONS,
    EVENT_IDS, EVENTS, KEYS, STREAM_DECISIONS, STREAM_EVENTS, STREAM_NUMBERS, STREAMS,
    STREAMS_BY_LAST, day,
};
use crate::store::{Append, AppendError, Appended, Decided, StoreError, StreamInfo, StreamLabel};

type Answer<T> = Result<T, AppendError>;

/// Applies one append; `Appended::repeated` tells whether anything was written.
pub(super) fn append(txn: &WriteTransaction, append: &Append) -> Answer<Appended> {
    if let Some(repeated) = repeated_command(txn, append)? {
        return Ok(repeated);
    }
    if let Some(repeated) = repeated_events(txn, append)? {
        return Ok(repeated);
    }
    let stream = load_stream(txn, &append.stream)?;
    let actual = stream
        .as_ref()
        .map_or(Revision::ZERO, |(_, info)| info.revision);
    if !append.expected.admits(actual) {
        let (stream, expected) = (append.stream.clone(), append.expected);
        return Err(AppendError::WrongRevision {
            stream,
            expected,
            actual,
        });
    }
    if let Some((key, holder)) = taken_key(txn, append)? {
        return match &append.decided {
            None => Err(AppendError::KeyTaken { key, holder }),
            Some(decided) => {
                let decided = Decided {
                    rejection: Some(key.rejection()),
                    ..decided.clone()
                };
                record(txn, append, &decided, actual, &[])
            }
        };
    }
    let events = place(txn, append, stream.as_ref().map(|(_, info)| info))?;
    write_events(txn, append, stream, &events)?;
    write_keys(txn, append, events.last())?;
    let revision = events.last().map_or(actual, |event| event.revision);
    if let Some(decided) = &append.decided {
        return record(txn, append, decided, revision, &events);
    }
    let position = events.last().map_or(head(txn)?, |event| event.position);
    Ok(Appended {
        events,
        decision: None,
        revision,
        position,
        repeated: false,
    })
}

/// The position of the last event.
pub(super) fn head(txn: &WriteTransaction) -> Result<Position, StoreError> {
    let events = txn
        .open_table(EVENTS)
        .map_err(engine("opening the events"))?;
    let last = events.last().map_err(engine("reading the head"))?;
    Ok(Position(last.map_or(0, |(position, _)| position.value())))
}

/// The sequence of the last decision.
pub(super) fn last_decision(txn: &WriteTransaction) -> Result<u64, StoreError> {
    let decisions = txn
        .open_table(DECISIONS)
        .map_err(engine("opening the decisions"))?;
    let last = decisions
        .last()
        .map_err(engine("reading the last decision"))?;
    Ok(last.map_or(0, |(sequence, _)| sequence.value()))
}

fn repeated_command(txn: &WriteTransaction, append: &Append) -> Answer<Option<Appended>> {
    let Some(Decided { command, .. }) = &append.decided else {
        return Ok(None);
    };
    let ids = txn
        .open_table(COMMAND_IDS)
        .map_err(engine("opening the command ids"))?;
    let Some(sequence) = ids
        .get(command.command_id.as_str())
        .map_err(engine("reading a command id"))?
    else {
        return Ok(None);
    };
    let decision = decision(txn, sequence.value())?;
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
                .map(|revision| event_at(txn, &decision.stream, Revision(revision)))
                .collect::<Result<_, _>>()?;
            (*revision, *position, events)
        }
    };
    Ok(Some(Appended {
        events,
        decision: Some(decision),
        revision,
        position,
        repeated: true,
    }))
}

fn decision(txn: &WriteTransaction, sequence: u64) -> Result<Decision, StoreError> {
    let decisions = txn
        .open_table(DECISIONS)
        .map_err(engine("opening the decisions"))?;
    let record = decisions
        .get(sequence)
        .map_err(engine("reading a decision"))?;
    let record = record.ok_or_else(|| missing(format!("decision {sequence}")))?;
    decode_decision(sequence, record.value())
}

fn event_at(
    txn: &WriteTransaction,
    stream: &StreamName,
    revision: Revision,
) -> Result<Event, StoreError> {
    let place = || format!("revision {revision} of `{stream}`");
    let numbers = txn
        .open_table(STREAM_NUMBERS)
        .map_err(engine("opening the streams"))?;
    let number = numbers
        .get(stream.as_str())
        .map_err(engine("reading a stream"))?
        .ok_or_else(|| missing(place()))?;
    let index = txn
        .open_table(STREAM_EVENTS)
        .map_err(engine("opening the stream index"))?;
    let entry = index
        .get((number.value(), revision.0))
        .map_err(engine("reading the stream index"))?;
    let (position, _) = entry.ok_or_else(|| missing(place()))?.value();
    event(txn, position)
}

fn event(txn: &WriteTransaction, position: u64) -> Result<Event, StoreError> {
    let events = txn
        .open_table(EVENTS)
        .map_err(engine("opening the events"))?;
    let record = events.get(position).map_err(engine("reading an event"))?;
    decode_event(
        position,
        record
            .ok_or_else(|| missing(format!("the event at position {position}")))?
            .value(),
    )
}

fn missing(place: String) -> StoreError {
    StoreError::Damaged {
        place,
        detail: "an index names it, but it is not there".to_owned(),
    }
}

/// An append whose event ids are all on record, in order, with the same content, is a repetition. One of whose ids any is
/// on record otherwise is a conflict.
fn repeated_events(txn: &WriteTransaction, append: &Append) -> Answer<Option<Appended>> {
    let ids = txn
        .open_table(EVENT_IDS)
        .map_err(engine("opening the event ids"))?;
    let mut known = Vec::new();
    for new in &append.events {
        let Some(event_id) = new.event_id.as_deref() else {
            continue;
        };
        if append
            .events
            .iter()
            .filter(|other| other.event_id.as_deref() == Some(event_id))
            .count()
            > 1
        {
            let (event_id, position) = (event_id.to_owned(), head(txn)?.next());
            return Err(AppendError::EventIdConflict { event_id, position });
        }
        if let Some(position) = ids.get(event_id).map_err(engine("reading an event id"))? {
            let event = event(txn, position.value())?;
            if event.stream != append.stream || !same_fact(new, &event) {
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
    Ok(Some(Appended {
        events: known,
        decision: None,
        revision,
        position,
        repeated: true,
    }))
}

/// Whether an event on record says what this fact says, as far as its author said anything.
fn same_fact(new: &NewEvent, event: &Event) -> bool {
    new.event_type == event.event_type
        && new.data == event.data
        && new.metadata == event.metadata
        && new.schema_version.unwrap_or(1) == event.schema_version
        && new.recorded_at.is_none_or(|at| at == event.recorded_at)
        && new.actor == event.actor
        && new.reason == event.reason
        && new.correlation_id == event.correlation_id
        && new.causation_id == event.causation_id
}

fn load_stream(
    txn: &WriteTransaction,
    stream: &StreamName,
) -> Result<Option<(u64, StreamInfo)>, StoreError> {
    let numbers = txn
        .open_table(STREAM_NUMBERS)
        .map_err(engine("opening the streams"))?;
    let Some(number) = numbers
        .get(stream.as_str())
        .map_err(engine("reading a stream"))?
    else {
        return Ok(None);
    };
    let number = number.value();
    let streams = txn
        .open_table(STREAMS)
        .map_err(engine("opening the streams"))?;
    let record = streams.get(number).map_err(engine("reading a stream"))?;
    let record = record.ok_or_else(|| missing(format!("the record of `{stream}`")))?;
    Ok(Some((number, decode_stream(number, record.value())?)))
}

/// The first claimed key that another stream holds.
fn taken_key(
    txn: &WriteTransaction,
    append: &Append,
) -> Result<Option<(whodunit_core::keys::UniqueKey, StreamName)>, StoreError> {
    if append.claims.is_empty() {
        return Ok(None);
    }
    let keys = txn.open_table(KEYS).map_err(engine("opening the keys"))?;
    for key in &append.claims {
        let place = (
            append.stream.category(),
            key.name.as_str(),
            key.value.as_str(),
        );
        let mut holds = keys
            .range((place.0, place.1, place.2, 0)..=(place.0, place.1, place.2, u64::MAX))
            .map_err(engine("reading the keys"))?;
        if let Some(last) = holds.next_back() {
            let (_, hold) = last.map_err(engine("reading the keys"))?;
            let (holder, until) = hold.value();
            if until == 0 && holder != append.stream.as_str() {
                let holder = StreamName::new(holder).map_err(|error| StoreError::Damaged {
                    place: key.to_string(),
                    detail: error.to_string(),
                })?;
                return Ok(Some((key.clone(), holder)));
            }
        }
    }
    Ok(None)
}

/// Gives the facts their places: positions, revisions, ids and times.
fn place(
    txn: &WriteTransaction,
    append: &Append,
    stream: Option<&StreamInfo>,
) -> Answer<Vec<Event>> {
    let mut position = head(txn)?;
    let mut revision = stream.map_or(Revision::ZERO, |info| info.revision);
    let mut effective = stream.map_or(Timestamp::MIN, |info| info.last_at);
    let mut fresh_ids = append.fresh_ids.iter();
    let mut events = Vec::with_capacity(append.events.len());
    for (index, new) in append.events.iter().enumerate() {
        (position, revision) = (position.next(), revision.next());
        if let Some(&(wanted_position, wanted_revision)) = append.places.get(index) {
            check_place("position", wanted_position.map(|p| p.0), position.0)?;
            check_place("revision", wanted_revision.map(|r| r.0), revision.0)?;
        }
        let event_id = match &new.event_id {
            Some(id) => id.clone(),
            None => fresh_ids
                .next()
                .cloned()
                .ok_or_else(|| StoreError::Engine {
                    doing: "giving an event its id",
                    source: "the append brought too few ids".into(),
                })?,
        };
        let recorded_at = new.recorded_at.unwrap_or_else(|| append.now.max(effective));
        effective = effective.max(recorded_at);
        events.push(Event {
            position,
            stream: append.stream.clone(),
            revision,
            event_id,
            event_type: new.event_type.clone(),
            schema_version: new.schema_version.unwrap_or(1),
            recorded_at,
            actor: new.actor.clone(),
            reason: new.reason.clone(),
            correlation_id: new.correlation_id.clone(),
            causation_id: new.causation_id.clone(),
            data: new.data.clone(),
            metadata: new.metadata.clone(),
            redacted: Vec::new(),
        });
    }
    Ok(events)
}

fn check_place(what: &'static str, expected: Option<u64>, actual: u64) -> Answer<()> {
    match expected {
        Some(expected) if expected != actual => Err(AppendError::WrongPlace {
            what,
            expected,
            actual,
        }),
        _ => Ok(()),
    }
}

/// Writes the events with every index of theirs, and the stream's record.
fn write_events(
    txn: &WriteTransaction,
    append: &Append,
    stream: Option<(u64, StreamInfo)>,
    events: &[Event],
) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return relabel(txn, append, stream);
    };
    let is_new = stream.is_none();
    let (number, mut info) = match stream {
        Some(known) => known,
        None => (new_number(txn, &append.stream)?, new_info(first)),
    };
    let previous_last = info.last_position;
    write_log(txn, number, &mut info, events)?;
    info.revision = last.revision;
    info.last_position = last.position;
    info.last_event_type.clone_from(&last.event_type);
    info.last_actor.clone_from(&last.actor);
    info.last_reason.clone_from(&last.reason);
    if let Some(label) = &append.label {
        info.label.clone_from(label);
    }
    let doing = "writing a stream";
    let mut streams = txn.open_table(STREAMS).map_err(engine(doing))?;
    streams
        .insert(number, encode_stream(&info).as_slice())
        .map_err(engine(doing))?;
    let mut by_last = txn.open_table(STREAMS_BY_LAST).map_err(engine(doing))?;
    if !is_new {
        by_last.remove(previous_last.0).map_err(engine(doing))?;
    }
    by_last
        .insert(last.position.0, number)
        .map_err(engine(doing))?;
    let mut categories = txn.open_table(CATEGORIES).map_err(engine(doing))?;
    let category = append.stream.category();
    let (streams, total) = categories
        .get(category)
        .map_err(engine(doing))?
        .map_or((0, 0), |counts| counts.value());
    categories
        .insert(
            category,
            (streams + u64::from(is_new), total + events.len() as u64),
        )
        .map_err(engine(doing))?;
    Ok(())
}

fn relabel(
    txn: &WriteTransaction,
    append: &Append,
    stream: Option<(u64, StreamInfo)>,
) -> Result<(), StoreError> {
    if let (Some(label), Some((number, mut info))) = (&append.label, stream) {
        info.label.clone_from(label);
        let mut streams = txn
            .open_table(STREAMS)
            .map_err(engine("writing a stream"))?;
        streams
            .insert(number, encode_stream(&info).as_slice())
            .map_err(engine("writing a stream"))?;
    }
    Ok(())
}

fn new_number(txn: &WriteTransaction, stream: &StreamName) -> Result<u64, StoreError> {
    let doing = "numbering a stream";
    let streams = txn.open_table(STREAMS).map_err(engine(doing))?;
    let number = streams
        .last()
        .map_err(engine(doing))?
        .map_or(0, |(number, _)| number.value())
        + 1;
    let mut numbers = txn.open_table(STREAM_NUMBERS).map_err(engine(doing))?;
    numbers
        .insert(stream.as_str(), number)
        .map_err(engine(doing))?;
    Ok(number)
}

fn new_info(first: &Event) -> StreamInfo {
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

/// Writes event records and their indexes; moves the stream's effective time along.
fn write_log(
    txn: &WriteTransaction,
    number: u64,
    info: &mut StreamInfo,
    events: &[Event],
) -> Result<(), StoreError> {
    let doing = "writing an event";
    let mut log = txn.open_table(EVENTS).map_err(engine(doing))?;
    let mut ids = txn.open_table(EVENT_IDS).map_err(engine(doing))?;
    let mut of_stream = txn.open_table(STREAM_EVENTS).map_err(engine(doing))?;
    let mut by_category = txn.open_table(BY_CATEGORY).map_err(engine(doing))?;
    let mut by_type = txn.open_table(BY_TYPE).map_err(engine(doing))?;
    let mut by_actor = txn.open_table(BY_ACTOR).map_err(engine(doing))?;
    let mut by_correlation = txn.open_table(BY_CORRELATION).map_err(engine(doing))?;
    let mut by_time = txn.open_table(BY_TIME).map_err(engine(doing))?;
    for event in events {
        if event.recorded_at < info.last_at && info.clock_back_at.is_none() {
            info.clock_back_at = Some(event.revision);
        }
        info.last_at = info.last_at.max(event.recorded_at);
        let (position, micros) = (event.position.0, event.recorded_at.as_micros());
        log.insert(position, encode_event(event).as_slice())
            .map_err(engine(doing))?;
        ids.insert(event.event_id.as_str(), position)
            .map_err(engine(doing))?;
        of_stream
            .insert(
                (number, event.revision.0),
                (position, info.last_at.as_micros()),
            )
            .map_err(engine(doing))?;
        by_category
            .insert((event.stream.category(), position), ())
            .map_err(engine(doing))?;
        by_type
            .insert((event.event_type.as_str(), position), ())
            .map_err(engine(doing))?;
        if let Some(actor) = event.actor.as_deref() {
            by_actor
                .insert((actor, position), ())
                .map_err(engine(doing))?;
        }
        if let Some(correlation) = event.correlation_id.as_deref() {
            by_correlation
                .insert((correlation, position), ())
                .map_err(engine(doing))?;
        }
        by_time
            .insert((day(micros), position), micros)
            .map_err(engine(doing))?;
    }
    Ok(())
}

/// Ends the holds that are given up and begins those that are taken, both at the append's last event.
fn write_keys(
    txn: &WriteTransaction,
    append: &Append,
    last: Option<&Event>,
) -> Result<(), StoreError> {
    let Some(last) = last else { return Ok(()) };
    if append.claims.is_empty() && append.releases.is_empty() {
        return Ok(());
    }
    let doing = "writing the keys";
    let (category, stream, position) = (
        append.stream.category(),
        append.stream.as_str(),
        last.position.0,
    );
    let mut keys = txn.open_table(KEYS).map_err(engine(doing))?;
    for (key, claimed) in append
        .releases
        .iter()
        .map(|k| (k, false))
        .chain(append.claims.iter().map(|k| (k, true)))
    {
        let (name, value) = (key.name.as_str(), key.value.as_str());
        let open = {
            let mut holds = keys
                .range((category, name, value, 0)..=(category, name, value, u64::MAX))
                .map_err(engine(doing))?;
            match holds.next_back().transpose().map_err(engine(doing))? {
                Some((place, hold)) if hold.value() == (stream, 0) => Some(place.value().3),
                _ => None,
            }
        };
        match (open, claimed) {
            (Some(since), false) => {
                keys.insert((category, name, value, since), (stream, position))
                    .map_err(engine(doing))?;
            }
            (None, true) => {
                keys.insert((category, name, value, position), (stream, 0))
                    .map_err(engine(doing))?;
            }
            // Giving up what one does not hold, or taking what one holds, changes nothing.
            (None, false) | (Some(_), true) => {}
        }
    }
    Ok(())
}

/// Writes a decision and answers the append with it.
fn record(
    txn: &WriteTransaction,
    append: &Append,
    decided: &Decided,
    revision: Revision,
    events: &[Event],
) -> Answer<Appended> {
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
        redacted: Vec::new(),
    };
    write_decision(txn, &decision)?;
    Ok(Appended {
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

/// Restores an exported decision; `false` when it is on record already.
pub(super) fn restore_decision(txn: &WriteTransaction, mut restored: Decision) -> Answer<bool> {
    let known = {
        let ids = txn
            .open_table(COMMAND_IDS)
            .map_err(engine("opening the command ids"))?;
        let known = ids
            .get(restored.command_id.as_str())
            .map_err(engine("reading a command id"))?;
        known.map(|sequence| sequence.value())
    };
    if let Some(sequence) = known {
        let recorded = decision(txn, sequence)?;
        let place = (
            restored.sequence,
            restored.base_position,
            restored.base_revision,
        );
        // The places may differ in another store; what was decided may not.
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
        return if restored == recorded {
            Ok(false)
        } else {
            tracing::debug!(
                ?place,
                sequence,
                "a restored decision differs from the one on record"
            );
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
    restored.redacted.clear();
    write_decision(txn, &restored)?;
    Ok(true)
}
