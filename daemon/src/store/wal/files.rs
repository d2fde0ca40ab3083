//! The folder that holds the log's files, on any disk.
//!
//! Owns which calls of the disk the log makes. A file that needs room may have that of the store's reserve.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::disk::reserve::Reserve;
use crate::store::disk::{Disk, DiskFile, Identity, Open};

/// A folder that is there.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    reserve: Option<Arc<Reserve>>,
}

impl Folder {
    pub(crate) fn new(disk: Arc<dyn Disk>, path: &Path) -> Self {
        Self {
            disk,
            path: path.to_owned(),
            reserve: None,
        }
    }

    /// Where new files may take the room of the reserve.
    pub(crate) fn with_reserve(self, reserve: Arc<Reserve>) -> Self {
        Self {
            reserve: Some(reserve),
            ..self
        }
    }

    /// Does something that needs room; again, with the reserve given up, where there is none.
    pub(super) fn with_room(&self, act: impl Fn() -> io::Result<()>) -> io::Result<()> {
        match &self.reserve {
            Some(reserve) => reserve.with_room(&self.path, act),
            None => act(),
        }
    }

    /// The names of the files that are there.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        self.disk.list(&self.path)
    }

    /// Makes a file, empty, in place of one of that name.
    pub(super) fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(&self.path.join(name), Open::OrMake)?;
        file.set_len(0)?;
        Ok(file)
    }

    /// Opens a file that is there, to read and write.
    pub(super) fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(&self.path.join(name), Open::Existing)
    }

    /// Gives a file another name; durable after [`Folder::sync`].
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.path.join(from), &self.path.join(to))
    }

    /// Removes a file.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(&self.path.join(name))
    }

    /// Makes the names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.disk.sync_directory(&self.path)
    }

    /// Which file has this name now.
    pub(super) fn identity(&self, name: &str) -> io::Result<Option<Identity>> {
        self.disk.identity(&self.path.join(name))
    }
}
