//! Where the positions of an imported file went.
//!
//! Owns a bounded list of runs: positions that moved together. Decisions name positions, so they have to move along.

use whodunit_core::ids::Position;

/// Runs remembered at most. A file that needs more is not one export.
const RUNS_MAX: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    from: u64,
    to: u64,
    length: u64,
}

/// Old positions and their new ones.
#[derive(Debug, Default)]
pub(super) struct Shift {
    runs: Vec<Run>,
}

impl Shift {
    /// Notes that the event that was at `from` is at `to`. Positions of a file that run backwards are not noted.
    pub(super) fn note(&mut self, from: Position, to: Position) {
        let full = self.runs.len() >= RUNS_MAX;
        match self.runs.last_mut() {
            Some(run) if (run.from + run.length, run.to + run.length) == (from.0, to.0) => {
                run.length += 1;
            }
            Some(run) if full || from.0 < run.from + run.length => {}
            _ => self.runs.push(Run {
                from: from.0,
                to: to.0,
                length: 1,
            }),
        }
    }

    /// Where the event that was at this position is now.
    pub(super) fn of(&self, from: Position) -> Option<Position> {
        let after = self.runs.partition_point(|run| run.from <= from.0);
        let run = self.runs.get(after.checked_sub(1)?)?;
        let offset = from.0 - run.from;
        (offset < run.length).then_some(Position(run.to + offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_that_move_together_are_one_run() {
        let mut shift = Shift::default();
        for (from, to) in [(1, 11), (2, 12), (3, 13), (7, 14), (8, 15), (9, 2)] {
            shift.note(Position(from), Position(to));
        }
        assert_eq!(shift.runs.len(), 3);
        let of = |from| shift.of(Position(from)).map(|to| to.0);
        assert_eq!(
            [of(1), of(3), of(4), of(7), of(8), of(9)],
            [Some(11), Some(13), None, Some(14), Some(15), Some(2)]
        );
        assert_eq!([of(0), of(10)], [None, None]);
    }
}
