//! The causes screen: what led to what, across streams, as a tree of commands, events and jobs.
//!
//! A row is a node of the tree, or a job of an event below it.

use std::collections::BTreeSet;

use whodunit_core::api::causes::{
    CauseEnd, CauseFinding, CauseJob, CauseKind, CauseNode, CausesOut, CorrelationOut,
};
use whodunit_core::api::warning::Warning;

use super::quote::quote;
use super::{Asked, Remote};
use crate::client::{Subject, TraceQuery};

/// Nodes a page asks for.
pub(crate) const PAGE: usize = 200;
/// Nodes kept at most; beyond, it is said that there are more.
pub(crate) const NODES_MAX: usize = 10_000;

/// What the tree is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Of {
    /// An event or a command, from the root of its causes on.
    One(String),
    /// Everything of a correlation.
    Correlation(String),
}

/// The tree as far as it is loaded.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Causes {
    pub(crate) nodes: Vec<CauseNode>,
    pub(crate) next: Option<String>,
    pub(crate) total: u64,
    /// Whether there are more that the daemon did not look at.
    pub(crate) cut: bool,
    pub(crate) findings: Vec<CauseFinding>,
    pub(crate) findings_total: u64,
    /// How the chain above the root ends, where it does not end by itself.
    pub(crate) above: Option<String>,
    /// In a sentence: how much there is.
    pub(crate) streams: u64,
    pub(crate) refused: u64,
    pub(crate) warnings: Vec<Warning>,
}

impl Causes {
    pub(crate) fn of_one(out: CausesOut) -> Self {
        let id = out.end_id.as_deref().unwrap_or_default();
        let above = match out.end {
            CauseEnd::First => None,
            CauseEnd::NotOnRecord => Some(format!("its first cause `{id}` is not on record")),
            CauseEnd::Cycle => Some(format!("its causes lead back to `{id}`: a cycle")),
            CauseEnd::Cut => Some(format!("`{id}` and more causes are not followed")),
        };
        Self {
            nodes: out.items,
            next: out.next_cursor,
            total: out.nodes,
            cut: out.cut,
            findings: out.findings,
            findings_total: out.findings_total,
            above,
            streams: 0,
            refused: 0,
            warnings: out.warnings,
        }
    }

    pub(crate) fn of_correlation(out: CorrelationOut) -> Self {
        Self {
            nodes: out.items,
            next: out.next_cursor,
            total: out.nodes,
            cut: out.cut,
            findings: out.findings,
            findings_total: out.findings_total,
            above: None,
            streams: out.streams_total,
            refused: out.refused,
            warnings: out.warnings,
        }
    }

    /// A further page.
    pub(crate) fn add(&mut self, more: Self) {
        self.nodes.extend(more.nodes);
        self.next = more.next.filter(|_| self.nodes.len() < NODES_MAX);
        self.cut |= more.cut;
    }
}

/// A row of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// A node, by its index.
    Node(usize),
    /// A job of a node.
    Job(usize, usize),
}

#[derive(Debug, Clone)]
pub(crate) struct CausesScreen {
    pub(crate) asked: Asked,
    pub(crate) of: Of,
    pub(crate) found: Remote<Causes>,
    pub(crate) selected: usize,
    /// Whether the cursor has gone to the event that was asked about.
    pub(crate) is_placed: bool,
    /// Indexes of nodes whose effects are hidden.
    folded: BTreeSet<usize>,
    /// The node under the cursor as it was recorded, and whose id that is.
    pub(crate) whole: Remote<Subject>,
    pub(crate) whole_of: Option<String>,
}

impl CausesScreen {
    pub(crate) fn new(of: Of) -> Self {
        Self {
            asked: Asked::default(),
            of,
            found: Remote::Loading(None),
            selected: 0,
            is_placed: false,
            folded: BTreeSet::new(),
            whole: Remote::Absent,
            whole_of: None,
        }
    }

    pub(crate) fn query(&self, cursor: Option<String>) -> TraceQuery {
        TraceQuery {
            whole: matches!(self.of, Of::One(_)),
            cursor,
            limit: Some(PAGE),
        }
    }

    fn nodes(&self) -> &[CauseNode] {
        self.found.value().map_or(&[], |found| &found.nodes)
    }

    /// The rows in sight of the tree: what is folded hides what it led to.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut out = Vec::new();
        let mut hidden_below: Option<u64> = None;
        for (index, node) in self.nodes().iter().enumerate() {
            if hidden_below.is_some_and(|depth| node.depth > depth) {
                continue;
            }
            hidden_below = None;
            out.push(Row::Node(index));
            if self.folded.contains(&index) {
                hidden_below = Some(node.depth);
            } else {
                out.extend((0..node.jobs.len()).map(|job| Row::Job(index, job)));
            }
        }
        out
    }

    pub(crate) fn node(&self, row: Row) -> Option<&CauseNode> {
        let (Row::Node(index) | Row::Job(index, _)) = row;
        self.nodes().get(index)
    }

    pub(crate) fn job(&self, row: Row) -> Option<&CauseJob> {
        match row {
            Row::Node(_) => None,
            Row::Job(_, job) => self.node(row)?.jobs.get(job),
        }
    }

    /// The node under the cursor, or that of the job there.
    pub(crate) fn current(&self) -> Option<&CauseNode> {
        let rows = self.rows();
        self.node(*rows.get(self.selected)?)
    }

    /// Whether a node is the one that was asked about.
    pub(crate) fn is_asked_about(&self, node: &CauseNode) -> bool {
        matches!(&self.of, Of::One(id) if *id == node.id)
    }

    /// Whether a node's effects are hidden, and how many they are.
    pub(crate) fn hidden(&self, index: usize) -> Option<usize> {
        self.folded.contains(&index).then(|| self.below(index))
    }

    fn below(&self, index: usize) -> usize {
        let nodes = self.nodes();
        let Some(node) = nodes.get(index) else {
            return 0;
        };
        let after = nodes.iter().skip(index + 1);
        after.take_while(|other| other.depth > node.depth).count() + node.jobs.len()
    }

    /// Hides what the node under the cursor led to, or shows it again; whether there is anything.
    pub(crate) fn fold(&mut self) -> bool {
        let Some(Row::Node(index)) = self.rows().get(self.selected).copied() else {
            return false;
        };
        if self.folded.remove(&index) {
            return true;
        }
        let has_effects = self.below(index) > 0;
        if has_effects {
            self.folded.insert(index);
        }
        has_effects
    }

    /// Goes to the next node, or the one before, that something is wrong with.
    pub(crate) fn go_to_finding(&mut self, backward: bool) -> bool {
        let rows = self.rows();
        let Some(found) = self.found.value() else {
            return false;
        };
        let len = rows.len();
        let is_wrong = |row: &Row| {
            let node = self.node(*row).filter(|_| matches!(row, Row::Node(_)));
            node.is_some_and(|node| found.findings.iter().any(|finding| finding.id == node.id))
        };
        let next = (1..=len)
            .map(|step| (self.selected + if backward { len - step } else { step }) % len)
            .find(|index| rows.get(*index).is_some_and(is_wrong));
        if let Some(next) = next {
            self.selected = next;
        }
        next.is_some()
    }

    /// What is wrong with a node.
    pub(crate) fn findings_of(&self, id: &str) -> impl Iterator<Item = &CauseFinding> {
        let all = self.found.value().map_or(&[][..], |found| &found.findings);
        all.iter().filter(move |finding| finding.id == id)
    }

    /// Puts the cursor on the event that was asked about, once it is loaded.
    pub(crate) fn place(&mut self) {
        if self.is_placed {
            return;
        }
        let rows = self.rows();
        let at = rows.iter().position(|row| {
            matches!(row, Row::Node(_)) && self.node(*row).is_some_and(|n| self.is_asked_about(n))
        });
        if let Some(at) = at {
            self.selected = at;
            self.is_placed = true;
        }
    }

    /// What is under the cursor as it was recorded, to follow it.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let node = self.current()?;
        let whole = self.whole.value()?;
        (whole.id() == node.id).then(|| whole.clone())
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        match &self.of {
            Of::One(id) => format!("whodunit trace {} --whole", quote(id)),
            Of::Correlation(id) => format!("whodunit trace {} --correlation", quote(id)),
        }
    }
}

/// Whether a node is an event.
pub(crate) fn is_event(node: &CauseNode) -> bool {
    node.kind == CauseKind::Event
}
