//! Bisect: the revision at which a predicate begins to hold, or every one at which it begins or ceases to.
//!
//! Owns two ways to find it. A [`Scan`] looks at every revision in one fold, so it is right whatever the history. A
//! [`search`] halves the range: it loads a few states only, and is right if the predicate flips once between the ends. That it does is never
//! assumed but on the client's word, and its answer says so.
//!
//! A predicate that is undefined at a revision does not hold there; how often that was is counted.

mod probe;
mod scan;
mod search;

pub use probe::{Probe, Probed};
pub use scan::{Flip, Pick, Scan, Scanned, UndefinedCount};
pub use search::{Searched, States, search};

#[cfg(test)]
mod tests;
