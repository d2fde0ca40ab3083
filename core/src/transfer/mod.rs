//! Export and import lines: an event, or a decision together with the ids of the events that say where it belongs.
//!
//! Owns the shape of our own export, line by line. Never opens a file, and never decides whether a line may go in.

mod digest;
pub mod format;
mod line;

pub use digest::LinesDigest;
pub use line::{
    DecisionIds, DecisionLine, EventLine, ExportEnd, ExportHeader, Line, LineError, decision_line,
    end_line, header_line,
};
