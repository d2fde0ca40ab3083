//! Frames: a part of a segment, compressed, with a checksum that knows its place.
//!
//! Owns the bytes around a part: what it is compressed with, how long it was, and a checksum over the compressed bytes *and*
//! where they belong. So a flipped bit, a cut, and a part that stands where another belongs, or that comes from another
//! store, are all found before anything is made of it.
//!
//! ```text
//! version  u8        1
//! method   u8        0 stored, 1 zstd
//! length   u32 LE    of the part, uncompressed
//! checksum 16 bytes  XXH3-128 (little endian) of: store id, segment, kind of part, its number, method, length, what follows
//! bytes              the part, compressed
//! ```

use xxhash_rust::xxh3::Xxh3;

use crate::store::StoreId;
use crate::store::bytes::{Malformed, Read, Reader};

const VERSION: u8 = 1;
const STORED: u8 = 0;
const ZSTD: u8 = 1;
/// More does not make event blocks smaller by more than a twentieth, and takes several times as long.
const LEVEL: i32 = 1;
/// Bytes before the part.
const HEADER: usize = 22;
/// Longest part, uncompressed: an event is at most a few megabytes, so a block never comes near.
const PART_BYTES_MAX: u32 = 256 * 1024 * 1024;

/// Checksum of a part.
pub(crate) type Checksum = [u8; 16];

/// What a part of a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// The manifest: what the segment holds.
    Manifest,
    /// What is kept of each event by position, to find events without reading blocks.
    Columns,
    /// A block of events.
    Events(u32),
    /// A block of decisions.
    Decisions(u32),
}

/// Where a part belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Id of the store.
    pub(crate) store: StoreId,
    /// Number of the segment, from 0.
    pub(crate) segment: u64,
    /// Which part.
    pub(crate) part: Part,
}

impl Place {
    fn hash(self, method: u8, length: u32, bytes: &[u8]) -> Checksum {
        let (kind, number) = match self.part {
            Part::Manifest => (0_u8, 0),
            Part::Columns => (1, 0),
            Part::Events(number) => (2, number),
            Part::Decisions(number) => (3, number),
        };
        let mut hash = Xxh3::new();
        hash.update(&self.store.0);
        hash.update(&self.segment.to_le_bytes());
        hash.update(&[kind]);
        hash.update(&number.to_le_bytes());
        hash.update(&[method]);
        hash.update(&length.to_le_bytes());
        hash.update(bytes);
        hash.digest128().to_le_bytes()
    }
}

/// Compresses a part and puts its frame around it.
///
/// # Errors
/// When the part is longer than a frame holds.
pub(crate) fn wrap(place: Place, part: &[u8]) -> Read<Vec<u8>> {
    let length = u32::try_from(part.len())
        .ok()
        .filter(|length| *length <= PART_BYTES_MAX)
        .ok_or("it is too long for a segment")?;
    let (method, bytes) = match zstd::bulk::compress(part, LEVEL) {
        Ok(compressed) if compressed.len() < part.len() => (ZSTD, compressed),
        _ => (STORED, part.to_vec()),
    };
    let mut out = Vec::with_capacity(HEADER + bytes.len());
    out.extend([VERSION, method]);
    out.extend(length.to_le_bytes());
    out.extend(place.hash(method, length, &bytes));
    out.extend(bytes);
    Ok(out)
}

/// The checksum that a frame says it has.
pub(crate) fn checksum(frame: &[u8]) -> Read<Checksum> {
    let mut reader = Reader(frame);
    reader.bytes(6)?;
    reader.array()
}

/// Checks a frame and gives its part, as long as it was.
///
/// # Errors
/// When the frame is not whole, or does not belong here.
pub(crate) fn unwrap(place: Place, frame: &[u8]) -> Read<Vec<u8>> {
    let mut reader = Reader(frame);
    let [version, method] = reader.array()?;
    if version != VERSION {
        return Err("its version is unknown".into());
    }
    let length = u32::from_le_bytes(reader.array()?);
    let checksum: Checksum = reader.array()?;
    let bytes = frame.get(HEADER..).unwrap_or_default();
    if place.hash(method, length, bytes) != checksum {
        return Err("its checksum does not match".into());
    }
    let length = usize::try_from(length.min(PART_BYTES_MAX)).unwrap_or_default();
    let part = match method {
        STORED => bytes.to_vec(),
        ZSTD => zstd::bulk::decompress(bytes, length)
            .map_err(|_broken| Malformed::from("it does not decompress"))?,
        _ => return Err("its method is unknown".into()),
    };
    if part.len() == length {
        Ok(part)
    } else {
        Err("it is not as long as it says".into())
    }
}
