//! Backups: a whole store as one stream of bytes, taken while it is written, and put back as a store.
//!
//! Owns what a backup is made of and what is believed of one. It is taken of one moment of the log and holds everything of the
//! store but what is derived and made again (snapshots; read models are files of their own). The daemon that writes it and the
//! program that reads it check the same: each block's checksum, that records follow each other without a gap, and that their chain leads to
//! the head's hash. The last block says that it is whole, so one that was cut short is known as such.
//!
//! The bytes are described in `format`, and in `docs/STORE_FORMAT.md`.

mod check;
mod error;
mod format;
mod restore;
#[cfg(test)]
mod tests;

use std::io::Read;

pub(crate) use self::check::ChainCheck;
pub use self::error::BackupError;
pub(crate) use self::format::BlockWriter;
pub use self::format::{BackupEnd, BackupHeader, BackupPart};
use self::format::{Block, Blocks};
pub use self::restore::{Restored, restore};
use super::bytes::Writer;
use super::segment::Segment;
use super::write::Batch;
use super::{Head, StoreError, StoreId};
use crate::store::chain::Chain;

/// Pieces of a backup that is being taken, in order. It reads one moment of the log, however long it takes.
pub trait Backup: Send {
    /// What it says of itself.
    fn header(&self) -> &BackupHeader;

    /// Takes something along that is kept beside the store, before the first bytes were taken.
    fn carry(&mut self, beside: Beside);

    /// The next bytes; `None` behind the last. Blocking. An error ends it: what was given so far is no backup.
    ///
    /// # Errors
    /// When the store cannot be read, or is not what was written.
    fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Rows of something that is kept beside a store: a part of the backup by this name.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    /// The part's name; no table of the store has it.
    pub name: &'static str,
    bytes: Vec<u8>,
    rows: u64,
}

impl Beside {
    /// Without rows yet.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }

    /// Adds a row.
    pub fn row(&mut self, key: &[u8], value: &[u8]) {
        for bytes in [key, value] {
            Writer(&mut self.bytes).count(bytes.len());
            self.bytes.extend_from_slice(bytes);
        }
        self.rows += 1;
    }

    /// The rows as a backup has them, and how many there are.
    pub(crate) fn rows(&self) -> (&[u8], u64) {
        (&self.bytes, self.rows)
    }
}

/// What becomes of the contents of a backup while it is read.
trait Sink {
    /// A stretch of the log that is sealed, in the order of the log.
    fn segment(&mut self, number: u64, segment: &Segment) -> Result<(), BackupError>;
    /// Rows of a table; how many.
    fn rows(&mut self, table: &str, rows: &[u8]) -> Result<u64, BackupError>;
    /// What stands behind the sealed log.
    fn log(&mut self, payload: &[u8], batches: &[Batch], chain: Chain) -> Result<(), BackupError>;
}

/// Looks, and keeps nothing.
struct OnlyLooking;

impl Sink for OnlyLooking {
    fn segment(&mut self, _number: u64, _segment: &Segment) -> Result<(), BackupError> {
        Ok(())
    }

    fn rows(&mut self, _table: &str, rows: &[u8]) -> Result<u64, BackupError> {
        format::count_rows(rows)
    }

    fn log(&mut self, _payload: &[u8], _: &[Batch], _: Chain) -> Result<(), BackupError> {
        Ok(())
    }
}

/// A backup that was read to its end and found whole.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What it says of itself.
    pub header: BackupHeader,
    /// What its end says.
    pub end: BackupEnd,
    /// Bytes of it.
    pub bytes: u64,
}

/// Reads the first line of a backup.
///
/// # Errors
/// When it is none, or of a format that this version does not read.
pub fn read_header(from: impl Read) -> Result<BackupHeader, BackupError> {
    Ok(Blocks::begin(from)?.header().clone())
}

/// Reads a backup to its end and checks all of it; `progress` is told how many bytes were read.
///
/// # Errors
/// When it is not whole, or not what was written.
pub fn check(from: impl Read, progress: &mut dyn FnMut(u64)) -> Result<Checked, BackupError> {
    let mut blocks = Blocks::begin(from)?;
    walk(&mut blocks, &mut OnlyLooking, progress)
}

/// Takes all blocks of a backup in, each after it was checked.
fn walk(
    blocks: &mut Blocks<impl Read>,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<Checked, BackupError> {
    let header = blocks.header().clone();
    let mut checked = ChainCheck::new(blocks.store());
    let mut parts = format::Parts::default();
    loop {
        let at = blocks.bytes();
        let damaged = |error: StoreError| BackupError::damaged(at, error.with_cause());
        match blocks.next()? {
            Block::Segment {
                number,
                manifest,
                body,
            } => {
                parts.add("segments", &[&manifest, &body], 1);
                let segment = checked.segment(number, manifest, body).map_err(damaged)?;
                sink.segment(number, &segment)?;
            }
            Block::Rows { table, rows } => {
                let records = sink.rows(&table, &rows)?;
                parts.add(&table, &[&rows], records);
            }
            Block::Log(payload) => {
                let batches = checked.log(&payload).map_err(damaged)?;
                parts.add("log", &[&payload], batches.len() as u64);
                sink.log(&payload, &batches, checked.chain())?;
            }
            Block::End(end) => {
                compare(&header, &checked, at)?;
                parts.compare(&end, at)?;
                let bytes = blocks.bytes();
                progress(bytes);
                return Ok(Checked { header, end, bytes });
            }
        }
        progress(blocks.bytes());
    }
}

/// Holds what was read to what the first line promised.
fn compare(header: &BackupHeader, found: &ChainCheck, at: u64) -> Result<(), BackupError> {
    let Head { position, decision } = found.head();
    if (position.0, decision) != (header.position, header.decisions) {
        let detail = format!(
            "it ends at position {position} and decision {decision}, but its first line says {} and {}",
            header.position, header.decisions
        );
        return Err(BackupError::damaged(at, detail));
    }
    if found.chain().head_hash().to_string() != header.head_hash {
        let detail = "its records do not lead to the head's hash that its first line says";
        return Err(BackupError::damaged(at, detail));
    }
    Ok(())
}

/// The store id that a text says.
fn store_id(text: &str) -> Option<StoreId> {
    let mut id = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(StoreId(id))
}
