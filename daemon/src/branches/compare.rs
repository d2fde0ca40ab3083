//! Comparing two worlds over the same view of the log: streams that differ, and commands that ended otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use whodunit_core::api::branch::{BranchFlip, BranchStream, WorldOutcome};
use whodunit_core::command::{Decision, Outcome};
use whodunit_core::diff::diff_within;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::model::Models;
use whodunit_core::weight::{Unfinished, of_object};

use super::overlay::{BranchView, Overlay};
use crate::limits::{BRANCH_FLIPS_MAX, DIFF_WEIGHT_MAX, STEPS_WEIGHT_MAX};
use crate::store::{
    ReadDecisions as _, ReadEvents as _, ReadStreams as _, Stoppable as _, StoreError,
};
use crate::time_travel::{TimeTravel, TravelError};

/// What differs.
pub(crate) struct Compared {
    /// A page of the streams that differ, by name.
    pub(crate) streams: Vec<BranchStream>,
    pub(crate) streams_total: u64,
    /// The stream after which the next page begins.
    pub(crate) next: Option<StreamName>,
    /// The first commands that ended otherwise.
    pub(crate) flips: Vec<BranchFlip>,
    pub(crate) flips_total: u64,
}

/// Why two worlds are not compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Uncompared {
    #[error(transparent)]
    Travel(#[from] TravelError),
    /// Two states differ in more than is worked on.
    #[error("{0}")]
    TooLarge(String),
}

impl From<StoreError> for Uncompared {
    fn from(error: StoreError) -> Self {
        Self::Travel(error.into())
    }
}

/// Which streams are wanted.
pub(crate) struct Page<'a> {
    pub(crate) after: Option<&'a str>,
    pub(crate) limit: usize,
}

type Worlds<'a> = (&'a Arc<Overlay>, &'a Arc<Overlay>);

/// Compares two worlds.
pub(crate) fn compare(
    view: &mut BranchView,
    worlds: Worlds<'_>,
    (travel, models): (&TimeTravel, &Models),
    page: &Page<'_>,
) -> Result<Compared, Uncompared> {
    let names: BTreeSet<StreamName> = worlds
        .0
        .streams()
        .chain(worlds.1.streams())
        .cloned()
        .collect();
    let mut differing = Vec::new();
    for stream in names {
        view.stop().check().map_err(StoreError::from)?;
        if let Some(first) = first_divergence(view, worlds, &stream)? {
            differing.push((stream, first));
        }
    }
    let streams_total = differing.len() as u64;
    let wanted = differing
        .iter()
        .filter(|(stream, _)| page.after.is_none_or(|after| stream.as_str() > after));
    let (mut streams, mut weight, mut next) = (Vec::new(), 0, None);
    for (stream, first) in wanted {
        if streams.len() >= page.limit || (weight > STEPS_WEIGHT_MAX && !streams.is_empty()) {
            next = streams
                .last()
                .map(|last: &BranchStream| last.stream.clone());
            break;
        }
        view.show(worlds.0);
        let (from_revision, before) = end(view, (travel, models), stream)?;
        view.show(worlds.1);
        let (to_revision, after) = end(view, (travel, models), stream)?;
        weight += of_object(&before) + of_object(&after);
        let diff = diff_within(&before, &after, DIFF_WEIGHT_MAX, view.stop());
        let diff = diff.map_err(|unfinished| match unfinished {
            Unfinished::Stopped(stopped) => StoreError::from(stopped).into(),
            Unfinished::TooLarge(too_large) => {
                Uncompared::TooLarge(format!("stream `{stream}`: {too_large}"))
            }
        })?;
        streams.push(BranchStream {
            stream: stream.clone(),
            from_revision,
            to_revision,
            first_divergence: Some(*first),
            diff,
            redacted: Vec::new(),
        });
    }
    let mut flips = flips(view, worlds)?;
    let flips_total = flips.len() as u64;
    flips.truncate(BRANCH_FLIPS_MAX);
    Ok(Compared {
        streams,
        streams_total,
        next,
        flips,
        flips_total,
    })
}

/// A stream's last revision and state; none where it is not there.
fn end(
    view: &BranchView,
    (travel, models): (&TimeTravel, &Models),
    stream: &StreamName,
) -> Result<(Revision, State), TravelError> {
    let Some(info) = view.stream(stream)? else {
        return Ok((Revision::ZERO, State::new()));
    };
    let model = models.for_stream(stream);
    let reached = travel.state_without_snapshots(view, model, stream, info.revision)?;
    Ok((info.revision, reached.folded.state))
}

/// The first revision at which a stream says different things in two worlds.
fn first_divergence(
    view: &mut BranchView,
    worlds: Worlds<'_>,
    stream: &StreamName,
) -> Result<Option<Revision>, StoreError> {
    let start = [worlds.0, worlds.1].map(|world| world.first_otherwise(stream));
    let Some(start) = start.into_iter().flatten().min() else {
        return Ok(None);
    };
    let head = |world: &Arc<Overlay>, view: &mut BranchView| {
        view.show(world);
        let info = view.stream(stream)?;
        Ok::<_, StoreError>(info.map_or(Revision::ZERO, |info| info.revision))
    };
    let heads = (head(worlds.0, view)?, head(worlds.1, view)?);
    let both = heads.0.min(heads.1);
    let mut at = start;
    while at <= both {
        if worlds.0.is_same_event(worlds.1, stream, at) {
            at = at.next();
            continue;
        }
        view.stop().check()?;
        view.show(worlds.0);
        let one = view.event_at_revision(stream, at)?;
        view.show(worlds.1);
        let other = view.event_at_revision(stream, at)?;
        match (one, other) {
            (Some(one), Some(other))
                if one.says_the_same_as(&other)
                    && (&one.actor, &one.reason) == (&other.actor, &other.reason) => {}
            _ => return Ok(Some(at)),
        }
        at = at.next();
    }
    Ok((heads.0 != heads.1).then(|| both.next()))
}

/// Commands that ended otherwise, in the order of the log.
fn flips(view: &mut BranchView, worlds: Worlds<'_>) -> Result<Vec<BranchFlip>, StoreError> {
    let touched: BTreeSet<u64> = worlds
        .0
        .touched_decisions()
        .union(&worlds.1.touched_decisions())
        .copied()
        .collect();
    let log_head = worlds.0.log_head().decision;
    let recorded = || touched.iter().copied().filter(|at| *at <= log_head);
    let mut ended: BTreeMap<String, (Option<Decision>, Option<Decision>)> = BTreeMap::new();
    for (index, world) in [worlds.0, worlds.1].into_iter().enumerate() {
        view.show(world);
        let added = world.touched_decisions();
        let added = added.into_iter().filter(|at| *at > log_head);
        for sequence in recorded().chain(added) {
            view.stop().check()?;
            let Some(decision) = view.decision(sequence)? else {
                continue;
            };
            let sides = ended.entry(decision.command_id.clone()).or_default();
            let side = if index == 0 {
                &mut sides.0
            } else {
                &mut sides.1
            };
            *side = Some(decision);
        }
    }
    let mut flips: Vec<_> = ended
        .into_values()
        .filter_map(|(from, to)| {
            let known = from.as_ref().or(to.as_ref())?;
            let place = (known.base_position, known.sequence);
            let (was, is) = (outcome(from.as_ref()), outcome(to.as_ref()));
            let flip = BranchFlip {
                command_id: known.command_id.clone(),
                decision: (known.sequence <= log_head).then_some(known.sequence),
                stream: known.stream.clone(),
                command_type: known.command_type.clone(),
                actor: known.actor.clone(),
                from: was,
                to: is,
            };
            (flip.from.outcome != flip.to.outcome).then_some((place, flip))
        })
        .collect();
    flips.sort_by(|a, b| (a.0, &a.1.command_id).cmp(&(b.0, &b.1.command_id)));
    Ok(flips.into_iter().map(|(_, flip)| flip).collect())
}

fn outcome(decision: Option<&Decision>) -> WorldOutcome {
    let (outcome, rule, events) = match decision.map(|decision| &decision.result) {
        None => ("absent", None, 0),
        Some(Outcome::Accepted { events, .. }) => ("accepted", None, u64::from(*events)),
        Some(Outcome::Rejected { rule, .. }) => ("rejected", Some(rule.clone()), 0),
    };
    WorldOutcome {
        outcome: outcome.to_owned(),
        rule,
        events,
    }
}
