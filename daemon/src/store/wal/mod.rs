//! The write-ahead log: what is acknowledged stands here first, in files that were made ahead.
//!
//! Owns the order *write, sync, acknowledge*, and what may be believed of the files after a crash. Knows nothing of what a
//! frame carries. A commit is one frame, one write into room that is zeros and durable already, and one `fdatasync`: no
//! file grows on the way, so the file system has nothing else to make durable.
//!
//! - A frame is acknowledged once its sync has returned, and is never written again. While one is under way no other is.
//! - So after a crash at most the last frame may be there in part. It was not acknowledged, and is cleared. A frame that is
//!   damaged in any other way, or missing before a whole one, is an error, and nothing is cut off (see `scan`).
//! - A write or sync that failed leaves unknown what is on disk. The log takes no further write until it
//!   [goes on](Wal::go_on) in the next file, whose first frame says which frame it follows: the one that failed is void.
//! - Files whose frames all stand elsewhere ([`Wal::sealed`]) are removed, or filled with zeros and used again.
//!
//! The bytes are described in `format`.

mod error;
mod files;
mod format;
mod keeper;
mod recovery;
mod reread;
mod salvaged;
mod scan;
mod seen;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod power_tests;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

pub(crate) use self::error::WalError;
pub(crate) use self::files::Folder;
pub(crate) use self::recovery::Recovered;
pub(crate) use self::reread::Reread;
pub(crate) use self::salvaged::{SalvagedFrame, is_file_of_the_log, salvage_file};
pub(crate) use self::seen::Seen;

use self::error::NoFile;
use self::format::{Codec, PAYLOAD_MAX, SECTOR, sectors_of};
use self::keeper::{Keeper, Making, Prepared};
use self::scan::FIRST;
use self::seen::Told;
use super::ReadOnly;
use super::disk::Identity;

/// Bytes of a file: enough that the next one is ready long before it is needed, little beside a log.
pub(crate) const FILE_BYTES: u64 = 8 << 20;

/// How the log is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalOptions {
    /// The store that it belongs to.
    pub(crate) store: [u8; 16],
    /// Bytes of a file.
    pub(crate) file_bytes: u64,
    /// Whether files are made by a thread ahead of their use; else when they are needed.
    pub(crate) ahead: bool,
    /// Whether a frame survives power loss once it is written; else only the end of the process.
    pub(crate) durable: bool,
    /// Makes random numbers, one for each file.
    pub(crate) salt: fn() -> u64,
}

/// Where a frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Number of the frame, from 1. Every one is greater than the one before it.
    pub(crate) frame: u64,
    /// Number of the file, from 1.
    pub(crate) file: u64,
    /// The sector of the file that it begins with.
    pub(crate) sector: u64,
}

impl Place {
    /// Before the first frame of a new log.
    pub(crate) const START: Self = Self {
        frame: 0,
        file: 1,
        sector: FIRST as u64,
    };
}

/// A file before the current one.
#[derive(Debug, Clone, Copy)]
struct Behind {
    number: u64,
    identity: Identity,
}

impl Behind {
    fn of(file: &Prepared) -> Self {
        Self {
            number: file.header.number,
            identity: file.identity,
        }
    }
}

/// A log that takes frames.
#[derive(Debug)]
pub(crate) struct Wal {
    keeper: Arc<Keeper>,
    seen: Seen,
    thread: Option<JoinHandle<()>>,
    current: Prepared,
    /// The sector behind the last frame.
    end: usize,
    /// Files before the current one that are still needed.
    behind: Vec<Behind>,
    /// The last frame that was acknowledged.
    last: u64,
    /// The last number that a frame was given, acknowledged or not.
    given: u64,
    /// How a write failed.
    refuses: Option<NoFile>,
    /// Why there is no next file, where one was needed.
    stuck: Option<NoFile>,
    durable: bool,
    buffer: Vec<u8>,
}

impl Wal {
    /// Opens the log in a folder and reads what stands behind `sealed`, the last frame that stands elsewhere.
    ///
    /// `None` for a store that is new, and only then: a log that is missing beside a store is an error.
    pub(crate) fn open(
        folder: Folder,
        options: WalOptions,
        sealed: Option<Place>,
    ) -> Result<(Self, Recovered), WalError> {
        let making = Making {
            store: options.store,
            sectors: (options.file_bytes / SECTOR as u64).max(FIRST as u64 + 1),
            salt: options.salt,
        };
        let found = recovery::recover(&folder, making, sealed)?;
        let next = found.current.header.number + 1;
        let keeper = Keeper::new(folder, making, next, found.spare, options.ahead);
        let keeper = Arc::new(keeper);
        keeper.give_up(found.old);
        let thread = options
            .ahead
            .then(|| keeper.start())
            .transpose()
            .map_err(WalError::failed("starting the thread that makes files"))?;
        let wal = Self {
            seen: Seen::new(Arc::clone(&keeper)),
            keeper,
            thread,
            current: found.current,
            end: found.end,
            behind: found.behind,
            last: found.last,
            given: found.last,
            refuses: None,
            stuck: None,
            durable: options.durable,
            buffer: Vec::new(),
        };
        wal.tell();
        Ok((wal, found.recovered))
    }

    /// Writes a frame. It is durable when this returns.
    ///
    /// # Errors
    /// [`WalError::Failed`]: whether it is durable is unknown, and it must not be acknowledged. All others: it was not
    /// written.
    pub(crate) fn append(&mut self, payload: &[u8]) -> Result<Place, WalError> {
        if let Some(why) = &self.refuses {
            return Err(WalError::Refused(why.clone()));
        }
        let (bytes, max) = (payload.len(), PAYLOAD_MAX);
        if bytes > max {
            return Err(WalError::TooLarge { bytes, max });
        }
        let sectors = sectors_of(bytes);
        if (self.end + sectors) as u64 > self.current.header.sectors {
            self.next_file(sectors)?;
        }
        let place = Place {
            frame: self.given + 1,
            file: self.current.header.number,
            sector: self.end as u64,
        };
        self.buffer.clear();
        let codec = Codec::new(&self.current.header);
        let numbers = (place.frame, self.last);
        codec.encode(self.end, numbers, payload, &mut self.buffer);
        self.given = place.frame;
        let offset = place.sector * SECTOR as u64;
        self.write(offset).map_err(|(doing, source)| {
            self.refuses = Some(NoFile::because(&source));
            self.tell();
            WalError::Failed { doing, source }
        })?;
        self.end += sectors;
        self.last = place.frame;
        Ok(place)
    }

    fn write(&self, offset: u64) -> Result<(), (&'static str, io::Error)> {
        let file = &self.current.file;
        file.write_at(offset, &self.buffer)
            .map_err(|error| ("writing the log", error))?;
        if self.durable {
            file.sync_data()
                .map_err(|error| ("syncing the log", error))?;
        }
        Ok(())
    }

    /// Goes on in the next file.
    fn next_file(&mut self, sectors: usize) -> Result<(), WalError> {
        let next = self.keeper.take((FIRST + sectors) as u64);
        self.stuck = next.as_ref().err().cloned();
        let next = next
            .map_err(WalError::NoNextFile)
            .inspect_err(|_| self.tell())?;
        self.behind.push(Behind::of(&self.current));
        (self.current, self.end) = (next, FIRST);
        self.tell();
        Ok(())
    }

    /// After a write that failed: goes on in the next file, as if it had never been tried. Nothing happens when none has
    /// failed.
    ///
    /// Until the next frame is written, opening the log may still find the one that failed.
    pub(crate) fn go_on(&mut self) -> Result<(), WalError> {
        if self.refuses.is_some() {
            self.next_file(0)?;
            self.refuses = None;
            self.tell();
        }
        Ok(())
    }

    /// Why it takes no writes, if it does not: one failed, or the next file could not be made. Tries whether it is so still.
    pub(crate) fn refusal(&mut self) -> Option<ReadOnly> {
        if self.stuck.is_some() {
            self.stuck = self.keeper.try_again();
            self.tell();
        }
        if self.stuck.is_none() && self.go_on().is_ok() {
            return None;
        }
        self.why_not()
    }

    fn why_not(&self) -> Option<ReadOnly> {
        let why = self.stuck.as_ref().or(self.refuses.as_ref())?;
        Some(why.read_only())
    }

    /// What can be said of it while it is written to.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// Tells what has changed to those who do not wait for it.
    fn tell(&self) {
        let current = Behind::of(&self.current);
        let files = self.behind.iter().copied().chain([current]);
        self.seen.tell(Told {
            files: files.collect(),
            bytes: self.bytes(),
            refusal: self.why_not(),
        });
    }

    /// Ends what is done beside the writes, so that the folder is free. Idempotent.
    pub(crate) fn stop(&mut self) {
        self.keeper.stop();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }

    /// All frames up to this one stand elsewhere, durably, and so does its place: files before it are given up.
    pub(crate) fn sealed(&mut self, place: Place) {
        let old = self.behind.extract_if(.., |file| file.number < place.file);
        let old: Vec<_> = old.map(|file| file.number).collect();
        // Before they go: a file that is needed and not there would mean that the store was moved.
        self.tell();
        self.keeper.give_up(old);
    }

    /// Bytes of its files, but for one that is being made.
    pub(crate) fn bytes(&self) -> u64 {
        let files = self.behind.len() as u64 + 2;
        files * self.current.header.sectors * SECTOR as u64
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Gives the files of a log that is there names that no log has, with this word in them.
pub(crate) fn set_aside(folder: &Folder, word: &str) -> Result<Vec<String>, WalError> {
    recovery::set_aside(folder, word)
}
