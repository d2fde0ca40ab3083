//! The file of notes.

use whodunit_core::note::Note;

use crate::beside::Kept;
pub(crate) use crate::beside::{parse, read, write_new};
use crate::limits::NOTES_FILE_BYTES_MAX;

/// The file's name in a data directory.
pub(crate) const FILE_NAME: &str = "notes.ndjson";

impl Kept for Note {
    const FILE: &str = FILE_NAME;
    const NEXT: &str = "notes.next";
    const KEY: &str = "whodunit_notes";
    const WHAT: &str = "notes";
    const BYTES_MAX: u64 = NOTES_FILE_BYTES_MAX;
}
