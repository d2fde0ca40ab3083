//! The records of a backup held to their chain, segment by segment and batch by batch.
//!
//! Owns what it takes for records to be believed: that they are whole, that they follow each other without a gap, and that the
//! chain's values around each stretch are those that its records lead to.

use whodunit_core::event::Event;

use crate::store::bytes::{Malformed, Read};
use crate::store::chain::Chain;
use crate::store::segment::Segment;
use crate::store::segment::decisions::DecisionBlock;
use crate::store::segment::events::EventBlock;
use crate::store::segment::frame::{Part, Place, checksum, unwrap};
use crate::store::segment::manifest::Manifest;
use crate::store::segment::positions::Positions;
use crate::store::write::Batch;
use crate::store::{Head, StoreError, StoreId, frame};

/// How far the records were followed.
pub(crate) struct ChainCheck {
    store: StoreId,
    head: Head,
    chain: Chain,
    segment: u64,
    frames: u64,
}

impl ChainCheck {
    /// Before the first record.
    pub(crate) fn new(store: StoreId) -> Self {
        Self {
            store,
            head: Head::default(),
            chain: Chain::START,
            segment: 0,
            frames: 0,
        }
    }

    /// The last record.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// The chain's value behind it.
    pub(crate) fn chain(&self) -> Chain {
        self.chain
    }

    /// Takes the next segment.
    pub(crate) fn segment(
        &mut self,
        number: u64,
        manifest_frame: Vec<u8>,
        body: Vec<u8>,
    ) -> Result<Segment, StoreError> {
        let damaged = |Malformed(detail)| StoreError::Damaged {
            place: format!("segment {number}"),
            detail: detail.into_owned(),
        };
        let place = Place {
            store: self.store,
            segment: number,
            part: Part::Manifest,
        };
        let manifest = unwrap(place, &manifest_frame)
            .and_then(|bytes| Manifest::decode(&bytes))
            .map_err(damaged)?;
        let follows = number > self.segment
            && self.frames == 0
            && manifest.first_position == self.head.position.next()
            && manifest.first_decision == self.head.decision + 1
            && manifest.chain_before == self.chain;
        if !follows {
            return Err(damaged(
                "it does not continue where the log before it ends".into(),
            ));
        }
        let parts = SegmentParts {
            manifest: &manifest,
            place,
            body: &body,
        };
        let chain = parts.chain().map_err(damaged)?;
        if chain != manifest.chain_after {
            return Err(damaged(
                "its chain value does not match what it holds".into(),
            ));
        }
        (self.segment, self.head, self.chain) = (number, manifest.head(), chain);
        Ok(Segment {
            manifest,
            manifest_frame,
            body,
        })
    }

    /// Takes the next batches.
    pub(crate) fn log(&mut self, payload: &[u8]) -> Result<Vec<Batch>, StoreError> {
        self.frames += 1;
        let mut chain = self.chain;
        let batches = frame::decode(self.frames, payload, &mut chain)?;
        for batch in &batches {
            let positions = batch.events.iter().map(|placed| placed.event.position);
            let sequences = batch.decision.iter().map(|decision| decision.sequence);
            for position in positions {
                self.follows(position == self.head.position.next())?;
                self.head.position = position;
            }
            for sequence in sequences {
                self.follows(sequence == self.head.decision + 1)?;
                self.head.decision = sequence;
            }
        }
        self.chain = chain;
        Ok(batches)
    }

    fn follows(&self, follows: bool) -> Result<(), StoreError> {
        if follows {
            return Ok(());
        }
        Err(StoreError::Damaged {
            place: format!("what follows position {}", self.head.position),
            detail: "it does not continue there".to_owned(),
        })
    }
}

/// A segment whose parts are looked at one by one.
pub(crate) struct SegmentParts<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) place: Place,
    /// All its parts but the manifest.
    pub(crate) body: &'a [u8],
}

impl SegmentParts<'_> {
    /// Reads a part, held to what the manifest says of it.
    pub(crate) fn part(&self, part: Part) -> Read<Vec<u8>> {
        let (start, entry) = self.manifest.extent(part).ok_or("a part is missing")?;
        let frame = self.body.get(start..start.saturating_add(entry.length));
        let frame = frame.ok_or("a part is missing")?;
        if checksum(frame)? != entry.checksum {
            return Err("a part is not the one that its manifest names".into());
        }
        unwrap(Place { part, ..self.place }, frame)
    }

    /// The events of a block.
    pub(crate) fn events(&self, block: u32) -> Read<Vec<Event>> {
        let block = EventBlock::decode(&self.part(Part::Events(block))?)?;
        let mut events = Vec::new();
        while let Some(event) = block.checked_event(events.len())? {
            events.push(event);
        }
        Ok(events)
    }

    fn chain(&self) -> Read<Chain> {
        let manifest = self.manifest;
        if self.body.len() != manifest.bytes() {
            return Err("its parts are longer or shorter than its manifest says".into());
        }
        let mut chain = manifest.chain_before;
        let mut events = Vec::with_capacity(manifest.events.min(1 << 20));
        for block in (0..).take(manifest.blocks.len()) {
            events.extend(self.events(block)?);
        }
        let columns = Positions::decode(&self.part(Part::Columns)?)?;
        if events.len() != manifest.events || columns.len() != events.len() {
            return Err("it has more or fewer events than its manifest says".into());
        }
        events.sort_by_key(|event| event.position);
        let mut next = manifest.first_position;
        for event in &events {
            if event.position != next {
                return Err(format!("it has no event at position {next}").into());
            }
            chain.event(event);
            next = next.next();
        }
        self.decisions(&mut chain)?;
        Ok(chain)
    }

    fn decisions(&self, chain: &mut Chain) -> Read<()> {
        let mut sequence = self.manifest.first_decision;
        for block in (0..).take(self.manifest.decision_blocks.len()) {
            let block = DecisionBlock::decode(&self.part(Part::Decisions(block))?)?;
            while let Some(decision) = block.decision(sequence)? {
                chain.decision(&decision);
                sequence += 1;
            }
        }
        if sequence == self.manifest.first_decision + self.manifest.decisions as u64 {
            return Ok(());
        }
        Err(format!("it has no decision {sequence}").into())
    }
}
