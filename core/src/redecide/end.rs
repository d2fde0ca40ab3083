//! Ends: how a stream ends in the other world, and nothing else of it.

use super::history::History;
use super::place::Place;
use super::plan::Planner;
use super::report::Report;
use super::run::Run;
use super::{Asked, Failed, Following, Visit, Visited};
use crate::api::what_if::StepChange;
use crate::ids::Revision;
use crate::json::State;

/// How a stream ends in the other world.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEnd {
    /// Its state.
    pub state: State,
    /// Its revision.
    pub revision: Revision,
    /// Whether it says anything else than it did.
    pub differs: bool,
    /// Commands that were decided again.
    pub asked: u64,
    /// Commands on changed states that could not be decided again: then it is not certain.
    pub frozen: u64,
    /// Whether each action was accepted, in order.
    pub accepted: Vec<bool>,
}

#[derive(Default)]
struct Counted {
    asked: u64,
    frozen: u64,
    accepted: Vec<(Place, bool)>,
}

impl Visit for Counted {
    fn visited(&mut self, visited: Visited) {
        let is_recorded = visited.recorded.is_some();
        self.asked += u64::from(visited.asked && is_recorded);
        match visited.change {
            StepChange::Frozen if visited.decision.is_some() || !is_recorded => self.frozen += 1,
            _ => {}
        }
        if !is_recorded && !visited.edited {
            let accepted = visited.rejection.is_none() && visited.change == StepChange::Added;
            self.accepted.push((visited.place, accepted));
        }
    }
}

/// Follows changes through the log, and says how the stream that was asked about ends.
pub fn stream_end<H: History>(
    history: &mut H,
    following: &Following<'_>,
    asked: &Asked<'_>,
) -> Result<StreamEnd, Failed<H::Error>> {
    let plan = Planner::plan(history, following.models, *asked)?;
    let mut counted = Counted::default();
    let mut run = Run::new(history, following, plan, &mut counted);
    run.run()?;
    let mut world = run.into_world();
    let ends = Report::ends(history, &mut world, asked.stream)?;
    let (state, differs) = match ends.states {
        Some((other, actual)) => {
            let differs = ends.first_divergence.is_some() || other != actual;
            (other, differs)
        }
        None => {
            let state = history.state(asked.stream, ends.actual_revision);
            (
                state.map_err(Failed::History)?,
                ends.first_divergence.is_some(),
            )
        }
    };
    Ok(StreamEnd {
        state,
        revision: ends.revision,
        differs,
        asked: counted.asked,
        frozen: counted.frozen,
        accepted: counted.accepted.into_iter().map(|(_, is)| is).collect(),
    })
}
