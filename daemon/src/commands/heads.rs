//! States at the heads of streams that commands were decided on lately, so that the next command need not load it.
//!
//! Owns the bounds. What is kept may be behind the stream by the time it is used: a decision on it is appended with the
//! revision that it stands at, so the store refuses one that was made on an old state. Derived, small, and only in memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::json::State;
use whodunit_core::weight::of_object;

use super::Base;
use crate::limits::{HEAD_STATE_WEIGHT_MAX, HEAD_STATES_KEPT};
use crate::time_travel::snapshots::{SPACING_BYTES_MIN, SPACING_STATES};

/// A state that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    revision: Revision,
    state: State,
    /// Bytes of payload that were folded into it since it was loaded.
    bytes: usize,
}

impl Kept {
    /// A state that was just loaded.
    pub(super) fn loaded(base: Base) -> Self {
        Self {
            revision: base.revision,
            state: base.state,
            bytes: 0,
        }
    }

    /// The state after more events.
    pub(super) fn moved(self, revision: Revision, state: State, bytes: usize) -> Self {
        Self {
            revision,
            state,
            bytes: self.bytes + bytes,
        }
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Whether it may be kept. Where a snapshot is due, the next command loads the state, and leaves one on the way.
    fn fits(&self) -> bool {
        let weight = of_object(&self.state);
        weight <= HEAD_STATE_WEIGHT_MAX
            && self.bytes < SPACING_BYTES_MIN.max(SPACING_STATES * weight)
    }
}

/// The states: what is kept moves to the young ones; once these are half of what may be kept, they are the old ones, and those
/// that were go.
#[derive(Debug, Default)]
pub(super) struct Heads(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<StreamName, Kept>,
    old: HashMap<StreamName, Kept>,
}

impl Heads {
    /// Takes the state of a stream out, to decide on.
    pub(super) fn take(&self, stream: &StreamName) -> Option<Kept> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let young = all.young.remove(stream);
        young.or_else(|| all.old.remove(stream))
    }

    /// Keeps the state of a stream, if it is small.
    pub(super) fn keep(&self, stream: StreamName, state: Kept) {
        if !state.fits() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.young.len() >= HEAD_STATES_KEPT / 2 {
            all.old = std::mem::take(&mut all.young);
        }
        all.old.remove(&stream);
        all.young.insert(stream, state);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stream(n: usize) -> StreamName {
        StreamName::new(format!("user-{n}")).unwrap()
    }

    fn kept(n: usize, length: usize) -> Kept {
        let state = State::from_iter([("text".to_owned(), json!("x".repeat(length)))]);
        let revision = Revision(n as u64);
        Kept::loaded(Base { revision, state })
    }

    #[test]
    fn states_are_bounded_in_number_and_weight_and_each_is_taken_once() {
        let heads = Heads::default();
        for n in 0..3 * HEAD_STATES_KEPT {
            heads.keep(stream(n), kept(n, 10));
            let all = heads.0.lock().unwrap();
            assert!(all.young.len() + all.old.len() <= HEAD_STATES_KEPT);
        }
        let last = 3 * HEAD_STATES_KEPT - 1;
        let found = heads.take(&stream(last)).unwrap();
        assert_eq!(found.revision(), Revision(last as u64));
        assert!(heads.take(&stream(last)).is_none());
        assert!(heads.take(&stream(0)).is_none());
        heads.keep(stream(1), kept(1, HEAD_STATE_WEIGHT_MAX));
        assert!(heads.take(&stream(1)).is_none(), "too large");
    }

    #[test]
    fn a_state_is_loaded_again_where_a_snapshot_is_due() {
        let heads = Heads::default();
        let (mut revision, mut rounds) = (Revision(1), 0);
        heads.keep(stream(1), kept(1, 10));
        while let Some(found) = heads.take(&stream(1)) {
            (revision, rounds) = (revision.next(), rounds + 1);
            let state = found.state().clone();
            heads.keep(stream(1), found.moved(revision, state, 100));
        }
        assert_eq!(rounds, SPACING_BYTES_MIN.div_ceil(100));
    }
}
