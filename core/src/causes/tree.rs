//! Chains up to the first cause, and trees down to all effects.

use std::collections::HashSet;

use super::findings::named;
use super::{CHAIN_MAX, Findings, Records};
use crate::api::causes::{CauseEnd, CauseFindingCode, CauseKind, CauseNode, CauseOutcome};

/// The causes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// First its own cause, last the root.
    pub causes: Vec<CauseNode>,
    /// Where they end.
    pub end: CauseEnd,
    /// The cause that the last one names, where it is not there or there already.
    pub end_id: Option<String>,
}

/// Follows the causes of a record up to the first one.
pub fn chain<R: Records>(
    records: &mut R,
    of: &CauseNode,
    findings: &mut Findings,
) -> Result<Chain, R::Error> {
    let mut causes: Vec<CauseNode> = Vec::new();
    let mut known = HashSet::from([(of.kind, of.id.clone())]);
    let (end, end_id) = loop {
        let last = causes.last().unwrap_or(of);
        let Some(id) = last.causation_id.clone() else {
            break (CauseEnd::First, None);
        };
        if causes.len() == CHAIN_MAX {
            let detail = format!("{} has more than {CHAIN_MAX} causes above it", named(of));
            findings.add(CauseFindingCode::TooLarge, of, detail);
            break (CauseEnd::Cut, Some(id));
        }
        let Some(mut cause) = records.record(&id)? else {
            findings.missing_cause(last);
            break (CauseEnd::NotOnRecord, Some(id));
        };
        if !known.insert((cause.kind, cause.id.clone())) {
            findings.cycle(&cause);
            break (CauseEnd::Cycle, Some(id));
        }
        findings.compare(last, &cause, records.places_are_shared());
        cause.depth = causes.len() as u64 + 1;
        causes.push(cause);
    };
    Ok(Chain {
        causes,
        end,
        end_id,
    })
}

/// What some records led to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// Each before its effects, which come in the order of their places.
    pub nodes: Vec<CauseNode>,
    /// Whether there are more that were not looked at.
    pub cut: bool,
    seen: HashSet<(CauseKind, String)>,
}

/// The tree of what a record led to, itself first: at most so many nodes.
pub fn tree<R: Records>(
    records: &mut R,
    root: CauseNode,
    nodes_max: usize,
    findings: &mut Findings,
) -> Result<Tree, R::Error> {
    let mut tree = Tree::default();
    tree.grow(records, root, nodes_max, findings)?;
    Ok(tree)
}

impl Tree {
    /// Whether it has a record.
    pub(super) fn has(&self, node: &CauseNode) -> bool {
        self.seen.contains(&(node.kind, node.id.clone()))
    }

    /// Adds a record and what it led to.
    pub(super) fn grow<R: Records>(
        &mut self,
        records: &mut R,
        root: CauseNode,
        nodes_max: usize,
        findings: &mut Findings,
    ) -> Result<(), R::Error> {
        let start = (root.kind, root.id.clone());
        let mut waiting = vec![root];
        while let Some(mut node) = waiting.pop() {
            let key = (node.kind, node.id.clone());
            if self.seen.contains(&key) {
                // A record has one cause: only where it began can a tree come back to.
                if key == start {
                    findings.cycle(&node);
                }
                continue;
            }
            if self.nodes.len() == nodes_max {
                self.cut = true;
                break;
            }
            self.seen.insert(key);
            let room = nodes_max.saturating_sub(self.nodes.len() + 1 + waiting.len());
            let mut effects = effects_of(records, &node, room + 1, findings)?;
            let is_whole = effects.len() <= room;
            self.cut |= !is_whole;
            node.effects = is_whole.then_some(effects.len() as u64);
            own_events(&node, &effects, self.cut, findings);
            for effect in &mut effects {
                effect.depth = node.depth + 1;
                findings.compare(effect, &node, records.places_are_shared());
            }
            self.nodes.push(node);
            waiting.extend(effects.into_iter().rev());
        }
        Ok(())
    }
}

fn effects_of<R: Records>(
    records: &mut R,
    node: &CauseNode,
    limit: usize,
    findings: &mut Findings,
) -> Result<Vec<CauseNode>, R::Error> {
    let effects = records.effects(&node.id, limit)?;
    if node.kind == CauseKind::Event && !effects.is_empty() && records.command(&node.id)?.is_some()
    {
        findings.ambiguous(node);
        return Ok(Vec::new());
    }
    Ok(effects)
}

/// Looks whether a command has as many events as its decision says.
fn own_events(node: &CauseNode, effects: &[CauseNode], is_cut: bool, findings: &mut Findings) {
    if node.outcome != Some(CauseOutcome::Accepted) || is_cut {
        return;
    }
    let told = u64::from(node.events.unwrap_or_default());
    let is_own =
        |effect: &&CauseNode| effect.kind == CauseKind::Event && effect.stream == node.stream;
    let found = effects.iter().filter(is_own).count() as u64;
    if found < told {
        findings.events_missing(node, found);
    }
}
