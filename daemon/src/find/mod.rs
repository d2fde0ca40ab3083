//! Find: what a query line matches, from the newest or the oldest on, page by page.
//!
//! Owns the way from a line to records: what of it an index answers (`plan`), reading what is left and asking the line of each
//! (`around` for what lies beyond a record), and the bounds of a page. A page says how far it has looked and goes on from
//! there. A line sees what may be shown, and nothing else. Never writes, but for snapshots on the way to states.
//!
//! Everything here blocks; call it where blocking is allowed.

mod around;
mod differs;
mod features;
#[cfg(test)]
mod field_tests;
mod fields;
mod names;
mod plan;
mod source;
mod summary;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use whodunit_core::api::find::{IndexUse, UndecidedOut};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;
use whodunit_core::ids::Position;
use whodunit_core::model::Models;
use whodunit_core::query::{Answer, Query, Subject, Undecided};
use whodunit_core::shown::{Reveal, Shown};

pub(crate) use self::names::unknown_names;

use self::around::Around;
use self::source::Source;
use crate::limits::PAGE_BYTES_MAX;
use crate::projections::Projections;
use crate::reading::weight;
use crate::store::{Direction, StoreError, View};
use crate::time_travel::TimeTravel;

/// Records that are read before the bounds are looked at again.
const CHUNK: usize = 64;
/// Of these, where nothing but fields is asked for: then each one read is one found, and each may be large.
const CHUNK_FOUND: usize = 16;

/// A query line over a log.
#[derive(Clone)]
pub(crate) struct Find {
    pub(crate) query: Arc<Query>,
    pub(crate) models: Arc<Models>,
    pub(crate) travel: Arc<TimeTravel>,
    pub(crate) reveal: Reveal,
    /// Whose index of field values is used; `None` for none.
    pub(crate) projections: Option<Arc<Projections>>,
}

/// How much is looked at, and from where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// The first position, or the first sequence of decisions; `None` for the end that the direction starts at.
    pub(crate) from: Option<u64>,
    /// The last position or sequence there is, as far as this search is concerned.
    pub(crate) last: u64,
    pub(crate) direction: Direction,
    /// Most records found.
    pub(crate) limit: usize,
    /// Most records looked at.
    pub(crate) budget: u64,
    /// Most time; at least one chunk is looked at.
    pub(crate) time: Duration,
}

/// What was found in a stretch of the log.
#[derive(Debug)]
pub(crate) struct Found<T> {
    pub(crate) items: Vec<Shown<T>>,
    /// The first position or sequence that was not looked at; `None` at the end.
    pub(crate) next: Option<u64>,
    /// How many were looked at.
    pub(crate) scanned: u64,
    pub(crate) undecided: Option<UndecidedOut>,
    /// Which indexes were used; `None` for decisions.
    pub(crate) index: Option<IndexUse>,
}

/// How a stretch stands.
struct Run<T> {
    stretch: Stretch,
    begun: Instant,
    bytes: usize,
    found: Found<T>,
}

impl<T> Run<T> {
    fn new(stretch: Stretch) -> Self {
        let found = Found {
            items: Vec::new(),
            next: None,
            scanned: 0,
            undecided: None,
            index: None,
        };
        Self {
            stretch,
            begun: Instant::now(),
            bytes: 0,
            found,
        }
    }

    fn is_full(&self) -> bool {
        self.found.items.len() >= self.stretch.limit
    }

    fn is_over(&self) -> bool {
        self.is_full()
            || self.bytes >= PAGE_BYTES_MAX
            || self.found.scanned >= self.stretch.budget
            || self.begun.elapsed() >= self.stretch.time
    }

    /// What comes beside a position or sequence, in the direction of the search.
    fn beside(&self, number: u64) -> Option<u64> {
        match self.stretch.direction {
            Direction::Forward => Some(number + 1).filter(|next| *next <= self.stretch.last),
            Direction::Backward => number.checked_sub(1).filter(|next| *next > 0),
        }
    }

    fn note(&mut self, query: &Query, why: Undecided, number: u64) {
        let undecided = self.found.undecided.get_or_insert_with(|| UndecidedOut {
            first: number,
            reason: query.describe(why),
            ..UndecidedOut::default()
        });
        if why.is_a_bound() {
            undecided.unknown += 1;
        } else {
            undecided.undefined += 1;
        }
    }
}

impl Find {
    /// Whether states or other events must be looked at: that is heavy work.
    pub(crate) fn is_heavy(&self) -> bool {
        self.query.needs_context()
    }

    /// Events that match.
    pub(crate) fn events(
        &self,
        view: &dyn View,
        stretch: Stretch,
    ) -> Result<Found<Event>, StoreError> {
        let mut run = Run::new(stretch);
        let projections = self.projections.as_deref();
        let (plan, index) = plan::of_query(view, &self.query, projections)?;
        run.found.index = Some(index);
        let mut source = Source::new(view, plan, &stretch)?;
        let mut around = Around::new(self, view);
        let each_is_found = !self.query.asks_for_more_than_fields();
        loop {
            let wanted = if each_is_found {
                CHUNK_FOUND.min(stretch.limit - run.found.items.len())
            } else {
                CHUNK
            };
            let part = source.read(wanted, stretch.budget - run.found.scanned)?;
            run.found.scanned += part.scanned;
            run.found.next = part.next.map(|next| next.0);
            let beyond = |event: &Event| event.position.0 > stretch.last;
            if stretch.direction == Direction::Forward && part.events.last().is_some_and(beyond) {
                run.found.next = None;
            }
            let events = part.events.into_iter().filter(|event| !beyond(event));
            self.take_events(events.collect(), &mut run, &mut around)?;
            if run.found.next.is_some_and(|next| next > stretch.last) {
                run.found.next = None;
            }
            if run.is_over() || run.found.next.is_none() || part.scanned == 0 {
                return Ok(run.found);
            }
        }
    }

    /// Asks the line of events, and keeps those that match until there is no room for more.
    fn take_events(
        &self,
        events: Vec<Event>,
        run: &mut Run<Event>,
        around: &mut Around<'_>,
    ) -> Result<(), StoreError> {
        let mut rest = Vec::with_capacity(events.len());
        for event in events {
            let weight = weight(&event);
            let event = self.reveal.show(&self.models, event);
            let model = self.models.for_stream(&event.stream);
            match self.query.glance(Subject::Event(&event), model) {
                Some(Answer::No) => {}
                glance => rest.push((event, weight, glance)),
            }
        }
        around.look_ahead(rest.iter().filter_map(|(event, _, glance)| {
            let event: &Event = event;
            glance.is_none().then_some(event)
        }))?;
        let mut rest = rest.into_iter().peekable();
        while let Some((event, weight, glance)) = rest.next() {
            let number = event.position.0;
            let answer = match glance {
                Some(answer) => answer,
                None => {
                    around.check()?;
                    self.query.answer(Subject::Event(&event), around)?
                }
            };
            match answer {
                Answer::Yes => {
                    run.bytes += weight;
                    run.found.items.push(event);
                    // In a branch several may have the same position: they are of one page.
                    let ends = |(next, ..): &(Shown<Event>, _, _)| next.position.0 != number;
                    if run.is_full() && rest.peek().is_some_and(ends) {
                        // The rest of these were not asked for; the next page begins right here.
                        run.found.next = run.beside(number);
                        return Ok(());
                    }
                }
                Answer::No => {}
                Answer::Undecided(why) => run.note(&self.query, why, number),
            }
        }
        Ok(())
    }

    /// Decisions that match.
    pub(crate) fn decisions(
        &self,
        view: &dyn View,
        stretch: Stretch,
    ) -> Result<Found<Decision>, StoreError> {
        let mut run = Run::new(stretch);
        let filter = plan::of_decisions(&self.query);
        let mut around = Around::new(self, view);
        run.found.next = stretch.from;
        loop {
            let part = view.decisions(&filter, run.found.next, stretch.direction, CHUNK_FOUND)?;
            run.found.next = part.next.filter(|next| *next <= stretch.last);
            for decision in part.decisions {
                let number = decision.sequence;
                if number > stretch.last {
                    run.found.next = None;
                    break;
                }
                around.check()?;
                run.found.scanned += 1;
                let weight = decision.payload.as_str().len();
                let decision = self.reveal.show(&self.models, decision);
                let subject = Subject::Decision(&decision);
                match self.query.answer(subject, &mut around)? {
                    Answer::Yes => {
                        run.bytes += weight;
                        run.found.items.push(decision);
                        if run.is_full() {
                            run.found.next = run.beside(number);
                            return Ok(run.found);
                        }
                    }
                    Answer::No => {}
                    Answer::Undecided(why) => run.note(&self.query, why, number),
                }
            }
            if run.is_over() || run.found.next.is_none() {
                return Ok(run.found);
            }
        }
    }

    /// What the line says of one event or decision, as it may be shown.
    pub(crate) fn answer(&self, view: &dyn View, of: Subject<'_>) -> Result<Answer, StoreError> {
        self.query.answer(of, &mut Around::new(self, view))
    }
}

/// The last position or sequence that a search is about, in a view.
pub(crate) fn last(view: &dyn View, of_decisions: bool) -> u64 {
    let head = view.head();
    if of_decisions {
        head.decision
    } else {
        head.position.0
    }
}

fn position(number: Option<u64>) -> Option<Position> {
    number.map(Position)
}
