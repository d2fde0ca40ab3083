//! Files beside the log, for what is kept and is no part of it: a line that says of which store, then an item a line, each with a
//! checksum.
//!
//! Owns the bytes and their durability. An item is appended and synced. The first one is written to a new file, and so are those that stay
//! where one is changed or removed: it takes its place once it is whole, and nothing of the removed text is left. A last line without its
//! end was never acknowledged, and is cut. Any other line that is not what was written is counted, and kept as it is.

use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use whodunit_core::counted::counted;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::store::StoreId;
use crate::store::disk::{Disk, Open};

/// What is kept in a file beside the log.
pub(crate) trait Kept: Serialize + DeserializeOwned {
    /// The file's name in a data directory.
    const FILE: &str;
    /// What the next one is called until it is whole.
    const NEXT: &str;
    /// What its first line begins with.
    const KEY: &str;
    /// What it is a file of.
    const WHAT: &str;
    /// Bytes of the file at most.
    const BYTES_MAX: u64;
}

/// Format of the file.
const FORMAT: u32 = 1;
/// Digits of a line's checksum, and the blank behind them.
const SUM: usize = 17;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    format: u32,
    store_id: String,
}

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Contents<T> {
    pub(crate) items: Vec<T>,
    /// Lines that are not what was written.
    pub(crate) damaged: Vec<Vec<u8>>,
    /// Bytes of whole lines.
    whole: u64,
}

impl<T> Default for Contents<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            damaged: Vec::new(),
            whole: 0,
        }
    }
}

/// The file of what a store keeps, whether it is there yet or not.
#[derive(Debug)]
pub(crate) struct KeptFile<T> {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    store: StoreId,
    of: PhantomData<fn() -> T>,
}

fn line(text: &[u8]) -> Vec<u8> {
    let mut line = format!("{:016x} ", xxh3_64(text)).into_bytes();
    line.extend_from_slice(text);
    line.push(b'\n');
    line
}

fn item_line<T: Kept>(item: &T) -> io::Result<Vec<u8>> {
    Ok(line(&serde_json::to_vec(item)?))
}

fn first_line<T: Kept>(store: StoreId) -> io::Result<Vec<u8>> {
    let about = About {
        format: FORMAT,
        store_id: store.to_string(),
    };
    let about = (T::KEY.to_owned(), serde_json::to_value(about)?);
    Ok(line(&serde_json::to_vec(&Map::from_iter([about]))?))
}

/// What a first line says.
fn about<T: Kept>(text: &[u8]) -> Option<About> {
    let mut line: Map<String, Value> = serde_json::from_slice(text).ok()?;
    let about = line.remove(T::KEY).filter(|_| line.is_empty())?;
    serde_json::from_value(about).ok()
}

/// The text of a line whose checksum is right.
fn checked(line: &[u8]) -> Option<&[u8]> {
    let (sum, text) = line.split_at_checked(SUM)?;
    let said = std::str::from_utf8(sum).ok()?.strip_suffix(' ')?;
    (u64::from_str_radix(said, 16).ok()? == xxh3_64(text)).then_some(text)
}

fn bytes_of<T: Kept>(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(path, Open::Existing) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let length = file.len()?;
    let max = T::BYTES_MAX;
    if length > max {
        let said = format!(
            "it is {} long, and such a file never has more than {max}",
            counted(length, "byte")
        );
        return Err(io::Error::other(said));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_at(0, &mut bytes)?;
    Ok(Some(bytes))
}

/// Reads what the store in a directory keeps; nothing where there is no file of it.
pub(crate) fn read<T: Kept>(
    disk: &dyn Disk,
    directory: &Path,
    store: StoreId,
) -> Result<Contents<T>, String> {
    let path = directory.join(T::FILE);
    let bytes =
        bytes_of::<T>(disk, &path).map_err(|error| format!("`{}`: {error}", path.display()))?;
    bytes.map_or_else(
        || Ok(Contents::default()),
        |bytes| parse(&bytes, store).map_err(|why| format!("`{}` {why}", path.display())),
    )
}

/// Reads the bytes of a file of this store.
pub(crate) fn parse<T: Kept>(bytes: &[u8], store: StoreId) -> Result<Contents<T>, String> {
    let mut contents = Contents::default();
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let told = first.strip_suffix(b"\n").and_then(checked);
    let told = told.and_then(about::<T>);
    let told = told.ok_or_else(|| format!("does not begin like a file of {}", T::WHAT))?;
    let About { format, store_id } = told;
    if format != FORMAT {
        return Err(format!(
            "has format {format}, but this version knows {FORMAT}"
        ));
    }
    if store_id != store.to_string() {
        return Err(format!(
            "belongs to store {store_id}, but this is store {store}"
        ));
    }
    contents.whole = first.len() as u64;
    for line in lines {
        let Some(text) = line.strip_suffix(b"\n") else {
            break;
        };
        contents.whole += line.len() as u64;
        let item = checked(text).and_then(|text| serde_json::from_slice(text).ok());
        match item {
            Some(item) => contents.items.push(item),
            None => contents.damaged.push(line.to_vec()),
        }
    }
    Ok(contents)
}

/// Writes the file of a new store, into a directory that has none yet. The caller syncs the directory.
pub(crate) fn write_new<T: Kept>(
    disk: &dyn Disk,
    directory: &Path,
    store: StoreId,
    items: &[T],
) -> io::Result<()> {
    write_file(disk, &directory.join(T::FILE), store, &[], items.iter())
}

fn write_file<'a, T: Kept + 'a>(
    disk: &dyn Disk,
    path: &Path,
    store: StoreId,
    damaged: &[Vec<u8>],
    items: impl Iterator<Item = &'a T>,
) -> io::Result<()> {
    let mut bytes = first_line::<T>(store)?;
    for line in damaged {
        bytes.extend_from_slice(line);
    }
    for item in items {
        bytes.extend(item_line(item)?);
    }
    let file = disk.open(path, Open::OrMake)?;
    file.set_len(0)?;
    file.write_at(0, &bytes)?;
    file.sync_data()
}

impl<T: Kept> KeptFile<T> {
    pub(crate) fn new(disk: Arc<dyn Disk>, directory: &Path, store: StoreId) -> Self {
        Self {
            disk,
            directory: directory.to_owned(),
            store,
            of: PhantomData,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.join(T::FILE)
    }

    /// Reads it, and cuts what was never acknowledged.
    pub(crate) fn open(&self) -> Result<Contents<T>, String> {
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

    /// Appends an item behind the others, durably. Of one that fails nothing is left.
    pub(crate) fn append<'a>(
        &self,
        item: &'a T,
        others: impl Iterator<Item = &'a T>,
    ) -> io::Result<()>
    where
        T: 'a,
    {
        let file = match self.disk.open(&self.path(), Open::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.replace(others.chain([item]));
            }
            file => file?,
        };
        let end = file.len()?;
        let bytes = item_line(item)?;
        let written = file.write_at(end, &bytes).and_then(|()| file.sync_data());
        if written.is_err() {
            // Where even this fails, the next start finds an item that was not acknowledged: it is there or it is not.
            let _ = file.set_len(end).and_then(|()| file.sync_data());
        }
        written
    }

    /// Puts a file with these items, and with the lines that are damaged, in its place.
    pub(crate) fn replace<'a>(&self, items: impl Iterator<Item = &'a T>) -> io::Result<()>
    where
        T: 'a,
    {
        let disk = self.disk.as_ref();
        let before = read::<T>(disk, &self.directory, self.store).map_err(io::Error::other)?;
        let next = self.directory.join(T::NEXT);
        write_file(disk, &next, self.store, &before.damaged, items)?;
        disk.rename(&next, &self.path())?;
        disk.sync_directory(&self.directory)
    }
}
