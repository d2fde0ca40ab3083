//! Scans: every revision is looked at.

use crate::ids::Revision;
use crate::predicate::{Truth, Undefined};

/// A revision from which on a predicate holds, or no longer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flip {
    /// The revision.
    pub revision: Revision,
    /// Whether it holds from there on.
    pub holds: bool,
}

/// Which revisions are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pick {
    /// The first at which it holds: the scan is over there.
    #[default]
    First,
    /// The last at which it holds.
    Last,
    /// Every one from which on it holds or no longer holds.
    Flips,
}

/// How often a predicate was undefined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UndefinedCount {
    /// At how many revisions.
    pub count: u64,
    /// The first of them, and why.
    pub first: Option<(Revision, Undefined)>,
}

impl UndefinedCount {
    pub(super) fn add(&mut self, revision: Revision, truth: Truth) {
        if let Truth::Undefined(why) = truth {
            self.count += 1;
            self.first = self.first.or(Some((revision, why)));
        }
    }
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scanned {
    /// The revisions wanted, in order. For flips, at most as many as there was room for.
    pub matches: Vec<Flip>,
    /// How many there were.
    pub matches_total: u64,
    /// Whether it held at the first revision looked at; `None` where none was.
    pub holds_at_start: Option<bool>,
    /// Whether it held at the last revision looked at.
    pub holds_at_end: Option<bool>,
    /// At how many revisions it holds.
    pub holding: u64,
    /// How many revisions were looked at.
    pub revisions: u64,
    /// Where it was undefined.
    pub undefined: UndefinedCount,
}

/// Takes what a predicate says of one revision after the other.
#[derive(Debug, Clone)]
pub struct Scan {
    pick: Pick,
    matches_max: usize,
    found: Scanned,
}

impl Scan {
    /// A scan that names at most this many matches, and counts all.
    pub fn new(pick: Pick, matches_max: usize) -> Self {
        Self {
            pick,
            matches_max,
            found: Scanned {
                matches: Vec::new(),
                matches_total: 0,
                holds_at_start: None,
                holds_at_end: None,
                holding: 0,
                revisions: 0,
                undefined: UndefinedCount::default(),
            },
        }
    }

    /// What the predicate says of the next revision. Returns whether the scan is over: nothing more would change it.
    pub fn add(&mut self, revision: Revision, truth: Truth) -> bool {
        let holds = truth.holds();
        let found = &mut self.found;
        let held = found.holds_at_end.replace(holds);
        found.holds_at_start.get_or_insert(holds);
        found.revisions += 1;
        found.holding += u64::from(holds);
        found.undefined.add(revision, truth);
        let flip = Flip { revision, holds };
        match self.pick {
            Pick::First if holds => {
                found.matches = vec![flip];
                found.matches_total = 1;
                return true;
            }
            Pick::Last if holds => {
                found.matches = vec![flip];
                found.matches_total = 1;
            }
            // From the first revision on it holds or does not: only the first is a beginning.
            Pick::Flips if held.map_or(holds, |held| held != holds) => {
                found.matches_total += 1;
                if found.matches.len() < self.matches_max {
                    found.matches.push(flip);
                }
            }
            _ => {}
        }
        false
    }

    /// What was found.
    pub fn finish(self) -> Scanned {
        self.found
    }
}
