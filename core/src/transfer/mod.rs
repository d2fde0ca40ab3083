//! Export and import lines: an event, a decision together with the ids of the events that say where it belongs, or a note.
//!
//! Owns the shape of our own export, line by line. Never opens a file, and never decides whether a line may go in.

mod digest;
pub mod format;
mod line;

pub use digest::LinesDigest;
pub use line::{
    BundleHeader, DecisionIds, DecisionLine, EventLine, ExportEnd, ExportHeader, Line, LineError,
    Part, PartialExport, decision_line, end_line, header_line, note_line, part_line,
};
