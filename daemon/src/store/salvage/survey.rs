//! Which of the records that were found belong to the log: those that their chain leads to, and those that nothing contradicts.
//!
//! Owns the difference between a record that is missing, one that does not chain and one that nothing proves. The chain is
//! known at both ends of every segment and behind every frame. Between two such places, records that lead from one to the other are
//! proven; where one is missing, those beside it stand on the checksums of their parts alone; where none is missing and they do
//! not lead there, they are not what was written.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use whodunit_core::ids::StreamName;

use super::records::Records;
use crate::store::chain::{CHAIN_BYTES, Chain};

/// Numbers from one to another, both among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// Adds a number to ranges that stand before it.
fn add(ranges: &mut Vec<Range>, number: u64) {
    match ranges.last_mut() {
        Some(last) if last.to + 1 == number => last.to = number,
        _ => ranges.push(Range {
            from: number,
            to: number,
        }),
    }
}

fn has(ranges: &[Range], number: u64) -> bool {
    let at = ranges.partition_point(|range| range.to < number);
    ranges.get(at).is_some_and(|range| range.from <= number)
}

/// How many numbers are in ranges.
pub(super) fn count(ranges: &[Range]) -> u64 {
    ranges.iter().map(|range| range.to - range.from + 1).sum()
}

/// What became of the numbers of one kind of records.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// There is no such record.
    pub(super) missing: Vec<Range>,
    /// There is one, and it is not what was written.
    pub(super) altered: Vec<Range>,
    /// How many are there that the chain leads to.
    pub(super) proven: u64,
    /// How many are there that stand on their parts' checksums alone.
    pub(super) unproven: u64,
}

impl Kept {
    /// Whether a record of this number goes into the file.
    pub(super) fn has(&self, number: u64) -> bool {
        !has(&self.missing, number) && !has(&self.altered, number)
    }
}

/// Half of a chain: that of the events or that of the decisions.
type Half = [u8; CHAIN_BYTES / 2];

/// Follows the records of one kind from the first to the last.
fn follow(
    end: u64,
    anchors: &BTreeMap<u64, Vec<Half>>,
    mut next: impl FnMut(u64, &mut Half) -> bool,
) -> Kept {
    let mut kept = Kept::default();
    let (mut value, mut since, mut there) = (Some(Half::default()), 1, 0);
    for number in 1..=end {
        let mut after = value.unwrap_or_default();
        if next(number, &mut after) {
            value = value.map(|_| after);
            there += 1;
        } else {
            add(&mut kept.missing, number);
            value = None;
        }
        let Some(said) = anchors.get(&number) else {
            continue;
        };
        match value {
            Some(value) if said.contains(&value) => kept.proven += there,
            Some(_) => (since..=number).for_each(|number| add(&mut kept.altered, number)),
            None => kept.unproven += there,
        }
        let leads = value.filter(|value| said.contains(value));
        value = leads.or_else(|| said.last().copied());
        (since, there) = (number + 1, 0);
    }
    kept.unproven += there;
    kept
}

/// Where the events of a stream are: by revision, from 1; 0 where there is none.
pub(super) type Revisions = HashMap<StreamName, Vec<u64>>;

/// What is known of all records.
pub(super) struct Survey {
    pub(super) events: Kept,
    pub(super) decisions: Kept,
    pub(super) revisions: Revisions,
}

impl Survey {
    pub(super) fn of(
        records: &Records,
        (events, decisions): (u64, u64),
        progress: &mut dyn FnMut(u64, u64),
    ) -> Self {
        let (mut of_events, mut of_decisions) = (BTreeMap::new(), BTreeMap::new());
        for anchor in records.anchors() {
            let (event, decision) = halves(anchor.chain);
            insert(&mut of_events, anchor.position, event);
            insert(&mut of_decisions, anchor.decision, decision);
        }
        let mut revisions = Revisions::new();
        let events = follow(events, &of_events, |position, value| {
            if position % 1024 == 0 {
                progress(position, events);
            }
            let Some(event) = records.event(position) else {
                return false;
            };
            let mut chain = Chain::START;
            put(&mut chain, 0, value);
            chain.event(&event);
            *value = halves(chain).0;
            let known = revisions.entry(event.stream).or_default();
            let index = usize::try_from(event.revision.0.saturating_sub(1)).unwrap_or(usize::MAX);
            // A revision is at most the number of events.
            if index < usize::try_from(position).unwrap_or(usize::MAX) {
                if known.len() <= index {
                    known.resize(index + 1, 0);
                }
                if let Some(place) = known.get_mut(index) {
                    *place = position;
                }
            }
            true
        });
        for known in revisions.values_mut() {
            for position in known {
                if *position > 0 && !events.has(*position) {
                    *position = 0;
                }
            }
        }
        let decisions = follow(decisions, &of_decisions, |sequence, value| {
            let Some(decision) = records.decision(sequence) else {
                return false;
            };
            let mut chain = Chain::START;
            put(&mut chain, CHAIN_BYTES / 2, value);
            chain.decision(&decision);
            *value = halves(chain).1;
            true
        });
        Self {
            events,
            decisions,
            revisions,
        }
    }
}

fn insert(anchors: &mut BTreeMap<u64, Vec<Half>>, number: u64, value: Half) {
    let said = anchors.entry(number).or_default();
    if !said.contains(&value) {
        said.push(value);
    }
}

fn halves(chain: Chain) -> (Half, Half) {
    let (mut events, mut decisions) = (Half::default(), Half::default());
    let (one, other) = chain.0.split_at(CHAIN_BYTES / 2);
    events.copy_from_slice(one);
    decisions.copy_from_slice(other);
    (events, decisions)
}

fn put(chain: &mut Chain, at: usize, value: &Half) {
    if let Some(half) = chain.0.get_mut(at..at + value.len()) {
        half.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each record moves the value along by its number; `lost` are missing, `changed` are something else.
    fn followed(lost: &[u64], changed: &[u64], at: &[u64]) -> (u64, u64, Vec<Range>, Vec<Range>) {
        let step = |number: u64, value: &mut Half, changed: bool| {
            for (byte, own) in value.iter_mut().zip(number.to_le_bytes()) {
                *byte = byte.wrapping_mul(3) ^ own ^ u8::from(changed) << 7;
            }
        };
        let mut anchors = BTreeMap::new();
        let mut value = Half::default();
        for number in 1..=20 {
            step(number, &mut value, false);
            if at.contains(&number) {
                anchors.insert(number, vec![value]);
            }
        }
        let kept = follow(20, &anchors, |number, value| {
            step(number, value, changed.contains(&number));
            !lost.contains(&number)
        });
        (kept.proven, kept.unproven, kept.missing, kept.altered)
    }

    #[test]
    fn records_between_two_known_places_are_proven_missing_or_altered() {
        let range = |from, to| Range { from, to };
        assert_eq!(followed(&[], &[], &[10, 20]), (20, 0, vec![], vec![]));
        // Nothing says what the chain is at the end.
        assert_eq!(followed(&[], &[], &[10]), (10, 10, vec![], vec![]));
        assert_eq!(
            followed(&[3, 4], &[], &[5, 10, 20]),
            (15, 3, vec![range(3, 4)], vec![])
        );
        assert_eq!(
            followed(&[], &[7], &[5, 10, 20]),
            (15, 0, vec![], vec![range(6, 10)])
        );
        assert_eq!(
            followed(&[20], &[], &[]),
            (0, 19, vec![range(20, 20)], vec![])
        );
    }
}
