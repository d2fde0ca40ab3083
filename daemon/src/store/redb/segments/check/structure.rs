//! Whether the segments are what the file says of them: in order, without gaps, in all their pieces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::counted::counted;

use super::super::super::sealed::Mark;
use super::super::CHUNK_BYTES;
use super::super::parts::Sealed;
use super::{SealedCheck, StoreResult, Table};
use crate::store::Head;
use crate::store::chain::Chain;
use crate::store::check::Check;

/// The segments, in the order of the log.
pub(super) struct Segments {
    pub(super) list: Vec<Arc<Sealed>>,
    /// Numbers of those that cannot be read.
    unread: BTreeSet<u64>,
    /// Whether all can be.
    pub(super) whole: bool,
}

impl Segments {
    /// Whether there is a segment of this number, readable or not.
    fn has(&self, number: u64) -> bool {
        self.unread.contains(&number) || self.list.iter().any(|own| own.number == number)
    }
}

/// What is left to come of a segment's chunks.
struct Chunks {
    next: u64,
    bytes: usize,
}

impl SealedCheck<'_> {
    /// Looks at the manifests, and at the tables that lead to them.
    pub(super) fn structure(&self, check: &mut Check<'_>) -> StoreResult<Segments> {
        check.phase("segments");
        let mut numbers = Vec::new();
        let table = ("segments", &self.tables.segments);
        let walked = self.walk(check, table, |_, number, _| {
            numbers.push(number);
            Ok(())
        })?;
        let (mut list, mut unread) = (Vec::new(), BTreeSet::new());
        for number in numbers {
            let place = || VerifyPlace::segment(number);
            match self.read(check, place, || self.records().segment(number))? {
                Some(segment) => list.push(segment),
                None => drop(unread.insert(number)),
            }
        }
        check.checked.segments += list.len() as u64;
        list.sort_by_key(|own: &Arc<Sealed>| {
            let manifest = &own.manifest;
            (manifest.first_position, manifest.first_decision, own.number)
        });
        let segments = Segments {
            whole: walked.is_some() && unread.is_empty(),
            list,
            unread,
        };
        follow(check, &segments);
        self.places(check, &segments)?;
        self.chunks(check, &segments)?;
        Ok(segments)
    }

    /// Looks at the tables by which segments are found.
    fn places(&self, check: &mut Check<'_>, segments: &Segments) -> StoreResult<()> {
        let by_position = ("segments_by_position", &self.tables.segments_by_position);
        self.places_in(check, by_position, segments, |own| {
            own.manifest.first_position.0
        })?;
        let by_decision = ("segments_by_decision", &self.tables.segments_by_decision);
        self.places_in(check, by_decision, segments, |own| {
            own.manifest.first_decision
        })
    }

    fn places_in(
        &self,
        check: &mut Check<'_>,
        table: (&str, &Table<(u64, u64), ()>),
        segments: &Segments,
        first: impl Fn(&Sealed) -> u64,
    ) -> StoreResult<()> {
        let list = segments.list.iter();
        let mut wanted: BTreeSet<(u64, u64)> = list.map(|own| (first(own), own.number)).collect();
        let (name, _) = table;
        let walked = self.walk(check, table, |check, key, ()| {
            if !wanted.remove(&key) && !segments.unread.contains(&key.1) {
                let detail = format!("no segment {} begins at {}", key.1, key.0);
                let place = VerifyPlace::segment(key.1).within(name);
                check.found(VerifyCode::IndexInvented, place, detail);
            }
            Ok(())
        })?;
        if walked.is_some() {
            for (first, number) in wanted {
                let detail = format!("it lacks the segment that begins at {first}");
                let place = VerifyPlace::segment(number).within(name);
                check.found(VerifyCode::IndexMissing, place, detail);
            }
        }
        Ok(())
    }

    /// Looks at the chunks that the segments' parts are kept in.
    fn chunks(&self, check: &mut Check<'_>, segments: &Segments) -> StoreResult<()> {
        let mut left: BTreeMap<u64, Chunks> = segments
            .list
            .iter()
            .map(|own| {
                let bytes = own.manifest.bytes();
                (own.number, Chunks { next: 0, bytes })
            })
            .collect();
        let table = ("segment_chunks", &self.tables.segment_chunks);
        let wrong = VerifyCode::SegmentWrong;
        let walked = self.walk(check, table, |check, (number, index), bytes| {
            let place = || VerifyPlace::segment(number).within("segment_chunks");
            let Some(own) = left.get_mut(&number) else {
                if !segments.has(number) {
                    let detail = format!("chunk {index} is of a segment that is not there");
                    check.found(VerifyCode::Leftover, place(), detail);
                }
                return Ok(());
            };
            let length = own.bytes.min(CHUNK_BYTES);
            if index != own.next {
                let detail = format!("chunk {index} follows where chunk {} belongs", own.next);
                check.found(wrong, place(), detail);
            } else if bytes.len() != length {
                let found = bytes.len();
                let detail = format!("chunk {index} has {}, not {length}", counted(found, "byte"));
                check.found(wrong, place(), detail);
            }
            own.bytes = own.bytes.saturating_sub(bytes.len());
            own.next = index.saturating_add(1);
            Ok(())
        })?;
        if walked.is_some() {
            for (number, own) in left.iter().filter(|(_, own)| own.bytes > 0) {
                let detail = format!("it is {} short", counted(own.bytes, "byte"));
                let place = VerifyPlace::segment(*number).within("segment_chunks");
                check.found(wrong, place, detail);
            }
        }
        Ok(())
    }

    /// Looks at the mark up to which the write-ahead log is in the file.
    #[expect(clippy::unused_self, reason = "a step of the check like the others")]
    pub(super) fn mark(&self, check: &mut Check<'_>, segments: &Segments, mark: Option<Mark>) {
        let place = || VerifyPlace::table("meta");
        let Some(mark) = mark else {
            let detail = "it does not say how far the write-ahead log was moved into it";
            check.found(VerifyCode::MarkWrong, place(), detail);
            return;
        };
        let last = segments.list.last();
        let end = last.map_or(Chain::START, |last| last.manifest.chain_after);
        if segments.whole && mark.chain != end {
            let detail = "the hashes behind the last segment are not those of the mark";
            check.found(VerifyCode::MarkWrong, place(), detail);
        }
        let newest = segments.list.iter().map(|own| own.number).max();
        if last.map(|last| last.number) != newest {
            let detail = "the newest segment is not the last of the log";
            let place = VerifyPlace::segment(newest.unwrap_or_default());
            check.found(VerifyCode::SegmentWrong, place, detail);
        }
    }
}

/// Looks whether each segment follows the one before it.
fn follow(check: &mut Check<'_>, segments: &Segments) {
    let (mut head, mut chain) = (Head::default(), Chain::START);
    for own in &segments.list {
        let manifest = &own.manifest;
        let begins = (manifest.first_position, manifest.first_decision);
        let (position, decision) = (head.position.next(), head.decision + 1);
        if begins != (position, decision) {
            let detail = format!(
                "it begins at position {} and decision {}, where position {position} and decision {decision} belong",
                begins.0, begins.1
            );
            check.found(
                VerifyCode::SegmentWrong,
                VerifyPlace::segment(own.number),
                detail,
            );
        } else if manifest.chain_before != chain {
            let detail =
                "the hashes before its first record are not those behind the segment before it";
            check.found(
                VerifyCode::ChainBroken,
                VerifyPlace::segment(own.number),
                detail,
            );
        }
        head = manifest.head();
        chain = manifest.chain_after;
    }
}
