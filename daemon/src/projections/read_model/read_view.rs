//! A read view: a read model at one moment, in one read transaction.
//!
//! Owns every read but those of queries. A read view never waits for a writer and sees nothing that is written after it
//! was taken.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};
use whodunit_core::consistency::AppliedEvent;

use super::super::error::ProjectionError;
use super::super::projection::{PLACES, sort_value};
use super::apply::Rules;
use super::file::{APPLY_LOG, CheckpointMeta, DOCUMENTS, INDEX, NUMBERS, ReadModel, engine};
use super::record::{Document, decode_document, decode_entries};

/// A read model at one moment.
pub(crate) struct ReadView {
    pub(crate) txn: ReadTransaction,
    pub(crate) meta: CheckpointMeta,
    /// A read view keeps its file open, also one that was replaced meanwhile.
    pub(super) _model: ReadModel,
}

impl ReadView {
    /// How many documents there are.
    pub(crate) fn documents(&self) -> Result<u64, ProjectionError> {
        let doing = "counting documents";
        let documents = self.txn.open_table(DOCUMENTS).map_err(engine(doing))?;
        documents.len().map_err(engine(doing))
    }

    /// The document of this key.
    pub(crate) fn document(&self, key: &str) -> Result<Option<Document>, ProjectionError> {
        let doing = "reading a document";
        let documents = self.txn.open_table(DOCUMENTS).map_err(engine(doing))?;
        let record = documents.get(key).map_err(engine(doing))?;
        record
            .map(|record| decode_document(key, record.value()))
            .transpose()
    }

    /// The keys of documents that stand at one of these further places; `None` for more than so many.
    pub(crate) fn placed(
        &self,
        places: &[Vec<u8>],
        max: usize,
    ) -> Result<Option<BTreeSet<String>>, ProjectionError> {
        let doing = "reading an index";
        let index = self.txn.open_table(INDEX).map_err(engine(doing))?;
        let mut keys = BTreeSet::new();
        for place in places {
            // The smallest place after another is that one and a zero.
            let mut after = place.clone();
            after.push(0);
            let range = (PLACES, place.as_slice(), "")..(PLACES, after.as_slice(), "");
            let found = index.range::<(&str, &[u8], &str)>(range);
            for entry in found.map_err(engine(doing))? {
                let (entry, _) = entry.map_err(engine(doing))?;
                keys.insert(entry.value().2.to_owned());
                if keys.len() > max {
                    return Ok(None);
                }
            }
        }
        Ok(Some(keys))
    }

    /// The first index that does not have a document in its place.
    pub(crate) fn not_indexed(
        &self,
        rules: &Rules,
        key: &str,
        document: &Document,
    ) -> Result<Option<&'static str>, ProjectionError> {
        let doing = "reading an index";
        if !self.meta.indexed {
            return Ok(None);
        }
        let index = self.txn.open_table(INDEX).map_err(engine(doing))?;
        let sorts = rules.projection.sorts().iter();
        let sorted = sorts.map(|sort| {
            let value = sort_value(sort, &document.state, document.position);
            (sort.name, value)
        });
        let places = rules.projection.places(&document.state);
        let further = places.into_iter().map(|place| (PLACES, place));
        for (name, value) in sorted.chain(further) {
            let entry = index.get((name, value.as_slice(), key));
            if entry.map_err(engine(doing))?.is_none() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Hands the entries of the apply log to `each`, a row at a time, with the numbers of their streams.
    pub(crate) fn for_each_row(
        &self,
        mut each: impl FnMut(&[(u64, AppliedEvent)]) -> Result<(), ProjectionError>,
    ) -> Result<(), ProjectionError> {
        let doing = "reading the apply log";
        let log = self.txn.open_table(APPLY_LOG).map_err(engine(doing))?;
        let mut entries = Vec::new();
        for row in log.iter().map_err(engine(doing))? {
            let (number, row) = row.map_err(engine(doing))?;
            entries.clear();
            decode_entries(row.value(), |number, entry| entries.push((number, entry))).ok_or_else(
                || ProjectionError::Damaged {
                    place: format!("row {} of the apply log", number.value()),
                    detail: "it ends in the middle of an entry".to_owned(),
                },
            )?;
            each(&entries)?;
        }
        Ok(())
    }

    /// The keys after one and up to another of documents and of streams on the apply log; these with their numbers.
    pub(crate) fn keys(
        &self,
        after: Option<&str>,
        up_to: Option<&str>,
    ) -> Result<BTreeMap<String, Option<u64>>, ProjectionError> {
        let doing = "reading the documents' keys";
        let range: (Bound<&str>, Bound<&str>) = (
            after.map_or(Bound::Unbounded, Bound::Excluded),
            up_to.map_or(Bound::Unbounded, Bound::Included),
        );
        let mut keys = BTreeMap::new();
        let documents = self.txn.open_table(DOCUMENTS).map_err(engine(doing))?;
        for document in documents.range::<&str>(range).map_err(engine(doing))? {
            let (key, _) = document.map_err(engine(doing))?;
            keys.insert(key.value().to_owned(), None);
        }
        let numbers = self.txn.open_table(NUMBERS).map_err(engine(doing))?;
        for number in numbers.range::<&str>(range).map_err(engine(doing))? {
            let (key, number) = number.map_err(engine(doing))?;
            keys.insert(key.value().to_owned(), Some(number.value()));
        }
        Ok(keys)
    }
}
