//! A read model's file among its neighbours: room beside it, and what is put in its place.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::limits::READ_MODEL_ROOM_BYTES;
use crate::projections::error::ProjectionError;
use crate::store::redb::opening::{make_private_file, sync_directory};

/// Whether there is room beside a file: writes that much and removes it again.
pub(crate) fn try_room(path: &Path) -> Result<(), ProjectionError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".room");
    let room = path.with_file_name(name);
    let made = make_private_file(&room).and_then(|()| std::fs::File::create(&room));
    let written = made.and_then(|mut file| {
        file.write_all(&vec![0; READ_MODEL_ROOM_BYTES])?;
        file.sync_all()
    });
    // A partly written file does no harm, and is written over the next time.
    drop(std::fs::remove_file(&room));
    written.map_err(|source| ProjectionError::Disk {
        doing: format!(
            "cannot write in `{}`",
            path.parent().unwrap_or(path).display()
        ),
        source,
    })
}

/// Moves a file that cannot be used aside, replacing one that was moved aside before.
pub(crate) fn move_aside(path: &Path) -> Result<PathBuf, ProjectionError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".damaged");
    let aside = path.with_file_name(name);
    replace(path, &aside)?;
    Ok(aside)
}

/// Puts a file in another's place, durably and at one moment.
pub(crate) fn replace(from: &Path, to: &Path) -> Result<(), ProjectionError> {
    let renamed = std::fs::rename(from, to)
        .and_then(|()| sync_directory(to.parent().unwrap_or(Path::new("."))));
    renamed.map_err(|source| ProjectionError::Disk {
        doing: format!("putting `{}` in place", to.display()),
        source,
    })
}
