//! Which records belong to an incident: causes up, effects down, and everything of the correlations that these carry.

use std::collections::{BTreeSet, HashSet};

use whodunit_core::api::causes::{CauseKind, CauseNode, CauseOutcome};
use whodunit_core::api::problem::{Code, Problem, echo};
use whodunit_core::bundle::{Batch, BundleIn, LeftOut};
use whodunit_core::causes::{self, Findings, NODES_MAX, Records as _};
use whodunit_core::counted::noun;
use whodunit_core::ids::{Revision, StreamName};

use super::super::error::ApiError;
use crate::causes::LogUntil;
use crate::store::{Direction, View};

/// Events of a stream whose causes are looked for.
const STREAM_EVENTS_MAX: usize = 1_000;
/// Correlations that are followed.
const CORRELATIONS_MAX: usize = 20;

/// What belongs to an incident.
#[derive(Default)]
pub(super) struct Selected {
    /// The event that it is about.
    pub(super) subject: Option<CauseNode>,
    pub(super) causes: Vec<CauseNode>,
    pub(super) effects: Vec<CauseNode>,
    pub(super) batches: Vec<Batch>,
    /// All of them, in no order, each once.
    pub(super) nodes: Vec<CauseNode>,
    pub(super) left_out: Vec<LeftOut>,
    known: HashSet<(CauseKind, String)>,
}

impl Selected {
    fn add(&mut self, node: &CauseNode) {
        if self.known.insert((node.kind, node.id.clone())) {
            self.nodes.push(node.clone());
        }
    }

    /// Counts what is left out: the noun, in the singular, and what else is to be said of it.
    pub(super) fn leave_out(&mut self, count: u64, what: &str, rest: &str) {
        self.left_out.push(LeftOut {
            count,
            what: format!("{}{rest}", noun(count, what)),
        });
    }
}

/// Finds what was asked for.
pub(super) fn select(view: &dyn View, asked: &BundleIn) -> Result<Selected, ApiError> {
    let mut log = LogUntil {
        view,
        head: view.head(),
    };
    let mut found = Selected::default();
    if let Some(id) = &asked.around {
        around(&mut log, id, &mut found)?;
    } else if let Some(id) = &asked.correlation {
        correlation(&mut log, id, &mut found)?;
    } else if let Some(stream) = &asked.stream {
        of_stream(&mut log, stream, &mut found)?;
    }
    Ok(found)
}

fn around(log: &mut LogUntil<'_>, id: &str, found: &mut Selected) -> Result<(), ApiError> {
    let node = match log.event(id)? {
        Some(event) => Some(event),
        None => log.command(id)?,
    };
    let Some(node) = node else {
        let detail = format!("there is no event and no command `{}`", echo(id));
        return Err(Problem::new(Code::NoSuchEvent, detail)
            .field("/around")
            .into());
    };
    chain(log, &node, found)?;
    // A command stands for its first event, where it has one.
    found.subject = match node.kind {
        CauseKind::Event => Some(node.clone()),
        CauseKind::Command => {
            let own = |effect: &&CauseNode| {
                effect.kind == CauseKind::Event && effect.causation_id.as_deref() == Some(id)
            };
            found.effects.iter().find(own).cloned()
        }
    };
    found.add(&node);
    let mut ids = BTreeSet::new();
    let of_chain = found.causes.iter().chain([&node]);
    ids.extend(of_chain.filter_map(|node| node.correlation_id.clone()));
    for id in ids.iter().take(CORRELATIONS_MAX) {
        batch(log, id, found)?;
    }
    let more = ids.len().saturating_sub(CORRELATIONS_MAX) as u64;
    if more > 0 {
        found.leave_out(more, "correlation", " of causes");
    }
    Ok(())
}

/// Causes up, and effects down.
fn chain(log: &mut LogUntil<'_>, node: &CauseNode, found: &mut Selected) -> Result<(), ApiError> {
    let mut findings = Findings::default();
    let chain = causes::chain(log, node, &mut findings)?;
    let tree = causes::tree(log, node.clone(), NODES_MAX, &mut findings)?;
    for node in chain.causes.iter().chain(&tree.nodes) {
        found.add(node);
    }
    if tree.cut {
        found.leave_out(
            1,
            "tree of effects",
            ", cut off: it is larger than the limit",
        );
    }
    if findings.total > 0 {
        found.leave_out(
            findings.total,
            "finding",
            " about causes that do not fit together; see `whodunit trace`",
        );
    }
    found.causes = chain.causes;
    found.effects = tree.nodes.into_iter().skip(1).collect();
    Ok(())
}

/// Everything that carries a correlation id.
fn batch(log: &LogUntil<'_>, id: &str, found: &mut Selected) -> Result<bool, ApiError> {
    let (members, more) = log.members(id)?;
    let events = |node: &&CauseNode| node.kind == CauseKind::Event;
    let streams: BTreeSet<StreamName> = members
        .iter()
        .filter(events)
        .map(|node| node.stream.clone())
        .collect();
    let refused = members.iter();
    let refused = refused.filter(|node| node.outcome == Some(CauseOutcome::Rejected));
    found.batches.push(Batch {
        correlation_id: id.to_owned(),
        events: members.iter().filter(events).count() as u64,
        refused: refused.count() as u64,
        streams: streams.into_iter().collect(),
        more,
    });
    for node in &members {
        found.add(node);
    }
    if more {
        found.leave_out(
            1,
            "correlation",
            ", cut off: it has more records than the limit",
        );
    }
    Ok(!members.is_empty())
}

fn correlation(log: &mut LogUntil<'_>, id: &str, found: &mut Selected) -> Result<(), ApiError> {
    if !batch(log, id, found)? {
        let detail = format!(
            "no event and no command has the correlation id `{}`",
            echo(id)
        );
        let problem = Problem::new(Code::NoSuchCorrelation, detail);
        return Err(problem.field("/correlation").into());
    }
    let mut members = found.nodes.clone();
    members.sort_by_key(CauseNode::place);
    let forest = causes::correlation(log, id, &members, NODES_MAX)?;
    for node in &forest.tree.nodes {
        found.add(node);
    }
    let mut events = members.iter();
    let last = events.rfind(|node| node.kind == CauseKind::Event);
    if let Some(last) = last {
        chain(log, last, found)?;
        found.subject = Some(last.clone());
    }
    Ok(())
}

fn of_stream(
    log: &mut LogUntil<'_>,
    stream: &StreamName,
    found: &mut Selected,
) -> Result<(), ApiError> {
    let view = log.view;
    let Some(info) = view.stream(stream)? else {
        let detail = "there is no such stream";
        return Err(Problem::new(Code::NoSuchStream, detail)
            .field("/stream")
            .into());
    };
    let first = Revision(
        (info.revision.0 + 1)
            .saturating_sub(STREAM_EVENTS_MAX as u64)
            .max(1),
    );
    if first > Revision(1) {
        found.leave_out(
            first.0 - 1,
            "event",
            " of the stream without a search for causes",
        );
    }
    let events = view.stream_events(stream, first, Direction::Forward, STREAM_EVENTS_MAX)?;
    let mut findings = Findings::default();
    for event in events.iter().take(events.len().saturating_sub(1)) {
        let node = CauseNode::of_event(event);
        let above = causes::chain(log, &node, &mut findings)?;
        found.add(&node);
        for cause in &above.causes {
            found.add(cause);
        }
    }
    if findings.total > 0 {
        found.leave_out(
            findings.total,
            "finding",
            " about causes of earlier events that do not fit together; see `whodunit trace`",
        );
    }
    // The last one's causes are followed in both directions, and counted there.
    if let Some(last) = events.last() {
        let last = CauseNode::of_event(last);
        chain(log, &last, found)?;
        found.add(&last);
        found.subject = Some(last);
    }
    Ok(())
}
