//! For tests: the decoders of what stands in tables, and samples of it from a store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::ReadableDatabase as _;

use super::open_tables::{COPIES, OpenTables};
use super::opening;
use super::record::{decode_job, decode_stream};
use super::segments::decode_runs;
use crate::store::StoreId;
use crate::store::disk::simulated::SimulatedDisk;

/// What stands in the tables of a store that is closed.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) store: StoreId,
    /// Number, manifest's frame and the other frames of each segment.
    pub(crate) segments: Vec<(u64, Vec<u8>, Vec<u8>)>,
    pub(crate) streams: Vec<Vec<u8>>,
    pub(crate) jobs: Vec<Vec<u8>>,
    pub(crate) runs: Vec<Vec<u8>>,
    /// Rows of each table, as backups have them.
    pub(crate) rows: Vec<(&'static str, Vec<u8>)>,
}

/// Reads the tables of a store's files.
pub(crate) fn stored(files: &BTreeMap<PathBuf, Vec<u8>>) -> Stored {
    let disk = SimulatedDisk::with_files(files);
    let path = Path::new("/data/events.redb");
    let (database, pages) = opening::open_file(&disk, path).unwrap();
    let txn = Arc::new(database.begin_read().unwrap());
    let tables = OpenTables::new(&txn);
    let mut segments = Vec::new();
    for entry in tables.segments.entries().unwrap() {
        let (number, manifest) = entry.unwrap();
        let number = number.value();
        let chunks = (number, 0)..=(number, u64::MAX);
        let chunks = tables.segment_chunks.range(chunks).unwrap();
        let body: Vec<u8> = chunks
            .flat_map(|chunk| chunk.unwrap().1.value().to_vec())
            .collect();
        segments.push((number, manifest.value().to_vec(), body));
    }
    macro_rules! values {
        ($table:ident) => {{
            let entries = tables.$table.entries().unwrap();
            let values = entries.map(|entry| entry.unwrap().1.value().to_vec());
            values.collect::<Vec<Vec<u8>>>()
        }};
    }
    let rows = COPIES.iter().map(|copy| {
        let rows = (copy.rows)(&txn, None, 64 << 10).unwrap();
        (copy.name, rows.bytes)
    });
    Stored {
        store: pages.header().store,
        streams: values!(streams),
        jobs: values!(jobs),
        runs: values!(runs),
        rows: rows.collect(),
        segments,
    }
}

/// Decodes the record of a stream.
pub(crate) fn stream(bytes: &[u8]) -> Option<String> {
    let record = decode_stream(1, bytes).ok()?;
    Some(format!("{record:?}"))
}

/// Decodes the record of a job.
pub(crate) fn job(bytes: &[u8]) -> Option<String> {
    let record = decode_job(1, bytes).ok()?;
    Some(format!("{record:?}"))
}

/// Decodes runs.
pub(crate) fn runs(bytes: &[u8]) -> Option<String> {
    let runs = decode_runs(bytes).ok()?;
    Some(format!("{runs:?}"))
}

/// Puts rows of a backup into a table, in memory.
pub(crate) fn put_rows(table: &str, bytes: &[u8]) -> Option<String> {
    let storage = redb::backends::InMemoryBackend::new();
    let database = redb::Database::builder()
        .create_with_backend(storage)
        .unwrap();
    let txn = database.begin_write().unwrap();
    let copy = COPIES.iter().find(|copy| copy.name == table).unwrap();
    let put = (copy.put)(&txn, bytes).ok()?;
    Some(put.to_string())
}
