//! Segments: stretches of the log, sealed for good.
//!
//! Owns the bytes of a segment: blocks of events by stream and revision, blocks of decisions by sequence, what is kept of each
//! event by position, and the manifest, which says what the others are. Pure: never touches a file, and never decides when to
//! seal. What is read is checked: a part that is not what was written, or that stands where another belongs, is an error and
//! never an answer. `docs/STORE_FORMAT.md` has the layout byte by byte.

mod columns;
#[cfg(test)]
mod columns_tests;
pub(crate) mod decisions;
pub(crate) mod events;
#[cfg(test)]
mod format_tests;
pub(crate) mod frame;
pub(crate) mod manifest;
pub(crate) mod positions;
#[cfg(test)]
mod tests;

use whodunit_core::event::Event;
use whodunit_core::ids::Position;
use whodunit_core::time::Timestamp;

pub(crate) use self::columns::uuid;
use self::decisions::Decided;
use self::events::Unsealed;
use self::frame::{Part, Place, checksum, wrap};
use self::manifest::{BlockEntry, FrameEntry, Manifest};
use crate::store::StoreId;
use crate::store::bytes::{Malformed, Read};
use crate::store::chain::Chain;

/// Most events of a block. With more, a block is hardly smaller by event, and takes longer to read for one of them.
const BLOCK_EVENTS_MAX: usize = 128;
/// A block ends at the event with which its payloads reach this many bytes.
const BLOCK_BYTES: usize = 64 * 1024;
/// Most decisions of a block.
const BLOCK_DECISIONS_MAX: usize = 64;

/// What is to be sealed: records that follow each other in the log without a gap.
#[derive(Debug, Clone)]
pub(crate) struct Stretch<'a> {
    /// Position of the first event, or the next one when there is none.
    pub(crate) first_position: Position,
    /// Events by position.
    pub(crate) events: Vec<Unsealed<'a>>,
    /// Sequence of the first decision, or the next one when there is none.
    pub(crate) first_decision: u64,
    /// Decisions by sequence.
    pub(crate) decisions: Vec<Decided<'a>>,
    /// The chain's value before the first record.
    pub(crate) chain_before: Chain,
    /// The chain's value after the last record.
    pub(crate) chain_after: Chain,
}

/// A sealed segment.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// What it holds.
    pub(crate) manifest: Manifest,
    /// The manifest's frame.
    pub(crate) manifest_frame: Vec<u8>,
    /// The frames of its other parts, one behind the other, in the order of [`Manifest::extent`].
    pub(crate) body: Vec<u8>,
}

/// Seals a stretch of the log as the segment of this number of this store.
///
/// # Errors
/// When a part is too long for a frame.
pub(crate) fn seal(store: StoreId, number: u64, stretch: &Stretch<'_>) -> Read<Segment> {
    let mut body = Body {
        store,
        segment: number,
        bytes: Vec::new(),
    };
    let mut order: Vec<usize> = (0..stretch.events.len()).collect();
    let at = |index: usize| stretch.events.get(index);
    order.sort_by_key(|index| at(*index).map(|event| (event.stream, event.event.revision)));
    let sorted: Vec<Unsealed<'_>> = order
        .iter()
        .filter_map(|index| at(*index).copied())
        .collect();
    let mut ranked: Vec<(usize, &Event)> =
        stretch.events.iter().map(|own| (0, own.event)).collect();
    for (rank, index) in order.iter().enumerate() {
        if let Some(own) = ranked.get_mut(*index) {
            own.0 = rank;
        }
    }
    let columns = body.push(Part::Columns, &positions::encode(&ranked))?;
    let (mut blocks, mut first_index) = (Vec::new(), 0);
    for block in cut(&sorted) {
        let Some(first) = block.first() else { continue };
        let part = Part::Events(index_of(blocks.len())?);
        blocks.push(BlockEntry {
            first_index,
            first: (first.stream, first.event.revision),
            frame: body.push(part, &events::encode(block))?,
        });
        first_index += block.len();
    }
    let mut decision_blocks = Vec::new();
    for block in stretch.decisions.chunks(BLOCK_DECISIONS_MAX) {
        let part = Part::Decisions(index_of(decision_blocks.len())?);
        let first = block.first().map_or(0, |first| first.decision.sequence);
        decision_blocks.push((first, body.push(part, &decisions::encode(block))?));
    }
    let times = || stretch.events.iter().map(|own| own.event.recorded_at);
    let manifest = Manifest {
        first_position: stretch.first_position,
        events: stretch.events.len(),
        first_decision: stretch.first_decision,
        decisions: stretch.decisions.len(),
        chain_before: stretch.chain_before,
        chain_after: stretch.chain_after,
        recorded: (
            times().min().unwrap_or(Timestamp::MIN),
            times().max().unwrap_or(Timestamp::MIN),
        ),
        columns,
        blocks,
        decision_blocks,
    };
    let place = body.place(Part::Manifest);
    Ok(Segment {
        manifest_frame: wrap(place, &manifest.encode())?,
        manifest,
        body: body.bytes,
    })
}

/// Frames one behind the other.
struct Body {
    store: StoreId,
    segment: u64,
    bytes: Vec<u8>,
}

impl Body {
    fn place(&self, part: Part) -> Place {
        Place {
            store: self.store,
            segment: self.segment,
            part,
        }
    }

    fn push(&mut self, part: Part, bytes: &[u8]) -> Read<FrameEntry> {
        let frame = wrap(self.place(part), bytes)?;
        self.bytes.extend(&frame);
        Ok(FrameEntry {
            length: frame.len(),
            checksum: checksum(&frame)?,
        })
    }
}

fn index_of(block: usize) -> Read<u32> {
    u32::try_from(block).map_err(|_too_large| Malformed::from("it has too many blocks"))
}

/// Cuts sorted events into blocks.
fn cut<'a, 'e>(events: &'a [Unsealed<'e>]) -> impl Iterator<Item = &'a [Unsealed<'e>]> {
    let mut rest = events;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let length = rest
            .iter()
            .take(BLOCK_EVENTS_MAX)
            .take_while(|own| {
                let fits = bytes < BLOCK_BYTES;
                let metadata = own.event.metadata.as_ref();
                bytes +=
                    own.event.data.as_str().len() + metadata.map_or(0, |text| text.as_str().len());
                fits
            })
            .count();
        let (block, after) = rest.split_at_checked(length)?;
        rest = after;
        (!block.is_empty()).then_some(block)
    })
}

/// The frame of a manifest, for tests that make one say something else.
#[cfg(test)]
pub(crate) fn wrap_manifest(store: StoreId, segment: u64, manifest: &Manifest) -> Vec<u8> {
    let place = Place {
        store,
        segment,
        part: Part::Manifest,
    };
    wrap(place, &manifest.encode()).unwrap()
}
