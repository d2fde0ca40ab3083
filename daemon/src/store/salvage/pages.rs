//! Segments in the pages of a damaged file, found without its tables.
//!
//! Owns what a leaf page of the engine looks like. Nothing is asked of the engine, and no page is refused for its checksum: what
//! is found is held to the checksums of the segments' own parts, which know store, segment and place. Pages that the engine has
//! given up still count: what a segment holds never changes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use crate::store::StoreId;
use crate::store::segment::frame::{Part, Place, unwrap};
use crate::store::segment::manifest::Manifest;

/// Bytes of a page, of its checksum, and before the first one.
const PAGE: usize = 4096;
const FRAME: usize = PAGE + 16;
const HEADER: u64 = 4096;
/// The type of a leaf page, its first byte.
const LEAF: u8 = 1;
/// Bytes of a value that a segment's chunk has at most, and bytes of a leaf that is looked at.
const CHUNK_BYTES: usize = 32 * 1024 - 64;
const LEAF_BYTES_MAX: usize = 64 << 20;
/// Entries of a leaf that is looked at.
const ENTRIES_MAX: usize = 4096;

/// A file of pages, read only.
pub(super) struct Pages {
    file: File,
    /// How many there are, the last one cut short maybe.
    count: u64,
}

/// A piece of a segment's parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    /// The page of its leaf.
    page: u64,
    /// Where it begins there.
    offset: usize,
    /// Its length.
    pub(super) length: usize,
}

/// What was found.
#[derive(Default)]
pub(super) struct Scan {
    /// Manifests by segment number, all that there are of each.
    pub(super) manifests: BTreeMap<u64, Vec<Manifest>>,
    /// Chunks by segment number and their own.
    pub(super) chunks: BTreeMap<(u64, u64), Vec<Chunk>>,
    /// Whether the log is labelled as a redacted copy.
    pub(super) redacted_copy: bool,
}

fn read_at(file: &File, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    #[cfg(unix)]
    {
        let mut read = 0;
        while let Some(rest) = out.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match std::os::unix::fs::FileExt::read_at(file, rest, offset + read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        Ok(read)
    }
    #[cfg(not(unix))]
    {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(offset))?;
        let mut read = Vec::new();
        file.take(out.len() as u64).read_to_end(&mut read)?;
        out[..read.len()].copy_from_slice(&read);
        Ok(read.len())
    }
}

impl Pages {
    pub(super) fn of(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let count = length.saturating_sub(HEADER).div_ceil(FRAME as u64);
        Ok(Self { file, count })
    }

    /// Bytes of the pages from one on, without their checksums; fewer where the file ends, zeros where it cannot be read.
    fn bytes(&self, page: u64, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(length.next_multiple_of(PAGE));
        let mut frame = vec![0; FRAME];
        for number in page.. {
            if out.len() >= length || number >= self.count {
                break;
            }
            frame.fill(0);
            // What cannot be read is zeros, which nothing is made of.
            let _ = read_at(&self.file, HEADER + number * FRAME as u64, &mut frame);
            out.extend_from_slice(frame.get(..PAGE).unwrap_or_default());
        }
        out.truncate(length);
        out
    }

    /// The bytes of a chunk.
    pub(super) fn chunk(&self, chunk: Chunk) -> Vec<u8> {
        let mut bytes = self.bytes(chunk.page, chunk.offset + chunk.length);
        bytes.drain(..chunk.offset.min(bytes.len()));
        bytes
    }

    /// Looks at every page; `progress` is told how many of how many.
    pub(super) fn scan(&self, store: StoreId, progress: &mut dyn FnMut(u64, u64)) -> Scan {
        let mut found = Scan::default();
        for page in 0..self.count {
            if page % 1024 == 0 {
                progress(page, self.count);
            }
            let first = self.bytes(page, PAGE);
            if first.first() != Some(&LEAF) {
                continue;
            }
            self.manifests(page, &first, store, &mut found);
            chunks(page, &first, &mut found);
            found.redacted_copy |= says_redacted_copy(&first);
        }
        progress(self.count, self.count);
        found
    }

    /// Takes a leaf for one of the table of manifests.
    fn manifests(&self, page: u64, first: &[u8], store: StoreId, found: &mut Scan) {
        const KEY: usize = 8;
        let Some(ends) = value_ends(first, KEY) else {
            return;
        };
        let length = ends.last().copied().unwrap_or(0);
        let bytes = self.bytes(page, length);
        let mut start = 4 + ends.len() * (4 + KEY);
        for (index, end) in ends.iter().enumerate() {
            let value = bytes.get(start..*end).unwrap_or_default();
            start = *end;
            let Some(segment) = number_at(first, 4 + 4 * ends.len() + KEY * index) else {
                continue;
            };
            let place = Place {
                store,
                segment,
                part: Part::Manifest,
            };
            let manifest = unwrap(place, value).and_then(|bytes| Manifest::decode(&bytes));
            if let Ok(manifest) = manifest {
                let known = found.manifests.entry(segment).or_default();
                if !known.contains(&manifest) {
                    known.push(manifest);
                }
            }
        }
    }
}

/// Takes a leaf for one of the table of chunks.
fn chunks(page: u64, first: &[u8], found: &mut Scan) {
    const KEY: usize = 16;
    let Some(ends) = value_ends(first, KEY) else {
        return;
    };
    let mut offset = 4 + ends.len() * (4 + KEY);
    for (index, end) in ends.iter().enumerate() {
        let key = 4 + 4 * ends.len() + KEY * index;
        let (segment, chunk) = (number_at(first, key), number_at(first, key + 8));
        let length = end.saturating_sub(offset);
        if let (Some(segment @ 1..), Some(chunk)) = (segment, chunk)
            && (1..=CHUNK_BYTES).contains(&length)
            && segment < 1 << 40
            && chunk < 1 << 32
        {
            let piece = Chunk {
                page,
                offset,
                length,
            };
            found
                .chunks
                .entry((segment, chunk))
                .or_default()
                .push(piece);
        }
        offset = *end;
    }
}

/// Where the values of a leaf end whose keys have this length; `None` where it is no such leaf.
fn value_ends(page: &[u8], key: usize) -> Option<Vec<usize>> {
    let count = usize::from(u16::from_le_bytes([*page.get(2)?, *page.get(3)?]));
    let start = 4 + count * (4 + key);
    if count == 0 || count > ENTRIES_MAX || start > PAGE {
        return None;
    }
    let ends: Vec<usize> = (0..count)
        .map(|index| Some(u32_at(page, 4 + 4 * index)? as usize))
        .collect::<Option<_>>()?;
    let in_order = ends.is_sorted() && ends.first().is_some_and(|first| *first >= start);
    (in_order && ends.last().is_some_and(|last| *last <= LEAF_BYTES_MAX)).then_some(ends)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn number_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Whether a leaf is that of the table `meta`, and has the label of a redacted copy.
fn says_redacted_copy(page: &[u8]) -> bool {
    keys(page).is_some_and(|keys| {
        let has = |wanted: &[u8]| keys.contains(&wanted);
        has(b"format") && has(b"redacted_copy")
    })
}

/// The keys of a leaf with keys and values of any length; `None` where it is no such leaf.
fn keys(page: &[u8]) -> Option<Vec<&[u8]>> {
    let count = usize::from(u16::from_le_bytes([*page.get(2)?, *page.get(3)?]));
    if count == 0 || count > 64 {
        return None;
    }
    let mut start = 4 + 8 * count;
    let mut keys = Vec::new();
    for index in 0..count {
        let end = u32_at(page, 4 + 4 * index)? as usize;
        keys.push(page.get(start..end)?);
        start = end;
    }
    Some(keys)
}
