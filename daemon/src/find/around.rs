//! What lies beyond a record: the state at it, and the events around it.
//!
//! Conditions on states are asked of many events at a time, one fold for each stream among them: events that are far apart
//! are folded from their own snapshots.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::ptr;
use std::rc::Rc;

use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::model::Model;
use whodunit_core::predicate::{Before, Predicate, Scope};
use whodunit_core::query::{Answer, Context, Neighbour, Subject, Towards, Undecided, Within};
use whodunit_core::weight::{StateBound, of_object};

use super::Find;
use crate::limits::{FIND_AROUND_MAX, STATE_WEIGHT_MAX};
use crate::store::{Direction, LogFilter, StoreError, View, try_for_each_event};
use crate::time_travel::TravelError;

/// Revisions of a stream up to which one fold goes on to the next one that is asked about.
const GAP_MAX: u64 = 256;
/// Events of a stream that are read at a time.
const AHEAD: usize = 32;
/// Correlations whose events are kept.
const GROUPS_MAX: usize = 64;

/// A condition of a line, told apart by where it is kept.
type Condition = usize;

/// What lies around the records of a search.
pub(super) struct Around<'a> {
    find: &'a Find,
    view: &'a dyn View,
    answers: HashMap<(Condition, StreamName, Revision), Answer>,
    stretch: Option<Stretch>,
    groups: HashMap<String, Rc<Group>>,
}

/// Events of a stream next to each other, as they may be shown.
struct Stretch {
    stream: StreamName,
    first: Revision,
    events: Vec<Event>,
}

/// The events of a correlation in the order of their times, as they may be shown.
struct Group {
    events: Vec<Event>,
    is_whole: bool,
}

fn condition(predicate: &Predicate) -> Condition {
    ptr::from_ref(predicate).addr()
}

impl<'a> Around<'a> {
    pub(super) fn new(find: &'a Find, view: &'a dyn View) -> Self {
        Self {
            find,
            view,
            answers: HashMap::new(),
            stretch: None,
            groups: HashMap::new(),
        }
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        Ok(self.view.stop().check()?)
    }

    /// Asks the conditions on states of these events, as many in one fold as can be.
    pub(super) fn look_ahead<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event>,
    ) -> Result<(), StoreError> {
        self.answers.clear();
        let find = self.find;
        let predicates: Vec<&Predicate> = find.query.conditions_on_state().collect();
        if predicates.is_empty() {
            return Ok(());
        }
        let mut streams: BTreeMap<&StreamName, Vec<Revision>> = BTreeMap::new();
        for event in events {
            streams
                .entry(&event.stream)
                .or_default()
                .push(event.revision);
        }
        for (stream, mut revisions) in streams {
            revisions.sort_unstable();
            let near = |one: &Revision, next: &Revision| next.0 - one.0 <= GAP_MAX;
            for run in revisions.chunk_by(near) {
                self.fold(stream, run, &predicates)?;
            }
        }
        Ok(())
    }

    /// Asks conditions at revisions of a stream, ascending.
    fn fold(
        &mut self,
        stream: &StreamName,
        revisions: &[Revision],
        predicates: &[&Predicate],
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (revisions.first(), revisions.last()) else {
            return Ok(());
        };
        for predicate in predicates {
            for revision in revisions {
                let place = (condition(predicate), stream.clone(), *revision);
                self.answers
                    .insert(place, Answer::Undecided(Undecided::NoState));
            }
        }
        let model = self.find.models.for_stream(stream).clone();
        let before = Revision(first.0.saturating_sub(1));
        let folded = self.state(&model, stream, before)?;
        let Some(mut folded) = folded else {
            return Ok(());
        };
        let mut bound = StateBound::new(STATE_WEIGHT_MAX, &folded.state);
        let mut wanted = revisions.iter().copied().peekable();
        let answers = &mut self.answers;
        try_for_each_event(self.view, stream, (*first, *last), |event| {
            let weigh = || of_object(&folded.state);
            if bound.add(event.data.as_str(), weigh).is_err() {
                return Ok(ControlFlow::Break(()));
            }
            if wanted.next_if_eq(&event.revision).is_none() {
                folded.push(&model, &event);
                return Ok::<_, StoreError>(ControlFlow::Continue(()));
            }
            let needed = predicates
                .iter()
                .map(|own| own.needs().before.part(&folded.state));
            let needed: Vec<Option<State>> = needed.collect();
            folded.push(&model, &event);
            for (predicate, before) in predicates.iter().zip(&needed) {
                let scope = Scope::new(&model, &folded.state)
                    .with_event(Some(&event))
                    .with_before(before.as_ref());
                let place = (condition(predicate), stream.clone(), event.revision);
                answers.insert(place, Answer::of_condition(predicate.evaluate(&scope)));
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// The state at a revision; `None` when it cannot be worked on.
    fn state(
        &self,
        model: &Model,
        stream: &StreamName,
        at: Revision,
    ) -> Result<Option<Folded>, StoreError> {
        if at == Revision::ZERO {
            return Ok(Some(Folded::start(model)));
        }
        match self.find.travel.state(self.view, model, stream, at) {
            Ok(reached) => Ok(Some(reached.folded)),
            Err(TravelError::Store(error)) => Err(error),
            Err(_no_state) => Ok(None),
        }
    }

    fn show(&self, event: Event) -> Event {
        self.find.reveal.show(&self.find.models, event).into_inner()
    }

    /// The event of a stream at a revision, read together with those behind it.
    fn in_stream(
        &mut self,
        stream: &StreamName,
        revision: Revision,
        towards: Towards,
    ) -> Result<Option<Event>, StoreError> {
        let kept = self.stretch.as_ref().filter(|kept| kept.stream == *stream);
        let found = kept.and_then(|kept| {
            let index = revision.0.checked_sub(kept.first.0)?;
            kept.events.get(usize::try_from(index).ok()?)
        });
        if let Some(found) = found {
            return Ok(Some(found.clone()));
        }
        let direction = match towards {
            Towards::Before => Direction::Backward,
            Towards::After => Direction::Forward,
        };
        let events = self
            .view
            .stream_events(stream, revision, direction, AHEAD)?;
        let mut events: Vec<Event> = events.into_iter().map(|event| self.show(event)).collect();
        if direction == Direction::Backward {
            events.reverse();
        }
        let found = events
            .iter()
            .find(|event| event.revision == revision)
            .cloned();
        self.stretch = events
            .first()
            .map(|event| event.revision)
            .map(|first| Stretch {
                stream: stream.clone(),
                first,
                events,
            });
        Ok(found)
    }

    /// The events of a correlation.
    fn group(&mut self, id: &str) -> Result<Rc<Group>, StoreError> {
        if let Some(group) = self.groups.get(id) {
            return Ok(Rc::clone(group));
        }
        let filter = LogFilter {
            correlation_id: Some(id.to_owned()),
            ..LogFilter::default()
        };
        let limit = usize::try_from(FIND_AROUND_MAX).unwrap_or(usize::MAX);
        let page = self
            .view
            .log(&filter, None, Direction::Forward, limit, u64::MAX)?;
        let mut events: Vec<Event> = page
            .events
            .into_iter()
            .map(|event| self.show(event))
            .collect();
        events.sort_by_key(|event| (event.recorded_at, event.position));
        let is_whole = page.next.is_none();
        let group = Rc::new(Group { events, is_whole });
        if self.groups.len() >= GROUPS_MAX {
            self.groups.clear();
        }
        self.groups.insert(id.to_owned(), Rc::clone(&group));
        Ok(group)
    }

    fn in_correlation(
        &mut self,
        of: Subject<'_>,
        towards: Towards,
        steps: u64,
    ) -> Result<Neighbour, StoreError> {
        let Some(id) = of.correlation() else {
            return Ok(Neighbour::End);
        };
        let group = self.group(id)?;
        if !group.is_whole {
            return Ok(Neighbour::TooFar);
        }
        let place = |event: &Event| (event.recorded_at, event.position);
        // How many stand before it, and how many before what stands after it.
        let (before, behind) = match of {
            Subject::Event(event) => {
                let own = place(event);
                let before = group.events.partition_point(|other| place(other) < own);
                (
                    before,
                    group.events.partition_point(|other| place(other) <= own),
                )
            }
            Subject::Decision(decision) => {
                let own = (decision.decided_at, decision.base_position);
                let before = group.events.partition_point(|other| place(other) <= own);
                (before, before)
            }
        };
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        let index = match towards {
            Towards::Before => before.checked_sub(steps),
            Towards::After => behind.checked_add(steps - 1),
        };
        let found = index.and_then(|index| group.events.get(index));
        Ok(found.map_or(Neighbour::End, |event| {
            Neighbour::Event(Box::new(event.clone()))
        }))
    }
}

impl Context for Around<'_> {
    type Error = StoreError;

    fn model(&self, stream: &StreamName) -> Model {
        self.find.models.for_stream(stream).clone()
    }

    fn condition(&mut self, predicate: &Predicate, at: Subject<'_>) -> Result<Answer, StoreError> {
        let (stream, revision) = (at.stream(), at.revision());
        match at {
            Subject::Event(_) => {
                let place = (condition(predicate), stream.clone(), revision);
                if !self.answers.contains_key(&place) {
                    self.fold(stream, &[revision], &[predicate])?;
                }
                let answer = self.answers.get(&place).copied();
                Ok(answer.unwrap_or(Answer::Undecided(Undecided::NoState)))
            }
            Subject::Decision(decision) => {
                let model = self.model(stream);
                let Some(folded) = self.state(&model, stream, revision)? else {
                    return Ok(Answer::Undecided(Undecided::NoState));
                };
                // A decision changes nothing by itself: the state before it is the one that it was made on.
                let is_needed = predicate.needs().before != Before::Nothing;
                let before = is_needed.then_some(&folded.state);
                let scope = Scope::new(&model, &folded.state)
                    .with_decision(Some(decision))
                    .with_before(before);
                Ok(Answer::of_condition(predicate.evaluate(&scope)))
            }
        }
    }

    fn neighbour(
        &mut self,
        of: Subject<'_>,
        within: Within,
        towards: Towards,
        steps: u64,
    ) -> Result<Neighbour, StoreError> {
        self.check()?;
        if within == Within::Correlation {
            return self.in_correlation(of, towards, steps);
        }
        if steps > FIND_AROUND_MAX {
            return Ok(Neighbour::TooFar);
        }
        let own = of.revision().0;
        let revision = match (towards, of) {
            (Towards::After, _) => Some(own + steps),
            (Towards::Before, Subject::Event(_)) => own.checked_sub(steps),
            // What a decision was made on stands before it.
            (Towards::Before, Subject::Decision(_)) => (own + 1).checked_sub(steps),
        };
        let Some(revision) = revision.filter(|revision| *revision > 0) else {
            return Ok(Neighbour::End);
        };
        let found = self.in_stream(of.stream(), Revision(revision), towards)?;
        Ok(found.map_or(Neighbour::End, |event| Neighbour::Event(Box::new(event))))
    }

    fn is_in_time_order(&mut self, of: Subject<'_>, within: Within) -> Result<bool, StoreError> {
        match (within, of) {
            (Within::Correlation, _) => Ok(true),
            // The clock that decided need not be the one that recorded.
            (Within::Stream, Subject::Decision(_)) => Ok(false),
            (Within::Stream, Subject::Event(event)) => {
                let info = self.view.stream(&event.stream)?;
                Ok(info.is_some_and(|info| info.clock_back_at.is_none()))
            }
        }
    }
}
