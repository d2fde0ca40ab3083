//! End-to-end tests of whodunit: the real binaries, real files, real sockets, a real pseudo-terminal.
//!
//! Owns how the binaries are found, started and stopped, and how a test waits: for a condition, with a deadline, never for
//! a time. What a test can catch at a lower level is tested there; here it is the wiring.

mod binaries;
mod daemon;
mod screen;
mod wait;

pub use binaries::{binary, whodunit};
pub use daemon::Daemon;
pub use screen::Screen;
pub use wait::eventually;
