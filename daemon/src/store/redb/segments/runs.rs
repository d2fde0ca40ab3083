//! Which segments have the events of a stream.
//!
//! Owns the table of runs. A run is the events of a stream in one segment, known by the first of them; up to
//! [`RUNS_MAX`] runs of a stream that follow each other stand together under the revision of their first.

use super::super::open_tables::{OpenTables, Transaction, WriteTables};
use crate::store::StoreError;
use crate::store::bytes::{Malformed, Read, Reader, Writer};

type StoreResult<T> = Result<T, StoreError>;

const RUNS_MAX: usize = 64;

/// The first revision of a run, and the segment that it is in.
pub(in crate::store::redb) type Run = (u64, u64);

fn encode(runs: &[Run]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut out = Writer(&mut bytes);
    let (mut before, mut segment_before) = (0, 0);
    for (first, segment) in runs {
        out.delta(&mut before, first.cast_signed());
        out.delta(&mut segment_before, segment.cast_signed());
    }
    bytes
}

/// The runs of an entry.
pub(in crate::store::redb) fn decode(bytes: &[u8]) -> Read<Vec<Run>> {
    let mut from = Reader(bytes);
    let (mut before, mut segment_before) = (0, 0);
    let mut runs = Vec::new();
    while !from.0.is_empty() {
        let first = from.delta(&mut before)?.cast_unsigned();
        runs.push((first, from.delta(&mut segment_before)?.cast_unsigned()));
    }
    Ok(runs)
}

pub(super) fn damaged(stream: u64) -> impl FnOnce(Malformed) -> StoreError {
    move |Malformed(detail)| StoreError::Damaged {
        place: format!("the runs of stream number {stream}"),
        detail: detail.into_owned(),
    }
}

/// The segment that has a revision of a stream, if any has it.
pub(super) fn segment_of<T: Transaction>(
    tables: &OpenTables<T>,
    stream: u64,
    revision: u64,
) -> StoreResult<Option<u64>> {
    let mut entries = tables.runs.range((stream, 0)..=(stream, revision))?;
    let Some(entry) = entries.next_back() else {
        return Ok(None);
    };
    let runs = decode(entry?.1.value()).map_err(damaged(stream))?;
    let run = runs.iter().rev().find(|(first, _)| *first <= revision);
    Ok(run.map(|(_, segment)| *segment))
}

/// Says that the events of a stream from a revision on are in a segment. Those that were said to be in others are there no
/// more.
pub(super) fn put(
    tables: &mut WriteTables<'_>,
    stream: u64,
    first: u64,
    segment: u64,
) -> StoreResult<()> {
    loop {
        let last = {
            let mut entries = tables.runs.range((stream, 0)..=(stream, u64::MAX))?;
            match entries.next_back().transpose()? {
                Some((key, runs)) => Some((
                    key.value().1,
                    decode(runs.value()).map_err(damaged(stream))?,
                )),
                None => None,
            }
        };
        let Some((key, mut runs)) = last else { break };
        runs.retain(|(own, _)| *own < first);
        if runs.is_empty() {
            tables.runs.remove((stream, key))?;
            continue;
        }
        if runs.len() >= RUNS_MAX {
            break;
        }
        runs.push((first, segment));
        return tables.runs.insert((stream, key), encode(&runs).as_slice());
    }
    let runs = [(first, segment)];
    tables
        .runs
        .insert((stream, first), encode(&runs).as_slice())
}
