//! What-if: a scenario run over a stream's history plus edits. It never writes anywhere: history in, scenario out.
//!
//! Owns how a scenario is run: the recorded history up to the base with the edits made, then the actions (`do`), then, when
//! it is *re-folded*, the events recorded after the base. Re-folding applies recorded events to the changed state and runs
//! no rules; the rules run only for the commands of `do`. Never mixes the two: each step says which it is.
//!
//! The same history and the same request give the same scenario: the clock and ids are arguments or derived from them.

mod run;
pub(crate) mod steps;

use crate::admission;
use crate::api::problem::Problem;
use crate::api::what_if::{Action, Continuation, Edit, WhatIfBase, WhatIfOut};
use crate::event::{Event, ExpectedRevision, NewEvent};
use crate::fold::Folded;
use crate::ids::{Revision, StreamName};
use crate::json::Json;
use crate::keys::{KeyHolders, UniqueKey};
use crate::model::Model;
use crate::stop::{Stop, Stopped};
use crate::time::Timestamp;
use crate::weight::{TooLarge, Unfinished};

use run::Run;
pub use steps::{STEPS_BYTES_MAX, StepsWanted};

/// What a scenario is run from.
#[derive(Clone, Copy)]
pub struct Scenario<'a> {
    /// The rules.
    pub model: &'a Model,
    /// The stream.
    pub stream: &'a StreamName,
    /// The recorded state before the first event of `events`. Must not lie after the base or the first edit.
    pub start: &'a Folded,
    /// The effective time of that revision; of revision 0, the time of the first event.
    pub start_at: Timestamp,
    /// The recorded events right after `start`: up to the base at least, and up to the head when re-folding.
    pub events: &'a [Event],
    /// The base. Everything invented there happens at its time, which commands see as `now`.
    pub base: WhatIfBase,
    /// Changes to the recorded history.
    pub edits: &'a [Edit],
    /// What happens at the base.
    pub actions: &'a [Action],
    /// What becomes of what was recorded after the base.
    pub continuation: Continuation,
    /// Who holds the unique keys, as of the base.
    pub holders: &'a dyn KeyHolders,
    /// Whether passwords that commands give for recorded ones are right, where a command does not say.
    pub password_correct: Option<bool>,
    /// Which steps are listed.
    pub steps: StepsWanted,
}

/// Why a scenario cannot be run: the request does not fit the history or the model. `index` counts from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WhatIfError {
    /// An edit names a revision it cannot reach, or one that another edit names.
    #[error("edit {index}: {message}")]
    BadEdit {
        /// Index of the edit, from 0.
        index: usize,
        /// The reason, in a sentence.
        message: String,
    },
    /// The category has no model, so no commands.
    #[error("category `{category}` has no model, so no command can be run on it")]
    NoModel {
        /// The category.
        category: String,
        /// Where the command stands in the request.
        at: String,
    },
    /// The request is one that the real endpoint would refuse as well: which field, and why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// A command expects the stream to be elsewhere.
    #[error("the stream is at revision {actual} in this what-if, but {expected} was expected")]
    WrongRevision {
        /// Where the command stands in the request.
        at: String,
        /// What the command expects.
        expected: ExpectedRevision,
        /// The revision in the what-if.
        actual: Revision,
    },
    /// A raw event would take a key that another stream held at the base.
    #[error("{}", key.rejection().message)]
    KeyTaken {
        /// Index of the action, from 0.
        index: usize,
        /// The key.
        key: UniqueKey,
    },
    /// A command could not be prepared; says nothing about the rules.
    #[error("{0}")]
    Prepare(String),
    /// It would take more work than is allowed.
    #[error("deciding again would reach more than {max} {what}")]
    TooFar {
        /// Of what, in the plural.
        what: &'static str,
        /// The bound.
        max: u64,
    },
    /// The caller no longer waits for the answer.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A state of it, or the difference at its end, is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

impl From<Unfinished> for WhatIfError {
    fn from(unfinished: Unfinished) -> Self {
        match unfinished {
            Unfinished::Stopped(stopped) => stopped.into(),
            Unfinished::TooLarge(too_large) => too_large.into(),
        }
    }
}

impl From<Box<Problem>> for WhatIfError {
    fn from(problem: Box<Problem>) -> Self {
        Self::Refused(problem)
    }
}

/// Evaluates the scenario.
pub fn evaluate(scenario: &Scenario<'_>) -> Result<WhatIfOut, WhatIfError> {
    evaluate_until(scenario, &Stop::new())
}

/// Evaluates the scenario, unless it is stopped: the token is looked at before each step, and where whole states are copied
/// or compared.
pub fn evaluate_until(scenario: &Scenario<'_>, stop: &Stop) -> Result<WhatIfOut, WhatIfError> {
    scenario.check_edits()?;
    let mut run = Run::new(scenario, stop)?;
    let (before_base, after_base) = scenario.events.split_at(
        scenario
            .events
            .partition_point(|event| event.revision <= scenario.base.revision),
    );
    run.inserts_after(scenario.start.revision);
    for event in before_base {
        run.may_go_on()?;
        run.recorded(event);
    }
    for (index, action) in scenario.actions.iter().enumerate() {
        run.may_go_on()?;
        match action {
            Action::Command(command) => run.command(index, command)?,
            Action::Event(event) => run.raw(index, event)?,
        }
    }
    if scenario.continuation == Continuation::Refold {
        for event in after_base {
            run.may_go_on()?;
            run.recorded(event);
        }
    }
    run.end()
}

impl Scenario<'_> {
    /// The last recorded revision that has a part in the scenario.
    fn last(&self) -> Revision {
        match self.continuation {
            Continuation::None => self.base.revision,
            Continuation::Refold | Continuation::Redecide | Continuation::Auto => {
                self.events.last().map_or(self.base.revision, |event| {
                    event.revision.max(self.base.revision)
                })
            }
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
                _ => {
                    return bad(
                        "commands, times and places can be edited only when commands are decided again: `continue: redecide`"
                            .to_owned(),
                    );
                }
            };
            if revision > self.last() && self.continuation == Continuation::None {
                return bad(format!(
                    "revision {revision} lies after the base (revision {}); re-fold the later history, or move the base",
                    self.base.revision
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
            check_edit_data(self.model, index, edit)?;
        }
        Ok(())
    }
}

/// Whether the data that an edit brings could be an event's.
pub(crate) fn check_edit_data(model: &Model, index: usize, edit: &Edit) -> Result<(), WhatIfError> {
    let (mut event, what) = match edit {
        Edit::Replace(edit) => (NewEvent::new("Replaced", edit.data.clone()), "replace"),
        Edit::Insert(edit) => (
            NewEvent::new(edit.event_type.clone(), edit.data.clone()),
            "insert",
        ),
        Edit::Change(edit) => (
            who_and_why(edit.actor.as_ref(), edit.reason.as_ref()),
            "change",
        ),
        Edit::ReplaceCommand(edit) => (
            who_and_why(edit.actor.as_ref(), edit.reason.as_ref()),
            "replace_command",
        ),
        _ => return Ok(()),
    };
    admission::event(model, &mut event).map_err(|invalid| {
        invalid
            .into_problem(&format!("/edits/{index}/{what}"))
            .into()
    })
}

/// An event that is only checked for who caused it and why.
fn who_and_why(actor: Option<&String>, reason: Option<&String>) -> NewEvent {
    NewEvent {
        actor: actor.cloned(),
        reason: reason.cloned(),
        ..NewEvent::new("Changed", Json::empty_object())
    }
}

#[cfg(test)]
mod tests;
