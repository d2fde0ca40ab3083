//! Minimal histories: the smallest part of a history that still leads to an outcome, by delta debugging (Zeller, Hildebrandt 2002).
//!
//! Owns the search. Its result is 1-minimal: without any single one of what is left, the outcome does not come. Not every minimum is
//! smallest of all: two causes that each suffice leave one of them.

/// Why there is no minimal history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMinimal<E> {
    /// A test failed.
    #[error("a part of the history could not be tested")]
    Test(E),
    /// More tests than the bound allows.
    #[error("it takes more than {0} tests")]
    TooManyTests(u64),
}

/// What is left.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Minimal {
    /// The indexes that are left, in order.
    pub kept: Vec<usize>,
    /// How many tests it took.
    pub tests: u64,
}

/// Finds a 1-minimal part of `0..count` with which `leads_there` holds. It must hold for all of it.
///
/// # Errors
/// When a test fails, or more than `tests_max` would be needed.
pub fn minimal<E>(
    count: usize,
    tests_max: u64,
    leads_there: &mut dyn FnMut(&[usize]) -> Result<bool, E>,
) -> Result<Minimal, NotMinimal<E>> {
    let mut kept: Vec<usize> = (0..count).collect();
    let mut tests = 0;
    let mut test = |part: &[usize]| {
        if tests == tests_max {
            return Err(NotMinimal::TooManyTests(tests_max));
        }
        tests += 1;
        leads_there(part).map_err(NotMinimal::Test)
    };
    if test(&[])? {
        return Ok(Minimal {
            kept: Vec::new(),
            tests,
        });
    }
    let mut pieces = 2;
    while kept.len() >= 2 {
        let size = kept.len().div_ceil(pieces);
        let mut found = None;
        // One piece by itself.
        if pieces < kept.len() || pieces == 2 {
            for piece in kept.chunks(size) {
                if piece.len() < kept.len() && test(piece)? {
                    found = Some((piece.to_vec(), 2));
                    break;
                }
            }
        }
        // All but one piece.
        if found.is_none() {
            for nth in 0..kept.len().div_ceil(size) {
                let rest = without(&kept, nth * size, size);
                if !rest.is_empty() && test(&rest)? {
                    found = Some((rest, pieces.saturating_sub(1).max(2)));
                    break;
                }
            }
        }
        match found {
            Some((part, next)) => {
                kept = part;
                pieces = next.min(kept.len().max(2));
            }
            // Each one by itself was tried.
            None if size == 1 => break,
            None => pieces = (pieces * 2).min(kept.len()),
        }
    }
    Ok(Minimal { kept, tests })
}

/// All but `size` from `start` on.
fn without(all: &[usize], start: usize, size: usize) -> Vec<usize> {
    let left = |(index, _): &(usize, &usize)| *index < start || *index >= start + size;
    let rest = all.iter().enumerate().filter(left);
    rest.map(|(_, item)| *item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// Checks that what is left leads there, and nothing with one less does.
    fn check(count: usize, leads: &dyn Fn(&[usize]) -> bool) -> Minimal {
        let mut tested = |part: &[usize]| Ok::<bool, Infallible>(leads(part));
        let found = minimal(count, 100_000, &mut tested).unwrap();
        assert!(leads(&found.kept), "{found:?}");
        for index in 0..found.kept.len() {
            assert!(!leads(&without(&found.kept, index, 1)), "{found:?} {index}");
        }
        assert!(found.kept.is_sorted());
        found
    }

    #[test]
    fn a_few_of_many_are_found_in_few_tests() {
        let found = check(873, &|part| part.contains(&3) && part.contains(&700));
        assert_eq!(found.kept, [3, 700]);
        assert!(found.tests < 150, "{found:?}");
        assert_eq!(check(873, &|part| part.contains(&5)).kept, [5]);
        assert_eq!(check(9, &|_| true).kept, Vec::<usize>::new());
        assert_eq!(check(1, &|part| part.len() == 1).kept, [0]);
        assert_eq!(check(20, &|part| part.len() == 20).kept.len(), 20);
    }

    #[test]
    fn it_is_1_minimal_whatever_leads_there() {
        // Conditions that are not monotonic as well.
        for seed in 0..500_u64 {
            let count = 1 + usize::try_from(seed % 23).unwrap();
            let leads = |part: &[usize]| {
                let sum: usize = part
                    .iter()
                    .map(|item| item * (usize::try_from(seed).unwrap() % 7 + 1))
                    .sum();
                part.len() == count
                    || (!part.is_empty() && sum.is_multiple_of(5) && part.len() % 3 != 2)
            };
            check(count, &leads);
        }
    }

    #[test]
    fn too_many_tests_are_an_error() {
        let found = minimal(1_000, 10, &mut |part: &[usize]| {
            Ok::<bool, Infallible>(part.len() == 1_000)
        });
        assert_eq!(found, Err(NotMinimal::TooManyTests(10)));
    }
}
