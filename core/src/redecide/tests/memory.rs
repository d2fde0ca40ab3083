//! A log in memory: a fresh store that decides and appends one thing after another, and reads by looking at everything.
//!
//! Who holds a key is found by folding every other stream. Shares with the engine under test the rules, the fold, and nothing
//! of the overlay.

use std::collections::BTreeMap;
use std::convert::Infallible;

use crate::api::what_if::DecisionRef;
use crate::command::{Command, Decision, Outcome, Rejection};
use crate::decide::{decide, state_and_keys_after};
use crate::event::{Event, NewEvent};
use crate::fold::fold;
use crate::ids::{Position, Revision, StreamName};
use crate::json::{Json, State};
use crate::keys::UniqueKey;
use crate::model::Models;
use crate::redecide::{Entry, EntryRef, History, Place};
use crate::time::Timestamp;

/// How events get their ids.
pub(super) type Naming<'a> = &'a mut dyn FnMut(&NewEvent, usize) -> (String, Option<Json>);

#[derive(Clone)]
pub(super) struct Log {
    pub(super) models: Models,
    pub(super) entries: Vec<Entry>,
    streams: BTreeMap<StreamName, Vec<Event>>,
    head: u64,
    sequence: u64,
}

impl Log {
    pub(super) fn new(models: Models) -> Self {
        Self {
            models,
            entries: Vec::new(),
            streams: BTreeMap::new(),
            head: 0,
            sequence: 0,
        }
    }

    fn push(&mut self, entry: Entry) {
        self.head += entry.events.len() as u64;
        self.sequence += u64::from(entry.decision.is_some());
        if !entry.events.is_empty() {
            let own = self.streams.entry(entry.stream.clone()).or_default();
            own.extend(entry.events.iter().cloned());
        }
        self.entries.push(entry);
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.entries.iter().flat_map(|entry| &entry.events)
    }

    pub(super) fn decisions(&self) -> impl Iterator<Item = &Decision> {
        self.entries
            .iter()
            .filter_map(|entry| entry.decision.as_deref())
    }

    pub(super) fn stream_events(&self, stream: &StreamName) -> &[Event] {
        self.streams.get(stream).map_or(&[], Vec::as_slice)
    }

    pub(super) fn head(&self) -> Position {
        Position(self.head)
    }

    pub(super) fn state_at(&self, stream: &StreamName, at: Revision) -> State {
        let events = self.stream_events(stream).iter();
        let upto = events.take_while(|event| event.revision <= at);
        fold(self.models.for_stream(stream), upto).state
    }

    pub(super) fn stream_names(&self) -> Vec<StreamName> {
        self.streams.keys().cloned().collect()
    }

    fn holders(&self, category: &str, key: &UniqueKey, at: Position) -> Vec<StreamName> {
        let holds = |stream: &StreamName| {
            let events = self.stream_events(stream).iter();
            let upto = events.take_while(|event| event.position <= at);
            let model = self.models.for_stream(stream);
            stream.category() == category
                && model.unique_keys(&fold(model, upto).state).contains(key)
        };
        self.stream_names()
            .into_iter()
            .filter(|s| holds(s))
            .collect()
    }

    fn taken_by_another(
        &self,
        stream: &StreamName,
        events: &[NewEvent],
        now: Timestamp,
    ) -> Option<Rejection> {
        let model = self.models.for_stream(stream);
        let revision = Revision(self.stream_events(stream).len() as u64);
        let state = self.state_at(stream, revision);
        let (_, keys) = state_and_keys_after(model, stream, &state, revision, events, now);
        let taken = keys
            .into_iter()
            .filter(|change| change.taken)
            .find(|change| {
                let holders = self.holders(stream.category(), &change.key, self.head());
                holders.iter().any(|holder| holder != stream)
            });
        taken.map(|change| change.key.rejection())
    }

    fn placed(
        &self,
        stream: &StreamName,
        events: &[NewEvent],
        now: Timestamp,
        naming: Naming<'_>,
    ) -> Vec<Event> {
        let head = self.head().0;
        let revision = self.stream_events(stream).len() as u64;
        let placed = |(index, new): (usize, &NewEvent)| {
            let next = index as u64 + 1;
            let (id, metadata) = naming(new, index);
            Event {
                position: Position(head + next),
                stream: stream.clone(),
                revision: Revision(revision + next),
                event_id: new.event_id.clone().unwrap_or(id),
                event_type: new.event_type.clone(),
                schema_version: new.schema_version.unwrap_or(1),
                recorded_at: new.recorded_at.unwrap_or(now),
                actor: new.actor.clone(),
                reason: new.reason.clone(),
                correlation_id: new.correlation_id.clone(),
                causation_id: new.causation_id.clone(),
                data: new.data.clone(),
                metadata: new.metadata.clone().or(metadata),
            }
        };
        events.iter().enumerate().map(placed).collect()
    }

    /// Decides a prepared command and records what comes of it, as the write path of a store does.
    pub(super) fn command(&mut self, command: &Command, naming: Naming<'_>) {
        let model = self.models.for_stream(&command.stream).clone();
        let base = Revision(self.stream_events(&command.stream).len() as u64);
        let state = self.state_at(&command.stream, base);
        let decided = decide(&model, &state, base, command).and_then(|outcome| {
            let (stream, at) = (&command.stream, command.issued_at);
            match self.taken_by_another(stream, &outcome.events, at) {
                Some(rejection) => Err(rejection),
                None => Ok(outcome.events),
            }
        });
        let events = decided.as_deref().unwrap_or_default();
        let events = self.placed(&command.stream, events, command.issued_at, naming);
        self.record(command, base, model.rules_hash(), (events, decided.err()));
    }

    /// Records a decision with these events.
    pub(super) fn record(
        &mut self,
        command: &Command,
        base: Revision,
        rules_hash: &str,
        (events, rejection): (Vec<Event>, Option<Rejection>),
    ) {
        let head = self.head();
        let count = events.len() as u64;
        let result = match rejection {
            Some(Rejection { rule, message }) => Outcome::Rejected { rule, message },
            None => Outcome::Accepted {
                revision: Revision(base.0 + count),
                position: Position(head.0 + count),
                events: u32::try_from(count).unwrap(),
            },
        };
        let decision = Decision {
            sequence: self.sequence + 1,
            command_id: command.command_id.clone(),
            stream: command.stream.clone(),
            command_type: command.command_type.clone(),
            payload: Json::from(serde_json::Value::Object(command.payload.clone())),
            actor: command.actor.clone(),
            reason: command.reason.clone(),
            correlation_id: command.correlation_id.clone(),
            causation_id: command.causation_id.clone(),
            base_revision: base,
            base_position: head,
            rules_hash: rules_hash.to_owned(),
            decided_at: command.issued_at,
            result,
        };
        self.push(Entry::decided(decision, events));
    }

    /// Appends a raw event, unless another stream holds a key that it takes.
    pub(super) fn raw(&mut self, stream: &StreamName, event: &NewEvent, now: Timestamp) -> bool {
        let events = std::slice::from_ref(event);
        if self.taken_by_another(stream, events, now).is_some() {
            return false;
        }
        self.force(stream, event, now);
        true
    }

    /// Appends a raw event, whatever keys it takes.
    pub(super) fn force(&mut self, stream: &StreamName, event: &NewEvent, now: Timestamp) {
        let events = std::slice::from_ref(event);
        let placed = self.placed(stream, events, now, &mut |_, _| (String::new(), None));
        for event in placed {
            self.push(Entry::raw(event));
        }
    }

    /// Everything, to the byte.
    pub(super) fn text(&self) -> String {
        let lines = self.entries.iter().map(|entry| {
            let decision = serde_json::to_string(&entry.decision).unwrap();
            let events = serde_json::to_string(&entry.events).unwrap();
            format!("{decision} {events}\n")
        });
        lines.collect()
    }

    fn named(entry: &Entry) -> (Place, EntryRef) {
        let named = match &entry.decision {
            Some(decision) => EntryRef::Decision(decision.sequence),
            None => EntryRef::Event(entry.events[0].position),
        };
        (entry.place, named)
    }
}

/// A walk: the entries that are left, last one first.
pub(super) struct Walk(Vec<Entry>);

impl History for Log {
    type Error = Infallible;
    type Walk = Walk;

    fn state(&mut self, stream: &StreamName, at: Revision) -> Result<State, Infallible> {
        Ok(self.state_at(stream, at))
    }

    fn revision(&mut self, stream: &StreamName, at: Position) -> Result<Revision, Infallible> {
        let own = self.stream_events(stream).iter();
        let count = own.filter(|event| event.position <= at).count();
        Ok(Revision(count as u64))
    }

    fn effective_at(
        &mut self,
        stream: &StreamName,
        at: Revision,
    ) -> Result<Option<Timestamp>, Infallible> {
        let events = self.stream_events(stream);
        let until = events.iter().take(usize::try_from(at.0.max(1)).unwrap());
        Ok(until.map(|event| event.recorded_at).max())
    }

    fn holder(
        &mut self,
        category: &str,
        key: &UniqueKey,
        at: Position,
    ) -> Result<Option<StreamName>, Infallible> {
        Ok(self.holders(category, key, at).into_iter().next())
    }

    fn takers(
        &mut self,
        category: &str,
        key: &UniqueKey,
        after: Position,
    ) -> Result<Vec<(Place, EntryRef)>, Infallible> {
        let takes = |entry: &&Entry| {
            let holds = |at: Position| self.holders(category, key, at).contains(&entry.stream);
            // Within a command's events as well.
            let mut positions = entry.events.iter().map(|event| event.position);
            positions.any(|at| at > after && holds(at) && !holds(Position(at.0 - 1)))
        };
        Ok(self.entries.iter().filter(takes).map(Self::named).collect())
    }

    fn refused_for_keys(
        &mut self,
        category: &str,
        after: Place,
    ) -> Result<Vec<(Place, EntryRef)>, Infallible> {
        let refused = |entry: &&Entry| {
            let result = entry.decision.as_ref().map(|decision| &decision.result);
            matches!(result, Some(Outcome::Rejected { rule, .. }) if rule.rsplit('.').next() == Some("taken"))
                && entry.place > after
                && entry.stream.category() == category
        };
        Ok(self
            .entries
            .iter()
            .filter(refused)
            .map(Self::named)
            .collect())
    }

    fn effects(&mut self, id: &str) -> Result<Vec<(Place, EntryRef)>, Infallible> {
        let named = self
            .entries
            .iter()
            .filter(|entry| entry.causation_id() == Some(id));
        Ok(named.map(Self::named).collect())
    }

    fn entry(&mut self, named: EntryRef) -> Result<Entry, Infallible> {
        let entry = self
            .entries
            .iter()
            .find(|entry| Self::named(entry).1 == named);
        Ok(entry.unwrap().clone())
    }

    fn entry_of_event(
        &mut self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Entry>, Infallible> {
        let brings = |entry: &&Entry| {
            entry.stream == *stream && entry.events.iter().any(|event| event.revision == revision)
        };
        Ok(self.entries.iter().find(brings).cloned())
    }

    fn decision(&mut self, named: &DecisionRef) -> Result<Option<Entry>, Infallible> {
        let is = |entry: &&Entry| {
            entry.decision.as_ref().is_some_and(|decision| match named {
                DecisionRef::Sequence(sequence) => decision.sequence == *sequence,
                DecisionRef::Command(id) => decision.command_id == *id,
            })
        };
        Ok(self.entries.iter().find(is).cloned())
    }

    fn entry_of_id(&mut self, id: &str) -> Result<Option<Entry>, Infallible> {
        let is = |entry: &&Entry| {
            let command = entry
                .decision
                .as_ref()
                .map(|decision| decision.command_id.as_str());
            command == Some(id) || entry.events.iter().any(|event| event.event_id == id)
        };
        Ok(self.entries.iter().find(is).cloned())
    }

    fn walk(&mut self, stream: Option<&StreamName>, after: Place) -> Result<Walk, Infallible> {
        let is = |entry: &&Entry| {
            entry.place > after && stream.is_none_or(|stream| *stream == entry.stream)
        };
        Ok(Walk(
            self.entries.iter().filter(is).rev().cloned().collect(),
        ))
    }

    fn next(&mut self, walk: &mut Walk) -> Result<Option<Entry>, Infallible> {
        let next = walk.0.pop();
        // Every other entry has its texts read ahead: that is no different to the one that asks.
        Ok(next.map(|entry| match walk.0.len() % 2 {
            0 => entry,
            _ => entry.read_ahead(),
        }))
    }

    fn decisions_after(&mut self, place: Place) -> Result<u64, Infallible> {
        let after = self.entries.iter().filter(|entry| entry.place > place);
        Ok(after.filter(|entry| entry.decision.is_some()).count() as u64)
    }

    fn streams(&mut self) -> Result<u64, Infallible> {
        Ok(self.stream_names().len() as u64)
    }
}
