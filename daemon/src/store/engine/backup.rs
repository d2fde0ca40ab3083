//! A backup of the store: what is published at one moment, piece by piece.
//!
//! Owns the order of the pieces. It holds the moment's read transaction, so what is sealed meanwhile goes to other pages; what it
//! gives is checked on the way, and so a store that is not what was written gives no whole backup.

use std::sync::Arc;

use whodunit_core::time::Timestamp;

use super::shared::{Published, Shared};
use crate::store::backup::{Backup, BackupHeader, Beside, BlockWriter, ChainCheck};
use crate::store::write::Batch;
use crate::store::{StoreError, StoreId, frame};

/// Bytes of a piece, about; segments are as long as they are.
const PIECE_BYTES: usize = 512 << 10;

/// A backup that is being taken.
pub(super) struct Source {
    shared: Arc<Shared>,
    published: Arc<Published>,
    header: BackupHeader,
    writer: Option<BlockWriter>,
    check: ChainCheck,
    next: Next,
    beside: Vec<Beside>,
}

/// What comes next.
enum Next {
    FirstLine(Vec<u8>),
    /// The segment behind this one.
    Segment(u64),
    /// Rows of a table, behind a key.
    Rows(usize, Option<Vec<u8>>),
    /// What is kept beside the store.
    Beside,
    /// The batch of this number of the tail, and what follows.
    Log(usize),
    Nothing,
}

impl Source {
    /// Of what is published now.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        id: StoreId,
        taken_at: Timestamp,
    ) -> Result<Self, StoreError> {
        let published = shared.published().ok_or(StoreError::Closed)?;
        let head = published.tail.head();
        let (format, store_format) = BackupHeader::formats();
        let header = BackupHeader {
            format,
            store_format,
            store_id: id.to_string(),
            position: head.position.0,
            decisions: head.decision,
            head_hash: published.chain.head_hash().to_string(),
            redacted_copy: shared.file.is_redacted_copy(),
            taken_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let (writer, line) = BlockWriter::begin(id, &header).map_err(unwritten)?;
        Ok(Self {
            shared: Arc::clone(shared),
            published,
            header,
            writer: Some(writer),
            check: ChainCheck::new(id),
            next: Next::FirstLine(line),
            beside: Vec::new(),
        })
    }

    fn step(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        loop {
            let Some(writer) = &mut self.writer else {
                return Ok(None);
            };
            match std::mem::replace(&mut self.next, Next::Nothing) {
                Next::FirstLine(line) => {
                    self.next = Next::Segment(0);
                    return Ok(Some(line));
                }
                Next::Segment(after) => {
                    let found = self.published.sealed.segment_after(after)?;
                    let Some((number, manifest, body)) = found else {
                        self.next = Next::Rows(0, None);
                        continue;
                    };
                    let block = writer.segment(number, &manifest, &body);
                    self.check.segment(number, manifest, body)?;
                    self.next = Next::Segment(number);
                    return Ok(Some(block));
                }
                Next::Rows(table, after) => {
                    let sealed = &self.published.sealed;
                    let found = sealed.rows(table, after.as_deref(), PIECE_BYTES)?;
                    let Some((name, rows)) = found else {
                        self.next = Next::Beside;
                        continue;
                    };
                    self.next = match rows.last {
                        Some(last) => Next::Rows(table, Some(last)),
                        None => Next::Rows(table + 1, None),
                    };
                    if rows.count > 0 {
                        return Ok(Some(writer.rows(name, &rows.bytes, rows.count)));
                    }
                }
                Next::Beside => {
                    let Some(beside) = self.beside.pop() else {
                        self.next = Next::Log(0);
                        continue;
                    };
                    self.next = Next::Beside;
                    if let (bytes, rows @ 1..) = beside.rows() {
                        return Ok(Some(writer.rows(beside.name, bytes, rows)));
                    }
                }
                Next::Log(from) => return self.log(from),
                Next::Nothing => return Ok(None),
            }
        }
    }

    /// Batches of the tail; behind them the end.
    fn log(&mut self, from: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let batches = self.published.tail.batches();
        let (mut chain, mut bytes, mut count) = (self.check.chain(), 0, 0);
        for batch in batches.iter().skip(from) {
            chain = chain.after(batch);
            bytes += about_bytes(batch);
            count += 1;
            if bytes >= PIECE_BYTES {
                break;
            }
        }
        if count == 0 {
            return self.end();
        }
        let Some(writer) = &mut self.writer else {
            return Ok(None);
        };
        let mut payload = Vec::new();
        let some = batches.iter().skip(from).take(count).map(|batch| &**batch);
        frame::encode(some, chain, &mut payload);
        let block = writer.log(&payload, count);
        self.check.log(&payload)?;
        self.next = Next::Log(from + count);
        Ok(Some(block))
    }

    fn end(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let is_whole = self.check.chain() == self.published.chain
            && self.check.head() == self.published.tail.head();
        if !is_whole {
            return Err(StoreError::Damaged {
                place: format!("the log up to position {}", self.header.position),
                detail: "its records are not those that were written: their chain does not lead to the head's hash".to_owned(),
            });
        }
        let end = self.writer.take().map(BlockWriter::end);
        end.transpose().map_err(unwritten)
    }
}

/// About how many bytes a batch takes.
fn about_bytes(batch: &Batch) -> usize {
    const ROW: usize = 256;
    let events = batch.events.iter().map(|placed| {
        let metadata = placed.event.metadata.as_ref();
        ROW + placed.event.data.as_str().len() + metadata.map_or(0, |json| json.as_str().len())
    });
    let decisions = batch.decision.iter().map(|own| own.payload.as_str().len());
    events.chain(decisions).sum::<usize>() + ROW * (1 + batch.jobs.len() + batch.keys.len())
}

fn unwritten(error: serde_json::Error) -> StoreError {
    StoreError::Engine {
        doing: "writing a backup",
        source: error.into(),
    }
}

impl Backup for Source {
    fn header(&self) -> &BackupHeader {
        &self.header
    }

    fn carry(&mut self, beside: Beside) {
        self.beside.push(beside);
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let piece = shared.file.guarded(|| self.step());
        if piece.is_err() {
            // What follows a hole is no backup.
            self.writer = None;
        }
        piece
    }
}
