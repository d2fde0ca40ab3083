//! The what-if screen: a scenario over a stream's history, and what the daemon says comes of it.

use whodunit_core::api::browse::ModelOut;
use whodunit_core::api::what_if::{
    Action, Continuation, DecisionRef, Edit, WhatIfIn, WhatIfOut, WhatIfStep,
};
use whodunit_core::ids::{Revision, StreamName};

use super::stream::quote;
use super::{Asked, Remote};

/// Rows of the history shown on either side of the base.
const AROUND: u64 = 200;
/// Changes that can be undone.
const UNDO_MAX: usize = 100;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scenario {
    pub(crate) base: u64,
    /// The decision just before which the base lies, when it was opened on a rejected one: keys are asked of that moment.
    pub(crate) decision: Option<u64>,
    pub(crate) edits: Vec<Edit>,
    pub(crate) actions: Vec<Action>,
    pub(crate) continuation: Continuation,
    /// What is supposed of the passwords that commands give for recorded ones, which a what-if never looks at.
    pub(crate) password_correct: Option<bool>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WhatIfScreen {
    pub(crate) asked: Asked,
    pub(crate) stream: StreamName,
    /// The revision of the history that it was opened on.
    pub(crate) opened_at: u64,
    pub(crate) head: u64,
    pub(crate) scenario: Scenario,
    pub(crate) undo: Vec<Scenario>,
    pub(crate) redo: Vec<Scenario>,
    pub(crate) result: Remote<WhatIfOut>,
    pub(crate) model: Remote<ModelOut>,
    /// 0: the changes, 1: the two worlds, 2: the state.
    pub(crate) pane: usize,
    /// Among the changes: edits first, then actions.
    pub(crate) change: usize,
    /// Among the rows of the two worlds.
    pub(crate) row: usize,
    pub(crate) state_scroll: usize,
}

/// A row of the two worlds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum World<'a> {
    /// A recorded event that is the same in the scenario.
    Same(u64),
    /// A recorded event that lies after the scenario's end.
    After(u64),
    /// A step of the scenario; the recorded revision behind it, if there is one.
    Step(Option<u64>, &'a WhatIfStep),
    /// Recorded events far from the base, from one revision to another: not listed one by one.
    Far(u64, u64),
    /// So many steps that are not loaded yet, and what follows them.
    More(u64),
}

impl World<'_> {
    pub(crate) fn recorded(&self) -> Option<u64> {
        match self {
            Self::Same(revision) | Self::After(revision) => Some(*revision),
            Self::Step(revision, _) => *revision,
            Self::Far(..) | Self::More(_) => None,
        }
    }
}

impl WhatIfScreen {
    pub(crate) fn new(stream: StreamName, base: u64, head: u64) -> Self {
        Self {
            asked: Asked::default(),
            stream,
            opened_at: base,
            head,
            scenario: Scenario {
                base,
                decision: None,
                edits: Vec::new(),
                actions: Vec::new(),
                continuation: Continuation::None,
                password_correct: None,
            },
            undo: Vec::new(),
            redo: Vec::new(),
            result: Remote::Loading(None),
            model: Remote::Loading(None),
            pane: 1,
            change: 0,
            row: 0,
            state_scroll: 0,
        }
    }

    pub(crate) fn request(&self) -> WhatIfIn {
        WhatIfIn {
            at_revision: match self.scenario.decision {
                None => Some(Revision(self.scenario.base)),
                Some(_) => None,
            },
            at_decision: self.scenario.decision.map(DecisionRef::Sequence),
            password_correct: self.scenario.password_correct,
            edits: self.scenario.edits.clone(),
            actions: self.scenario.actions.clone(),
            continuation: self.scenario.continuation,
            ..WhatIfIn::new(self.stream.clone())
        }
    }

    /// Changes the scenario; what was before can be undone.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Scenario)) {
        let before = self.scenario.clone();
        change(&mut self.scenario);
        if self.scenario != before {
            self.undo.push(before);
            if self.undo.len() > UNDO_MAX {
                self.undo.remove(0);
            }
            self.redo.clear();
        }
    }

    pub(crate) fn changes(&self) -> usize {
        self.scenario.edits.len() + self.scenario.actions.len()
    }

    /// The rows of the two worlds, around the base.
    pub(crate) fn worlds(&self) -> Vec<World<'_>> {
        let steps = self.result.value().map_or(&[][..], |out| &out.steps);
        let base = self.scenario.base;
        let mut rows = Vec::new();
        let mut next = base.saturating_sub(AROUND).max(1);
        if next > 1 {
            rows.push(World::Far(1, next - 1));
        }
        let until = |rows: &mut Vec<World<'_>>, next: &mut u64, end: u64| {
            while *next < end {
                rows.push(World::Same(*next));
                *next += 1;
            }
        };
        for step in steps {
            match step.recorded_revision {
                Some(Revision(revision)) => {
                    until(&mut rows, &mut next, revision);
                    next = next.max(revision + 1);
                    rows.push(World::Step(Some(revision), step));
                }
                None => {
                    // An inserted event stands where the scenario has come to, an action stands at the base.
                    until(
                        &mut rows,
                        &mut next,
                        if step.edited {
                            step.revision.0
                        } else {
                            base + 1
                        },
                    );
                    rows.push(World::Step(None, step));
                }
            }
        }
        if let Some(more) = self.more_steps() {
            rows.push(World::More(more));
            return rows;
        }
        until(&mut rows, &mut next, base + 1);
        let last = self.head.min(base.saturating_add(AROUND));
        while next <= last {
            rows.push(match self.scenario.continuation {
                Continuation::None => World::After(next),
                Continuation::Refold | Continuation::Redecide | Continuation::Auto => {
                    World::Same(next)
                }
            });
            next += 1;
        }
        if next <= self.head {
            rows.push(World::Far(next, self.head));
        }
        rows
    }

    /// How many steps are listed by the daemon and not loaded yet, if there are any.
    pub(crate) fn more_steps(&self) -> Option<u64> {
        let out = self.result.value()?;
        out.next_cursor.as_ref()?;
        let listed = out.steps_total.saturating_sub(out.steps_unchanged);
        Some(listed.saturating_sub(out.steps.len() as u64).max(1))
    }

    /// The index of the row of a recorded revision.
    pub(crate) fn row_of(&self, revision: u64) -> usize {
        self.worlds()
            .iter()
            .position(|row| row.recorded() == Some(revision))
            .unwrap_or_default()
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        use std::fmt::Write;
        let base = match self.scenario.decision {
            None => format!("--at-revision {}", self.scenario.base),
            Some(sequence) => format!("--at-decision {sequence}"),
        };
        let mut call = format!("whodunit what-if {} {base}", quote(self.stream.as_str()));
        for edit in &self.scenario.edits {
            let _ = match edit {
                Edit::Drop(edit) => write!(call, " --drop {}", edit.revision),
                Edit::Replace(edit) => {
                    write!(
                        call,
                        " --replace {}",
                        quote(&format!("{}={}", edit.revision, edit.data.as_str()))
                    )
                }
                Edit::Insert(edit) => {
                    let value = format!(
                        "{}:{}={}",
                        edit.after_revision,
                        edit.event_type,
                        edit.data.as_str()
                    );
                    write!(call, " --insert {}", quote(&value))
                }
                // The screen makes none of the others.
                _ => Ok(()),
            };
        }
        for action in &self.scenario.actions {
            match action {
                Action::Command(command) => {
                    // Secrets are typed again where the call is used.
                    let payload = serde_json::Value::Object(masked(command.payload.clone(), self));
                    let _ = write!(
                        call,
                        " --command {}",
                        quote(&format!("{}={payload}", command.command_type))
                    );
                    for (name, value) in [("actor", &command.actor), ("reason", &command.reason)] {
                        // `what-if` is who asks there when nothing is said.
                        if let Some(value) = value.as_ref().filter(|value| *value != "what-if") {
                            let _ = write!(call, " --{name} {}", quote(value));
                        }
                    }
                }
                Action::Event(event) => {
                    let value = format!("{}={}", event.event_type, event.data.as_str());
                    let _ = write!(call, " --event {}", quote(&value));
                }
            }
        }
        match self.scenario.password_correct {
            Some(true) => call.push_str(" --password-correct yes"),
            Some(false) => call.push_str(" --password-correct no"),
            None => {}
        }
        if self.scenario.continuation == Continuation::Refold {
            call.push_str(" --refold");
        }
        if self.scenario.continuation == Continuation::Redecide {
            call.push_str(" --redecide");
        }
        call
    }

    /// Names of fields that the model marks as secret.
    pub(crate) fn is_secret(&self, field: &str) -> bool {
        self.model.value().is_some_and(|model| {
            model.commands.iter().any(|command| {
                command.schema["properties"][field]["writeOnly"] == serde_json::Value::Bool(true)
            })
        })
    }
}

fn masked(
    mut payload: serde_json::Map<String, serde_json::Value>,
    screen: &WhatIfScreen,
) -> serde_json::Map<String, serde_json::Value> {
    for (name, value) in &mut payload {
        if screen.is_secret(name) {
            *value = "-".into();
        }
    }
    payload
}
