//! Sealing: batches of the log become a segment, and what the tables beside it say of the whole log.
//!
//! Owns how many segments there are: one that is small is sealed again together with what comes after it, so that however
//! little is sealed at a time, a log has a few small segments at its end and large ones before them. What is sealed again is
//! held to the chain's values around it first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, StreamName};
use whodunit_core::time::Timestamp;

use super::super::open_tables::WriteTables;
use super::super::record::Rejections;
use super::parts::{Parts, Sealed};
use super::records::{Records, event};
use super::streams::write_streams;
use super::{CHUNK_BYTES, HashKey, NUMBER_MAX, causes, hash_key, runs, words};
use crate::store::bytes::Malformed;
use crate::store::chain::Chain;
use crate::store::segment::decisions::Decided;
use crate::store::segment::events::Unsealed;
use crate::store::segment::{self, Segment, Stretch};
use crate::store::write::{Batch, Placed};
use crate::store::{Head, StoreError};

type StoreResult<T> = Result<T, StoreError>;

/// Records up to which a segment is sealed again.
const SMALL: usize = 16_384;
/// Bytes up to which it is.
const SMALL_BYTES: usize = 4 << 20;

/// Seals batches that follow what is sealed, with the chain's value behind them.
pub(in crate::store::redb) fn seal(
    tables: &mut WriteTables<'_>,
    parts: &Parts,
    batches: &[&Batch],
    chain: (Chain, Chain),
) -> StoreResult<()> {
    let head = super::head(tables, parts)?;
    let records = Written::new(batches, head)?;
    let numbers = write_streams(tables, batches)?;
    write_ids(tables, &records)?;
    causes::write(tables, batches)?;
    write_decisions(tables, &records.decisions)?;
    for batch in batches {
        for write in &batch.keys {
            tables.write_key(write)?;
        }
        for write in &batch.jobs {
            tables.write_job(write)?;
        }
    }
    if records.events.is_empty() && records.decisions.is_empty() {
        return Ok(());
    }
    write_segment(tables, parts, &records, &numbers, chain)
}

/// The records of batches, in the order of the log.
struct Written<'a> {
    /// Where the log ended before them.
    before: Head,
    events: Vec<&'a Placed>,
    /// Each with the last position before it.
    decisions: Vec<(Position, &'a Decision)>,
}

impl<'a> Written<'a> {
    fn new(batches: &[&'a Batch], before: Head) -> StoreResult<Self> {
        let mut records = Self {
            before,
            events: Vec::new(),
            decisions: Vec::new(),
        };
        let mut head = before;
        for batch in batches {
            for placed in &batch.events {
                head.position = head.position.next();
                if placed.event.position != head.position {
                    return Err(gap(format!("position {}", head.position)));
                }
                records.events.push(placed);
            }
            if let Some(decision) = &batch.decision {
                head.decision += 1;
                if decision.sequence != head.decision {
                    return Err(gap(format!("decision {}", head.decision)));
                }
                records.decisions.push((head.position, decision));
            }
        }
        if head.position.0 > NUMBER_MAX || head.decision > NUMBER_MAX {
            return Err(StoreError::Engine {
                doing: "sealing the log",
                source: format!("it has no room for more than {NUMBER_MAX} events").into(),
            });
        }
        Ok(records)
    }
}

fn gap(place: String) -> StoreError {
    StoreError::Damaged {
        place,
        detail: "what is to be sealed does not continue there".to_owned(),
    }
}

pub(super) fn number_of(numbers: &HashMap<&str, u64>, stream: &StreamName) -> StoreResult<u64> {
    let number = numbers.get(stream.as_str()).copied();
    number.ok_or_else(|| gap(format!("the record of `{stream}`")))
}

/// Writes the hashes of the ids, in their order.
fn write_ids(tables: &mut WriteTables<'_>, records: &Written<'_>) -> StoreResult<()> {
    let events = records.events.iter().map(|placed| &placed.event);
    let mut keys: Vec<HashKey> = events
        .map(|event| hash_key(&event.event_id, event.position.0))
        .collect();
    keys.sort_unstable();
    for key in keys {
        tables.event_hashes.insert(&key, ())?;
    }
    let decisions = records.decisions.iter().map(|(_, decision)| *decision);
    let mut keys: Vec<HashKey> = decisions
        .map(|decision| hash_key(&decision.command_id, decision.sequence))
        .collect();
    keys.sort_unstable();
    for key in keys {
        tables.command_hashes.insert(&key, ())?;
    }
    Ok(())
}

fn write_decisions(
    tables: &mut WriteTables<'_>,
    decisions: &[(Position, &Decision)],
) -> StoreResult<()> {
    let last = tables.rejections.last()?;
    let mut rejections = last.map_or(Rejections::default(), |(last, furthest)| Rejections {
        furthest: Position(furthest.value()),
        last: last.value(),
    });
    for (_, decision) in decisions {
        let rejected = matches!(decision.result, Outcome::Rejected { .. });
        let key = (decision.stream.as_str(), decision.sequence);
        tables.stream_decisions.insert(key, rejected)?;
        if rejected {
            rejections = rejections.and(decision);
            let furthest = rejections.furthest.0;
            tables.rejections.insert(decision.sequence, furthest)?;
        }
    }
    Ok(())
}

/// Records of segments that are sealed again.
#[derive(Default)]
pub(super) struct Reopened {
    /// Each with its stream's number and its effective time.
    pub(super) events: Vec<(u64, Event, Timestamp)>,
    pub(super) decisions: Vec<(Position, Decision)>,
}

fn write_segment(
    tables: &mut WriteTables<'_>,
    parts: &Parts,
    new: &Written<'_>,
    numbers: &HashMap<&str, u64>,
    (chain_before, chain_after): (Chain, Chain),
) -> StoreResult<()> {
    let small = small_ones(tables, parts, new, chain_before)?;
    let number = tables
        .segments
        .last()?
        .map_or(1, |(key, _)| key.value() + 1);
    let mut reopened = Reopened::default();
    for segment in &small {
        let known = reopened.events.len();
        reopen(tables, parts, segment, &mut reopened)?;
        let events = reopened
            .events
            .iter()
            .skip(known)
            .map(|(_, event, _)| event);
        words::remove(tables, segment.number, &words::counts_of(events))?;
    }
    let mut stretch = Stretch {
        first_position: new.before.position.next(),
        first_decision: new.before.decision + 1,
        events: Vec::new(),
        decisions: Vec::new(),
        chain_before,
        chain_after,
    };
    if let Some(first) = small.first() {
        stretch.first_position = first.manifest.first_position;
        stretch.first_decision = first.manifest.first_decision;
        stretch.chain_before = first.manifest.chain_before;
    }
    for (stream, event, effective_at) in &reopened.events {
        stretch.events.push(Unsealed {
            stream: *stream,
            event,
            effective_at: *effective_at,
        });
    }
    for placed in &new.events {
        stretch.events.push(Unsealed {
            stream: number_of(numbers, &placed.event.stream)?,
            event: &placed.event,
            effective_at: placed.effective_at,
        });
    }
    let decided = reopened
        .decisions
        .iter()
        .map(|(behind, decision)| (*behind, decision));
    let decided = decided.chain(new.decisions.iter().copied());
    stretch
        .decisions
        .extend(decided.map(|(behind, decision)| Decided { behind, decision }));
    let sealed = segment::seal(parts.store, number, &stretch).map_err(failed)?;
    for segment in &small {
        remove(tables, segment)?;
    }
    insert(tables, number, &sealed)?;
    let events = stretch.events.iter().map(|own| own.event);
    words::put(tables, number, &words::counts_of(events))?;
    let mut firsts: BTreeMap<u64, u64> = BTreeMap::new();
    for event in &stretch.events {
        firsts.entry(event.stream).or_insert(event.event.revision.0);
    }
    for (stream, first) in firsts {
        runs::put(tables, stream, first, number)?;
    }
    Ok(())
}

fn failed(Malformed(why): Malformed) -> StoreError {
    StoreError::Engine {
        doing: "sealing the log",
        source: why.into(),
    }
}

/// The segments at the end that are sealed again with what comes now, in the order of the log.
fn small_ones(
    tables: &WriteTables<'_>,
    parts: &Parts,
    new: &Written<'_>,
    chain_before: Chain,
) -> StoreResult<Vec<Arc<Sealed>>> {
    let records = Records {
        tables,
        parts,
        head: new.before,
    };
    let mut small = Vec::new();
    let mut count = new.events.len() + new.decisions.len();
    let (mut bytes, mut chain) = (0, chain_before);
    let numbers: Vec<u64> = tables
        .segments
        .entries()?
        .rev()
        .take(usize::BITS as usize)
        .map(|entry| Ok(entry?.0.value()))
        .collect::<StoreResult<_>>()?;
    for number in numbers {
        let segment = records.segment(number)?;
        let manifest = &segment.manifest;
        if manifest.chain_after != chain {
            return Err(StoreError::Damaged {
                place: format!("the end of segment {number}"),
                detail: "its chain value does not match what comes after it".to_owned(),
            });
        }
        chain = manifest.chain_before;
        let own = manifest.events + manifest.decisions;
        bytes += manifest.bytes();
        if own > count || own + count > SMALL || bytes > SMALL_BYTES {
            break;
        }
        count += own;
        small.insert(0, segment);
    }
    Ok(small)
}

/// Reads all records of a segment, held to the chain's values around it.
pub(super) fn reopen(
    tables: &WriteTables<'_>,
    parts: &Parts,
    segment: &Sealed,
    into: &mut Reopened,
) -> StoreResult<()> {
    let manifest = &segment.manifest;
    let records = Records {
        tables,
        parts,
        head: manifest.head(),
    };
    let mut chain = manifest.chain_before;
    let (mut sequence, last) = (manifest.first_decision, manifest.head().decision);
    let mut decide = |behind: Position, chain: &mut Chain| -> StoreResult<()> {
        while sequence <= last {
            let block = records.decided(sequence)?;
            let own = block.behind(sequence);
            if own.is_none_or(|own| own > behind) {
                break;
            }
            let Some(decision) = records.decision(sequence)? else {
                break;
            };
            chain.decision(&decision);
            into.decisions.push((behind, decision));
            sequence += 1;
        }
        Ok(())
    };
    let columns = records.columns(segment)?;
    let mut position = manifest.first_position;
    decide(Position(position.0.saturating_sub(1)), &mut chain)?;
    for _ in 0..manifest.events {
        let found = records.ranked(segment, &columns, position)?;
        let event = event(&found)?;
        chain.event(&event);
        let (block, within) = found;
        let (Some((stream, _)), Some(effective_at)) =
            (block.key(within), block.effective_at(within))
        else {
            return Err(gap(format!("position {position}")));
        };
        into.events.push((stream, event, effective_at));
        decide(position, &mut chain)?;
        position = position.next();
    }
    if chain == manifest.chain_after && sequence > last {
        return Ok(());
    }
    Err(StoreError::Damaged {
        place: format!("segment {}", segment.number),
        detail: "its chain value does not match what it holds".to_owned(),
    })
}

/// Puts a segment into the tables that are of segments alone.
pub(in crate::store::redb) fn insert(
    tables: &mut WriteTables<'_>,
    number: u64,
    sealed: &Segment,
) -> StoreResult<()> {
    let manifest = &sealed.manifest;
    tables
        .segments
        .insert(number, sealed.manifest_frame.as_slice())?;
    for (index, chunk) in (0_u64..).zip(sealed.body.chunks(CHUNK_BYTES)) {
        tables.segment_chunks.insert((number, index), chunk)?;
    }
    let place = (manifest.first_position.0, number);
    tables.segments_by_position.insert(place, ())?;
    let place = (manifest.first_decision, number);
    tables.segments_by_decision.insert(place, ())
}

pub(super) fn remove(tables: &mut WriteTables<'_>, segment: &Sealed) -> StoreResult<()> {
    let (number, manifest) = (segment.number, &segment.manifest);
    tables.segments.remove(number)?;
    for (index, _) in (0_u64..).zip((0..manifest.bytes()).step_by(CHUNK_BYTES)) {
        tables.segment_chunks.remove((number, index))?;
    }
    let place = (manifest.first_position.0, number);
    tables.segments_by_position.remove(place)?;
    let place = (manifest.first_decision, number);
    tables.segments_by_decision.remove(place)
}
