//! What a correlation did to streams: their states before and after, compared.

use whodunit_core::api::causes::{CorrelatedStream, StreamImpact};
use whodunit_core::api::warning::Warning;
use whodunit_core::diff::{DiffEntry, diff_within};
use whodunit_core::ids::Revision;
use whodunit_core::model::Models;
use whodunit_core::shown::{Reveal, Shown};
use whodunit_core::weight::{Unfinished, of_value};

use super::error::ApiError;
use super::travel::shown_until;
use crate::limits::{DIFF_WEIGHT_MAX, STEPS_WEIGHT_MAX};
use crate::store::{StoreError, View};
use crate::time_travel::{
    Point, Resolved, TimeTravel, TravelError, clock_went_back, faults, resolve,
};

/// What states are read and shown with.
pub(super) struct Impacts<'a> {
    pub(super) travel: &'a TimeTravel,
    pub(super) models: &'a Models,
    pub(super) view: &'a dyn View,
    pub(super) reveal: Reveal,
}

/// What was done to streams, to as many of them as do not weigh too much together; at least to one.
pub(super) fn impacts(
    by: &Impacts<'_>,
    streams: impl Iterator<Item = CorrelatedStream>,
) -> Result<Vec<Shown<StreamImpact>>, ApiError> {
    let (mut items, mut weight) = (Vec::new(), 0);
    for stream in streams {
        by.view.stop().check().map_err(StoreError::from)?;
        let impact = impact(by, stream)?;
        weight += diff_weight(&impact.diff);
        if weight > STEPS_WEIGHT_MAX && !items.is_empty() {
            break;
        }
        items.push(shown_until(by.view, by.reveal, by.models, impact)?);
    }
    Ok(items)
}

/// About how many bytes differences take in memory.
pub(super) fn diff_weight(diff: &[DiffEntry]) -> usize {
    let of_entry = |entry: &DiffEntry| {
        let values = entry.before.iter().chain(&entry.after);
        size_of::<DiffEntry>() + 2 * entry.path.len() + values.map(of_value).sum::<usize>()
    };
    diff.iter().map(of_entry).sum()
}

fn impact(by: &Impacts<'_>, of: CorrelatedStream) -> Result<StreamImpact, ApiError> {
    let mut impact = StreamImpact {
        stream: of.stream,
        revision_before: of.revision_before,
        revision_after: of.revision_after,
        events: of.events,
        other_events: of.other_events,
        refused: of.refused,
        diff: Vec::new(),
        failed: None,
        warnings: Vec::new(),
    };
    // Of refused commands alone there is nothing to compare; the stream may have no event.
    if impact.revision_before == impact.revision_after {
        return Ok(impact);
    }
    match differences(by, &impact) {
        Ok((diff, warnings)) => (impact.diff, impact.warnings) = (diff, warnings),
        Err(Failed::Store(error)) => return Err(error.into()),
        Err(Failed::Stream(why)) => impact.failed = Some(why),
    }
    Ok(impact)
}

/// Why there are no differences: one stream that cannot be compared keeps none of the others back.
pub(super) enum Failed {
    Store(StoreError),
    Stream(String),
}

impl From<TravelError> for Failed {
    fn from(error: TravelError) -> Self {
        match error {
            TravelError::Store(error) => Self::Store(error),
            other => Self::Stream(other.to_string()),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unfinished> for Failed {
    fn from(unfinished: Unfinished) -> Self {
        match unfinished {
            Unfinished::Stopped(stopped) => Self::Store(stopped.into()),
            Unfinished::TooLarge(too_large) => Self::Stream(too_large.to_string()),
        }
    }
}

fn differences(
    by: &Impacts<'_>,
    of: &StreamImpact,
) -> Result<(Vec<DiffEntry>, Vec<Warning>), Failed> {
    let model = by.models.for_stream(&of.stream);
    let state = |at: Revision| by.travel.state(by.view, model, &of.stream, at);
    let before = state(of.revision_before)?.folded;
    let after = state(of.revision_after)?.folded;
    let stop = by.view.stop();
    let diff = diff_within(&before.state, &after.state, DIFF_WEIGHT_MAX, stop)?;
    let found: Resolved = resolve(by.view, &of.stream, Point::Revision(of.revision_after))?;
    let between = (of.revision_before, of.revision_after);
    let warnings = [clock_went_back(by.view, &found, between)?, faults(&after)];
    Ok((diff, warnings.into_iter().flatten().collect()))
}
