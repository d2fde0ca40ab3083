//! A disk that does to files what a power cut, a liar and a full disk do.
//!
//! What is written but not synced may, at a cut, be there or not: each sector on its own, in any order, in any of the versions
//! that it was written in; so may a changed length, and a name that was given or taken away. Deterministic from its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Disk, DiskFile, Identity, Open};

/// What a disk writes as a whole or not at all.
const SECTOR: usize = 512;
const DEVICE: u64 = 7;

/// A small generator, good enough for choosing faults: the same seed, the same faults.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// An index into `len` things, of which there is one at least.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    /// So many bytes of any kind.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// What the disk does wrong while the power is on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Operations that change the disk until the power goes; `None`: it stays.
    pub(crate) power_for: Option<u64>,
    /// Syncing files with this in their path says that all is well, and does nothing.
    pub(crate) lies_about: Option<&'static str>,
    /// Bytes that all files together may have; a write beyond it is made in part and fails for want of room.
    pub(crate) room: Option<u64>,
    /// Operations that change the disk until one fails, once, with an input/output error, after it was made in part.
    pub(crate) fails_after: Option<u64>,
    /// From then on each of them fails, not one alone.
    pub(crate) fails_for_good: bool,
    /// What fails after so many operations panics instead.
    pub(crate) panics: bool,
}

type Sector = [u8; SECTOR];

/// A file, whatever its name.
#[derive(Debug, Clone, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors written since the last sync, with every version that they had since.
    pending: BTreeMap<usize, Vec<Sector>>,
    /// The lengths that it had since the last sync.
    lengths: Vec<usize>,
}

impl Inode {
    fn sector(&self, number: usize) -> Sector {
        let mut sector = [0; SECTOR];
        let start = (number * SECTOR).min(self.live.len());
        let bytes = &self.live[start..(start + SECTOR).min(self.live.len())];
        sector[..bytes.len()].copy_from_slice(bytes);
        sector
    }

    fn note(&mut self, from: usize, to: usize) {
        for number in from / SECTOR..to.div_ceil(SECTOR) {
            let version = self.sector(number);
            self.pending.entry(number).or_default().push(version);
        }
    }

    fn resize(&mut self, len: usize) {
        let before = self.live.len();
        self.live.resize(len, 0);
        self.lengths.push(len);
        if len < before {
            // Should it grow again, zeros are there, or what was there before.
            self.note(len, before);
        }
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if end > self.live.len() {
            self.resize(end);
        }
        self.live[offset..end].copy_from_slice(bytes);
        self.note(offset, end);
    }

    fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for &number in self.pending.keys() {
            let start = (number * SECTOR).min(self.live.len());
            let end = (start + SECTOR).min(self.live.len());
            self.durable[start..end].copy_from_slice(&self.live[start..end]);
        }
        self.pending.clear();
        self.lengths.clear();
    }

    /// What is left of it without power. `keep` of 8 sectors come through, each in a version of its own.
    fn surviving(&self, random: &mut Random, keep: u64) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        if !self.lengths.is_empty() && random.below(8) < keep {
            bytes.resize(self.lengths[random.index(self.lengths.len())], 0);
        }
        for (number, versions) in &self.pending {
            if random.below(8) >= keep {
                continue;
            }
            let version = &versions[random.index(versions.len())];
            let start = number * SECTOR;
            if start < bytes.len() {
                let end = (start + SECTOR).min(bytes.len());
                bytes[start..end].copy_from_slice(&version[..end - start]);
            }
        }
        bytes
    }
}

/// A change of a name that may or may not be durable.
#[derive(Debug, Clone)]
enum NameChange {
    Given(PathBuf, u64),
    Taken(PathBuf),
    Moved(PathBuf, PathBuf),
}

impl NameChange {
    fn is_in(&self, directory: &Path) -> bool {
        let (Self::Given(path, _) | Self::Taken(path) | Self::Moved(_, path)) = self;
        path.parent() == Some(directory)
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Given(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Taken(path) => {
                names.remove(path);
            }
            Self::Moved(from, to) => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Medium {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    name_changes: Vec<NameChange>,
    locked: BTreeSet<u64>,
    faults: Faults,
    reserve_bytes: u64,
    dead: bool,
    /// How it was before each operation that changes it, where that is kept.
    moments: Option<Vec<Medium>>,
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

impl Medium {
    fn alive(&self) -> io::Result<()> {
        if self.dead {
            Err(power_is_off())
        } else {
            Ok(())
        }
    }

    /// Counts an operation that changes the disk. `Ok(false)`: it is to be made in part and fail.
    fn operate(&mut self) -> io::Result<bool> {
        self.alive()?;
        if let Some(mut moments) = self.moments.take() {
            moments.push(self.clone());
            self.moments = Some(moments);
        }
        if let Some(left) = &mut self.faults.power_for {
            if *left == 0 {
                self.dead = true;
                return Ok(false);
            }
            *left -= 1;
        }
        match &mut self.faults.fails_after {
            Some(0) => {
                assert!(!self.faults.panics, "the disk panics");
                if !self.faults.fails_for_good {
                    self.faults.fails_after = None;
                }
                Ok(false)
            }
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None => Ok(true),
        }
    }

    fn failure(&self) -> io::Error {
        if self.dead {
            power_is_off()
        } else {
            io::Error::other("input/output error")
        }
    }

    fn lies_about(&self, inode: u64) -> bool {
        let named = |part: &str| {
            let mut names = self.names.iter().filter(|(_, of)| **of == inode);
            names.any(|(path, _)| path.to_string_lossy().contains(part))
        };
        self.faults.lies_about.is_some_and(named)
    }

    /// Bytes of the files that have a name: one that was removed gives its room back.
    fn used(&self) -> u64 {
        let named = self.names.values();
        let inodes = named.filter_map(|number| self.inodes.get(number));
        inodes.map(|inode| inode.live.len() as u64).sum()
    }

    fn inode(&mut self, number: u64) -> &mut Inode {
        self.inodes.get_mut(&number).unwrap()
    }
}

/// The disk; all clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedDisk(Arc<Mutex<Medium>>);

#[derive(Debug)]
struct SimulatedFile {
    medium: Arc<Mutex<Medium>>,
    inode: u64,
    holds: Mutex<bool>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl SimulatedDisk {
    fn medium(&self) -> MutexGuard<'_, Medium> {
        locked(&self.0)
    }

    /// What it does wrong from now on.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.medium().faults = faults;
    }

    /// How much a store is to keep in reserve: nothing, where nothing is said.
    pub(crate) fn set_reserve(&self, bytes: u64) {
        self.medium().reserve_bytes = bytes;
    }

    /// How many bytes all files have together.
    pub(crate) fn used(&self) -> u64 {
        self.medium().used()
    }

    /// Keeps every moment from now on.
    pub(crate) fn keep_moments(&self) {
        self.medium().moments = Some(Vec::new());
    }

    /// The disk as it was before each operation since that was asked last, and as it is.
    pub(crate) fn moments(&self) -> Vec<Self> {
        let mut medium = self.medium();
        let mut moments = medium.moments.replace(Vec::new()).unwrap_or_default();
        let mut now = medium.clone();
        now.moments = None;
        moments.push(now);
        let still = |mut moment: Medium| {
            moment.faults = Faults::default();
            Self(Arc::new(Mutex::new(moment)))
        };
        moments.into_iter().map(still).collect()
    }

    /// Changes a file behind the back of those who use it, durably.
    pub(crate) fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut medium = self.medium();
        let number = medium.names[path];
        let inode = medium.inode(number);
        change(&mut inode.live);
        inode.durable.clone_from(&inode.live);
        inode.pending.clear();
        inode.lengths.clear();
    }

    /// Whether the power has gone.
    pub(crate) fn is_dead(&self) -> bool {
        self.medium().dead
    }

    /// Cuts the power: every open handle fails from now on. The disk that is found when it is back.
    pub(crate) fn cut(&self, random: &mut Random) -> Self {
        let mut medium = self.medium();
        medium.dead = true;
        // Nothing, something, or everything comes through.
        let keep = [0, 1, 4, 7, 8][random.index(5)];
        let mut names = medium.durable_names.clone();
        for change in &medium.name_changes {
            if random.below(8) < keep {
                change.apply(&mut names);
            }
        }
        let mut inodes = BTreeMap::new();
        for &number in names.values() {
            let bytes = medium.inodes[&number].surviving(random, keep);
            inodes.insert(
                number,
                Inode {
                    durable: bytes.clone(),
                    live: bytes,
                    ..Inode::default()
                },
            );
        }
        Self(Arc::new(Mutex::new(Medium {
            inodes,
            durable_names: names.clone(),
            names,
            ..Medium::default()
        })))
    }

    /// The disk as a new process finds it after the old one was killed: nothing is lost.
    pub(crate) fn killed(&self) -> Self {
        let mut medium = self.medium();
        medium.dead = true;
        Self(Arc::new(Mutex::new(Medium {
            inodes: medium.inodes.clone(),
            names: medium.names.clone(),
            durable_names: medium.durable_names.clone(),
            name_changes: medium.name_changes.clone(),
            ..Medium::default()
        })))
    }

    /// Every file, by name.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let medium = self.medium();
        let bytes = |number: &u64| medium.inodes[number].live.clone();
        medium
            .names
            .iter()
            .map(|(path, number)| (path.clone(), bytes(number)))
            .collect()
    }

    /// A disk with these files, all durable.
    pub(crate) fn with_files(files: &BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let mut medium = Medium::default();
        for (number, (path, bytes)) in (1..).zip(files) {
            medium.names.insert(path.clone(), number);
            let inode = Inode {
                live: bytes.clone(),
                durable: bytes.clone(),
                ..Inode::default()
            };
            medium.inodes.insert(number, inode);
        }
        medium.durable_names = medium.names.clone();
        Self(Arc::new(Mutex::new(medium)))
    }
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>> {
        let mut medium = self.medium();
        medium.alive()?;
        let inode = match (medium.names.get(path).copied(), how) {
            (Some(inode), _) => inode,
            (None, Open::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, Open::OrMake) => {
                if !medium.operate()? {
                    return Err(medium.failure());
                }
                let inode = medium.inodes.keys().max().map_or(1, |last| last + 1);
                medium.inodes.insert(inode, Inode::default());
                medium.names.insert(path.to_owned(), inode);
                medium
                    .name_changes
                    .push(NameChange::Given(path.to_owned(), inode));
                inode
            }
        };
        Ok(Arc::new(SimulatedFile {
            medium: Arc::clone(&self.0),
            inode,
            holds: Mutex::new(false),
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut medium = self.medium();
        if !medium.operate()? {
            return Err(medium.failure());
        }
        if !medium.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let change = NameChange::Moved(from.to_owned(), to.to_owned());
        change.apply(&mut medium.names);
        medium.name_changes.push(change);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut medium = self.medium();
        if !medium.operate()? {
            return Err(medium.failure());
        }
        if medium.names.remove(path).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        medium.name_changes.push(NameChange::Taken(path.to_owned()));
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let medium = self.medium();
        medium.alive()?;
        let inside = medium
            .names
            .keys()
            .filter(|path| path.parent() == Some(directory));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        let mut medium = self.medium();
        if !medium.operate()? {
            return Err(medium.failure());
        }
        let changes = std::mem::take(&mut medium.name_changes);
        let (durable, still): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|change| change.is_in(directory));
        for change in &durable {
            change.apply(&mut medium.durable_names);
        }
        medium.name_changes = still;
        Ok(())
    }

    fn make_directory(&self, _: &Path) -> io::Result<()> {
        self.medium().alive()
    }

    fn reserve_bytes(&self) -> u64 {
        self.medium().reserve_bytes
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        let medium = self.medium();
        medium.alive()?;
        let inode = medium.names.get(path).copied();
        Ok(inode.map(|inode| Identity {
            device: DEVICE,
            inode,
        }))
    }
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut medium = locked(&self.medium);
        medium.alive()?;
        let live = &medium.inode(self.inode).live;
        let bytes = live.get(at(offset)..at(offset) + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut medium = locked(&self.medium);
        if !medium.operate()? {
            let part = bytes.len() / 2 / SECTOR * SECTOR;
            medium.inode(self.inode).write(at(offset), &bytes[..part]);
            return Err(medium.failure());
        }
        let grows = (offset + bytes.len() as u64)
            .saturating_sub(medium.inode(self.inode).live.len() as u64);
        if let Some(room) = medium.faults.room
            && medium.used() + grows > room
        {
            let fits = at(room.saturating_sub(medium.used())).min(bytes.len());
            medium.inode(self.inode).write(at(offset), &bytes[..fits]);
            return Err(io::ErrorKind::StorageFull.into());
        }
        medium.inode(self.inode).write(at(offset), bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut medium = locked(&self.medium);
        if !medium.operate()? {
            return Err(medium.failure());
        }
        let grows = len.saturating_sub(medium.inode(self.inode).live.len() as u64);
        if let Some(room) = medium.faults.room
            && grows > 0
            && medium.used() + grows > room
        {
            return Err(io::ErrorKind::StorageFull.into());
        }
        medium.inode(self.inode).resize(at(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut medium = locked(&self.medium);
        if !medium.operate()? {
            return Err(medium.failure());
        }
        if !medium.lies_about(self.inode) {
            medium.inode(self.inode).sync();
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let mut medium = locked(&self.medium);
        medium.alive()?;
        Ok(medium.inode(self.inode).live.len() as u64)
    }

    fn identity(&self) -> io::Result<Identity> {
        locked(&self.medium).alive()?;
        Ok(Identity {
            device: DEVICE,
            inode: self.inode,
        })
    }

    fn lock(&self) -> io::Result<bool> {
        let mut medium = locked(&self.medium);
        medium.alive()?;
        let got = medium.locked.insert(self.inode);
        *locked(&self.holds) |= got;
        Ok(got)
    }

    fn unlock(&self) -> io::Result<()> {
        if std::mem::take(&mut *locked(&self.holds)) {
            locked(&self.medium).locked.remove(&self.inode);
        }
        Ok(())
    }
}

impl Drop for SimulatedFile {
    fn drop(&mut self) {
        drop(self.unlock());
    }
}
