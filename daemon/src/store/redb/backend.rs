//! The engine's file on checked pages.
//!
//! Owns what the engine sees of a damaged page. An error would make it refuse everything from then on, the undamaged pages too,
//! and zeros could be taken for data; so it gets a page that leads nowhere, and answers with an error by itself.

use std::io;
use std::sync::Arc;

use redb::StorageBackend;

use crate::store::disk::pages::PageFile;

/// The type of a branch page, the page's first byte.
const BRANCH: u8 = 2;
/// Where a branch page with one child has the child's number: after type, padding, number of keys (0), padding and the
/// child's checksum.
const CHILD_AT: usize = 8 + 16;

/// Storage of the engine on a file of pages.
#[derive(Debug)]
pub(crate) struct PageBackend(pub(crate) Arc<PageFile>);

impl StorageBackend for PageBackend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.0.read(offset, out) {
            Ok(()) => Ok(()),
            // The engine's header: without it nothing can be opened.
            Err(_) if offset == 0 => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the engine's header is damaged",
            )),
            Err(_) => {
                lead_nowhere(out);
                Ok(())
            }
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.release()
    }
}

/// Makes a branch without keys whose one child has a number that no page can have. Whichever way the engine goes down the tree,
/// it meets that number, and says that the file is corrupted; so does a check of checksums.
fn lead_nowhere(page: &mut [u8]) {
    page.fill(0);
    if let Some(kind) = page.first_mut() {
        *kind = BRANCH;
    }
    if let Some(child) = page.get_mut(CHILD_AT..CHILD_AT + 8) {
        child.fill(0xFF);
    }
}
