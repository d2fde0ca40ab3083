//! Random graphs of causes against the plain meaning of the words.

use std::collections::{BTreeSet, HashSet};
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::api::causes::{CauseEnd, CauseFindingCode, CauseKind, CauseOutcome};
use crate::ids::{Position, Revision, StreamName};
use crate::time::Timestamp;

/// All records, looked through one by one.
struct Plain(Vec<CauseNode>);

impl Records for Plain {
    type Error = Infallible;

    fn command(&mut self, id: &str) -> Result<Option<CauseNode>, Infallible> {
        Ok(self.find(CauseKind::Command, id))
    }

    fn event(&mut self, id: &str) -> Result<Option<CauseNode>, Infallible> {
        Ok(self.find(CauseKind::Event, id))
    }

    fn effects(&mut self, cause: &str, limit: usize) -> Result<Vec<CauseNode>, Infallible> {
        let named = |node: &&CauseNode| node.causation_id.as_deref() == Some(cause);
        Ok(self.0.iter().filter(named).take(limit).cloned().collect())
    }
}

impl Plain {
    fn find(&self, kind: CauseKind, id: &str) -> Option<CauseNode> {
        let found = self
            .0
            .iter()
            .find(|node| node.kind == kind && node.id == id);
        found.cloned()
    }

    fn cause(&self, node: &CauseNode) -> Option<CauseNode> {
        let id = node.causation_id.as_deref()?;
        let command = self.find(CauseKind::Command, id);
        command.or_else(|| self.find(CauseKind::Event, id))
    }
}

/// What a record varies in: whether it is a command, the record it names (one beyond the end is not on record), whether it
/// belongs to the correlation, its stream, and its time.
type Sketch = (bool, Option<usize>, bool, u8, i64);

fn records(sketches: &[Sketch]) -> Plain {
    let mut revisions = [0u64; 3];
    let node = |(n, sketch): (usize, &Sketch)| {
        let (is_command, cause, correlated, stream, at) = *sketch;
        let revision = &mut revisions[usize::from(stream)];
        *revision += u64::from(!is_command);
        CauseNode {
            kind: if is_command {
                CauseKind::Command
            } else {
                CauseKind::Event
            },
            id: format!("r{n}"),
            depth: 0,
            causation_id: cause.map(|cause| format!("r{cause}")),
            stream: StreamName::new(format!("a-{stream}")).unwrap(),
            revision: Revision(*revision),
            position: Position(n as u64 + 1),
            sequence: is_command.then_some(n as u64),
            kind_of: "X".to_owned(),
            at: Timestamp::from_micros(at),
            actor: None,
            reason: None,
            correlation_id: correlated.then(|| "work".to_owned()),
            outcome: is_command.then_some(CauseOutcome::Rejected),
            events: None,
            rule: None,
            message: None,
            effects: None,
            outside: false,
            jobs: Vec::new(),
        }
    };
    Plain(sketches.iter().enumerate().map(node).collect())
}

fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let sketch = (
        any::<bool>(),
        prop::option::weighted(0.8, 0..14usize),
        any::<bool>(),
        0..3u8,
        0..20i64,
    );
    prop::collection::vec(sketch, 1..14)
}

/// All that the causes of which lead to one of these, and these.
fn below(records: &Plain, of: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = of.into_iter().collect();
    loop {
        let is_new = |node: &&CauseNode| {
            let cause = node.causation_id.as_ref();
            !found.contains(&node.id) && cause.is_some_and(|cause| found.contains(cause))
        };
        let Some(next) = records.0.iter().find(is_new) else {
            return found;
        };
        found.insert(next.id.clone());
    }
}

/// Each stands below its cause, or at the top.
fn assert_is_forest(nodes: &[CauseNode]) {
    let mut path: Vec<&CauseNode> = Vec::new();
    for node in nodes {
        path.truncate(usize::try_from(node.depth).unwrap());
        assert_eq!(path.len() as u64, node.depth, "{}", node.id);
        if let Some(cause) = path.last() {
            assert_eq!(node.causation_id.as_ref(), Some(&cause.id));
        }
        path.push(node);
    }
}

fn ids(nodes: &[CauseNode]) -> BTreeSet<String> {
    let ids: BTreeSet<_> = nodes.iter().map(|node| node.id.clone()).collect();
    assert_eq!(ids.len(), nodes.len(), "some are there twice");
    ids
}

fn ids_of(findings: &Findings, code: CauseFindingCode) -> BTreeSet<&str> {
    let of_code = findings.first.iter().filter(|finding| finding.code == code);
    of_code.map(|finding| finding.id.as_str()).collect()
}

/// Whether the causes of a record lead back to it.
fn is_on_cycle(records: &Plain, node: &CauseNode) -> bool {
    let mut at = records.cause(node);
    for _ in 0..records.0.len() {
        match at {
            Some(found) if found.id == node.id => return true,
            Some(found) => at = records.cause(&found),
            None => return false,
        }
    }
    false
}

proptest! {
    #![proptest_config(crate::seeded::seeded(512))]

    #[test]
    fn a_tree_has_all_effects_once_each_below_its_cause(sketches in sketches()) {
        let mut records = records(&sketches);
        for root in records.0.clone() {
            let mut findings = Findings::default();
            let Ok(found) = tree(&mut records, root.clone(), 100, &mut findings);
            assert_is_forest(&found.nodes);
            prop_assert!(!found.cut);
            prop_assert_eq!(ids(&found.nodes), below(&records, [root.id.clone()]));
            prop_assert_eq!(found.nodes[0].id.as_str(), root.id.as_str());
            let cycles = ids_of(&findings, CauseFindingCode::Cycle);
            prop_assert_eq!(cycles.contains(&*root.id), is_on_cycle(&records, &root));
            for node in &found.nodes {
                let effects = records.0.iter().filter(|own| own.causation_id.as_ref() == Some(&node.id));
                prop_assert_eq!(node.effects, Some(effects.count() as u64));
                let cause = records.cause(node);
                let is_early = cause.is_some_and(|cause| node.at < cause.at);
                let told = ids_of(&findings, CauseFindingCode::RecordedBeforeCause);
                let is_below_root = node.id != root.id || is_on_cycle(&records, &root);
                prop_assert!(!(is_early && is_below_root) || told.contains(&*node.id));
            }
            // With less room there is less of it, and that is said.
            for most in 1..found.nodes.len() {
                let Ok(part) = tree(&mut records, root.clone(), most, &mut Findings::default());
                prop_assert!(part.cut);
                assert_is_forest(&part.nodes);
                prop_assert_eq!(part.nodes.len(), most);
            }
        }
    }

    #[test]
    fn a_chain_goes_up_to_the_first_cause(sketches in sketches()) {
        let mut records = records(&sketches);
        for node in records.0.clone() {
            let mut findings = Findings::default();
            let Ok(found) = chain(&mut records, &node, &mut findings);
            let mut known = HashSet::from([node.id.clone()]);
            let mut at = node.clone();
            for cause in &found.causes {
                prop_assert_eq!(at.causation_id.as_ref(), Some(&cause.id));
                prop_assert!(known.insert(cause.id.clone()));
                at = cause.clone();
            }
            match found.end {
                CauseEnd::First => prop_assert_eq!(&at.causation_id, &None),
                CauseEnd::NotOnRecord => {
                    prop_assert!(records.cause(&at).is_none() && at.causation_id.is_some());
                    prop_assert_eq!(ids_of(&findings, CauseFindingCode::MissingCause), BTreeSet::from([&*at.id]));
                }
                CauseEnd::Cycle => {
                    prop_assert!(known.contains(at.causation_id.as_ref().unwrap()));
                    prop_assert_eq!(ids_of(&findings, CauseFindingCode::Cycle).len(), 1);
                }
                CauseEnd::Cut => prop_assert!(false, "no chain is that long"),
            }
        }
    }

    #[test]
    fn a_correlation_has_its_members_and_what_they_led_to(sketches in sketches()) {
        let mut records = records(&sketches);
        let is_member = |node: &&CauseNode| node.correlation_id.is_some();
        let members: Vec<_> = records.0.iter().filter(is_member).cloned().collect();
        let Ok(found) = correlation(&mut records, "work", &members, 100);
        assert_is_forest(&found.tree.nodes);
        prop_assert!(!found.tree.cut);
        let all = below(&records, members.iter().map(|node| node.id.clone()));
        prop_assert_eq!(ids(&found.tree.nodes), all);
        for node in &found.tree.nodes {
            prop_assert_eq!(node.outside, node.correlation_id.is_none());
            // What stands at the top has nothing of the correlation above it, unless its causes lead back to it.
            let cause = records.cause(node);
            if node.depth == 0 && !is_on_cycle(&records, node) {
                let mut above = cause.clone();
                for _ in 0..records.0.len() {
                    prop_assert!(above.as_ref().is_none_or(|node| node.correlation_id.is_none()));
                    above = above.and_then(|node| records.cause(&node));
                }
            }
            let missing = node.causation_id.is_some() && cause.is_none();
            let told = ids_of(&found.findings, CauseFindingCode::MissingCause);
            prop_assert_eq!(missing, told.contains(&*node.id));
        }
        for (name, stream) in &found.streams {
            let own = members.iter().filter(|node| node.stream == *name);
            let (events, commands): (Vec<_>, Vec<_>) = own.partition(|node| node.kind == CauseKind::Event);
            prop_assert_eq!(stream.events, events.len() as u64);
            prop_assert_eq!(stream.refused, commands.len() as u64);
            if let (Some(first), Some(last)) = (events.first(), events.last()) {
                prop_assert_eq!(stream.revision_before.0 + 1, first.revision.0);
                prop_assert_eq!(stream.revision_after, last.revision);
                let between = last.revision.0 + 1 - first.revision.0;
                prop_assert_eq!(stream.other_events, between - events.len() as u64);
            }
        }
    }
}

#[test]
fn an_effect_that_is_logged_before_its_cause_is_told_apart_from_one_that_is_earlier() {
    let sketch = |cause, at| (false, cause, false, 0, at);
    let mut records = records(&[sketch(Some(1), 5), sketch(None, 3), sketch(Some(1), 2)]);
    let (root, mut findings) = (records.0[1].clone(), Findings::default());
    let Ok(_) = tree(&mut records, root, 10, &mut findings);
    assert_eq!(
        ids_of(&findings, CauseFindingCode::LoggedBeforeCause),
        BTreeSet::from(["r0"])
    );
    assert_eq!(
        ids_of(&findings, CauseFindingCode::RecordedBeforeCause),
        BTreeSet::from(["r2"])
    );
    assert_eq!(findings.total, 2);
}
