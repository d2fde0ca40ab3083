//! Reading events.

use std::ops::ControlFlow;

use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};

use super::candidates::{candidates, passes};
use super::{RedbView, StoreResult};
use crate::store::write::{Lookup, missing};
use crate::store::{Direction, LogFilter, LogPage, ReadEvents};

impl RedbView {
    /// The event at a position that an index names.
    fn event(&self, position: u64) -> StoreResult<Event> {
        self.tables
            .event_at(Position(position))?
            .ok_or_else(|| missing(format!("the event at position {position}")))
    }
}

impl ReadEvents for RedbView {
    fn stream_events(
        &self,
        stream: &StreamName,
        from: Revision,
        direction: Direction,
        limit: usize,
    ) -> StoreResult<Vec<Event>> {
        let Some(number) = self.tables.number(stream)? else {
            return Ok(Vec::new());
        };
        let mut events = Vec::new();
        let range = match direction {
            Direction::Forward => (from.0, u64::MAX),
            Direction::Backward => (0, from.0),
        };
        if limit > 0 {
            self.for_each_position(number, range, direction, &mut |position| {
                events.push(self.event(position)?);
                Ok(if events.len() < limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })?;
        }
        Ok(events)
    }

    fn for_each_event(
        &self,
        stream: &StreamName,
        from: Revision,
        to: Revision,
        each: &mut dyn FnMut(Event) -> StoreResult<ControlFlow<()>>,
    ) -> StoreResult<()> {
        let Some(number) = self.tables.number(stream)? else {
            return Ok(());
        };
        let range = (from.0, to.0);
        self.for_each_position(number, range, Direction::Forward, &mut |position| {
            each(self.event(position)?)
        })
    }

    fn log(
        &self,
        filter: &LogFilter,
        from: Option<Position>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> StoreResult<LogPage> {
        let head = self.head.position.0;
        let range = match direction {
            Direction::Forward => (from.map_or(1, |from| from.0.max(1)), head),
            Direction::Backward => (1, from.map_or(head, |from| from.0.min(head))),
        };
        let mut page = LogPage::default();
        for position in candidates(&self.txn, filter, range, direction)? {
            self.stop.check()?;
            let position = position?;
            if page.events.len() >= limit || page.scanned >= budget {
                page.next = Some(Position(position));
                break;
            }
            page.scanned += 1;
            let event = self.event(position)?;
            if passes(filter, &event) {
                page.events.push(event);
            }
        }
        Ok(page)
    }

    fn event_at(&self, position: Position) -> StoreResult<Option<Event>> {
        if (Position(1)..=self.head.position).contains(&position) {
            self.event(position.0).map(Some)
        } else {
            Ok(None)
        }
    }

    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> StoreResult<Option<Event>> {
        self.tables.event_at_revision(stream, revision)
    }

    fn event_by_id(&self, event_id: &str) -> StoreResult<Option<Event>> {
        let position = self.tables.position_of(event_id)?;
        position.map(|position| self.event(position.0)).transpose()
    }
}
