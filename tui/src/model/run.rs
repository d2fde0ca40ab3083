//! The screen of a long question about an outcome or about other rules: what is asked, how far it is, and what it came to.

use serde_json::Value;
use tui_input::Input;
use whodunit_core::api::backtest::{BacktestChange, BacktestEnd};
use whodunit_core::api::inevitable::{InevitableEnd, InevitableIn, MomentOut, NecessityOut};
use whodunit_core::api::minimal::{MinimalEnd, MinimalIn, MinimalItem, MinimalOf};
use whodunit_core::api::pipeline::RunOut;
use whodunit_core::api::undo::{PlannedCommand, UndoEnd, UndoIn};
use whodunit_core::diff::DiffEntry;
use whodunit_core::ids::StreamName;

use super::quote::quote;
use super::{Asked, Remote};
use crate::cli::backtest::{CameTo, OnScreen};

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Of {
    /// How inevitable an outcome was.
    Inevitable(InevitableIn),
    /// The smallest history that leads to it.
    Minimal(MinimalIn),
    /// Commands that bring fields back.
    Undo(UndoIn),
    /// The decision log under the rules of a file.
    Backtest(Box<OnScreen>),
}

/// What it came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    Inevitable(Box<InevitableEnd>),
    Minimal(Box<MinimalEnd>),
    Undo(Box<UndoEnd>),
    /// With the changes, the first ones where there are many; only those that are not approved, where some are.
    Backtest(Box<BacktestEnd>, Vec<BacktestChange>, Option<CameTo>),
}

impl Found {
    /// The answer in a sentence.
    pub(crate) fn answer(&self) -> &str {
        match self {
            Self::Inevitable(end) => &end.answer,
            Self::Minimal(end) => &end.answer,
            Self::Undo(end) => &end.answer,
            Self::Backtest(end, ..) => &end.answer,
        }
    }
}

/// A row of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Row<'a> {
    Command(&'a NecessityOut),
    Moment(&'a MomentOut),
    Kept(&'a MinimalItem),
    Planned(&'a PlannedCommand),
    Beside(&'a DiffEntry),
    Change(&'a BacktestChange),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RunScreen {
    pub(crate) asked: Asked,
    pub(crate) of: Of,
    /// How far it is.
    pub(crate) progress: Option<RunOut>,
    pub(crate) found: Remote<Found>,
    pub(crate) selected: usize,
}

impl RunScreen {
    pub(crate) fn new(of: Of) -> Self {
        Self {
            asked: Asked::default(),
            of,
            progress: None,
            found: Remote::Loading(None),
            selected: 0,
        }
    }

    pub(crate) fn rows(&self) -> Vec<Row<'_>> {
        match self.found.value() {
            Some(Found::Inevitable(end)) => {
                let commands = end.commands.iter().map(Row::Command);
                let avoiding = end.moments.iter().filter(|moment| moment.avoiding > 0);
                commands.chain(avoiding.map(Row::Moment)).collect()
            }
            Some(Found::Minimal(end)) => end.kept.iter().map(Row::Kept).collect(),
            Some(Found::Undo(end)) => {
                let planned = end.plan.iter().flat_map(|plan| &plan.commands);
                let beside = end.side_effects.iter().map(Row::Beside);
                planned.map(Row::Planned).chain(beside).collect()
            }
            Some(Found::Backtest(_, changes, _)) => changes.iter().map(Row::Change).collect(),
            None => Vec::new(),
        }
    }

    /// The stream that it is about, where it is about one.
    pub(crate) fn stream(&self) -> Option<&StreamName> {
        match &self.of {
            Of::Inevitable(asked) => Some(&asked.stream),
            Of::Minimal(asked) => Some(&asked.stream),
            Of::Undo(asked) => Some(&asked.stream),
            Of::Backtest(_) => None,
        }
    }

    /// Where the row at the cursor leads: a stream, and the revision that what it is about stands at or comes after.
    pub(crate) fn target(&self) -> Option<(StreamName, Option<u64>)> {
        let here = self.stream().cloned();
        match self.rows().get(self.selected)? {
            Row::Command(command) => Some((command.stream.clone(), Some(command.base_revision.0))),
            Row::Moment(moment) => Some((here?, Some(moment.revision.0))),
            Row::Kept(item) => Some((item.stream.clone(), item.revision.map(|at| at.0))),
            Row::Planned(_) | Row::Beside(_) => Some((here?, None)),
            Row::Change(change) => {
                // An event of it stands behind the revision that it was decided on; a refusal stands at it.
                let brought = u64::from(!change.was_events.is_empty());
                Some((
                    change.stream.clone(),
                    Some(change.base_revision.0 + brought),
                ))
            }
        }
    }

    pub(crate) fn whole(&self) -> Value {
        let value = match self.rows().get(self.selected) {
            Some(Row::Command(row)) => crate::json::value(row),
            Some(Row::Moment(row)) => crate::json::value(row),
            Some(Row::Kept(row)) => crate::json::value(row),
            Some(Row::Planned(row)) => crate::json::value(row),
            Some(Row::Beside(row)) => crate::json::value(row),
            Some(Row::Change(row)) => crate::json::value(row),
            None => Ok(Value::Null),
        };
        value.unwrap_or_default()
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        match &self.of {
            Of::Inevitable(asked) => {
                let (stream, outcome) = (quote(asked.stream.as_str()), quote(&asked.predicate));
                format!("whodunit inevitable {stream} {outcome}")
            }
            Of::Minimal(asked) => {
                let (stream, outcome) = (quote(asked.stream.as_str()), quote(&asked.predicate));
                let commands = match asked.of {
                    MinimalOf::Events => "",
                    MinimalOf::Commands => " --commands",
                };
                format!("whodunit minimal {stream} {outcome}{commands}")
            }
            Of::Undo(asked) => {
                let fields = asked
                    .fields
                    .iter()
                    .map(|path| format!(" --field {}", quote(path)));
                let fields: String = fields.collect();
                let stream = quote(asked.stream.as_str());
                format!(
                    "whodunit undo-plan {stream} --to {}{fields}",
                    asked.to_revision
                )
            }
            Of::Backtest(asked) => format!("whodunit backtest {}", asked.line()),
        }
    }
}

/// What a line is typed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// The outcome of a stream, a condition.
    Inevitable(StreamName),
    Minimal(StreamName, MinimalOf),
    /// Fields that go back to what they were at a revision.
    Undo(StreamName, u64),
    /// A rules file, and what the command line takes beside it.
    Backtest,
}

/// What is asked about is typed.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub(crate) typed: Typed,
    pub(crate) input: Input,
    pub(crate) error: Option<String>,
}
