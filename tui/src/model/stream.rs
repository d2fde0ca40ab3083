//! The stream screen: one stream's history, with a cursor in it.
//!
//! A stream may be long: rows are computed, not kept. The events around the cursor are loaded as windows of steps; the
//! state at the cursor is asked for revision by revision.

mod loaded;
mod rows;

use std::collections::BTreeMap;

use serde_json::Value;
use whodunit_core::api::browse::{DensityOut, Stream};
use whodunit_core::api::investigate::{BlameOut, FieldOut};
use whodunit_core::api::time_travel::{StateOut, Step};
use whodunit_core::api::warning::Warning;
use whodunit_core::command::Decision;
use whodunit_core::ids::StreamName;
use whodunit_core::time::Timestamp;

use super::diff::End;
use super::fields::{Field, Fields, changed_first};
pub(crate) use super::quote::quote;
use super::{App, Asked, Remote};
use crate::client::{At, Origin, StreamStatus, Subject};
use crate::effect::Failure;

/// The name of what folds a category without a model, which has no commands.
const MERGE: &str = "merge";
/// Steps a window asks for.
pub(crate) const WINDOW: u64 = 200;

/// A row of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// The state after this revision; 0 is the empty stream.
    Revision(u64),
    /// A rejected command, by its index in `rejected`.
    Rejected(usize),
}

#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the screen"
)]
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
    /// The moment that was asked for last, and whether it is to be held.
    pub(crate) going_to: Option<(Timestamp, bool)>,
    /// Whether keys move in the state instead of the history.
    pub(crate) in_state: bool,
    /// The selected row of the state.
    pub(crate) field_selected: usize,
    pub(crate) blames: BTreeMap<u64, BlameOut>,
    /// Why it could not be told what set the fields of a revision.
    pub(crate) blame_failure: Option<(u64, Failure)>,
    /// The history of a field, by its path.
    pub(crate) field_path: String,
    pub(crate) field: Remote<FieldOut>,
    /// Where events come from, by their ids.
    pub(crate) origins: BTreeMap<String, Origin>,
    /// The moment that is held, and the revision that the stream had then.
    pub(crate) held: Option<(Timestamp, u64)>,
    /// Whether the answer to where the held moment is moves the cursor there.
    pub(crate) goes_to_held: bool,
    /// The condition that was run to last.
    pub(crate) run_to: String,
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
            in_state: false,
            field_selected: 0,
            blames: BTreeMap::new(),
            blame_failure: None,
            field_path: String::new(),
            field: Remote::Absent,
            origins: BTreeMap::new(),
            held: None,
            goes_to_held: at.is_none(),
            run_to: String::new(),
            at_head: at.is_none(),
        }
    }

    /// The stream's head, 0 until it is known.
    pub(crate) fn head(&self) -> u64 {
        self.info.value().map_or(0, |info| info.revision.0)
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

    /// The rows of the state at the cursor, what its event changed first.
    pub(crate) fn fields(&self) -> Fields<'_> {
        let Some(state) = self.state() else {
            return Fields::default();
        };
        let diff = self.step().map_or(&[][..], |step| &step.diff);
        changed_first(&state.state, diff)
    }

    /// The selected row of the state.
    pub(crate) fn current_field(&self) -> Option<Field<'_>> {
        let mut rows = self.fields().rows;
        let last = rows.len().checked_sub(1)?;
        Some(rows.swap_remove(self.field_selected.min(last)))
    }

    /// What is at the cursor, to follow it.
    pub(crate) fn subject(&self) -> Option<Subject> {
        match self.cursor {
            Row::Revision(_) => self
                .step()
                .map(|step| Subject::Event(Box::new(step.event.clone()))),
            Row::Rejected(index) => {
                let decision = self.rejected(index)?.clone();
                Some(Subject::Decision(Box::new(decision)))
            }
        }
    }

    /// All of the event or the decision at the cursor; `null` where it is not loaded.
    pub(crate) fn whole(&self) -> Value {
        match self.cursor {
            Row::Rejected(index) => crate::json::value(&self.rejected(index)),
            Row::Revision(_) => match self.step() {
                Some(Step {
                    event,
                    upcast: Some(upcast),
                    ..
                }) => crate::json::value(&(event, upcast)),
                step => crate::json::value(&step.map(|step| &step.event)),
            },
        }
        .unwrap_or_default()
    }

    /// Where the event at the cursor comes from, once that is known.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        self.origins.get(&self.step()?.event.event_id)
    }

    /// The moment that is held, if the cursor stands where the stream was then.
    pub(crate) fn at_held_moment(&self) -> Option<Timestamp> {
        let (moment, revision) = self.held?;
        (self.cursor == Row::Revision(revision)).then_some(moment)
    }

    /// What `--at-revision` or `--as-of` of a command says for the cursor.
    fn at_cursor(&self) -> String {
        match self.at_held_moment() {
            Some(moment) => format!("--as-of {moment}"),
            None => format!("--at-revision {}", self.revision()),
        }
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        format!(
            "whodunit state {} {}",
            quote(self.stream.as_str()),
            self.at_cursor()
        )
    }
}

/// The command that gives the same answer as the history of a field.
pub(crate) fn field_call(stream: &StreamScreen) -> String {
    format!(
        "whodunit field {} {} {}",
        quote(stream.stream.as_str()),
        quote(&stream.field_path),
        stream.at_cursor()
    )
}

/// What is marked (or the revision before) and the cursor: what is compared.
pub(crate) fn diff_ends(app: &App, stream: &StreamScreen) -> (End, End) {
    let here = stream.revision();
    let to = match stream.at_held_moment() {
        Some(moment) => End {
            stream: stream.stream.clone(),
            at: At::AsOf(moment),
        },
        None => End::revision(&stream.stream, here),
    };
    let is_here = app.mark_branch.as_deref() == stream.asked.branch();
    let from = match app.mark.as_ref().filter(|_| is_here) {
        Some((name, revision)) => End::revision(name, *revision),
        None => End::revision(&stream.stream, here.saturating_sub(1)),
    };
    (from, to)
}
