//! The plan: what edits and actions come to, entry by entry.
//!
//! Owns the step from revisions and decisions, as a client names them, to places of the log. An edited event fixes what its
//! command comes to: the command's events as they are edited, with no rule asked. An edited command is asked again.

use std::collections::{BTreeMap, HashMap};

use super::Failed;
use super::history::History;
use super::place::{Entry, Place};
use crate::api::what_if::{
    Action, CommandPlace, DecisionRef, Edit, InsertEdit, ReplaceCommandEdit, WhatIfCommand,
};
use crate::event::{Event, NewEvent};
use crate::ids::{Position, Revision, StreamName};
use crate::model::Models;
use crate::text::shown;
use crate::time::Timestamp;
use crate::what_if::{WhatIfError, check_edit_data};

/// What an edit makes of a recorded entry.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// It never comes.
    Dropped,
    /// It comes elsewhere.
    Moved,
    /// It comes to these events; an id of `moved` comes elsewhere.
    Fixed {
        events: Vec<Event>,
        moved: Vec<String>,
    },
    /// Its command is another one.
    Command(Box<(usize, ReplaceCommandEdit)>),
}

/// Something that is not on record at its place.
#[derive(Debug, Clone)]
pub(super) struct Addition {
    /// The log's head there.
    pub(super) position: Position,
    pub(super) stream: StreamName,
    pub(super) at: Timestamp,
    pub(super) what: Added,
}

#[derive(Debug, Clone)]
pub(super) enum Added {
    /// A command, as the real endpoint takes it.
    Command { command: WhatIfCommand, by: By },
    /// A recorded command from elsewhere.
    Moved(Box<Entry>),
    /// An event that no rule looks at.
    Event { event: NewEvent, by: By },
}

/// What adds it: `index` counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Edit(usize),
    Do(usize),
}

impl By {
    /// Where it stands in the body of the request.
    pub(super) fn prefix(self) -> String {
        match self {
            Self::Edit(index) => format!("/edits/{index}/insert_command/command"),
            Self::Do(index) => format!("/do/{index}/command"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: BTreeMap<Place, (Entry, Change)>,
    pub(super) additions: BTreeMap<Place, Addition>,
}

impl Plan {
    /// Where the other world begins to differ.
    pub(super) fn first(&self) -> Option<Place> {
        let (changed, added) = (self.changes.keys().next(), self.additions.keys().next());
        changed.into_iter().chain(added).min().copied()
    }
}

/// What a client asks for.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The stream that revisions and actions are of.
    pub stream: &'a StreamName,
    /// Changes to what is recorded.
    pub edits: &'a [Edit],
    /// What happens at the base.
    pub actions: &'a [Action],
    /// Where the base is.
    pub base: BasePlace,
}

/// Where actions happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasePlace {
    /// Among the entries.
    pub place: Place,
    /// The log's head there: the end of an entry, whose events are written at once.
    pub position: Position,
    /// The stream's revision there.
    pub revision: Revision,
    /// When.
    pub at: Timestamp,
}

/// An entry whose events are edited.
struct Fixing {
    entry: Entry,
    slots: Vec<Slot>,
    moved: Vec<String>,
    /// Whether an edit is about one of them; else something comes after them.
    is_edited: bool,
}

/// What an edit changes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Says,
    Around,
    Whole,
}

struct Slot {
    revision: Revision,
    event: Option<Event>,
    /// What comes right after it.
    then: Vec<Event>,
}

pub(super) struct Planner<'a, H: History> {
    history: &'a mut H,
    models: &'a Models,
    /// The layer that is planned, and how many edits and actions the layers have altogether and before it: they are numbered
    /// through, as if one layer had them all.
    asked: Asked<'a>,
    edits: usize,
    edits_before: usize,
    actions_before: usize,
    edited: HashMap<(StreamName, Revision), Vec<Part>>,
    fixings: BTreeMap<Place, Fixing>,
    plan: Plan,
}

type Planned<T, H> = Result<T, Failed<<H as History>::Error>>;

impl<'a, H: History> Planner<'a, H> {
    /// The plan of what was asked in layers, one upon the other.
    pub(super) fn plan(
        history: &'a mut H,
        models: &'a Models,
        layers: &[Asked<'a>],
    ) -> Planned<Plan, H> {
        let Some(asked) = layers.first().copied() else {
            return Ok(Plan::default());
        };
        let mut planner = Self {
            history,
            models,
            asked,
            edits: layers.iter().map(|layer| layer.edits.len()).sum(),
            edits_before: 0,
            actions_before: 0,
            edited: HashMap::new(),
            fixings: BTreeMap::new(),
            plan: Plan::default(),
        };
        for layer in layers {
            planner.layer(*layer)?;
        }
        planner.finish()
    }

    fn layer(&mut self, layer: Asked<'a>) -> Planned<(), H> {
        self.asked = layer;
        for (index, edit) in (self.edits_before..).zip(layer.edits) {
            check_edit_data(self.models.for_stream(layer.stream), index, edit)?;
            self.edit(index, edit)?;
        }
        for (index, action) in (self.actions_before..).zip(layer.actions) {
            self.act(index, action);
        }
        self.edits_before += layer.edits.len();
        self.actions_before += layer.actions.len();
        Ok(())
    }

    fn act(&mut self, index: usize, action: &Action) {
        let BasePlace {
            place,
            position,
            at,
            ..
        } = self.asked.base;
        let by = By::Do(index);
        let what = match action {
            Action::Command(command) => Added::Command {
                command: command.clone(),
                by,
            },
            Action::Event(event) => Added::Event {
                event: event.clone(),
                by,
            },
        };
        let addition = Addition {
            position,
            stream: self.asked.stream.clone(),
            at,
            what,
        };
        // What edits put there comes first.
        let nth = self.edits + index;
        self.plan.additions.insert(place.before(nth), addition);
    }

    fn edit(&mut self, index: usize, edit: &Edit) -> Planned<(), H> {
        match edit {
            Edit::Drop(edit) => self.slot(index, edit.revision)?.event = None,
            Edit::Replace(edit) => {
                let data = edit.data.clone();
                if let Some(event) = &mut self.slot(index, edit.revision)?.event {
                    event.data = data;
                }
            }
            Edit::Change(edit) => {
                if let Some(event) = &mut self.slot(index, edit.revision)?.event {
                    event.actor = edit.actor.clone().or(event.actor.take());
                    event.reason = edit.reason.clone().or(event.reason.take());
                    event.recorded_at = edit.recorded_at.unwrap_or(event.recorded_at);
                }
            }
            Edit::Insert(edit) => self.insert(index, edit)?,
            Edit::Move(edit) => {
                let event = self.slot(index, edit.revision)?.event.take();
                let Some(event) = event else { return Ok(()) };
                let place = self.fixing(index, edit.revision)?.entry.place;
                if let Some(fixing) = self.fixings.get_mut(&place) {
                    fixing.moved.push(event.event_id.clone());
                }
                self.put(index, edit.after_revision, moved(event))?;
            }
            Edit::DropCommand(edit) => {
                let entry = self.decided(index, &edit.decision)?;
                self.change(index, entry, Change::Dropped)?;
            }
            Edit::ReplaceCommand(edit) => {
                let entry = self.decided(index, &edit.decision)?;
                let change = Change::Command(Box::new((index, edit.clone())));
                self.change(index, entry, change)?;
            }
            Edit::InsertCommand(edit) => {
                let (place, position, at) = self.beside(index, &edit.place)?;
                let stream = edit.stream.as_ref().unwrap_or(self.asked.stream).clone();
                let addition = Addition {
                    position,
                    stream,
                    at: edit.at.unwrap_or(at),
                    what: Added::Command {
                        command: edit.command.clone(),
                        by: By::Edit(index),
                    },
                };
                self.plan.additions.insert(place, addition);
            }
            Edit::MoveCommand(edit) => {
                let entry = self.decided(index, &edit.decision)?;
                let (place, position, at) = self.beside(index, &edit.place)?;
                self.change(index, entry.clone(), Change::Moved)?;
                let addition = Addition {
                    position,
                    stream: entry.stream.clone(),
                    at: edit.at.unwrap_or(at),
                    what: Added::Moved(Box::new(entry)),
                };
                self.plan.additions.insert(place, addition);
            }
        }
        Ok(())
    }

    fn insert(&mut self, index: usize, edit: &InsertEdit) -> Planned<(), H> {
        let mut event = NewEvent::new(edit.event_type.clone(), edit.data.clone());
        event.reason = Some("inserted by a what-if".to_owned());
        event.event_id = Some(format!("what-if-insert-{}", index + 1));
        self.put(index, edit.after_revision, event)
    }

    /// Puts an event right after a recorded revision, at its effective time.
    fn put(&mut self, index: usize, after: Revision, event: NewEvent) -> Planned<(), H> {
        let (stream, base) = (self.asked.stream.clone(), self.asked.base);
        let at = if after == base.revision {
            base.at
        } else {
            let at = self.history.effective_at(&stream, after);
            at.map_err(Failed::History)?.unwrap_or(base.at)
        };
        let (place, position) = if after == Revision::ZERO {
            let first = self.history.entry_of_event(&stream, Revision(1));
            match first.map_err(Failed::History)? {
                Some(first) => (first.place.before(index), first.place.position()),
                None => (base.place.before(index), base.position),
            }
        } else {
            let model = self.models.for_stream(&stream);
            let fixing = self.fixing(index, after)?;
            let (place, position) = (fixing.entry.place, fixing.entry.end_position());
            let is_last = fixing.slots.last().map(|slot| slot.revision) == Some(after);
            if !is_last {
                // Within a command's events it is one of what the command comes to.
                fixing.is_edited = true;
                let event = crate::decide::provisional(model, &stream, after, &event, at);
                if let Some(slot) = fixing.slots.iter_mut().find(|slot| slot.revision == after) {
                    slot.then.push(event);
                }
                return Ok(());
            }
            (place.after(index), position)
        };
        let addition = Addition {
            position,
            stream,
            at,
            what: Added::Event {
                event,
                by: By::Edit(index),
            },
        };
        self.plan.additions.insert(place, addition);
        Ok(())
    }

    /// A recorded event that an edit is about; each may be edited once, but what it says and what surrounds it apart.
    fn slot(&mut self, index: usize, revision: Revision) -> Planned<&mut Slot, H> {
        let own = index
            .checked_sub(self.edits_before)
            .and_then(|own| self.asked.edits.get(own));
        // What an event says and what surrounds it are edited apart.
        let part = match own {
            Some(Edit::Replace(_)) => Part::Says,
            Some(Edit::Change(_)) => Part::Around,
            _ => Part::Whole,
        };
        let key = (self.asked.stream.clone(), revision);
        let parts = self.edited.entry(key).or_default();
        let is_apart =
            |other: &Part| *other != part && *other != Part::Whole && part != Part::Whole;
        let twice = !parts.iter().all(is_apart);
        parts.push(part);
        if twice {
            return Err(bad(index, format!("revision {revision} is edited twice")));
        }
        let fixing = self.fixing(index, revision)?;
        fixing.is_edited = true;
        fixing
            .slots
            .iter_mut()
            .find(|slot| slot.revision == revision)
            .ok_or_else(|| bad(index, format!("there is no revision {revision} to edit")))
    }

    fn fixing(&mut self, index: usize, revision: Revision) -> Planned<&mut Fixing, H> {
        let found = self.history.entry_of_event(self.asked.stream, revision);
        let Some(entry) = found.map_err(Failed::History)? else {
            let message = format!("there is no revision {revision} to edit");
            return Err(bad(index, message));
        };
        let slots = |entry: &Entry| {
            let slot = |event: &Event| Slot {
                revision: event.revision,
                event: Some(event.clone()),
                then: Vec::new(),
            };
            entry.events.iter().map(slot).collect()
        };
        Ok(self.fixings.entry(entry.place).or_insert_with(|| Fixing {
            slots: slots(&entry),
            moved: Vec::new(),
            is_edited: false,
            entry,
        }))
    }

    fn decided(&mut self, index: usize, named: &DecisionRef) -> Planned<Entry, H> {
        let found = self.history.decision(named).map_err(Failed::History)?;
        found.ok_or_else(|| {
            let named: String = shown(&named.to_string()).chars().take(64).collect();
            bad(index, format!("there is no decision `{named}`"))
        })
    }

    fn change(&mut self, index: usize, entry: Entry, change: Change) -> Planned<(), H> {
        let place = entry.place;
        let sequence = entry.decision.as_ref().map_or(0, |d| d.sequence);
        if self.plan.changes.insert(place, (entry, change)).is_some() {
            return Err(bad(index, format!("decision {sequence} is edited twice")));
        }
        Ok(())
    }

    fn beside(
        &mut self,
        index: usize,
        place: &CommandPlace,
    ) -> Planned<(Place, Position, Timestamp), H> {
        let named = match place {
            CommandPlace::Before(named) | CommandPlace::After(named) => named,
            CommandPlace::AfterRevision(revision) => return self.behind(index, *revision),
        };
        let entry = self.decided(index, named)?;
        let at = entry.decision.as_ref().map(|decision| decision.decided_at);
        let at = at.unwrap_or(self.asked.base.at);
        Ok(if matches!(place, CommandPlace::Before(_)) {
            (entry.place.before(index), entry.place.position(), at)
        } else {
            (entry.place.after(index), entry.end_position(), at)
        })
    }

    /// The place right after the entry of a recorded revision, and the effective time there.
    fn behind(
        &mut self,
        index: usize,
        revision: Revision,
    ) -> Planned<(Place, Position, Timestamp), H> {
        let stream = self.asked.stream;
        let base = self.asked.base;
        let at = self.history.effective_at(stream, revision);
        let at = at.map_err(Failed::History)?.unwrap_or(base.at);
        let first = revision.max(Revision(1));
        let entry = self.history.entry_of_event(stream, first);
        match entry.map_err(Failed::History)? {
            Some(entry) if revision == Revision::ZERO => {
                Ok((entry.place.before(index), entry.place.position(), at))
            }
            Some(entry) => Ok((entry.place.after(index), entry.end_position(), at)),
            None if revision == Revision::ZERO => {
                Ok((base.place.before(index), base.position, base.at))
            }
            None => {
                let message = format!("there is no revision {revision} to put a command after");
                Err(bad(index, message))
            }
        }
    }

    fn finish(mut self) -> Planned<Plan, H> {
        for (place, fixing) in std::mem::take(&mut self.fixings) {
            // An edit fixes what a command comes to, even where it says what was recorded.
            if !fixing.is_edited {
                continue;
            }
            let events: Vec<Event> = fixing
                .slots
                .into_iter()
                .flat_map(|slot| slot.event.into_iter().chain(slot.then))
                .collect();
            let moved = fixing.moved;
            let sequence = fixing.entry.decision.as_ref().map_or(0, |d| d.sequence);
            let fixed = (fixing.entry, Change::Fixed { events, moved });
            if self.plan.changes.insert(place, fixed).is_some() {
                let message =
                    format!("decision {sequence} is edited, and so is an event that it led to");
                return Err(bad(0, message));
            }
        }
        Ok(self.plan)
    }
}

/// An event that comes elsewhere keeps what it says and who said it.
fn moved(event: Event) -> NewEvent {
    NewEvent {
        event_type: event.event_type,
        data: event.data,
        schema_version: Some(event.schema_version),
        event_id: Some(event.event_id),
        recorded_at: None,
        actor: event.actor,
        reason: event.reason,
        correlation_id: event.correlation_id,
        causation_id: event.causation_id,
        metadata: event.metadata,
    }
}

fn bad<E>(index: usize, message: String) -> Failed<E> {
    WhatIfError::BadEdit { index, message }.into()
}
