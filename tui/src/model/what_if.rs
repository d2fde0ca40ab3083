//! The what-if screen: a scenario over a history, what the daemon says comes of it, and the histories of the streams that it
//! reaches.

mod call;
mod kept;
mod question;
mod rows;
mod save;
mod scenario;

use std::collections::{BTreeMap, HashSet};

use whodunit_core::api::browse::{CommandOut, ModelOut, Stream};
use whodunit_core::api::time_travel::Step;
use whodunit_core::api::what_if::{
    Causes, Continuation, StreamWorlds, WhatIfCommand, WhatIfIn, WhatIfOut,
};
use whodunit_core::command::Decision;
use whodunit_core::diff::DiffEntry;
use whodunit_core::ids::StreamName;

use super::{Asked, Remote};
use crate::client::Subject;
use crate::effect::Failure;

pub(crate) use kept::{edit_words, opened, upon};
pub(crate) use question::{Question, Want};
pub(crate) use rows::{Row, RowId};
pub(crate) use save::Saving;
pub(crate) use scenario::{Added, Around, Change, CommandEdit, EventEdit, Place, Scenario};

/// Changes that can be undone.
const UNDO_MAX: usize = 100;

/// The parts of the screen that take keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pane {
    /// Both worlds, line by line.
    #[default]
    Story,
    /// Other streams that differ.
    Streams,
    /// What differs at the end.
    Fields,
}

/// A stream as it is on record.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Recorded {
    pub(crate) info: Option<Stream>,
    /// Loaded events by revision.
    pub(crate) steps: BTreeMap<u64, Step>,
    pub(crate) decisions: Vec<Decision>,
    /// Whether there are more decisions than these.
    pub(crate) more_decisions: bool,
    /// Before which revision the events end that are being loaded.
    pub(crate) until: u64,
    /// Whether its events are there as far as they were asked for.
    pub(crate) is_loaded: bool,
    /// Why it could not be had.
    pub(crate) failure: Option<Failure>,
}

impl Recorded {
    /// The last revision that is known of.
    pub(crate) fn head(&self) -> u64 {
        let loaded = self.steps.keys().next_back().copied().unwrap_or(0);
        let known = self.info.as_ref().map_or(0, |info| info.revision.0);
        loaded.max(known)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WhatIfScreen {
    pub(crate) asked: Asked,
    pub(crate) stream: StreamName,
    /// The revision of the history that it was opened on.
    pub(crate) opened_at: u64,
    pub(crate) scenario: Scenario,
    pub(crate) undo: Vec<Scenario>,
    pub(crate) redo: Vec<Scenario>,
    pub(crate) result: Remote<WhatIfOut>,
    /// What the result is of.
    pub(crate) answered: Option<Scenario>,
    pub(crate) model: Remote<ModelOut>,
    pub(crate) histories: BTreeMap<StreamName, Recorded>,
    /// The stream whose two worlds are shown.
    pub(crate) shown: StreamName,
    pub(crate) pane: Pane,
    pub(crate) cursor: RowId,
    /// Where the cursor stood, for when its row is gone.
    pub(crate) cursor_index: usize,
    /// Where the cursor was left on the stream that it is about.
    pub(crate) main_cursor: RowId,
    /// Among the other streams that differ.
    pub(crate) other: usize,
    /// Among the fields that differ.
    pub(crate) field: usize,
    /// What is to be done to the row at the cursor as soon as what it takes is loaded.
    pub(crate) want: Option<Want>,
    /// What was saved last.
    pub(crate) saved: Option<Scenario>,
    /// The branch that it was opened from, or kept as.
    pub(crate) branch: Option<String>,
}

impl WhatIfScreen {
    pub(crate) fn new(stream: StreamName, cursor: RowId, opened_at: u64) -> Self {
        Self {
            asked: Asked::default(),
            shown: stream.clone(),
            stream,
            opened_at,
            scenario: Scenario::default(),
            undo: Vec::new(),
            redo: Vec::new(),
            result: Remote::Absent,
            answered: None,
            model: Remote::Absent,
            histories: BTreeMap::new(),
            pane: Pane::default(),
            cursor,
            cursor_index: 0,
            main_cursor: cursor,
            other: 0,
            field: 0,
            want: None,
            saved: None,
            branch: None,
        }
    }

    pub(crate) fn request(&self) -> WhatIfIn {
        self.scenario.request(&self.stream)
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
        self.scenario.changes.len()
    }

    /// Whether there is anything to come back to.
    pub(crate) fn has_story(&self) -> bool {
        self.changes() > 0 || !self.undo.is_empty()
    }

    /// Whether it has changes that are in no file.
    pub(crate) fn is_unsaved(&self) -> bool {
        self.changes() > 0 && self.saved.as_ref() != Some(&self.scenario)
    }

    /// Whether what is shown came of the scenario before its last change.
    pub(crate) fn is_old(&self) -> bool {
        self.result.value().is_some() && self.answered.as_ref() != Some(&self.scenario)
    }

    /// The stream that is shown, as it is on record.
    pub(crate) fn recorded(&self) -> Option<&Recorded> {
        self.histories.get(&self.shown)
    }

    pub(crate) fn recorded_mut(&mut self) -> &mut Recorded {
        self.histories.entry(self.shown.clone()).or_default()
    }

    /// The title of the stream that it is about.
    pub(crate) fn title(&self) -> Option<&str> {
        let recorded = self.histories.get(&self.stream)?;
        recorded.info.as_ref()?.title.as_deref()
    }

    /// Other streams that differ, as far as they are named.
    pub(crate) fn others(&self) -> Vec<&StreamWorlds> {
        let result = self.result.value();
        let again = result.and_then(|out| out.redecided.as_ref());
        let streams = again.map_or(&[][..], |again| &again.streams);
        let differs =
            |world: &&StreamWorlds| world.first_divergence.is_some() || !world.diff.is_empty();
        let of_others = streams.iter().filter(|world| world.stream != self.stream);
        of_others.filter(differs).collect()
    }

    /// What differs at the end of the stream that is shown.
    pub(crate) fn differences(&self) -> &[DiffEntry] {
        let Some(out) = self.result.value() else {
            return &[];
        };
        if self.shown == self.stream {
            return &out.diff;
        }
        let again = out.redecided.as_ref();
        let streams = again.map_or(&[][..], |again| &again.streams);
        let shown = streams.iter().find(|world| world.stream == self.shown);
        shown.map_or(&[][..], |world| &world.diff)
    }

    /// What is under the cursor, to follow it.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let rows = self.rows();
        match rows.get(self.index(&rows))? {
            Row::Event(_, step, _) => {
                let event = (*step)?.event.clone();
                Some(Subject::Event(Box::new(event)))
            }
            Row::Refused(decision, _) => Some(Subject::Decision(Box::new((*decision).clone()))),
            _ => None,
        }
    }

    /// The command that led to an event, where it is on record.
    pub(crate) fn command_behind(&self, revision: u64) -> Option<&Decision> {
        let recorded = self.recorded()?;
        let command = recorded
            .steps
            .get(&revision)?
            .event
            .causation_id
            .as_deref()?;
        let mut decisions = recorded.decisions.iter();
        decisions.find(|decision| decision.command_id == command)
    }

    pub(crate) fn decision(&self, sequence: u64) -> Option<&Decision> {
        let mut decisions = self.recorded()?.decisions.iter();
        decisions.find(|decision| decision.sequence == sequence)
    }

    /// The specification of a command, where the model has one of that name.
    pub(crate) fn spec(&self, name: &str) -> Option<&CommandOut> {
        let mut commands = self.model.value()?.commands.iter();
        commands.find(|spec| spec.name == name)
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        let call = call::call(&self.request(), &|field| self.is_secret(field));
        match &self.scenario.on {
            Some(branch) => format!("{call} --branch {}", super::quote::quote(branch)),
            None => call,
        }
    }

    /// Names of fields that the model marks as secret.
    pub(crate) fn is_secret(&self, field: &str) -> bool {
        self.model.value().is_some_and(|model| {
            model.secrets.iter().any(|name| name == field)
                || model.commands.iter().any(|command| {
                    command.schema["properties"][field]["writeOnly"]
                        == serde_json::Value::Bool(true)
                })
        })
    }

    /// What is done with the later history, in words.
    pub(crate) fn mode(&self) -> &'static str {
        if self.scenario.as_recorded {
            return "events as recorded, rules not asked";
        }
        let out = self.result.value().filter(|_| !self.is_old());
        match out.map(|out| out.mode) {
            Some(Continuation::Refold) => {
                "events as recorded, rules not asked: no command is on record for what is changed"
            }
            _ if self.scenario.causes == Causes::Keep => {
                "rules asked again, even about commands whose cause is gone"
            }
            _ => "rules asked again about later commands",
        }
    }

    /// A name for a file to save it in.
    pub(crate) fn file_name(&self) -> String {
        let safe = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' || c == '_' {
                c
            } else {
                '_'
            }
        };
        let name: String = self.stream.as_str().chars().take(60).map(safe).collect();
        format!("what-if-{name}.toml")
    }

    /// Histories that nothing shows any more are not kept.
    pub(crate) fn forget_histories(&mut self) {
        let others: HashSet<StreamName> = self.others().iter().map(|w| w.stream.clone()).collect();
        let (stream, shown) = (self.stream.clone(), self.shown.clone());
        self.histories
            .retain(|name, _| *name == stream || *name == shown || others.contains(name));
    }
}

/// A recorded command, to be given again.
pub(crate) fn again(decision: &Decision) -> WhatIfCommand {
    let payload = match decision.payload.to_value() {
        serde_json::Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    WhatIfCommand {
        command_type: decision.command_type.clone(),
        payload,
        actor: decision.actor.clone(),
        reason: decision.reason.clone(),
        command_id: None,
        correlation_id: None,
        causation_id: None,
        expected_revision: None,
        password_correct: None,
    }
}
