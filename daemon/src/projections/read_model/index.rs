//! Making the indexes of a rebuilt read model, all at once.
//!
//! Owns the order of the work: a stretch of documents at a time, each index in its own order, so that neighbours go into
//! the same pages and memory is bounded however many documents there are.

use redb::{ReadableTable, WriteTransaction};

use super::super::error::ProjectionError;
use super::super::projection::{PLACES, sort_value};
use super::apply::Rules;
use super::file::{CheckpointMeta, DOCUMENTS, Durable, INDEX, ReadModel, engine, write_meta};
use super::record::decode_document;

/// Documents of a stretch.
const STRETCH: usize = 50_000;

/// Makes the indexes of a read model that has none. Returns its new meta.
pub(crate) fn build(
    model: &ReadModel,
    meta: &CheckpointMeta,
    rules: &Rules,
    stop: &dyn Fn() -> bool,
) -> Result<CheckpointMeta, ProjectionError> {
    let meta = CheckpointMeta {
        indexed: true,
        ..meta.clone()
    };
    let txn = model.write(Durable::Now)?;
    let mut after = Some(String::new());
    while let Some(from) = after {
        if stop() {
            return Err(ProjectionError::Stopped);
        }
        after = stretch(&txn, rules, &from)?;
    }
    write_meta(&txn, &meta)?;
    txn.commit().map_err(engine("committing the indexes"))?;
    Ok(meta)
}

/// Indexes the documents from a key on. Returns the key to go on from.
fn stretch(
    txn: &WriteTransaction,
    rules: &Rules,
    from: &str,
) -> Result<Option<String>, ProjectionError> {
    let doing = "making the indexes";
    let sorts = rules.projection.sorts();
    let mut entries: Vec<Vec<(Vec<u8>, String)>> = vec![Vec::new(); sorts.len()];
    let mut places: Vec<(Vec<u8>, String)> = Vec::new();
    let documents = txn.open_table(DOCUMENTS).map_err(engine(doing))?;
    let mut next = None;
    for (count, record) in documents.range(from..).map_err(engine(doing))?.enumerate() {
        let (key, record) = record.map_err(engine(doing))?;
        let key = key.value();
        if count == STRETCH {
            next = Some(key.to_owned());
            break;
        }
        let document = decode_document(key, record.value())?;
        for (sort, entries) in sorts.iter().zip(&mut entries) {
            let value = sort_value(sort, &document.state, document.position);
            entries.push((value, key.to_owned()));
        }
        let further = rules.projection.places(&document.state);
        places.extend(further.into_iter().map(|place| (place, key.to_owned())));
    }
    let mut index = txn.open_table(INDEX).map_err(engine(doing))?;
    let names = sorts.iter().map(|sort| sort.name).chain([PLACES]);
    entries.push(places);
    for (name, entries) in names.zip(&mut entries) {
        entries.sort_unstable();
        for (value, key) in entries {
            index
                .insert((name, value.as_slice(), key.as_str()), ())
                .map_err(engine(doing))?;
        }
    }
    Ok(next)
}
