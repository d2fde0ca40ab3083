//! Building an overlay: what came of each entry that a change reached, laid over the log.
//!
//! Owns the step from entries in the order of the log to the events of each stream. Entries that were not reached are as recorded, and
//! stand between the others where they stood.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use whodunit_core::api::what_if::StepChange;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::model::Models;
use whodunit_core::redecide::{Visited, WorldEnd};
use whodunit_core::time::Timestamp;
use whodunit_core::weight::of_text;

use super::stream::{OtherStream, Slot, What};
use super::{OtherDecisions, Overlay};
use crate::limits::{BRANCH_SLOTS_MAX, BRANCH_WEIGHT_MAX};
use crate::store::{Direction, Head, StoreError, StreamLabel, View, WordField};

/// Why an overlay is not built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unbuilt {
    /// The log could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It would take too much memory.
    #[error("{0}")]
    TooLarge(String),
}

/// What became of an entry.
struct Piece {
    /// The revision of its stream in the other world before it.
    before: Revision,
    /// The recorded events that it stands for: the first revision, and how many.
    recorded: Option<(Revision, u64)>,
    /// Its events in the other world: as recorded, or otherwise.
    events: Vec<PieceEvent>,
}

enum PieceEvent {
    AsRecorded(Revision),
    /// Not on record; with its number in the order of the other world.
    Own(Box<Event>, u64),
}

/// What was reached so far.
#[derive(Default)]
pub(crate) struct Builder {
    pieces: BTreeMap<StreamName, Vec<Piece>>,
    decisions: OtherDecisions,
    gone_by_command: HashMap<String, u64>,
    added: Vec<Decision>,
    words: HashMap<(WordField, String), i64>,
    weight: usize,
    order: u64,
}

impl Builder {
    /// One more entry, in the order of the log.
    pub(crate) fn add(&mut self, visited: Visited, log_head: Position) {
        if self.weight > BRANCH_WEIGHT_MAX {
            return;
        }
        let recorded = visited.recorded.as_ref();
        let recorded_events = recorded.map_or(&[][..], |entry| &entry.events);
        let place = visited.place.position().min(log_head);
        let before = Revision(
            visited
                .revision
                .0
                .saturating_sub(visited.events.len() as u64),
        );
        let mut positions = recorded_events.iter().map(|event| event.position);
        let mut at = None;
        let mut last = place;
        let mut events = Vec::with_capacity(visited.events.len());
        for event in &visited.events {
            at = positions.next().or(at);
            let same = recorded_events
                .iter()
                .find(|was| is_as_recorded(was, event));
            let piece = match same {
                Some(was) => {
                    last = was.position;
                    PieceEvent::AsRecorded(was.revision)
                }
                None => {
                    last = at.unwrap_or(place).max(last.min(log_head));
                    self.order += 1;
                    let event = Event {
                        position: last,
                        ..event.clone()
                    };
                    PieceEvent::Own(Box::new(event), self.order)
                }
            };
            events.push(piece);
        }
        for event in recorded_events {
            let stays = events
                .iter()
                .any(|own| matches!(own, PieceEvent::AsRecorded(at) if *at == event.revision));
            if !stays {
                self.count_words(event, -1);
            }
        }
        for event in &events {
            if let PieceEvent::Own(event, _) = event {
                self.weight += of_event(event);
                self.count_words(event, 1);
            }
        }
        self.weight += size_of::<Piece>();
        let first = recorded_events.first().map(|event| event.revision);
        let piece = Piece {
            before,
            recorded: first.map(|first| (first, recorded_events.len() as u64)),
            events,
        };
        self.decision(&visited, place, &piece);
        self.pieces.entry(visited.stream).or_default().push(piece);
    }

    fn count_words(&mut self, event: &Event, by: i64) {
        let words = [
            (WordField::Type, Some(event.event_type.as_str())),
            (WordField::Actor, event.actor.as_deref()),
            (WordField::Category, Some(event.stream.category())),
        ];
        for (field, word) in words {
            if let Some(word) = word {
                *self.words.entry((field, word.to_owned())).or_default() += by;
            }
        }
    }

    fn decision(&mut self, visited: &Visited, place: Position, piece: &Piece) {
        let recorded = visited.recorded.as_ref();
        let recorded = recorded.and_then(|entry| entry.decision.as_deref());
        let Some(decision) = &visited.decision else {
            if let Some(recorded) = recorded {
                self.decisions.gone.insert(recorded.sequence);
                self.gone_by_command
                    .insert(recorded.command_id.clone(), recorded.sequence);
            }
            return;
        };
        if let Some(recorded) = recorded
            && (visited.change == StepChange::Frozen
                || visited.change == StepChange::Same && is_decided_as_recorded(recorded, decision))
        {
            let based = &mut self.decisions.based;
            based.insert(recorded.sequence, decision.base_revision);
            return;
        }
        let mut decision = decision.clone();
        decision.base_position = recorded.map_or(place, |recorded| recorded.base_position);
        let last = piece.events.last();
        if let Outcome::Accepted { position, .. } = &mut decision.result {
            *position = match (last, recorded.map(|recorded| &recorded.result)) {
                (Some(PieceEvent::Own(event, _)), _) => event.position,
                (_, Some(Outcome::Accepted { position, .. })) => *position,
                _ => place,
            };
        }
        self.weight += of_text(decision.payload.as_str()) + size_of::<Decision>();
        if decision.sequence == 0 {
            self.added.push(decision);
        } else {
            self.decisions.own.insert(decision.sequence, decision);
        }
    }

    fn check_weight(&self) -> Result<(), Unbuilt> {
        if self.weight > BRANCH_WEIGHT_MAX {
            return Err(Unbuilt::TooLarge(format!(
                "what differs in the branch takes more than {BRANCH_WEIGHT_MAX} bytes"
            )));
        }
        Ok(())
    }
}

fn of_event(event: &Event) -> usize {
    let metadata = event.metadata.as_ref();
    let metadata = metadata.map_or(0, |json| json.as_str().len());
    size_of::<Event>() + of_text(event.data.as_str()) + metadata
}

/// Whether an event stands as it was recorded, wherever that is.
fn is_as_recorded(recorded: &Event, event: &Event) -> bool {
    let placed = Event {
        position: event.position,
        revision: event.revision,
        ..recorded.clone()
    };
    placed == *event
}

/// Whether a decision stands as it was recorded, on whichever state: the same was asked, and it ended the same way, in the same words.
fn is_decided_as_recorded(recorded: &Decision, decision: &Decision) -> bool {
    let asked = |decision: &Decision| Decision {
        sequence: recorded.sequence,
        base_revision: recorded.base_revision,
        base_position: recorded.base_position,
        rules_hash: recorded.rules_hash.clone(),
        result: match &decision.result {
            Outcome::Accepted { .. } => recorded.result.clone(),
            rejected @ Outcome::Rejected { .. } => rejected.clone(),
        },
        ..decision.clone()
    };
    asked(decision) == *recorded
}

/// Lays what was reached over the log.
pub(crate) fn build(
    view: &dyn View,
    models: &Models,
    mut builder: Builder,
    ends: Vec<WorldEnd>,
) -> Result<Overlay, Unbuilt> {
    builder.check_weight()?;
    let log_head = view.head();
    let mut overlay = Overlay {
        words: std::mem::take(&mut builder.words),
        log_head,
        weight: builder.weight,
        ..Overlay::default()
    };
    overlay.words.retain(|_, more| *more != 0);
    let mut ends: HashMap<StreamName, WorldEnd> = ends
        .into_iter()
        .map(|end| (end.stream.clone(), end))
        .collect();
    let mut slots = 0;
    let mut own = Vec::new();
    for (stream, pieces) in std::mem::take(&mut builder.pieces) {
        let is_otherwise = pieces.iter().any(|piece| {
            let count = piece.recorded.map_or(0, |(_, count)| count);
            count != piece.events.len() as u64
                || piece
                    .events
                    .iter()
                    .any(|event| matches!(event, PieceEvent::Own(..)))
        });
        if !is_otherwise {
            continue;
        }
        let mut other = other_stream(view, &stream, pieces, (&mut slots, &mut own))?;
        let end = ends.remove(&stream);
        other.info = info(view, models, &stream, &other, end)?;
        overlay.weight += other.slots.len() * size_of::<Slot>();
        overlay.streams.insert(stream, other);
    }
    own.sort_by_key(|(order, event)| (event.position, *order));
    overlay.own = own.into_iter().map(|(_, event)| event).collect();
    index_events(&mut overlay);
    decisions(&mut overlay, builder, log_head);
    Ok(overlay)
}

fn other_stream(
    view: &dyn View,
    stream: &StreamName,
    pieces: Vec<Piece>,
    (slots_so_far, own): (&mut u64, &mut Vec<(u64, Arc<Event>)>),
) -> Result<OtherStream, Unbuilt> {
    let head = view
        .stream(stream)?
        .map_or(Revision::ZERO, |info| info.revision);
    // Before the first entry that was reached, both worlds are one.
    let start = pieces.first().map_or(Revision::ZERO, |piece| piece.before);
    *slots_so_far += head.0.saturating_sub(start.0);
    if *slots_so_far > BRANCH_SLOTS_MAX {
        return Err(Unbuilt::TooLarge(format!(
            "the streams that differ have more than {BRANCH_SLOTS_MAX} events after the change"
        )));
    }
    let mut recorded = Vec::new();
    if head > start {
        let range = (start.next(), head);
        view.walk_stream(stream, range, Direction::Forward, &mut |event| {
            view.stop().check()?;
            recorded.push((event.position, event.recorded_at));
            Ok(ControlFlow::Continue(()))
        })?;
    }
    let effective = match start {
        Revision::ZERO => None,
        start => view.effective_at(stream, start)?,
    };
    let mut laying = Laying {
        recorded: &recorded,
        start,
        head,
        next: start.next(),
        effective: effective.unwrap_or(Timestamp::MIN),
        slots: Vec::with_capacity(recorded.len()),
        own,
    };
    for piece in pieces {
        laying.piece(piece);
    }
    laying.up_to(head);
    Ok(OtherStream::new(start.next(), laying.slots, head.0))
}

/// A stream whose events are laid one behind the other.
struct Laying<'a> {
    recorded: &'a [(Position, Timestamp)],
    start: Revision,
    head: Revision,
    /// The next recorded event.
    next: Revision,
    effective: Timestamp,
    slots: Vec<Slot>,
    own: &'a mut Vec<(u64, Arc<Event>)>,
}

impl Laying<'_> {
    fn piece(&mut self, piece: Piece) {
        // What was not reached stands before it.
        while self.start.0 + (self.slots.len() as u64) < piece.before.0 && self.next <= self.head {
            self.recorded(self.next);
            self.next = self.next.next();
        }
        for event in piece.events {
            match event {
                PieceEvent::AsRecorded(revision) => self.recorded(revision),
                PieceEvent::Own(event, order) => self.own(*event, order),
            }
        }
        if let Some((first, count)) = piece.recorded {
            self.next = Revision(first.0 + count);
        }
    }

    fn up_to(&mut self, head: Revision) {
        while self.next <= head {
            self.recorded(self.next);
            self.next = self.next.next();
        }
    }

    fn recorded(&mut self, revision: Revision) {
        let index = usize::try_from(revision.0 - self.start.0 - 1).unwrap_or(usize::MAX);
        if let Some((position, at)) = self.recorded.get(index) {
            self.push(*position, *at, What::Recorded(revision));
        }
    }

    fn own(&mut self, mut event: Event, order: u64) {
        let last = self
            .slots
            .last()
            .map_or(Position::ZERO, |slot| slot.position);
        event.position = event.position.max(last);
        event.revision = Revision(self.start.0 + self.slots.len() as u64 + 1);
        let (position, at) = (event.position, event.recorded_at);
        let event = Arc::new(event);
        self.own.push((order, Arc::clone(&event)));
        self.push(position, at, What::Own(event));
    }

    fn push(&mut self, position: Position, recorded_at: Timestamp, what: What) {
        self.effective = self.effective.max(recorded_at);
        self.slots.push(Slot {
            position,
            recorded_at,
            effective: self.effective,
            what,
        });
    }
}

/// What lists know of a stream of the other world.
fn info(
    view: &dyn View,
    models: &Models,
    stream: &StreamName,
    other: &OtherStream,
    end: Option<WorldEnd>,
) -> Result<Option<crate::store::StreamInfo>, StoreError> {
    let head = other.head();
    if head == Revision::ZERO {
        return Ok(None);
    }
    let recorded = view.stream(stream)?;
    let first = other.slot(Revision(1));
    let last = match other.slots.last() {
        Some(Slot {
            what: What::Own(event),
            ..
        }) => Some(Event::clone(event)),
        Some(Slot {
            what: What::Recorded(revision),
            ..
        }) => view.event_at_revision(stream, *revision)?,
        None => view.event_at_revision(stream, head)?,
    };
    let last_at = match other.slots.last() {
        Some(slot) => Some(slot.effective),
        None => view.effective_at(stream, head)?,
    };
    let model = models.for_stream(stream);
    let label = match (end.and_then(|end| end.state), &recorded) {
        (Some(state), _) => StreamLabel {
            title: model.title(&state),
            status: model.status(&state),
        },
        (None, Some(recorded)) => recorded.label.clone(),
        (None, None) => StreamLabel::default(),
    };
    let recorded_back = recorded.as_ref().and_then(|info| info.clock_back_at);
    let recorded_back = recorded_back.filter(|at| *at < other.first);
    let here = (other.first.0..).zip(&other.slots);
    let mut here = here.filter(|(_, slot)| slot.recorded_at < slot.effective);
    let first_position = first.map(|slot| slot.position);
    let first_at = first.map(|slot| slot.recorded_at);
    let Some(last) = last else {
        return Ok(None);
    };
    Ok(Some(crate::store::StreamInfo {
        stream: stream.clone(),
        revision: head,
        first_position: first_position
            .or(recorded.as_ref().map(|info| info.first_position))
            .unwrap_or(last.position),
        last_position: other
            .slots
            .last()
            .map_or(last.position, |slot| slot.position),
        first_at: first_at
            .or(recorded.as_ref().map(|info| info.first_at))
            .unwrap_or(last.recorded_at),
        last_at: last_at.unwrap_or(last.recorded_at),
        last_event_type: last.event_type,
        last_actor: last.actor,
        last_reason: last.reason,
        label,
        clock_back_at: recorded_back.or(here.next().map(|(at, _)| Revision(at))),
    }))
}

fn index_events(overlay: &mut Overlay) {
    for (index, event) in overlay.own.iter().enumerate() {
        overlay.own_by_id.insert(event.event_id.clone(), index);
        if let Some(cause) = &event.causation_id {
            let caused = overlay.own_by_cause.entry(cause.clone()).or_default();
            caused.push(index);
        }
    }
}

fn decisions(overlay: &mut Overlay, builder: Builder, log_head: Head) {
    let mut decisions = builder.decisions;
    let mut head = log_head.decision;
    for mut decision in builder.added {
        // A command that was moved keeps its number.
        decision.sequence = match builder.gone_by_command.get(&decision.command_id) {
            Some(sequence) => {
                decisions.gone.remove(sequence);
                *sequence
            }
            None => {
                head += 1;
                head
            }
        };
        decisions.own.insert(decision.sequence, decision);
    }
    for (sequence, decision) in &decisions.own {
        let by_command = &mut decisions.own_by_command;
        by_command.insert(decision.command_id.clone(), *sequence);
        if let Some(cause) = &decision.causation_id {
            let caused = decisions.own_by_cause.entry(cause.clone()).or_default();
            caused.push(*sequence);
        }
    }
    overlay.decisions = decisions;
    overlay.head = Head {
        decision: head,
        ..log_head
    };
}
