//! The branches screen: what-ifs that are kept under a name, and what the selected one comes to.

use serde_json::Value;
use tui_input::Input;
use whodunit_core::api::branch::{
    BranchCompareOut, BranchLine, BranchOut, BranchPage, BranchStream,
};
use whodunit_core::ids::StreamName;

use super::quote::quote;
use super::what_if::Scenario;
use super::{Asked, Remote};
use crate::request::Slot;

/// What a branch is opened for, once it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// To look at it and to change it.
    Lab,
    /// To ask a what-if upon it.
    Upon,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct BranchesScreen {
    pub(crate) asked: Asked,
    pub(crate) list: Remote<BranchPage>,
    pub(crate) selected: usize,
    /// All that the selected branch says.
    pub(crate) branch: Remote<BranchOut>,
    /// What differs in it from what happened.
    pub(crate) compared: Remote<BranchCompareOut<BranchStream>>,
    /// The branch that these two are of.
    pub(crate) of: Option<String>,
    /// What to do with the selected branch as soon as it is loaded.
    pub(crate) wanted: Option<For>,
}

impl BranchesScreen {
    pub(crate) fn lines(&self) -> &[BranchLine] {
        self.list.value().map_or(&[], |page| &page.items)
    }

    pub(crate) fn current(&self) -> Option<&BranchLine> {
        self.lines().get(self.selected)
    }

    /// Nothing is on its way any more.
    pub(crate) fn settle(&mut self) {
        self.list.settle();
        self.branch.settle();
        self.compared.settle();
        self.wanted = None;
    }

    pub(crate) fn whole(&self) -> Value {
        let branch = self.branch.value();
        branch.map_or(Value::Null, |out| {
            crate::json::value(&out.branch).unwrap_or_default()
        })
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        match self.current() {
            Some(line) => format!("whodunit branch show {}", quote(&line.name)),
            None => "whodunit branch list".to_owned(),
        }
    }
}

/// A branch as the lab takes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opened {
    pub(crate) stream: StreamName,
    pub(crate) scenario: Scenario,
    /// The name that it has; none where it is only built upon.
    pub(crate) name: Option<String>,
    /// The revision to begin at.
    pub(crate) at: u64,
    /// What to know about it.
    pub(crate) said: Option<String>,
}

/// What the name is for that is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The what-if on screen is kept under it.
    Keep,
    /// The branch of this name gets it.
    Rename(String),
    /// The branch of this name is compared with it.
    With(String),
    /// This query line is kept by it.
    Line(String),
}

/// The name of a branch, or of a query line, is typed.
#[derive(Debug, Clone)]
pub(crate) struct Naming {
    pub(crate) purpose: Purpose,
    pub(crate) input: Input,
    pub(crate) error: Option<String>,
    /// A name that another one has already: that one is replaced when it is chosen again.
    pub(crate) is_there: Option<String>,
}

impl Naming {
    pub(crate) fn new(purpose: Purpose, name: &str) -> Self {
        Self {
            purpose,
            input: Input::new(name.to_owned()),
            error: None,
            is_there: None,
        }
    }

    /// Says why the name is not taken, in the words of the box: a request has it in a field.
    pub(crate) fn refuse(&mut self, why: &str) {
        self.error = Some(match why.strip_prefix("`/name` ") {
            Some(rest) => format!("the name {rest}"),
            None => why.to_owned(),
        });
    }

    /// What the box waits for.
    pub(crate) fn awaits(&self) -> Option<Slot> {
        match self.purpose {
            Purpose::Keep => Some(Slot::KeepBranch),
            Purpose::Rename(_) => Some(Slot::RenameBranch),
            Purpose::With(_) => None,
            Purpose::Line(_) => Some(Slot::KeepLine),
        }
    }
}
