//! The read view: the sealed part of the log and the tail behind it, as one.
//!
//! Owns how reads of the two are put together: records by their places, lists one behind the other where the tail's entries
//! all stand behind the sealed ones, and merged where they do not (`lists`). A view sees one state of the log however
//! long it lives, and never waits for a writer.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::{Event, EventView};
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use super::snapshots::Kept;
use super::{jobs, lists, times};
use crate::store::redb::{passes, words_of};
use crate::store::tail::{EventRef, Tail};
use crate::store::{
    CategoryInfo, DecisionFilter, DecisionPage, Density, Direction, EachView, HandlerCounts, Head,
    Job, JobFilter, JobPage, KeyHold, LateEvents, LateRange, LogFilter, LogPage, ReadDecisions,
    ReadEvents, ReadJobs, ReadKeys, ReadSnapshots, ReadStreams, ReadTimes, ReadWords, Snapshot,
    Stoppable, StoreError, StreamCursor, StreamFilter, StreamInfo, StreamOrder, StreamPage, View,
    WordField, WordPage,
};

type StoreResult<T> = Result<T, StoreError>;

/// What a view asks of the sealed part beyond a view of it.
pub(crate) trait SealedView: View {
    /// All holds of a key that began at a position or before, the last one first.
    fn holds(&self, category: &str, key: &UniqueKey, at: Position) -> StoreResult<Vec<KeyHold>>;

    /// The times of a stream's events (effective ones), or of all events (recorded ones), in any order.
    fn each_time(&self, stream: Option<&StreamName>, each: &mut dyn FnMut(i64)) -> StoreResult<()>;

    /// The sequence of the last rejection; 0 when there is none.
    fn last_rejection(&self) -> StoreResult<u64>;
}

/// A view of both.
pub(super) struct MergedView<V> {
    pub(super) sealed: V,
    pub(super) tail: Tail,
    pub(super) snapshots: Kept,
}

impl<V: SealedView> MergedView<V> {
    /// The first revision of a stream that is not sealed; `None` when all that it has is.
    fn first_in_tail(&self, stream: &StreamName) -> Option<Revision> {
        let found = self.tail.streams().get(stream)?;
        (found.first() <= found.info().revision).then(|| found.first())
    }

    fn in_tail(&self, stream: &StreamName, revision: Revision) -> Option<&EventRef> {
        let found = self.tail.streams().get(stream)?;
        self.tail.event(found.entry(revision)?.0)
    }

    /// The part of a walk along a stream that is in the tail.
    fn walk_tail(
        &self,
        stream: &StreamName,
        (low, high): (Revision, Revision),
        direction: Direction,
        each: EachView<'_>,
    ) -> StoreResult<ControlFlow<()>> {
        let up = direction == Direction::Forward;
        for step in 0..(high.0 + 1).saturating_sub(low.0) {
            let revision = if up { low.0 + step } else { high.0 - step };
            let Some(event) = self.in_tail(stream, Revision(revision)) else {
                break;
            };
            self.stop().check()?;
            if each(&EventView::from(&**event))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Holds of a key that began at a position or before, the last one first.
    fn holds(&self, category: &str, key: &UniqueKey, at: Position) -> StoreResult<Vec<KeyHold>> {
        let mut holds = self.sealed.holds(category, key, at)?;
        for own in self
            .tail
            .holds(category, key)
            .filter(|hold| hold.since <= at)
        {
            match holds.iter_mut().find(|hold| hold.since == own.since) {
                Some(hold) => hold.clone_from(own),
                None => holds.push(own.clone()),
            }
        }
        holds.sort_by_key(|hold| std::cmp::Reverse(hold.since));
        Ok(holds)
    }

    /// The part of a page of the log that is in the tail, behind what `page` has.
    fn log_in_tail(
        &self,
        filter: &LogFilter,
        (from, direction): (Position, Direction),
        limit: usize,
        budget: u64,
        page: &mut LogPage,
    ) -> StoreResult<()> {
        let mut next = Some(from);
        while let Some(position) = next {
            let Some(event) = self.tail.event(position) else {
                break;
            };
            self.sealed.stop().check()?;
            if page.events.len() >= limit || page.scanned >= budget {
                page.next = Some(position);
                break;
            }
            page.scanned += 1;
            if passes(filter, event) {
                page.events.push(Event::clone(event));
            }
            next = match direction {
                Direction::Forward => Some(position.next()),
                Direction::Backward => position.0.checked_sub(1).map(Position),
            };
        }
        Ok(())
    }
}

impl<V: SealedView> Stoppable for MergedView<V> {
    fn stop(&self) -> &Stop {
        self.sealed.stop()
    }
}

impl<V: SealedView> View for MergedView<V> {
    fn head(&self) -> Head {
        self.tail.head()
    }

    fn set_stop(&mut self, stop: Stop) {
        self.sealed.set_stop(stop);
    }
}

impl<V: SealedView> ReadEvents for MergedView<V> {
    fn log(
        &self,
        filter: &LogFilter,
        from: Option<Position>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> StoreResult<LogPage> {
        let (base, head) = (self.tail.base().position, self.head().position);
        match direction {
            Direction::Forward => {
                let from = from.unwrap_or(Position(1)).max(Position(1));
                let mut page = LogPage::default();
                if from <= base {
                    page = self
                        .sealed
                        .log(filter, Some(from), direction, limit, budget)?;
                }
                if page.next.is_none() {
                    let from = from.max(base.next());
                    self.log_in_tail(filter, (from, direction), limit, budget, &mut page)?;
                }
                Ok(page)
            }
            Direction::Backward => {
                let from = from.unwrap_or(head).min(head);
                let mut page = LogPage::default();
                self.log_in_tail(filter, (from, direction), limit, budget, &mut page)?;
                if page.next.is_none() && base > Position::ZERO {
                    let (limit, budget) = (limit - page.events.len(), budget - page.scanned);
                    let from = Some(from.min(base));
                    let rest = self.sealed.log(filter, from, direction, limit, budget)?;
                    page.events.extend(rest.events);
                    page.scanned += rest.scanned;
                    page.next = rest.next;
                }
                Ok(page)
            }
        }
    }

    fn walk_stream(
        &self,
        stream: &StreamName,
        (low, high): (Revision, Revision),
        direction: Direction,
        each: EachView<'_>,
    ) -> StoreResult<()> {
        let Some(first) = self.first_in_tail(stream) else {
            return self
                .sealed
                .walk_stream(stream, (low, high), direction, each);
        };
        let last = self.stream(stream)?.map_or(high, |info| info.revision);
        let own = (low.max(first), high.min(last));
        let sealed = (low, high.min(Revision(first.0.saturating_sub(1))));
        match direction {
            Direction::Forward => {
                let mut goes_on = ControlFlow::Continue(());
                if low < first {
                    self.sealed
                        .walk_stream(stream, sealed, direction, &mut |event| {
                            goes_on = each(event)?;
                            Ok(goes_on)
                        })?;
                }
                if goes_on.is_continue() {
                    let _end = self.walk_tail(stream, own, direction, each)?;
                }
            }
            Direction::Backward => {
                if self.walk_tail(stream, own, direction, each)?.is_continue() {
                    self.sealed.walk_stream(stream, sealed, direction, each)?;
                }
            }
        }
        Ok(())
    }

    fn walk_log(&self, from: Position, each: EachView<'_>) -> StoreResult<()> {
        let base = self.tail.base().position;
        let mut goes_on = ControlFlow::Continue(());
        if from <= base {
            self.sealed.walk_log(from, &mut |event| {
                goes_on = each(event)?;
                Ok(goes_on)
            })?;
        }
        let mut next = from.max(base.next());
        while goes_on.is_continue()
            && let Some(event) = self.tail.event(next)
        {
            self.stop().check()?;
            goes_on = each(&EventView::from(&**event))?;
            next = next.next();
        }
        Ok(())
    }

    fn event_at(&self, position: Position) -> StoreResult<Option<Event>> {
        match self.tail.event(position) {
            Some(event) => Ok(Some(Event::clone(event))),
            None => self.sealed.event_at(position),
        }
    }

    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Event>> {
        match self.in_tail(stream, revision) {
            Some(event) => Ok(Some(Event::clone(event))),
            None => self.sealed.event_at_revision(stream, revision),
        }
    }

    fn event_by_id(&self, event_id: &str) -> StoreResult<Option<Event>> {
        match self.tail.event_by_id(event_id) {
            Some(event) => Ok(Some(Event::clone(event))),
            None => self.sealed.event_by_id(event_id),
        }
    }

    fn caused_events(&self, cause: &str, from: Position, limit: usize) -> StoreResult<Vec<Event>> {
        let mut events = self.sealed.caused_events(cause, from, limit)?;
        let own = self.tail.caused_events(cause);
        let own = own.filter(|event| event.position >= from);
        events.extend(
            own.take(limit - events.len())
                .map(|event| Event::clone(event)),
        );
        Ok(events)
    }
}

impl<V: SealedView> ReadTimes for MergedView<V> {
    fn revision_as_of(&self, stream: &StreamName, at: Timestamp) -> StoreResult<Option<Revision>> {
        let found = self.tail.streams().get(stream);
        let own = found.and_then(|found| found.last_where(|(_, effective)| effective <= at));
        match (own, self.first_in_tail(stream)) {
            (Some(own), _) => Ok(Some(own)),
            (None, None) => self.sealed.revision_as_of(stream, at),
            (None, Some(_)) => {
                let sealed = self.sealed.revision_as_of(stream, at)?;
                Ok(Some(sealed.unwrap_or(Revision::ZERO)))
            }
        }
    }

    fn revision_at(
        &self,
        stream: &StreamName,
        position: Position,
    ) -> StoreResult<Option<Revision>> {
        let found = self.tail.streams().get(stream);
        let own = found.and_then(|found| found.last_where(|(own, _)| own <= position));
        match (own, self.first_in_tail(stream)) {
            (Some(own), _) => Ok(Some(own)),
            (None, None) => self.sealed.revision_at(stream, position),
            (None, Some(_)) => {
                let sealed = self.sealed.revision_at(stream, position)?;
                Ok(Some(sealed.unwrap_or(Revision::ZERO)))
            }
        }
    }

    fn effective_at(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Timestamp>> {
        let found = self.tail.streams().get(stream);
        match found.and_then(|found| found.entry(revision)) {
            Some((_, effective_at)) => Ok(Some(effective_at)),
            None => self.sealed.effective_at(stream, revision),
        }
    }

    fn late_events(
        &self,
        stream: &StreamName,
        range: LateRange,
        limit: usize,
        budget: u64,
    ) -> StoreResult<LateEvents> {
        let mut found = self.sealed.late_events(stream, range, limit, budget)?;
        let Some(own) = self.tail.streams().get(stream) else {
            return Ok(found);
        };
        if found.unseen_from.is_some() || range.after >= range.to {
            return Ok(found);
        }
        // Those that are sealed and were looked at, at least.
        let late = own.late(range.after, range.to);
        for (looked_at, (revision, recorded_at)) in (found.count..).zip(late) {
            if looked_at >= budget {
                found.unseen_from = Some(revision);
                break;
            }
            if range.recorded_by.is_none_or(|at| recorded_at <= at) {
                found.count += 1;
                if found.revisions.len() < limit {
                    found.revisions.push(revision);
                }
            }
        }
        Ok(found)
    }

    fn density(&self, stream: Option<&StreamName>, buckets: usize) -> StoreResult<Density> {
        times::density(self, stream, buckets)
    }
}

impl<V: SealedView> ReadWords for MergedView<V> {
    fn word_events(&self, field: WordField, word: &str) -> StoreResult<u64> {
        let own = self.tail.events().flat_map(|event| words_of(event));
        let own = own.filter(|found| *found == (field, word)).count() as u64;
        Ok(own + self.sealed.word_events(field, word)?)
    }

    fn words(
        &self,
        field: WordField,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> StoreResult<WordPage> {
        let sealed = self.sealed.words(field, prefix, after, limit)?;
        let mut has_more = sealed.has_more;
        let last = sealed
            .words
            .last()
            .map(|(word, _)| word.clone())
            .filter(|_| has_more);
        let mut words: BTreeMap<String, u64> = sealed.words.into_iter().collect();
        for (own, word) in self.tail.events().flat_map(|event| words_of(event)) {
            let is_behind = after.is_none_or(|after| word > after);
            if own == field && word.starts_with(prefix) && is_behind {
                if last.as_deref().is_none_or(|last| word <= last) {
                    *words.entry(word.to_owned()).or_default() += 1;
                } else {
                    has_more = true;
                }
            }
        }
        has_more |= words.len() > limit;
        let words = words.into_iter().take(limit).collect();
        Ok(WordPage { words, has_more })
    }
}

impl<V: SealedView> ReadStreams for MergedView<V> {
    fn stream(&self, stream: &StreamName) -> StoreResult<Option<StreamInfo>> {
        match self.tail.streams().get(stream) {
            Some(found) => Ok(Some(found.info().clone())),
            None => self.sealed.stream(stream),
        }
    }

    fn streams(
        &self,
        filter: &StreamFilter,
        order: StreamOrder,
        after: Option<StreamCursor>,
        limit: usize,
        budget: u64,
    ) -> StoreResult<StreamPage> {
        match order {
            StreamOrder::Name => lists::by_name(self, filter, after, limit, budget),
            StreamOrder::Recent => lists::recent(self, filter, after.as_ref(), limit, budget),
        }
    }

    fn categories(&self) -> StoreResult<Vec<CategoryInfo>> {
        lists::categories(self)
    }
}

impl<V: SealedView> ReadDecisions for MergedView<V> {
    fn decisions(
        &self,
        filter: &DecisionFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
    ) -> StoreResult<DecisionPage> {
        lists::decisions(self, filter, from, direction, limit)
    }

    fn decision(&self, sequence: u64) -> StoreResult<Option<Decision>> {
        match self.tail.decision(sequence) {
            Some(decision) => Ok(Some(decision.clone())),
            None => self.sealed.decision(sequence),
        }
    }

    fn decision_by_command(&self, command_id: &str) -> StoreResult<Option<Decision>> {
        match self.tail.decision_by_command(command_id) {
            Some(decision) => Ok(Some(decision.clone())),
            None => self.sealed.decision_by_command(command_id),
        }
    }

    fn caused_decisions(&self, cause: &str, from: u64, limit: usize) -> StoreResult<Vec<Decision>> {
        let mut decisions = self.sealed.caused_decisions(cause, from, limit)?;
        let own = self.tail.caused_decisions(cause);
        let own = own.filter(|decision| decision.sequence >= from);
        decisions.extend(own.take(limit - decisions.len()).cloned());
        Ok(decisions)
    }

    fn rejection_before(&self, position: Position) -> StoreResult<u64> {
        lists::rejection_before(self, position)
    }
}

impl<V: SealedView> ReadKeys for MergedView<V> {
    fn key_holder(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Option<Position>,
    ) -> StoreResult<Option<KeyHold>> {
        let at = at.unwrap_or(Position(u64::MAX));
        let last = self.holds(category, key, at)?.into_iter().next();
        // A hold that ended by then is no hold; `until` is the position at which it is already free.
        Ok(last.filter(|hold| hold.until.is_none_or(|until| until > at)))
    }

    fn key_holds_since(
        &self,
        category: &str,
        key: &UniqueKey,
        after: Position,
    ) -> StoreResult<Vec<KeyHold>> {
        let mut holds = self.holds(category, key, Position(u64::MAX))?;
        holds.retain(|hold| hold.since > after);
        holds.reverse();
        Ok(holds)
    }

    fn key_holder_as_of(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Timestamp,
        except: &StreamName,
    ) -> StoreResult<Option<KeyHold>> {
        let holds = self.holds(category, key, Position(u64::MAX))?;
        Ok(holds.into_iter().find(|hold| {
            hold.since_at <= at
                && hold.until_at.is_none_or(|until| until > at)
                && hold.stream != *except
        }))
    }
}

impl<V: SealedView> ReadJobs for MergedView<V> {
    fn job(&self, id: u64) -> StoreResult<Option<Job>> {
        jobs::job(self, id)
    }

    fn jobs(
        &self,
        filter: &JobFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> StoreResult<JobPage> {
        jobs::jobs(self, filter, from, direction, limit, budget)
    }

    fn jobs_of_event(&self, position: Position) -> StoreResult<Vec<Job>> {
        jobs::of_event(self, position)
    }

    fn first_open_job(&self, handler: &str, stream: &StreamName) -> StoreResult<Option<Job>> {
        match jobs::first_open(self, handler, stream)? {
            Some(id) => self.job(id),
            None => Ok(None),
        }
    }

    fn job_counts(&self) -> StoreResult<Vec<HandlerCounts>> {
        jobs::counts(self)
    }
}

impl<V: SealedView> ReadSnapshots for MergedView<V> {
    fn snapshot(
        &self,
        stream: &StreamName,
        rules_hash: &str,
        at_most: Revision,
    ) -> StoreResult<Option<Snapshot>> {
        let unsaved = self.snapshots.find(stream, rules_hash, at_most);
        let sealed = self.sealed.snapshot(stream, rules_hash, at_most)?;
        Ok(match (unsaved, sealed) {
            (Some(own), Some(sealed)) if own.revision < sealed.revision => Some(sealed),
            (Some(own), _) => Some(own),
            (None, sealed) => sealed,
        })
    }
}

/// Whether a decision is a rejection.
pub(super) fn is_rejected(decision: &Decision) -> bool {
    matches!(decision.result, Outcome::Rejected { .. })
}
