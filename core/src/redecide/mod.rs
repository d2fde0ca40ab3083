//! Re-decide: what the rules would have decided, had something in the history been otherwise.
//!
//! Owns the reach of a change over the whole log (an action graph) and the other world that it leads to. A recorded command is
//! decided again only if something that it read differs: the state of its stream, a key that it takes or was refused for, its
//! direct cause. Where a stream's state is as it was recorded again, it is left. Entries are looked at in the order of the log,
//! each at most once, so it ends. Nothing is written: the history comes in through [`History`], which cannot write.
//!
//! What happens in the other world has semantic names: an event has the id of the recorded event that it stands for (the same
//! command, the same type, the same one of that type), else one made of its command's id. A command has its recorded time, and
//! what preparing made of it. So equal histories are equal to the byte.

mod answer;
mod ask;
mod backtest;
mod end;
mod history;

mod place;
mod plan;
mod report;
mod rules;
mod run;
mod world;

use crate::api::what_if::{Causes, StepChange, WhatIfBase, WhatIfOut};
use crate::command::{Decision, Rejection};
use crate::diff::DiffEntry;
use crate::event::Event;
use crate::ids::StreamName;
use crate::model::Models;
use crate::stop::{Stop, Stopped};
use crate::what_if::{StepsWanted, WhatIfError};

pub use backtest::{Backtested, backtest};
pub use end::{StreamEnd, stream_end};
pub use history::History;
pub use place::{Entry, EntryRef, Place};
pub use plan::{Asked, BasePlace};
pub use rules::{Bounds, OtherRules, Scope, Visit};

use plan::Planner;
use report::Report;
use run::Run;

/// Recorded commands that are decided again at most.
pub const ASKED_MAX: u64 = 100_000;
/// Entries that are looked at, reached or not.
pub const LOOKED_AT_MAX: u64 = 1_000_000;
/// Streams that are reached at most.
pub const REACHED_MAX: u64 = 20_000;
/// Streams that a back-test reaches at most.
pub const BACKTEST_REACHED_MAX: u64 = 200_000;
/// Weight of the states of all streams that differ at a time, in both worlds.
pub const STATES_WEIGHT_MAX: usize = 128 << 20;

/// Which recorded commands are decided again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Those that a change can reach.
    #[default]
    Changed,
    /// All of them, from the beginning: slow, and with the same answer.
    Everything,
}

/// How a change is followed.
#[derive(Clone, Copy)]
pub struct Following<'a> {
    /// The rules, by category.
    pub models: &'a Models,
    /// What becomes of commands whose direct cause is gone.
    pub causes: Causes,
    /// Which commands are asked.
    pub reach: Reach,
    /// Whether passwords that commands give for recorded ones are right, where that was not found out.
    pub password_correct: Option<bool>,
    /// Whether what each command does to its state is wanted, even where it is as recorded.
    pub all_diffs: bool,
    /// Other rules, if any are asked.
    pub rules: Option<OtherRules<'a>>,
    /// How far it goes at most.
    pub bounds: Bounds,
    /// Ends it early.
    pub stop: &'a Stop,
}

/// Why it was not followed to its end.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failed<E> {
    /// The history could not be read.
    #[error("the history could not be read")]
    History(E),
    /// The request does not fit the history or the rules, or is beyond a bound.
    #[error(transparent)]
    WhatIf(WhatIfError),
}

impl<E> From<WhatIfError> for Failed<E> {
    fn from(error: WhatIfError) -> Self {
        Self::WhatIf(error)
    }
}

impl<E> From<Stopped> for Failed<E> {
    fn from(stopped: Stopped) -> Self {
        Self::WhatIf(stopped.into())
    }
}

/// An entry of the other world, or of the record alone.
#[derive(Debug, Clone)]
pub struct Visited {
    /// Where it stands.
    pub place: Place,
    /// The stream.
    pub stream: StreamName,
    /// The entry on record, if there is one.
    pub recorded: Option<Entry>,
    /// What became of it.
    pub change: StepChange,
    /// The decision in the other world; its sequence and positions are those of the recorded one, or 0.
    pub decision: Option<Decision>,
    /// The type of its command or event.
    pub type_name: String,
    /// Its events in the other world. Their positions are 0.
    pub events: Vec<Event>,
    /// The rule that refuses it in the other world.
    pub rejection: Option<Rejection>,
    /// Why it is frozen, or which cause is gone.
    pub why: Option<String>,
    /// What it does to the state.
    pub diff: Vec<DiffEntry>,
    /// Whether rules ran.
    pub asked: bool,
    /// Whether an edit or `do` made or changed it.
    pub edited: bool,
    /// The stream's revision in the other world after it.
    pub revision: crate::ids::Revision,
}

/// Follows changes through the log. `each` gets every entry that was reached, in the order of the log.
pub fn follow<H: History>(
    history: &mut H,
    following: &Following<'_>,
    asked: &Asked<'_>,
    each: &mut dyn Visit,
) -> Result<(), Failed<H::Error>> {
    let plan = Planner::plan(history, following.models, *asked)?;
    let mut run = Run::new(history, following, plan, each);
    run.run()?;
    Ok(())
}

/// Decides again what the changes can reach, and says what came of it.
pub fn redecide<H: History>(
    history: &mut H,
    following: &Following<'_>,
    asked: &Asked<'_>,
    base: WhatIfBase,
    steps: StepsWanted,
) -> Result<WhatIfOut, Failed<H::Error>> {
    let plan = Planner::plan(history, following.models, *asked)?;
    let from = following.rules.map(|rules| rules.from);
    let first = plan.first().into_iter().chain(from).min();
    let later = match (first, following.reach) {
        (_, Reach::Everything) => {
            let start = Place::after_position(crate::ids::Position::ZERO);
            history.decisions_after(start)
        }
        (Some(first), Reach::Changed) => history.decisions_after(first),
        (None, Reach::Changed) => Ok(0),
    };
    let later = later.map_err(Failed::History)?;
    let mut report = Report::new(following, steps);
    let mut run = Run::new(history, following, plan, &mut report);
    run.run()?;
    let world = run.into_world();
    report.finish(history, world, (asked, base), later)
}

#[cfg(test)]
mod tests;
