//! The manifest of a segment: what it holds, and the checksum of each of its parts.
//!
//! Owns the way from a stream's revision, or from an event's index, to its block. The manifest carries the chain's value before
//! and after the segment's records, so segments can be walked one by one, and the checksums of all parts, so that none of them can
//! be exchanged for another, even a whole one.

use whodunit_core::ids::{Position, Revision};
use whodunit_core::time::Timestamp;

use super::columns::{ColumnsReader, ColumnsWriter};
use super::frame::{Checksum, Part};
use crate::store::Head;
use crate::store::bytes::Read;
use crate::store::chain::Chain;

/// What the manifest says of a block of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockEntry {
    /// Index of its first event in the order of the blocks.
    pub(crate) first_index: usize,
    /// Stream number and revision of its first event.
    pub(crate) first: (u64, Revision),
    /// Its frame.
    pub(crate) frame: FrameEntry,
}

/// What the manifest says of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameEntry {
    /// Bytes of it.
    pub(crate) length: usize,
    /// Its checksum.
    pub(crate) checksum: Checksum,
}

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Position of its first event, or the next one when it has none.
    pub(crate) first_position: Position,
    /// How many events it has.
    pub(crate) events: usize,
    /// Sequence of its first decision, or the next one when it has none.
    pub(crate) first_decision: u64,
    /// How many decisions it has.
    pub(crate) decisions: usize,
    /// The chain's value before its first record.
    pub(crate) chain_before: Chain,
    /// The chain's value after its last record.
    pub(crate) chain_after: Chain,
    /// Earliest and latest `recorded_at` of its events; both [`Timestamp::MIN`] when it has none.
    pub(crate) recorded: (Timestamp, Timestamp),
    /// Its blocks of events, in order.
    pub(crate) blocks: Vec<BlockEntry>,
    /// Sequences of the first decisions of its blocks of decisions, and their frames.
    pub(crate) decision_blocks: Vec<(u64, FrameEntry)>,
    /// The frame of its columns by position.
    pub(crate) columns: FrameEntry,
}

impl Manifest {
    /// Encodes the manifest.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = ColumnsWriter::default();
        out.number(self.first_position.0);
        out.size(self.events);
        out.number(self.first_decision);
        out.size(self.decisions);
        out.raw(&self.chain_before.0);
        out.raw(&self.chain_after.0);
        out.signed(self.recorded.0.as_micros());
        out.signed(self.recorded.1.as_micros());
        out.size(self.blocks.len());
        for block in &self.blocks {
            out.size(block.first_index);
            out.number(block.first.0);
            out.number(block.first.1.0);
            put_frame(&mut out, block.frame);
        }
        out.size(self.decision_blocks.len());
        for (first, frame) in &self.decision_blocks {
            out.number(*first);
            put_frame(&mut out, *frame);
        }
        put_frame(&mut out, self.columns);
        out.finish()
    }

    /// Decodes a manifest.
    ///
    /// # Errors
    /// When it is not one.
    pub(crate) fn decode(bytes: &[u8]) -> Read<Self> {
        let mut columns = ColumnsReader::new(bytes)?;
        let first_position = Position(columns.number()?);
        let events = columns.size()?;
        let first_decision = columns.number()?;
        let decisions = columns.size()?;
        let chain_before = Chain(columns.raw()?);
        let chain_after = Chain(columns.raw()?);
        let recorded = (columns.signed()?, columns.signed()?);
        let mut blocks = Vec::new();
        for _ in 0..columns.count()? {
            blocks.push(BlockEntry {
                first_index: columns.size()?,
                first: (columns.number()?, Revision(columns.number()?)),
                frame: frame(&mut columns)?,
            });
        }
        let mut decision_blocks = Vec::new();
        for _ in 0..columns.count()? {
            decision_blocks.push((columns.number()?, frame(&mut columns)?));
        }
        let manifest = Self {
            first_position,
            events,
            first_decision,
            decisions,
            chain_before,
            chain_after,
            recorded: (
                Timestamp::from_micros(recorded.0),
                Timestamp::from_micros(recorded.1),
            ),
            blocks,
            decision_blocks,
            columns: frame(&mut columns)?,
        };
        columns.finish()?;
        manifest.in_order()?;
        Ok(manifest)
    }

    /// Searches go by these orders.
    fn in_order(&self) -> Read<()> {
        let blocks = self
            .blocks
            .is_sorted_by(|one, next| one.first_index < next.first_index && one.first < next.first);
        let starts = self
            .blocks
            .first()
            .is_none_or(|block| block.first_index == 0);
        let decisions = self
            .decision_blocks
            .is_sorted_by(|one, next| one.0 < next.0);
        if blocks && starts && decisions {
            Ok(())
        } else {
            Err("its blocks are out of order".into())
        }
    }

    /// The last place of the log in it: position of its last event and sequence of its last decision, or those before it.
    pub(crate) fn head(&self) -> Head {
        Head {
            position: Position((self.first_position.0 + self.events as u64).saturating_sub(1)),
            decision: (self.first_decision + self.decisions as u64).saturating_sub(1),
        }
    }

    /// Where a part other than the manifest stands in the segment's bytes: the columns first, then the blocks of events, then
    /// those of decisions.
    pub(crate) fn extent(&self, part: Part) -> Option<(usize, FrameEntry)> {
        let events = || self.blocks.iter().map(|block| block.frame);
        let decisions = self.decision_blocks.iter().map(|(_, frame)| *frame);
        let index = match part {
            Part::Manifest => return None,
            Part::Columns => 0,
            Part::Events(number) => (number as usize) + 1,
            Part::Decisions(number) => (number as usize) + 1 + self.blocks.len(),
        };
        if matches!(part, Part::Events(_)) && index > self.blocks.len() {
            return None;
        }
        let frames = std::iter::once(self.columns)
            .chain(events())
            .chain(decisions);
        let mut start = 0_usize;
        for (at, frame) in frames.enumerate() {
            if at == index {
                return Some((start, frame));
            }
            start = start.saturating_add(frame.length);
        }
        None
    }

    /// Bytes of all parts other than the manifest.
    pub(crate) fn bytes(&self) -> usize {
        let events = self.blocks.iter().map(|block| block.frame.length);
        let decisions = self.decision_blocks.iter().map(|(_, frame)| frame.length);
        let all = events.chain(decisions);
        all.fold(self.columns.length, usize::saturating_add)
    }

    /// The block that has the event of this index in the order of the blocks, and the event's index in it.
    pub(crate) fn block_of(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.events {
            return None;
        }
        let block = self
            .blocks
            .partition_point(|block| block.first_index <= index)
            .checked_sub(1)?;
        Some((block, index - self.blocks.get(block)?.first_index))
    }

    /// The block that may have this revision of this stream.
    pub(crate) fn block_of_revision(&self, stream: u64, revision: Revision) -> Option<usize> {
        self.blocks
            .partition_point(|block| block.first <= (stream, revision))
            .checked_sub(1)
    }

    /// The block that may have the decision of this sequence.
    pub(crate) fn block_of_decision(&self, sequence: u64) -> Option<usize> {
        self.decision_blocks
            .partition_point(|(first, _)| *first <= sequence)
            .checked_sub(1)
    }
}

fn put_frame(out: &mut ColumnsWriter, frame: FrameEntry) {
    out.size(frame.length);
    out.raw(&frame.checksum);
}

fn frame(columns: &mut ColumnsReader<'_>) -> Read<FrameEntry> {
    Ok(FrameEntry {
        length: columns.size()?,
        checksum: columns.raw()?,
    })
}
