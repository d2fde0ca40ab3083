//! The bytes of a log file: its header, sectors and frames.
//!
//! Owns the format, and says of any bytes what they are; never decides what follows from that (see `scan`).
//!
//! A file is a row of sectors of [`SECTOR`] bytes, all of them zero before something is written to them. The first is the
//! [`Header`]. Each further one that was written ends in a check of its own, made of its bytes, its number and the file's
//! key. So a sector is *blank*, *whole* or *damaged*, and a frame of which a part never reached the disk (some sectors are
//! blank) is told from one that was changed there (a sector is damaged).
//!
//! A frame begins with a sector. Joined without their checks, its sectors are: [`FRAME`], the payload's length, the
//! frame's number, the number of the frame before it, the payload, a hash of all that, and zeros up to the end.
//! All numbers are little endian.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128, xxh3_128_with_seed};

/// Bytes of a sector: what a disk writes whole or not at all.
pub(super) const SECTOR: usize = 512;
/// Bytes of a sector that a frame has for itself.
pub(super) const SPACE: usize = SECTOR - CHECK;
const CHECK: usize = 4;
/// First bytes of a file. Not UTF-8, as no payload of JSON can be.
const MAGIC: [u8; 8] = *b"\xF7WHOWAL\x1A";
/// Format of a file; another is refused.
pub(super) const FORMAT: u32 = 1;
/// First bytes of a frame.
const FRAME: [u8; 4] = *b"\xF7FRM";
/// Bytes before a frame's payload.
const HEAD: usize = 4 + 4 + 8 + 8;
/// Bytes of a hash.
const HASH: usize = 16;
/// Payload bytes of a frame at most.
pub(crate) const PAYLOAD_MAX: usize = 1 << 30;

/// What a file says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The store it belongs to.
    pub(super) store: [u8; 16],
    /// Its number, from 1; the same as in its name.
    pub(super) number: u64,
    /// How many sectors it was made with, this one among them. It never has fewer, nor more.
    pub(super) sectors: u64,
    /// A random number, so that no sector or frame of another file passes for one of this.
    pub(super) salt: u64,
}

/// Why a file's first sector is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// It is none, or it was changed.
    Damaged,
    /// It is one of another format.
    Format(u32),
}

impl Header {
    /// The first sector.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SECTOR);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.store);
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.sectors.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.resize(SECTOR - HASH, 0);
        let hash = xxh3_128(&bytes);
        bytes.extend(hash.to_le_bytes());
        bytes
    }

    /// Reads the first sector.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BadHeader> {
        let (hashed, said) = bytes
            .get(..SECTOR)
            .and_then(|sector| sector.split_at_checked(SECTOR - HASH))
            .ok_or(BadHeader::Damaged)?;
        let magic = hashed.starts_with(&MAGIC);
        if !magic || said != xxh3_128(hashed).to_le_bytes() {
            return Err(BadHeader::Damaged);
        }
        let mut fields = Fields(hashed.get(MAGIC.len()..).unwrap_or_default());
        let mut decode = || {
            let format = u32::from_le_bytes(fields.array()?);
            let header = Self {
                store: fields.array()?,
                number: u64::from_le_bytes(fields.array()?),
                sectors: u64::from_le_bytes(fields.array()?),
                salt: u64::from_le_bytes(fields.array()?),
            };
            Some((format, header))
        };
        match decode() {
            Some((FORMAT, header)) => Ok(header),
            Some((format, _)) => Err(BadHeader::Format(format)),
            None => Err(BadHeader::Damaged),
        }
    }

    /// What every check and hash of the file depends on.
    fn key(&self) -> u64 {
        let mut bytes = self.store.to_vec();
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        xxh3_64(&bytes)
    }
}

/// What is needed to write and read a file's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codec {
    key: u64,
}

/// What a sector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sector {
    /// Nothing was written to it.
    Blank,
    /// It is as it was written.
    Whole,
    /// It is not.
    Damaged,
}

/// A frame as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its number.
    pub(super) number: u64,
    /// The number of the frame that it follows.
    pub(super) previous: u64,
    /// What it carries.
    pub(super) payload: Vec<u8>,
    /// How many sectors it takes.
    pub(super) sectors: usize,
}

/// How many sectors a frame takes.
pub(super) fn sectors_of(payload: usize) -> usize {
    (HEAD + payload + HASH).div_ceil(SPACE)
}

/// How many sectors the frame takes that begins with this sector, by what it says; `None` where it says nothing of the
/// kind. Only a whole frame has really said so.
pub(super) fn said_sectors(sector: &[u8]) -> Option<usize> {
    let length = sector.strip_prefix(&FRAME)?.first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    (length <= PAYLOAD_MAX).then(|| sectors_of(length))
}

impl Codec {
    /// For the frames of the file with this header.
    pub(super) fn new(header: &Header) -> Self {
        Self { key: header.key() }
    }

    /// The check at the end of a sector; never zero, so that a sector that was written is never blank.
    fn check(self, index: usize, space: &[u8]) -> [u8; CHECK] {
        let seed = self.key ^ (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let [a, b, c, d, ..] = xxh3_64_with_seed(space, seed).to_le_bytes();
        if [a, b, c, d] == [0; CHECK] {
            [1; CHECK]
        } else {
            [a, b, c, d]
        }
    }

    /// Appends a frame's sectors to `out`. `index` is the number of its first sector in the file.
    pub(super) fn encode(
        self,
        index: usize,
        (number, previous): (u64, u64),
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        let mut joined = Vec::with_capacity(HEAD + payload.len() + HASH);
        joined.extend(FRAME);
        // A payload has at most `PAYLOAD_MAX` bytes.
        joined.extend(
            u32::try_from(payload.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        joined.extend(number.to_le_bytes());
        joined.extend(previous.to_le_bytes());
        joined.extend_from_slice(payload);
        let hash = xxh3_128_with_seed(&joined, self.key);
        joined.extend(hash.to_le_bytes());
        out.reserve(sectors_of(payload.len()) * SECTOR);
        for (index, part) in (index..).zip(joined.chunks(SPACE)) {
            let start = out.len();
            out.extend_from_slice(part);
            out.resize(start + SPACE, 0);
            let check = self.check(index, out.get(start..).unwrap_or_default());
            out.extend(check);
        }
    }

    /// What a sector of the file is.
    pub(super) fn sector(self, index: usize, sector: &[u8]) -> Sector {
        match sector.split_at_checked(SPACE) {
            Some((space, check)) if check == self.check(index, space) => Sector::Whole,
            _ if sector.iter().all(|byte| *byte == 0) => Sector::Blank,
            _ => Sector::Damaged,
        }
    }

    /// Reads the frame that begins with sector `index` of the file, of which `bytes` are the rest; `None` unless it is whole.
    pub(super) fn decode(self, index: usize, bytes: &[u8]) -> Option<Frame> {
        let sectors = said_sectors(bytes)?;
        let bytes = bytes.get(..sectors.checked_mul(SECTOR)?)?;
        let mut joined = Vec::with_capacity(sectors * SPACE);
        for (index, sector) in (index..).zip(bytes.chunks_exact(SECTOR)) {
            if self.sector(index, sector) != Sector::Whole {
                return None;
            }
            joined.extend_from_slice(sector.get(..SPACE)?);
        }
        let mut fields = Fields(joined.get(FRAME.len()..)?);
        let length = usize::try_from(u32::from_le_bytes(fields.array()?)).ok()?;
        let number = u64::from_le_bytes(fields.array()?);
        let previous = u64::from_le_bytes(fields.array()?);
        let said: [u8; HASH] = *joined.get(HEAD + length..)?.first_chunk()?;
        let hashed = joined.get(..HEAD + length)?;
        if said != xxh3_128_with_seed(hashed, self.key).to_le_bytes() {
            return None;
        }
        joined.truncate(HEAD + length);
        joined.drain(..HEAD);
        Some(Frame {
            number,
            previous,
            payload: joined,
            sectors,
        })
    }
}

/// Fields of a fixed length, one after another.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }
}
