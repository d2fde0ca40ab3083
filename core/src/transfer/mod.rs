//! Lines that go out of one log and into another: an event, or a decision with the events that tell its place.
//!
//! Owns the shape of our own export, line by line. Never opens a file, and never decides whether a line may go in.

pub mod format;
mod line;

pub use line::{
    DecisionIds, DecisionLine, EventLine, ExportHeader, Line, LineError, decision_line, header_line,
};
