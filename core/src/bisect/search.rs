//! Searches: the range is halved until one flip is left.

use super::scan::{Flip, UndefinedCount};
use crate::ids::Revision;
use crate::predicate::Truth;

/// States of a stream, each at the cost of one load (a fold from the nearest snapshot).
pub trait States {
    /// Why a state could not be loaded.
    type Error;

    /// What the predicate says of the state at a revision.
    fn truth_at(&mut self, revision: Revision) -> Result<Truth, Self::Error>;
}

/// What a search found: right if the predicate flips once between the ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searched {
    /// The flip. `None` where both ends say the same: then there is none, or an even number of them.
    pub flip: Option<Flip>,
    /// Whether the predicate holds at the beginning of the range.
    pub holds_at_start: bool,
    /// Whether it holds at its end.
    pub holds_at_end: bool,
    /// How many states were loaded.
    pub folds: u64,
    /// Where it was undefined among them.
    pub undefined: UndefinedCount,
}

/// Searches the flip between two revisions, on the client's word that there is one at most. Loads at most ⌈log₂ n⌉ + 2
/// states for a range of `n` events.
pub fn search<S: States>(
    states: &mut S,
    (from, to): (Revision, Revision),
) -> Result<Searched, S::Error> {
    let mut folds = 0;
    let mut undefined = UndefinedCount::default();
    let mut holds_at = |revision: Revision| {
        folds += 1;
        let truth = states.truth_at(revision)?;
        undefined.add(revision, truth);
        Ok(truth.holds())
    };
    let holds_at_start = holds_at(from)?;
    let holds_at_end = if to > from {
        holds_at(to)?
    } else {
        holds_at_start
    };
    let mut flip = None;
    if holds_at_start != holds_at_end {
        // It says at `before` what it says at the start, and at `after` what it says at the end.
        let (mut before, mut after) = (from.0, to.0);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if holds_at(Revision(middle))? == holds_at_start {
                before = middle;
            } else {
                after = middle;
            }
        }
        flip = Some(Flip {
            revision: Revision(after),
            holds: holds_at_end,
        });
    }
    Ok(Searched {
        flip,
        holds_at_start,
        holds_at_end,
        folds,
        undefined,
    })
}
