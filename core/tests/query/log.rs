//! Random logs, and a log as the context of a query line: everything by looking at all of it.

use std::convert::Infallible;

use serde_json::json;
use whodunit_core::event::Event;
use whodunit_core::fold::fold;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::json::Json;
use whodunit_core::model::Model;
use whodunit_core::predicate::{Predicate, Scope};
use whodunit_core::query::{Answer, Context, Neighbour, Subject, Towards, Within};
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
            let stream = random.pick(&["order-1", "order-2", "user-1", "lone"]);
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

/// The log as a context: everything by looking at all of it.
pub(crate) struct Log<'a> {
    pub(crate) events: &'a [Event],
    pub(crate) model: Model,
}

impl Log<'_> {
    fn beside(&self, of: &Event, within: Within) -> Vec<&Event> {
        let mut found: Vec<&Event> = match within {
            Within::Stream => self
                .events
                .iter()
                .filter(|e| e.stream == of.stream)
                .collect(),
            Within::Correlation => self
                .events
                .iter()
                .filter(|e| {
                    e.position == of.position
                        || e.correlation_id.is_some() && e.correlation_id == of.correlation_id
                })
                .collect(),
        };
        match within {
            Within::Stream => found.sort_by_key(|e| e.revision),
            Within::Correlation => found.sort_by_key(|e| (e.recorded_at, e.position)),
        }
        found
    }
}

impl Context for Log<'_> {
    type Error = Infallible;

    fn model(&self, _: &StreamName) -> Model {
        self.model.clone()
    }

    fn condition(&mut self, predicate: &Predicate, at: Subject<'_>) -> Result<Answer, Infallible> {
        let Subject::Event(event) = at else {
            panic!("only events are asked about")
        };
        let up_to = |last: u64| {
            let own = self
                .events
                .iter()
                .filter(|e| e.stream == event.stream && e.revision.0 <= last);
            fold(&self.model, own).state
        };
        let (before, state) = (up_to(event.revision.0 - 1), up_to(event.revision.0));
        let scope = Scope::new(&self.model, &state)
            .with_event(Some(event))
            .with_before(Some(&before));
        Ok(Answer::of_condition(predicate.evaluate(&scope)))
    }

    fn neighbour(
        &mut self,
        of: Subject<'_>,
        within: Within,
        towards: Towards,
        steps: u64,
    ) -> Result<Neighbour, Infallible> {
        let Subject::Event(event) = of else {
            panic!("only events are asked about")
        };
        let beside = self.beside(event, within);
        let own = beside
            .iter()
            .position(|e| e.position == event.position)
            .unwrap();
        let steps = usize::try_from(steps).unwrap();
        let index = match towards {
            Towards::Before => own.checked_sub(steps),
            Towards::After => Some(own + steps),
        };
        let found = index.and_then(|index| beside.get(index));
        Ok(found.map_or(Neighbour::End, |event| {
            Neighbour::Event(Box::new((*event).clone()))
        }))
    }

    fn is_in_time_order(&mut self, of: Subject<'_>, within: Within) -> Result<bool, Infallible> {
        let Subject::Event(event) = of else {
            panic!("only events are asked about")
        };
        let beside = self.beside(event, within);
        Ok(beside.is_sorted_by_key(|e| e.recorded_at))
    }
}
