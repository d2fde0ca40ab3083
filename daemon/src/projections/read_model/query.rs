//! Queries: documents of a read model, in an order, by what they say.
//!
//! Owns which index is walked and where a page goes on. A cursor names the sort value and key of the last document seen,
//! and how far the read model was at the first page: documents that have changed since stand where they stood then, so
//! that pages neither skip nor repeat one, whichever changes. What is searched is what is stored, and no
//! secret is.

mod walk;

use std::fmt::Write;

use serde_json::Value;
use whodunit_core::ids::Position;
use whodunit_core::json::{State, at};
use whodunit_core::same::same;
use whodunit_core::search::Search;
use whodunit_core::stop::Stop;

use super::super::error::ProjectionError;
use super::super::projection::{Field, Projection, SORT_BYTES_MAX};
use super::apply::Rules;
use super::moved::moved_since;
use super::read_view::ReadView;
use super::record::Document;
use crate::store::{Direction, Store};

use walk::{Walk, by_index, by_key};

/// Which documents are wanted, in which order. Everything given must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct DocumentQuery {
    /// Occurs in a text of the document that is searched, or in its key, without regard to case.
    pub(crate) text: Option<Search>,
    /// Whole values of fields.
    pub(crate) fields: Vec<(Field, String)>,
    /// Exactly this category.
    pub(crate) category: Option<String>,
    /// Values at JSON Pointers.
    pub(crate) filters: Vec<Filter>,
    /// The order, by the name of a sort; by key when absent, unless a field is given, whose own order it is then.
    pub(crate) sort: Option<&'static str>,
    /// Which way it runs.
    pub(crate) order: Direction,
    /// Where to go on.
    pub(crate) cursor: Option<DocumentCursor>,
    /// Documents at most.
    pub(crate) limit: usize,
}

/// A value at a JSON Pointer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter {
    /// Where.
    pub(crate) pointer: String,
    /// Which; `null` also where there is nothing.
    pub(crate) value: Value,
}

/// The last document that was looked at, by its place in the order of the first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentCursor {
    /// The checkpoint at the first page.
    since: Position,
    value: Vec<u8>,
    key: String,
}

/// A page of documents.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) documents: Vec<(String, Document)>,
    pub(crate) next: Option<DocumentCursor>,
    pub(crate) scanned: u64,
}

impl DocumentQuery {
    /// The index to walk; `None` for the documents by key.
    fn index(&self) -> Option<&'static str> {
        match self.sort {
            Some("key") => None,
            Some(sort) => Some(sort),
            None => self.fields.first().map(|(field, _)| field.name),
        }
    }

    /// The one sort value that the walk may keep to.
    fn only_value(&self) -> Option<Vec<u8>> {
        let index = self.index()?;
        let (_, wanted) = self.fields.iter().find(|(field, _)| field.name == index)?;
        let mut value = wanted.clone().into_bytes();
        value.truncate(SORT_BYTES_MAX);
        Some(value)
    }

    /// A cursor as text: way, order, checkpoint of the first page, sort value in hexadecimal, key.
    pub(crate) fn cursor_text(&self, cursor: &DocumentCursor) -> String {
        let mut text = self.cursor_head();
        let _ = write!(text, "{}.", cursor.since);
        for byte in &cursor.value {
            // Writing into a text cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text + ":" + &cursor.key
    }

    /// Reads a cursor of this order back.
    pub(crate) fn read_cursor(&self, text: &str) -> Option<DocumentCursor> {
        let rest = text.strip_prefix(&self.cursor_head())?;
        let (place, key) = rest.split_once(':')?;
        let (since, hex) = place.split_once('.')?;
        let digits: Option<Vec<u8>> = hex
            .chars()
            .map(|digit| {
                digit
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok())
            })
            .collect();
        let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
        let pairs = digits.chunks_exact(2);
        Some(DocumentCursor {
            since: Position(since.parse().ok()?),
            value: pairs.map(|pair| pair[0] << 4 | pair[1]).collect(),
            key: key.to_owned(),
        })
    }

    fn cursor_head(&self) -> String {
        let way = match self.order {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        format!("{way}{}:", self.index().unwrap_or("key"))
    }

    fn passes(&self, projection: &dyn Projection, key: &str, document: &Document) -> bool {
        let state = &document.state;
        let of_category = |category: &String| {
            key.strip_prefix(category.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        self.category.as_ref().is_none_or(of_category)
            && self
                .fields
                .iter()
                .all(|(field, wanted)| (field.value)(state).as_ref() == Some(wanted))
            && self.filters.iter().all(|filter| filter.holds(state))
            && self
                .text
                .as_ref()
                .is_none_or(|text| mentions(projection, key, state, text))
    }
}

impl Filter {
    fn holds(&self, state: &State) -> bool {
        match at(state, &self.pointer) {
            None => self.value.is_null(),
            Some(value) => same(value, &self.value),
        }
    }
}

fn mentions(projection: &dyn Projection, key: &str, state: &State, text: &Search) -> bool {
    let mut found = text.in_text(key);
    projection.texts(state, &mut |value| {
        found = found || text.in_text(value);
    });
    found
}

/// The next documents that a query asks for.
pub(crate) fn documents(
    read_view: &ReadView,
    rules: &Rules,
    store: &dyn Store,
    query: &DocumentQuery,
    stop: &Stop,
) -> Result<Found, ProjectionError> {
    let checkpoint = read_view.meta.checkpoint;
    let since = query.cursor.as_ref().map_or(checkpoint, |last| last.since);
    let mut walk = Walk {
        projection: rules.projection.as_ref(),
        query,
        stop,
        since,
        found: Found::default(),
        bytes: 0,
        last: query.cursor.clone(),
    };
    match query.index() {
        None => by_key(read_view, &mut walk)?,
        Some(index) => {
            let sort = rules.projection.sorts().iter();
            let sort = sort.copied().find(|sort| sort.name == index);
            // In an order that documents do not move in, they stand where they always have.
            let moved = match sort.filter(|sort| !sort.fixed) {
                Some(sort) if since < checkpoint => {
                    Some(moved_since(read_view, rules, store, &sort, since, stop)?)
                }
                _ => None,
            };
            by_index(read_view, index, moved, &mut walk)?;
        }
    }
    Ok(walk.found)
}
