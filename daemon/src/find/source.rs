//! Where events are read from: the log, or a few streams one beside the other, in the order of positions.

use std::collections::VecDeque;

use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};

use super::plan::Plan;
use super::{Stretch, position};
use crate::store::{Direction, LogFilter, LogPage, StoreError, View};

/// Events of a stream that are read at a time, of few streams and of many.
const AHEAD: usize = 32;
const AHEAD_OF_MANY: usize = 4;
/// Streams that are few.
const FEW: usize = 32;

/// Events of a plan, from a position on.
pub(super) struct Source<'a> {
    view: &'a dyn View,
    direction: Direction,
    kind: Kind,
}

enum Kind {
    Log {
        filter: Box<LogFilter>,
        next: Option<Position>,
    },
    Streams(Vec<Lane>),
}

/// A stream, and where it goes on.
struct Lane {
    stream: StreamName,
    ready: VecDeque<Event>,
    next: Option<Revision>,
    /// How many of its events are read at a time.
    ahead: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        view: &'a dyn View,
        plan: Plan,
        stretch: &Stretch,
    ) -> Result<Self, StoreError> {
        let direction = stretch.direction;
        let kind = match plan {
            Plan::Log(filter) => {
                let last = (direction == Direction::Backward).then_some(stretch.last);
                let next = position(stretch.from.or(last));
                Kind::Log { filter, next }
            }
            Plan::Streams(streams) => {
                let mut lanes = Vec::with_capacity(streams.len());
                let ahead = if streams.len() > FEW {
                    AHEAD_OF_MANY
                } else {
                    AHEAD
                };
                for stream in streams {
                    let next = start(view, &stream, stretch)?;
                    lanes.push(Lane {
                        stream,
                        ready: VecDeque::new(),
                        next,
                        ahead,
                    });
                }
                Kind::Streams(lanes)
            }
        };
        Ok(Self {
            view,
            direction,
            kind,
        })
    }

    /// The next events, at most so many, looking at no more than `budget`.
    pub(super) fn read(&mut self, limit: usize, budget: u64) -> Result<LogPage, StoreError> {
        let (view, direction) = (self.view, self.direction);
        match &mut self.kind {
            Kind::Log { filter, next } => {
                let page = view.log(filter, *next, direction, limit, budget)?;
                *next = page.next;
                Ok(page)
            }
            Kind::Streams(lanes) => {
                let limit = limit.min(usize::try_from(budget).unwrap_or(usize::MAX));
                let mut page = LogPage::default();
                loop {
                    view.stop().check()?;
                    let mut first: Option<(Position, usize)> = None;
                    for (index, lane) in lanes.iter_mut().enumerate() {
                        let Some(own) = lane.peek(view, direction)? else {
                            continue;
                        };
                        let is_first = first.is_none_or(|(first, _)| match direction {
                            Direction::Forward => own < first,
                            Direction::Backward => own > first,
                        });
                        if is_first {
                            first = Some((own, index));
                        }
                    }
                    let Some((position, index)) = first else {
                        // Even nothing was looked at.
                        page.scanned = page.scanned.max(1);
                        return Ok(page);
                    };
                    // In a branch several may have the same position: they are of one page.
                    let last = page.events.last().map(|event| event.position);
                    if page.events.len() >= limit && last != Some(position) {
                        page.next = Some(position);
                        return Ok(page);
                    }
                    page.scanned += 1;
                    page.events
                        .extend(lanes.get_mut(index).and_then(|lane| lane.ready.pop_front()));
                }
            }
        }
    }
}

/// The first revision of a stream that a stretch is about.
fn start(
    view: &dyn View,
    stream: &StreamName,
    stretch: &Stretch,
) -> Result<Option<Revision>, StoreError> {
    let (from, before_first) = match stretch.direction {
        Direction::Backward => (stretch.from.unwrap_or(stretch.last), 0),
        Direction::Forward => (stretch.from.unwrap_or(1).saturating_sub(1), 1),
    };
    let found = view.revision_at(stream, Position(from.min(stretch.last)))?;
    let revision = found.map(|revision| Revision(revision.0 + before_first));
    Ok(revision.filter(|revision| revision.0 > 0))
}

impl Lane {
    /// The position of its next event.
    fn peek(
        &mut self,
        view: &dyn View,
        direction: Direction,
    ) -> Result<Option<Position>, StoreError> {
        if self.ready.is_empty()
            && let Some(from) = self.next
        {
            let events = view.stream_events(&self.stream, from, direction, self.ahead)?;
            let last = events.last().map(|event| event.revision);
            self.next = last.and_then(|last| match direction {
                Direction::Forward => Some(last.next()),
                Direction::Backward => last.0.checked_sub(1).filter(|n| *n > 0).map(Revision),
            });
            self.ready = events.into();
        }
        Ok(self.ready.front().map(|event| event.position))
    }
}
