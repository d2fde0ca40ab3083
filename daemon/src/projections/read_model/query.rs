//! Queries: documents of a read model, in an order, by what they say.
//!
//! Owns which index is walked and where a page goes on. A cursor names the sort value and key of the last document seen,
//! and how far the read model was at the first page: documents that have changed since stand where they stood then, so
//! that pages neither skip nor repeat one, whichever changes. What is searched is what is stored, and no
//! secret is.

use std::fmt::Write;
use std::ops::Bound;

use serde_json::Value;
use whodunit_core::ids::Position;
use whodunit_core::json::{State, at};
use whodunit_core::same::same;
use whodunit_core::search::Search;
use whodunit_core::stop::Stop;

use super::super::error::ProjectionError;
use super::super::projection::{Field, Projection, SORT_BYTES_MAX};
use super::apply::Rules;
use super::file::{DOCUMENTS, INDEX, engine};
use super::moved::{Place, moved_since};
use super::read_view::ReadView;
use super::record::{Document, decode_document, position_of};
use crate::limits::{PAGE_BYTES_MAX, SCAN_ENTRIES_MAX};
use crate::store::{Direction, Store};

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
                .is_some_and(|rest| rest.starts_with('-'))
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

struct Walk<'q> {
    projection: &'q dyn Projection,
    query: &'q DocumentQuery,
    stop: &'q Stop,
    since: Position,
    found: Found,
    bytes: usize,
    last: Option<DocumentCursor>,
}

impl Walk<'_> {
    /// Whether the page is full: there is more, and it is not looked at.
    fn is_full(&mut self) -> bool {
        let full = self.found.documents.len() >= self.query.limit
            || self.bytes >= PAGE_BYTES_MAX
            || self.found.scanned >= SCAN_ENTRIES_MAX;
        if full {
            self.found.next = self.last.take();
        }
        full
    }

    fn look(
        &mut self,
        value: &[u8],
        key: &str,
        record: &[u8],
        wanted: bool,
    ) -> Result<(), ProjectionError> {
        self.stop
            .check()
            .map_err(|_stopped| ProjectionError::Stopped)?;
        self.found.scanned += 1;
        let document = decode_document(key, record)?;
        if wanted && self.query.passes(self.projection, key, &document) {
            self.bytes += record.len();
            self.found.documents.push((key.to_owned(), document));
        }
        self.last = Some(DocumentCursor {
            since: self.since,
            value: value.to_owned(),
            key: key.to_owned(),
        });
        Ok(())
    }
}

/// The bounds of a walk from one end or the other, beginning after a cursor.
fn bounds<K>(
    (low, high): (Bound<K>, Bound<K>),
    cursor: Option<K>,
    order: Direction,
) -> (Bound<K>, Bound<K>) {
    match (cursor, order) {
        (None, _) => (low, high),
        (Some(cursor), Direction::Forward) => (Bound::Excluded(cursor), high),
        (Some(cursor), Direction::Backward) => (low, Bound::Excluded(cursor)),
    }
}

/// Whether bounds hold nothing: the engine does not take those that cross.
fn is_empty<K: Ord>(bounds: &(Bound<K>, Bound<K>)) -> bool {
    match bounds {
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (
            Bound::Included(low) | Bound::Excluded(low),
            Bound::Included(high) | Bound::Excluded(high),
        ) => low >= high,
    }
}

fn by_key(read_view: &ReadView, walk: &mut Walk<'_>) -> Result<(), ProjectionError> {
    let doing = "reading the documents";
    let documents = read_view.txn.open_table(DOCUMENTS).map_err(engine(doing))?;
    let query = walk.query;
    // The documents of a category are neighbours, between `category-` and the next character after `-`.
    let ends = query
        .category
        .as_ref()
        .map(|category| (format!("{category}-"), format!("{category}.")));
    let ends = match &ends {
        Some((low, high)) => (
            Bound::Included(low.as_str()),
            Bound::Excluded(high.as_str()),
        ),
        None => (Bound::Unbounded, Bound::Unbounded),
    };
    let cursor = query.cursor.as_ref().map(|cursor| cursor.key.as_str());
    let range = bounds(ends, cursor, query.order);
    if is_empty(&range) {
        return Ok(());
    }
    let mut entries = documents.range::<&str>(range).map_err(engine(doing))?;
    while let Some(entry) = match query.order {
        Direction::Forward => entries.next(),
        Direction::Backward => entries.next_back(),
    } {
        if walk.is_full() {
            break;
        }
        let (key, record) = entry.map_err(engine(doing))?;
        walk.look(&[], key.value(), record.value(), true)?;
    }
    Ok(())
}

/// The places of an index's walk.
type IndexPlace<'a> = (&'a str, &'a [u8], &'a str);

fn by_index(
    read_view: &ReadView,
    name: &'static str,
    moved: Option<Vec<Place>>,
    walk: &mut Walk<'_>,
) -> Result<(), ProjectionError> {
    let doing = "reading an index";
    let index = read_view.txn.open_table(INDEX).map_err(engine(doing))?;
    let documents = read_view.txn.open_table(DOCUMENTS).map_err(engine(doing))?;
    let query = walk.query;
    let only = query.only_value();
    // The smallest name or value after another is that one and a zero.
    let after_name = format!("{name}\0");
    let after_value = only.clone().map(|mut value| {
        value.push(0);
        value
    });
    let (low, high): (IndexPlace<'_>, IndexPlace<'_>) = match (&only, &after_value) {
        (Some(only), Some(after)) => ((name, only, ""), (name, after, "")),
        _ => ((name, &[], ""), (&after_name, &[], "")),
    };
    let cursor = query
        .cursor
        .as_ref()
        .map(|cursor| (name, cursor.value.as_slice(), cursor.key.as_str()));
    let ends = (Bound::Included(low), Bound::Excluded(high));
    let range = bounds(ends, cursor, query.order);
    let looks_back = moved.is_some();
    let mut moved = moved.unwrap_or_default();
    moved.retain(|(value, key)| contains(&range, &(name, value.as_slice(), key.as_str())));
    let entries = if is_empty(&range) {
        None
    } else {
        Some(
            index
                .range::<IndexPlace<'_>>(range)
                .map_err(engine(doing))?,
        )
    };
    let mut places = Places::new(entries, moved, query.order)?;
    while places.has_more() && !walk.is_full() {
        let Some(((value, key), has_moved)) = places.next()? else {
            break;
        };
        let record = documents.get(key.as_str()).map_err(engine(doing))?;
        let record = record.ok_or_else(|| ProjectionError::Damaged {
            place: format!("index `{name}`"),
            detail: format!("it names `{key}`, of which there is no document"),
        })?;
        // Where one that has changed stands now is not where it stood.
        let wanted = has_moved || !looks_back || position_of(record.value()) <= walk.since;
        walk.look(&value, &key, record.value(), wanted)?;
    }
    Ok(())
}

/// The places of an index and those that documents had which have moved since, as one list in order.
struct Places<'a> {
    entries: Option<redb::Range<'a, IndexPlace<'static>, ()>>,
    next_entry: Option<Place>,
    /// The next one is the last.
    moved: Vec<Place>,
    order: Direction,
}

impl<'a> Places<'a> {
    fn new(
        entries: Option<redb::Range<'a, IndexPlace<'static>, ()>>,
        mut moved: Vec<Place>,
        order: Direction,
    ) -> Result<Self, ProjectionError> {
        moved.sort_unstable();
        if order == Direction::Forward {
            moved.reverse();
        }
        let mut places = Self {
            entries,
            next_entry: None,
            moved,
            order,
        };
        places.next_entry = places.entry()?;
        Ok(places)
    }

    fn entry(&mut self) -> Result<Option<Place>, ProjectionError> {
        let entry = match (&mut self.entries, self.order) {
            (None, _) => None,
            (Some(entries), Direction::Forward) => entries.next(),
            (Some(entries), Direction::Backward) => entries.next_back(),
        };
        let entry = entry.transpose().map_err(engine("reading an index"))?;
        Ok(entry.map(|(place, _)| {
            let (_, value, key) = place.value();
            (value.to_owned(), key.to_owned())
        }))
    }

    fn has_more(&self) -> bool {
        self.next_entry.is_some() || !self.moved.is_empty()
    }

    /// The next place, and whether it is one of a document that has moved.
    fn next(&mut self) -> Result<Option<(Place, bool)>, ProjectionError> {
        let moved_first = match (self.moved.last(), &self.next_entry) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(moved), Some(entry)) => (moved < entry) == (self.order == Direction::Forward),
        };
        if moved_first {
            return Ok(self.moved.pop().map(|place| (place, true)));
        }
        let after = self.entry()?;
        Ok(std::mem::replace(&mut self.next_entry, after).map(|place| (place, false)))
    }
}

/// Whether a place lies within bounds.
fn contains<K: Ord>((low, high): &(Bound<K>, Bound<K>), place: &K) -> bool {
    let after_low = match low {
        Bound::Included(low) => place >= low,
        Bound::Excluded(low) => place > low,
        Bound::Unbounded => true,
    };
    after_low
        && match high {
            Bound::Included(high) => place <= high,
            Bound::Excluded(high) => place < high,
            Bound::Unbounded => true,
        }
}
