//! A file of checked pages: what is read is what was written, or an error.
//!
//! Owns the layout under an engine's file: a header of our own, then pages of [`PAGE`] bytes, each followed by a checksum
//! over its bytes, its number and the store's id. So a flipped bit, a page that is cut, zeroed, never written, of another
//! place or of another store is found when it is read. A page that the disk silently left as it was before is not: it is
//! whole. `docs/STORE_FORMAT.md` has the layout byte by byte. Never knows what the pages hold.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use whodunit_core::counted::noun;

use xxhash_rust::xxh3::xxh3_128;

use super::reserve::Reserve;
use super::{Disk, DiskFile, Identity, Open, StoreId};

/// Bytes of a page.
pub(crate) const PAGE: usize = 4096;
/// Bytes of a checksum.
const CHECKSUM: usize = 16;
/// Bytes of a page with its checksum.
const FRAME: usize = PAGE + CHECKSUM;
/// Bytes before the first frame.
const HEADER: u64 = 4096;
/// What our own header begins with.
const MAGIC: [u8; 8] = *b"whodunit";
/// Bytes of our own header, without its checksum.
const IDENTITY: usize = 32;
/// What the file of an engine begins with that has no pages of ours under it.
const PLAIN_MAGIC: [u8; 4] = *b"redb";
/// Where page 0 is kept: the engine's header, the only page that is written over while it is in use. With its checksum it
/// fills one sector, so that a power cut leaves it as it was before or as it is after.
const PAGE_0_AT: u64 = 512;
/// How many bytes of page 0 are kept; the engine writes no more than 320.
const PAGE_0: usize = 512 - CHECKSUM;
/// How many damaged pages are kept by number; more are counted.
const DAMAGED_KEPT: usize = 32;

/// What a file of pages holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The log.
    Events = 1,
    /// A read model.
    ReadModel = 2,
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageHeader {
    /// Format number of what the pages hold.
    pub(crate) format: u32,
    /// What they hold.
    pub(crate) kind: Kind,
    /// The store that the file belongs to.
    pub(crate) store: StoreId,
}

/// Why a file of pages cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another handle has it.
    #[error("it is open in another process")]
    InUse,
    /// It is not one of ours, or its beginning is lost.
    #[error("it does not begin like a file of whodunit")]
    NotOurs,
    /// It has a format that this version does not read.
    #[error("it has format {0}")]
    Format(String),
    /// It is ours, but damaged.
    #[error("{0}")]
    Damaged(&'static str),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

/// A page that cannot be read as it was written. It is on record in [`PageFile::damage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damaged;

/// The damaged pages that were met.
#[derive(Debug, Default)]
struct Damage {
    pages: BTreeMap<u64, String>,
    more: bool,
}

/// An open file of pages.
#[derive(Debug)]
pub(crate) struct PageFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    header: PageHeader,
    /// Whether the engine has not begun with the file.
    untouched: AtomicBool,
    damage: Mutex<Damage>,
    /// Room to give up when there is no other.
    reserve: OnceLock<Arc<Reserve>>,
}

impl PageFile {
    /// Makes an empty file of pages, locked, that is called `path` in what is said of it: it is to be put there once it is
    /// whole. What lies under its present name is written over, unless another handle has it open.
    ///
    /// # Errors
    /// When it is in use, or the disk fails.
    pub(crate) fn make(
        disk: &dyn Disk,
        present: &Path,
        path: &Path,
        header: PageHeader,
    ) -> Result<Self, OpenError> {
        let file = disk.open(present, Open::OrMake)?;
        if !file.lock()? {
            return Err(OpenError::InUse);
        }
        file.set_len(0)?;
        let mut bytes = vec![0; 4096];
        put(&mut bytes, 0, &encode(header));
        file.write_at(0, &bytes)?;
        file.sync_data()?;
        Ok(Self::new(file, path, header, true))
    }

    /// Opens a file and locks it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub(crate) fn open(
        disk: &dyn Disk,
        path: &Path,
        kind: Kind,
        format: u32,
    ) -> Result<Self, OpenError> {
        let file = disk.open(path, Open::Existing)?;
        if !file.lock()? {
            return Err(OpenError::InUse);
        }
        let header = match read_header(file.as_ref()) {
            Ok(header) if header.kind != kind => Err(OpenError::NotOurs),
            Ok(header) if header.format != format => {
                Err(OpenError::Format(header.format.to_string()))
            }
            read => read,
        };
        match header {
            Ok(header) => Ok(Self::new(file, path, header, false)),
            Err(error) => {
                drop(file.unlock());
                Err(error)
            }
        }
    }

    /// What the header of a file says, whether another handle has it or not.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub(crate) fn header_of(disk: &dyn Disk, path: &Path) -> Result<PageHeader, OpenError> {
        read_header(disk.open(path, Open::Existing)?.as_ref())
    }

    /// The store and the format that the beginning of a file says; `None` when it says nothing.
    pub(crate) fn said(beginning: &[u8]) -> Option<(StoreId, u32)> {
        let header = parse_header(beginning.first_chunk()?).ok()?;
        Some((header.store, header.format))
    }

    fn new(file: Arc<dyn DiskFile>, path: &Path, header: PageHeader, untouched: bool) -> Self {
        Self {
            file,
            path: path.to_owned(),
            header,
            untouched: AtomicBool::new(untouched),
            damage: Mutex::default(),
            reserve: OnceLock::new(),
        }
    }

    /// Gives it room to give up when there is no other.
    pub(crate) fn set_reserve(&self, reserve: Arc<Reserve>) {
        // It is set once, when the store is opened.
        drop(self.reserve.set(reserve));
    }

    /// Which file it is.
    pub(crate) fn identity(&self) -> io::Result<Identity> {
        self.file.identity()
    }

    /// Does something that needs room; again, with the reserve given up, where there is none.
    fn with_room(&self, act: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match self.reserve.get() {
            Some(reserve) => reserve.with_room(&self.path, act),
            None => act(),
        }
    }

    /// What its header says.
    pub(crate) fn header(&self) -> PageHeader {
        self.header
    }

    /// How many bytes it takes on disk.
    pub(crate) fn bytes_on_disk(&self) -> io::Result<u64> {
        self.file.len()
    }

    /// How many bytes of pages it has.
    pub(crate) fn len(&self) -> io::Result<u64> {
        if self.untouched.load(Ordering::Acquire) {
            return Ok(0);
        }
        let frames = self.file.len()?.saturating_sub(HEADER) / FRAME as u64;
        Ok((frames + 1) * PAGE as u64)
    }

    /// Makes it so many bytes of pages long. Pages that are added cannot be read before they are written.
    pub(crate) fn set_len(&self, len: u64) -> io::Result<()> {
        let frames = (len / PAGE as u64).saturating_sub(1);
        self.with_room(|| self.file.set_len(HEADER + frames * FRAME as u64))?;
        self.untouched.store(false, Ordering::Release);
        Ok(())
    }

    /// Makes everything written durable.
    pub(crate) fn sync_data(&self) -> io::Result<()> {
        self.with_room(|| self.file.sync_data())
    }

    /// Gives the file up to another handle.
    pub(crate) fn release(&self) -> io::Result<()> {
        self.file.unlock()
    }

    /// Reads whole pages, or the beginning of page 0.
    ///
    /// # Errors
    /// [`Damaged`] where one of them is not as it was written, for whatever reason.
    pub(crate) fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Damaged> {
        let (Ok(first), true) = (self.first_frame(offset), out.len().is_multiple_of(PAGE)) else {
            return self.read_page_0(offset, out);
        };
        let mut frames = vec![0; out.len() / PAGE * FRAME];
        let at = HEADER + (first - 1) * FRAME as u64;
        if let Err(error) = self.file.read_at(at, &mut frames) {
            return Err(self.damaged(first, &error.to_string()));
        }
        for (number, (frame, page)) in (first..).zip(frames.chunks(FRAME).zip(out.chunks_mut(PAGE)))
        {
            let (bytes, sum) = frame.split_at(PAGE);
            if *sum != checksum(bytes, number, self.header.store) {
                return Err(self.damaged(number, "its checksum does not match"));
            }
            page.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// What the file is called.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Which of so many pages from `first` on are not as they were written. Pages that were never written are not among them.
    pub(crate) fn damaged_among(&self, first: u64, count: u64) -> Vec<u64> {
        let bytes = usize::try_from(count).unwrap_or(usize::MAX);
        let mut frames = vec![0; bytes.saturating_mul(FRAME)];
        let at = HEADER + first.saturating_sub(1) * FRAME as u64;
        if self.file.read_at(at, &mut frames).is_err() {
            return if count > 1 {
                (first..first + count)
                    .filter(|page| !self.damaged_among(*page, 1).is_empty())
                    .collect()
            } else {
                vec![first]
            };
        }
        let damaged = |number: u64, frame: &[u8]| {
            let (bytes, sum) = frame.split_at(PAGE);
            *sum != checksum(bytes, number, self.header.store)
                && frame.iter().any(|byte| *byte != 0)
        };
        let pages = (first..).zip(frames.chunks_exact(FRAME));
        let damaged = pages.filter(|(number, frame)| damaged(*number, frame));
        damaged.map(|(number, _)| number).collect()
    }

    /// Writes whole pages, or the beginning of page 0.
    pub(crate) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let (Ok(first), true) = (self.first_frame(offset), bytes.len().is_multiple_of(PAGE)) else {
            return self.write_page_0(offset, bytes);
        };
        let mut frames = Vec::with_capacity(bytes.len() / PAGE * FRAME);
        for (number, page) in (first..).zip(bytes.chunks(PAGE)) {
            frames.extend_from_slice(page);
            frames.extend_from_slice(&checksum(page, number, self.header.store));
        }
        let at = HEADER + (first - 1) * FRAME as u64;
        self.with_room(|| self.file.write_at(at, &frames))
    }

    /// The number of the page that begins here, from 1.
    fn first_frame(&self, offset: u64) -> io::Result<u64> {
        let number = offset / PAGE as u64;
        if number == 0 || !offset.is_multiple_of(PAGE as u64) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{}` has no page at byte {offset}", self.path.display()),
            ));
        }
        Ok(number)
    }

    fn read_page_0(&self, offset: u64, out: &mut [u8]) -> Result<(), Damaged> {
        if offset != 0 || out.len() > PAGE_0 {
            return Err(self.damaged(offset / PAGE as u64, "it was asked for in part"));
        }
        let mut sector = [0; PAGE_0 + CHECKSUM];
        if let Err(error) = self.file.read_at(PAGE_0_AT, &mut sector) {
            return Err(self.damaged(0, &error.to_string()));
        }
        let (bytes, sum) = sector.split_at(PAGE_0);
        if *sum != checksum(bytes, 0, self.header.store) {
            return Err(self.damaged(0, "its checksum does not match"));
        }
        let (wanted, _) = bytes.split_at(out.len());
        out.copy_from_slice(wanted);
        Ok(())
    }

    fn write_page_0(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if offset != 0 || bytes.len() > PAGE_0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "`{}` is written in whole pages, not {} bytes at byte {offset}",
                    self.path.display(),
                    bytes.len()
                ),
            ));
        }
        let mut sector = vec![0; PAGE_0];
        put(&mut sector, 0, bytes);
        let sum = checksum(&sector, 0, self.header.store);
        sector.extend_from_slice(&sum);
        self.with_room(|| self.file.write_at(PAGE_0_AT, &sector))
    }

    /// Puts a damaged page on record, and says it once.
    fn damaged(&self, page: u64, why: &str) -> Damaged {
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        if damage.pages.len() < DAMAGED_KEPT {
            if damage.pages.insert(page, why.to_owned()).is_none() {
                tracing::error!(file = %self.path.display(), page, why, "a page is damaged");
            }
        } else {
            damage.more |= !damage.pages.contains_key(&page);
        }
        Damaged
    }

    /// The damaged pages that were met since it was opened: which, and what is wrong with them.
    pub(crate) fn damage(&self) -> Option<(String, String)> {
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, why) = damage.pages.first_key_value()?;
        let pages: Vec<_> = damage.pages.keys().map(u64::to_string).collect();
        let noun = noun(pages.len(), "page");
        let more = if damage.more { " and more" } else { "" };
        Some((
            format!(
                "{noun} {}{more} of `{}`",
                pages.join(", "),
                self.path.file_name().unwrap_or_default().display()
            ),
            format!("{why}; restore the file from a backup"),
        ))
    }
}

/// Checksum of a page: that of its bytes, mixed with that of its place.
fn checksum(page: &[u8], number: u64, store: StoreId) -> [u8; CHECKSUM] {
    let mut place = [0; 24];
    put(&mut place, 0, &store.0);
    put(&mut place, 16, &number.to_le_bytes());
    (xxh3_128(page) ^ xxh3_128(&place)).to_le_bytes()
}

fn encode(header: PageHeader) -> [u8; IDENTITY + CHECKSUM] {
    let mut bytes = [0; IDENTITY + CHECKSUM];
    put(&mut bytes, 0, &MAGIC);
    put(&mut bytes, 8, &header.format.to_le_bytes());
    put(&mut bytes, 12, &(header.kind as u32).to_le_bytes());
    put(&mut bytes, 16, &header.store.0);
    let sum = xxh3_128(bytes.split_at(IDENTITY).0).to_le_bytes();
    put(&mut bytes, IDENTITY, &sum);
    bytes
}

/// The header of any file of ours.
fn read_header(file: &dyn DiskFile) -> Result<PageHeader, OpenError> {
    let mut bytes = [0; IDENTITY + CHECKSUM];
    match file.read_at(0, &mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(OpenError::NotOurs);
        }
        read => read?,
    }
    let header = parse_header(&bytes)?;
    if file.len()? < HEADER {
        return Err(OpenError::Damaged("the file is cut short"));
    }
    Ok(header)
}

/// What the beginning of a file says.
fn parse_header(bytes: &[u8; IDENTITY + CHECKSUM]) -> Result<PageHeader, OpenError> {
    let part = |at: usize, len: usize| bytes.split_at(at).1.split_at(len).0;
    let number = |at: usize| part(at, 4).try_into().map_or(0, u32::from_le_bytes);
    if part(0, 4) == PLAIN_MAGIC {
        return Err(OpenError::Format("3 or older".to_owned()));
    }
    if part(0, 8) != MAGIC {
        return Err(OpenError::NotOurs);
    }
    if *part(IDENTITY, CHECKSUM) != xxh3_128(part(0, IDENTITY)).to_le_bytes() {
        return Err(OpenError::Damaged("the file's header is damaged"));
    }
    let kind = match number(12) {
        1 => Kind::Events,
        2 => Kind::ReadModel,
        _ => return Err(OpenError::NotOurs),
    };
    let store = part(16, 16).try_into().map_or(StoreId([0; 16]), StoreId);
    Ok(PageHeader {
        format: number(8),
        kind,
        store,
    })
}

/// Copies bytes to a place that has room for them.
fn put(into: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = into.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
