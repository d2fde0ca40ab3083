//! Making the data directory and opening the file in it, so that neither a power cut nor a damaged file surprises anyone.
//!
//! Never looks at what the file holds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::store::StoreError;

/// Opens, up to the first read, with the engine's panics, which a damaged file can cause, turned into an error.
pub(crate) fn guarded<T>(
    path: &Path,
    open: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_panic| {
        Err(StoreError::Damaged {
            place: format!("`{}`", path.display()),
            detail: "the engine gave up reading it; restore it from a backup".to_owned(),
        })
    })
}

/// Makes the directory and those above it where they are absent, each durably.
pub(crate) fn make_directory(directory: &Path) -> std::io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let above = directory
        .parent()
        .filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above {
        make_directory(above)?;
    }
    match create_private(directory) {
        // Another process was quicker.
        Err(_) if directory.is_dir() => {}
        made => made?,
    }
    sync_directory(above.unwrap_or(Path::new(".")))
}

/// Makes a directory that only its owner can read: a store holds password hashes, names and addresses.
fn create_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Makes a file that only its owner may read or write where it is absent, and keeps one that is there to its owner: what
/// we write can be read by its owner only, whatever the directory around it allows.
pub(crate) fn make_private_file(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode();
        if mode & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(mode & !0o077))?;
        }
    }
    Ok(())
}

/// The permissions of a directory that others than its owner may look into; `None` where they may not, or where that
/// cannot be told.
pub(crate) fn open_to_others(directory: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(directory).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _ = directory;
        None
    }
}

/// Makes the entries of a directory durable: syncing a new file does not, and a power cut could take the whole file.
pub(crate) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(())
}
