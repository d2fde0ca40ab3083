//! A transaction of a read model in the making: events applied to documents, indexes and the apply log.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use redb::{ReadableTable, Table, WriteTransaction};
use whodunit_core::consistency::{AppliedEvent, Digest};
use whodunit_core::event::Event;
use whodunit_core::ids::{Position, Revision, StreamName};

use super::super::file::{
    APPLY_LOG, APPLY_LOG_ROW_ENTRIES, CheckpointMeta, DOCUMENTS, INDEX, NUMBERS, engine,
};
use super::super::record::{Document, decode_document, encode_document, encode_entry};
use super::Rules;
use crate::projections::error::ProjectionError;
use crate::projections::projection::{PLACES, sort_value};
use crate::store::{ReadEvents, try_for_each_event};

/// A document on its way to its next version.
struct DirtyDocument {
    /// As it is to be written, or `None` for one that has no event.
    document: Option<Document>,
    /// Its sort values in the index; none when it is not there yet.
    indexed: Vec<Vec<u8>>,
    /// Its further places there.
    placed: BTreeSet<Vec<u8>>,
    /// Whether the stream had no number before.
    is_new: bool,
    changed: bool,
}

/// A place in the index, see [`INDEX`].
type Place = (&'static str, &'static [u8], &'static str);

/// Events on their way into one transaction.
pub(crate) struct Application<'t> {
    rules: &'t Rules,
    view: &'t dyn ReadEvents,
    documents: Table<'t, &'static str, &'static [u8]>,
    numbers: Table<'t, &'static str, u64>,
    log: Table<'t, u64, &'static [u8]>,
    /// Absent while the indexes are still to be made.
    index: Option<Table<'t, Place, ()>>,
    dirty_documents: HashMap<StreamName, DirtyDocument>,
    meta: CheckpointMeta,
    /// The row of the apply log that is being filled.
    row: Vec<u8>,
    /// Bytes of the documents that were read.
    pub(crate) loaded_bytes: usize,
}

impl<'t> Application<'t> {
    pub(crate) fn begin(
        txn: &'t WriteTransaction,
        rules: &'t Rules,
        view: &'t dyn ReadEvents,
        meta: CheckpointMeta,
    ) -> Result<Self, ProjectionError> {
        let doing = "opening the tables";
        let log = txn.open_table(APPLY_LOG).map_err(engine(doing))?;
        let mut row = Vec::new();
        if !meta.applied.is_multiple_of(APPLY_LOG_ROW_ENTRIES) {
            let last = log.get(meta.applied / APPLY_LOG_ROW_ENTRIES);
            if let Some(last) = last.map_err(engine(doing))? {
                row.extend_from_slice(last.value());
            }
        }
        let index = if meta.indexed {
            Some(txn.open_table(INDEX).map_err(engine(doing))?)
        } else {
            None
        };
        Ok(Self {
            rules,
            view,
            documents: txn.open_table(DOCUMENTS).map_err(engine(doing))?,
            numbers: txn.open_table(NUMBERS).map_err(engine(doing))?,
            log,
            index,
            dirty_documents: HashMap::new(),
            meta,
            row,
            loaded_bytes: 0,
        })
    }

    /// Applies an event, unless it was applied before.
    pub(crate) fn event(&mut self, event: &Event) -> Result<(), ProjectionError> {
        let dirty = self.dirty_document(&event.stream)?;
        let revision = dirty
            .document
            .as_ref()
            .map_or(Revision::ZERO, |document| document.revision);
        if event.revision <= revision {
            return Ok(());
        }
        if event.revision > revision.next() {
            tracing::warn!(
                projection = self.rules.projection.name(),
                position = %event.position,
                "a document had a gap before an event and was re-folded"
            );
            return self.refold(&event.stream, event.position);
        }
        self.apply(event)
    }

    /// Applies an event, whatever the document's revision.
    pub(crate) fn apply(&mut self, event: &Event) -> Result<(), ProjectionError> {
        let rules = self.rules;
        let dirty = self.dirty_document(&event.stream)?;
        let was_new = dirty.document.is_none();
        let document = dirty.document.get_or_insert_with(|| Document {
            number: 0,
            revision: Revision::ZERO,
            position: Position::ZERO,
            state: rules.empty(&event.stream),
        });
        rules.apply(&mut document.state, event)?;
        document.revision = event.revision;
        document.position = event.position;
        dirty.changed = true;
        let digests = (Digest::of_event(event), Digest::of_state(&document.state));
        let number = match document.number {
            0 if was_new => self.number(&event.stream)?,
            number => number,
        };
        self.record_entry(number, event.revision, event.position, digests, false)
    }

    /// Re-folds a document from the log, up to a position.
    pub(crate) fn refold(
        &mut self,
        stream: &StreamName,
        up_to: Position,
    ) -> Result<(), ProjectionError> {
        let mut state = self.rules.empty(stream);
        let (mut last, mut chain) = (None, Digest::default());
        let (rules, view) = (self.rules, self.view);
        let all = (Revision(1), Revision(u64::MAX));
        try_for_each_event(view, stream, all, |event| -> Result<_, ProjectionError> {
            if event.position > up_to {
                return Ok(ControlFlow::Break(()));
            }
            rules.apply(&mut state, &event)?;
            chain = chain.chain(Digest::of_event(&event));
            last = Some((event.revision, event.position));
            Ok(ControlFlow::Continue(()))
        })?;
        let dirty = self.dirty_document(stream)?;
        dirty.changed = true;
        let Some((revision, position)) = last else {
            dirty.document = None;
            return Ok(());
        };
        let digests = (chain, Digest::of_state(&state));
        let number = dirty
            .document
            .as_ref()
            .map_or(0, |document| document.number);
        dirty.document = Some(Document {
            number,
            revision,
            position,
            state,
        });
        let number = match number {
            0 => self.number(stream)?,
            number => number,
        };
        self.record_entry(number, revision, position, digests, true)
    }

    /// The dirty document of a stream.
    fn dirty_document(
        &mut self,
        stream: &StreamName,
    ) -> Result<&mut DirtyDocument, ProjectionError> {
        if !self.dirty_documents.contains_key(stream) {
            let dirty = self.load(stream)?;
            self.dirty_documents.insert(stream.clone(), dirty);
        }
        self.dirty_documents
            .get_mut(stream)
            .ok_or_else(|| ProjectionError::Damaged {
                place: format!("document `{stream}`"),
                detail: "its dirty is gone".to_owned(),
            })
    }

    fn load(&mut self, stream: &StreamName) -> Result<DirtyDocument, ProjectionError> {
        let doing = "reading a document";
        let record = self.documents.get(stream.as_str()).map_err(engine(doing))?;
        let Some(record) = record else {
            return Ok(DirtyDocument {
                document: None,
                indexed: Vec::new(),
                placed: BTreeSet::new(),
                is_new: false,
                changed: false,
            });
        };
        self.loaded_bytes += record.value().len();
        let document = decode_document(stream.as_str(), record.value())?;
        let (indexed, placed) = match &self.index {
            Some(_) => (self.sort_values(&document), self.places(&document)),
            None => (Vec::new(), BTreeSet::new()),
        };
        Ok(DirtyDocument {
            document: Some(document),
            indexed,
            placed,
            is_new: false,
            changed: false,
        })
    }

    fn sort_values(&self, document: &Document) -> Vec<Vec<u8>> {
        let sorts = self.rules.projection.sorts();
        sorts
            .iter()
            .map(|sort| sort_value(sort, &document.state, document.position))
            .collect()
    }

    fn places(&self, document: &Document) -> BTreeSet<Vec<u8>> {
        let places = self.rules.projection.places(&document.state);
        places.into_iter().collect()
    }

    /// The number of a stream whose document has none yet: the one it had before its document was lost, or a new one.
    fn number(&mut self, stream: &StreamName) -> Result<u64, ProjectionError> {
        let doing = "reading a stream's number";
        let known = self.numbers.get(stream.as_str()).map_err(engine(doing))?;
        let known = known.map(|number| number.value());
        let number = known.unwrap_or_else(|| {
            self.meta.numbers += 1;
            self.meta.numbers
        });
        let dirty = self.dirty_document(stream)?;
        dirty.is_new = known.is_none();
        if let Some(document) = &mut dirty.document {
            document.number = number;
        }
        Ok(number)
    }

    fn record_entry(
        &mut self,
        number: u64,
        revision: Revision,
        position: Position,
        (event, state): (Digest, Digest),
        refolded: bool,
    ) -> Result<(), ProjectionError> {
        let entry = AppliedEvent {
            refolded,
            revision,
            position,
            event,
            state,
        };
        encode_entry(&mut self.row, number, &entry);
        self.meta.applied += 1;
        if self.meta.applied.is_multiple_of(APPLY_LOG_ROW_ENTRIES) {
            self.write_row(self.meta.applied / APPLY_LOG_ROW_ENTRIES - 1)?;
            self.row.clear();
        }
        Ok(())
    }

    fn write_row(&mut self, row: u64) -> Result<(), ProjectionError> {
        self.log
            .insert(row, self.row.as_slice())
            .map_err(engine("writing the apply log"))?;
        Ok(())
    }

    /// Writes what has changed. Returns the meta that goes with it.
    pub(crate) fn finish(
        mut self,
        checkpoint: Position,
        anchor: Option<String>,
    ) -> Result<CheckpointMeta, ProjectionError> {
        if !self.row.is_empty() {
            self.write_row(self.meta.applied / APPLY_LOG_ROW_ENTRIES)?;
        }
        let mut dirty_documents: Vec<_> = std::mem::take(&mut self.dirty_documents)
            .into_iter()
            .filter(|(_, dirty)| dirty.changed)
            .collect();
        // In the order of the keys, neighbours go into the same page.
        dirty_documents.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (stream, dirty) in &dirty_documents {
            self.write(stream, dirty)?;
        }
        self.meta.checkpoint = checkpoint;
        self.meta.anchor = anchor;
        Ok(self.meta)
    }

    fn write(&mut self, stream: &StreamName, dirty: &DirtyDocument) -> Result<(), ProjectionError> {
        let doing = "writing a document";
        let key = stream.as_str();
        let (values, places) = match (&dirty.document, &self.index) {
            (Some(document), Some(_)) => (self.sort_values(document), self.places(document)),
            _ => (Vec::new(), BTreeSet::new()),
        };
        if let Some(index) = &mut self.index {
            for gone in dirty.placed.difference(&places) {
                index
                    .remove((PLACES, gone.as_slice(), key))
                    .map_err(engine(doing))?;
            }
            for new in places.difference(&dirty.placed) {
                index
                    .insert((PLACES, new.as_slice(), key), ())
                    .map_err(engine(doing))?;
            }
            for (at, sort) in self.rules.projection.sorts().iter().enumerate() {
                let (before, after) = (dirty.indexed.get(at), values.get(at));
                if before == after {
                    continue;
                }
                if let Some(before) = before {
                    index
                        .remove((sort.name, before.as_slice(), key))
                        .map_err(engine(doing))?;
                }
                if let Some(after) = after {
                    index
                        .insert((sort.name, after.as_slice(), key), ())
                        .map_err(engine(doing))?;
                }
            }
        }
        match &dirty.document {
            Some(document) => {
                if dirty.is_new {
                    self.numbers
                        .insert(key, document.number)
                        .map_err(engine(doing))?;
                }
                self.documents
                    .insert(key, encode_document(document).as_slice())
                    .map_err(engine(doing))?;
            }
            None => {
                self.documents.remove(key).map_err(engine(doing))?;
            }
        }
        Ok(())
    }
}
