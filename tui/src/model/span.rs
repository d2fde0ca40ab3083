//! A part of a time axis: whole parts of its density, one beside the other.

use whodunit_core::api::browse::DensityOut;
use whodunit_core::time::Timestamp;

/// From one part to another, both included; the second one is what moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    from: usize,
    to: usize,
}

impl Span {
    /// The part that a moment is counted in.
    pub(crate) fn at(density: &DensityOut, at: Timestamp) -> Self {
        Self::between(density, at, at)
    }

    /// From one moment to another, whichever is earlier.
    pub(crate) fn between(density: &DensityOut, from: Timestamp, to: Timestamp) -> Self {
        Self {
            from: part_of(density, from),
            to: part_of(density, to),
        }
    }

    /// The same with its moving end so many parts further.
    pub(crate) fn moved(self, density: &DensityOut, parts: usize, forward: bool) -> Self {
        let last = density.counts.len().saturating_sub(1);
        let to = if forward {
            (self.to + parts).min(last)
        } else {
            self.to.saturating_sub(parts)
        };
        Self { to, ..self }
    }

    /// Its first and last part.
    pub(crate) fn parts(self) -> (usize, usize) {
        (self.from.min(self.to), self.from.max(self.to))
    }

    /// Its first and last moment: what is counted in its parts was recorded then, and nothing else.
    pub(crate) fn times(self, density: &DensityOut) -> (Timestamp, Timestamp) {
        let (first, last) = self.parts();
        let begins = |part: usize| {
            let (span, parts) = (span_of(density), density.counts.len().max(1) as i128);
            let offset = part as i128 * span;
            let offset = offset.div_euclid(parts) + i128::from(offset.rem_euclid(parts) > 0);
            let at = i128::from(density.first.as_micros()) + offset;
            i64::try_from(at).unwrap_or(i64::MAX)
        };
        let until = Timestamp::from_micros(begins(last + 1) - 1);
        (Timestamp::from_micros(begins(first)), until)
    }

    /// How many are counted in it.
    pub(crate) fn count(self, density: &DensityOut) -> u64 {
        let (first, last) = self.parts();
        let counted = density.counts.iter().skip(first);
        counted.take(last + 1 - first).sum()
    }
}

/// As the daemon counts: by equal parts of the time from the first moment to the last, both included.
fn part_of(density: &DensityOut, at: Timestamp) -> usize {
    let (first, last) = (density.first.as_micros(), density.last.as_micros());
    let parts = density.counts.len().max(1);
    let offset = i128::from(at.as_micros().clamp(first, last)) - i128::from(first);
    let part = usize::try_from(offset * parts as i128 / span_of(density)).unwrap_or(0);
    part.min(parts - 1)
}

fn span_of(density: &DensityOut) -> i128 {
    i128::from(density.last.as_micros()) - i128::from(density.first.as_micros()) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times of a part are those that are counted in it: no event is taken or left by a rounded bound.
    #[test]
    fn a_part_and_its_times_are_the_same_events() {
        for (micros, parts) in [(0, 240), (1, 3), (1_000, 7), (86_400_000_000 * 30, 240)] {
            let density = DensityOut {
                first: Timestamp::from_micros(5_000),
                last: Timestamp::from_micros(5_000 + micros),
                counts: vec![1; parts],
            };
            for step in 0..=200 {
                let at = Timestamp::from_micros(5_000 + micros * step / 200);
                let span = Span::at(&density, at);
                let (since, until) = span.times(&density);
                assert!(since <= at && at <= until, "{micros} {parts} {step}");
                for bound in [since, until] {
                    assert_eq!(Span::at(&density, bound), span, "{micros} {parts} {step}");
                }
            }
        }
    }

    #[test]
    fn an_end_moves_and_stays_on_the_axis() {
        let density = DensityOut {
            first: Timestamp::from_micros(0),
            last: Timestamp::from_micros(99),
            counts: (0..10).collect(),
        };
        let span = Span::at(&density, Timestamp::from_micros(55));
        assert_eq!(span.parts(), (5, 5));
        let back = span.moved(&density, 2, false);
        assert_eq!((back.parts(), back.count(&density)), ((3, 5), 3 + 4 + 5));
        let forward = back.moved(&density, 100, true);
        assert_eq!(forward.parts(), (5, 9));
    }
}
