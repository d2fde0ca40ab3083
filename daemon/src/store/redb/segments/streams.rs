//! What sealing says of streams: their numbers, their records, their categories, and where their clocks went back.
//!
//! Owns that each stream's record is written once, however many batches changed it.

use std::collections::{BTreeMap, HashMap};

use whodunit_core::ids::Position;

use super::super::open_tables::WriteTables;
use super::super::record::encode_stream;
use super::seal::number_of;
use crate::store::write::Batch;
use crate::store::{StoreError, StreamInfo};

type StoreResult<T> = Result<T, StoreError>;

/// What becomes of a stream.
struct Change<'a> {
    /// Position of its last event before; `None` for a new stream.
    last_before: Option<Position>,
    info: &'a StreamInfo,
    events: u64,
}

/// Writes the records of the streams, each once, and gives new ones their numbers; the numbers of all of them.
pub(super) fn write_streams<'a>(
    tables: &mut WriteTables<'_>,
    batches: &[&'a Batch],
) -> StoreResult<HashMap<&'a str, u64>> {
    let mut changes: Vec<Change<'a>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for batch in batches {
        let Some(write) = &batch.stream else { continue };
        let place = *places.entry(write.info.stream.as_str()).or_insert_with(|| {
            changes.push(Change {
                last_before: write.last_before,
                info: &write.info,
                events: 0,
            });
            changes.len() - 1
        });
        if let Some(change) = changes.get_mut(place) {
            change.info = &write.info;
            change.events += batch.events.len() as u64;
        }
    }
    let mut numbers = HashMap::new();
    let mut last = tables.streams.last()?.map_or(0, |(key, _)| key.value());
    let mut by_number: BTreeMap<u64, Change<'a>> = BTreeMap::new();
    for change in changes {
        let name = &change.info.stream;
        let number = match tables.number_so_far(name)? {
            Some(number) => number,
            None => {
                last += 1;
                tables.stream_numbers.insert(name.as_str(), last)?;
                last
            }
        };
        numbers.insert(name.as_str(), number);
        by_number.insert(number, change);
    }
    write_changes(tables, by_number)?;
    write_late(tables, batches, &numbers)?;
    Ok(numbers)
}

fn write_changes(
    tables: &mut WriteTables<'_>,
    changes: BTreeMap<u64, Change<'_>>,
) -> StoreResult<()> {
    let mut categories: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (number, change) in changes {
        let info = change.info;
        tables
            .streams
            .insert(number, encode_stream(info).as_slice())?;
        if change.events == 0 {
            continue;
        }
        if let Some(before) = change.last_before {
            tables.streams_by_last.remove(before.0)?;
        }
        tables
            .streams_by_last
            .insert(info.last_position.0, number)?;
        let counts = categories.entry(info.stream.category()).or_default();
        counts.0 += u64::from(change.last_before.is_none());
        counts.1 += change.events;
    }
    for (category, more) in categories {
        let counts = tables.categories.get(category)?;
        let counts = counts.map_or((0, 0), |counts| counts.value());
        let counts = (counts.0 + more.0, counts.1 + more.1);
        tables.categories.insert(category, counts)?;
    }
    Ok(())
}

fn write_late(
    tables: &mut WriteTables<'_>,
    batches: &[&Batch],
    numbers: &HashMap<&str, u64>,
) -> StoreResult<()> {
    for placed in batches.iter().flat_map(|batch| &batch.events) {
        let event = &placed.event;
        if placed.is_late() {
            let number = number_of(numbers, &event.stream)?;
            let micros = event.recorded_at.as_micros();
            tables
                .late_events
                .insert((number, event.revision.0), micros)?;
        }
    }
    Ok(())
}
