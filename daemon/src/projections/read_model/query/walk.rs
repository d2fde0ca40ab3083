//! The walk along an order of documents: which index entries a page looks at, and where it ends.

use std::ops::Bound;

use whodunit_core::ids::Position;
use whodunit_core::stop::Stop;

use super::super::file::{DOCUMENTS, INDEX, engine};
use super::super::moved::Place;
use super::super::read_view::ReadView;
use super::super::record::{decode_document, position_of};
use super::{DocumentCursor, DocumentQuery, Found};
use crate::limits::{PAGE_BYTES_MAX, SCAN_ENTRIES_MAX};
use crate::projections::error::ProjectionError;
use crate::projections::projection::Projection;
use crate::store::Direction;

/// A page in the making.
pub(super) struct Walk<'q> {
    pub(super) projection: &'q dyn Projection,
    pub(super) query: &'q DocumentQuery,
    pub(super) stop: &'q Stop,
    pub(super) since: Position,
    pub(super) found: Found,
    pub(super) bytes: usize,
    pub(super) last: Option<DocumentCursor>,
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

pub(super) fn by_key(read_view: &ReadView, walk: &mut Walk<'_>) -> Result<(), ProjectionError> {
    let doing = "reading the documents";
    let documents = read_view.txn.open_table(DOCUMENTS).map_err(engine(doing))?;
    let query = walk.query;
    // The documents of a category are neighbours: the stream of its own name, and those between `category-` and the next
    // character after `-`.
    let ends = query
        .category
        .as_ref()
        .map(|category| (category.clone(), format!("{category}.")));
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

pub(super) fn by_index(
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
            detail: format!("it names `{key}`, but there is no such document"),
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
