//! The comparison of a branch with what happened, or with another branch: commands that ended otherwise, and streams that differ.

use serde_json::{Value, json};
use whodunit_core::api::branch::{BranchCompareOut, BranchFlip, BranchStream};

use super::quote::quote;
use super::{Asked, Remote};
use crate::client::CompareQuery;

/// Streams that a page asks for.
const PAGE: usize = 100;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CompareScreen {
    pub(crate) asked: Asked,
    pub(crate) name: String,
    /// The branch to compare it with [default: what happened].
    pub(crate) with: Option<String>,
    pub(crate) found: Remote<BranchCompareOut<BranchStream>>,
    pub(crate) selected: usize,
}

/// A row of the comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Row<'a> {
    Flip(&'a BranchFlip),
    Stream(&'a BranchStream),
}

impl CompareScreen {
    pub(crate) fn new(name: String, with: Option<String>) -> Self {
        Self {
            asked: Asked::default(),
            name,
            with,
            found: Remote::Loading(None),
            selected: 0,
        }
    }

    pub(crate) fn query(&self, cursor: Option<String>) -> CompareQuery {
        CompareQuery {
            with: self.with.clone(),
            cursor,
            limit: Some(PAGE),
            reveal: false,
        }
    }

    pub(crate) fn rows(&self) -> Vec<Row<'_>> {
        let Some(found) = self.found.value() else {
            return Vec::new();
        };
        let flips = found.flips.iter().map(Row::Flip);
        flips.chain(found.streams.iter().map(Row::Stream)).collect()
    }

    pub(crate) fn whole(&self) -> Value {
        match self.rows().get(self.selected) {
            Some(Row::Flip(flip)) => crate::json::value(flip).unwrap_or_default(),
            Some(Row::Stream(stream)) => json!({ "stream": stream.stream, "diff": stream.diff }),
            None => Value::Null,
        }
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        let with = self.with.as_deref();
        let with = with.map_or_else(String::new, |with| format!(" {}", quote(with)));
        format!("whodunit branch compare {}{with}", quote(&self.name))
    }
}
