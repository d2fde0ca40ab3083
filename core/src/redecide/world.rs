//! The other world: an overlay of the streams that differ from the record, and of the keys that they hold.
//!
//! Owns both states of each such stream, side by side, and what follows from them: which keys are held otherwise, and where a
//! stream is as it was recorded again (its states are identical), so that it can be left. A stream that was left keeps how many
//! revisions it is ahead or behind.

use std::collections::{HashMap, HashSet, VecDeque};

use super::WorldEnd;
use crate::decide::provisional;
use crate::diff::DiffEntry;
use crate::event::{Event, NewEvent};
use crate::fold::{step, step_with_diff};
use crate::ids::{Revision, StreamName};
use crate::json::{State, Value};
use crate::keys::UniqueKey;
use crate::model::Model;
use crate::time::Timestamp;
use crate::weight::{of_object, of_text};

/// A key within its category.
pub(super) type Key = (String, UniqueKey);

#[derive(Debug)]
pub(super) struct Side {
    pub(super) state: State,
    pub(super) revision: Revision,
    pub(super) keys: Vec<UniqueKey>,
}

/// A stream whose state differs, or may differ.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) actual: Side,
    pub(super) other: Side,
    /// Tells walks along it apart: one that began before it was left is over.
    pub(super) generation: u64,
    weight: usize,
}

/// A stream that was reached.
#[derive(Debug, Default)]
pub(super) struct Reached {
    pub(super) live: Option<Live>,
    /// Revisions ahead of the record, while it is not live.
    shift: i64,
    pub(super) divergence: Divergence,
}

impl Reached {
    /// The revision in the other world that stands for a recorded one, while it is not live.
    pub(super) fn shifted(&self, revision: Revision) -> Revision {
        Revision(revision.0.saturating_add_signed(self.shift))
    }
}

/// Finds the first revision at which two histories say different things.
#[derive(Debug, Default)]
pub(super) struct Divergence {
    pub(super) first: Option<Revision>,
    actual: VecDeque<Event>,
    other: VecDeque<Event>,
}

impl Divergence {
    fn push(&mut self, actual: &[Event], other: &[Event]) {
        if self.first.is_some() {
            return;
        }
        self.actual.extend(actual.iter().cloned());
        self.other.extend(other.iter().cloned());
        while let (Some(actual), Some(other)) = (self.actual.front(), self.other.front()) {
            if !other.says_the_same_as(actual) {
                self.found(other.revision);
                return;
            }
            self.actual.pop_front();
            self.other.pop_front();
        }
    }

    fn found(&mut self, revision: Revision) {
        self.first.get_or_insert(revision);
        self.actual = VecDeque::new();
        self.other = VecDeque::new();
    }

    /// Of the events that are not compared yet.
    fn weight(&self) -> usize {
        let events = self.actual.iter().chain(&self.other);
        events.map(|event| event.data.as_str().len()).sum()
    }

    fn is_settled(&self) -> bool {
        self.actual.is_empty() && self.other.is_empty()
    }

    /// One history may also differ by ending before the other does.
    pub(super) fn end(&mut self) {
        let left = self.actual.front().or(self.other.front());
        if let Some(revision) = left.map(|event| event.revision) {
            self.found(revision);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) streams: HashMap<StreamName, Reached>,
    /// Keys that live streams hold in the other world.
    held: HashMap<Key, HashSet<StreamName>>,
    /// Keys that are held otherwise, with how many live streams hold them otherwise.
    differing: HashMap<Key, usize>,
    differing_by_category: HashMap<String, usize>,
    /// Of all live states.
    pub(super) weight: usize,
    generations: u64,
}

impl World {
    pub(super) fn live(&self, stream: &StreamName) -> Option<&Live> {
        self.streams.get(stream)?.live.as_ref()
    }

    /// The revision in the other world of a stream that is not live.
    pub(super) fn shifted(&self, stream: &StreamName, revision: Revision) -> Revision {
        let reached = self.streams.get(stream);
        reached.map_or(revision, |reached| reached.shifted(revision))
    }

    /// Whether a stream other than `except` holds a key in the other world; `recorded` holds it in the record.
    pub(super) fn is_held(
        &self,
        key: &Key,
        recorded: Option<&StreamName>,
        except: &StreamName,
    ) -> bool {
        let others = self.held.get(key);
        others.is_some_and(|others| others.iter().any(|stream| stream != except))
            || recorded.is_some_and(|holder| holder != except && self.live(holder).is_none())
    }

    pub(super) fn differs(&self, key: &Key) -> bool {
        self.differing.contains_key(key)
    }

    pub(super) fn any_key_differs(&self, category: &str) -> bool {
        self.differing_by_category
            .get(category)
            .is_some_and(|n| *n > 0)
    }

    /// Begins to keep both states of a stream.
    pub(super) fn enter(
        &mut self,
        model: &Model,
        stream: &StreamName,
        state: State,
        at: Revision,
    ) -> u64 {
        self.generations += 1;
        let keys = model.unique_keys(&state);
        for key in &keys {
            let key = (stream.category().to_owned(), key.clone());
            self.held.entry(key).or_default().insert(stream.clone());
        }
        let weight = 2 * of_object(&state);
        self.weight += weight;
        let reached = self.streams.entry(stream.clone()).or_default();
        reached.live = Some(Live {
            other: Side {
                state: state.clone(),
                revision: reached.shifted(at),
                keys: keys.clone(),
            },
            actual: Side {
                state,
                revision: at,
                keys,
            },
            generation: self.generations,
            weight,
        });
        self.generations
    }

    /// Moves a live stream on: by what was recorded, and by what happens in the other world. Answers what that does to its
    /// state there.
    pub(super) fn advance(
        &mut self,
        model: &Model,
        stream: &StreamName,
        (actual, other): (&[Event], &[Event]),
        with_diff: bool,
    ) -> Vec<DiffEntry> {
        let Some(reached) = self.streams.get_mut(stream) else {
            return Vec::new();
        };
        let Some(live) = &mut reached.live else {
            return Vec::new();
        };
        let before = (live.actual.keys.clone(), live.other.keys.clone());
        let mut diff = Vec::new();
        let whole = (with_diff && other.len() > 1).then(|| live.other.state.clone());
        for event in actual {
            step(model, &mut live.actual.state, event);
        }
        for event in other {
            if with_diff && whole.is_none() {
                diff = step_with_diff(model, &mut live.other.state, event).diff;
            } else {
                step(model, &mut live.other.state, event);
            }
        }
        if let Some(whole) = whole {
            diff = crate::diff::diff(&whole, &live.other.state);
        }
        live.actual.revision = Revision(live.actual.revision.0 + actual.len() as u64);
        live.other.revision = Revision(live.other.revision.0 + other.len() as u64);
        live.actual.keys = model.unique_keys(&live.actual.state);
        live.other.keys = model.unique_keys(&live.other.state);
        let brought = actual.iter().chain(other);
        let brought: usize = brought.map(|event| of_text(event.data.as_str())).sum();
        live.weight += brought;
        self.weight += brought;
        reached.divergence.push(actual, other);
        let after = (live.actual.keys.clone(), live.other.keys.clone());
        self.keys_changed(stream, &before, &after);
        diff
    }

    /// Weighs all live states as they are: what events bring was only added up.
    pub(super) fn weigh_again(&mut self) {
        self.weight = 0;
        for reached in self.streams.values_mut() {
            let pending = reached.divergence.weight();
            if let Some(live) = &mut reached.live {
                let states = of_object(&live.actual.state) + of_object(&live.other.state);
                live.weight = states + pending;
                self.weight += live.weight;
            }
        }
    }

    fn keys_changed(
        &mut self,
        stream: &StreamName,
        before: &(Vec<UniqueKey>, Vec<UniqueKey>),
        after: &(Vec<UniqueKey>, Vec<UniqueKey>),
    ) {
        if before == after {
            return;
        }
        let category = stream.category();
        for key in &before.1 {
            let key = (category.to_owned(), key.clone());
            if let Some(holders) = self.held.get_mut(&key) {
                holders.remove(stream);
                if holders.is_empty() {
                    self.held.remove(&key);
                }
            }
        }
        for key in &after.1 {
            let key = (category.to_owned(), key.clone());
            self.held.entry(key).or_default().insert(stream.clone());
        }
        for key in held_otherwise(before) {
            let key = (category.to_owned(), key.clone());
            if let Some(count) = self.differing.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.differing.remove(&key);
                    if let Some(n) = self.differing_by_category.get_mut(category) {
                        *n -= 1;
                    }
                }
            }
        }
        for key in held_otherwise(after) {
            let key = (category.to_owned(), key.clone());
            let count = self.differing.entry(key).or_insert(0);
            *count += 1;
            if *count == 1 {
                *self
                    .differing_by_category
                    .entry(category.to_owned())
                    .or_insert(0) += 1;
            }
        }
    }

    /// The keys that a live stream holds otherwise than recorded.
    pub(super) fn held_otherwise(&self, stream: &StreamName) -> Vec<Key> {
        let Some(live) = self.live(stream) else {
            return Vec::new();
        };
        let keys = (live.actual.keys.clone(), live.other.keys.clone());
        let category = stream.category();
        held_otherwise(&keys)
            .map(|key| (category.to_owned(), key.clone()))
            .collect()
    }

    /// How the streams that were reached end, by name.
    pub(super) fn into_ends(self) -> Vec<WorldEnd> {
        let mut ends: Vec<WorldEnd> = self
            .streams
            .into_iter()
            .map(|(stream, mut reached)| {
                reached.divergence.end();
                WorldEnd {
                    stream,
                    first_divergence: reached.divergence.first,
                    state: reached.live.map(|live| live.other.state),
                }
            })
            .collect();
        ends.sort_unstable_by(|a, b| a.stream.cmp(&b.stream));
        ends
    }

    /// Leaves a stream whose states are identical again. Whether it was left.
    pub(super) fn leave_if_as_recorded(&mut self, stream: &StreamName) -> bool {
        let Some(reached) = self.streams.get_mut(stream) else {
            return false;
        };
        let is_again = reached.divergence.is_settled()
            && reached
                .live
                .as_ref()
                .is_some_and(|live| identical_objects(&live.actual.state, &live.other.state));
        if !is_again {
            return false;
        }
        let Some(live) = reached.live.take() else {
            return false;
        };
        reached.shift = revisions_ahead(&live);
        self.weight = self.weight.saturating_sub(live.weight);
        for key in live.other.keys {
            let key = (stream.category().to_owned(), key);
            if let Some(holders) = self.held.get_mut(&key) {
                holders.remove(stream);
                if holders.is_empty() {
                    self.held.remove(&key);
                }
            }
        }
        true
    }
}

fn revisions_ahead(live: &Live) -> i64 {
    let (other, actual) = (live.other.revision.0, live.actual.revision.0);
    if other >= actual {
        i64::try_from(other - actual).unwrap_or(i64::MAX)
    } else {
        i64::try_from(actual - other).map_or(i64::MIN, |behind| -behind)
    }
}

fn held_otherwise(
    (actual, other): &(Vec<UniqueKey>, Vec<UniqueKey>),
) -> impl Iterator<Item = &UniqueKey> {
    let gone = actual.iter().filter(|key| !other.contains(key));
    gone.chain(other.iter().filter(|key| !actual.contains(key)))
}

/// Whether two states are spelt alike, order of keys included: then whatever is decided on one is decided on the other, to the
/// byte.
fn identical_objects(a: &State, b: &State) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|((a_key, a), (b_key, b))| a_key == b_key && identical(a, b))
}

fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => identical_objects(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| identical(a, b))
        }
        (a, b) => a == b,
    }
}

/// A new event as it stands in the other world.
pub(super) fn in_other_world(
    model: &Model,
    stream: &StreamName,
    revision: Revision,
    event: &NewEvent,
    at: Timestamp,
    id: impl FnOnce() -> String,
) -> Event {
    let mut event = provisional(model, stream, revision, event, at);
    if event.event_id.is_empty() {
        event.event_id = id();
    }
    event
}
