//! What-ifs over the log in memory: the core's own evaluation, and its re-deciding, over a history that is read by looking at
//! everything.

use std::convert::Infallible;

use whodunit_core::api::what_if::{
    Continuation, DecisionRef, ModeReason, Redecided, WhatIfBase, WhatIfIn, WhatIfOut,
};
use whodunit_core::command::Outcome;
use whodunit_core::event::Event;
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::keys::{NoHolders, UniqueKey};
use whodunit_core::model::Models;
use whodunit_core::redecide::{
    Asked, BasePlace, Bounds, Entry, EntryRef, Following, History, Place, Reach, redecide,
};
use whodunit_core::shown::{Redact as _, Redaction};
use whodunit_core::stop::Stop;
use whodunit_core::time::Timestamp;
use whodunit_core::what_if::{Scenario, StepsWanted, evaluate};

use super::super::now;
use super::Daemon;
use crate::effect::Failure;

impl Daemon {
    pub(super) fn what_if(
        &self,
        request: &WhatIfIn,
        cursor: Option<&str>,
    ) -> Result<WhatIfOut, Failure> {
        let steps = StepsWanted {
            skip: cursor.map_or(0, |cursor| cursor.parse().unwrap()),
            // A page is short, so that few changes make more than one.
            limit: self.page_max / 2,
            ..StepsWanted::CHANGED
        };
        let rules = self.rules(request.stream.category());
        let mut out = match request.continuation {
            Continuation::None | Continuation::Refold => self.fold_again(request, steps)?,
            Continuation::Redecide => self.decide_again(request, steps)?,
            Continuation::Auto => {
                let again = self.decide_again(request, steps)?;
                let raw = again.redecided.as_ref();
                if raw.is_some_and(Redecided::reached_raw_events_only) {
                    WhatIfOut {
                        mode_reason: ModeReason::NoCommandOnRecord,
                        ..self.fold_again(request, steps)?
                    }
                } else {
                    WhatIfOut {
                        mode_reason: ModeReason::CommandsOnRecord,
                        ..again
                    }
                }
            }
        };
        out.redact(&Redaction::new(rules));
        Ok(out)
    }

    /// The stream's revision, the log's position and its place at the base.
    fn base(&self, request: &WhatIfIn) -> (Revision, Position, Place) {
        let events = self.history(&request.stream);
        if let Some(DecisionRef::Sequence(sequence)) = request.at_decision {
            let mut decisions = self.decisions.iter();
            let decision = decisions.find(|d| d.sequence == sequence).unwrap();
            let place = Place::of_decision(decision);
            return (decision.base_revision, decision.base_position, place);
        }
        match request.at_revision {
            Some(revision) => {
                let event = events.iter().find(|event| event.revision == revision);
                let position = event.map_or(Position(0), |event| event.position);
                (revision, position, Place::after_position(position))
            }
            None => {
                let head = events.last().map_or(Revision(0), |event| event.revision);
                (head, Position(u64::MAX), Place::END)
            }
        }
    }

    fn fold_again(&self, request: &WhatIfIn, steps: StepsWanted) -> Result<WhatIfOut, Failure> {
        let rules = self.rules(request.stream.category());
        let (revision, ..) = self.base(request);
        let mut events: Vec<Event> = self.history(&request.stream).into_iter().cloned().collect();
        if request.continuation == Continuation::None {
            events.retain(|event| event.revision <= revision);
        }
        evaluate(&Scenario {
            model: rules,
            stream: &request.stream,
            start: &Folded::start(rules),
            events: &events,
            start_at: events.first().map_or(now(), |event| event.recorded_at),
            base: WhatIfBase {
                revision,
                position: None,
                at: now(),
                decision: None,
            },
            edits: &request.edits,
            actions: &request.actions,
            continuation: match request.continuation {
                Continuation::Auto => Continuation::Refold,
                continuation => continuation,
            },
            holders: &NoHolders,
            password_correct: request.password_correct,
            steps,
        })
        .map_err(|error| bad_edit(&error.to_string()))
    }

    fn decide_again(&self, request: &WhatIfIn, steps: StepsWanted) -> Result<WhatIfOut, Failure> {
        let models = [(*self.users).clone(), (*self.merge).clone()];
        // Where no model was asked for, the one for users is the merge model as well.
        let models = Models::new(models).unwrap();
        let (revision, position, place) = self.base(request);
        let following = Following {
            models: &models,
            causes: request.causes,
            reach: Reach::Changed,
            password_correct: request.password_correct,
            all_diffs: false,
            rules: None,
            bounds: Bounds::default(),
            stop: &Stop::new(),
        };
        let asked = Asked {
            stream: &request.stream,
            edits: &request.edits,
            actions: &request.actions,
            base: BasePlace {
                place,
                position,
                revision,
                at: now(),
            },
        };
        let base = WhatIfBase {
            revision,
            position: None,
            at: now(),
            decision: None,
        };
        let mut log = Log::of(self, &models);
        redecide(&mut log, &following, &asked, base, steps)
            .map_err(|error| bad_edit(&error.to_string()))
    }
}

fn bad_edit(message: &str) -> Failure {
    Failure {
        code: Some("bad_edit".to_owned()),
        message: message.to_owned(),
        hint: None,
        no_answer: None,
    }
}

/// The log, entry by entry.
struct Log<'a> {
    models: &'a Models,
    entries: Vec<Entry>,
}

impl<'a> Log<'a> {
    fn of(daemon: &Daemon, models: &'a Models) -> Self {
        let own = |id: &str| {
            let events = daemon.events.iter();
            let own = events.filter(|event| event.causation_id.as_deref() == Some(id));
            own.cloned().collect::<Vec<_>>()
        };
        let decided = daemon
            .decisions
            .iter()
            .map(|decision| Entry::decided(decision.clone(), own(&decision.command_id)));
        let is_decided = |event: &&Event| {
            let cause = event.causation_id.as_deref();
            let mut decisions = daemon.decisions.iter();
            decisions.any(|decision| Some(decision.command_id.as_str()) == cause)
        };
        let raw = daemon.events.iter().filter(|event| !is_decided(event));
        let mut entries: Vec<Entry> = decided.chain(raw.cloned().map(Entry::raw)).collect();
        entries.sort_by_key(|entry| entry.place);
        Self { models, entries }
    }

    fn events(&self, stream: &StreamName) -> impl Iterator<Item = &Event> {
        let own = self.entries.iter().flat_map(|entry| &entry.events);
        own.filter(move |event| event.stream == *stream)
    }

    fn named(entry: &Entry) -> (Place, EntryRef) {
        let named = match &entry.decision {
            Some(decision) => EntryRef::Decision(decision.sequence),
            None => EntryRef::Event(entry.events[0].position),
        };
        (entry.place, named)
    }

    fn fold(&self, stream: &StreamName, upto: impl Fn(&Event) -> bool) -> State {
        let rules = self.models.for_stream(stream);
        let mut folded = Folded::start(rules);
        for event in self.events(stream).filter(|event| upto(event)) {
            folded.push(rules, event);
        }
        folded.state
    }
}

type Read<T> = Result<T, Infallible>;

impl History for Log<'_> {
    type Error = Infallible;
    type Walk = Vec<Entry>;

    fn state(&mut self, stream: &StreamName, at: Revision) -> Read<State> {
        Ok(self.fold(stream, |event| event.revision <= at))
    }

    fn revision(&mut self, stream: &StreamName, at: Position) -> Read<Revision> {
        let upto = self.events(stream).filter(|event| event.position <= at);
        Ok(Revision(upto.count() as u64))
    }

    fn effective_at(&mut self, stream: &StreamName, at: Revision) -> Read<Option<Timestamp>> {
        let upto = self
            .events(stream)
            .filter(|event| event.revision <= at.max(Revision(1)));
        Ok(upto.map(|event| event.recorded_at).max())
    }

    fn holder(
        &mut self,
        category: &str,
        key: &UniqueKey,
        at: Position,
    ) -> Read<Option<StreamName>> {
        let mut names: Vec<StreamName> = self.entries.iter().map(|e| e.stream.clone()).collect();
        names.retain(|name| name.category() == category);
        let holds = |name: &StreamName| {
            let state = self.fold(name, |event| event.position <= at);
            self.models
                .for_stream(name)
                .unique_keys(&state)
                .contains(key)
        };
        Ok(names.into_iter().find(holds))
    }

    fn takers(&mut self, _: &str, _: &UniqueKey, _: Position) -> Read<Vec<(Place, EntryRef)>> {
        // Every entry may: what is looked at for nothing is left again.
        Ok(self.entries.iter().map(Self::named).collect())
    }

    fn refused_for_keys(&mut self, _: &str, after: Place) -> Read<Vec<(Place, EntryRef)>> {
        let refused = |entry: &&Entry| {
            let result = entry.decision.as_ref().map(|decision| &decision.result);
            entry.place > after && matches!(result, Some(Outcome::Rejected { .. }))
        };
        Ok(self
            .entries
            .iter()
            .filter(refused)
            .map(Self::named)
            .collect())
    }

    fn effects(&mut self, id: &str) -> Read<Vec<(Place, EntryRef)>> {
        let named = self
            .entries
            .iter()
            .filter(|entry| entry.causation_id() == Some(id));
        Ok(named.map(Self::named).collect())
    }

    fn entry(&mut self, named: EntryRef) -> Read<Entry> {
        let mut entries = self.entries.iter();
        Ok(entries
            .find(|entry| Self::named(entry).1 == named)
            .unwrap()
            .clone())
    }

    fn entry_of_event(&mut self, stream: &StreamName, revision: Revision) -> Read<Option<Entry>> {
        let brings = |entry: &&Entry| {
            let mut events = entry.events.iter();
            entry.stream == *stream && events.any(|event| event.revision == revision)
        };
        Ok(self.entries.iter().find(brings).cloned())
    }

    fn decision(&mut self, named: &DecisionRef) -> Read<Option<Entry>> {
        let is = |entry: &&Entry| {
            entry.decision.as_ref().is_some_and(|decision| match named {
                DecisionRef::Sequence(sequence) => decision.sequence == *sequence,
                DecisionRef::Command(id) => decision.command_id == *id,
            })
        };
        Ok(self.entries.iter().find(is).cloned())
    }

    fn entry_of_id(&mut self, id: &str) -> Read<Option<Entry>> {
        let is = |entry: &&Entry| {
            let command = entry
                .decision
                .as_ref()
                .map(|decision| decision.command_id.as_str());
            command == Some(id) || entry.events.iter().any(|event| event.event_id == id)
        };
        Ok(self.entries.iter().find(is).cloned())
    }

    fn walk(&mut self, stream: Option<&StreamName>, after: Place) -> Read<Vec<Entry>> {
        let is = |entry: &&Entry| {
            entry.place > after && stream.is_none_or(|stream| *stream == entry.stream)
        };
        Ok(self.entries.iter().filter(is).rev().cloned().collect())
    }

    fn next(&mut self, walk: &mut Vec<Entry>) -> Read<Option<Entry>> {
        Ok(walk.pop())
    }

    fn decisions_after(&mut self, place: Place) -> Read<u64> {
        let after = self.entries.iter().filter(|entry| entry.place > place);
        Ok(after.filter(|entry| entry.decision.is_some()).count() as u64)
    }

    fn streams(&mut self) -> Read<u64> {
        let names: std::collections::BTreeSet<_> = self.entries.iter().map(|e| &e.stream).collect();
        Ok(names.len() as u64)
    }
}
