//! The read view: the file as it is at one moment.
//!
//! Owns every read. A view holds a read transaction, so it sees one state of the log however long it lives, and never
//! waits for the writer.

use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::search::Search;
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;

use super::engine;
use super::job_view;
use super::key_view::KeyHolds;
use super::query::{candidates, passes};
use super::record::{decode_decision, decode_event, decode_stream};
use super::tables::{
    BY_TIME, CATEGORIES, COMMAND_IDS, DECISIONS, EVENT_IDS, EVENTS, LATE_EVENTS, SNAPSHOTS,
    STREAM_DECISIONS, STREAM_EVENTS, STREAM_NUMBERS, STREAMS,
};
use crate::store::engine::SealedView;
use crate::store::write::missing;
use crate::store::{
    CategoryInfo, DecisionFilter, DecisionPage, Density, Direction, HandlerCounts, Head, Job,
    JobFilter, JobPage, KeyHold, LateEvents, LateRange, LogFilter, LogPage, Snapshot, StoreError,
    StreamCursor, StreamFilter, StreamInfo, StreamOrder, StreamPage, View,
};

type StoreResult<T> = Result<T, StoreError>;

/// A read view of the file.
pub(crate) struct RedbView {
    txn: Arc<ReadTransaction>,
    head: Head,
    stop: Stop,
}

impl RedbView {
    pub(super) fn open(database: &Database) -> StoreResult<Self> {
        let txn = database.begin_read().map_err(engine("reading the head"))?;
        Self::of(Arc::new(txn))
    }

    /// A view of what a transaction sees.
    pub(super) fn of(txn: Arc<ReadTransaction>) -> StoreResult<Self> {
        let doing = "reading the head";
        let position = {
            let events = txn.open_table(EVENTS).map_err(engine(doing))?;
            events
                .last()
                .map_err(engine(doing))?
                .map_or(0, |(position, _)| position.value())
        };
        let decision = {
            let decisions = txn.open_table(DECISIONS).map_err(engine(doing))?;
            decisions
                .last()
                .map_err(engine(doing))?
                .map_or(0, |(sequence, _)| sequence.value())
        };
        Ok(Self {
            txn,
            head: Head {
                position: Position(position),
                decision,
            },
            stop: Stop::new(),
        })
    }

    fn number(&self, stream: &StreamName) -> StoreResult<Option<u64>> {
        let doing = "reading a stream";
        let numbers = self.txn.open_table(STREAM_NUMBERS).map_err(engine(doing))?;
        Ok(numbers
            .get(stream.as_str())
            .map_err(engine(doing))?
            .map(|number| number.value()))
    }

    pub(super) fn info(&self, number: u64) -> StoreResult<StreamInfo> {
        let doing = "reading a stream";
        let streams = self.txn.open_table(STREAMS).map_err(engine(doing))?;
        let record = streams.get(number).map_err(engine(doing))?;
        decode_stream(
            number,
            record
                .ok_or_else(|| missing(format!("stream number {number}")))?
                .value(),
        )
    }

    fn event(&self, position: u64) -> StoreResult<Event> {
        let doing = "reading an event";
        let events = self.txn.open_table(EVENTS).map_err(engine(doing))?;
        let record = events.get(position).map_err(engine(doing))?;
        decode_event(
            position,
            record
                .ok_or_else(|| missing(format!("position {position}")))?
                .value(),
        )
    }

    fn decision_record(&self, sequence: u64) -> StoreResult<Decision> {
        let doing = "reading a decision";
        let decisions = self.txn.open_table(DECISIONS).map_err(engine(doing))?;
        let record = decisions.get(sequence).map_err(engine(doing))?;
        decode_decision(
            sequence,
            record
                .ok_or_else(|| missing(format!("decision {sequence}")))?
                .value(),
        )
    }

    /// Hands (revision, position, effective time) of a stream's events to `each` until it returns `false`.
    fn for_each_entry(
        &self,
        number: u64,
        (low, high): (u64, u64),
        direction: Direction,
        each: &mut dyn FnMut(u64, u64, i64) -> StoreResult<bool>,
    ) -> StoreResult<()> {
        let doing = "reading a stream's index";
        let index = self.txn.open_table(STREAM_EVENTS).map_err(engine(doing))?;
        let mut entries = index
            .range((number, low)..=(number, high))
            .map_err(engine(doing))?;
        loop {
            self.stop.check()?;
            let entry = match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            };
            let Some(entry) = entry else { return Ok(()) };
            let (key, value) = entry.map_err(engine(doing))?;
            let (position, effective) = value.value();
            if !each(key.value().1, position, effective)? {
                return Ok(());
            }
        }
    }

    /// The last revision whose (position, effective time) fits; 0 when none does, `None` when the stream has no event. Where
    /// one fits, so do all before it: a search by halving.
    fn last_entry_where(
        &self,
        stream: &StreamName,
        fits: &dyn Fn((u64, i64)) -> bool,
    ) -> StoreResult<Option<Revision>> {
        let Some(number) = self.number(stream)? else {
            return Ok(None);
        };
        let (mut low, mut high) = (0, self.info(number)?.revision.0);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let entry = self
                .entry(number, Revision(middle))?
                .ok_or_else(|| missing(format!("revision {middle} of `{stream}`")))?;
            if fits(entry) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Some(Revision(low)))
    }

    fn entry(&self, number: u64, revision: Revision) -> StoreResult<Option<(u64, i64)>> {
        let doing = "reading a stream's index";
        let index = self.txn.open_table(STREAM_EVENTS).map_err(engine(doing))?;
        Ok(index
            .get((number, revision.0))
            .map_err(engine(doing))?
            .map(|entry| entry.value()))
    }
}

impl View for RedbView {
    fn head(&self) -> Head {
        self.head
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }

    fn set_stop(&mut self, stop: Stop) {
        self.stop = stop;
    }

    fn stream(&self, stream: &StreamName) -> StoreResult<Option<StreamInfo>> {
        self.number(stream)?
            .map(|number| self.info(number))
            .transpose()
    }

    fn stream_events(
        &self,
        stream: &StreamName,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> StoreResult<Vec<Event>> {
        let Some(number) = self.number(stream)? else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        let range = match direction {
            Direction::Forward => (from.0, u64::MAX),
            Direction::Backward => (0, from.0),
        };
        if limit > 0 {
            self.for_each_entry(number, range, direction, &mut |_, position, _| {
                events.push(self.event(position)?);
                Ok(events.len() < limit)
            })?;
        }
        Ok(events)
    }

    fn for_each_event(
        &self,
        stream: &StreamName,
        from: Revision,
        to: Revision,
        each: &mut dyn FnMut(Event) -> bool,
    ) -> StoreResult<()> {
        let Some(number) = self.number(stream)? else {
            return Ok(());
        };
        if from > to {
            return Ok(());
        }
        let doing = "reading an event";
        let events = self.txn.open_table(EVENTS).map_err(engine(doing))?;
        self.for_each_entry(
            number,
            (from.0, to.0),
            Direction::Forward,
            &mut |_, position, _| {
                let record = events.get(position).map_err(engine(doing))?;
                let record = record.ok_or_else(|| missing(format!("position {position}")))?;
                Ok(each(decode_event(position, record.value())?))
            },
        )
    }

    fn event_at(&self, position: Position) -> StoreResult<Option<Event>> {
        if (Position(1)..=self.head.position).contains(&position) {
            self.event(position.0).map(Some)
        } else {
            Ok(None)
        }
    }

    fn revision_as_of(&self, stream: &StreamName, at: Timestamp) -> StoreResult<Option<Revision>> {
        // Effective times never go back along a stream.
        self.last_entry_where(stream, &|(_, effective)| effective <= at.as_micros())
    }

    fn revision_at(
        &self,
        stream: &StreamName,
        position: Position,
    ) -> StoreResult<Option<Revision>> {
        self.last_entry_where(stream, &|(its_position, _)| its_position <= position.0)
    }

    fn late_events(
        &self,
        stream: &StreamName,
        range: LateRange,
        limit: usize,
        budget: u64,
    ) -> StoreResult<LateEvents> {
        let mut found = LateEvents::default();
        let Some(number) = self.number(stream)? else {
            return Ok(found);
        };
        if range.after >= range.to {
            return Ok(found);
        }
        let doing = "reading the events that are out of order";
        let late = self.txn.open_table(LATE_EVENTS).map_err(engine(doing))?;
        let (from, to) = (range.after.next().0, range.to.0);
        let entries = late
            .range((number, from)..=(number, to))
            .map_err(engine(doing))?;
        for (looked_at, entry) in (0..).zip(entries) {
            let (key, recorded_at) = entry.map_err(engine(doing))?;
            if looked_at >= budget {
                found.unseen_from = Some(Revision(key.value().1));
                break;
            }
            let recorded_at = Timestamp::from_micros(recorded_at.value());
            if range.recorded_by.is_none_or(|at| recorded_at <= at) {
                found.count += 1;
                if found.revisions.len() < limit {
                    found.revisions.push(Revision(key.value().1));
                }
            }
        }
        Ok(found)
    }

    fn effective_at(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Timestamp>> {
        let Some(number) = self.number(stream)? else {
            return Ok(None);
        };
        Ok(self
            .entry(number, revision)?
            .map(|(_, effective)| Timestamp::from_micros(effective)))
    }

    fn log(
        &self,
        filter: &LogFilter,
        from: Option<Position>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> StoreResult<LogPage> {
        let head = self.head.position.0;
        let range = match direction {
            Direction::Forward => (from.map_or(1, |from| from.0.max(1)), head),
            Direction::Backward => (1, from.map_or(head, |from| from.0.min(head))),
        };
        let doing = "reading an event";
        let events = self.txn.open_table(EVENTS).map_err(engine(doing))?;
        let mut page = LogPage::default();
        for position in candidates(&self.txn, filter, range, direction)? {
            self.stop.check()?;
            let position = position?;
            if page.events.len() >= limit || page.scanned >= budget {
                page.next = Some(Position(position));
                break;
            }
            page.scanned += 1;
            let record = events.get(position).map_err(engine(doing))?;
            let record = record.ok_or_else(|| missing(format!("position {position}")))?;
            let event = decode_event(position, record.value())?;
            if passes(filter, &event) {
                page.events.push(event);
            }
        }
        Ok(page)
    }

    fn event_by_id(&self, event_id: &str) -> StoreResult<Option<Event>> {
        let doing = "reading an event id";
        let ids = self.txn.open_table(EVENT_IDS).map_err(engine(doing))?;
        let position = ids
            .get(event_id)
            .map_err(engine(doing))?
            .map(|position| position.value());
        position.map(|position| self.event(position)).transpose()
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
            StreamOrder::Name => self.streams_by_name(filter, after, limit, budget),
            StreamOrder::Recent => {
                super::recent::streams(&self.txn, self, filter, after.as_ref(), limit, budget)
            }
        }
    }

    fn categories(&self) -> StoreResult<Vec<CategoryInfo>> {
        let doing = "reading the categories";
        let categories = self.txn.open_table(CATEGORIES).map_err(engine(doing))?;
        let mut out = Vec::new();
        for entry in categories.iter().map_err(engine(doing))? {
            let (category, counts) = entry.map_err(engine(doing))?;
            let (streams, events) = counts.value();
            out.push(CategoryInfo {
                category: category.value().to_owned(),
                streams,
                events,
            });
        }
        Ok(out)
    }

    fn decisions(
        &self,
        filter: &DecisionFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
    ) -> StoreResult<DecisionPage> {
        let last = self.head.decision;
        let (low, high) = match direction {
            Direction::Forward => (from.unwrap_or(1).max(1), last),
            Direction::Backward => (1, from.unwrap_or(last).min(last)),
        };
        let mut page = DecisionPage::default();
        let mut take = |sequence: u64, rejected: Option<bool>| -> StoreResult<bool> {
            self.stop.check()?;
            if filter.rejected.is_some() && rejected.is_some() && rejected != filter.rejected {
                return Ok(true);
            }
            if page.decisions.len() >= limit {
                page.next = Some(sequence);
                return Ok(false);
            }
            let decision = self.decision_record(sequence)?;
            let is_rejected = matches!(
                decision.result,
                whodunit_core::command::Outcome::Rejected { .. }
            );
            if filter.rejected.is_none_or(|wanted| wanted == is_rejected) {
                page.decisions.push(decision);
            }
            Ok(true)
        };
        if let Some(stream) = &filter.stream {
            let doing = "reading a stream's decisions";
            let index = self
                .txn
                .open_table(STREAM_DECISIONS)
                .map_err(engine(doing))?;
            let name = stream.as_str();
            let mut entries = index
                .range((name, low)..=(name, high))
                .map_err(engine(doing))?;
            while let Some(entry) = match direction {
                Direction::Forward => entries.next(),
                Direction::Backward => entries.next_back(),
            } {
                let (key, rejected) = entry.map_err(engine(doing))?;
                if !take(key.value().1, Some(rejected.value()))? {
                    break;
                }
            }
        } else {
            let mut all = (low..=high).map(Some);
            while let Some(Some(sequence)) = match direction {
                Direction::Forward => all.next(),
                Direction::Backward => all.next_back(),
            } {
                if !take(sequence, None)? {
                    break;
                }
            }
        }
        Ok(page)
    }

    fn decision_by_command(&self, command_id: &str) -> StoreResult<Option<Decision>> {
        let doing = "reading a command id";
        let ids = self.txn.open_table(COMMAND_IDS).map_err(engine(doing))?;
        let sequence = ids
            .get(command_id)
            .map_err(engine(doing))?
            .map(|sequence| sequence.value());
        sequence
            .map(|sequence| self.decision_record(sequence))
            .transpose()
    }

    fn decision(&self, sequence: u64) -> StoreResult<Option<Decision>> {
        if (1..=self.head.decision).contains(&sequence) {
            self.decision_record(sequence).map(Some)
        } else {
            Ok(None)
        }
    }

    fn key_holder(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Option<Position>,
    ) -> StoreResult<Option<KeyHold>> {
        let at = at.unwrap_or(Position(u64::MAX));
        let mut holds = KeyHolds::open(&self.txn, category, key)?;
        let last = holds.last_until(at)?;
        // A hold that ended by then is no hold; `until` is the position at which it is already free.
        Ok(last.filter(|hold| hold.until.is_none_or(|until| until > at)))
    }

    fn key_holder_as_of(
        &self,
        category: &str,
        key: &UniqueKey,
        at: Timestamp,
        except: &StreamName,
    ) -> StoreResult<Option<KeyHold>> {
        let mut holds = KeyHolds::open(&self.txn, category, key)?;
        holds.find_back(&mut |hold| {
            hold.since_at <= at
                && hold.until_at.is_none_or(|until| until > at)
                && hold.stream != *except
        })
    }

    fn job(&self, id: u64) -> StoreResult<Option<Job>> {
        job_view::job(&self.txn, id)
    }

    fn jobs(
        &self,
        filter: &JobFilter,
        from: Option<u64>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> StoreResult<JobPage> {
        job_view::jobs(
            &self.txn, &self.stop, filter, from, direction, limit, budget,
        )
    }

    fn first_open_job(&self, handler: &str, stream: &StreamName) -> StoreResult<Option<Job>> {
        job_view::first_open_job(&self.txn, handler, stream)
    }

    fn job_counts(&self) -> StoreResult<Vec<HandlerCounts>> {
        job_view::counts(&self.txn)
    }

    fn snapshot(
        &self,
        stream: &StreamName,
        rules_hash: &str,
        at_most: Revision,
    ) -> StoreResult<Option<Snapshot>> {
        let Some(number) = self.number(stream)? else {
            return Ok(None);
        };
        let doing = "reading a snapshot";
        let snapshots = self.txn.open_table(SNAPSHOTS).map_err(engine(doing))?;
        let mut range = snapshots
            .range((number, rules_hash, 0)..=(number, rules_hash, at_most.0))
            .map_err(engine(doing))?;
        let Some(entry) = range.next_back() else {
            return Ok(None);
        };
        let (key, state) = entry.map_err(engine(doing))?;
        Ok(Some(Snapshot {
            stream: stream.clone(),
            revision: Revision(key.value().2),
            rules_hash: rules_hash.to_owned(),
            state: state.value().to_vec(),
        }))
    }

    fn density(&self, stream: Option<&StreamName>, buckets: usize) -> StoreResult<Density> {
        super::density::density(&self.txn, self, stream, buckets)
    }
}

impl SealedView for RedbView {
    fn holds(&self, category: &str, key: &UniqueKey, at: Position) -> StoreResult<Vec<KeyHold>> {
        let mut found = Vec::new();
        KeyHolds::open(&self.txn, category, key)?.find_back(&mut |hold| {
            if hold.since <= at {
                found.push(hold.clone());
            }
            false
        })?;
        Ok(found)
    }

    fn each_time(&self, stream: Option<&StreamName>, each: &mut dyn FnMut(i64)) -> StoreResult<()> {
        let Some(stream) = stream else {
            let doing = "reading the time index";
            let index = self.txn.open_table(BY_TIME).map_err(engine(doing))?;
            for entry in index.iter().map_err(engine(doing))? {
                self.stop.check()?;
                each(entry.map_err(engine(doing))?.1.value());
            }
            return Ok(());
        };
        let Some(number) = self.number(stream)? else {
            return Ok(());
        };
        let all = (0, u64::MAX);
        self.for_each_entry(number, all, Direction::Forward, &mut |_, _, effective| {
            each(effective);
            Ok(true)
        })
    }
}

impl RedbView {
    pub(super) fn stream_number(&self, stream: &StreamName) -> StoreResult<Option<u64>> {
        self.number(stream)
    }

    fn streams_by_name(
        &self,
        filter: &StreamFilter,
        after: Option<StreamCursor>,
        limit: usize,
        budget: u64,
    ) -> StoreResult<StreamPage> {
        let doing = "reading the streams";
        let numbers = self.txn.open_table(STREAM_NUMBERS).map_err(engine(doing))?;
        // A category's streams stand together, between `category-` and the next character after `-`.
        let (mut low, mut high) = (String::new(), None);
        if let Some(category) = &filter.category {
            low = format!("{category}-");
            high = Some(format!("{category}."));
        }
        let after = after.and_then(|cursor| match cursor {
            StreamCursor::AfterName(name) => Some(name),
            StreamCursor::BeforePosition { .. } => None,
        });
        if let Some(name) = &after {
            // The smallest text after a name is the name and a zero character.
            low = low.max(format!("{name}\0"));
        }
        let entries = match &high {
            Some(high) if *high <= low => return Ok(StreamPage::default()),
            Some(high) => numbers.range(low.as_str()..high.as_str()),
            None => numbers.range(low.as_str()..),
        };
        let mut page = StreamPage::default();
        let mut last = after.unwrap_or_default();
        for entry in entries.map_err(engine(doing))? {
            self.stop.check()?;
            let (name, number) = entry.map_err(engine(doing))?;
            if page.streams.len() >= limit || page.scanned >= budget {
                page.next = Some(StreamCursor::AfterName(last));
                break;
            }
            name.value().clone_into(&mut last);
            page.scanned += 1;
            let info = self.info(number.value())?;
            if stream_passes(filter, &info) {
                page.streams.push(info);
            }
        }
        Ok(page)
    }
}

pub(crate) fn stream_passes(filter: &StreamFilter, info: &StreamInfo) -> bool {
    filter
        .category
        .as_deref()
        .is_none_or(|category| info.stream.category() == category)
        && filter.status.is_none_or_eq(info.label.status.as_deref())
        && filter
            .text
            .as_deref()
            .and_then(Search::new)
            .is_none_or(|text| {
                let title = info.label.title.as_deref();
                text.in_text(info.stream.as_str()) || title.is_some_and(|title| text.in_text(title))
            })
}

/// "Absent, or equal", for filters.
trait NoneOrEq {
    fn is_none_or_eq(&self, actual: Option<&str>) -> bool;
}

impl NoneOrEq for Option<String> {
    fn is_none_or_eq(&self, actual: Option<&str>) -> bool {
        self.as_deref().is_none_or(|wanted| actual == Some(wanted))
    }
}
