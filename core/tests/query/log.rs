//! Random logs.

use serde_json::json;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::time::Timestamp;

pub(crate) const HOUR: i64 = 3_600_000_000;

/// Random numbers by splitmix64, the same on every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A log of a few streams, whose clocks go back now and then.
pub(crate) fn history(random: &mut Random) -> Vec<Event> {
    let count = random.below(30);
    let mut revisions = std::collections::BTreeMap::new();
    let mut at = 0;
    (1..=count)
        .map(|position| {
            let stream = random.pick(&["order-1", "order-2", "client-1", "lone"]);
            let revision = revisions.entry(stream).and_modify(|n| *n += 1).or_insert(1);
            at += i64::try_from(random.below(4)).unwrap() * HOUR / 2;
            if random.chance(10) {
                at -= 3 * HOUR;
            }
            let optional = |random: &mut Random, from: &[&str]| {
                (!random.chance(30)).then(|| random.pick(from).to_owned())
            };
            Event {
                position: Position(position),
                stream: StreamName::new(stream).unwrap(),
                revision: Revision(*revision),
                event_id: format!("e{position}"),
                event_type: random.pick(&["Paid", "Placed", "PaidBack"]).to_owned(),
                schema_version: 1,
                recorded_at: Timestamp::from_micros(at),
                actor: optional(random, &["ann", "bob", "job:x"]),
                reason: optional(random, &["Inactive for 90 days", "late"]),
                correlation_id: optional(random, &["c1", "c2"]),
                causation_id: None,
                data: Json::from(
                    json!({"n": random.below(4), "who": random.pick(&["Ann", "zoë"])}),
                ),
                metadata: None,
            }
        })
        .collect()
}
