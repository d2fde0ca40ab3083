//! The whodunit terminal program as a library: HTTP client, commands, screens and the launcher.

pub mod client;
