//! The files behind the log: the next one is made before it is needed, old ones are used again or removed.
//!
//! Owns a thread for that, so that a commit never waits for a file to be filled with zeros, unless it comes faster than the
//! disk writes them. A file gets its name only once it is whole and durable.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::error::NoFile;
use super::files::Folder;
use super::format::{Header, SECTOR};
use crate::store::disk::{DiskFile, Identity};

/// Name of a file that is being made.
pub(super) const UNFINISHED: &str = "wal-new";
const PREFIX: &str = "wal-";
/// Bytes of zeros written at a time, so that a commit's sync never waits behind many of them.
const ZEROS: usize = 256 << 10;
/// Bytes of zeros after which they are synced.
const SYNC_EVERY: usize = 2 << 20;

/// The name of the file of a number.
pub(super) fn file_name(number: u64) -> String {
    format!("{PREFIX}{number:08}")
}

/// The number in a file's name; `None` for other files.
pub(super) fn file_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix(PREFIX)?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// A file that was made: zeros behind its header, durable under its name.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) header: Header,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) identity: Identity,
}

impl Prepared {
    pub(super) fn new(header: Header, file: Arc<dyn DiskFile>) -> std::io::Result<Self> {
        let identity = file.identity()?;
        Ok(Self {
            header,
            file,
            identity,
        })
    }
}

/// How files are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Making {
    /// The store they belong to.
    pub(super) store: [u8; 16],
    /// How many sectors each has, its header among them.
    pub(super) sectors: u64,
    /// A random number.
    pub(super) salt: fn() -> u64,
}

#[derive(Debug)]
struct State {
    /// The number of the next file.
    next: u64,
    /// It, once it is made.
    ready: Option<Prepared>,
    /// Whether it is to be made.
    wanted: bool,
    /// Whether it is being made.
    making: bool,
    /// Why it could not be made.
    failed: Option<NoFile>,
    /// Files that are not needed any more.
    old: Vec<u64>,
    stop: bool,
}

/// Makes and removes files.
#[derive(Debug)]
pub(super) struct Keeper {
    folder: Folder,
    making: Making,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether a thread works; else the log does, when it needs a file.
    has_thread: bool,
}

impl Keeper {
    /// `ready` is a file that is there already; `next` the number of the next one.
    pub(super) fn new(
        folder: Folder,
        making: Making,
        next: u64,
        ready: Option<Prepared>,
        has_thread: bool,
    ) -> Self {
        let state = Mutex::new(State {
            next,
            wanted: ready.is_none(),
            ready,
            making: false,
            failed: None,
            old: Vec::new(),
            stop: false,
        });
        let changed = Condvar::new();
        Self {
            folder,
            making,
            state,
            changed,
            has_thread,
        }
    }

    /// Where the files are.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Starts the thread.
    pub(super) fn start(self: &Arc<Self>) -> std::io::Result<JoinHandle<()>> {
        let keeper = Arc::clone(self);
        std::thread::Builder::new()
            .name("store-log-files".to_owned())
            .spawn(move || keeper.run())
    }

    /// Ends the thread, after the file that it works on.
    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.lock();
        while !state.stop {
            if state.wanted || !state.old.is_empty() {
                state = self.work(state);
            } else {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Does the next piece of work, without the lock.
    fn work<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let old = state.old.pop();
        if !state.wanted {
            drop(state);
            if let Some(old) = old {
                self.remove(old);
            }
            return self.lock();
        }
        let number = state.next;
        (state.wanted, state.making) = (false, true);
        drop(state);
        let made = self.make(number, self.making.sectors, old);
        let mut state = self.lock();
        state.making = false;
        match made {
            Ok(prepared) => state.ready = Some(prepared),
            Err(error) => {
                tracing::warn!(%error, "the log's next file could not be made");
                state.failed = Some(NoFile::because(&error));
            }
        }
        self.changed.notify_all();
        state
    }

    fn remove(&self, number: u64) {
        let name = file_name(number);
        if let Err(error) = self.folder.remove(&name) {
            tracing::warn!(%error, file = name, "an old file of the log could not be removed");
        }
    }

    /// Makes a file, of an old one where there is one: its place on the disk is ours already.
    pub(super) fn make(
        &self,
        number: u64,
        sectors: u64,
        old: Option<u64>,
    ) -> std::io::Result<Prepared> {
        let made = self.fill(number, sectors, old);
        if made.is_err() {
            // What is left of it would only take room. A next attempt makes it from nothing.
            drop(self.folder.remove(UNFINISHED));
        }
        made
    }

    fn fill(&self, number: u64, sectors: u64, old: Option<u64>) -> std::io::Result<Prepared> {
        let file = match old {
            Some(old) => {
                // From here on no crash leaves it under a name of the log's.
                self.folder.rename(&file_name(old), UNFINISHED)?;
                self.folder.sync()?;
                self.folder.open(UNFINISHED)?
            }
            None => self.folder.create(UNFINISHED)?,
        };
        let length = sectors * SECTOR as u64;
        if file.len()? > length {
            file.set_len(length)?;
        }
        let zeros = vec![0; ZEROS];
        let (mut offset, mut unsynced) = (0, 0);
        while offset < length {
            let rest = usize::try_from(length - offset).unwrap_or(ZEROS);
            let part = zeros.get(..rest.min(ZEROS)).unwrap_or(&zeros);
            self.folder.with_room(|| file.write_at(offset, part))?;
            offset += part.len() as u64;
            unsynced += part.len();
            if unsynced >= SYNC_EVERY {
                self.folder.with_room(|| file.sync_data())?;
                unsynced = 0;
            }
        }
        let header = Header {
            store: self.making.store,
            number,
            sectors,
            salt: (self.making.salt)(),
        };
        file.write_at(0, &header.encode())?;
        self.folder.with_room(|| file.sync_data())?;
        self.folder.rename(UNFINISHED, &file_name(number))?;
        self.folder.sync()?;
        Prepared::new(header, file)
    }

    /// The next file, with room for so many sectors; waits for it where it is being made.
    pub(super) fn take(&self, sectors: u64) -> Result<Prepared, NoFile> {
        let mut state = self.made()?;
        let prepared = state.ready.take().ok_or_else(closed)?;
        while !self.has_thread && !state.old.is_empty() {
            state = self.work(state);
        }
        let number = prepared.header.number;
        if prepared.header.sectors < sectors {
            // More than any other file has room for: one of its own size takes its place.
            return match self.make(number, sectors, None) {
                Ok(large) => {
                    state.after(number, self.has_thread);
                    self.changed.notify_all();
                    Ok(large)
                }
                // Which of the two has the name now is not known: it is made again.
                Err(error) => {
                    state.wanted = self.has_thread;
                    self.changed.notify_all();
                    Err(NoFile::because(&error))
                }
            };
        }
        state.after(number, self.has_thread);
        self.changed.notify_all();
        Ok(prepared)
    }

    /// Makes the next file if it is not there; why that does not go.
    pub(super) fn try_again(&self) -> Option<NoFile> {
        self.made().err()
    }

    /// Waits until the next file is there, or could not be made now.
    fn made(&self) -> Result<MutexGuard<'_, State>, NoFile> {
        let mut state = self.lock();
        if state.ready.is_none() {
            // What failed before may go well by now.
            state.failed = None;
            state.wanted = !state.making;
            self.changed.notify_all();
        }
        loop {
            if state.ready.is_some() {
                return Ok(state);
            }
            if let Some(failed) = state.failed.clone() {
                return Err(failed);
            }
            if state.stop {
                return Err(closed());
            }
            state = if self.has_thread {
                self.changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                self.work(state)
            };
        }
    }

    /// Whether a file is still the one that has its name.
    pub(super) fn is_in_place(&self, number: u64, identity: Identity) -> bool {
        let found = self.folder.identity(&file_name(number));
        matches!(found, Ok(Some(found)) if found == identity)
    }

    /// Gives up the files of these numbers.
    pub(super) fn give_up(&self, numbers: impl IntoIterator<Item = u64>) {
        self.lock().old.extend(numbers);
        self.changed.notify_all();
    }
}

fn closed() -> NoFile {
    NoFile::because(&std::io::Error::other("the log is closed"))
}

impl State {
    /// The next file is in use: the one after it is to be made.
    fn after(&mut self, number: u64, has_thread: bool) {
        self.next = number + 1;
        self.wanted = has_thread;
    }
}
