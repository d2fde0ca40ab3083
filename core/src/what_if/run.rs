//! A scenario under evaluation.
//!
//! Owns the two states that go side by side from the first edit or action on, the recorded one and the scenario's. Before
//! that there is only one, and nothing is copied.

mod commands;

use std::collections::HashSet;

use super::steps::Steps;
use super::{Scenario, WhatIfError};
use crate::admission::{self, Invalid};
use crate::api::what_if::{
    ActualState, Edit, ModeReason, StepKind, StepOutcome, WhatIfOut, WhatIfStep,
};
use crate::decide::provisional;
use crate::decider::Hypothesis;
use crate::diff::{diff_within, same_diff};
use crate::event::{Event, NewEvent};
use crate::fold::{Change, EventEffect, step, step_with_diff};
use crate::ids::Revision;
use crate::json::State;
use crate::stop::Stop;
use crate::time::Timestamp;
use crate::weight::{DIFF_WEIGHT_MAX, STATE_WEIGHT_MAX, StateBound, TooLarge, copy, of_object};

pub(super) struct Run<'a> {
    scenario: &'a Scenario<'a>,
    stop: &'a Stop,
    state: State,
    /// Of the heavier one of the two states.
    bound: StateBound,
    too_large: Option<TooLarge>,
    revision: Revision,
    /// The recorded state, from the first edit or action on; before that it is `state`.
    actual: Option<State>,
    actual_revision: Revision,
    /// Effective time of the recorded history gone through so far.
    at: Timestamp,
    steps: Steps,
    divergence: Option<Revision>,
    /// Recorded events already matched against the scenario's, for the first divergence.
    matched: usize,
    invented: usize,
    /// Ids that actions brought, by kind.
    ids: HashSet<(StepKind, String)>,
    hypothesis: Hypothesis,
}

impl<'a> Run<'a> {
    pub(super) fn new(scenario: &'a Scenario<'a>, stop: &'a Stop) -> Result<Self, WhatIfError> {
        Ok(Self {
            scenario,
            stop,
            state: copy(&scenario.start.state, stop)?,
            bound: StateBound::new(STATE_WEIGHT_MAX, &scenario.start.state),
            too_large: None,
            revision: scenario.start.revision,
            actual: None,
            actual_revision: scenario.start.revision,
            at: scenario.start_at,
            steps: Steps::new(scenario.steps),
            divergence: None,
            matched: 0,
            invented: 0,
            ids: HashSet::new(),
            hypothesis: Hypothesis::default(),
        })
    }

    /// Whether there is still a use in going on.
    pub(super) fn may_go_on(&self) -> Result<(), WhatIfError> {
        self.stop.check()?;
        self.too_large.map_or(Ok(()), |error| Err(error.into()))
    }

    /// The recorded state and the scenario's go separate ways from here on.
    fn split(&mut self) -> &mut State {
        let (state, stop) = (&self.state, self.stop);
        // Where it is stopped, what it comes to is thrown away.
        self.actual
            .get_or_insert_with(|| copy(state, stop).unwrap_or_default())
    }

    /// Counts what an event may bring to the states; whether there is room for it.
    fn has_room_for(&mut self, event: &Event) -> bool {
        let weigh = || {
            let actual = self.actual.as_ref().map(of_object);
            actual.unwrap_or_default().max(of_object(&self.state))
        };
        if let Err(error) = self.bound.add(event.data.as_str(), weigh) {
            self.too_large.get_or_insert(error);
        }
        self.too_large.is_none()
    }

    /// A recorded event's turn: as it was, dropped or replaced, and what is inserted after it.
    pub(super) fn recorded(&mut self, event: &Event) {
        let model = self.scenario.model;
        self.actual_revision = event.revision;
        self.at = self.at.max(event.recorded_at);
        if !self.has_room_for(event) {
            return;
        }
        match self.edit_of(event.revision) {
            None if self.actual.is_none() => {
                self.revision = self.revision.next();
                self.matched += 1;
                step(model, &mut self.state, event);
            }
            None => {
                let was = step_with_diff(model, self.split(), event);
                self.apply_recorded(event.clone(), &was, false);
            }
            Some(Edit::Replace(edit)) => {
                let was = step_with_diff(model, self.split(), event);
                let mut event = event.clone();
                event.data = edit.data.clone();
                self.apply_recorded(event, &was, true);
            }
            Some(_) => {
                step(model, self.split(), event);
                let mut dropped = self.made(StepKind::Recorded, &event.event_type, true);
                dropped.outcome = StepOutcome::Dropped;
                dropped.recorded_revision = Some(event.revision);
                self.steps.push(dropped, true);
            }
        }
        self.inserts_after(event.revision);
    }

    fn edit_of(&self, revision: Revision) -> Option<&'a Edit> {
        self.scenario.edits.iter().find(|edit| match edit {
            Edit::Drop(edit) => edit.revision == revision,
            Edit::Replace(edit) => edit.revision == revision,
            _ => false,
        })
    }

    fn apply_recorded(&mut self, mut event: Event, was: &Change, edited: bool) {
        let recorded = event.revision;
        self.revision = self.revision.next();
        event.revision = self.revision;
        let change = self.append(&event);
        let changed = edited || change.effect != was.effect || !same_diff(&change.diff, &was.diff);
        let mut made = self.made(StepKind::Recorded, &event.event_type, edited);
        (made.outcome, made.message) = describe(&change.effect, &event.event_type);
        made.diff = change.diff;
        made.events = vec![event];
        made.recorded_revision = Some(recorded);
        self.steps.push(made, changed);
    }

    /// What edits insert after a revision: at its effective time, or at the base's where it is the base.
    pub(super) fn inserts_after(&mut self, revision: Revision) {
        let base = self.scenario.base;
        let at = if revision == base.revision {
            base.at
        } else {
            self.at
        };
        for edit in self.scenario.edits {
            if let Edit::Insert(edit) = edit
                && edit.after_revision == revision
            {
                let mut event = NewEvent::new(edit.event_type.clone(), edit.data.clone());
                event.reason = Some("inserted by a what-if".to_owned());
                self.event(&event, at, true);
            }
        }
    }

    /// A raw event of `do`, admitted as an append is.
    pub(super) fn raw(&mut self, index: usize, event: &NewEvent) -> Result<(), WhatIfError> {
        let prefix = format!("/do/{index}/event");
        let (model, now) = (self.scenario.model, self.scenario.base.at);
        let mut event = event.clone();
        admission::appended(model, &mut event, now)
            .map_err(|invalid| invalid.into_problem(&prefix))?;
        self.once(
            StepKind::Event,
            event.event_id.as_deref(),
            &prefix,
            "/event_id",
        )?;
        let held = model.unique_keys(&self.state);
        self.event(&event, now, false);
        let taken = model.unique_keys(&self.state);
        match taken
            .into_iter()
            .find(|key| !held.contains(key) && self.is_taken(key))
        {
            Some(key) => Err(WhatIfError::KeyTaken { index, key }),
            None => Ok(()),
        }
    }

    /// An id may be brought once: the real endpoints would take the second for a repetition.
    fn once(
        &mut self,
        kind: StepKind,
        id: Option<&str>,
        prefix: &str,
        field: &str,
    ) -> Result<(), WhatIfError> {
        match id {
            Some(id) if !self.ids.insert((kind, id.to_owned())) => {
                Err(Invalid::malformed(field, "is given twice")
                    .into_problem(prefix)
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// An event that no rule looked at.
    fn event(&mut self, event: &NewEvent, at: Timestamp, edited: bool) {
        self.split();
        let (event, change) = self.invent(event, at);
        let mut made = self.made(StepKind::Event, &event.event_type, edited);
        (made.outcome, made.message) = describe(&change.effect, &event.event_type);
        made.diff = change.diff;
        made.events = vec![event];
        self.steps.push(made, true);
    }

    /// An event that never was, appended to the scenario.
    fn invent(&mut self, event: &NewEvent, at: Timestamp) -> (Event, Change) {
        let Scenario { model, stream, .. } = *self.scenario;
        self.revision = self.revision.next();
        self.invented += 1;
        let mut event = provisional(model, stream, self.revision, event, at);
        if event.event_id.is_empty() {
            event.event_id = format!("what-if-event-{}", self.invented);
        }
        let change = self.append(&event);
        (event, change)
    }

    fn append(&mut self, event: &Event) -> Change {
        let recorded = self.scenario.events.get(self.matched);
        self.matched += 1;
        if !recorded.is_some_and(|recorded| event.says_the_same_as(recorded)) {
            self.divergence.get_or_insert(event.revision);
        }
        if !self.has_room_for(event) {
            // The scenario ends here: see `may_go_on`.
            let error = "there is no room for it".to_owned();
            return Change {
                effect: EventEffect::Failed { error },
                diff: Vec::new(),
                upcast: None,
            };
        }
        step_with_diff(self.scenario.model, &mut self.state, event)
    }

    /// A step to be filled in.
    fn made(&self, kind: StepKind, step_type: &str, edited: bool) -> WhatIfStep {
        WhatIfStep {
            kind,
            step_type: step_type.to_owned(),
            outcome: StepOutcome::Applied,
            rule: None,
            message: None,
            events: Vec::new(),
            diff: Vec::new(),
            revision: self.revision,
            recorded_revision: None,
            edited,
            stream: None,
            decision: None,
            change: None,
            was: None,
        }
    }

    pub(super) fn end(mut self) -> Result<WhatIfOut, WhatIfError> {
        self.may_go_on()?;
        // The scenario may also differ by ending before the history does.
        if self.revision < self.actual_revision {
            self.divergence.get_or_insert(self.revision.next());
        }
        let actual = match self.actual {
            Some(actual) => actual,
            None => copy(&self.state, self.stop)?,
        };
        Ok(WhatIfOut {
            mode: self.scenario.continuation,
            mode_reason: ModeReason::Asked,
            stream: self.scenario.stream.clone(),
            base_revision: self.scenario.base.revision,
            rules_hash: self.scenario.model.rules_hash().to_owned(),
            base: self.scenario.base,
            diff: diff_within(&actual, &self.state, DIFF_WEIGHT_MAX, self.stop)?,
            steps: self.steps.listed,
            steps_total: self.steps.total,
            steps_unchanged: self.steps.unchanged,
            outcomes: self.steps.outcomes,
            next_cursor: self.steps.next.map(|next| next.to_string()),
            state: self.state,
            revision: self.revision,
            actual: ActualState {
                revision: self.actual_revision,
                state: actual,
            },
            first_divergence: self.divergence,
            flips: Vec::new(),
            redecided: None,
            redacted: Vec::new(),
            warnings: Vec::new(),
        })
    }
}

fn describe(effect: &EventEffect, event_type: &str) -> (StepOutcome, Option<String>) {
    match effect {
        EventEffect::Applied => (StepOutcome::Applied, None),
        EventEffect::Unknown => (
            StepOutcome::Applied,
            Some(format!(
                "`{event_type}` is unknown to the model: the state is unchanged"
            )),
        ),
        EventEffect::Failed { error } => (StepOutcome::Failed, Some(error.clone())),
    }
}
