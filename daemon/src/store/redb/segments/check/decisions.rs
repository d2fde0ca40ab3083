//! Whether the decisions of each segment are those that were written, fit their events, and are found by every index.

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::{Position, Revision, StreamName};

use super::super::super::record::Rejections;
use super::super::hash_key;
use super::super::parts::Sealed;
use super::{SealedCheck, StoreResult, Tally};
use crate::store::StoreError;
use crate::store::bytes::Malformed;
use crate::store::check::{Check, Events, misfit};

impl SealedCheck<'_> {
    /// Looks at the decisions of a segment.
    pub(super) fn decisions(
        &self,
        check: &mut Check<'_>,
        segment: &Sealed,
        tally: &mut Tally,
    ) -> StoreResult<()> {
        let manifest = &segment.manifest;
        let mut chain = Some(manifest.chain_before);
        for sequence in manifest.first_decision..=manifest.head().decision {
            check.step()?;
            let Some(decision) = self.decision(check, segment, sequence)? else {
                chain = None;
                continue;
            };
            check.checked.decisions += 1;
            if let Some(chain) = &mut chain {
                chain.decision(&decision);
            }
            self.decision_index(check, &decision, tally)?;
            tally.whole &= self.decision_names(check, &decision, &mut tally.named)?;
            self.fits(check, &decision)?;
        }
        tally.whole &= chain.is_some();
        let end = manifest.chain_after.of_decisions();
        if chain.is_some_and(|chain| chain.of_decisions() != end) {
            let detail = format!(
                "the decisions from {} to {} are not those that were written",
                manifest.first_decision,
                manifest.head().decision
            );
            let place = VerifyPlace::segment(segment.number);
            check.found(VerifyCode::ChainBroken, place, detail);
        }
        Ok(())
    }

    fn decision(
        &self,
        check: &mut Check<'_>,
        segment: &Sealed,
        sequence: u64,
    ) -> StoreResult<Option<Decision>> {
        let place = || VerifyPlace::decision(sequence);
        let read = self.read(check, place, || {
            let block = self.records().decisions(segment, sequence)?;
            block
                .decision(sequence)
                .map_err(|Malformed(detail)| StoreError::Damaged {
                    place: format!("decision {sequence}"),
                    detail: detail.into_owned(),
                })
        })?;
        if matches!(read, Some(None)) {
            let detail = "no block has it";
            check.found(VerifyCode::DecisionMissing, place(), detail);
        }
        Ok(read.flatten())
    }

    /// Looks whether a decision is found by its command, its stream and its outcome.
    fn decision_index(
        &self,
        check: &mut Check<'_>,
        decision: &Decision,
        tally: &mut Tally,
    ) -> StoreResult<()> {
        let sequence = decision.sequence;
        let place = |table| VerifyPlace::decision(sequence).within(table);
        let key = hash_key(&decision.command_id, sequence);
        let found = self.read(
            check,
            || place("command_hashes"),
            || Ok(self.tables.command_hashes.get(&key)?.is_some()),
        )?;
        tally.whole &= found.is_some();
        tally.commands += u64::from(found == Some(true));
        if found == Some(false) {
            let detail = format!(
                "it is not found by its command id `{}`",
                decision.command_id
            );
            check.found(VerifyCode::IndexMissing, place("command_hashes"), detail);
        }
        let is_rejected = matches!(decision.result, Outcome::Rejected { .. });
        let name = decision.stream.as_str();
        let found = self.read(
            check,
            || place("stream_decisions"),
            || {
                let found = self.tables.stream_decisions.get((name, sequence))?;
                Ok(found.map(|found| found.value()))
            },
        )?;
        tally.whole &= found.is_some();
        tally.of_streams += u64::from(found.is_some_and(|found| found.is_some()));
        match found.flatten() {
            Some(said) if said != is_rejected => {
                let detail = "it has another outcome";
                check.found(VerifyCode::IndexWrong, place("stream_decisions"), detail);
            }
            None if found.is_some() => {
                let detail = format!("it is not listed among those of {name}");
                check.found(VerifyCode::IndexMissing, place("stream_decisions"), detail);
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks whether a decision fits the events that it led to, or was decided on.
    fn fits(&self, check: &mut Check<'_>, decision: &Decision) -> StoreResult<()> {
        let place = || VerifyPlace::stream(&decision.stream).with_decision(decision.sequence);
        let misfit = self.read(check, place, || misfit(self, decision))?;
        if let Some(Some(detail)) = misfit {
            check.found(VerifyCode::DecisionWrong, place(), detail);
        }
        Ok(())
    }

    /// Looks whether the indexes of decisions have others, and whether the furthest rejections are right.
    pub(super) fn decision_indexes(&self, check: &mut Check<'_>, tally: &Tally) -> StoreResult<()> {
        self.rejections(check)?;
        let name = "stream_decisions";
        let table = (name, &self.tables.stream_decisions);
        let entries = self.walk(check, table, |_, _, _| Ok(()))?;
        if !tally.whole || !self.has_more(check, name, (entries, tally.of_streams)) {
            return Ok(());
        }
        self.walk(check, table, |check, (stream, sequence), _| {
            let place = || VerifyPlace::decision(sequence).within(name);
            let records = self.records();
            let decision = self.read(check, place, || records.decision(sequence))?;
            if decision.is_some_and(|own| own.is_none_or(|own| own.stream.as_str() != stream)) {
                let detail = format!("it is not a decision on {stream}");
                check.found(VerifyCode::IndexInvented, place(), detail);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Walks the rejections and their index side by side.
    fn rejections(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let table = ("rejections", &self.tables.rejections);
        let place = |sequence| VerifyPlace::decision(sequence).within("rejections");
        let mut before = Rejections::default();
        let mut next = 1;
        let mut broken = false;
        let records = self.records();
        // What is rejected between two entries, and what an entry says of its own.
        let mut up_to = |check: &mut Check<'_>, to: u64, said: Option<u64>| -> StoreResult<()> {
            for sequence in next..=to {
                check.tick()?;
                let Some(Some(decision)) =
                    self.read(check, || place(sequence), || records.decision(sequence))?
                else {
                    broken = true;
                    continue;
                };
                let rejected = matches!(decision.result, Outcome::Rejected { .. });
                before = before.and(&decision);
                let said = said.filter(|_| sequence == to);
                let detail = match (rejected, said) {
                    (true, None) => (VerifyCode::IndexMissing, "the rejection is not listed"),
                    (false, Some(_)) => (VerifyCode::IndexInvented, "it is not a rejection"),
                    (true, Some(said)) if said != before.furthest.0 && !broken => {
                        (VerifyCode::IndexWrong, "it says another furthest place")
                    }
                    _ => continue,
                };
                check.found(detail.0, place(sequence), detail.1);
            }
            next = next.max(to.saturating_add(1));
            Ok(())
        };
        let last = self.head.decision;
        let walked = self.walk(check, table, |check, sequence, furthest| {
            if (1..=last).contains(&sequence) {
                return up_to(check, sequence, Some(furthest));
            }
            let detail = "the log has no such decision";
            check.found(VerifyCode::IndexInvented, place(sequence), detail);
            Ok(())
        })?;
        if walked.is_some() {
            up_to(check, last, None)?;
        }
        Ok(())
    }
}

impl Events for SealedCheck<'_> {
    fn last(&self) -> Position {
        self.head.position
    }

    fn key_at(&self, position: Position) -> StoreResult<Option<(StreamName, Revision)>> {
        let (block, within) = self.records().at(position)?;
        let stream = block.stream(within).cloned();
        Ok(stream.zip(block.key(within).map(|(_, revision)| revision)))
    }

    fn position_of(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Position>> {
        let Some(number) = self.tables.number_so_far(stream)? else {
            return Ok(None);
        };
        let found = self.records().of_stream(number, revision)?;
        Ok(found.and_then(|(block, within)| block.position(within)))
    }
}
