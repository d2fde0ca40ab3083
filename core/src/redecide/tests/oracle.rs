//! What re-deciding should come to, by brute force: the edited list of commands and events, fed to a fresh store.
//!
//! Knows nothing of reach: every command is decided, every key is looked up by folding every stream.

use std::collections::{BTreeMap, HashSet};

use super::memory::Log;
use crate::admission;
use crate::api::what_if::{Action, Causes, CommandPlace, DecisionRef, Edit, WhatIfCommand};
use crate::command::Command;
use crate::event::{Event, NewEvent};
use crate::ids::{Position, Revision, StreamName};
use crate::json::{Json, Value};
use crate::model::Models;
use crate::redecide::place::command_of;
use crate::redecide::{Entry, Scope};
use crate::time::Timestamp;

/// Before, at or after an entry, and the how manieth there.
type Slot = (usize, u8, usize);

/// What edits put right before an entry is nearer to it than what happens at a base there.
const BEHIND_ACTIONS: usize = 1_000;

enum Item {
    Recorded,
    Command(StreamName, WhatIfCommand, String),
    Event(StreamName, NewEvent),
    Moved(usize),
}

/// What an edit makes of a recorded entry.
enum Treatment {
    Dropped,
    Moved,
    Fixed(Vec<(Revision, Option<Event>, Vec<Event>)>),
    Command(Box<Command>),
}

pub(super) struct Base {
    pub(super) position: Position,
    pub(super) at: Timestamp,
    pub(super) revision: Revision,
}

pub(super) struct Oracle<'a> {
    recorded: &'a Log,
    stream: &'a StreamName,
    base: Base,
    items: BTreeMap<Slot, (Timestamp, Item)>,
    treated: BTreeMap<usize, Treatment>,
    moved: HashSet<String>,
    gone: HashSet<String>,
    /// Other rules, for the commands that they are about.
    pub(super) rules: Option<(Models, Scope)>,
    pub(super) world: Log,
}

fn raw_of(event: &Event) -> NewEvent {
    NewEvent {
        event_type: event.event_type.clone(),
        data: event.data.clone(),
        schema_version: Some(event.schema_version),
        event_id: Some(event.event_id.clone()),
        recorded_at: Some(event.recorded_at),
        actor: event.actor.clone(),
        reason: event.reason.clone(),
        correlation_id: event.correlation_id.clone(),
        causation_id: event.causation_id.clone(),
        metadata: event.metadata.clone(),
    }
}

impl<'a> Oracle<'a> {
    pub(super) fn new(recorded: &'a Log, stream: &'a StreamName, base: Base) -> Self {
        let mut items = BTreeMap::new();
        for index in 0..recorded.entries.len() {
            items.insert((index, 1, 0), (Timestamp::MIN, Item::Recorded));
        }
        Self {
            recorded,
            stream,
            base,
            items,
            treated: BTreeMap::new(),
            moved: HashSet::new(),
            gone: HashSet::new(),
            rules: None,
            world: Log::new(recorded.models.clone()),
        }
    }

    fn index(&self, fits: impl Fn(&Entry) -> bool) -> usize {
        self.recorded.entries.iter().position(fits).unwrap()
    }

    fn index_of_event(&self, revision: Revision) -> usize {
        self.index(|entry| {
            let mut events = entry.events.iter();
            entry.stream == *self.stream && events.any(|event| event.revision == revision)
        })
    }

    fn index_of_decision(&self, named: &DecisionRef) -> usize {
        self.index(|entry| {
            entry.decision.as_ref().is_some_and(|decision| match named {
                DecisionRef::Sequence(sequence) => decision.sequence == *sequence,
                DecisionRef::Command(id) => decision.command_id == *id,
            })
        })
    }

    fn beside(&self, place: &CommandPlace, nth: usize) -> (Slot, Timestamp) {
        let (named, side) = match place {
            CommandPlace::Before(named) => (named, 0),
            CommandPlace::After(named) => (named, 2),
            CommandPlace::AfterRevision(revision) => {
                let events = self.recorded.stream_events(self.stream).iter();
                let upto =
                    events.take_while(|event| event.revision <= (*revision).max(Revision(1)));
                let at = upto.map(|event| event.recorded_at).max().unwrap();
                let (index, side) = match *revision {
                    Revision::ZERO => (self.index_of_event(Revision(1)), 0),
                    revision => (self.index_of_event(revision), 2),
                };
                return ((index, side, BEHIND_ACTIONS + nth), at);
            }
        };
        let index = self.index_of_decision(named);
        let decision = self.recorded.entries[index].decision.as_ref().unwrap();
        ((index, side, BEHIND_ACTIONS + nth), decision.decided_at)
    }

    /// The events of an entry, to be edited.
    fn fixed(&mut self, revision: Revision) -> &mut Vec<(Revision, Option<Event>, Vec<Event>)> {
        let index = self.index_of_event(revision);
        let events = self.recorded.entries[index].events.iter();
        let slots = events.map(|event| (event.revision, Some(event.clone()), Vec::new()));
        let slots = slots.collect();
        let treated = self.treated.entry(index);
        match treated.or_insert(Treatment::Fixed(slots)) {
            Treatment::Fixed(slots) => slots,
            _ => panic!("edited twice"),
        }
    }

    fn event(&mut self, revision: Revision) -> &mut Option<Event> {
        let slots = self.fixed(revision);
        &mut slots.iter_mut().find(|slot| slot.0 == revision).unwrap().1
    }

    fn put(&mut self, after: Revision, mut event: NewEvent, nth: usize) {
        let events = self.recorded.stream_events(self.stream);
        let upto = events.iter().take(usize::try_from(after.0.max(1)).unwrap());
        let effective = upto.map(|event| event.recorded_at).max();
        let at = if after == self.base.revision {
            None
        } else {
            effective
        };
        let at = at.unwrap_or(self.base.at);
        event.recorded_at = Some(at);
        let own = Item::Event(self.stream.clone(), event.clone());
        if after == Revision::ZERO {
            let first = self.index_of_event(Revision(1));
            self.items
                .insert((first, 0, BEHIND_ACTIONS + nth), (at, own));
            return;
        }
        let index = self.index_of_event(after);
        let entry = &self.recorded.entries[index];
        if entry.events.last().unwrap().revision == after {
            self.items.insert((index, 2, nth), (at, own));
            return;
        }
        let command = entry.decision.as_ref().unwrap().command_id.clone();
        let mut inserted = entry.events[0].clone();
        inserted.event_id = event.event_id.unwrap();
        inserted.event_type = event.event_type;
        inserted.schema_version = event.schema_version.unwrap_or(1);
        inserted.recorded_at = at;
        inserted.actor = event.actor;
        inserted.reason = event.reason;
        inserted.correlation_id = event.correlation_id;
        inserted.causation_id = event.causation_id.or(Some(command));
        inserted.data = event.data;
        inserted.metadata = event.metadata;
        let slots = self.fixed(after);
        let slot = slots.iter_mut().find(|slot| slot.0 == after).unwrap();
        slot.2.push(inserted);
    }

    pub(super) fn edit(&mut self, nth: usize, edit: &Edit) {
        match edit {
            Edit::Drop(edit) => *self.event(edit.revision) = None,
            Edit::Replace(edit) => {
                self.event(edit.revision).as_mut().unwrap().data = edit.data.clone();
            }
            Edit::Change(edit) => {
                let event = self.event(edit.revision).as_mut().unwrap();
                event.actor = edit.actor.clone().or(event.actor.clone());
                event.reason = edit.reason.clone().or(event.reason.clone());
                event.recorded_at = edit.recorded_at.unwrap_or(event.recorded_at);
            }
            Edit::Insert(edit) => {
                let mut event = NewEvent::new(edit.event_type.clone(), edit.data.clone());
                event.reason = Some("inserted by a what-if".to_owned());
                event.event_id = Some(format!("what-if-insert-{}", nth + 1));
                self.put(edit.after_revision, event, nth);
            }
            Edit::Move(edit) => {
                let event = self.event(edit.revision).take().unwrap();
                self.moved.insert(event.event_id.clone());
                self.put(edit.after_revision, raw_of(&event), nth);
            }
            _ => self.edit_command(nth, edit),
        }
    }

    fn edit_command(&mut self, nth: usize, edit: &Edit) {
        match edit {
            Edit::DropCommand(edit) => {
                let index = self.index_of_decision(&edit.decision);
                self.treated.insert(index, Treatment::Dropped);
            }
            Edit::ReplaceCommand(edit) => {
                let index = self.index_of_decision(&edit.decision);
                let decision = self.recorded.entries[index].decision.as_ref().unwrap();
                let mut command = command_of(decision);
                command.command_type = edit.command_type.clone().unwrap_or(command.command_type);
                command.payload = edit.payload.clone().unwrap_or(command.payload);
                command.actor = edit.actor.clone().or(command.actor);
                command.reason = edit.reason.clone().or(command.reason);
                command.issued_at = edit.at.unwrap_or(command.issued_at);
                self.treated
                    .insert(index, Treatment::Command(Box::new(command)));
            }
            Edit::InsertCommand(edit) => {
                let (slot, at) = self.beside(&edit.place, nth);
                let stream = edit.stream.as_ref().unwrap_or(self.stream).clone();
                let id = format!("what-if-inserted-command-{}", nth + 1);
                let item = Item::Command(stream, edit.command.clone(), id);
                self.items.insert(slot, (edit.at.unwrap_or(at), item));
            }
            Edit::MoveCommand(edit) => {
                let index = self.index_of_decision(&edit.decision);
                let (slot, at) = self.beside(&edit.place, nth);
                self.treated.insert(index, Treatment::Moved);
                let item = Item::Moved(index);
                self.items.insert(slot, (edit.at.unwrap_or(at), item));
            }
            _ => unreachable!(),
        }
    }

    /// Right before the entry that stands at a position and brings events; after everything where there is none.
    pub(super) fn act_before(&mut self, nth: usize, action: &Action, position: Position) {
        let stands = |entry: &Entry| {
            entry.stream == *self.stream
                && entry.place.position() == position
                && !entry.events.is_empty()
        };
        let entries = &self.recorded.entries;
        let index = entries.iter().position(stands).unwrap_or(entries.len());
        self.act_at(nth, action, index);
    }

    pub(super) fn act(&mut self, nth: usize, action: &Action) {
        let before = |entry: &&Entry| entry.place.position() < self.base.position;
        let index = self.recorded.entries.iter().filter(before).count();
        self.act_at(nth, action, index);
    }

    fn act_at(&mut self, nth: usize, action: &Action, index: usize) {
        let item = match action {
            Action::Command(command) => {
                let id = format!("what-if-command-{}", nth + 1);
                Item::Command(self.stream.clone(), command.clone(), id)
            }
            Action::Event(event) => {
                let mut event = event.clone();
                event.event_id = Some(format!("what-if-event-{}", nth + 1));
                Item::Event(self.stream.clone(), event)
            }
        };
        self.items.insert((index, 0, nth), (self.base.at, item));
    }

    pub(super) fn run(&mut self, causes: Causes) {
        for ((index, ..), (at, item)) in std::mem::take(&mut self.items) {
            match item {
                Item::Recorded => self.recorded(index, causes == Causes::Follow),
                Item::Command(stream, command, id) => {
                    let models = self.world.models.clone();
                    let model = models.for_stream(&stream);
                    let (asked, id) = (command.into(), || id);
                    let admitted = admission::command(model, &stream, asked, at, id, "");
                    self.give(&admitted.unwrap().command, &[]);
                }
                Item::Event(stream, event) => self.world.force(&stream, &event, at),
                Item::Moved(from) => {
                    let entry = &self.recorded.entries[from];
                    let mut command = command_of(entry.decision.as_ref().unwrap());
                    command.issued_at = at;
                    let was = entry.events.clone();
                    self.give(&command, &was);
                    self.lose_events(&was);
                }
            }
        }
    }

    fn recorded(&mut self, index: usize, follow: bool) {
        let entry = self.recorded.entries[index].clone();
        let treated = self.treated.remove(&index);
        let cause = entry.causation_id();
        let is_gone = follow && cause.is_some_and(|cause| self.gone.contains(cause));
        match treated {
            Some(Treatment::Moved) => return,
            Some(Treatment::Dropped) => self.lose_command(&entry),
            Some(Treatment::Command(command)) => self.give(&command, &entry.events),
            Some(Treatment::Fixed(slots)) => self.fix(&entry, slots),
            None if is_gone => self.lose_command(&entry),
            None => match &entry.decision {
                Some(decision) => {
                    self.world.models = match &self.rules {
                        Some((models, scope)) if scope.holds(decision) => models.clone(),
                        _ => self.recorded.models.clone(),
                    };
                    self.give(&command_of(decision), &entry.events);
                }
                None => {
                    let (event, at) = (raw_of(&entry.events[0]), entry.events[0].recorded_at);
                    self.world.raw(&entry.stream, &event, at);
                }
            },
        }
        self.lose_events(&entry.events);
    }

    fn lose_command(&mut self, entry: &Entry) {
        let ids = entry
            .decision
            .iter()
            .map(|decision| decision.command_id.clone());
        self.gone.extend(ids);
    }

    fn lose_events(&mut self, was: &[Event]) {
        let there: HashSet<&str> = self.world.events().map(|e| e.event_id.as_str()).collect();
        let gone = was.iter().map(|event| &event.event_id);
        let gone = gone.filter(|id| !there.contains(id.as_str()) && !self.moved.contains(*id));
        let gone: Vec<String> = gone.cloned().collect();
        self.gone.extend(gone);
    }

    fn fix(&mut self, entry: &Entry, slots: Vec<(Revision, Option<Event>, Vec<Event>)>) {
        let events = slots
            .into_iter()
            .flat_map(|(_, event, then)| event.into_iter().chain(then));
        let Some(decision) = &entry.decision else {
            for event in events {
                self.world
                    .force(&entry.stream, &raw_of(&event), event.recorded_at);
            }
            return;
        };
        let base = Revision(self.world.stream_events(&entry.stream).len() as u64);
        let head = self.world.head();
        let placed = (1..).zip(events).map(|(n, event)| Event {
            position: Position(head.0 + n),
            revision: Revision(base.0 + n),
            ..event
        });
        let events: Vec<Event> = placed.collect();
        let hash = decision.rules_hash.clone();
        let command = command_of(decision);
        self.world.record(&command, base, &hash, (events, None));
    }

    /// Gives a command to the fresh store. Its events have semantic names: the id of the recorded event of the same type, the
    /// same one of that type, or one made of the command's.
    fn give(&mut self, command: &Command, was: &[Event]) {
        let mut of_type: BTreeMap<String, usize> = BTreeMap::new();
        self.world.command(command, &mut |new, index| {
            let nth = of_type.entry(new.event_type.clone()).or_default();
            let mut same = was
                .iter()
                .filter(|event| event.event_type == new.event_type);
            let stands_for = same.nth(*nth);
            *nth += 1;
            let metadata = stands_for
                .or(was.first())
                .and_then(|event| event.metadata.clone());
            match stands_for {
                Some(event) => (event.event_id.clone(), metadata),
                None => (
                    format!("{}:event-{}", command.command_id, index + 1),
                    metadata,
                ),
            }
        });
    }
}

/// The first revision at which two streams say different things.
pub(super) fn first_divergence(actual: &[Event], other: &[Event]) -> Option<Revision> {
    let said = |event: &Event| -> (String, u32, Timestamp, Value, Option<Json>) {
        (
            event.event_type.clone(),
            event.schema_version,
            event.recorded_at,
            event.data.to_value(),
            event.metadata.clone(),
        )
    };
    let length = actual.len().max(other.len());
    (0..length)
        .find(|index| actual.get(*index).map(said) != other.get(*index).map(said))
        .map(|index| Revision(index as u64 + 1))
}
