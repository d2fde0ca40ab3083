//! A read view: a read model at one moment, in one read transaction.
//!
//! Owns every read but those of queries. A read view never waits for a writer and sees nothing that is written after it
//! was taken.

use std::collections::BTreeMap;
use std::ops::Bound;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};
use whodunit_core::consistency::AppliedEvent;

use super::super::error::ProjectionError;
use super::file::{APPLY_LOG, CheckpointMeta, DOCUMENTS, NUMBERS, ReadModel, engine};
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
