//! Reading frames again that were acknowledged, while the log goes on.
//!
//! Owns nothing of the log: it opens the files by their names, so that it sees what the next start would see.

use std::io;
use std::sync::Arc;

use super::files::Folder;
use super::format::{Codec, Header, SECTOR};
use super::keeper::file_name;
use super::{Place, Wal};
use crate::store::disk::DiskFile;

/// Reads frames.
#[derive(Debug)]
pub(crate) struct Reread {
    folder: Folder,
    store: [u8; 16],
    /// The file that was read last.
    open: Option<(Header, Arc<dyn DiskFile>)>,
}

impl Wal {
    /// To read its frames again.
    pub(crate) fn reread(&self) -> Reread {
        Reread {
            folder: self.keeper.folder().clone(),
            store: self.current.header.store,
            open: None,
        }
    }
}

impl Reread {
    /// The name of the file that a frame is in.
    pub(crate) fn name(place: Place) -> String {
        file_name(place.file)
    }

    /// What the frame carries that was written there; a sentence where it is not what was written.
    pub(crate) fn frame(&mut self, place: Place) -> Result<Vec<u8>, String> {
        let failed = |error: io::Error| format!("it cannot be read: {error}");
        let (header, file) = match &self.open {
            Some((header, file)) if header.number == place.file => (*header, Arc::clone(file)),
            _ => self.open(place.file)?,
        };
        let end = header.sectors.saturating_mul(SECTOR as u64);
        let start = place.sector.saturating_mul(SECTOR as u64);
        // How long the frame is, is in its first sector.
        let mut bytes = vec![0; SECTOR];
        file.read_at(start, &mut bytes).map_err(failed)?;
        let sectors = super::format::said_sectors(&bytes).unwrap_or(1);
        let length = (sectors as u64).saturating_mul(SECTOR as u64);
        let length = length.min(end.saturating_sub(start));
        bytes = vec![0; usize::try_from(length).unwrap_or(SECTOR)];
        file.read_at(start, &mut bytes).map_err(failed)?;
        let first = usize::try_from(place.sector).unwrap_or(usize::MAX);
        match Codec::new(&header).decode(first, &bytes) {
            Some(frame) if frame.number == place.frame => Ok(frame.payload),
            Some(frame) => Err(format!("frame {} stands there", frame.number)),
            None => Err("its bytes have changed".to_owned()),
        }
    }

    fn open(&mut self, number: u64) -> Result<(Header, Arc<dyn DiskFile>), String> {
        let failed = |error: io::Error| format!("its file cannot be read: {error}");
        let file = self.folder.open(&file_name(number)).map_err(failed)?;
        let mut sector = vec![0; SECTOR];
        file.read_at(0, &mut sector).map_err(failed)?;
        let header =
            Header::decode(&sector).map_err(|_bad| "the header of its file has changed")?;
        let length = file.len().map_err(failed)?;
        if header.store != self.store || header.number != number {
            return Err("its file is another".to_owned());
        }
        if header.sectors.checked_mul(SECTOR as u64) != Some(length) {
            return Err("its file is not as long as it was made".to_owned());
        }
        self.open = Some((header, Arc::clone(&file)));
        Ok((header, file))
    }
}
