//! The find screen: what a query line finds in all streams, each event with what it did to its stream.
//!
//! The blast radius of a batch is one of its lines: everything of a correlation, with the states before and after.

use std::collections::BTreeMap;

use whodunit_core::api::find::{DiffersOut, FindEnd, FindProgress, SummaryOut};
use whodunit_core::event::Event;
use whodunit_core::ids::{Revision, StreamName};
use whodunit_core::query::Query;

use super::line::{QueryLine, read};
use super::quote::quote;
use super::span::Span;
use super::{App, Asked, Remote};
use crate::client::{Changed, FindQuery, Subject};

/// Rows a page asks for.
pub(crate) const PAGE: usize = 200;
/// Rows kept at most: who looks for more narrows the line.
pub(crate) const ROWS_MAX: usize = 20_000;
/// Events whose changes are asked for at a time.
const CHANGES_AT_A_TIME: usize = 24;
/// Changes kept at most; beyond, they are loaded again where one looks.
const CHANGES_MAX: usize = 2_000;

/// What was found so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Found {
    pub(crate) rows: Vec<Subject>,
    /// Where it goes on.
    pub(crate) next: Option<String>,
    pub(crate) progress: Option<FindProgress>,
    /// What it came to, once the search is over.
    pub(crate) end: Option<FindEnd>,
    /// Whether it was stopped before it was over, or broke off.
    pub(crate) stopped: bool,
    /// How many rows are of pages that came to their end: a further page begins behind them.
    pub(crate) whole: usize,
}

impl Found {
    /// A further page did not come to its end: it is asked for again as a whole.
    pub(crate) fn drop_begun(&mut self) {
        if self.end.is_some() {
            self.rows.truncate(self.whole);
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct FindScreen {
    pub(crate) asked: Asked,
    pub(crate) line: QueryLine,
    /// The line that was asked, with its times in full.
    pub(crate) applied: Query,
    pub(crate) found: Remote<Found>,
    /// Whether what is there is of an earlier search for the same, until the first rows of this one come.
    pub(crate) is_old: bool,
    /// The row to come back to when the same is searched again.
    pub(crate) kept: Option<String>,
    pub(crate) selected: usize,
    pub(crate) changes: BTreeMap<(StreamName, u64), Changed>,
    pub(crate) summary: Remote<SummaryOut>,
    /// The part of the time axis that is taken, to narrow the line to it.
    pub(crate) span: Option<Span>,
    pub(crate) differs: Remote<DiffersOut>,
}

impl FindScreen {
    /// With the line open, before anything was asked.
    pub(crate) fn empty() -> Self {
        Self {
            line: QueryLine::open(),
            ..Self::default()
        }
    }

    pub(crate) fn of(query: Query) -> Self {
        Self {
            line: QueryLine::of(&query.to_string()),
            applied: query,
            found: Remote::Loading(None),
            ..Self::default()
        }
    }

    /// From a line as it was left.
    pub(crate) fn of_line(app: &App, text: &str) -> Self {
        match read(app, text) {
            Ok(query) => Self {
                line: QueryLine::of(text),
                ..Self::of(query)
            },
            Err(error) => Self {
                line: QueryLine {
                    typing: true,
                    error: Some(error),
                    ..QueryLine::of(text)
                },
                ..Self::default()
            },
        }
    }

    pub(crate) fn query(&self, cursor: Option<String>) -> FindQuery {
        FindQuery {
            line: self.applied.to_string(),
            order: None,
            cursor,
            limit: Some(PAGE),
            reveal: false,
        }
    }

    pub(crate) fn rows(&self) -> &[Subject] {
        self.found.value().map_or(&[], |found| &found.rows)
    }

    pub(crate) fn current(&self) -> Option<&Subject> {
        self.rows().get(self.selected)
    }

    pub(crate) fn change(&self, event: &Event) -> Option<&Changed> {
        self.changes.get(&(event.stream.clone(), event.revision.0))
    }

    /// The events in sight whose changes are not known.
    pub(crate) fn unknown_changes(&self, rows: usize) -> Vec<(StreamName, Revision)> {
        let first = self.selected.saturating_sub(rows / 2);
        let in_sight = self.rows().iter().skip(first).take(rows);
        let near = self.current().into_iter().chain(in_sight);
        let events = near.filter_map(|row| match row {
            Subject::Event(event) => Some(event),
            Subject::Decision(_) => None,
        });
        let mut out: Vec<(StreamName, Revision)> = Vec::new();
        for event in events.filter(|event| self.change(event).is_none()) {
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

    /// The search is given up: what was found so far stays.
    pub(crate) fn stop(&mut self, was_searching: bool) {
        if let Some(found) = self.found.value_mut() {
            found.stopped |= was_searching;
            found.drop_begun();
            self.selected = self.selected.min(found.rows.len().saturating_sub(1));
        }
        self.found.settle();
        self.summary.settle();
        self.differs.settle();
        self.line.completion = None;
    }

    /// The command that gives the same answer.
    pub(crate) fn call(&self) -> String {
        call(&self.applied)
    }
}

/// The command that finds what a line says.
pub(crate) fn call(query: &Query) -> String {
    if query.is_everything() {
        return "whodunit find".to_owned();
    }
    format!("whodunit find {}", quote(&query.to_string()))
}

/// What a line can be narrowed by, or freed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Narrowing {
    pub(crate) group: String,
    pub(crate) text: String,
    pub(crate) count: String,
    pub(crate) change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// Takes the term of this index off.
    Off(usize),
    /// Adds a term; with a minus, its opposite.
    Add(String),
    /// It only tells.
    Nothing,
}

/// Terms of the line, values of the facets, and what differs.
pub(crate) fn narrowings(
    query: &Query,
    summary: Option<&SummaryOut>,
    differs: Option<&DiffersOut>,
) -> Vec<Narrowing> {
    use whodunit_core::query::Field;
    let entry = |group: &str, text: String, count: String, change: Change| Narrowing {
        group: group.to_owned(),
        text,
        count,
        change,
    };
    let terms = query.terms().into_iter().enumerate();
    let mut out: Vec<Narrowing> = terms
        .map(|(index, term)| entry("term", term, String::new(), Change::Off(index)))
        .collect();
    for facet in summary.into_iter().flat_map(|summary| &summary.facets) {
        let field = match facet.key.as_str() {
            "type" => Field::Type,
            "actor" => Field::Actor,
            "category" => Field::Category,
            _ => Field::Stream,
        };
        for value in &facet.values {
            let count = crate::text::number(value.events);
            let (text, change) = match &value.value {
                Some(name) => (name.clone(), super::line::term(field, name)),
                None => ("(none)".to_owned(), format!("-{}:*", field.key())),
            };
            out.push(entry(field.key(), text, count, Change::Add(change)));
        }
        if facet.more_events > 0 {
            let text = format!("… {} more", crate::text::number(facet.more_values));
            let count = crate::text::number(facet.more_events);
            out.push(entry(field.key(), text, count, Change::Nothing));
        }
    }
    if let Some(differs) = differs {
        for one in &differs.differences {
            let value = one.value.as_deref().unwrap_or("(none)");
            let count = format!(
                "{}/{} against {}/{}",
                one.selected, differs.selected, one.rest, differs.rest
            );
            let text = format!("{} {value}", one.attribute);
            out.push(entry("differs", text, count, Change::Nothing));
        }
    }
    out
}
