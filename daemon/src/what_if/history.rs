//! A store's log as re-deciding reads it: entries by their places, states, and who held which key.
//!
//! Owns the merge of decisions and raw events into entries. Reads pages, never a whole log; never writes, not even a snapshot.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use whodunit_core::api::what_if::DecisionRef;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::keys::UniqueKey;
use whodunit_core::model::Models;
use whodunit_core::redecide::{Entry, EntryRef, History, Place};
use whodunit_core::time::Timestamp;

use super::WhatIfFailure;
use super::ahead::Ahead;
use crate::limits::SCAN_ENTRIES_MAX;
use crate::store::{DecisionFilter, Direction, LogFilter, StoreError, View};
use crate::time_travel::TimeTravel;

/// Records that are read at a time: each may be as large as an event may be.
const CHUNK: usize = 64;

/// A read view of a store.
pub(super) struct StoreHistory<'a> {
    pub(super) view: &'a dyn View,
    pub(super) travel: &'a Arc<TimeTravel>,
    pub(super) models: &'a Models,
    /// The log as it is read on another thread, where its first walk goes along all of it.
    pub(super) ahead: Option<Ahead>,
}

/// Where a walk is.
pub(super) enum Walk {
    /// It is read here.
    Here(Box<WalkHere>),
    /// It is read ahead.
    Ahead(Ahead),
}

/// Where a walk is that is read here. Decisions and events are read ahead, each in their own order, and merged by their places.
pub(super) struct WalkHere {
    stream: Option<StreamName>,
    after: Place,
    decisions: VecDeque<Decision>,
    next_decision: Option<u64>,
    events: VecDeque<Event>,
    /// The next revision of the stream, or position of the log.
    next_event: Option<u64>,
    /// Events ahead that belong to decisions that were passed.
    claimed: HashSet<Position>,
}

type Read<T> = Result<T, WhatIfFailure>;

/// Whether a decision led to an event.
fn led_to(decision: &Decision, event: &Event) -> bool {
    match decision.result {
        Outcome::Accepted {
            revision, events, ..
        } => {
            decision.stream == event.stream
                && event.revision <= revision
                && event.revision.0 + u64::from(events) > revision.0
        }
        Outcome::Rejected { .. } => false,
    }
}

impl StoreHistory<'_> {
    /// A decision with the events that it led to.
    fn decided(&self, decision: Decision) -> Result<Entry, StoreError> {
        let events = match decision.result {
            Outcome::Accepted {
                revision, events, ..
            } if events > 0 => {
                let first = Revision((revision.0 + 1).saturating_sub(u64::from(events)));
                let count = usize::try_from(events).unwrap_or(usize::MAX);
                let stream = &decision.stream;
                self.view
                    .stream_events(stream, first, Direction::Forward, count)?
            }
            _ => Vec::new(),
        };
        Ok(Entry::decided(decision, events))
    }

    /// The same, where the events that were read ahead begin with them.
    fn decided_ahead(&self, walk: &mut WalkHere, decision: Decision) -> Result<Entry, StoreError> {
        let count = match decision.result {
            Outcome::Accepted { events, .. } => usize::try_from(events).unwrap_or(usize::MAX),
            Outcome::Rejected { .. } => 0,
        };
        let ahead = walk.events.iter().take(count);
        let are_ahead = ahead.filter(|event| led_to(&decision, event)).count() == count;
        if !are_ahead {
            let entry = self.decided(decision)?;
            walk.claimed
                .extend(entry.events.iter().map(|event| event.position));
            return Ok(entry);
        }
        let events = walk.events.drain(..count).collect();
        Ok(Entry::decided(decision, events))
    }

    /// The decision that led to an event, if one is on record.
    fn decision_behind(&self, event: &Event) -> Result<Option<Decision>, StoreError> {
        let Some(cause) = &event.causation_id else {
            return Ok(None);
        };
        let decision = self.view.decision_by_command(cause)?;
        Ok(decision.filter(|decision| led_to(decision, event)))
    }

    fn named(&self, event: &Event) -> Result<(Place, EntryRef), StoreError> {
        Ok(match self.decision_behind(event)? {
            Some(decision) => named(&decision),
            None => (
                Place::of_raw_event(event.position),
                EntryRef::Event(event.position),
            ),
        })
    }

    /// The first decision that was made when the log had come to a position, or the sequence after the last one. Decisions are
    /// in the order of their places, but for restored ones that were added to a log with later decisions.
    fn first_decision_at(&self, position: Position) -> Result<u64, StoreError> {
        let (mut low, mut high) = (1, self.view.head().decision + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let decision = self.view.decision(middle)?;
            if decision.is_some_and(|decision| decision.base_position < position) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn read_ahead(&self, walk: &mut WalkHere) -> Result<(), StoreError> {
        if walk.decisions.is_empty()
            && let Some(from) = walk.next_decision
        {
            let filter = DecisionFilter {
                stream: walk.stream.clone(),
                ..DecisionFilter::default()
            };
            let page = self
                .view
                .decisions(&filter, Some(from), Direction::Forward, CHUNK)?;
            walk.next_decision = page.next;
            walk.decisions.extend(page.decisions);
        }
        while walk.events.is_empty()
            && let Some(from) = walk.next_event
        {
            let (events, next) = match &walk.stream {
                Some(stream) => {
                    let events = self.view.stream_events(
                        stream,
                        Revision(from),
                        Direction::Forward,
                        CHUNK,
                    )?;
                    let last = events.last().filter(|_| events.len() == CHUNK);
                    let next = last.map(|event| event.revision.0 + 1);
                    (events, next)
                }
                None => {
                    let page = self.view.log(
                        &LogFilter::default(),
                        Some(Position(from)),
                        Direction::Forward,
                        CHUNK,
                        SCAN_ENTRIES_MAX,
                    )?;
                    (page.events, page.next.map(|next| next.0))
                }
            };
            walk.next_event = next;
            walk.events.extend(events);
        }
        Ok(())
    }

    /// The next entry, be it after the start of the walk or not.
    fn merged(&self, walk: &mut WalkHere) -> Result<Option<Entry>, StoreError> {
        loop {
            self.view.stop().check()?;
            self.read_ahead(walk)?;
            let event_place = match walk.events.front() {
                Some(event) if walk.claimed.remove(&event.position) => {
                    walk.events.pop_front();
                    continue;
                }
                Some(event) => Some(Place::of_raw_event(event.position)),
                None => None,
            };
            let comes_first = match (walk.decisions.front(), walk.events.front()) {
                (Some(decision), Some(event)) => {
                    led_to(decision, event) || event_place > Some(Place::of_decision(decision))
                }
                (Some(_), None) => true,
                (None, _) => false,
            };
            if comes_first && let Some(decision) = walk.decisions.pop_front() {
                return self.decided_ahead(walk, decision).map(Some);
            }
            let Some(event) = walk.events.pop_front() else {
                return Ok(None);
            };
            return Ok(Some(match self.passed(walk, &event)? {
                Some(entry) => entry,
                None => Entry::raw(event),
            }));
        }
    }

    /// The entry of an event whose decision stands before those that the walk reads: it began among its events.
    fn passed(&self, walk: &mut WalkHere, event: &Event) -> Result<Option<Entry>, StoreError> {
        let Some(decision) = self.decision_behind(event)? else {
            return Ok(None);
        };
        let entry = self.decided(decision)?;
        let later = entry.events.iter().map(|event| event.position);
        walk.claimed
            .extend(later.filter(|position| *position > event.position));
        Ok(Some(entry))
    }
}

fn named(decision: &Decision) -> (Place, EntryRef) {
    (
        Place::of_decision(decision),
        EntryRef::Decision(decision.sequence),
    )
}

fn gone(what: String) -> WhatIfFailure {
    let detail = "it is named, and not there".to_owned();
    StoreError::Damaged {
        place: what,
        detail,
    }
    .into()
}

impl History for StoreHistory<'_> {
    type Error = WhatIfFailure;
    type Walk = Walk;

    fn state(&mut self, stream: &StreamName, at: Revision) -> Read<State> {
        let model = self.models.for_stream(stream);
        let (travel, view) = (self.travel, self.view);
        let found = travel.state_without_snapshots(view, model, stream, at)?;
        Ok(found.folded.state)
    }

    fn revision(&mut self, stream: &StreamName, at: Position) -> Read<Revision> {
        Ok(self.view.revision_at(stream, at)?.unwrap_or_default())
    }

    fn effective_at(&mut self, stream: &StreamName, at: Revision) -> Read<Option<Timestamp>> {
        if at > Revision::ZERO {
            return Ok(self.view.effective_at(stream, at)?);
        }
        Ok(self.view.stream(stream)?.map(|info| info.first_at))
    }

    fn holder(
        &mut self,
        category: &str,
        key: &UniqueKey,
        at: Position,
    ) -> Read<Option<StreamName>> {
        let hold = self.view.key_holder(category, key, Some(at))?;
        Ok(hold.map(|hold| hold.stream))
    }

    fn takers(
        &mut self,
        category: &str,
        key: &UniqueKey,
        after: Position,
    ) -> Read<Vec<(Place, EntryRef)>> {
        let mut takers = Vec::new();
        for hold in self.view.key_holds_since(category, key, after)? {
            self.view.stop().check().map_err(StoreError::from)?;
            if let Some(event) = self.view.event_at(hold.since)? {
                takers.push(self.named(&event)?);
            }
        }
        Ok(takers)
    }

    fn refused_for_keys(&mut self, category: &str, after: Place) -> Read<Vec<(Place, EntryRef)>> {
        let filter = DecisionFilter {
            rejected: Some(true),
            ..DecisionFilter::default()
        };
        let mut refused = Vec::new();
        let mut next = Some(self.first_decision_at(after.position())?);
        while let Some(from) = next {
            let page = self
                .view
                .decisions(&filter, Some(from), Direction::Forward, CHUNK)?;
            next = page.next;
            let decisions = page.decisions.iter().filter(|decision| {
                decision.stream.category() == category
                    && matches!(&decision.result, Outcome::Rejected { rule, .. } if is_about_a_key(rule))
            });
            refused.extend(decisions.map(named).filter(|(place, _)| *place > after));
        }
        Ok(refused)
    }

    fn effects(&mut self, id: &str) -> Read<Vec<(Place, EntryRef)>> {
        let mut effects = Vec::new();
        let mut from = Some(Position(1));
        while let Some(position) = from {
            self.view.stop().check().map_err(StoreError::from)?;
            let events = self.view.caused_events(id, position, CHUNK)?;
            let last = events.last().filter(|_| events.len() == CHUNK);
            from = last.map(|event| event.position.next());
            for event in &events {
                // A command's own events name it.
                if self.decision_behind(event)?.is_none() {
                    effects.push(self.named(event)?);
                }
            }
        }
        let mut from = Some(1);
        while let Some(sequence) = from {
            let decisions = self.view.caused_decisions(id, sequence, CHUNK)?;
            let last = decisions.last().filter(|_| decisions.len() == CHUNK);
            from = last.map(|decision| decision.sequence + 1);
            effects.extend(decisions.iter().map(named));
        }
        Ok(effects)
    }

    fn entry(&mut self, reference: EntryRef) -> Read<Entry> {
        match reference {
            EntryRef::Decision(sequence) => match self.view.decision(sequence)? {
                Some(decision) => Ok(self.decided(decision)?),
                None => Err(gone(format!("decision {sequence}"))),
            },
            EntryRef::Event(position) => match self.view.event_at(position)? {
                Some(event) => Ok(Entry::raw(event)),
                None => Err(gone(format!("position {position}"))),
            },
        }
    }

    fn entry_of_event(&mut self, stream: &StreamName, revision: Revision) -> Read<Option<Entry>> {
        let Some(event) = self.view.event_at_revision(stream, revision)? else {
            return Ok(None);
        };
        let (_, reference) = self.named(&event)?;
        self.entry(reference).map(Some)
    }

    fn decision(&mut self, reference: &DecisionRef) -> Read<Option<Entry>> {
        let found = match reference {
            DecisionRef::Sequence(sequence) => self.view.decision(*sequence)?,
            DecisionRef::Command(id) => self.view.decision_by_command(id)?,
        };
        Ok(found.map(|decision| self.decided(decision)).transpose()?)
    }

    fn entry_of_id(&mut self, id: &str) -> Read<Option<Entry>> {
        if let Some(decision) = self.view.decision_by_command(id)? {
            return Ok(Some(self.decided(decision)?));
        }
        match self.view.event_by_id(id)? {
            Some(event) => self.entry_of_event(&event.stream, event.revision),
            None => Ok(None),
        }
    }

    fn walk(&mut self, stream: Option<&StreamName>, after: Place) -> Read<Walk> {
        if stream.is_none()
            && let Some(ahead) = self.ahead.take()
        {
            return Ok(Walk::Ahead(ahead));
        }
        let position = after.position();
        let next_event = match stream {
            Some(stream) => {
                let revision = self.view.revision_at(stream, position)?;
                revision.map(|revision| revision.0 + 1)
            }
            None => Some(position.0.saturating_add(1)),
        };
        Ok(Walk::Here(Box::new(WalkHere {
            stream: stream.cloned(),
            after,
            decisions: VecDeque::new(),
            next_decision: Some(self.first_decision_at(position)?),
            events: VecDeque::new(),
            next_event,
            claimed: HashSet::new(),
        })))
    }

    fn next(&mut self, walk: &mut Walk) -> Read<Option<Entry>> {
        let walk = match walk {
            Walk::Here(walk) => walk,
            Walk::Ahead(ahead) => return ahead.next(),
        };
        while let Some(entry) = self.merged(walk)? {
            if entry.place > walk.after {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn decisions_after(&mut self, place: Place) -> Read<u64> {
        let head = self.view.head().decision;
        let mut first = self.first_decision_at(place.position())?;
        // Several may stand at that position.
        while first <= head
            && let Some(decision) = self.view.decision(first)?
            && Place::of_decision(&decision) <= place
        {
            self.view.stop().check().map_err(StoreError::from)?;
            first += 1;
        }
        Ok((head + 1).saturating_sub(first))
    }

    fn streams(&mut self) -> Read<u64> {
        let categories = self.view.categories()?;
        Ok(categories.iter().map(|category| category.streams).sum())
    }
}

/// Whether a rule refuses because another stream holds a key.
fn is_about_a_key(rule: &str) -> bool {
    rule.rsplit('.').next() == Some("taken")
}
