//! Documents that have changed since the first page of a list, and where they stood in it then.
//!
//! Owns that look back. A list keeps the order of its first page, so that no document is skipped or repeated because it
//! moved to another place meanwhile; the place then comes from the log, which the document is made from.

use std::ops::ControlFlow;

use whodunit_core::ids::{Position, Revision, StreamName};
use whodunit_core::stop::Stop;

use super::super::error::ProjectionError;
use super::super::projection::{Sort, sort_value};
use super::apply::Rules;
use super::file::{INDEX, engine};
use super::read_view::ReadView;
use crate::limits::{MOVED_MAX, SCAN_ENTRIES_MAX};
use crate::store::{Store, StoreError, View, try_for_each_event};

/// The order that is by each document's last change, which tells what has changed since.
const BY_POSITION: &str = "position";

/// A document's place in an order: its sort value and its key.
pub(super) type Place = (Vec<u8>, String);

/// The documents that have changed after a position and existed at it, with the places they had then, in no order.
pub(super) fn moved_since(
    read_view: &ReadView,
    rules: &Rules,
    store: &dyn Store,
    sort: &Sort,
    since: Position,
    stop: &Stop,
) -> Result<Vec<Place>, ProjectionError> {
    let doing = "reading what has changed";
    let index = read_view.txn.open_table(INDEX).map_err(engine(doing))?;
    let after = since.next().0.to_be_bytes();
    let end = format!("{BY_POSITION}\0");
    let changed = index
        .range::<(&str, &[u8], &str)>((BY_POSITION, after.as_slice(), "")..(end.as_str(), &[], ""))
        .map_err(engine(doing))?;
    let mut then = None;
    let mut places = Vec::new();
    for entry in changed {
        stop.check().map_err(|_stopped| ProjectionError::Stopped)?;
        let key = entry.map_err(engine(doing))?.0.value().2.to_owned();
        let then = match &mut then {
            Some(then) => then,
            none => none.insert(DocumentsAt::new(rules, store, sort, since, stop)?),
        };
        if places.len() >= MOVED_MAX {
            return Err(StoreError::CursorTooOld.into());
        }
        if let Some(value) = then.value(&key)? {
            places.push((value, key));
        }
    }
    Ok(places)
}

/// Documents as they were at a position of the log.
struct DocumentsAt<'a> {
    view: Box<dyn View>,
    rules: &'a Rules,
    sort: &'a Sort,
    since: Position,
    /// Events that have been folded for it.
    folded: u64,
}

impl<'a> DocumentsAt<'a> {
    fn new(
        rules: &'a Rules,
        store: &dyn Store,
        sort: &'a Sort,
        since: Position,
        stop: &Stop,
    ) -> Result<Self, ProjectionError> {
        let mut view = store.view()?;
        view.set_stop(stop.clone());
        Ok(Self {
            view,
            rules,
            sort,
            since,
            folded: 0,
        })
    }

    /// The sort value that a document had then; `None` when there was no such document.
    fn value(&mut self, key: &str) -> Result<Option<Vec<u8>>, ProjectionError> {
        let Ok(stream) = StreamName::new(key) else {
            return Ok(None);
        };
        let revision = self.view.revision_at(&stream, self.since)?;
        let Some(revision) = revision.filter(|revision| *revision > Revision::ZERO) else {
            return Ok(None);
        };
        let mut state = self.rules.empty(&stream);
        if self.sort.name == BY_POSITION {
            let last = self.view.event_at_revision(&stream, revision)?;
            let position = last.map(|event| event.position);
            return Ok(position.map(|position| sort_value(self.sort, &state, position)));
        }
        self.folded += revision.0;
        if self.folded > SCAN_ENTRIES_MAX {
            return Err(StoreError::CursorTooOld.into());
        }
        let mut position = Position::ZERO;
        let (rules, view) = (self.rules, self.view.as_ref());
        let all = (Revision(1), revision);
        try_for_each_event(view, &stream, all, |event| -> Result<_, ProjectionError> {
            position = event.position;
            rules.apply(&mut state, &event)?;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Some(sort_value(self.sort, &state, position)))
    }
}
