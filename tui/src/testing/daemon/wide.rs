//! Trees of causes, comparisons and worlds, by the core's own means.

use std::convert::Infallible;

use whodunit_core::api::causes::{CauseNode, CausesOut, CorrelationOut};
use whodunit_core::api::time_travel::{DiffBlame, DiffOut, DiffSetBy};
use whodunit_core::api::world::{
    WorldChange, WorldChangeKind, WorldDiffOut, WorldItem, WorldMoment, WorldOut, WorldProgress,
};
use whodunit_core::causes::{Findings, NODES_MAX, Records, chain, tree};
use whodunit_core::diff::diff;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::predicate::{Predicate, Scope, Truth};
use whodunit_core::shown::{Redact as _, Redaction};

use super::investigate::refused;
use super::{Daemon, HEAD, now};
use crate::client::{At, DiffQuery, Sides, Subject, TraceQuery, WorldQuery};
use crate::effect::Failure;

impl Records for &Daemon {
    type Error = Infallible;

    fn command(&mut self, id: &str) -> Result<Option<CauseNode>, Infallible> {
        let found = self.decisions.iter().find(|d| d.command_id == id);
        Ok(found.map(CauseNode::of_decision))
    }

    fn event(&mut self, id: &str) -> Result<Option<CauseNode>, Infallible> {
        let found = self.events.iter().find(|event| event.event_id == id);
        Ok(found.map(CauseNode::of_event))
    }

    fn effects(&mut self, cause: &str, limit: usize) -> Result<Vec<CauseNode>, Infallible> {
        let by = |id: &Option<String>| id.as_deref() == Some(cause);
        let events = self.events.iter().filter(|event| by(&event.causation_id));
        let decisions = self.decisions.iter().filter(|d| by(&d.causation_id));
        let mut all: Vec<CauseNode> = events
            .map(CauseNode::of_event)
            .chain(decisions.map(CauseNode::of_decision))
            .collect();
        all.sort_by_key(CauseNode::place);
        all.truncate(limit);
        Ok(all)
    }
}

impl Daemon {
    fn nodes_page(
        &self,
        nodes: Vec<CauseNode>,
        query: &TraceQuery,
    ) -> (Vec<CauseNode>, Option<String>) {
        // A page is short, so that small trees make more than one.
        let limit = query.limit.map(|limit| limit.min(self.page_max / 4));
        let page = self.page(nodes, limit, query.cursor.as_deref());
        (page.items, page.next_cursor)
    }

    pub(super) fn causes(&self, id: &str, query: &TraceQuery) -> Result<CausesOut, Failure> {
        let mut log = self;
        let asked = log.event(id).unwrap().or(log.command(id).unwrap());
        let Some(asked) = asked else {
            return Err(refused(
                "no_such_event",
                format!("there is no event `{id}`"),
            ));
        };
        let mut findings = Findings::default();
        let above = chain(&mut log, &asked, &mut findings).unwrap();
        let top = match above.causes.last() {
            Some(root) if query.whole => root.clone(),
            _ => asked.clone(),
        };
        let top = CauseNode { depth: 0, ..top };
        let found = tree(&mut log, top, NODES_MAX, &mut findings).unwrap();
        let nodes = found.nodes.len() as u64;
        let (items, next_cursor) = self.nodes_page(found.nodes, query);
        Ok(CausesOut {
            id: id.to_owned(),
            kind: asked.kind,
            causes: above.causes,
            end: above.end,
            end_id: above.end_id,
            items,
            next_cursor,
            nodes,
            cut: found.cut,
            findings: findings.first,
            findings_total: findings.total,
            head: HEAD,
            warnings: Vec::new(),
        })
    }

    pub(super) fn correlation(
        &self,
        id: &str,
        query: &TraceQuery,
    ) -> Result<CorrelationOut, Failure> {
        let of = |own: &Option<String>| own.as_deref() == Some(id);
        let events = self.events.iter().filter(|event| of(&event.correlation_id));
        let decisions = self.decisions.iter().filter(|d| of(&d.correlation_id));
        let mut nodes: Vec<CauseNode> = events
            .map(CauseNode::of_event)
            .chain(decisions.map(CauseNode::of_decision))
            .collect();
        nodes.sort_by_key(CauseNode::place);
        let total = nodes.len() as u64;
        let Some(first_at) = nodes.first().map(|node| node.at) else {
            return Err(refused(
                "no_such_correlation",
                format!("nothing has `{id}`"),
            ));
        };
        let streams: std::collections::BTreeSet<StreamName> =
            nodes.iter().map(|node| node.stream.clone()).collect();
        let (items, next_cursor) = self.nodes_page(nodes, query);
        Ok(CorrelationOut {
            correlation_id: id.to_owned(),
            items,
            next_cursor,
            nodes: total,
            events: total,
            commands: 0,
            refused: 0,
            outside: 0,
            first_at,
            last_at: first_at,
            streams: Vec::new(),
            streams_total: streams.len() as u64,
            cut: false,
            findings: Vec::new(),
            findings_total: 0,
            head: HEAD,
            warnings: Vec::new(),
        })
    }

    pub(super) fn recorded(&self, node: &CauseNode) -> Option<Subject> {
        let event = self.events.iter().find(|event| event.event_id == node.id);
        if let Some(event) = event {
            let mut event = event.clone();
            event.redact(&Redaction::new(self.rules(event.stream.category())));
            return Some(Subject::Event(Box::new(event)));
        }
        let decision = self.decisions.iter().find(|d| d.command_id == node.id)?;
        Some(Subject::Decision(Box::new(decision.clone())))
    }

    fn event_at(&self, stream: &StreamName, revision: Revision) -> Option<Event> {
        let mut events = self.history(stream).into_iter();
        let mut event = events.find(|event| event.revision == revision)?.clone();
        event.redact(&Redaction::new(self.rules(stream.category())));
        Some(event)
    }

    pub(super) fn sides(
        &self,
        from: &(StreamName, At),
        to: &(StreamName, At),
    ) -> Result<Sides, Failure> {
        let side = |(stream, at): &(StreamName, At)| {
            let state = self.state(stream, *at)?;
            let event = self.event_at(stream, state.revision);
            Ok((state, event))
        };
        Ok(Sides {
            from: side(from)?,
            to: side(to)?,
        })
    }

    pub(super) fn compare(
        &self,
        stream: &StreamName,
        asked: &DiffQuery,
    ) -> Result<DiffOut, Failure> {
        let other = asked.to_stream.as_ref().unwrap_or(stream);
        let (from, to) = (
            self.state(stream, asked.from)?,
            self.state(other, asked.to)?,
        );
        let differences = diff(&from.state, &to.state);
        let set_by = |of: &StreamName, at: At, path: &str| {
            let blame = self.blame(of, at).ok()?;
            let field = blame.fields.into_iter().find(|field| field.path == path)?;
            Some(DiffSetBy {
                revision: field.revision,
                event: field.event,
            })
        };
        let blame = differences.iter().map(|entry| DiffBlame {
            path: entry.path.clone(),
            before: set_by(stream, asked.from, &entry.path),
            after: set_by(other, asked.to, &entry.path),
        });
        Ok(DiffOut {
            stream: stream.clone(),
            from: from.revision,
            to: to.revision,
            to_stream: asked.to_stream.clone(),
            to_branch: None,
            path: None,
            blame: Some(blame.collect()),
            diff: differences,
            redacted: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// The streams of a category, in pages, with how far that is.
    fn world_page(&self, query: &WorldQuery) -> (Vec<StreamName>, Option<String>, WorldProgress) {
        let names = self.names().into_iter();
        let of = |name: &StreamName| {
            query
                .category
                .as_deref()
                .is_none_or(|category| name.category() == category)
        };
        let names: Vec<StreamName> = names.filter(of).collect();
        let total = names.len();
        let from: usize = query
            .cursor
            .as_deref()
            .map_or(0, |cursor| cursor.parse().unwrap());
        let page = self.page(names, query.limit, query.cursor.as_deref());
        let progress = WorldProgress {
            streams_total: total as u64,
            looked_at: (from + page.items.len()) as u64,
            not_yet: 0,
            undefined: None,
            failed: Vec::new(),
            failed_total: 0,
        };
        (page.items, page.next_cursor, progress)
    }

    fn holds(&self, query: &WorldQuery, item: &WorldItem) -> bool {
        let Some(condition) = &query.condition else {
            return true;
        };
        let predicate = Predicate::parse(condition).unwrap();
        let rules = self.rules(item.stream.category());
        let truth = predicate.evaluate(&Scope::new(rules, &item.state));
        matches!(truth, Ok(Truth::True))
    }

    fn item(&self, stream: StreamName, at: At) -> Option<WorldItem> {
        let state = self.state(&stream, at).unwrap();
        Some(WorldItem {
            position: state.position?,
            recorded_at: state.recorded_at?,
            stream,
            revision: state.revision,
            state: state.state,
            redacted: state.redacted,
            head_revision: state.head_revision,
            warnings: Vec::new(),
        })
    }

    pub(super) fn world(&self, query: &WorldQuery) -> WorldOut {
        let (names, next_cursor, mut progress) = self.world_page(query);
        let at = query.as_of.map_or(At::Head, At::AsOf);
        let looked_at = names.len();
        let there: Vec<WorldItem> = names.into_iter().filter_map(|n| self.item(n, at)).collect();
        progress.not_yet = (looked_at - there.len()) as u64;
        let items = there.into_iter().filter(|item| self.holds(query, item));
        WorldOut {
            category: query.category.clone(),
            as_of: query.as_of,
            at_position: Position(HEAD),
            predicate: query.condition.clone(),
            items: items.collect(),
            next_cursor,
            progress,
            warnings: Vec::new(),
        }
    }

    pub(super) fn world_diff(&self, query: &WorldQuery) -> WorldDiffOut {
        let (names, next_cursor, progress) = self.world_page(query);
        let time =
            |text: &Option<String>| text.as_ref().map_or(now(), |text| text.parse().unwrap());
        let (from, to) = (time(&query.from), time(&query.to));
        let change = |name: StreamName| {
            let before = self.item(name.clone(), At::AsOf(from));
            let after = self.item(name.clone(), At::AsOf(to));
            let kind = match (&before, &after) {
                (None, None) => return None,
                (None, Some(_)) => WorldChangeKind::Appeared,
                (Some(_), None) => WorldChangeKind::Disappeared,
                (Some(_), Some(_)) => WorldChangeKind::Changed,
            };
            let state = |item: &Option<WorldItem>| {
                item.as_ref()
                    .map(|item| item.state.clone())
                    .unwrap_or_default()
            };
            let differences = diff(&state(&before), &state(&after));
            let revision = |item: &Option<WorldItem>| {
                item.as_ref().map_or(Revision::ZERO, |item| item.revision)
            };
            let admitted = [&before, &after]
                .into_iter()
                .flatten()
                .any(|item| self.holds(query, item));
            (admitted && !differences.is_empty()).then(|| WorldChange {
                stream: name,
                change: kind,
                from: revision(&before),
                to: revision(&after),
                holds_from: None,
                holds_to: None,
                diff: differences,
                redacted: Vec::new(),
                warnings: Vec::new(),
            })
        };
        let moment = |at| WorldMoment {
            as_of: Some(at),
            at_position: Position(HEAD),
        };
        WorldDiffOut {
            category: query.category.clone(),
            from: moment(from),
            to: moment(to),
            predicate: query.condition.clone(),
            items: names.into_iter().filter_map(change).collect(),
            next_cursor,
            same_state: 0,
            progress,
            warnings: Vec::new(),
        }
    }
}
