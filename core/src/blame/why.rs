//! Why: the chain of causes behind a field's value.
//!
//! Owns the walk: from the event that set the value to the command or event that caused it, and on, up to the first cause
//! on record. At each it looks whether the value stands there too: as long as it does, it was copied on.

use std::collections::HashSet;

use serde_json::Value;

use crate::command::Decision;
use crate::event::Event;
use crate::json::pointer_token;
use crate::same::same;

/// Causes of a chain at most.
pub const HOPS_MAX: usize = 100;

/// What is on record under an id.
pub trait Causes {
    /// Why something could not be looked up.
    type Error;

    /// The event of this id.
    fn event(&mut self, event_id: &str) -> Result<Option<Event>, Self::Error>;

    /// The decision of the command of this id.
    fn decision(&mut self, command_id: &str) -> Result<Option<Decision>, Self::Error>;
}

/// A cause.
#[derive(Debug, Clone, PartialEq)]
pub enum Link {
    /// An event.
    Event(Box<Event>),
    /// A command, with its outcome.
    Command(Box<Decision>),
}

impl Link {
    /// The event's or the command's id.
    pub fn id(&self) -> &str {
        match self {
            Self::Event(event) => &event.event_id,
            Self::Command(decision) => &decision.command_id,
        }
    }

    fn causation_id(&self) -> Option<&str> {
        match self {
            Self::Event(event) => event.causation_id.as_deref(),
            Self::Command(decision) => decision.causation_id.as_deref(),
        }
    }

    fn payload(&self) -> Value {
        match self {
            Self::Event(event) => event.data.to_value(),
            Self::Command(decision) => decision.payload.to_value(),
        }
    }
}

/// A cause in a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Hop {
    /// The cause.
    pub link: Link,
    /// Where the value stands in its data or payload, as a JSON Pointer; `None` where it does not.
    pub pointer: Option<String>,
    /// Whether it has the value from its own cause and gave it on: nothing was decided about it here.
    pub is_copy: bool,
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainEnd {
    /// The last cause names none of its own.
    First,
    /// The last cause names one that is not on record.
    NotOnRecord(String),
    /// The last cause names one that is in the chain already.
    Cycle(String),
    /// There are more than [`HOPS_MAX`] causes.
    Cut,
}

/// The causes behind a value, from the event that set it to the first one.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    /// The causes; the first is the event that set the value.
    pub hops: Vec<Hop>,
    /// Where it ends.
    pub end: ChainEnd,
}

impl Chain {
    /// The causes without those that only copied the value on.
    pub fn telling(&self) -> impl Iterator<Item = &Hop> {
        self.hops.iter().filter(|hop| !hop.is_copy)
    }
}

/// Finds the chain behind a value that an event set. `name` is the last key of the field's path.
pub fn why<C: Causes>(
    causes: &mut C,
    event: Event,
    name: &str,
    value: &Value,
) -> Result<Chain, C::Error> {
    let mut hops = Vec::new();
    let mut known = HashSet::new();
    let mut link = Link::Event(Box::new(event));
    let end = loop {
        known.insert(link.id().to_owned());
        let next = link.causation_id().map(str::to_owned);
        hops.push(Hop {
            pointer: find(&link.payload(), name, value),
            link,
            is_copy: false,
        });
        let Some(next) = next else {
            break ChainEnd::First;
        };
        if known.contains(&next) {
            break ChainEnd::Cycle(next);
        }
        if hops.len() == HOPS_MAX {
            break ChainEnd::Cut;
        }
        link = match causes.decision(&next)? {
            Some(decision) => Link::Command(Box::new(decision)),
            None => match causes.event(&next)? {
                Some(event) => Link::Event(Box::new(event)),
                None => break ChainEnd::NotOnRecord(next),
            },
        };
    };
    mark_copies(&mut hops);
    Ok(Chain { hops, end })
}

/// The first hop is told in any case; of those that have the value one after the other, the last one is where it comes from.
fn mark_copies(hops: &mut [Hop]) {
    let has: Vec<bool> = hops.iter().map(|hop| hop.pointer.is_some()).collect();
    let unbroken = has.iter().take_while(|has| **has).count();
    for (index, hop) in hops.iter_mut().enumerate() {
        hop.is_copy = index > 0 && index + 1 < unbroken;
    }
}

/// Where a value stands in a payload: under its own name, or else anywhere, if it is one that is not met by chance.
fn find(payload: &Value, name: &str, value: &Value) -> Option<String> {
    let mut path = String::new();
    search(payload, &mut path, &mut |key, found| {
        key == name && same(found, value)
    })
    .or_else(|| {
        tells(value).then(|| search(payload, &mut path, &mut |_, found| same(found, value)))?
    })
}

/// Whether a value is unlikely to stand somewhere by chance.
fn tells(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > 2,
        Value::Number(number) => number.as_str().len() > 2,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Null | Value::Bool(_) => false,
    }
}

fn search(
    value: &Value,
    path: &mut String,
    fits: &mut impl FnMut(&str, &Value) -> bool,
) -> Option<String> {
    let length = path.len();
    let mut visit = |key: &str, inner: &Value, path: &mut String| {
        path.push('/');
        path.push_str(&pointer_token(key));
        let found = if fits(key, inner) {
            Some(path.clone())
        } else {
            search(inner, path, fits)
        };
        path.truncate(length);
        found
    };
    match value {
        Value::Object(map) => map.iter().find_map(|(key, inner)| visit(key, inner, path)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, inner)| visit(&index.to_string(), inner, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
