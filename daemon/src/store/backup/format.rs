//! The bytes of a backup: a line of JSON, blocks, and an end that says what there was.
//!
//! Owns the format, and says of any bytes what they are. A block's checksum knows the store and the block's number, so that no
//! block passes for another; the end has the SHA-256 of everything before it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use whodunit_core::time::Timestamp;
use xxhash_rust::xxh3::Xxh3;

use super::{BackupError, store_id};
use crate::store::StoreId;
use crate::store::bytes::{Malformed, Read as Decoded, Reader, Writer};
use crate::store::redb::FORMAT as STORE_FORMAT;

/// Format of a backup.
pub(super) const FORMAT: u32 = 1;
/// Longest first line.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Longest block, as it stands and as it was.
const BLOCK_BYTES_MAX: u32 = 1 << 30;
/// Bytes before a block's own: kind, method, length, length before it was compressed, checksum.
const HEAD: usize = 1 + 1 + 4 + 4 + 16;
const STORED: u8 = 0;
const ZSTD: u8 = 1;
const LEVEL: i32 = 1;

/// What a backup says of itself in its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupHeader {
    /// Format of the backup.
    pub format: u32,
    /// Format of the store.
    pub store_format: u32,
    /// Which store it is of.
    pub store_id: String,
    /// The last position in it.
    pub position: u64,
    /// How many decisions are in it.
    pub decisions: u64,
    /// The head's hash behind them.
    pub head_hash: String,
    /// Whether the log is a redacted copy.
    pub redacted_copy: bool,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// The version that took it.
    pub version: String,
}

impl BackupHeader {
    /// Of this version.
    pub(crate) fn formats() -> (u32, u32) {
        (FORMAT, STORE_FORMAT)
    }
}

/// What a backup says of itself in its last block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupEnd {
    /// What stands before it.
    pub parts: Vec<BackupPart>,
    /// SHA-256 of all bytes before it, in hexadecimal.
    pub sha256: String,
}

/// A part of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPart {
    /// `segments` and `log`, which are the records, or a table.
    pub name: String,
    /// How many segments, batches or rows.
    pub records: u64,
    /// Bytes of them, not compressed.
    pub bytes: u64,
    /// SHA-256 of these bytes, in hexadecimal.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    whodunit_backup: BackupHeader,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A segment.
    Segment = 1,
    /// Rows of a table.
    Rows = 2,
    /// Batches behind the sealed log.
    Log = 3,
    /// The end.
    End = 4,
}

/// A block as it was read.
pub(super) enum Block {
    Segment {
        number: u64,
        manifest: Vec<u8>,
        body: Vec<u8>,
    },
    Rows {
        table: String,
        rows: Vec<u8>,
    },
    Log(Vec<u8>),
    End(BackupEnd),
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing into a text does not fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// How many rows there are.
pub(super) fn count_rows(rows: &[u8]) -> Result<u64, BackupError> {
    let mut count = 0;
    each_value(rows, &mut |_| count += 1)?;
    Ok(count)
}

/// Hands the value of each row to `each`.
pub(super) fn each_value(rows: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), BackupError> {
    let mut walk = || -> Decoded<()> {
        let mut from = Reader(rows);
        while !from.0.is_empty() {
            let key = from.size()?;
            from.bytes(key)?;
            let value = from.size()?;
            each(from.bytes(value)?);
        }
        Ok(())
    };
    walk().map_err(|error| BackupError::damaged(0, format!("rows do not decode: {error}")))
}

/// Sums over the parts of a backup.
#[derive(Debug, Default)]
pub(super) struct Parts(BTreeMap<String, (u64, u64, Sha256)>);

impl Parts {
    pub(super) fn add(&mut self, name: &str, bytes: &[&[u8]], records: u64) {
        let part = self.0.entry(name.to_owned()).or_default();
        part.0 += records;
        for bytes in bytes {
            part.1 += bytes.len() as u64;
            part.2.update(bytes);
        }
    }

    fn list(&self) -> Vec<BackupPart> {
        let part = |(name, (records, bytes, sum)): (&String, &(u64, u64, Sha256))| BackupPart {
            name: name.clone(),
            records: *records,
            bytes: *bytes,
            sha256: hex(&sum.clone().finalize()),
        };
        self.0.iter().map(part).collect()
    }

    pub(super) fn compare(&self, end: &BackupEnd, at: u64) -> Result<(), BackupError> {
        if self.list() == end.parts {
            Ok(())
        } else {
            let detail = "its parts are not those that its end counts";
            Err(BackupError::damaged(at, detail))
        }
    }
}

/// Writes blocks one behind the other.
pub(crate) struct BlockWriter {
    store: StoreId,
    number: u64,
    sum: Sha256,
    parts: Parts,
}

impl BlockWriter {
    /// Begins with the first line.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn begin(
        store: StoreId,
        header: &BackupHeader,
    ) -> Result<(Self, Vec<u8>), serde_json::Error> {
        let mut writer = Self {
            store,
            number: 0,
            sum: Sha256::new(),
            parts: Parts::default(),
        };
        let mut line = serde_json::to_vec(&FirstLine {
            whodunit_backup: header.clone(),
        })?;
        line.push(b'\n');
        writer.sum.update(&line);
        Ok((writer, line))
    }

    /// A segment.
    pub(crate) fn segment(&mut self, number: u64, manifest: &[u8], body: &[u8]) -> Vec<u8> {
        self.parts.add("segments", &[manifest, body], 1);
        let mut bytes = Vec::with_capacity(manifest.len() + body.len() + 16);
        Writer(&mut bytes).u64(number).count(manifest.len());
        bytes.extend_from_slice(manifest);
        bytes.extend_from_slice(body);
        // Its parts are compressed already.
        self.block(Kind::Segment, STORED, &bytes)
    }

    /// Rows of a table.
    pub(crate) fn rows(&mut self, table: &str, rows: &[u8], records: u64) -> Vec<u8> {
        self.parts.add(table, &[rows], records);
        let mut bytes = Vec::with_capacity(table.len() + rows.len() + 2);
        Writer(&mut bytes).text(table);
        bytes.extend_from_slice(rows);
        self.block(Kind::Rows, ZSTD, &bytes)
    }

    /// Batches.
    pub(crate) fn log(&mut self, payload: &[u8], batches: usize) -> Vec<u8> {
        self.parts.add("log", &[payload], batches as u64);
        self.block(Kind::Log, ZSTD, payload)
    }

    /// The end.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub(crate) fn end(mut self) -> Result<Vec<u8>, serde_json::Error> {
        let end = BackupEnd {
            parts: self.parts.list(),
            sha256: hex(&self.sum.clone().finalize()),
        };
        Ok(self.block(Kind::End, STORED, &serde_json::to_vec(&end)?))
    }

    fn block(&mut self, kind: Kind, method: u8, bytes: &[u8]) -> Vec<u8> {
        let compressed = (method == ZSTD)
            .then(|| zstd::bulk::compress(bytes, LEVEL).ok())
            .flatten()
            .filter(|compressed| compressed.len() < bytes.len());
        let (method, stored) = match &compressed {
            Some(compressed) => (ZSTD, compressed.as_slice()),
            None => (STORED, bytes),
        };
        // Of a block's making, none comes near the bound.
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut out = Vec::with_capacity(HEAD + stored.len());
        out.extend([kind as u8, method]);
        out.extend(length(stored).to_le_bytes());
        out.extend(length(bytes).to_le_bytes());
        let sum = checksum(self.store, self.number, &out, stored);
        out.extend(sum);
        out.extend_from_slice(stored);
        self.number += 1;
        self.sum.update(&out);
        out
    }
}

/// The checksum of a block: over store, number, what stands before the checksum, and what stands behind it.
fn checksum(store: StoreId, number: u64, head: &[u8], bytes: &[u8]) -> [u8; 16] {
    let mut hash = Xxh3::new();
    hash.update(&store.0);
    hash.update(&number.to_le_bytes());
    hash.update(head);
    hash.update(bytes);
    hash.digest128().to_le_bytes()
}

/// Reads blocks one behind the other.
pub(super) struct Blocks<R> {
    from: R,
    header: BackupHeader,
    store: StoreId,
    number: u64,
    bytes: u64,
    sum: Sha256,
}

impl<R: Read> Blocks<R> {
    /// Reads the first line.
    pub(super) fn begin(mut from: R) -> Result<Self, BackupError> {
        let line = first_line(&mut from)?;
        let read: FirstLine = serde_json::from_slice(&line).map_err(|_no| BackupError::NotOne)?;
        let header = read.whodunit_backup;
        if (header.format, header.store_format) != (FORMAT, STORE_FORMAT) {
            return Err(BackupError::Format {
                found: header.format,
                found_store: header.store_format,
                known: FORMAT,
                known_store: STORE_FORMAT,
            });
        }
        let store = store_id(&header.store_id).ok_or(BackupError::NotOne)?;
        let mut sum = Sha256::new();
        sum.update(&line);
        Ok(Self {
            from,
            header,
            store,
            number: 0,
            bytes: line.len() as u64,
            sum,
        })
    }

    pub(super) fn header(&self) -> &BackupHeader {
        &self.header
    }

    pub(super) fn store(&self) -> StoreId {
        self.store
    }

    /// How many bytes were read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next block. Behind the end there is nothing to ask for.
    pub(super) fn next(&mut self) -> Result<Block, BackupError> {
        let at = self.bytes;
        let before = hex(&self.sum.clone().finalize());
        let mut head = [0; HEAD];
        self.fill(&mut head)?;
        let (fields, said) = head.split_at(HEAD - 16);
        let mut from = Reader(fields);
        let read = |error: Malformed| {
            BackupError::damaged(at, format!("a block does not decode: {error}"))
        };
        let [kind, method] = from.array().map_err(read)?;
        let length = u32::from_le_bytes(from.array().map_err(read)?);
        let raw = u32::from_le_bytes(from.array().map_err(read)?);
        if length > BLOCK_BYTES_MAX || raw > BLOCK_BYTES_MAX {
            return Err(BackupError::damaged(at, "a block is longer than any is"));
        }
        let stored = self.take(length)?;
        if checksum(self.store, self.number, fields, &stored) != *said {
            return Err(BackupError::damaged(
                at,
                "a block's checksum does not match",
            ));
        }
        self.number += 1;
        self.sum.update(head);
        self.sum.update(&stored);
        let bytes = match method {
            STORED => stored,
            ZSTD => zstd::bulk::decompress(&stored, raw as usize)
                .map_err(|_broken| BackupError::damaged(at, "a block does not decompress"))?,
            _ => return Err(BackupError::damaged(at, "a block's method is unknown")),
        };
        let block = decode(kind, &bytes).map_err(read)?;
        if let Block::End(end) = &block {
            if end.sha256 != before {
                let detail = "its SHA-256 is not the one that its end says";
                return Err(BackupError::damaged(at, detail));
            }
            self.nothing_follows()?;
        }
        Ok(block)
    }

    /// Reads so many bytes, without making room for more than there are.
    fn take(&mut self, length: u32) -> Result<Vec<u8>, BackupError> {
        let mut bytes = Vec::new();
        let read = self
            .from
            .by_ref()
            .take(u64::from(length))
            .read_to_end(&mut bytes);
        read.map_err(BackupError::Read)?;
        self.bytes += bytes.len() as u64;
        if bytes.len() as u64 == u64::from(length) {
            Ok(bytes)
        } else {
            Err(BackupError::CutShort { at: self.bytes })
        }
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), BackupError> {
        match self.from.read_exact(out) {
            Ok(()) => {
                self.bytes += out.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(BackupError::CutShort { at: self.bytes })
            }
            Err(error) => Err(BackupError::Read(error)),
        }
    }

    fn nothing_follows(&mut self) -> Result<(), BackupError> {
        match self.from.read(&mut [0]).map_err(BackupError::Read)? {
            0 => Ok(()),
            _ => Err(BackupError::damaged(
                self.bytes,
                "something follows its end",
            )),
        }
    }
}

fn first_line(from: &mut impl Read) -> Result<Vec<u8>, BackupError> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() < LINE_BYTES_MAX {
        match from.read(&mut byte).map_err(BackupError::Read)? {
            0 => break,
            _ => line.extend(byte),
        }
        if line.len() == 1 && line != b"{" {
            break;
        }
        if byte == *b"\n" {
            return Ok(line);
        }
    }
    Err(BackupError::NotOne)
}

fn decode(kind: u8, bytes: &[u8]) -> Decoded<Block> {
    let mut from = Reader(bytes);
    Ok(match kind {
        kind if kind == Kind::Segment as u8 => {
            let number = from.u64()?;
            let length = from.size()?;
            Block::Segment {
                number,
                manifest: from.bytes(length)?.to_vec(),
                body: from.0.to_vec(),
            }
        }
        kind if kind == Kind::Rows as u8 => Block::Rows {
            table: from.owned()?,
            rows: from.0.to_vec(),
        },
        kind if kind == Kind::Log as u8 => Block::Log(bytes.to_vec()),
        kind if kind == Kind::End as u8 => {
            let end = serde_json::from_slice(bytes);
            Block::End(end.map_err(|_error| "its end is malformed")?)
        }
        _ => return Err("its kind is unknown".into()),
    })
}
