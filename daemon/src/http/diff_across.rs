//! Differences across worlds: of a point in one branch, or in the log, and a point in another.

use std::sync::Arc;

use whodunit_core::api::time_travel::{DiffBlame, DiffOut, DiffSetBy};
use whodunit_core::api::warning::Warning;
use whodunit_core::diff::DiffEntry;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::model::{Model, Models};
use whodunit_core::pointer::Pointer;
use whodunit_core::shown::{Reveal, Shown};

use super::branch_view::Worlds;
use super::causes::Causes;
use super::diff::{compared, set_by};
use super::error::ApiError;
use super::travel::shown_until;
use crate::branches::{BranchView, Overlay};
use crate::store::StoreError;
use crate::time_travel::{
    Point, StateAt, TimeTravel, TravelError, clock_went_back, faults, left_out, resolve,
};

/// What to compare.
pub(super) struct Across {
    pub(super) travel: Arc<TimeTravel>,
    pub(super) models: Arc<Models>,
    pub(super) model: Model,
    pub(super) reveal: Reveal,
    pub(super) with_blame: bool,
    pub(super) under: Pointer,
    pub(super) streams: (StreamName, StreamName),
    pub(super) points: (Point, Point),
    pub(super) redacted_copy: Option<Warning>,
}

/// A side of the comparison; without a state where its stream is not there.
struct Side {
    revision: Revision,
    reached: Option<StateAt>,
    warnings: Vec<Warning>,
    /// Why its stream is not there.
    missing: Option<TravelError>,
}

impl Side {
    fn state(&self) -> State {
        let reached = self.reached.as_ref();
        reached.map_or_else(State::new, |reached| reached.folded.state.clone())
    }
}

impl Across {
    pub(super) fn diff(self, worlds: &mut Worlds) -> Result<Shown<DiffOut>, ApiError> {
        let (first, second) = (Arc::clone(&worlds.first), Arc::clone(&worlds.second));
        let view = &mut worlds.view;
        view.show(&first);
        let mut from = self.side(view, &self.streams.0, self.points.0)?;
        view.show(&second);
        let to = self.side(view, &self.streams.1, self.points.1)?;
        if to.missing.is_some()
            && let Some(missing) = from.missing.take()
        {
            return Err(missing.into());
        }
        let states = (from.state(), to.state());
        let diff = compared(&*view, (&states.0, &states.1), &self.under)?;
        let blame = if self.with_blame {
            Some(self.blame(view, (&first, &second), (&from, &to), &diff)?)
        } else {
            None
        };
        let mut warnings: Vec<Warning> = self.redacted_copy.clone().into_iter().collect();
        warnings.extend(from.warnings);
        for warning in to.warnings {
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let (stream, to_stream) = self.streams;
        let out = DiffOut {
            from: from.revision,
            to: to.revision,
            to_stream: (to_stream != stream).then_some(to_stream),
            to_branch: worlds.second_read.clone(),
            path: (!self.under.is_root()).then(|| self.under.to_string()),
            diff,
            blame,
            redacted: Vec::new(),
            warnings,
            stream,
        };
        shown_until(&*view, self.reveal, &self.models, out)
    }

    fn side(
        &self,
        view: &BranchView,
        stream: &StreamName,
        point: Point,
    ) -> Result<Side, TravelError> {
        let found = match resolve(view, stream, point) {
            Err(missing @ TravelError::NoSuchStream { .. }) => {
                return Ok(Side {
                    revision: Revision::ZERO,
                    reached: None,
                    warnings: Vec::new(),
                    missing: Some(missing),
                });
            }
            found => found?,
        };
        let (travel, model, at) = (&self.travel, &self.model, found.revision);
        let reached = if self.with_blame {
            travel.state_with_blame(view, model, stream, at, false)?
        } else {
            travel.state(view, model, stream, at)?
        };
        let warnings = [
            left_out(view, point, &found)?,
            clock_went_back(view, &found, (Revision::ZERO, at))?,
            faults(&reached.folded),
        ];
        Ok(Side {
            revision: at,
            reached: Some(reached),
            warnings: warnings.into_iter().flatten().collect(),
            missing: None,
        })
    }

    /// What set each side of each difference. What a world does not have, nothing of it removed.
    fn blame(
        &self,
        view: &mut BranchView,
        worlds: (&Arc<Overlay>, &Arc<Overlay>),
        (from, to): (&Side, &Side),
        diff: &[DiffEntry],
    ) -> Result<Vec<DiffBlame>, ApiError> {
        view.show(worlds.0);
        let before = of_side(view, &self.streams.0, from, diff, |entry| {
            entry.before.is_some()
        })?;
        view.show(worlds.1);
        let after = of_side(view, &self.streams.1, to, diff, |entry| {
            entry.after.is_some()
        })?;
        let both = diff.iter().zip(before.into_iter().zip(after));
        Ok(both
            .map(|(entry, (before, after))| DiffBlame {
                path: entry.path.clone(),
                before,
                after,
            })
            .collect())
    }
}

fn of_side(
    view: &BranchView,
    stream: &StreamName,
    side: &Side,
    diff: &[DiffEntry],
    is_there: fn(&DiffEntry) -> bool,
) -> Result<Vec<Option<DiffSetBy>>, StoreError> {
    let mut causes = Causes::new(view, stream);
    let set = diff.iter().map(|entry| {
        let reached = side.reached.as_ref().filter(|_| is_there(entry));
        let revision = reached.and_then(|reached| set_by(reached, &entry.path));
        revision
            .map(|revision| {
                let event = causes.at(revision)?;
                Ok(DiffSetBy { revision, event })
            })
            .transpose()
    });
    set.collect()
}
