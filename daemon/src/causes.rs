//! Causes in a store: its records by ids and by what they name, as they were at one moment of the log.
//!
//! Owns the moment: what was logged after it is not there, so that pages of one answer fit together. Payloads are read and
//! dropped record by record. Blocks; never writes.

use whodunit_core::api::causes::CauseNode;
use whodunit_core::causes::{NODES_MAX, Records};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::Position;

use crate::limits::SCAN_ENTRIES_MAX;
use crate::store::{DecisionFilter, Direction, Head, LogFilter, StoreError, View};

/// Records that are read at a time: each may be as large as an event may be.
const CHUNK: usize = 64;

/// The log up to a moment.
pub(crate) struct LogUntil<'a> {
    pub(crate) view: &'a dyn View,
    pub(crate) head: Head,
}

impl LogUntil<'_> {
    fn event_node(&self, event: &Event) -> Option<CauseNode> {
        (event.position <= self.head.position).then(|| CauseNode::of_event(event))
    }

    fn command_node(&self, decision: &Decision) -> Option<CauseNode> {
        (decision.sequence <= self.head.decision).then(|| CauseNode::of_decision(decision))
    }

    /// Events and decisions that carry a correlation id, in the order of their places, and whether there are more of them than are
    /// looked at.
    pub(crate) fn members(&self, id: &str) -> Result<(Vec<CauseNode>, bool), StoreError> {
        let filter = LogFilter {
            correlation_id: Some(id.to_owned()),
            ..LogFilter::default()
        };
        let mut members = Vec::new();
        let mut next = Some(Position(1));
        while let Some(from) = next.filter(|from| *from <= self.head.position)
            && members.len() <= NODES_MAX
        {
            let page = (Direction::Forward, CHUNK, SCAN_ENTRIES_MAX);
            let page = self.view.log(&filter, Some(from), page.0, page.1, page.2)?;
            members.extend(
                page.events
                    .iter()
                    .filter_map(|event| self.event_node(event)),
            );
            next = page.next;
        }
        let filter = DecisionFilter {
            correlation_id: Some(id.to_owned()),
            ..DecisionFilter::default()
        };
        let events = members.len();
        let mut next = Some(1);
        while let Some(from) = next.filter(|from| *from <= self.head.decision)
            && members.len() - events <= NODES_MAX
        {
            let page = self
                .view
                .decisions(&filter, Some(from), Direction::Forward, CHUNK)?;
            members.extend(
                page.decisions
                    .iter()
                    .filter_map(|found| self.command_node(found)),
            );
            next = page.next;
        }
        members.sort_by_key(CauseNode::place);
        let cut = members.len() > NODES_MAX;
        members.truncate(NODES_MAX);
        Ok((members, cut))
    }
}

impl Records for LogUntil<'_> {
    type Error = StoreError;

    fn command(&mut self, id: &str) -> Result<Option<CauseNode>, StoreError> {
        let decision = self.view.decision_by_command(id)?;
        Ok(decision.and_then(|decision| self.command_node(&decision)))
    }

    fn places_are_shared(&self) -> bool {
        self.view.places_are_shared()
    }

    fn event(&mut self, id: &str) -> Result<Option<CauseNode>, StoreError> {
        let event = self.view.event_by_id(id)?;
        Ok(event.and_then(|event| self.event_node(&event)))
    }

    fn effects(&mut self, cause: &str, limit: usize) -> Result<Vec<CauseNode>, StoreError> {
        self.view.stop().check()?;
        let mut effects: Vec<CauseNode> = Vec::new();
        let mut from = Position(1);
        while effects.len() < limit {
            let wanted = CHUNK.min(limit - effects.len());
            let events = self.view.caused_events(cause, from, wanted)?;
            effects.extend(events.iter().filter_map(|event| self.event_node(event)));
            match events.last().filter(|_| events.len() >= wanted) {
                Some(last) if last.position <= self.head.position => from = last.position.next(),
                _ => break,
            }
        }
        let (events, mut from) = (effects.len(), 1);
        while effects.len() - events < limit {
            let wanted = CHUNK.min(limit - (effects.len() - events));
            let decisions = self.view.caused_decisions(cause, from, wanted)?;
            effects.extend(
                decisions
                    .iter()
                    .filter_map(|found| self.command_node(found)),
            );
            match decisions.last().filter(|_| decisions.len() >= wanted) {
                Some(last) if last.sequence <= self.head.decision => from = last.sequence + 1,
                _ => break,
            }
        }
        effects.sort_by_key(CauseNode::place);
        effects.truncate(limit);
        Ok(effects)
    }
}
