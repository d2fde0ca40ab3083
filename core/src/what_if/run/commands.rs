//! Commands of a scenario: admitted as the real endpoint admits them, prepared without a look at a secret, decided, applied.

use super::Run;
use crate::admission::{self, Admitted};
use crate::api::what_if::{StepKind, StepOutcome, WhatIfCommand};
use crate::command::{Command, Rejection};
use crate::decide::{KeyChange, decide};
use crate::decider::PrepareError;
use crate::diff::{DiffEntry, diff};
use crate::event::{Event, NewEvent};
use crate::what_if::{Scenario, WhatIfError};

impl Run<'_> {
    /// A command of `do`: admitted as the real endpoint does, prepared without a look at a secret, decided, and its events
    /// applied.
    pub(in crate::what_if) fn command(
        &mut self,
        index: usize,
        asked: &WhatIfCommand,
    ) -> Result<(), WhatIfError> {
        self.split();
        let command = self.admitted(index, asked)?;
        let mut made = self.made(StepKind::Command, &asked.command_type, false);
        match self.prepared(index, asked, command)? {
            Err(why) => {
                made.outcome = StepOutcome::Unknown;
                made.message = Some(format!(
                    "{why}. Later steps are as if this command had not been sent"
                ));
            }
            Ok(command) => match self.decide(&command) {
                Err(Rejection { rule, message }) => {
                    made.outcome = StepOutcome::Rejected;
                    (made.rule, made.message) = (Some(rule), Some(message));
                }
                Ok(new_events) => {
                    made.outcome = StepOutcome::Accepted;
                    (made.events, made.diff) = self.accepted(&new_events);
                    made.revision = self.revision;
                }
            },
        }
        self.steps.push(made, true);
        Ok(())
    }

    fn admitted(&mut self, index: usize, asked: &WhatIfCommand) -> Result<Command, WhatIfError> {
        let Scenario { model, stream, .. } = *self.scenario;
        let prefix = format!("/do/{index}/command");
        if !model.has_commands() {
            return Err(WhatIfError::NoModel {
                category: stream.category().to_owned(),
                at: prefix,
            });
        }
        let Admitted {
            command, expected, ..
        } = admission::command(
            model,
            stream,
            asked.clone().into(),
            self.scenario.base.at,
            || format!("what-if-command-{}", index + 1),
            &prefix,
        )?;
        self.once(
            StepKind::Command,
            asked.command_id.as_deref(),
            &prefix,
            "/command_id",
        )?;
        if expected.admits(self.revision) {
            Ok(command)
        } else {
            Err(WhatIfError::WrongRevision {
                at: prefix,
                expected,
                actual: self.revision,
            })
        }
    }

    /// The inner error says why the outcome is unknown.
    fn prepared(
        &mut self,
        index: usize,
        asked: &WhatIfCommand,
        command: Command,
    ) -> Result<Result<Command, String>, WhatIfError> {
        let Some(prepare) = self.scenario.model.prepare() else {
            return Ok(Ok(command));
        };
        self.hypothesis.password_correct =
            asked.password_correct.or(self.scenario.password_correct);
        match prepare.suppose(&self.state, command, &self.hypothesis) {
            Ok(command) => Ok(Ok(command)),
            Err(PrepareError::Unknown(why)) => Ok(Err(why)),
            Err(PrepareError::Malformed { pointer, message }) => {
                let prefix = format!("/do/{index}/command");
                Err(admission::unprepared(&pointer, message, &prefix).into())
            }
            Err(PrepareError::Failed(message) | PrepareError::Redacted(message)) => {
                Err(WhatIfError::Prepare(message))
            }
        }
    }

    fn decide(&self, command: &Command) -> Result<Vec<NewEvent>, Rejection> {
        let outcome = decide(self.scenario.model, &self.state, self.revision, command)?;
        for KeyChange { key, .. } in outcome.keys.iter().filter(|change| change.taken) {
            if self.is_taken(key) {
                return Err(key.rejection());
            }
        }
        Ok(outcome.events)
    }

    /// Whether another stream held a key at the base. Keys the recorded stream held then count as its own: a scenario that
    /// dropped the event that took one may take it again.
    pub(super) fn is_taken(&self, key: &crate::keys::UniqueKey) -> bool {
        let Scenario {
            stream, holders, ..
        } = *self.scenario;
        holders.holder(stream.category(), key, stream).is_some()
    }

    /// Applies the events of a command; answers them and what they did together.
    fn accepted(&mut self, new_events: &[NewEvent]) -> (Vec<Event>, Vec<DiffEntry>) {
        let now = self.scenario.base.at;
        if let [only] = new_events {
            let (event, change) = self.invent(only, now);
            return (vec![event], change.diff);
        }
        let before = self.state.clone();
        let events = new_events
            .iter()
            .map(|event| self.invent(event, now).0)
            .collect();
        (events, diff(&before, &self.state))
    }
}
