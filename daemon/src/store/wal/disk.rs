//! A disk in memory for tests: it keeps what was synced, and of the rest what a power cut happens to leave.
//!
//! Bytes that were written and not synced are kept or lost sector by sector, whatever the order in which they were
//! written. Names that were changed and not synced are lost from some point on.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::files::{LogFile, LogFolder};
use super::format::SECTOR;

/// A pseudo-random sequence; the same for the same seed.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

#[derive(Debug, Clone, Default)]
struct FileState {
    /// As a process sees it.
    seen: Vec<u8>,
    /// As it is on the disk.
    durable: Vec<u8>,
    /// What is not on the disk yet, by sector: where, and the bytes.
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Set(String, usize),
    Removed(String),
}

/// What there is.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    files: Vec<FileState>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    /// Operations that succeed before one fails.
    fails_after: Option<usize>,
    /// How the disk was before and after each operation that changes it, where that is kept.
    moments: Option<Vec<State>>,
}

/// The disk.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

/// An open file.
#[derive(Debug)]
pub(super) struct DiskFile(Arc<Mutex<State>>, usize);

impl State {
    /// Notes the moment, and fails if it is time to.
    fn operation(&mut self) -> io::Result<()> {
        if let Some(mut moments) = self.moments.take() {
            moments.push(self.clone());
            self.moments = Some(moments);
        }
        match &mut self.fails_after {
            Some(0) => Err(io::Error::other("the disk failed")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn rename(&mut self, change: NameChange) {
        apply_name(&mut self.names, &change);
        self.unsynced_names.push(change);
    }

    /// The disk after the power went and came back.
    pub(super) fn after_cut(mut self, random: &mut Random) -> Disk {
        let kept_names = random.below(self.unsynced_names.len() + 1);
        for change in self.unsynced_names.iter().take(kept_names) {
            apply_name(&mut self.durable_names, change);
        }
        for file in &mut self.files {
            // All, none, or any sectors.
            let kept = [0, 50, 90, 100][random.below(4)];
            for (offset, bytes) in std::mem::take(&mut file.unsynced) {
                if random.below(100) < kept {
                    put(&mut file.durable, offset, &bytes);
                }
            }
            file.seen.clone_from(&file.durable);
        }
        self.names.clone_from(&self.durable_names);
        self.unsynced_names.clear();
        (self.fails_after, self.moments) = (None, None);
        Disk(Arc::new(Mutex::new(self)))
    }
}

fn apply_name(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Set(name, file) => {
            names.retain(|_, other| other != file);
            names.insert(name.clone(), *file);
        }
        NameChange::Removed(name) => {
            names.remove(name);
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    if bytes.len() < offset + new.len() {
        bytes.resize(offset + new.len(), 0);
    }
    bytes[offset..offset + new.len()].copy_from_slice(new);
}

impl Disk {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The moments from here on are kept.
    pub(super) fn keep_moments(&self) {
        self.state().moments = Some(Vec::new());
    }

    /// Those that were kept since the last time.
    pub(super) fn moments(&self) -> Vec<State> {
        self.state().moments.replace(Vec::new()).unwrap()
    }

    /// How it is now.
    pub(super) fn now(&self) -> State {
        State {
            moments: None,
            ..self.state().clone()
        }
    }

    /// Lets all operations after the next so many fail; `None`: none any more.
    pub(super) fn fail_after(&self, operations: Option<usize>) {
        self.state().fails_after = operations;
    }

    /// Changes a file behind everybody's back.
    pub(super) fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let file = state.names[name];
        let file = &mut state.files[file];
        change(&mut file.seen);
        file.durable.clone_from(&file.seen);
        file.unsynced.clear();
    }

    /// What a file holds.
    pub(super) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[name]].seen.clone()
    }
}

impl LogFolder for Disk {
    type File = DiskFile;

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<DiskFile> {
        let mut state = self.state();
        state.operation()?;
        let file = state.files.len();
        state.files.push(FileState::default());
        state.rename(NameChange::Set(name.to_owned(), file));
        Ok(DiskFile(Arc::clone(&self.0), file))
    }

    fn open(&self, name: &str) -> io::Result<DiskFile> {
        let file = self.state().names.get(name).copied();
        let file = file.ok_or(io::ErrorKind::NotFound)?;
        Ok(DiskFile(Arc::clone(&self.0), file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operation()?;
        let file = *state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        state.rename(NameChange::Set(to.to_owned(), file));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.operation()?;
        state.rename(NameChange::Removed(name.to_owned()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.operation()?;
        state.durable_names = state.names.clone();
        state.unsynced_names.clear();
        Ok(())
    }
}

impl DiskFile {
    fn with<T>(&self, act: impl FnOnce(&mut State, usize) -> T) -> T {
        act(&mut self.0.lock().unwrap(), self.1)
    }
}

impl LogFile for DiskFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|state, file| {
            let seen = &state.files[file].seen;
            let from = seen.len().min(usize::try_from(offset).unwrap());
            let read = bytes.len().min(seen.len() - from);
            bytes[..read].copy_from_slice(&seen[from..from + read]);
            Ok(read)
        })
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.with(|state, file| {
            let failed = state.operation();
            let file = &mut state.files[file];
            let offset = usize::try_from(offset).unwrap();
            assert_eq!(offset % SECTOR, 0, "writes begin with a sector");
            for (index, sector) in bytes.chunks(SECTOR).enumerate() {
                let offset = offset + index * SECTOR;
                put(&mut file.seen, offset, sector);
                file.unsynced.push((offset, sector.to_vec()));
            }
            failed
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|state, file| {
            state.operation()?;
            let file = &mut state.files[file];
            for (offset, bytes) in std::mem::take(&mut file.unsynced) {
                put(&mut file.durable, offset, &bytes);
            }
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.with(|state, file| Ok(state.files[file].seen.len() as u64))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.with(|state, file| {
            state.operation()?;
            let file = &mut state.files[file];
            file.seen.resize(usize::try_from(length).unwrap(), 0);
            file.durable.clone_from(&file.seen);
            file.unsynced.clear();
            Ok(())
        })
    }
}
