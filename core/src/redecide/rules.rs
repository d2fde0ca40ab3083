//! Other rules in the other world, what they are asked about, and who is told what came of it.

use super::place::{Entry, Place};
use super::{ASKED_MAX, LOOKED_AT_MAX, REACHED_MAX, Visited};
use crate::command::Decision;
use crate::model::Models;
use crate::query::Pattern;
use crate::time::Timestamp;

/// Other rules.
#[derive(Debug, Clone, Copy)]
pub struct OtherRules<'a> {
    /// The models with them.
    pub models: &'a Models,
    /// Which commands are decided by them. Others that their decisions reach are decided again by the rules in use.
    pub scope: &'a Scope,
    /// From this place of the log on.
    pub from: Place,
}

/// Which recorded commands are decided by other rules: all that fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Of exactly this category.
    pub category: Option<String>,
    /// Of such an actor.
    pub actor: Option<Pattern>,
    /// Decided not before this time.
    pub since: Option<Timestamp>,
    /// Decided not after this time.
    pub until: Option<Timestamp>,
}

impl Scope {
    /// Whether a command fits.
    pub fn holds(&self, decision: &Decision) -> bool {
        let category = |category: &String| decision.stream.category() == category;
        let actor = |actor: &Pattern| actor.matches(decision.actor.as_deref().unwrap_or_default());
        self.category.as_ref().is_none_or(category)
            && self.actor.as_ref().is_none_or(actor)
            && self.since.is_none_or(|since| decision.decided_at >= since)
            && self.until.is_none_or(|until| decision.decided_at <= until)
    }
}

/// How far changes are followed at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Commands that are decided again.
    pub asked: u64,
    /// Entries that are looked at.
    pub looked_at: u64,
    /// Streams that are reached.
    pub reached: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            asked: ASKED_MAX,
            looked_at: LOOKED_AT_MAX,
            reached: REACHED_MAX,
        }
    }
}

impl Bounds {
    /// Those of a back-test, which answers as it goes: only what is kept in memory is bounded.
    pub const BACKTEST: Self = Self {
        asked: u64::MAX,
        looked_at: u64::MAX,
        reached: super::BACKTEST_REACHED_MAX,
    };
}

/// Is told what became of entries, in the order of the log.
pub trait Visit {
    /// An entry that was reached, or added.
    fn visited(&mut self, visited: Visited);

    /// An entry that is as recorded, on a state that is as recorded: only where the log is gone through. `asked`: the other rules
    /// were asked about its command.
    fn as_recorded(&mut self, _entry: &Entry, _asked: bool) {}
}

impl<F: FnMut(Visited)> Visit for F {
    fn visited(&mut self, visited: Visited) {
        self(visited);
    }
}
