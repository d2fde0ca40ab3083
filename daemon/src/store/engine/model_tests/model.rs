//! What a store knows, kept as plainly as possible, and the promises of an append, written down without the store's code.

use std::collections::{BTreeMap, HashMap};

use whodunit_core::decide::KeyChange;
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::keys::UniqueKey;
use whodunit_core::time::Timestamp;

use crate::store::Append;

/// Holder, since, until.
pub(super) type Hold = (StreamName, u64, Option<u64>);

/// What a store knows, kept as plainly as possible.
#[derive(Default)]
pub(super) struct Model {
    pub(super) log: Vec<Event>,
    /// (Stream, command id, rule when rejected), by sequence.
    pub(super) decisions: Vec<(StreamName, String, Option<String>)>,
    /// (Category, key value) → who held it, in order.
    pub(super) holds: HashMap<(String, String), Vec<Hold>>,
    pub(super) snapshots: BTreeMap<(StreamName, u64), Vec<u8>>,
}

/// How an append ends.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    Wrote { revision: u64, events: usize },
    Rejected(String),
    Repeated,
    Refused(&'static str),
}

impl Model {
    pub(super) fn of<'a>(
        &'a self,
        stream: &'a StreamName,
    ) -> impl DoubleEndedIterator<Item = &'a Event> {
        self.log.iter().filter(move |event| event.stream == *stream)
    }

    pub(super) fn revision(&self, stream: &StreamName) -> u64 {
        self.of(stream).next_back().map_or(0, |e| e.revision.0)
    }

    pub(super) fn holder(&self, category: &str, key: &str, at: u64) -> Option<&StreamName> {
        let holds = self.holds.get(&(category.to_owned(), key.to_owned()))?;
        let held = |(_, since, until): &&(_, u64, Option<u64>)| {
            *since <= at && until.is_none_or(|until| at < until)
        };
        holds.iter().find(held).map(|(stream, ..)| stream)
    }

    pub(super) fn effective(&self, stream: &StreamName, revision: u64) -> Timestamp {
        let until = self.of(stream).filter(|event| event.revision.0 <= revision);
        until.map(|event| event.recorded_at).max().unwrap()
    }

    /// The streams that held a key at a time, each by its own effective times.
    pub(super) fn holders_as_of(
        &self,
        category: &str,
        key: &str,
        moment: Timestamp,
    ) -> Vec<&StreamName> {
        let at = |stream: &StreamName, position: u64| {
            let event = self.log.iter().find(|e| e.position.0 == position).unwrap();
            self.effective(stream, event.revision.0)
        };
        let holds = self.holds.get(&(category.to_owned(), key.to_owned()));
        let held = |(stream, since, until): &&Hold| {
            at(stream, *since) <= moment && until.is_none_or(|until| at(stream, until) > moment)
        };
        let holds = holds.into_iter().flatten().filter(held);
        holds.map(|(stream, ..)| stream).collect()
    }

    /// The promises of `Store::append`, in the order in which they are checked.
    pub(super) fn append(&mut self, append: &Append) -> End {
        if append.events.is_empty() && append.decision.is_none() {
            return End::Refused("malformed");
        }
        if let Some(decided) = &append.decision {
            let id = &decided.command.command_id;
            if let Some((stream, ..)) = self.decisions.iter().find(|(_, known, _)| known == id) {
                return if *stream == append.stream {
                    End::Repeated
                } else {
                    End::Refused("command id")
                };
            }
        }
        match self.known_events(append) {
            Err(refused) => return refused,
            Ok(true) => return End::Repeated,
            Ok(false) => {}
        }
        let head = self.revision(&append.stream);
        if !append.expected.admits(Revision(head)) {
            return End::Refused("revision");
        }
        let rejection = append.decision.as_ref().and_then(|d| d.rejection.clone());
        let taken = append
            .keys
            .iter()
            .filter(|change| change.taken)
            .any(|change| {
                self.holder(append.stream.category(), &change.key.value, u64::MAX)
                    .is_some_and(|holder| *holder != append.stream)
            });
        let rule = match (rejection, taken, &append.decision) {
            (Some(rejection), ..) => Some(rejection.rule),
            (None, true, None) => return End::Refused("key"),
            (None, true, Some(_)) => Some("email.taken".to_owned()),
            (None, false, _) => None,
        };
        if let Some(decided) = &append.decision {
            let id = decided.command.command_id.clone();
            let stream = append.stream.clone();
            self.decisions.push((stream, id, rule.clone()));
        }
        match rule {
            Some(rule) => End::Rejected(rule),
            None => self.write(append, head),
        }
    }

    /// Whether all the events are on record as they are given.
    pub(super) fn known_events(&self, append: &Append) -> Result<bool, End> {
        let given: Vec<_> = append
            .events
            .iter()
            .filter_map(|e| e.event_id.as_ref())
            .collect();
        let twice = (1..given.len()).any(|n| given[..n].contains(&given[n]));
        let places: Vec<_> = given
            .iter()
            .filter_map(|id| self.log.iter().find(|event| event.event_id == **id))
            .collect();
        if places.is_empty() && !twice {
            return Ok(false);
        }
        let whole = places.len() == append.events.len()
            && append.decision.is_none()
            && places.iter().all(|event| event.stream == append.stream)
            && places
                .windows(2)
                .all(|pair| pair[0].revision.next() == pair[1].revision);
        if twice || !whole {
            return Err(End::Refused("event id"));
        }
        Ok(true)
    }

    pub(super) fn write(&mut self, append: &Append, head: u64) -> End {
        let mut fresh = append.fresh_ids.iter();
        for (n, new) in (1..).zip(&append.events) {
            self.log.push(Event {
                position: Position(self.log.len() as u64 + 1),
                stream: append.stream.clone(),
                revision: Revision(head + n),
                event_id: new
                    .event_id
                    .clone()
                    .or_else(|| fresh.next().cloned())
                    .unwrap(),
                event_type: new.event_type.clone(),
                schema_version: 1,
                recorded_at: append.now,
                actor: new.actor.clone(),
                reason: new.reason.clone(),
                correlation_id: new.correlation_id.clone(),
                causation_id: new.causation_id.clone(),
                data: new.data.clone(),
                metadata: new.metadata.clone(),
            });
        }
        let position = self.log.len() as u64;
        let place = |key: &UniqueKey| (append.stream.category().to_owned(), key.value.clone());
        if !append.events.is_empty() {
            for KeyChange { key, .. } in append.keys.iter().filter(|change| !change.taken) {
                for hold in self.holds.entry(place(key)).or_default() {
                    if hold.0 == append.stream && hold.2.is_none() {
                        hold.2 = Some(position);
                    }
                }
            }
            for KeyChange { key, .. } in append.keys.iter().filter(|change| change.taken) {
                if self
                    .holder(append.stream.category(), &key.value, u64::MAX)
                    .is_none()
                {
                    let holds = self.holds.entry(place(key)).or_default();
                    holds.push((append.stream.clone(), position, None));
                }
            }
        }
        End::Wrote {
            revision: head + append.events.len() as u64,
            events: append.events.len(),
        }
    }
}
