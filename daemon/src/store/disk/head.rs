//! The acknowledged head, kept in a small file beside the store.
//!
//! Owns the file. It is written after each commit that is acknowledged and before the reply, and synced every
//! [`SYNC_EVERY`] of them and at the end: so after a kill it names the very last acknowledgement, and after a power cut one of the last
//! [`SYNC_EVERY`] or a later one. A store that ends before it has lost what was promised. It proves nothing of a disk that takes both
//! files back.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_128;

use super::{Disk, DiskFile, Open, StoreId};
use crate::store::Head;
use whodunit_core::ids::Position;

/// Bytes of an entry with its checksum; it stands at the beginning of a sector, so that it is written as a whole or not.
const ENTRY: usize = 104;
const SUMMED: usize = ENTRY - 16;
/// Where the two entries are, which are written in turn.
const SECTOR: u64 = 512;
const MAGIC: [u8; 8] = *b"whodhead";
/// How often an entry that makes no sense is read again: a writer may be in the middle of it.
const TRIES: usize = 8;
/// Acknowledged commits between two syncs.
const SYNC_EVERY: u64 = 256;

/// What the file said when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The store that acknowledged.
    pub(crate) store: StoreId,
    /// Up to where.
    pub(crate) end: LogEnd,
}

/// Where a log ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogEnd {
    /// Its head.
    pub(crate) head: Head,
    /// The last frame of the write-ahead log.
    pub(crate) frame: u64,
    /// The chain's value behind it.
    pub(crate) chain: [u8; 32],
}

/// The open file.
#[derive(Debug)]
pub(crate) struct HeadFile {
    file: Arc<dyn DiskFile>,
    store: StoreId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    number: u64,
    failed: bool,
}

/// An entry: its number, and what it says.
type Entry = (u64, Acknowledged);

impl HeadFile {
    /// What the file of a data directory says; `None` when it is absent or says nothing that can be read, which is logged.
    pub(crate) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Acknowledged>> {
        if disk.identity(path)?.is_none() {
            return Ok(None);
        }
        let file = disk.open(path, Open::Existing)?;
        Ok(latest(file.as_ref(), path).map(|(_, said)| said))
    }

    /// What the bytes of the file say, without opening it; `None` when nothing that can be read.
    pub(crate) fn said(bytes: &[u8]) -> Option<Acknowledged> {
        let entry = |at: u64| {
            let at = usize::try_from(at).ok()?;
            decode(bytes.get(at..)?.first_chunk()?)
        };
        let entries = [0, SECTOR].into_iter().filter_map(entry);
        let latest = entries.max_by_key(|(number, _)| *number);
        latest.map(|(_, said)| said)
    }

    /// Opens the file, or makes it, and writes what is acknowledged now.
    pub(crate) fn begin(disk: &dyn Disk, path: &Path, now: Acknowledged) -> io::Result<Self> {
        let file = disk.open(path, Open::OrMake)?;
        let number = latest(file.as_ref(), path).map_or(0, |(number, _)| number);
        let opened = Self {
            file,
            store: now.store,
            state: Mutex::new(State {
                number,
                failed: false,
            }),
        };
        // Both, so that no entry of another store is left.
        opened.write(now.end)?;
        opened.write(now.end)?;
        opened.file.sync_data()?;
        Ok(opened)
    }

    /// Notes that everything up to here is acknowledged. A failure is logged once and changes nothing: the store has it.
    pub(crate) fn acknowledge(&self, end: LogEnd) {
        if let Err(error) = self.write(end) {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if !std::mem::replace(&mut state.failed, true) {
                tracing::error!(%error, "the acknowledged head could not be noted beside the store");
            }
        }
    }

    /// Why an entry would be of no use to the next start; `None` when both would be. One that is being written is read again.
    pub(crate) fn misfit(&self) -> Option<String> {
        let mut found = None;
        for _ in 0..TRIES {
            found = self.misfit_now();
            if found.is_none() {
                break;
            }
            std::thread::yield_now();
        }
        found
    }

    fn misfit_now(&self) -> Option<String> {
        for at in [0, SECTOR] {
            let mut bytes = [0; ENTRY];
            if let Err(error) = self.file.read_at(at, &mut bytes) {
                return Some(format!("the entry at byte {at} cannot be read: {error}"));
            }
            match decode(&bytes) {
                None => return Some(format!("the entry at byte {at} has changed")),
                Some((_, said)) if said.store != self.store => {
                    return Some(format!(
                        "the entry at byte {at} is of the store {}",
                        said.store
                    ));
                }
                Some(_) => {}
            }
        }
        None
    }

    /// Makes what was noted durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, end: LogEnd) -> io::Result<()> {
        let number = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.number += 1;
            state.number
        };
        let said = Acknowledged {
            store: self.store,
            end,
        };
        let bytes = encode(number, said);
        self.file.write_at(number % 2 * SECTOR, &bytes)?;
        if number.is_multiple_of(SYNC_EVERY) {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

fn encode(number: u64, said: Acknowledged) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRY);
    bytes.extend(MAGIC);
    bytes.extend(said.store.0);
    bytes.extend(number.to_le_bytes());
    bytes.extend(said.end.head.position.0.to_le_bytes());
    bytes.extend(said.end.head.decision.to_le_bytes());
    bytes.extend(said.end.frame.to_le_bytes());
    bytes.extend(said.end.chain);
    bytes.extend(xxh3_128(&bytes).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8; ENTRY]) -> Option<Entry> {
    let (summed, sum) = bytes.split_at(SUMMED);
    if !summed.starts_with(&MAGIC) || *sum != xxh3_128(summed).to_le_bytes() {
        return None;
    }
    let number = |at: usize| {
        summed
            .get(at..at + 8)?
            .try_into()
            .ok()
            .map(u64::from_le_bytes)
    };
    let store = summed.get(8..24)?.try_into().ok().map(StoreId)?;
    let head = Head {
        position: Position(number(32)?),
        decision: number(40)?,
    };
    let end = LogEnd {
        head,
        frame: number(48)?,
        chain: summed.get(56..88)?.try_into().ok()?,
    };
    Some((number(24)?, Acknowledged { store, end }))
}

/// The later of the two entries. One that is neither whole nor empty is damaged, since a power cut leaves a sector whole.
fn latest(file: &dyn DiskFile, path: &Path) -> Option<Entry> {
    if matches!(file.len(), Ok(0)) {
        return None;
    }
    let entries = [0, SECTOR].map(|at| {
        let mut bytes = [0; ENTRY];
        let read = file.read_at(at, &mut bytes);
        let entry = decode(&bytes);
        if entry.is_none() && (read.is_err() || bytes != [0; ENTRY]) {
            tracing::warn!(file = %path.display(), "an entry of the acknowledged head is damaged: a store that lies a little behind it would not be noticed");
        }
        entry
    });
    entries
        .into_iter()
        .flatten()
        .max_by_key(|(number, _)| *number)
}
