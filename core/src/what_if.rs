//! What-if: a scenario run over a stream's history plus edits. It never writes anywhere: history in, scenario out.
//!
//! Owns how a scenario is run: the recorded history up to the base with the edits made, then the actions (`do`), then, when
//! it is *re-folded*, the events recorded after the base. Re-folding applies recorded events to the changed state and runs
//! no rules; the rules run only for the commands of `do`. Never mixes the two: each step says which it is.
//!
//! The same history and the same request give the same scenario: the clock and ids are arguments or derived from them.

use crate::api::what_if::{
    Action, ActualState, Continuation, Edit, StepKind, StepOutcome, WhatIfOut, WhatIfStep,
};
use crate::api::write::CommandIn;
use crate::command::{Command, Rejection};
use crate::decide::{self, KeyChange, decide, provisional};
use crate::decider::PrepareError;
use crate::diff::diff;
use crate::event::{Event, NewEvent};
use crate::fold::{Effect, Folded, step};
use crate::ids::{Revision, StreamName};
use crate::json::{Json, State};
use crate::keys::KeyHolders;
use crate::model::Model;
use crate::payload::FieldError;
use crate::stop::{Stop, Stopped};
use crate::time::Timestamp;

/// What a scenario is run from.
#[derive(Clone, Copy)]
pub struct Scenario<'a> {
    /// The rules.
    pub model: &'a Model,
    /// The stream.
    pub stream: &'a StreamName,
    /// The recorded state before the first event of `events`. Must not lie after the base or the first edit.
    pub start: &'a Folded,
    /// The recorded events right after `start`: up to the base at least, and up to the head when re-folding.
    pub events: &'a [Event],
    /// The base.
    pub base: Revision,
    /// Changes to the recorded history.
    pub edits: &'a [Edit],
    /// What happens at the base.
    pub actions: &'a [Action],
    /// What becomes of what was recorded after the base.
    pub continuation: Continuation,
    /// Who holds the unique keys, as of the base.
    pub holders: &'a dyn KeyHolders,
    /// When the actions happen: the time of the base. Commands see it as `now`.
    pub now: Timestamp,
}

/// Why a scenario cannot be run: the request does not fit the history or the model. `index` counts from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhatIfError {
    /// An edit names a revision it cannot reach, or one that another edit names.
    #[error("edit {index}: {message}")]
    BadEdit {
        /// Which edit.
        index: usize,
        /// Why.
        message: String,
    },
    /// The category has no model, so no commands.
    #[error("category `{category}` has no model, so no command can be run on it")]
    NoModel {
        /// The category.
        category: String,
        /// Which action.
        index: usize,
    },
    /// The model has no such command.
    #[error("`{category}` has no command `{command}`; it has {known}")]
    UnknownCommand {
        /// The category.
        category: String,
        /// What was asked for.
        command: String,
        /// What there is.
        known: String,
        /// Which action.
        index: usize,
    },
    /// A command's payload or an event's data is malformed.
    #[error("`{pointer}` {message}")]
    Malformed {
        /// JSON Pointer into the request's body.
        pointer: String,
        /// What is wrong there.
        message: String,
    },
    /// An event carries a plaintext secret.
    #[error("`{pointer}` would be a plaintext secret; run the command instead")]
    PlaintextSecret {
        /// JSON Pointer into the request's body.
        pointer: String,
    },
    /// A command could not be prepared; says nothing about the rules.
    #[error("{0}")]
    Prepare(String),
    /// The caller no longer waits for the answer.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Evaluates the scenario.
pub fn evaluate(scenario: &Scenario<'_>) -> Result<WhatIfOut, WhatIfError> {
    evaluate_until(scenario, &Stop::new())
}

/// Evaluates the scenario, unless it is stopped: the token is looked at before each step.
pub fn evaluate_until(scenario: &Scenario<'_>, stop: &Stop) -> Result<WhatIfOut, WhatIfError> {
    scenario.check_edits()?;
    let mut run = Run::new(scenario);
    let (before_base, after_base) = scenario.events.split_at(
        scenario
            .events
            .partition_point(|event| event.revision <= scenario.base),
    );
    run.inserts_after(scenario.start.revision);
    for event in before_base {
        stop.check()?;
        run.recorded(event);
    }
    for (index, action) in scenario.actions.iter().enumerate() {
        stop.check()?;
        match action {
            Action::Command(command) => run.command(index, command)?,
            Action::Event(event) => run.raw(index, event)?,
        }
    }
    if scenario.continuation == Continuation::Refold {
        for event in after_base {
            stop.check()?;
            run.recorded(event);
        }
    }
    stop.check()?;
    Ok(run.end())
}

impl Scenario<'_> {
    /// The last recorded revision that has a part in the scenario.
    fn last(&self) -> Revision {
        match self.continuation {
            Continuation::None => self.base,
            Continuation::Refold => self
                .events
                .last()
                .map_or(self.base, |event| event.revision.max(self.base)),
        }
    }

    fn check_edits(&self) -> Result<(), WhatIfError> {
        let mut taken = Vec::new();
        for (index, edit) in self.edits.iter().enumerate() {
            let bad = |message: String| Err(WhatIfError::BadEdit { index, message });
            let (revision, first) = match edit {
                Edit::Drop(edit) => (edit.revision, self.start.revision.next()),
                Edit::Replace(edit) => (edit.revision, self.start.revision.next()),
                Edit::Insert(edit) => (edit.after_revision, self.start.revision),
            };
            if revision > self.last() && self.continuation == Continuation::None {
                return bad(format!(
                    "revision {revision} lies after the base (revision {}); re-fold the later history, or move the base",
                    self.base
                ));
            }
            if revision > self.last() || revision < first {
                return bad(format!(
                    "there is no revision {revision} to edit; the stream has 1 to {}",
                    self.last()
                ));
            }
            if !matches!(edit, Edit::Insert(_)) {
                if taken.contains(&revision) {
                    return bad(format!("revision {revision} is edited twice"));
                }
                taken.push(revision);
            }
            self.check_edit_data(index, edit)?;
        }
        Ok(())
    }

    fn check_edit_data(&self, index: usize, edit: &Edit) -> Result<(), WhatIfError> {
        match edit {
            Edit::Drop(_) => Ok(()),
            Edit::Replace(edit) => {
                self.check_data(&format!("/edits/{index}/replace/data"), &edit.data)
            }
            Edit::Insert(edit) => {
                check_type(
                    &format!("/edits/{index}/insert/event_type"),
                    &edit.event_type,
                )?;
                self.check_data(&format!("/edits/{index}/insert/data"), &edit.data)
            }
        }
    }

    fn check_data(&self, pointer: &str, data: &Json) -> Result<(), WhatIfError> {
        if !data.is_object() {
            return Err(malformed(pointer, "must be a JSON object"));
        }
        match self.model.plaintext_field(&data.to_value()) {
            Some(field) => Err(WhatIfError::PlaintextSecret {
                pointer: format!("{pointer}{field}"),
            }),
            None => Ok(()),
        }
    }
}

fn check_type(pointer: &str, event_type: &str) -> Result<(), WhatIfError> {
    crate::ids::check_id(event_type).map_err(|error| malformed(pointer, &error.to_string()))
}

fn malformed(pointer: &str, message: &str) -> WhatIfError {
    WhatIfError::Malformed {
        pointer: pointer.to_owned(),
        message: message.to_owned(),
    }
}

/// A scenario under evaluation.
struct Run<'a> {
    scenario: &'a Scenario<'a>,
    state: State,
    revision: Revision,
    actual: State,
    actual_revision: Revision,
    now: Timestamp,
    steps: Vec<WhatIfStep>,
    divergence: Option<Revision>,
    /// Recorded events already matched against the scenario's, for the first divergence.
    matched: usize,
    /// From the first edit or action on, recorded events are steps of the scenario too.
    edited: bool,
    invented: usize,
}

impl<'a> Run<'a> {
    fn new(scenario: &'a Scenario<'a>) -> Self {
        Self {
            scenario,
            state: scenario.start.state.clone(),
            revision: scenario.start.revision,
            actual: scenario.start.state.clone(),
            actual_revision: scenario.start.revision,
            now: scenario
                .events
                .first()
                .map_or(scenario.now, |event| event.recorded_at),
            steps: Vec::new(),
            divergence: None,
            matched: 0,
            edited: false,
            invented: 0,
        }
    }

    /// A recorded event's turn: as it was, dropped or replaced, and what is inserted after it.
    fn recorded(&mut self, event: &Event) {
        step(self.scenario.model, &mut self.actual, event);
        self.actual_revision = event.revision;
        self.now = event.recorded_at;
        match self.edit_of(event.revision) {
            Some(Edit::Drop(_)) => {
                self.edited = true;
                self.steps.push(WhatIfStep {
                    kind: StepKind::Recorded,
                    step_type: event.event_type.clone(),
                    outcome: StepOutcome::Dropped,
                    rule: None,
                    message: None,
                    events: Vec::new(),
                    diff: Vec::new(),
                    revision: self.revision,
                    recorded_revision: Some(event.revision),
                    edited: true,
                });
            }
            Some(Edit::Replace(edit)) => {
                self.edited = true;
                let mut event = event.clone();
                event.data = edit.data.clone();
                self.apply_recorded(event, true);
            }
            _ => self.apply_recorded(event.clone(), false),
        }
        self.inserts_after(event.revision);
    }

    fn edit_of(&self, revision: Revision) -> Option<&'a Edit> {
        self.scenario.edits.iter().find(|edit| match edit {
            Edit::Drop(edit) => edit.revision == revision,
            Edit::Replace(edit) => edit.revision == revision,
            Edit::Insert(_) => false,
        })
    }

    fn apply_recorded(&mut self, mut event: Event, edited: bool) {
        let recorded = event.revision;
        self.revision = self.revision.next();
        event.revision = self.revision;
        let before = self.state.clone();
        let effect = self.append(&event);
        if !self.edited {
            return;
        }
        let (outcome, message) = describe(&effect, &event.event_type);
        self.steps.push(WhatIfStep {
            kind: StepKind::Recorded,
            step_type: event.event_type.clone(),
            outcome,
            rule: None,
            message,
            diff: diff(&before, &self.state),
            events: vec![event],
            revision: self.revision,
            recorded_revision: Some(recorded),
            edited,
        });
    }

    fn inserts_after(&mut self, revision: Revision) {
        for edit in self.scenario.edits {
            if let Edit::Insert(edit) = edit
                && edit.after_revision == revision
            {
                let mut event = NewEvent::new(edit.event_type.clone(), edit.data.clone());
                event.reason = Some("inserted by a what-if".to_owned());
                self.event(&event, true);
            }
        }
    }

    /// A raw event of `do`.
    fn raw(&mut self, index: usize, event: &NewEvent) -> Result<(), WhatIfError> {
        check_type(&format!("/do/{index}/event/event_type"), &event.event_type)?;
        self.scenario
            .check_data(&format!("/do/{index}/event/data"), &event.data)?;
        self.now = self.scenario.now.max(self.now);
        self.event(event, false);
        Ok(())
    }

    /// An event that no rule looked at.
    fn event(&mut self, event: &NewEvent, edited: bool) {
        self.edited = true;
        let before = self.state.clone();
        let (event, effect) = self.invent(event);
        let (outcome, message) = describe(&effect, &event.event_type);
        self.steps.push(WhatIfStep {
            kind: StepKind::Event,
            step_type: event.event_type.clone(),
            outcome,
            rule: None,
            message,
            diff: diff(&before, &self.state),
            events: vec![event],
            revision: self.revision,
            recorded_revision: None,
            edited,
        });
    }

    /// A command of `do`: prepared, decided, and its events applied.
    fn command(&mut self, index: usize, command: &CommandIn) -> Result<(), WhatIfError> {
        self.edited = true;
        self.now = self.scenario.now.max(self.now);
        let command = self.prepared(index, command)?;
        let before = self.state.clone();
        let answer = self.decide(&command);
        let (outcome, rule, message, events) = match answer {
            Err(rejection) => (
                StepOutcome::Rejected,
                Some(rejection.rule),
                Some(rejection.message),
                Vec::new(),
            ),
            Ok(new_events) => {
                let events = new_events
                    .iter()
                    .map(|event| self.invent(event).0)
                    .collect();
                (StepOutcome::Accepted, None, None, events)
            }
        };
        self.steps.push(WhatIfStep {
            kind: StepKind::Command,
            step_type: command.command_type,
            outcome,
            rule,
            message,
            diff: diff(&before, &self.state),
            events,
            revision: self.revision,
            recorded_revision: None,
            edited: false,
        });
        Ok(())
    }

    fn prepared(&self, index: usize, command: &CommandIn) -> Result<Command, WhatIfError> {
        let (model, category) = (self.scenario.model, self.scenario.stream.category());
        if !model.has_commands() {
            return Err(WhatIfError::NoModel {
                category: category.to_owned(),
                index,
            });
        }
        let Some(spec) = model.command(&command.command_type) else {
            let known = model
                .spec()
                .commands
                .iter()
                .map(|c| format!("`{}`", c.name))
                .collect::<Vec<_>>()
                .join(", ");
            let (category, command) = (category.to_owned(), command.command_type.clone());
            return Err(WhatIfError::UnknownCommand {
                category,
                command,
                known,
                index,
            });
        };
        let at = |pointer: &str| format!("/do/{index}/command/payload{pointer}");
        if let Some(FieldError { pointer, message }) = model
            .check_payload(&spec.name, &command.payload)
            .into_iter()
            .flatten()
            .next()
        {
            return Err(WhatIfError::Malformed {
                pointer: at(&pointer),
                message,
            });
        }
        let command_id = command
            .command_id
            .clone()
            .unwrap_or_else(|| format!("what-if-command-{}", index + 1));
        let command = Command {
            stream: self.scenario.stream.clone(),
            command_type: command.command_type.clone(),
            payload: command.payload.clone(),
            actor: command.actor.clone(),
            reason: command.reason.clone(),
            correlation_id: command
                .correlation_id
                .clone()
                .or_else(|| Some(command_id.clone())),
            causation_id: command.causation_id.clone(),
            issued_at: self.now,
            command_id,
        };
        match model.prepare() {
            None => Ok(command),
            Some(prepare) => prepare
                .prepare(&self.state, command)
                .map_err(|error| match error {
                    PrepareError::Malformed { pointer, message } => WhatIfError::Malformed {
                        pointer: at(&pointer),
                        message,
                    },
                    PrepareError::Failed(message) => WhatIfError::Prepare(message),
                }),
        }
    }

    fn decide(&self, command: &Command) -> Result<Vec<NewEvent>, Rejection> {
        let Scenario {
            model,
            stream,
            holders,
            ..
        } = *self.scenario;
        let decide::DecisionOutcome { events, keys, .. } =
            decide(model, &self.state, self.revision, command)?;
        // Keys the recorded stream held at the base count as its own: a scenario that dropped the event that took one may
        // take it again.
        for KeyChange { key, .. } in keys.into_iter().filter(|change| change.taken) {
            if holders
                .holder(stream.category(), &key)
                .is_some_and(|holder| holder != *stream)
            {
                return Err(key.rejection());
            }
        }
        Ok(events)
    }

    /// An event that never was, appended to the scenario.
    fn invent(&mut self, event: &NewEvent) -> (Event, Effect) {
        self.revision = self.revision.next();
        self.invented += 1;
        let mut event = provisional(
            self.scenario.model,
            self.scenario.stream,
            self.revision,
            event,
            self.now,
        );
        if event.event_id.is_empty() {
            event.event_id = format!("what-if-event-{}", self.invented);
        }
        let effect = self.append(&event);
        (event, effect)
    }

    fn append(&mut self, event: &Event) -> Effect {
        let recorded = self.scenario.events.get(self.matched);
        self.matched += 1;
        let same = recorded.is_some_and(|recorded| event.says_the_same_as(recorded));
        if !same {
            self.divergence.get_or_insert(event.revision);
        }
        step(self.scenario.model, &mut self.state, event)
    }

    fn end(mut self) -> WhatIfOut {
        // The scenario may also differ by ending before the history does.
        if self.revision < self.actual_revision {
            self.divergence.get_or_insert(self.revision.next());
        }
        WhatIfOut {
            mode: self.scenario.continuation,
            stream: self.scenario.stream.clone(),
            base_revision: self.scenario.base,
            rules_hash: self.scenario.model.rules_hash().to_owned(),
            diff: diff(&self.actual, &self.state),
            steps: self.steps,
            state: self.state,
            revision: self.revision,
            actual: ActualState {
                revision: self.actual_revision,
                state: self.actual,
            },
            first_divergence: self.divergence,
            flips: Vec::new(),
            redacted: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

fn describe(effect: &Effect, event_type: &str) -> (StepOutcome, Option<String>) {
    match effect {
        Effect::Applied => (StepOutcome::Applied, None),
        Effect::Unknown => (
            StepOutcome::Applied,
            Some(format!(
                "`{event_type}` is unknown to the model: the state is unchanged"
            )),
        ),
        Effect::Failed { error } => (StepOutcome::Failed, Some(error.clone())),
    }
}

#[cfg(test)]
mod tests;
