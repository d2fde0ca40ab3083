//! Bisect: the revisions of a stream at which a predicate begins or ceases to hold.
//!
//! Owns the way from a range of revisions to what is found: one fold over all of them, or a few loads where the client says
//! that there is one flip. Never writes, but for snapshots on the way.

use std::ops::ControlFlow;

use whodunit_core::bisect::{Flip, Pick, Probe, Scan, States, UndefinedCount, search};
use whodunit_core::fold::Folded;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::model::Model;
use whodunit_core::predicate::{Before, Predicate, TooMuchWork, Truth};
use whodunit_core::weight::{StateBound, of_object};

use crate::limits::STATE_WEIGHT_MAX;
use crate::store::{StoreError, View, try_for_each_event};
use crate::time_travel::{TimeTravel, TravelError};

/// What is looked for, and where.
pub(crate) struct Bisect<'a> {
    pub(crate) travel: &'a TimeTravel,
    pub(crate) view: &'a dyn View,
    pub(crate) model: &'a Model,
    pub(crate) stream: &'a StreamName,
    pub(crate) predicate: &'a Predicate,
    /// The first revision looked at, and the last one.
    pub(crate) range: (Revision, Revision),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BisectError {
    /// A state could not be loaded.
    #[error(transparent)]
    Travel(#[from] TravelError),
    /// The predicate is too much work on a state.
    #[error("at revision {revision} {too_much}")]
    TooMuchWork {
        revision: Revision,
        too_much: TooMuchWork,
    },
}

impl From<StoreError> for BisectError {
    fn from(error: StoreError) -> Self {
        Self::Travel(error.into())
    }
}

fn too_much(revision: Revision) -> impl Fn(TooMuchWork) -> BisectError {
    move |too_much| BisectError::TooMuchWork { revision, too_much }
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) matches: Vec<Flip>,
    pub(crate) matches_total: u64,
    pub(crate) holds_at_start: bool,
    pub(crate) holds_at_end: Option<bool>,
    pub(crate) folds: u64,
    pub(crate) revisions: u64,
    pub(crate) evaluations: u64,
    pub(crate) undefined: UndefinedCount,
    /// The last state folded, where all were: for the faults on the way to it.
    pub(crate) folded: Option<Folded>,
}

impl Bisect<'_> {
    /// Looks at every revision of the range, in one fold, until nothing more would change the answer.
    pub(crate) fn scan(&self, pick: Pick, matches_max: usize) -> Result<Found, BisectError> {
        let (from, to) = self.range;
        let (mut folded, before) = self.start(from)?;
        let mut probe = Probe::new(self.model, self.predicate);
        let mut scan = Scan::new(pick, matches_max);
        let event = self.event_at(from)?;
        let first = probe.start(&folded, event.as_ref(), before.as_ref());
        let mut is_over = scan.add(from, first.map_err(too_much(from))?);
        let mut bound = StateBound::new(STATE_WEIGHT_MAX, &folded.state);
        if !is_over && from < to {
            let range = (from.next(), to);
            try_for_each_event(self.view, self.stream, range, |event| {
                let added = bound.add(event.data.as_str(), || of_object(&folded.state));
                added.map_err(|too_large| TravelError::StateTooLarge {
                    stream: self.stream.clone(),
                    revision: event.revision,
                    too_large,
                })?;
                let truth = probe.push(&mut folded, &event);
                is_over = scan.add(event.revision, truth.map_err(too_much(event.revision))?);
                Ok::<_, BisectError>(if is_over {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?;
        }
        let found = scan.finish();
        let at_end = folded.revision == to;
        Ok(Found {
            matches: found.matches,
            matches_total: found.matches_total,
            holds_at_start: found.holds_at_start == Some(true),
            holds_at_end: found.holds_at_end.filter(|_| at_end),
            folds: 1,
            revisions: found.revisions,
            evaluations: probe.evaluations(),
            undefined: found.undefined,
            folded: Some(folded),
        })
    }

    /// Halves the range until the flip is found, on the client's word that there is one at most.
    pub(crate) fn search(&self) -> Result<Found, BisectError> {
        let mut loads = Loads { of: self };
        let found = search(&mut loads, self.range)?;
        Ok(Found {
            matches: found.flip.into_iter().collect(),
            matches_total: u64::from(found.flip.is_some()),
            holds_at_start: found.holds_at_start,
            holds_at_end: Some(found.holds_at_end),
            folds: found.folds,
            revisions: found.folds,
            evaluations: found.folds,
            undefined: found.undefined,
            folded: None,
        })
    }

    /// The state at a revision, and what the predicate needs of the one before it.
    fn start(&self, at: Revision) -> Result<(Folded, Option<State>), BisectError> {
        let needed = &self.predicate.needs().before;
        if at == Revision::ZERO || *needed == Before::Nothing {
            let reached = self.travel.state(self.view, self.model, self.stream, at)?;
            return Ok((reached.folded, None));
        }
        let earlier = Revision(at.0 - 1);
        let reached = self
            .travel
            .state(self.view, self.model, self.stream, earlier)?;
        let mut folded = reached.folded;
        let before = needed.part(&folded.state);
        if let Some(event) = self.view.event_at_revision(self.stream, at)? {
            folded.push(self.model, &event);
        }
        Ok((folded, before))
    }

    fn event_at(&self, at: Revision) -> Result<Option<whodunit_core::event::Event>, BisectError> {
        if at == Revision::ZERO || !self.predicate.needs().event {
            return Ok(None);
        }
        Ok(self.view.event_at_revision(self.stream, at)?)
    }
}

/// States that are loaded one by one.
struct Loads<'a> {
    of: &'a Bisect<'a>,
}

impl States for Loads<'_> {
    type Error = BisectError;

    fn truth_at(&mut self, revision: Revision) -> Result<Truth, BisectError> {
        let (folded, before) = self.of.start(revision)?;
        let event = self.of.event_at(revision)?;
        let mut probe = Probe::new(self.of.model, self.of.predicate);
        let truth = probe.start(&folded, event.as_ref(), before.as_ref());
        truth.map_err(too_much(revision))
    }
}
