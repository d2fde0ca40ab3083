//! Single records of segments, by their places.
//!
//! Owns the way to them: position → segment → index → block, revision → run → block, sequence → block. A place inside the log
//! at which there is nothing, and a record of another place, are damage.

use std::sync::Arc;

use whodunit_core::command::Decision;
use whodunit_core::event::{Event, EventView};
use whodunit_core::ids::{Position, Revision, StreamName};

use super::super::lookup::counted;
use super::super::open_tables::{OpenTables, Transaction};
use super::parts::{Kept, Parts, Sealed};
use super::{CHUNK_BYTES, HashKey, NUMBER_MAX, hash_key, number_of, runs};
use crate::store::bytes::{Malformed, Read};
use crate::store::segment::decisions::DecisionBlock;
use crate::store::segment::events::EventBlock;
use crate::store::segment::frame::{self, Part, Place};
use crate::store::segment::manifest::Manifest;
use crate::store::segment::positions::Positions;
use crate::store::write::missing;
use crate::store::{Head, StoreError};

type StoreResult<T> = Result<T, StoreError>;

/// A block of events, and the index of one of them.
pub(super) type Found = (Arc<EventBlock>, usize);

/// The sealed records of a transaction.
pub(in crate::store::redb) struct Records<'a, T: Transaction> {
    pub(super) tables: &'a OpenTables<T>,
    pub(super) parts: &'a Parts,
    pub(super) head: Head,
}

/// What is wrong with a part of a segment.
pub(super) fn damaged(segment: u64, part: Part) -> impl FnOnce(Malformed) -> StoreError {
    move |Malformed(detail)| {
        let part = match part {
            Part::Manifest => "the manifest".to_owned(),
            Part::Columns => "the columns".to_owned(),
            Part::Events(number) => format!("block {number} of events"),
            Part::Decisions(number) => format!("block {number} of decisions"),
        };
        StoreError::Damaged {
            place: format!("{part} of segment {segment}"),
            detail: detail.into_owned(),
        }
    }
}

/// Where the sealed part of a log ends.
pub(in crate::store::redb) fn head<T: Transaction>(
    tables: &OpenTables<T>,
    parts: &Parts,
) -> StoreResult<Head> {
    let head = Head::default();
    let records = Records {
        tables,
        parts,
        head,
    };
    Ok(records
        .last()?
        .map_or(head, |segment| segment.manifest.head()))
}

impl<T: Transaction> Records<'_, T> {
    /// The last segment.
    pub(super) fn last(&self) -> StoreResult<Option<Arc<Sealed>>> {
        let last = self.tables.segments.last()?.map(|(key, _)| key.value());
        last.map(|number| self.segment(number)).transpose()
    }

    /// The segment of a number that a table names.
    pub(super) fn segment(&self, number: u64) -> StoreResult<Arc<Sealed>> {
        if let Some(Kept::Manifest(segment)) = self.parts.get(number, Part::Manifest) {
            return Ok(segment);
        }
        let bytes = self.tables.segments.get(number)?;
        let bytes = bytes.ok_or_else(|| missing(format!("segment {number}")))?;
        let place = self.place(number, Part::Manifest);
        let manifest = frame::unwrap(place, bytes.value())
            .and_then(|bytes| Manifest::decode(&bytes))
            .map_err(damaged(number, Part::Manifest))?;
        let segment = Arc::new(Sealed { number, manifest });
        let bytes = bytes.value().len() * 2;
        let kept = Kept::Manifest(Arc::clone(&segment));
        self.parts.keep(number, Part::Manifest, kept, bytes);
        Ok(segment)
    }

    fn place(&self, segment: u64, part: Part) -> Place {
        Place {
            store: self.parts.store,
            segment,
            part,
        }
    }

    /// A part of a segment as it was before it was sealed.
    fn part(&self, segment: &Sealed, part: Part) -> StoreResult<Vec<u8>> {
        let Some((start, entry)) = segment.manifest.extent(part) else {
            return Err(damaged(segment.number, part)("there is none".into()));
        };
        let bytes = self.bytes(segment.number, start, entry.length)?;
        let unwrapped = || -> Read<Vec<u8>> {
            if frame::checksum(&bytes)? != entry.checksum {
                return Err("it is not the one that the manifest names".into());
            }
            frame::unwrap(self.place(segment.number, part), &bytes)
        };
        unwrapped().map_err(damaged(segment.number, part))
    }

    /// Bytes of a segment.
    fn bytes(&self, segment: u64, start: usize, length: usize) -> StoreResult<Vec<u8>> {
        let mut bytes = Vec::new();
        let (mut index, mut skip) = (start / CHUNK_BYTES, start % CHUNK_BYTES);
        while bytes.len() < length {
            let chunk = self.tables.segment_chunks.get((segment, index as u64))?;
            let chunk =
                chunk.ok_or_else(|| missing(format!("chunk {index} of segment {segment}")))?;
            let found = chunk.value().get(skip..).unwrap_or_default();
            if found.is_empty() {
                return Err(missing(format!(
                    "a part of chunk {index} of segment {segment}"
                )));
            }
            bytes.extend(found.iter().take(length - bytes.len()));
            (index, skip) = (index + 1, 0);
        }
        Ok(bytes)
    }

    /// What is kept of a segment's events by position.
    pub(super) fn columns(&self, segment: &Sealed) -> StoreResult<Arc<Positions>> {
        let (number, part) = (segment.number, Part::Columns);
        if let Some(Kept::Columns(columns)) = self.parts.get(number, part) {
            return Ok(columns);
        }
        let columns = Positions::decode(&self.part(segment, part)?)
            .map_err(damaged(number, part))
            .map(Arc::new)?;
        if columns.len() != segment.manifest.events {
            let counts = "they are not of as many events as the manifest says";
            return Err(damaged(number, part)(counts.into()));
        }
        let kept = Kept::Columns(Arc::clone(&columns));
        self.parts.keep(number, part, kept, columns.bytes());
        Ok(columns)
    }

    /// A block of a segment's events.
    pub(super) fn events(&self, segment: &Sealed, block: usize) -> StoreResult<Arc<EventBlock>> {
        let number = segment.number;
        let part = Part::Events(u32::try_from(block).unwrap_or(u32::MAX));
        if let Some(Kept::Events(block)) = self.parts.get(number, part) {
            return Ok(block);
        }
        let events = EventBlock::decode(&self.part(segment, part)?)
            .map_err(damaged(number, part))
            .map(Arc::new)?;
        let kept = Kept::Events(Arc::clone(&events));
        self.parts.keep(number, part, kept, events.bytes());
        Ok(events)
    }

    /// The block of a segment that has the decision of a sequence.
    pub(super) fn decisions(
        &self,
        segment: &Sealed,
        sequence: u64,
    ) -> StoreResult<Arc<DecisionBlock>> {
        let number = segment.number;
        let block = segment.manifest.block_of_decision(sequence);
        let block = block.ok_or_else(|| missing(format!("decision {sequence}")))?;
        let part = Part::Decisions(u32::try_from(block).unwrap_or(u32::MAX));
        if let Some(Kept::Decisions(block)) = self.parts.get(number, part) {
            return Ok(block);
        }
        let decisions = DecisionBlock::decode(&self.part(segment, part)?)
            .map_err(damaged(number, part))
            .map(Arc::new)?;
        let kept = Kept::Decisions(Arc::clone(&decisions));
        self.parts.keep(number, part, kept, decisions.bytes());
        Ok(decisions)
    }

    /// Whether the log has a position, sealed.
    pub(super) fn has(&self, position: Position) -> bool {
        (Position(1)..=self.head.position).contains(&position)
    }

    /// The first position and the number of the segment that a position of the log belongs to.
    pub(super) fn place_of(&self, position: Position) -> StoreResult<(u64, u64)> {
        let up_to = (position.0, u64::MAX);
        let mut entries = self.tables.segments_by_position.range(..=up_to)?;
        let lost = || missing(format!("the segment of position {position}"));
        Ok(entries.next_back().ok_or_else(lost)??.0.value())
    }

    /// The first position of the segment behind a place.
    pub(super) fn behind(&self, (first, number): (u64, u64)) -> StoreResult<Option<Position>> {
        let mut entries = self
            .tables
            .segments_by_position
            .range((first, number + 1)..)?;
        let behind = entries.next().transpose()?;
        Ok(behind.map(|(key, _)| Position(key.value().0)))
    }

    /// The segment that has a position of the log.
    pub(super) fn segment_at(&self, position: Position) -> StoreResult<Arc<Sealed>> {
        let up_to = (position.0, u64::MAX);
        let mut entries = self.tables.segments_by_position.range(..=up_to)?;
        let lost = || missing(format!("the segment of position {position}"));
        let (first, number) = entries.next_back().ok_or_else(lost)??.0.value();
        let segment = self.segment(number)?;
        let manifest = &segment.manifest;
        if manifest.first_position.0 != first || position > manifest.head().position {
            return Err(lost());
        }
        Ok(segment)
    }

    /// The event at a position that the log has.
    pub(super) fn at(&self, position: Position) -> StoreResult<Found> {
        let segment = self.segment_at(position)?;
        let columns = self.columns(&segment)?;
        self.ranked(&segment, &columns, position)
    }

    /// The event at a position, in its segment.
    pub(super) fn ranked(
        &self,
        segment: &Sealed,
        columns: &Positions,
        position: Position,
    ) -> StoreResult<Found> {
        let index = position.0.saturating_sub(segment.manifest.first_position.0);
        let rank = usize::try_from(index).ok();
        let rank = rank.and_then(|index| columns.rank(index));
        let place = rank.and_then(|rank| segment.manifest.block_of(rank));
        let lost = || missing(format!("the event at position {position}"));
        let (block, within) = place.ok_or_else(lost)?;
        let events = self.events(segment, block)?;
        if events.position(within) != Some(position) {
            return Err(lost());
        }
        Ok((events, within))
    }

    /// The event of a stream at a revision; `None` when no block has it.
    pub(super) fn of_stream(&self, stream: u64, revision: Revision) -> StoreResult<Option<Found>> {
        let Some(segment) = runs::segment_of(self.tables, stream, revision.0)? else {
            return Ok(None);
        };
        let segment = self.segment(segment)?;
        let Some(block) = segment.manifest.block_of_revision(stream, revision) else {
            return Ok(None);
        };
        let events = self.events(&segment, block)?;
        Ok(events.find(stream, revision).map(|within| (events, within)))
    }

    /// The event at a position; `None` when the log has none there.
    pub(super) fn event_at(&self, position: Position) -> StoreResult<Option<Event>> {
        if !self.has(position) {
            return Ok(None);
        }
        event(&self.at(position)?).map(Some)
    }

    /// The event of a stream at a revision; `None` when it has none of it.
    pub(super) fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Event>> {
        match self.in_stream(stream, revision)? {
            Some(found) => event(&found).map(Some),
            None => Ok(None),
        }
    }

    /// Where the event of a stream at a revision is; `None` when it has none of it.
    pub(super) fn in_stream(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Found>> {
        let Some((number, info)) = self.tables.numbered(stream)? else {
            return Ok(None);
        };
        if !(Revision(1)..=info.revision).contains(&revision) {
            return Ok(None);
        }
        self.revision(number, stream, revision).map(Some)
    }

    /// The event of a stream at a revision that it has.
    pub(super) fn revision(
        &self,
        stream: u64,
        name: &StreamName,
        revision: Revision,
    ) -> StoreResult<Found> {
        let found = self.of_stream(stream, revision)?;
        found.ok_or_else(|| missing(format!("revision {revision} of `{name}`")))
    }

    /// The position of the event with this id.
    pub(super) fn position_of(&self, event_id: &str) -> StoreResult<Option<Position>> {
        let (low, high) = (hash_key(event_id, 0), hash_key(event_id, NUMBER_MAX));
        for entry in self.tables.event_hashes.range::<&HashKey>(&low..=&high)? {
            let position = Position(number_of(entry?.0.value()));
            let (block, within) = self.at(position)?;
            if block.has_id(within, event_id) {
                return Ok(Some(position));
            }
        }
        let index = &self.tables.event_hashes;
        counted("event ids", index, self.head.position.0)?;
        Ok(None)
    }

    /// The block that has the decision of a sequence that the log has.
    pub(super) fn decided(&self, sequence: u64) -> StoreResult<Arc<DecisionBlock>> {
        let up_to = (sequence, u64::MAX);
        let mut entries = self.tables.segments_by_decision.range(..=up_to)?;
        let lost = || missing(format!("the segment of decision {sequence}"));
        let (first, number) = entries.next_back().ok_or_else(lost)??.0.value();
        let segment = self.segment(number)?;
        let manifest = &segment.manifest;
        if manifest.first_decision != first || sequence > manifest.head().decision {
            return Err(lost());
        }
        self.decisions(&segment, sequence)
    }

    /// The decision of a sequence; `None` when the log has none of it.
    pub(super) fn decision(&self, sequence: u64) -> StoreResult<Option<Decision>> {
        if !(1..=self.head.decision).contains(&sequence) {
            return Ok(None);
        }
        let decision = self.decided(sequence)?.decision(sequence);
        let decision = decision.map_err(|Malformed(detail)| StoreError::Damaged {
            place: format!("decision {sequence}"),
            detail: detail.into_owned(),
        })?;
        let lost = || missing(format!("decision {sequence}"));
        decision.ok_or_else(lost).map(Some)
    }

    /// The sequence of the decision on a command.
    pub(super) fn sequence_of(&self, command_id: &str) -> StoreResult<Option<u64>> {
        let (low, high) = (hash_key(command_id, 0), hash_key(command_id, NUMBER_MAX));
        for entry in self.tables.command_hashes.range::<&HashKey>(&low..=&high)? {
            let sequence = number_of(entry?.0.value());
            if self.decided(sequence)?.has_command(sequence, command_id) {
                return Ok(Some(sequence));
            }
        }
        let index = &self.tables.command_hashes;
        counted("command ids", index, self.head.decision)?;
        Ok(None)
    }

    /// All segments, in the order of the log.
    pub(super) fn segments(&self) -> StoreResult<impl Iterator<Item = StoreResult<Arc<Sealed>>>> {
        self.tables.whole(&self.tables.segments)?;
        let numbers = self.tables.segments.entries()?;
        Ok(numbers.map(|entry| self.segment(entry?.0.value())))
    }
}

/// An event of a block, where it stands.
pub(super) fn view((block, within): &Found) -> StoreResult<EventView<'_>> {
    let lost = || missing("an event of a block".to_owned());
    block.event(*within).ok_or_else(lost)
}

/// An event of a block.
pub(super) fn event(found: &Found) -> StoreResult<Event> {
    Ok(view(found)?.to_event())
}
