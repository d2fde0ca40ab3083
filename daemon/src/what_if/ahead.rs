//! Reading ahead: the entries of a whole log, read and taken apart on a thread of their own while others are decided.
//!
//! Owns what is under way between the two: a few batches, bounded by their bytes.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use whodunit_core::ids::Position;
use whodunit_core::redecide::{Entry, History as _, Place};

use super::WhatIfFailure;
use super::history::StoreHistory;

/// Batches that wait to be decided.
const BATCHES: usize = 4;
/// Entries of a batch.
const BATCH_ENTRIES: usize = 128;
/// Bytes of payloads after which a batch is handed over.
const BATCH_BYTES: usize = 1 << 20;

type Batch = Result<Vec<Entry>, WhatIfFailure>;

/// A walk along the log from its beginning, read on another thread.
pub(super) struct Ahead {
    batches: Receiver<Batch>,
    entries: std::vec::IntoIter<Entry>,
}

/// The end of it that reads.
pub(super) struct Reader(SyncSender<Batch>);

/// Both ends.
pub(super) fn ahead() -> (Reader, Ahead) {
    let (sender, batches) = sync_channel(BATCHES);
    let entries = Vec::new().into_iter();
    (Reader(sender), Ahead { batches, entries })
}

impl Reader {
    /// Reads the log to its end, or until what it reads is not taken any more.
    pub(super) fn read(self, history: &mut StoreHistory<'_>) {
        let last = self
            .batches(history)
            .unwrap_or_else(|failure| Some(Err(failure)));
        if let Some(last) = last {
            // Where that is not taken either, deciding has failed, and says so itself.
            let _not_taken = self.0.send(last);
        }
    }

    /// The last batch, which is not sent yet; `None` where one before it was not taken.
    fn batches(&self, history: &mut StoreHistory<'_>) -> Result<Option<Batch>, WhatIfFailure> {
        let start = Place::after_position(Position::ZERO);
        let mut walk = history.walk(None, start)?;
        let (mut batch, mut bytes) = (Vec::with_capacity(BATCH_ENTRIES), 0);
        while let Some(entry) = history.next(&mut walk)? {
            bytes += entry.payload_bytes();
            batch.push(entry.read_ahead());
            if batch.len() >= BATCH_ENTRIES || bytes >= BATCH_BYTES {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_ENTRIES));
                bytes = 0;
                if self.0.send(Ok(full)).is_err() {
                    return Ok(None);
                }
            }
        }
        Ok(Some(Ok(batch)))
    }
}

impl Ahead {
    /// The next entry.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, WhatIfFailure> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Ok(Some(entry));
            }
            match self.batches.recv() {
                Ok(batch) => self.entries = batch?.into_iter(),
                Err(_ended) => return Ok(None),
            }
        }
    }
}
