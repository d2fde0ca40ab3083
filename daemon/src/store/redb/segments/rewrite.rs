//! For tests: a segment that holds something else than what was written, and is whole all the same.

use super::super::open_tables::WriteTables;
use super::parts::Parts;
use super::records::Records;
use super::seal::{Reopened, insert, remove, reopen};
use crate::store::segment::decisions::Decided;
use crate::store::segment::events::Unsealed;
use crate::store::segment::manifest::Manifest;
use crate::store::segment::{self, Stretch};
use crate::store::{Head, StoreId};
use whodunit_core::command::Decision;
use whodunit_core::event::Event;

/// Writes the first segment of a log again, with what becomes of its records, and of its manifest's words about them.
pub(in crate::store::redb) fn first(
    tables: &mut WriteTables<'_>,
    store: StoreId,
    change: impl FnOnce(&mut Vec<Event>, &mut Vec<Decision>),
    words: impl FnOnce(&mut Manifest),
) {
    let number = {
        let mut entries = tables.segments_by_position.entries().unwrap();
        entries.next().unwrap().unwrap().0.value().1
    };
    one(tables, (store, number), change, words);
}

/// The same of the last segment.
pub(in crate::store::redb) fn last(
    tables: &mut WriteTables<'_>,
    store: StoreId,
    change: impl FnOnce(&mut Vec<Event>, &mut Vec<Decision>),
    words: impl FnOnce(&mut Manifest),
) {
    let number = tables.segments.last().unwrap().unwrap().0.value();
    one(tables, (store, number), change, words);
}

fn one(
    tables: &mut WriteTables<'_>,
    (store, number): (StoreId, u64),
    change: impl FnOnce(&mut Vec<Event>, &mut Vec<Decision>),
    words: impl FnOnce(&mut Manifest),
) {
    let parts = Parts::new(store, 1 << 20);
    let records = Records {
        tables,
        parts: &parts,
        head: Head::default(),
    };
    let own = records.segment(number).unwrap();
    let mut reopened = Reopened::default();
    reopen(tables, &parts, &own, &mut reopened).unwrap();
    let (mut events, mut decisions) = (Vec::new(), Vec::new());
    events.extend(reopened.events.iter().map(|(_, event, _)| event.clone()));
    decisions.extend(reopened.decisions.iter().map(|own| own.1.clone()));
    change(&mut events, &mut decisions);
    let of = |event: &Event| {
        let own = reopened.events.iter();
        let mut own = own.filter(|(_, own, _)| own.stream == event.stream);
        let first = *own.next().as_ref().map(|(number, ..)| number).unwrap();
        let same = reopened.events.iter();
        let mut same = same.filter(|(_, own, _)| own.position == event.position);
        (first, same.next().map_or(event.recorded_at, |own| own.2))
    };
    let stretch = Stretch {
        first_position: own.manifest.first_position,
        events: events
            .iter()
            .map(|event| Unsealed {
                stream: of(event).0,
                event,
                effective_at: of(event).1.max(event.recorded_at),
            })
            .collect(),
        first_decision: own.manifest.first_decision,
        decisions: reopened
            .decisions
            .iter()
            .zip(&decisions)
            .map(|((behind, _), decision)| Decided {
                behind: *behind,
                decision,
            })
            .collect(),
        chain_before: own.manifest.chain_before,
        chain_after: own.manifest.chain_after,
    };
    let mut sealed = segment::seal(store, number, &stretch).unwrap();
    words(&mut sealed.manifest);
    sealed.manifest_frame = segment::wrap_manifest(store, number, &sealed.manifest);
    remove(tables, &own).unwrap();
    insert(tables, number, &sealed).unwrap();
}

/// The key of an id in the index of ids.
pub(in crate::store::redb) fn key_of(id: &str, number: u64) -> super::HashKey {
    super::hash_key(id, number)
}

/// How many runs some bytes are; none where they are none.
pub(in crate::store::redb) fn runs(bytes: &[u8]) -> usize {
    super::runs::decode(bytes).map_or(0, |runs| runs.len())
}
