//! What was read of segments, kept for the next reader.
//!
//! Owns the bound on its bytes. Numbers of segments are never given again, so what is kept never goes stale.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::StoreId;
use crate::store::segment::decisions::DecisionBlock;
use crate::store::segment::events::EventBlock;
use crate::store::segment::frame::Part;
use crate::store::segment::manifest::Manifest;
use crate::store::segment::positions::Positions;

/// A segment whose manifest was read.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) number: u64,
    pub(super) manifest: Manifest,
}

/// A part that was read.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Manifest(Arc<Sealed>),
    Columns(Arc<Positions>),
    Events(Arc<EventBlock>),
    Decisions(Arc<DecisionBlock>),
}

/// Parts that were read, of the segments of one store.
#[derive(Debug)]
pub(in crate::store::redb) struct Parts {
    pub(super) store: StoreId,
    bytes_max: usize,
    kept: Mutex<Generations>,
}

type Generation = HashMap<(u64, Part), (Kept, usize)>;

/// What is asked for moves to the young ones; once these are half of what may be kept, they are the old ones, and those that
/// were go.
#[derive(Debug, Default)]
struct Generations {
    young: Generation,
    old: Generation,
    young_bytes: usize,
}

impl Parts {
    pub(in crate::store::redb) fn new(store: StoreId, bytes_max: usize) -> Self {
        Self {
            store,
            bytes_max,
            kept: Mutex::default(),
        }
    }

    pub(super) fn get(&self, segment: u64, part: Part) -> Option<Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((found, _)) = kept.young.get(&(segment, part)) {
            return Some(found.clone());
        }
        let (found, bytes) = kept.old.remove(&(segment, part))?;
        kept.put(segment, part, found.clone(), bytes, self.bytes_max);
        Some(found)
    }

    /// Keeps a part that takes about so many bytes.
    pub(super) fn keep(&self, segment: u64, part: Part, read: Kept, bytes: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(segment, part, read, bytes, self.bytes_max);
    }
}

impl Generations {
    fn put(&mut self, segment: u64, part: Part, read: Kept, bytes: usize, bytes_max: usize) {
        if self.young_bytes + bytes > bytes_max / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        let before = self.young.insert((segment, part), (read, bytes));
        self.young_bytes += bytes;
        self.young_bytes -= before.map_or(0, |(_, bytes)| bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(number: u64) -> Kept {
        use crate::store::chain::Chain;
        use crate::store::segment::{Stretch, seal};
        let stretch = Stretch {
            first_position: whodunit_core::ids::Position(1),
            events: Vec::new(),
            first_decision: 1,
            decisions: Vec::new(),
            chain_before: Chain::START,
            chain_after: Chain::START,
        };
        let manifest = seal(StoreId([0; 16]), number, &stretch).unwrap().manifest;
        Kept::Manifest(Arc::new(Sealed { number, manifest }))
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_asked_for_stays() {
        let parts = Parts::new(StoreId([0; 16]), 100);
        for number in 0..50 {
            parts.keep(number, Part::Manifest, sealed(number), 10);
            assert!(parts.get(0, Part::Manifest).is_some(), "after {number}");
            let kept = parts.kept.lock().unwrap();
            assert!(kept.young.len() + kept.old.len() <= 10);
        }
        assert!(parts.get(3, Part::Manifest).is_none());
        assert!(parts.get(49, Part::Columns).is_none());
        let found = parts.get(49, Part::Manifest);
        assert!(matches!(found, Some(Kept::Manifest(found)) if found.number == 49));
    }
}
