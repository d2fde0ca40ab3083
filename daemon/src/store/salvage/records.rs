//! The records of a damaged store, by position and by sequence, from wherever there are any.
//!
//! Owns what may be believed of one record: the part of the segment or the frame of the log that it comes from is whole by its
//! own checksum. Whether records belong together is told by the chain (see `survey`).

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use whodunit_core::command::Decision;
use whodunit_core::event::Event;

use super::pages::{Chunk, Pages, Scan};
use crate::store::StoreId;
use crate::store::chain::Chain;
use crate::store::segment::decisions::DecisionBlock;
use crate::store::segment::events::EventBlock;
use crate::store::segment::frame::{Part, Place, checksum, unwrap};
use crate::store::segment::manifest::Manifest;
use crate::store::wal::SalvagedFrame;
use crate::store::write::Batch;

/// Bytes of the chunks that a segment is cut into.
const CHUNK_BYTES: usize = 32 * 1024 - 64;
/// Blocks that are kept decoded.
const BLOCKS_KEPT: usize = 512;
/// Ways that chunks of which there are several may go together, that are tried for a part.
const WAYS_MAX: usize = 64;

/// A segment of which there is a manifest.
struct Found {
    number: u64,
    manifest: Manifest,
}

/// What a place of the log says the chain is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    pub(super) position: u64,
    pub(super) decision: u64,
    pub(super) chain: Chain,
}

/// All that was found.
pub(super) struct Records {
    store: StoreId,
    pages: Option<Pages>,
    chunks: BTreeMap<(u64, u64), Vec<Chunk>>,
    /// By number.
    segments: Vec<Found>,
    /// Where events stand, by position: segment, block, and row in it.
    places: HashMap<u64, (usize, u32, u32)>,
    logged: BTreeMap<u64, Event>,
    logged_decisions: BTreeMap<u64, Decision>,
    anchors: Vec<Anchor>,
    blocks: RefCell<HashMap<(usize, Part), Block>>,
}

#[derive(Clone)]
enum Block {
    Events(Arc<EventBlock>),
    Decisions(Arc<DecisionBlock>),
    Lost,
}

impl Records {
    pub(super) fn new(store: StoreId, pages: Option<Pages>, scan: Scan) -> Self {
        let mut records = Self {
            store,
            pages,
            chunks: scan.chunks,
            segments: Vec::new(),
            places: HashMap::new(),
            logged: BTreeMap::new(),
            logged_decisions: BTreeMap::new(),
            anchors: Vec::new(),
            blocks: RefCell::default(),
        };
        for (number, manifests) in scan.manifests {
            for manifest in manifests {
                records.add(number, manifest);
            }
        }
        records.locate();
        records
    }

    fn add(&mut self, number: u64, manifest: Manifest) {
        let head = manifest.head();
        for (position, decision, chain) in [
            (
                manifest.first_position.0.saturating_sub(1),
                manifest.first_decision.saturating_sub(1),
                manifest.chain_before,
            ),
            (head.position.0, head.decision, manifest.chain_after),
        ] {
            self.anchors.push(Anchor {
                position,
                decision,
                chain,
            });
        }
        self.segments.push(Found { number, manifest });
    }

    /// Finds out where each event stands. A newer segment holds the same as those that it took the place of.
    fn locate(&mut self) {
        for index in 0..self.segments.len() {
            let blocks = self.segments.get(index);
            let blocks = blocks.map_or(0, |found| found.manifest.blocks.len());
            for number in (0..).take(blocks) {
                // Of a segment that a newer one took the place of, parts may be gone.
                let Block::Events(block) = self.block(index, Part::Events(number)) else {
                    continue;
                };
                for row in 0_u32.. {
                    let Some(position) = block.position(row as usize) else {
                        break;
                    };
                    self.places.insert(position.0, (index, number, row));
                }
            }
        }
    }

    /// Takes the frames of the log, in their order.
    pub(super) fn log(&mut self, frames: &[SalvagedFrame]) {
        for frame in frames {
            let Ok((batches, chain)) = crate::store::frame::read(&frame.payload) else {
                continue;
            };
            let (mut position, mut decision) = (None, None);
            for Batch {
                events,
                decision: own,
                ..
            } in batches
            {
                for placed in events {
                    position = Some(placed.event.position.0);
                    self.logged.insert(placed.event.position.0, placed.event);
                }
                if let Some(own) = own {
                    decision = Some(own.sequence);
                    self.logged_decisions.insert(own.sequence, own);
                }
            }
            // A frame says the values of both chains; where it is in each, only a record of it says.
            if let Some(position) = position {
                self.anchors.push(Anchor {
                    position,
                    decision: decision.unwrap_or(u64::MAX),
                    chain,
                });
            } else if let Some(decision) = decision {
                self.anchors.push(Anchor {
                    position: u64::MAX,
                    decision,
                    chain,
                });
            }
        }
    }

    /// What places say that the chain is there.
    pub(super) fn anchors(&self) -> &[Anchor] {
        &self.anchors
    }

    /// The last position and decision of which there is a trace.
    pub(super) fn end(&self) -> (u64, u64) {
        let heads = self.segments.iter().map(|found| found.manifest.head());
        let sealed = heads.fold((0, 0), |(position, decision), head| {
            (head.position.0.max(position), head.decision.max(decision))
        });
        let last = |map: Option<&u64>| map.copied().unwrap_or(0);
        (
            sealed.0.max(last(self.logged.keys().next_back())),
            sealed.1.max(last(self.logged_decisions.keys().next_back())),
        )
    }

    /// The event at a position, from the newest segment that has it, or from the log.
    pub(super) fn event(&self, position: u64) -> Option<Event> {
        let sealed = || {
            let (index, block, row) = *self.places.get(&position)?;
            let Block::Events(block) = self.block(index, Part::Events(block)) else {
                return None;
            };
            block.checked_event(row as usize).ok().flatten()
        };
        sealed().or_else(|| self.logged.get(&position).cloned())
    }

    /// The decision of a sequence.
    pub(super) fn decision(&self, sequence: u64) -> Option<Decision> {
        let of_segment = |(index, found): (usize, &Found)| {
            let manifest = &found.manifest;
            if !(manifest.first_decision..=manifest.head().decision).contains(&sequence) {
                return None;
            }
            let block = u32::try_from(manifest.block_of_decision(sequence)?).ok()?;
            let Block::Decisions(block) = self.block(index, Part::Decisions(block)) else {
                return None;
            };
            block.decision(sequence).ok().flatten()
        };
        let found = self.segments.iter().enumerate().rev().find_map(of_segment);
        found.or_else(|| self.logged_decisions.get(&sequence).cloned())
    }

    /// A block of a segment.
    fn block(&self, index: usize, part: Part) -> Block {
        if let Some(block) = self.blocks.borrow().get(&(index, part)) {
            return block.clone();
        }
        let bytes = self.part(index, part);
        let block = match (part, bytes) {
            (Part::Events(_), Some(bytes)) => EventBlock::decode(&bytes)
                .map_or(Block::Lost, |block| Block::Events(Arc::new(block))),
            (Part::Decisions(_), Some(bytes)) => DecisionBlock::decode(&bytes)
                .map_or(Block::Lost, |block| Block::Decisions(Arc::new(block))),
            _ => Block::Lost,
        };
        let mut blocks = self.blocks.borrow_mut();
        if blocks.len() >= BLOCKS_KEPT {
            blocks.clear();
        }
        blocks.insert((index, part), block.clone());
        block
    }

    /// The bytes of a part, put together from chunks in a way that its checksum confirms.
    fn part(&self, index: usize, part: Part) -> Option<Vec<u8>> {
        let found = self.segments.get(index)?;
        let pages = self.pages.as_ref()?;
        let (start, entry) = found.manifest.extent(part)?;
        let end = start.checked_add(entry.length)?;
        let total = found.manifest.bytes();
        let place = Place {
            store: self.store,
            segment: found.number,
            part,
        };
        let first = start / CHUNK_BYTES;
        // For each chunk that it touches, what there is of it, each but once.
        let mut choices: Vec<Vec<Vec<u8>>> = Vec::new();
        for chunk in first..=(end - 1) / CHUNK_BYTES {
            let length = CHUNK_BYTES.min(total - (chunk * CHUNK_BYTES).min(total));
            let mut distinct: Vec<Vec<u8>> = Vec::new();
            for own in self.chunks.get(&(found.number, chunk as u64))? {
                if own.length == length {
                    let bytes = pages.chunk(*own);
                    if !distinct.contains(&bytes) {
                        distinct.push(bytes);
                    }
                }
            }
            choices.push(distinct);
        }
        let ways: usize = choices.iter().map(Vec::len).product();
        for way in 0..ways.min(WAYS_MAX) {
            let mut rest = way;
            let mut bytes = Vec::new();
            for distinct in &choices {
                bytes.extend_from_slice(distinct.get(rest % distinct.len())?);
                rest /= distinct.len();
            }
            let offset = start - first * CHUNK_BYTES;
            let Some(frame) = bytes.get(offset..offset + entry.length) else {
                continue;
            };
            if checksum(frame).is_ok_and(|sum| sum == entry.checksum)
                && let Ok(part) = unwrap(place, frame)
            {
                return Some(part);
            }
        }
        None
    }
}
