//! Bisect: the revisions of a stream at which a predicate begins or ceases to hold.
//!
//! Owns the way from a range of revisions to what is found: one fold over all of them, or a few loads where the client says
//! that there is one flip. Never writes, but for snapshots on the way.

use std::ops::ControlFlow;

use whodunit_core::bisect::{Flip, Pick, Probe, Probed, Scan, States, UndefinedCount, search};
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
    /// The first revision to check, and the last one.
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

/// A look at all revisions that is under way.
pub(crate) struct Scanning {
    folded: Folded,
    scan: Scan,
    probed: Probed,
    bound: StateBound,
    is_over: bool,
}

impl Scanning {
    /// Whether all that had to be looked at was.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// The revision that it has come to.
    pub(crate) fn revision(&self) -> Revision {
        self.folded.revision
    }
}

impl Bisect<'_> {
    /// Looks at every revision of the range, in one fold, until nothing more would change the answer.
    pub(crate) fn scan(&self, pick: Pick, matches_max: usize) -> Result<Found, BisectError> {
        let mut under_way = self.begin(pick, matches_max)?;
        self.go_on(&mut under_way, &mut || false)?;
        Ok(self.found(under_way))
    }

    /// Looks at the first revision of the range.
    pub(crate) fn begin(&self, pick: Pick, matches_max: usize) -> Result<Scanning, BisectError> {
        let (from, to) = self.range;
        let (folded, before) = self.start(from)?;
        let mut probe = Probe::new(self.model, self.predicate);
        let mut scan = Scan::new(pick, matches_max);
        let event = self.event_at(from)?;
        let first = probe.start(&folded, event.as_ref(), before.as_ref());
        let is_over = scan.add(from, first.map_err(too_much(from))?);
        Ok(Scanning {
            bound: StateBound::new(STATE_WEIGHT_MAX, &folded.state),
            folded,
            scan,
            probed: probe.so_far(),
            is_over: is_over || from >= to,
        })
    }

    /// Looks at the next revisions, until all were looked at, or `pause` says so.
    pub(crate) fn go_on(
        &self,
        under_way: &mut Scanning,
        pause: &mut dyn FnMut() -> bool,
    ) -> Result<(), BisectError> {
        if under_way.is_over {
            return Ok(());
        }
        let Scanning {
            folded,
            scan,
            bound,
            is_over,
            ..
        } = under_way;
        let mut probe = Probe::go_on(self.model, self.predicate, under_way.probed);
        let to = self.range.1;
        try_for_each_event(
            self.view,
            self.stream,
            (folded.revision.next(), to),
            |event| {
                let added = bound.add(event.data.as_str(), || of_object(&folded.state));
                added.map_err(|too_large| TravelError::StateTooLarge {
                    stream: self.stream.clone(),
                    revision: event.revision,
                    too_large,
                })?;
                let truth = probe.push(folded, &event);
                let ended = scan.add(event.revision, truth.map_err(too_much(event.revision))?);
                *is_over = ended || folded.revision >= to;
                Ok::<_, BisectError>(if *is_over || pause() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            },
        )?;
        under_way.probed = probe.so_far();
        Ok(())
    }

    /// What was found on the way up to here.
    pub(crate) fn found(&self, under_way: Scanning) -> Found {
        let Scanning {
            folded,
            scan,
            probed,
            ..
        } = under_way;
        let found = scan.finish();
        let at_end = folded.revision == self.range.1;
        let probe = Probe::go_on(self.model, self.predicate, probed);
        Found {
            matches: found.matches,
            matches_total: found.matches_total,
            holds_at_start: found.holds_at_start == Some(true),
            holds_at_end: found.holds_at_end.filter(|_| at_end),
            folds: 1,
            revisions: found.revisions,
            evaluations: probe.evaluations(),
            undefined: found.undefined,
            folded: Some(folded),
        }
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
    pub(crate) fn start(&self, at: Revision) -> Result<(Folded, Option<State>), BisectError> {
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

    pub(crate) fn event_at(
        &self,
        at: Revision,
    ) -> Result<Option<whodunit_core::event::Event>, BisectError> {
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

#[cfg(test)]
#[path = "bisect_tests.rs"]
mod tests;
