//! The quick part of a verification: manifests, ends and counts, in a time that does not grow with the log.

use redb::TableHandle as _;
use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::counted;
use whodunit_core::ids::Position;

use super::{SealedCheck, StoreResult};
use crate::store::chain::Chain;
use crate::store::check::Check;
use crate::store::redb::content::of_meta;
use crate::store::redb::engine;
use crate::store::redb::open_tables::{COPIES, UNCOUNTED};
use crate::store::redb::sealed::Mark;
use crate::store::redb::tables::META;

/// Segments at the end of the log whose manifests are looked at.
const LAST_SEGMENTS: usize = 64;

impl SealedCheck<'_> {
    /// Looks at the end of the log, and at how many entries the indexes have.
    pub(in crate::store::redb) fn quick(
        &self,
        mark: Option<Mark>,
        check: &mut Check<'_>,
    ) -> StoreResult<()> {
        check.phase("ends");
        self.last_segments(check, mark)?;
        self.last_records(check)?;
        check.phase("counts");
        self.counts(check)?;
        self.entry_counts(check)
    }

    /// Looks whether the last segments follow each other up to the mark.
    fn last_segments(&self, check: &mut Check<'_>, mark: Option<Mark>) -> StoreResult<()> {
        let place = || VerifyPlace::table("segments");
        let records = self.records();
        let last = self.read(check, place, || {
            let numbers = self.tables.segments.entries()?.rev().take(LAST_SEGMENTS);
            let numbers = numbers.map(|entry| Ok(entry?.0.value()));
            numbers.collect::<StoreResult<Vec<u64>>>()
        })?;
        let Some(last) = last else { return Ok(()) };
        let mut end = mark.map(|mark| mark.chain);
        for number in &last {
            let place = || VerifyPlace::segment(*number);
            let read = self.read(check, place, || records.segment(*number))?;
            let Some(segment) = read else { return Ok(()) };
            check.checked.segments += 1;
            if end != Some(segment.manifest.chain_after) {
                let detail = "the hashes behind it are not those of what comes after it";
                check.found(VerifyCode::ChainBroken, place(), detail);
            }
            end = Some(segment.manifest.chain_before);
        }
        if last.is_empty() && end != Some(Chain::START) {
            let detail = "there is no segment, but the mark says that there is";
            check.found(VerifyCode::MarkWrong, VerifyPlace::table("meta"), detail);
        }
        Ok(())
    }

    /// Reads the last event and the last decision.
    fn last_records(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let (position, sequence) = (self.head.position, self.head.decision);
        let records = self.records();
        if position > Position::ZERO {
            let place = || VerifyPlace::position(position);
            let read = self.read(check, place, || records.event_at(position))?;
            check.checked.events += u64::from(read.is_some());
        }
        if sequence > 0 {
            let place = || VerifyPlace::decision(sequence);
            let read = self.read(check, place, || records.decision(sequence))?;
            check.checked.decisions += u64::from(read.is_some());
        }
        Ok(())
    }

    /// Looks whether tables hold what was written into them, entry by entry.
    pub(super) fn contents(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let names = COPIES.iter().map(|copy| copy.name);
        let names = names.filter(|name| !UNCOUNTED.contains(name));
        for name in names.chain([META.name()]) {
            let place = || VerifyPlace::table(name);
            let both = self.file.guarded(|| {
                let content = if name == META.name() {
                    let opened = self.txn.open_table(META);
                    of_meta(&opened.map_err(engine("opening a table"))?)?
                } else {
                    self.tables.content(name, &mut || check.tick())?
                };
                Ok((content, self.tables.written(name)?))
            });
            let Some((content, written)) = check.readable(place, both)? else {
                continue;
            };
            if content != written {
                let detail = format!(
                    "it holds {}, but not exactly the {} that were written",
                    counted::counted(content.entries, "entry"),
                    written.entries
                );
                check.found(VerifyCode::ContentWrong, place(), detail);
            }
        }
        Ok(())
    }

    /// Looks whether tables have as many entries as were written.
    pub(super) fn entry_counts(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let name = "entry_counts";
        let lens = self.read(check, || VerifyPlace::table(name), || self.tables.lens())?;
        let Some(mut lens) = lens else { return Ok(()) };
        lens.retain(|(table, _)| !UNCOUNTED.contains(table));
        let table = (name, &self.tables.entry_counts);
        let walked = self.walk(check, table, |check, table, (written, _)| {
            if table == META.name() {
                return Ok(());
            }
            let known = lens.iter().position(|(own, _)| *own == table);
            let Some((_, entries)) = known.map(|index| lens.swap_remove(index)) else {
                let detail = format!("it counts the entries of `{table}`, which is not counted");
                check.found(VerifyCode::IndexInvented, VerifyPlace::table(name), detail);
                return Ok(());
            };
            if entries != written {
                let detail = format!(
                    "it has {}, but {written} were written",
                    counted::counted(entries, "entry")
                );
                check.found(VerifyCode::CountWrong, VerifyPlace::table(table), detail);
            }
            Ok(())
        })?;
        for (table, entries) in lens.into_iter().filter(|(_, entries)| *entries > 0) {
            if walked.is_some() {
                let detail = format!(
                    "it has {}, but none were written",
                    counted::counted(entries, "entry")
                );
                check.found(VerifyCode::CountWrong, VerifyPlace::table(table), detail);
            }
        }
        Ok(())
    }

    /// Looks whether indexes have as many entries as what they are of.
    fn counts(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let tables = &self.tables;
        let place = || VerifyPlace::file(crate::store::redb::FILE_NAME);
        let counted = self.read(check, place, || {
            let (streams, jobs) = (tables.streams.len()?, tables.jobs.len()?);
            let segments = tables.segments.len()?;
            let (events, decisions) = (self.head.position.0, self.head.decision);
            Ok([
                (
                    "segments_by_position",
                    tables.segments_by_position.len()?,
                    segments,
                ),
                (
                    "segments_by_decision",
                    tables.segments_by_decision.len()?,
                    segments,
                ),
                ("event_hashes", tables.event_hashes.len()?, events),
                ("command_hashes", tables.command_hashes.len()?, decisions),
                (
                    "stream_decisions",
                    tables.stream_decisions.len()?,
                    decisions,
                ),
                ("stream_numbers", tables.stream_numbers.len()?, streams),
                ("streams_by_last", tables.streams_by_last.len()?, streams),
                ("jobs_by_handler", tables.jobs_by_handler.len()?, jobs),
                ("jobs_by_stream", tables.jobs_by_stream.len()?, jobs),
                ("jobs_by_event", tables.jobs_by_event.len()?, jobs),
            ])
        })?;
        for (table, entries, expected) in counted.into_iter().flatten() {
            check.checked.index_entries = check.checked.index_entries.saturating_add(entries);
            if entries != expected {
                let detail = format!(
                    "it has {} for {}",
                    counted::counted(entries, "entry"),
                    counted::counted(expected, "record")
                );
                check.found(VerifyCode::CountWrong, VerifyPlace::table(table), detail);
            }
        }
        Ok(())
    }
}
