//! Single records, read inside the write transaction: what earlier appends of the same transaction wrote is there already.

use redb::{ReadableTable, WriteTransaction};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};

use super::engine;
use super::record::{decode_decision, decode_event, decode_stream};
use super::tables::{
    COMMAND_IDS, DECISIONS, EVENT_IDS, EVENTS, STREAM_EVENTS, STREAM_NUMBERS, STREAMS,
};
use crate::store::{StoreError, StreamInfo};

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

/// The position of the event with this id.
pub(super) fn position_of(
    txn: &WriteTransaction,
    event_id: &str,
) -> Result<Option<u64>, StoreError> {
    let ids = txn
        .open_table(EVENT_IDS)
        .map_err(engine("opening the event ids"))?;
    let position = ids.get(event_id).map_err(engine("reading an event id"))?;
    Ok(position.map(|position| position.value()))
}

/// The sequence of the decision on this command.
pub(super) fn sequence_of(
    txn: &WriteTransaction,
    command_id: &str,
) -> Result<Option<u64>, StoreError> {
    let ids = txn
        .open_table(COMMAND_IDS)
        .map_err(engine("opening the command ids"))?;
    let sequence = ids
        .get(command_id)
        .map_err(engine("reading a command id"))?;
    Ok(sequence.map(|sequence| sequence.value()))
}

pub(super) fn decision(txn: &WriteTransaction, sequence: u64) -> Result<Decision, StoreError> {
    let decisions = txn
        .open_table(DECISIONS)
        .map_err(engine("opening the decisions"))?;
    let record = decisions
        .get(sequence)
        .map_err(engine("reading a decision"))?;
    let record = record.ok_or_else(|| missing(format!("decision {sequence}")))?;
    decode_decision(sequence, record.value())
}

pub(super) fn event_at(
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

pub(super) fn event(txn: &WriteTransaction, position: u64) -> Result<Event, StoreError> {
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

pub(super) fn missing(place: String) -> StoreError {
    StoreError::Damaged {
        place,
        detail: "an index names it, but it is not there".to_owned(),
    }
}

/// A stream's number and record.
pub(super) fn load_stream(
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
