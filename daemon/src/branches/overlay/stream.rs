//! A stream that differs: its events from the first revision on that may be otherwise.

use std::sync::Arc;

use whodunit_core::command::{Decision, Outcome};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision};
use whodunit_core::time::Timestamp;

use crate::store::{Direction, StreamInfo};

/// An event of the other world.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) position: Position,
    pub(super) recorded_at: Timestamp,
    /// The running maximum of the times.
    pub(super) effective: Timestamp,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// As recorded, at this revision of the log.
    Recorded(Revision),
    /// Not on record.
    Own(Arc<Event>),
}

/// Consecutive recorded events that stand side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) recorded: Revision,
    pub(super) here: Revision,
    pub(super) count: u64,
}

#[derive(Debug)]
pub(super) struct OtherStream {
    /// The first revision that may be otherwise: those before it are as recorded.
    pub(super) first: Revision,
    pub(super) slots: Vec<Slot>,
    runs: Vec<Run>,
    /// What lists know of it; `None` where it has no event.
    pub(super) info: Option<StreamInfo>,
    /// How many events it has on record.
    pub(super) recorded: u64,
}

impl OtherStream {
    pub(super) fn new(first: Revision, slots: Vec<Slot>, recorded: u64) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for (here, slot) in (first.0..).zip(&slots) {
            let What::Recorded(revision) = slot.what else {
                continue;
            };
            match runs.last_mut() {
                Some(run)
                    if run.recorded.0 + run.count == revision.0
                        && run.here.0 + run.count == here =>
                {
                    run.count += 1;
                }
                _ => runs.push(Run {
                    recorded: revision,
                    here: Revision(here),
                    count: 1,
                }),
            }
        }
        Self {
            first,
            slots,
            runs,
            info: None,
            recorded,
        }
    }

    /// Its last event, where that is not on record.
    pub(super) fn last_own(&self) -> Option<&Event> {
        match &self.slots.last()?.what {
            What::Own(event) => Some(event),
            What::Recorded(_) => None,
        }
    }

    /// Its last revision.
    pub(super) fn head(&self) -> Revision {
        Revision(self.first.0 - 1 + self.slots.len() as u64)
    }

    pub(super) fn slot(&self, revision: Revision) -> Option<&Slot> {
        let index = revision.0.checked_sub(self.first.0)?;
        self.slots.get(usize::try_from(index).ok()?)
    }

    /// The revision here of a recorded one; `None` where it does not stand.
    pub(super) fn here(&self, recorded: Revision) -> Option<Revision> {
        if recorded < self.first {
            return Some(recorded);
        }
        let behind = self.runs.partition_point(|run| run.recorded <= recorded);
        let run = self.runs.get(behind.checked_sub(1)?)?;
        let offset = recorded.0 - run.recorded.0;
        (offset < run.count).then(|| Revision(run.here.0 + offset))
    }

    /// The revision before a recorded decision that was not reached.
    pub(super) fn base_here(&self, decision: &Decision) -> Revision {
        let base = decision.base_revision;
        let before_next = || self.here(base.next()).map(|next| Revision(next.0 - 1));
        let found = match decision.result {
            Outcome::Accepted { events, .. } if events > 0 => {
                before_next().or_else(|| self.here(base))
            }
            _ if base == Revision::ZERO => Some(Revision::ZERO),
            _ => self.here(base).or_else(before_next),
        };
        found.unwrap_or_else(|| self.head())
    }

    /// Where a recorded event stands here.
    pub(super) fn place_of_recorded(&self, event: &Event) -> Option<(Revision, Position)> {
        let revision = self.here(event.revision)?;
        let slot = self.slot(revision);
        Some((revision, slot.map_or(event.position, |slot| slot.position)))
    }

    /// The last revision whose slot passes, where those that pass come first; `first - 1` where none does.
    pub(super) fn last_where(&self, passes: impl Fn(&Slot) -> bool) -> Revision {
        let count = self.slots.partition_point(passes) as u64;
        Revision(self.first.0 - 1 + count)
    }
}

impl OtherStream {
    /// How many recorded events stand side by side with the one here, behind it or before it, at most so many.
    pub(super) fn side_by_side(&self, at: Revision, direction: Direction, most: u64) -> u64 {
        let behind = self.runs.partition_point(|run| run.here <= at);
        let run = behind.checked_sub(1).and_then(|index| self.runs.get(index));
        let Some(run) = run else { return 0 };
        let offset = at.0 - run.here.0;
        let there = match direction {
            Direction::Forward => run.count.saturating_sub(offset + 1),
            Direction::Backward => offset,
        };
        there.min(most)
    }
}
