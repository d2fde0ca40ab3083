//! The find screen: events of all streams that match a query line, each with what it did to its stream.
//!
//! The blast radius of a batch is one of its queries: everything of a correlation, with the states before and after.

use std::collections::BTreeMap;

use tui_input::Input;
use whodunit_core::event::Event;
use whodunit_core::ids::{Revision, StreamName};

use super::log::parse_filter;
use super::quote::quote;
use super::{Asked, Remote};
use crate::client::{Changed, EventsQuery, Order};

/// Events a page asks for.
pub(crate) const PAGE: usize = 200;
/// Events whose changes are asked for at a time.
const CHANGES_AT_A_TIME: usize = 24;
/// Changes kept at most; beyond, they are loaded again where one looks.
const CHANGES_MAX: usize = 2_000;

/// The events found so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Found {
    pub(crate) events: Vec<Event>,
    pub(crate) next: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FindScreen {
    pub(crate) asked: Asked,
    pub(crate) input: Input,
    /// Whether keys go into the query line.
    pub(crate) typing: bool,
    pub(crate) error: Option<String>,
    /// What the events found answer.
    pub(crate) applied: EventsQuery,
    pub(crate) found: Remote<Found>,
    pub(crate) selected: usize,
    pub(crate) changes: BTreeMap<(StreamName, u64), Changed>,
}

impl FindScreen {
    /// With the line open, before anything was asked.
    pub(crate) fn empty() -> Self {
        Self {
            typing: true,
            ..Self::default()
        }
    }

    pub(crate) fn of(query: EventsQuery) -> Self {
        Self {
            input: Input::new(line(&query)),
            applied: query,
            found: Remote::Loading(None),
            ..Self::default()
        }
    }

    /// From a line as it was left.
    pub(crate) fn of_line(text: &str, now: whodunit_core::time::Timestamp) -> Self {
        match parse_filter(text, now) {
            Ok(query) => Self {
                input: Input::new(text.to_owned()),
                ..Self::of(query)
            },
            Err(_) => Self {
                input: Input::new(text.to_owned()),
                ..Self::empty()
            },
        }
    }

    pub(crate) fn query(&self) -> EventsQuery {
        EventsQuery {
            order: Order::Backward,
            limit: Some(PAGE),
            ..self.applied.clone()
        }
    }

    pub(crate) fn events(&self) -> &[Event] {
        self.found.value().map_or(&[], |found| &found.events)
    }

    pub(crate) fn current(&self) -> Option<&Event> {
        self.events().get(self.selected)
    }

    pub(crate) fn change(&self, event: &Event) -> Option<&Changed> {
        self.changes.get(&(event.stream.clone(), event.revision.0))
    }

    /// The events in sight whose changes are not known.
    pub(crate) fn unknown_changes(&self, rows: usize) -> Vec<(StreamName, Revision)> {
        let first = self.selected.saturating_sub(rows / 2);
        let in_sight = self.events().iter().skip(first).take(rows);
        let near = self
            .events()
            .iter()
            .skip(self.selected)
            .take(1)
            .chain(in_sight);
        let mut out: Vec<(StreamName, Revision)> = Vec::new();
        for event in near.filter(|event| self.change(event).is_none()) {
            let key = (event.stream.clone(), event.revision);
            if out.len() < CHANGES_AT_A_TIME && !out.contains(&key) {
                out.push(key);
            }
        }
        out
    }

    pub(crate) fn add_changes(&mut self, changes: Vec<Changed>) {
        if self.changes.len() + changes.len() > CHANGES_MAX {
            self.changes.clear();
        }
        for change in changes {
            let key = (change.stream.clone(), change.revision.0);
            self.changes.insert(key, change);
        }
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        call(&self.applied)
    }
}

/// The command that lists the events of a query.
pub(crate) fn call(query: &EventsQuery) -> String {
    let options = parts(query).map(|(name, value)| {
        let name = if name.is_empty() { "text" } else { name };
        format!(" --{name} {}", quote(&value))
    });
    format!("whodunit events{}", options.collect::<String>())
}

/// A query as the line that asks it.
pub(crate) fn line(query: &EventsQuery) -> String {
    let words = parts(query).map(|(name, value)| {
        let is_plain = !value.contains([' ', '"']) && !value.is_empty();
        match (name, is_plain) {
            ("", _) => value,
            (name, true) => format!("{name}:{value}"),
            (name, false) => format!("{name}:\"{}\"", value.replace('"', "\\\"")),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn parts(query: &EventsQuery) -> impl Iterator<Item = (&'static str, String)> {
    let parts = [
        ("category", query.category.clone()),
        ("type", query.event_type.clone()),
        ("actor", query.actor.clone()),
        ("correlation", query.correlation.clone()),
        ("since", query.since.map(|time| time.to_string())),
        ("until", query.until.map(|time| time.to_string())),
        ("", query.text.clone()),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_comes_back_from_its_line() {
        let query = EventsQuery {
            actor: Some("job: \"night\" scan".to_owned()),
            correlation: Some("fraud-scan-2025-03-20".to_owned()),
            text: Some("free text".to_owned()),
            ..EventsQuery::default()
        };
        let now = crate::testing::now();
        assert_eq!(parse_filter(&line(&query), now), Ok(query.clone()));
        assert_eq!(
            call(&query),
            "whodunit events --actor 'job: \"night\" scan' --correlation fraud-scan-2025-03-20 --text 'free text'"
        );
    }
}
