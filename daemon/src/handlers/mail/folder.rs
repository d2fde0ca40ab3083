//! Mails as files.
//!
//! Owns the folder: a file in it is whole and on the disk, or not there. A mail that comes again replaces its file by the
//! same bytes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::message::Mail;
use crate::handlers::HandlersError;
use crate::store::redb::opening::make_directory;

/// A folder of `.eml` files.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, HandlersError> {
        make_directory(path).map_err(|source| HandlersError::Folder {
            folder: path.display().to_string(),
            source,
        })?;
        Ok(Self(path.to_owned()))
    }

    pub(super) fn target(&self) -> String {
        self.0.display().to_string()
    }

    /// Puts a mail into it, durably.
    ///
    /// # Errors
    /// A sentence.
    pub(super) async fn put(&self, mail: Mail) -> Result<(), String> {
        let folder = self.0.clone();
        let written = tokio::task::spawn_blocking(move || write(&folder, &mail)).await;
        written
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(|error| format!("cannot write a mail to `{}`: {error}", self.target()))
    }
}

fn write(folder: &Path, mail: &Mail) -> io::Result<()> {
    // The program that collects the mails may have removed the folder.
    make_directory(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".")
        .suffix(".part")
        .tempfile_in(folder)?;
    file.write_all(&mail.bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(&mail.file_name))?;
    sync(folder)
}

/// The name of a new file is on the disk only once its folder is.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}
