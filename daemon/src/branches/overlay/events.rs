//! Events of a branch: those of the log that stand, and those that are not on record, as one.

use std::ops::ControlFlow;

use whodunit_core::event::{Event, EventView};
use whodunit_core::ids::{Position, Revision, StreamName};

use super::BranchView;
use super::stream::{OtherStream, Slot, What};
use crate::store::redb::passes;
use crate::store::{
    Direction, EachView, LogFilter, LogPage, ReadEvents, Stoppable as _, StoreError,
};

impl ReadEvents for BranchView {
    fn log(
        &self,
        filter: &LogFilter,
        from: Option<Position>,
        direction: Direction,
        limit: usize,
        budget: u64,
    ) -> Result<LogPage, StoreError> {
        let page = self.base.log(filter, from, direction, limit, budget)?;
        let mut merged: Vec<Event> = page
            .events
            .into_iter()
            .filter_map(|event| self.standing(event))
            .collect();
        let is_forward = direction == Direction::Forward;
        let is_between = |at: Position| match direction {
            // What comes before the log's first event has position 0.
            Direction::Forward => {
                from.is_none_or(|from| at >= from || from.0 <= 1)
                    && page.next.is_none_or(|next| at < next)
            }
            Direction::Backward => {
                from.is_none_or(|from| at <= from) && page.next.is_none_or(|next| at > next)
            }
        };
        let own = self.overlay.own.iter();
        let own = own.filter(|event| is_between(event.position) && passes(filter, event));
        merged.extend(own.map(|event| Event::clone(event)));
        // Where several have the same position, the recorded one comes first: the order is kept.
        merged.sort_by_key(|event| event.position);
        if !is_forward {
            merged.reverse();
        }
        let mut next = page.next;
        if let Some(cut) = cut(&merged, limit) {
            next = merged.get(cut).map(|event| event.position);
            merged.truncate(cut);
        }
        Ok(LogPage {
            events: merged,
            next,
            scanned: page.scanned,
        })
    }

    fn walk_stream(
        &self,
        stream: &StreamName,
        (low, high): (Revision, Revision),
        direction: Direction,
        each: EachView<'_>,
    ) -> Result<(), StoreError> {
        let Some(other) = self.other(stream) else {
            return self.base.walk_stream(stream, (low, high), direction, each);
        };
        let (low, high) = (low.max(Revision(1)), high.min(other.head()));
        let as_recorded = (low, high.min(Revision(other.first.0 - 1)));
        let otherwise = (low.max(other.first), high);
        let parts = match direction {
            Direction::Forward => [Part::Recorded(as_recorded), Part::Other(otherwise)],
            Direction::Backward => [Part::Other(otherwise), Part::Recorded(as_recorded)],
        };
        let mut is_over = false;
        for part in parts {
            let mut each = |event: &EventView<'_>| {
                let flow = each(event)?;
                is_over |= flow.is_break();
                Ok(flow)
            };
            match part {
                Part::Recorded(range) if range.0 <= range.1 => {
                    self.base.walk_stream(stream, range, direction, &mut each)?;
                }
                Part::Other(range) if range.0 <= range.1 => {
                    self.walk_slots(stream, other, range, direction, &mut each)?;
                }
                Part::Recorded(_) | Part::Other(_) => {}
            }
            if is_over {
                break;
            }
        }
        Ok(())
    }

    fn walk_log(&self, from: Position, each: EachView<'_>) -> Result<(), StoreError> {
        let all = &self.overlay.own;
        let skipped = match from.0 {
            0 | 1 => 0,
            _ => all.partition_point(|event| event.position < from),
        };
        let mut own = all.iter().skip(skipped).peekable();
        let mut is_over = false;
        self.base.walk_log(from, &mut |event| {
            while let Some(before) = own.next_if(|own| own.position < event.position) {
                if each(&EventView::from(&**before))?.is_break() {
                    is_over = true;
                    return Ok(ControlFlow::Break(()));
                }
            }
            let flow = match self.other(event.stream) {
                None => each(event)?,
                Some(other) => match other.here(event.revision) {
                    None => ControlFlow::Continue(()),
                    Some(revision) => each(&EventView {
                        revision,
                        ..event.clone()
                    })?,
                },
            };
            is_over = flow.is_break();
            Ok(flow)
        })?;
        if is_over {
            return Ok(());
        }
        for event in own {
            self.base_stop()?;
            if each(&EventView::from(&**event))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn event_at(&self, position: Position) -> Result<Option<Event>, StoreError> {
        let recorded = self.base.event_at(position)?;
        if let Some(event) = recorded.and_then(|event| self.standing(event)) {
            return Ok(Some(event));
        }
        let own = self.overlay.own.iter();
        let own = own.rev().find(|event| event.position == position);
        Ok(own.map(|event| Event::clone(event)))
    }

    fn event_at_revision(
        &self,
        stream: &StreamName,
        revision: Revision,
    ) -> Result<Option<Event>, StoreError> {
        match self.other(stream) {
            Some(other) if revision >= other.first => match other.slot(revision) {
                Some(slot) => self.event_of(stream, revision, slot).map(Some),
                None => Ok(None),
            },
            _ => self.base.event_at_revision(stream, revision),
        }
    }

    fn event_by_id(&self, event_id: &str) -> Result<Option<Event>, StoreError> {
        if let Some(own) = self.overlay.own_by_id.get(event_id) {
            let event = self.overlay.own.get(*own);
            return Ok(event.map(|event| Event::clone(event)));
        }
        let recorded = self.base.event_by_id(event_id)?;
        Ok(recorded.and_then(|event| self.standing(event)))
    }

    fn caused_events(
        &self,
        cause: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let own = self.overlay.own_by_cause.get(cause).into_iter().flatten();
        let own = own.filter_map(|index| self.overlay.own.get(*index));
        let mut found: Vec<Event> = own
            .filter(|event| event.position >= from || from.0 <= 1)
            .map(|event| Event::clone(event))
            .collect();
        let (own, mut next) = (found.len(), Some(from));
        while let Some(from) = next
            && found.len() - own < limit
        {
            let events = self.base.caused_events(cause, from, limit)?;
            let last = events.last().filter(|_| events.len() >= limit);
            next = last.map(|event| event.position.next());
            found.extend(events.into_iter().filter_map(|event| self.standing(event)));
        }
        let recorded = found.split_off(own);
        let mut merged: Vec<Event> = recorded.into_iter().chain(found).collect();
        merged.sort_by_key(|event| event.position);
        if let Some(cut) = cut(&merged, limit) {
            merged.truncate(cut);
        }
        Ok(merged)
    }
}

enum Part {
    Recorded((Revision, Revision)),
    Other((Revision, Revision)),
}

/// Where a page ends that has more than it may: never between events of the same position.
fn cut(events: &[Event], limit: usize) -> Option<usize> {
    let position = |index: usize| events.get(index).map(|event| event.position);
    (limit.max(1)..events.len()).find(|index| position(*index) != position(index - 1))
}

impl BranchView {
    fn base_stop(&self) -> Result<(), StoreError> {
        Ok(self.stop().check()?)
    }

    fn event_of(
        &self,
        stream: &StreamName,
        revision: Revision,
        slot: &Slot,
    ) -> Result<Event, StoreError> {
        let recorded = match &slot.what {
            What::Own(event) => return Ok(Event::clone(event)),
            What::Recorded(recorded) => *recorded,
        };
        let event = self.base.event_at_revision(stream, recorded)?;
        let event = event.ok_or_else(|| StoreError::Damaged {
            place: format!("stream `{stream}`"),
            detail: format!("revision {recorded} is not there"),
        })?;
        Ok(Event {
            revision,
            position: slot.position,
            ..event
        })
    }

    fn walk_slots(
        &self,
        stream: &StreamName,
        other: &OtherStream,
        (low, high): (Revision, Revision),
        direction: Direction,
        each: EachView<'_>,
    ) -> Result<(), StoreError> {
        let mut at = match direction {
            Direction::Forward => low,
            Direction::Backward => high,
        };
        while at >= low && at <= high {
            self.base_stop()?;
            let Some(slot) = other.slot(at) else {
                return Ok(());
            };
            let passed = match &slot.what {
                What::Own(event) => {
                    if each(&EventView::from(&**event))?.is_break() {
                        return Ok(());
                    }
                    1
                }
                What::Recorded(recorded) => {
                    let room = match direction {
                        Direction::Forward => high.0 - at.0,
                        Direction::Backward => at.0 - low.0,
                    };
                    let run = other.side_by_side(at, direction, room);
                    let range = match direction {
                        Direction::Forward => (*recorded, Revision(recorded.0 + run)),
                        Direction::Backward => (Revision(recorded.0 - run), *recorded),
                    };
                    let (at, recorded) = (at.0, recorded.0);
                    let mut is_over = false;
                    self.base
                        .walk_stream(stream, range, direction, &mut |event| {
                            let revision = Revision(event.revision.0 + at - recorded);
                            let slot = other.slot(revision);
                            let flow = each(&EventView {
                                revision,
                                position: slot.map_or(event.position, |slot| slot.position),
                                ..event.clone()
                            })?;
                            is_over = flow.is_break();
                            Ok(flow)
                        })?;
                    if is_over {
                        return Ok(());
                    }
                    run + 1
                }
            };
            at = match direction {
                Direction::Forward => Revision(at.0 + passed),
                Direction::Backward => Revision(at.0.saturating_sub(passed)),
            };
        }
        Ok(())
    }
}
