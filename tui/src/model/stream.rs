//! The stream screen: one stream's history, with a cursor in it.
//!
//! A stream may be long: rows are computed, not kept. The events around the cursor are loaded as windows of steps; the
//! state at the cursor is asked for revision by revision.

use std::collections::BTreeMap;

use serde_json::Value;
use whodunit_core::api::browse::{DensityOut, Stream};
use whodunit_core::api::time_travel::{DiffOut, StateOut, Step};
use whodunit_core::api::warning::Warning;
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

pub(crate) use super::quote::quote;
use super::{Asked, Remote};
use crate::client::StreamStatus;
use crate::effect::Failure;

/// The name of what folds a category without a model, which has no commands.
const MERGE: &str = "merge";
/// Steps a window asks for.
pub(crate) const WINDOW: u64 = 200;
/// Steps kept at most; beyond, those far from the cursor go.
const STEPS_MAX: usize = 2_000;
/// States kept at most.
const STATES_MAX: usize = 128;

/// A row of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// The state after this revision; 0 is the empty stream.
    Revision(u64),
    /// A rejected command, by its index in `rejected`.
    Rejected(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StreamScreen {
    pub(crate) asked: Asked,
    pub(crate) stream: StreamName,
    pub(crate) info: Remote<Stream>,
    pub(crate) cursor: Row,
    /// Loaded steps by revision.
    pub(crate) steps: BTreeMap<u64, Step>,
    /// Why a window of steps could not be had.
    pub(crate) steps_failure: Option<Failure>,
    /// Decisions of the stream, oldest first, and whether there are more than these.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) more_decisions: bool,
    /// Indexes of the rejected ones in `decisions`, by the revision they stand after.
    rejected: Vec<usize>,
    pub(crate) density: Option<DensityOut>,
    pub(crate) states: BTreeMap<u64, StateOut>,
    pub(crate) state_failure: Option<(u64, Failure)>,
    /// What the move to a time left out; gone with the next move.
    pub(crate) left_out: Vec<Warning>,
    /// What is to be known about the steps that were loaded.
    pub(crate) steps_warnings: Vec<Warning>,
    /// How far jobs and projections are with the stream's events, and when that was asked last.
    pub(crate) status: Remote<StreamStatus>,
    pub(crate) status_asked_at: Option<Timestamp>,
    /// The moment that was asked for last.
    pub(crate) going_to: Option<Timestamp>,
    pub(crate) mark: Option<u64>,
    pub(crate) diff: Remote<DiffOut>,
    pub(crate) pane: usize,
    pub(crate) state_scroll: usize,
    /// Whether the cursor follows the head, as it does until it is moved.
    pub(crate) at_head: bool,
}

impl StreamScreen {
    /// At a revision, or at the head.
    pub(crate) fn new(stream: StreamName, at: Option<u64>) -> Self {
        Self {
            asked: Asked::default(),
            stream,
            info: Remote::Loading(None),
            cursor: Row::Revision(at.unwrap_or(0)),
            steps: BTreeMap::new(),
            steps_failure: None,
            decisions: Vec::new(),
            more_decisions: false,
            rejected: Vec::new(),
            density: None,
            states: BTreeMap::new(),
            state_failure: None,
            left_out: Vec::new(),
            steps_warnings: Vec::new(),
            status: Remote::Absent,
            status_asked_at: None,
            going_to: None,
            mark: None,
            diff: Remote::Absent,
            pane: 0,
            state_scroll: 0,
            at_head: at.is_none(),
        }
    }

    /// The stream's head, 0 until it is known.
    pub(crate) fn head(&self) -> u64 {
        self.info.value().map_or(0, |info| info.revision.0)
    }

    pub(crate) fn set_decisions(&mut self, decisions: Vec<Decision>, more: bool) {
        self.rejected = (0..decisions.len())
            .filter(|&index| {
                decisions
                    .get(index)
                    .is_some_and(|d| matches!(d.result, Outcome::Rejected { .. }))
            })
            .collect();
        self.rejected
            .sort_by_key(|&index| decisions.get(index).map(|d| (d.base_revision, d.sequence)));
        self.decisions = decisions;
        self.more_decisions = more;
    }

    /// The rejected command of a row.
    pub(crate) fn rejected(&self, index: usize) -> Option<&Decision> {
        self.decisions.get(*self.rejected.get(index)?)
    }

    /// The row of a rejected command, by its sequence.
    pub(crate) fn rejected_row(&self, sequence: u64) -> Option<Row> {
        (0..self.rejected.len())
            .find(|&index| self.rejected(index).is_some_and(|d| d.sequence == sequence))
            .map(Row::Rejected)
    }

    pub(crate) fn rejected_count(&self) -> usize {
        self.rejected.len()
    }

    /// How many rejected commands stand before the row of a revision.
    fn rejected_before(&self, revision: u64) -> usize {
        self.rejected.partition_point(|&index| {
            self.decisions
                .get(index)
                .is_some_and(|d| d.base_revision.0 < revision)
        })
    }

    /// How many rows there are: revision 0, every event, every rejected command.
    pub(crate) fn rows(&self) -> usize {
        usize::try_from(self.head()).unwrap_or(usize::MAX - self.rejected.len() - 1)
            + 1
            + self.rejected.len()
    }

    /// Where a row stands.
    pub(crate) fn index_of(&self, row: Row) -> usize {
        let at = |revision: u64| usize::try_from(revision).unwrap_or(usize::MAX);
        match row {
            Row::Revision(revision) => at(revision).saturating_add(self.rejected_before(revision)),
            Row::Rejected(index) => {
                let base = self
                    .rejected(index)
                    .map_or(0, |decision| decision.base_revision.0);
                at(base).saturating_add(1 + index)
            }
        }
    }

    /// The row that stands at an index, the last one beyond the end.
    pub(crate) fn row_at(&self, index: usize) -> Row {
        let index = index.min(self.rows().saturating_sub(1));
        // Rejected commands stand at known indexes, in order; every other index is a revision.
        let before = (0..self.rejected.len())
            .collect::<Vec<_>>()
            .partition_point(|&rejected| self.index_of(Row::Rejected(rejected)) < index);
        if before < self.rejected.len() && self.index_of(Row::Rejected(before)) == index {
            return Row::Rejected(before);
        }
        Row::Revision(
            u64::try_from(index - before)
                .unwrap_or(u64::MAX)
                .min(self.head()),
        )
    }

    /// The revision the cursor is about: of a rejected command, the one it was decided on.
    pub(crate) fn revision(&self) -> u64 {
        match self.cursor {
            Row::Revision(revision) => revision,
            Row::Rejected(index) => self
                .rejected(index)
                .map_or(0, |decision| decision.base_revision.0),
        }
    }

    pub(crate) fn step(&self) -> Option<&Step> {
        match self.cursor {
            Row::Revision(revision) => self.steps.get(&revision),
            Row::Rejected(_) => None,
        }
    }

    /// When the row at the cursor happened.
    pub(crate) fn cursor_time(&self) -> Option<Timestamp> {
        match self.cursor {
            Row::Revision(revision) => self.steps.get(&revision).map(|step| step.event.recorded_at),
            Row::Rejected(index) => self.rejected(index).map(|decision| decision.decided_at),
        }
    }

    pub(crate) fn state(&self) -> Option<&StateOut> {
        self.states.get(&self.revision())
    }

    /// How many lines the state at the cursor may take: never fewer than it does.
    pub(crate) fn state_lines(&self) -> usize {
        let Some(state) = self.state() else {
            return 0;
        };
        let values = state.state.values().map(lines_of).sum::<usize>();
        let changes = self.step().map_or(&[][..], |step| &step.diff);
        let before = changes.iter().filter_map(|entry| entry.before.as_ref());
        let notes =
            self.warnings().len() + state.faults.len() + usize::from(self.lacks_its_model());
        values + before.map(lines_of).sum::<usize>() + notes * LINES_MAX + 1
    }

    pub(crate) fn add_state(&mut self, state: StateOut) {
        if self.states.len() >= STATES_MAX {
            let here = self.revision();
            if let Some(far) = self
                .states
                .keys()
                .copied()
                .max_by_key(|revision| revision.abs_diff(here))
            {
                self.states.remove(&far);
            }
        }
        self.states.insert(state.revision.0, state);
    }

    pub(crate) fn add_steps(&mut self, steps: Vec<Step>) {
        for step in steps {
            self.steps.insert(step.event.revision.0, step);
        }
        let here = self.revision();
        while self.steps.len() > STEPS_MAX {
            let first = self.steps.keys().next().copied().unwrap_or(here);
            let last = self.steps.keys().next_back().copied().unwrap_or(here);
            let far = if here.abs_diff(first) > here.abs_diff(last) {
                first
            } else {
                last
            };
            self.steps.remove(&far);
        }
    }

    /// The first revision of the window that is missing around the cursor, if any is.
    pub(crate) fn missing_window(&self, rows: usize) -> Option<u64> {
        let (here, head) = (self.revision(), self.head());
        let near = u64::try_from(rows).unwrap_or(WINDOW).min(WINDOW / 2);
        let (low, high) = (
            here.saturating_sub(near).max(1),
            here.saturating_add(near).min(head),
        );
        let missing = (low..=high).find(|revision| !self.steps.contains_key(revision))?;
        // Around a missing revision behind the cursor, load backwards: the window ends at it.
        let behind = missing < here && self.steps.contains_key(&here);
        Some(if behind {
            missing.saturating_sub(WINDOW / 2).max(1)
        } else {
            missing
        })
    }

    /// What directly caused an event: the event behind its command, if both are known, else the id.
    pub(crate) fn cause(&self, causation_id: Option<&str>) -> Option<String> {
        let id = causation_id?;
        let by_id = |id: &str| self.steps.values().find(|step| step.event.event_id == id);
        let name = |step: &Step| format!("{} rev {}", step.event.event_type, step.event.revision);
        if let Some(step) = by_id(id) {
            return Some(name(step));
        }
        let command = self
            .decisions
            .iter()
            .find(|decision| decision.command_id == id);
        match command {
            Some(command) => match command.causation_id.as_deref() {
                Some(cause) => Some(
                    by_id(cause)
                        .map_or_else(|| format!("{} ← {cause}", command.command_type), name),
                ),
                None => Some(format!("command {}", command.command_type)),
            },
            None => Some(id.to_owned()),
        }
    }

    /// Whether jobs or projections of the stream are on their way.
    pub(crate) fn is_moving(&self) -> bool {
        let last = self.info.value().map_or(0, |info| info.last_position.0);
        self.status
            .value()
            .is_some_and(|status| status.is_moving(last))
    }

    /// What is to be known about what the screen shows, each warning once.
    pub(crate) fn warnings(&self) -> Vec<&Warning> {
        let of_state = self.state().map_or(&[][..], |state| &state.warnings);
        let mut all: Vec<&Warning> = Vec::new();
        for warning in self
            .left_out
            .iter()
            .chain(of_state)
            .chain(&self.steps_warnings)
        {
            // The same of a longer part of the history says nothing new.
            if !all.iter().any(|known| known.code == warning.code) {
                all.push(warning);
            }
        }
        all
    }

    /// Whether commands of the stream were decided by a model, and the state at the cursor is folded without one: the daemon was
    /// not asked for it.
    pub(crate) fn lacks_its_model(&self) -> bool {
        let is_merged = self.state().is_some_and(|state| state.model == MERGE);
        is_merged && !self.decisions.is_empty()
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        format!(
            "whodunit state {} --at-revision {}",
            quote(self.stream.as_str()),
            self.revision()
        )
    }
}

/// The mark (or the revision before) and the cursor: what is compared.
pub(crate) fn diff_ends(stream: &StreamScreen) -> (u64, u64) {
    let here = stream.revision();
    (stream.mark.unwrap_or(here.saturating_sub(1)), here)
}

/// The command that gives the same answer as the diff.
pub(crate) fn diff_call(stream: &StreamScreen) -> String {
    let (from, to) = diff_ends(stream);
    format!(
        "whodunit diff {} {from} {to}",
        quote(stream.stream.as_str())
    )
}

/// Lines that a value or a sentence takes at most.
const LINES_MAX: usize = 8;
/// Cells that a value has at least.
const VALUE_CELLS_MIN: usize = 10;

/// How many lines a value may take.
fn lines_of(value: &Value) -> usize {
    match value {
        Value::Object(map) if !map.is_empty() => map.values().map(lines_of).sum(),
        Value::Array(items) if !items.is_empty() => items.iter().map(lines_of).sum(),
        Value::String(text) => (text.len() / VALUE_CELLS_MIN + 1).min(LINES_MAX),
        other => (other.to_string().len() / VALUE_CELLS_MIN + 1).min(LINES_MAX),
    }
}
