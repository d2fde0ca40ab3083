//! Correlations: all that carries an id, with what it led to, as a forest.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::tree::Tree;
use super::{CHAIN_MAX, Findings, Records};
use crate::api::causes::{CauseKind, CauseNode, CauseOutcome, CorrelatedStream};
use crate::ids::{Revision, StreamName};

/// What carries a correlation id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Correlation {
    /// The forest: its members and what they led to, each before its effects.
    pub tree: Tree,
    /// What it has of each stream, by name.
    pub streams: BTreeMap<StreamName, CorrelatedStream>,
    /// What is wrong with its causes.
    pub findings: Findings,
}

type Key = (CauseKind, String);

/// The forest of these members of a correlation, which come in the order of their places.
pub fn correlation<R: Records>(
    records: &mut R,
    id: &str,
    members: &[CauseNode],
    nodes_max: usize,
) -> Result<Correlation, R::Error> {
    let mut found = Correlation {
        streams: streams(members),
        ..Correlation::default()
    };
    let mut above = Above {
        members: members
            .iter()
            .map(|node| (node.kind, node.id.clone()))
            .collect(),
        known: HashMap::new(),
    };
    let mut inner = Vec::new();
    for member in members {
        match above.look(records, member)? {
            Found::Member => inner.push(member),
            found_above => {
                if found_above == Found::NotOnRecord {
                    found.findings.missing_cause(member);
                }
                let (tree, findings) = (&mut found.tree, &mut found.findings);
                tree.grow(records, member.clone(), nodes_max, findings)?;
            }
        }
    }
    // What no root leads to is in a cycle, or below one.
    for member in inner {
        if found.tree.cut || found.tree.has(member) {
            continue;
        }
        let start = on_cycle(records, member)?;
        let (tree, findings) = (&mut found.tree, &mut found.findings);
        tree.grow(records, start, nodes_max, findings)?;
    }
    for node in &mut found.tree.nodes {
        node.outside = node.correlation_id.as_deref() != Some(id);
    }
    Ok(found)
}

/// What stands above a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Another member, or itself.
    Member,
    /// Nothing of the correlation.
    Nothing,
    /// It names a cause that is not on record.
    NotOnRecord,
}

/// Whether members stand above records.
struct Above {
    members: HashSet<Key>,
    /// Of records that are no members: whether a member stands above.
    known: HashMap<Key, bool>,
}

impl Above {
    fn look<R: Records>(&mut self, records: &mut R, member: &CauseNode) -> Result<Found, R::Error> {
        let Some(cause) = &member.causation_id else {
            return Ok(Found::Nothing);
        };
        let Some(mut at) = records.record(cause)? else {
            return Ok(Found::NotOnRecord);
        };
        let mut passed: Vec<Key> = Vec::new();
        let is_below = loop {
            let key = (at.kind, at.id.clone());
            if self.members.contains(&key) {
                break true;
            }
            if let Some(known) = self.known.get(&key) {
                break *known;
            }
            if passed.contains(&key) || passed.len() == CHAIN_MAX {
                break false;
            }
            passed.push(key);
            let next = match &at.causation_id {
                Some(cause) => records.record(cause)?,
                None => None,
            };
            match next {
                Some(next) => at = next,
                None => break false,
            }
        };
        for key in passed {
            self.known.insert(key, is_below);
        }
        Ok(if is_below {
            Found::Member
        } else {
            Found::Nothing
        })
    }
}

/// A record on the cycle that the causes of a record lead into.
fn on_cycle<R: Records>(records: &mut R, member: &CauseNode) -> Result<CauseNode, R::Error> {
    let (mut at, mut passed) = (member.clone(), HashSet::new());
    while passed.insert((at.kind, at.id.clone())) {
        let next = match &at.causation_id {
            Some(cause) => records.record(cause)?,
            None => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at.depth = 0;
    Ok(at)
}

/// What the members of a correlation are to each stream, by name.
pub fn streams(members: &[CauseNode]) -> BTreeMap<StreamName, CorrelatedStream> {
    let mut streams: BTreeMap<StreamName, CorrelatedStream> = BTreeMap::new();
    let events = |node: &&CauseNode| node.kind == CauseKind::Event;
    for node in members.iter().filter(events) {
        let before = Revision(node.revision.0.saturating_sub(1));
        let stream = streams
            .entry(node.stream.clone())
            .or_insert_with(|| nothing_of(node, before));
        stream.events += 1;
        stream.revision_before = stream.revision_before.min(before);
        stream.revision_after = stream.revision_after.max(node.revision);
    }
    for node in members.iter().filter(|node| !events(node)) {
        let stream = streams
            .entry(node.stream.clone())
            .or_insert_with(|| nothing_of(node, node.revision));
        stream.refused += u64::from(node.outcome == Some(CauseOutcome::Rejected));
    }
    for stream in streams.values_mut() {
        let between = stream.revision_after.0 - stream.revision_before.0;
        stream.other_events = between.saturating_sub(stream.events);
    }
    streams
}

fn nothing_of(node: &CauseNode, at: Revision) -> CorrelatedStream {
    CorrelatedStream {
        stream: node.stream.clone(),
        revision_before: at,
        revision_after: at,
        events: 0,
        other_events: 0,
        refused: 0,
    }
}
