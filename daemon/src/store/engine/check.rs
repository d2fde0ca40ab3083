//! A verification of the whole log: what is sealed, the tail behind it, and the files of the write-ahead log that hold the tail.
//!
//! Owns what is looked at of the tail. It sees one state of the log however long it takes, and never holds up a writer: frames that
//! are sealed meanwhile, and whose files may be used again by then, are passed over.

use std::ops::Bound;
use std::sync::Arc;

use whodunit_core::api::verify::{VerifyCode, VerifyPlace};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;

use super::shared::{Published, Shared};
use super::view::{MergedView, SealedView};
use crate::store::check::{Check, Events, Scope, Verifiable, misfit};
use crate::store::tail::StreamTail;
use crate::store::wal::Reread;
use crate::store::{
    HeadHash, KeyHold, ReadEvents, ReadJobs as _, StoreError, StreamInfo, View, frame,
};

type StoreResult<T> = Result<T, StoreError>;

/// The log at one moment.
pub(super) struct Verifying<V> {
    pub(super) view: MergedView<V>,
    pub(super) published: Arc<Published>,
    pub(super) shared: Arc<Shared>,
}

impl<V: SealedView> Verifiable for Verifying<V> {
    fn view(&self) -> &dyn View {
        &self.view
    }

    fn view_mut(&mut self) -> &mut dyn View {
        &mut self.view
    }

    fn head_hash(&self) -> HeadHash {
        self.published.chain.head_hash()
    }

    fn check(&self, scope: Scope, check: &mut Check<'_>) -> StoreResult<()> {
        let sealed = &self.published.sealed;
        sealed.check(scope, check)?;
        check.phase("tail");
        self.tail(check)?;
        if scope == Scope::Quick {
            return Ok(());
        }
        self.tail_records(check)?;
        self.tail_jobs(check)?;
        check.phase("write-ahead log");
        self.frames(check)?;
        self.head_note(check);
        sealed.check_pages(check)
    }

    fn each_stream(
        &self,
        each: &mut dyn FnMut(Option<&StreamInfo>) -> StoreResult<()>,
    ) -> StoreResult<()> {
        let streams = self.view.tail.streams();
        self.published.sealed.each_stream(&mut |sealed| {
            let own = sealed.and_then(|sealed| streams.get(&sealed.stream));
            // What the tail says of it takes its place.
            each(own.map(StreamTail::info).or(sealed))
        })?;
        for own in streams.by_name(Bound::Unbounded) {
            if own.first() == Revision(1) {
                each(Some(own.info()))?;
            }
        }
        Ok(())
    }

    fn hold(
        &self,
        category: &str,
        key: &UniqueKey,
        since: Position,
    ) -> StoreResult<Option<KeyHold>> {
        let mut own = self.view.tail.holds(category, key);
        match own.find(|hold| hold.since == since) {
            Some(hold) => Ok(Some(hold.clone())),
            None => self.published.sealed.hold(category, key, since),
        }
    }

    fn each_hold(
        &self,
        each: &mut dyn FnMut(&str, &UniqueKey, &KeyHold) -> StoreResult<()>,
    ) -> StoreResult<()> {
        let tail = &self.view.tail;
        let sealed = &self.published.sealed;
        sealed.each_hold(&mut |category, key, hold| {
            let mut own = tail.holds(category, key);
            // What the tail says of it takes its place.
            let own = own.find(|own| own.since == hold.since);
            each(category, key, own.unwrap_or(hold))
        })?;
        for (category, key, hold) in tail.all_holds() {
            if sealed.hold(category, key, hold.since)?.is_none() {
                each(category, key, hold)?;
            }
        }
        Ok(())
    }
}

impl<V: SealedView> Events for MergedView<V> {
    fn last(&self) -> Position {
        self.tail.head().position
    }

    fn key_at(&self, position: Position) -> StoreResult<Option<(StreamName, Revision)>> {
        let event = self.event_at(position)?;
        Ok(event.map(|event| (event.stream, event.revision)))
    }

    fn position_of(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Position>> {
        let event = self.event_at_revision(stream, revision)?;
        Ok(event.map(|event| event.position))
    }
}

impl<V: SealedView> Verifying<V> {
    /// Looks whether the tail goes on where the sealed log ends, without a gap, and its hashes lead to the head's.
    fn tail(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let tail = &self.view.tail;
        let read = self.published.sealed.chain();
        let Some(mut chain) = check.readable(|| VerifyPlace::table("meta"), read)? else {
            return Ok(());
        };
        let mut head = tail.base();
        if self.published.sealed.head() != head {
            let detail = "the unsealed log does not continue where the sealed one ends";
            check.found(
                VerifyCode::MarkWrong,
                VerifyPlace::position(head.position),
                detail,
            );
        }
        for batch in tail.batches() {
            chain = chain.after(batch);
            for placed in &batch.events {
                head.position = head.position.next();
                if placed.event.position != head.position {
                    let place = VerifyPlace::position(head.position);
                    let detail = "another event is in its place";
                    check.found(VerifyCode::PositionMissing, place, detail);
                }
                check.step()?;
                check.checked.events += 1;
            }
            if let Some(decision) = &batch.decision {
                head.decision += 1;
                if decision.sequence != head.decision {
                    let place = VerifyPlace::decision(head.decision);
                    let detail = "another decision is in its place";
                    check.found(VerifyCode::DecisionMissing, place, detail);
                }
                check.step()?;
                check.checked.decisions += 1;
            }
        }
        if chain != self.published.chain {
            let detail = "the records that are not sealed yet do not lead to the head's hash";
            let place = VerifyPlace::position(head.position);
            check.found(VerifyCode::ChainBroken, place, detail);
        }
        Ok(())
    }

    /// Looks at the ids of the tail's records, and whether its decisions fit their events.
    fn tail_records(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let (view, tail) = (&self.view, &self.view.tail);
        for event in tail.events() {
            check.tick()?;
            let place = || VerifyPlace::position(event.position);
            let sealed = view.sealed.event_by_id(&event.event_id);
            if let Some(Some(other)) = check.readable(place, sealed)? {
                let detail = format!(
                    "its id `{}` is also that of position {}",
                    event.event_id, other.position
                );
                check.found(VerifyCode::DuplicateId, place(), detail);
            }
            let found = tail.event_by_id(&event.event_id);
            if found.is_none_or(|found| found.position != event.position) {
                let detail = format!("the event is not found by its id `{}`", event.event_id);
                check.found(VerifyCode::IndexMissing, place(), detail);
            }
        }
        for batch in tail.batches() {
            let Some(decision) = &batch.decision else {
                continue;
            };
            let place = || VerifyPlace::stream(&decision.stream).with_decision(decision.sequence);
            let sealed = view.sealed.decision_by_command(&decision.command_id);
            if let Some(Some(other)) = check.readable(place, sealed)? {
                let detail = format!(
                    "its id `{}` is also that of decision {}",
                    decision.command_id, other.sequence
                );
                check.found(VerifyCode::DuplicateId, place(), detail);
            }
            let misfit = misfit(view, decision);
            if let Some(Some(detail)) = check.readable(place, misfit)? {
                check.found(VerifyCode::DecisionWrong, place(), detail);
            }
        }
        Ok(())
    }

    /// Looks whether the tail's jobs fit their events.
    fn tail_jobs(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let view = &self.view;
        for id in view.tail.jobs().ids(0, u64::MAX) {
            check.tick()?;
            let place = || VerifyPlace::job(id);
            // One that is sealed, as it was, was looked at there.
            let sealed = check.readable(place, view.sealed.job(id))?;
            check.checked.jobs += u64::from(sealed == Some(None));
            let Some(Some(job)) = check.readable(place, view.job(id))? else {
                continue;
            };
            let event = view.event_at(job.position);
            let Some(event) = check.readable(place, event)? else {
                continue;
            };
            let fits = event.is_some_and(|event| {
                (event.event_id == job.event_id)
                    && (event.event_type == job.event_type)
                    && (event.stream, event.revision) == (job.stream, job.revision)
            });
            if !fits {
                let detail = "the event there is not the one that the job names";
                check.found(VerifyCode::JobWrong, place().at(job.position), detail);
            }
        }
        Ok(())
    }

    /// Reads the frames behind the sealed log again, as the next start would.
    fn frames(&self, check: &mut Check<'_>) -> StoreResult<()> {
        let mut files = self.shared.wal().reread();
        let sealed = self.published.sealed.chain();
        let Some(mut chain) = check.readable(|| VerifyPlace::table("meta"), sealed)? else {
            return Ok(());
        };
        for end in &self.published.frames {
            check.tick()?;
            let place = end.mark.place;
            let read = files.frame(place).and_then(|payload| {
                let read = frame::decode(place.frame, &payload, &mut chain);
                read.map(drop).map_err(|error| error.with_cause())
            });
            match read {
                Ok(()) => check.checked.frames += 1,
                Err(_) if self.is_sealed_by_now(place.frame) => {}
                Err(why) => {
                    let detail = format!("frame {}: {why}", place.frame);
                    let place = VerifyPlace::file(&Reread::name(place));
                    check.found(VerifyCode::FrameUnreadable, place, detail);
                }
            }
            chain = end.mark.chain;
        }
        Ok(())
    }

    /// Whether a frame was sealed since this began: its file may be used again.
    fn is_sealed_by_now(&self, frame: u64) -> bool {
        let now = self.shared.published();
        now.is_none_or(|now| now.frames.iter().all(|end| end.mark.place.frame != frame))
    }

    /// Looks whether the file that notes what was acknowledged would be of use.
    fn head_note(&self, check: &mut Check<'_>) {
        if let Some(detail) = self.shared.file.head_note_misfit() {
            let place = VerifyPlace::file(crate::store::redb::HEAD_NAME);
            check.found(VerifyCode::HeadNoteWrong, place, detail);
        }
    }
}
