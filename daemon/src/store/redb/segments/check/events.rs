//! Whether the events of each segment are those that were written, where they belong, and found by every index.

use std::sync::Arc;

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::counted::counted;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision};

use super::super::parts::Sealed;
use super::super::records::damaged;
use super::super::{hash_key, runs};
use super::structure::Segments;
use super::{SealedCheck, StoreResult, Tally};
use crate::store::check::Check;
use crate::store::segment::events::EventBlock;
use crate::store::segment::frame::Part;
use crate::store::segment::positions::Positions;

/// A segment whose parts were read; those that could not be are absent.
struct Parts<'a> {
    segment: &'a Sealed,
    columns: Option<Arc<Positions>>,
    blocks: Vec<Option<Arc<EventBlock>>>,
}

/// An event in its block.
type Row<'a> = (&'a EventBlock, usize);

impl SealedCheck<'_> {
    /// Looks at the events of a segment.
    pub(super) fn segment(
        &self,
        check: &mut Check<'_>,
        segment: &Sealed,
        tally: &mut Tally,
    ) -> StoreResult<()> {
        let place = || VerifyPlace::segment(segment.number);
        let records = self.records();
        let mut parts = Parts {
            segment,
            columns: self.read(check, place, || records.columns(segment))?,
            blocks: Vec::new(),
        };
        for index in 0..segment.manifest.blocks.len() {
            let block = self.read(check, place, || records.events(segment, index))?;
            parts.blocks.push(block);
        }
        self.rows(check, &parts, tally)?;
        let mut chain = Some(segment.manifest.chain_before);
        for index in 0..segment.manifest.events {
            check.step()?;
            match self.event(check, &parts, index, tally)? {
                Some(event) => {
                    check.checked.events += 1;
                    if let Some(chain) = &mut chain {
                        chain.event(&event);
                    }
                }
                None => chain = None,
            }
        }
        tally.whole &= chain.is_some();
        if chain.is_some_and(|chain| chain.of_events() != segment.manifest.chain_after.of_events())
        {
            let detail = format!(
                "the events from position {} to {} are not those that were written",
                segment.manifest.first_position,
                segment.manifest.head().position
            );
            check.found(VerifyCode::ChainBroken, place(), detail);
        }
        Ok(())
    }

    /// Looks at the blocks row by row: streams one after another, their revisions without gaps, times that never go back.
    fn rows(&self, check: &mut Check<'_>, parts: &Parts<'_>, tally: &mut Tally) -> StoreResult<()> {
        let manifest = &parts.segment.manifest;
        let place = || VerifyPlace::segment(parts.segment.number);
        let mut rank = 0;
        let mut before: Option<Row<'_>> = None;
        for (entry, block) in manifest.blocks.iter().zip(&parts.blocks) {
            let Some(block) = block else {
                (before, tally.whole) = (None, false);
                continue;
            };
            rank += block.len();
            if block.key(0) != Some(entry.first)
                || entry.first_index + block.len() > manifest.events
            {
                let detail = "a block does not begin with the event that the manifest says";
                check.found(VerifyCode::SegmentWrong, place(), detail);
            }
            for within in 0..block.len() {
                check.tick()?;
                let row: Row<'_> = (block, within);
                self.row(check, parts, row, before)?;
                self.late(check, row, tally)?;
                before = Some(row);
            }
        }
        if parts.blocks.iter().all(Option::is_some) && rank != manifest.events {
            let detail = format!("it has {}, not {}", counted(rank, "event"), manifest.events);
            check.found(VerifyCode::SegmentWrong, place(), detail);
        }
        Ok(())
    }

    fn row(
        &self,
        check: &mut Check<'_>,
        parts: &Parts<'_>,
        (block, within): Row<'_>,
        before: Option<Row<'_>>,
    ) -> StoreResult<()> {
        let (Some(key), Some(stream)) = (block.key(within), block.stream(within)) else {
            return Ok(());
        };
        let place = || VerifyPlace::stream(stream).rev(key.1);
        match before.and_then(|(block, within)| block.key(within)) {
            Some((number, revision)) if number == key.0 => {
                if key.1 != revision.next() {
                    let detail = format!("revision {revision} comes before it");
                    check.found(VerifyCode::RevisionMissing, place(), detail);
                } else if let Some(before) = before {
                    order(check, place, before, (block, within));
                }
                return Ok(());
            }
            Some((number, _)) if number > key.0 => {
                let detail = "its stream comes before others that belong before it";
                check.found(VerifyCode::SegmentWrong, place(), detail);
            }
            _ => {}
        }
        self.run(check, parts, key, (block, within))
    }

    /// Looks at the first event of a stream in a segment.
    fn run(
        &self,
        check: &mut Check<'_>,
        parts: &Parts<'_>,
        (number, revision): (u64, Revision),
        (block, within): Row<'_>,
    ) -> StoreResult<()> {
        let Some(stream) = block.stream(within) else {
            return Ok(());
        };
        let place = || VerifyPlace::stream(stream).rev(revision);
        let said = self.read(check, place, || self.tables.number_so_far(stream))?;
        if said.is_some_and(|said| said != Some(number)) {
            let code = match said.flatten() {
                Some(_) => VerifyCode::IndexWrong,
                None => VerifyCode::IndexMissing,
            };
            let detail = format!("its events are those of stream number {number}");
            check.found(code, place().within("stream_numbers"), detail);
        }
        let of = || runs::segment_of(&self.tables, number, revision.0);
        let said = self.read(check, || place().within("runs"), of)?;
        if said.is_some_and(|said| said != Some(parts.segment.number)) {
            let detail = format!("it is in segment {}", parts.segment.number);
            check.found(VerifyCode::IndexMissing, place().within("runs"), detail);
        }
        let Some(below) = revision.0.checked_sub(1).filter(|below| *below > 0) else {
            if block.effective_at(within) != block.recorded_at(within) {
                let detail =
                    "the effective time of the first event is not that at which it was recorded";
                check.found(VerifyCode::OrderWrong, place(), detail);
            }
            return Ok(());
        };
        let records = self.records();
        let found = self.read(check, place, || records.of_stream(number, Revision(below)))?;
        match found {
            None => {}
            Some(None) => {
                let place = VerifyPlace::stream(stream).rev(Revision(below));
                let detail = format!("revision {revision} is there, and the one before it is not");
                check.found(VerifyCode::RevisionMissing, place, detail);
            }
            Some(Some((before, at))) => order(check, place, (&before, at), (block, within)),
        }
        Ok(())
    }

    /// Looks whether a late event is in the index of late events.
    fn late(
        &self,
        check: &mut Check<'_>,
        (block, within): Row<'_>,
        tally: &mut Tally,
    ) -> StoreResult<()> {
        let (Some(recorded), Some((number, revision))) =
            (block.recorded_at(within), block.key(within))
        else {
            return Ok(());
        };
        if block.effective_at(within) == Some(recorded) {
            return Ok(());
        }
        let place = || {
            let stream = block.stream(within);
            let place = stream.map_or_else(VerifyPlace::default, VerifyPlace::stream);
            place.rev(revision).within("late_events")
        };
        let said = self.read(check, place, || {
            let said = self.tables.late_events.get((number, revision.0))?;
            Ok(said.map(|said| said.value()))
        })?;
        match said {
            None => tally.whole = false,
            Some(None) => {
                let detail = "the event was recorded before its effective time";
                check.found(VerifyCode::IndexMissing, place(), detail);
            }
            Some(Some(said)) => {
                tally.late += 1;
                if said != recorded.as_micros() {
                    let detail = "it has another time than the event";
                    check.found(VerifyCode::IndexWrong, place(), detail);
                }
            }
        }
        Ok(())
    }

    /// Looks at the event at a position of a segment, and at what leads to it; `None` when it cannot be read.
    fn event(
        &self,
        check: &mut Check<'_>,
        parts: &Parts<'_>,
        index: usize,
        tally: &mut Tally,
    ) -> StoreResult<Option<Event>> {
        let manifest = &parts.segment.manifest;
        let position = Position(manifest.first_position.0 + index as u64);
        let place = || VerifyPlace::segment(parts.segment.number).at(position);
        let Some(columns) = &parts.columns else {
            return Ok(None);
        };
        let rank = columns.rank(index);
        let Some((block_index, within)) = rank.and_then(|rank| manifest.block_of(rank)) else {
            let detail = "it has no place among the blocks";
            check.found(VerifyCode::PositionMissing, place(), detail);
            return Ok(None);
        };
        let Some(Some(block)) = parts.blocks.get(block_index) else {
            return Ok(None);
        };
        if block.position(within) != Some(position) {
            let detail = "another event is in its place";
            check.found(VerifyCode::PositionMissing, place(), detail);
            return Ok(None);
        }
        let part = Part::Events(u32::try_from(block_index).unwrap_or(u32::MAX));
        let looked_at = || {
            let event = block.checked_event(within);
            event.map_err(damaged(parts.segment.number, part))
        };
        let Some(Some(event)) = self.read(check, place, looked_at)? else {
            return Ok(None);
        };
        let times = manifest.recorded.0..=manifest.recorded.1;
        if !columns.agrees(index, &event) || !times.contains(&event.recorded_at) {
            let detail = "what the segment keeps to find the event by does not match the event";
            check.found(VerifyCode::SegmentWrong, place(), detail);
        }
        let key = hash_key(&event.event_id, position.0);
        let entry = self.read(check, place, || {
            Ok(self.tables.event_hashes.get(&key)?.is_some())
        })?;
        match entry {
            None => tally.whole = false,
            Some(true) => tally.events += 1,
            Some(false) => {
                let detail = format!("the event is not found by its id `{}`", event.event_id);
                let place = VerifyPlace::stream(&event.stream).rev(event.revision);
                let place = place.at(position).within("event_hashes");
                check.found(VerifyCode::IndexMissing, place, detail);
            }
        }
        tally.whole &= self.event_names(check, &event, &mut tally.named)?;
        Ok(Some(event))
    }

    /// Looks whether each run is one.
    pub(super) fn runs(&self, check: &mut Check<'_>, segments: &Segments) -> StoreResult<()> {
        let table = ("runs", &self.tables.runs);
        self.walk(check, table, |check, (number, first), bytes| {
            let place = || VerifyPlace::table("runs");
            let decoded = runs::decode(bytes).map_err(runs::damaged(number));
            let Some(runs) = check.readable(place, decoded)? else {
                return Ok(());
            };
            if runs.first().is_none_or(|run| run.0 != first) || !runs.is_sorted() {
                let detail = format!("the runs of stream number {number} are out of order");
                check.found(VerifyCode::IndexWrong, place(), detail);
            }
            for (first, segment) in runs {
                let own = segments.list.iter().find(|own| own.number == segment);
                let Some(own) = own else {
                    if segments.whole {
                        let detail = format!(
                            "revision {first} of stream number {number} is in no segment {segment}"
                        );
                        check.found(VerifyCode::IndexInvented, place(), detail);
                    }
                    continue;
                };
                self.is_run(check, own, number, Revision(first))?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn is_run(
        &self,
        check: &mut Check<'_>,
        segment: &Sealed,
        number: u64,
        first: Revision,
    ) -> StoreResult<()> {
        let records = self.records();
        let has = |revision: Revision| -> StoreResult<bool> {
            let Some(block) = segment.manifest.block_of_revision(number, revision) else {
                return Ok(false);
            };
            let block = records.events(segment, block)?;
            Ok(block.find(number, revision).is_some())
        };
        let place = || VerifyPlace::segment(segment.number).within("runs");
        let begins = self.read(check, place, || {
            let before = first.0.checked_sub(1).map(Revision);
            let before = before.map(has).transpose()?.unwrap_or_default();
            Ok(has(first)? && !before)
        })?;
        if begins == Some(false) {
            let detail =
                format!("stream number {number} does not begin there with revision {first}");
            check.found(VerifyCode::IndexInvented, place(), detail);
        }
        Ok(())
    }

    /// Looks whether the index of late events has others.
    pub(super) fn late_events(&self, check: &mut Check<'_>, tally: &Tally) -> StoreResult<()> {
        let table = ("late_events", &self.tables.late_events);
        let entries = self.walk(check, table, |_, _, _| Ok(()))?;
        if !tally.whole || !self.has_more(check, "late_events", (entries, tally.late)) {
            return Ok(());
        }
        self.walk(check, table, |check, (number, revision), _| {
            let place = || VerifyPlace::table("late_events").rev(Revision(revision));
            let records = self.records();
            let found = self.read(check, place, || {
                records.of_stream(number, Revision(revision))
            })?;
            let is_late = found.flatten().is_some_and(|(block, within)| {
                block.recorded_at(within) != block.effective_at(within)
            });
            if !is_late {
                let detail = format!("the event of stream number {number} is not late");
                check.found(VerifyCode::IndexInvented, place(), detail);
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// Looks at an event and the one before it in its stream: positions ascend, and the effective time is the latest so far.
fn order(
    check: &mut Check<'_>,
    place: impl Fn() -> VerifyPlace,
    (before, at): Row<'_>,
    (block, within): Row<'_>,
) {
    if before.position(at) >= block.position(within) {
        let detail = "it comes before the previous revision in the log";
        check.found(VerifyCode::OrderWrong, place(), detail);
    }
    let latest = before.effective_at(at).max(block.recorded_at(within));
    if latest != block.effective_at(within) {
        let detail = "its effective time is not the latest so far";
        check.found(VerifyCode::OrderWrong, place(), detail);
    }
}
