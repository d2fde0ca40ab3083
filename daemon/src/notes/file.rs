//! The file of notes: a line that says whose they are, then a note a line, each with a checksum.
//!
//! Owns the bytes and their durability. A note is appended and synced. The first one is written to a new file, and so are those that stay
//! where one is removed: it takes its place once it is whole, and nothing of the removed note's text is left. A last line without its end was
//! never acknowledged, and is cut. Any other line that is not what was written is counted, and kept as it is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use whodunit_core::note::Note;
use xxhash_rust::xxh3::xxh3_64;

use crate::limits::NOTES_FILE_BYTES_MAX;
use crate::store::StoreId;
use crate::store::disk::{Disk, Open};

/// The file's name in a data directory.
pub(crate) const FILE_NAME: &str = "notes.ndjson";
/// What the next one is called until it is whole.
const NEXT_NAME: &str = "notes.next";
/// Format of the file.
const FORMAT: u32 = 1;
/// Digits of a line's checksum, and the blank behind them.
const SUM: usize = 17;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FirstLine {
    whodunit_notes: About,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    format: u32,
    store_id: String,
}

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) notes: Vec<Note>,
    /// Lines that are not what was written.
    pub(crate) damaged: Vec<Vec<u8>>,
    /// Bytes of whole lines.
    whole: u64,
}

/// The file of a store's notes, whether it is there yet or not.
#[derive(Debug)]
pub(super) struct NoteFile {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    store: StoreId,
}

fn line(text: &[u8]) -> Vec<u8> {
    let mut line = format!("{:016x} ", xxh3_64(text)).into_bytes();
    line.extend_from_slice(text);
    line.push(b'\n');
    line
}

fn note_line(note: &Note) -> io::Result<Vec<u8>> {
    Ok(line(&serde_json::to_vec(note)?))
}

fn first_line(store: StoreId) -> io::Result<Vec<u8>> {
    let whodunit_notes = About {
        format: FORMAT,
        store_id: store.to_string(),
    };
    Ok(line(&serde_json::to_vec(&FirstLine { whodunit_notes })?))
}

/// The text of a line whose checksum is right.
fn checked(line: &[u8]) -> Option<&[u8]> {
    let (sum, text) = line.split_at_checked(SUM)?;
    let said = std::str::from_utf8(sum).ok()?.strip_suffix(' ')?;
    (u64::from_str_radix(said, 16).ok()? == xxh3_64(text)).then_some(text)
}

fn bytes_of(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(path, Open::Existing) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = file.len()?;
    if length > NOTES_FILE_BYTES_MAX {
        let said = format!("it has {length} bytes, and never has more than {NOTES_FILE_BYTES_MAX}");
        return Err(io::Error::other(said));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_at(0, &mut bytes)?;
    Ok(Some(bytes))
}

/// Reads the notes of the store in a directory; none where there is no file of them.
pub(crate) fn read(disk: &dyn Disk, directory: &Path, store: StoreId) -> Result<Contents, String> {
    let path = directory.join(FILE_NAME);
    let bytes = bytes_of(disk, &path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    bytes.map_or_else(
        || Ok(Contents::default()),
        |bytes| parse(&bytes, store).map_err(|why| format!("`{}` {why}", path.display())),
    )
}

/// Reads the bytes of a file of notes of this store.
pub(crate) fn parse(bytes: &[u8], store: StoreId) -> Result<Contents, String> {
    let mut contents = Contents::default();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let about = first.strip_suffix(b"\n").and_then(checked);
    let about: Option<FirstLine> = about.and_then(|text| serde_json::from_slice(text).ok());
    let about = about.ok_or("does not begin as a file of notes does")?;
    let About { format, store_id } = about.whodunit_notes;
    if format != FORMAT {
        return Err(format!(
            "is of format {format}, and this version knows {FORMAT}"
        ));
    }
    if store_id != store.to_string() {
        return Err(format!("is of store {store_id}, and this is store {store}"));
    }
    contents.whole = first.len() as u64;
    for line in lines {
        let Some(text) = line.strip_suffix(b"\n") else {
            break;
        };
        contents.whole += line.len() as u64;
        let note = checked(text).and_then(|text| serde_json::from_slice(text).ok());
        match note {
            Some(note) => contents.notes.push(note),
            None => contents.damaged.push(line.to_vec()),
        }
    }
    Ok(contents)
}

/// Writes the notes of a new store, into a directory that has none yet. The caller syncs the directory.
pub(crate) fn write_new(
    disk: &dyn Disk,
    directory: &Path,
    store: StoreId,
    notes: &[Note],
) -> io::Result<()> {
    write_file(disk, &directory.join(FILE_NAME), store, &[], notes.iter())
}

fn write_file<'a>(
    disk: &dyn Disk,
    path: &Path,
    store: StoreId,
    damaged: &[Vec<u8>],
    notes: impl Iterator<Item = &'a Note>,
) -> io::Result<()> {
    let mut bytes = first_line(store)?;
    damaged
        .iter()
        .for_each(|line| bytes.extend_from_slice(line));
    for note in notes {
        bytes.extend(note_line(note)?);
    }
    let file = disk.open(path, Open::OrMake)?;
    file.set_len(0)?;
    file.write_at(0, &bytes)?;
    file.sync_data()
}

impl NoteFile {
    pub(super) fn new(disk: Arc<dyn Disk>, directory: &Path, store: StoreId) -> Self {
        Self {
            disk,
            directory: directory.to_owned(),
            store,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join(FILE_NAME)
    }

    /// Reads it, and cuts what was never acknowledged.
    pub(super) fn open(&self) -> Result<Contents, String> {
        let contents = read(self.disk.as_ref(), &self.directory, self.store)?;
        self.cut(contents.whole)
            .map_err(|error| format!("`{}`: {error}", self.path().display()))?;
        Ok(contents)
    }

    fn cut(&self, whole: u64) -> io::Result<()> {
        let file = match self.disk.open(&self.path(), Open::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        if file.len()? > whole {
            file.set_len(whole)?;
            file.sync_data()?;
        }
        Ok(())
    }

    /// Appends a note behind the others, durably. Of one that fails nothing is left.
    pub(super) fn append<'a>(
        &self,
        note: &'a Note,
        others: impl Iterator<Item = &'a Note>,
    ) -> io::Result<()> {
        let file = match self.disk.open(&self.path(), Open::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.replace(others.chain([note]));
            }
            file => file?,
        };
        let end = file.len()?;
        let bytes = note_line(note)?;
        let written = file.write_at(end, &bytes).and_then(|()| file.sync_data());
        if written.is_err() {
            // Where even this fails, the next start finds a note that was not acknowledged: it is there or it is not.
            let _ = file.set_len(end).and_then(|()| file.sync_data());
        }
        written
    }

    /// Puts a file with these notes, and with the lines that are damaged, in its place.
    pub(super) fn replace<'a>(&self, notes: impl Iterator<Item = &'a Note>) -> io::Result<()> {
        let disk = self.disk.as_ref();
        let before = read(disk, &self.directory, self.store).map_err(io::Error::other)?;
        let next = self.directory.join(NEXT_NAME);
        write_file(disk, &next, self.store, &before.damaged, notes)?;
        disk.rename(&next, &self.path())?;
        disk.sync_directory(&self.directory)
    }
}
