//! The whodunit daemon as a library.

pub mod store;
