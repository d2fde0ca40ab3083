//! What an append writes: event records, their indexes, the stream's record, keys.
//!
//! Decides nothing: by now everything is checked. An error here leaves the transaction half written, so it must be given up.

use redb::{ReadableTable, WriteTransaction};
use whodunit_core::event::Event;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::time::Timestamp;

use super::engine;
use super::record::{encode_event, encode_stream};
use super::tables::{
    BY_ACTOR, BY_CATEGORY, BY_CORRELATION, BY_TIME, BY_TYPE, CATEGORIES, EVENT_IDS, EVENTS, KEYS,
    LATE_EVENTS, STREAM_EVENTS, STREAM_NUMBERS, STREAMS, STREAMS_BY_LAST, day,
};
use crate::store::{Append, StoreError, StreamInfo, StreamLabel};

/// Writes the events with every index of theirs, and the stream's record.
pub(super) fn write_events(
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
        let (position, micros) = (event.position.0, event.recorded_at.as_micros());
        if event.recorded_at < info.last_at {
            info.clock_back_at.get_or_insert(event.revision);
            let mut late = txn.open_table(LATE_EVENTS).map_err(engine(doing))?;
            late.insert((number, event.revision.0), micros)
                .map_err(engine(doing))?;
        }
        info.last_at = info.last_at.max(event.recorded_at);
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

/// Ends the holds that are given up and begins those that are taken, each at its event and that event's effective time.
/// `last_at` is the effective time that the stream had reached before.
pub(super) fn write_keys(
    txn: &WriteTransaction,
    append: &Append,
    events: &[Event],
    last_at: Timestamp,
) -> Result<(), StoreError> {
    if append.keys.is_empty() {
        return Ok(());
    }
    let doing = "writing the keys";
    let (category, stream) = (append.stream.category(), append.stream.as_str());
    let effective = events.iter().scan(last_at, |effective, event| {
        *effective = (*effective).max(event.recorded_at);
        Some(effective.as_micros())
    });
    let moments: Vec<_> = events
        .iter()
        .map(|event| event.position.0)
        .zip(effective)
        .collect();
    let mut keys = txn.open_table(KEYS).map_err(engine(doing))?;
    for change in &append.keys {
        let Some(&(position, at)) = moments.get(change.event) else {
            continue;
        };
        let (name, value) = (change.key.name.as_str(), change.key.value.as_str());
        let open = {
            let mut holds = keys
                .range((category, name, value, 0)..=(category, name, value, u64::MAX))
                .map_err(engine(doing))?;
            match holds.next_back().transpose().map_err(engine(doing))? {
                Some((place, hold)) => {
                    let (holder, until, since_at, _) = hold.value();
                    ((holder, until) == (stream, 0)).then(|| (place.value().3, since_at))
                }
                None => None,
            }
        };
        match (open, change.taken) {
            (Some((since, since_at)), false) => {
                keys.insert(
                    (category, name, value, since),
                    (stream, position, since_at, at),
                )
                .map_err(engine(doing))?;
            }
            (None, true) => {
                keys.insert((category, name, value, position), (stream, 0, at, 0))
                    .map_err(engine(doing))?;
            }
            // Giving up what one does not hold, or taking what one holds, changes nothing.
            (None, false) | (Some(_), true) => {}
        }
    }
    Ok(())
}
