//! The embedded database under the store: one redb file, which the log is sealed into.
//!
//! Owns opening and closing the file, and what is in it. Its layout is described in `tables` and, byte by byte, in
//! `docs/STORE_FORMAT.md`.

mod apply;
pub(crate) mod backend;
pub(crate) mod backup;
mod content;
mod file;
mod guarded_view;
mod lookup;
mod open_tables;
pub(crate) mod opening;
mod place;
mod record;
pub(crate) mod sealed;
mod segments;
mod tables;
mod view;

pub use self::opening::NewStore;
pub(in crate::store) use self::segments::words::words_of;
pub(crate) use self::tables::FORMAT;
pub(crate) use self::view::{bucket, passes, stream_passes};
use super::StoreError;

/// Name of the store's file in its data directory.
pub const FILE_NAME: &str = "events.redb";
/// Name of the file beside it that notes what was acknowledged.
pub const HEAD_NAME: &str = "events.head";
/// Name of the file that keeps room for the last writes.
pub const RESERVE_NAME: &str = "events.reserve";
/// Memory for pages, in bytes: beyond this the operating system's cache does as well.
const CACHE_BYTES: usize = 128 * 1024 * 1024;

/// Turns an error of the engine into one of ours, with what was being done.
fn engine<E: Into<redb::Error>>(doing: &'static str) -> impl FnOnce(E) -> StoreError {
    move |error| match error.into() {
        redb::Error::DatabaseClosed => StoreError::Closed,
        error => StoreError::Engine {
            doing,
            source: Box::new(error),
        },
    }
}

#[cfg(test)]
pub(crate) mod decoders;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod planted_tests;
#[cfg(test)]
mod size_tests;
#[cfg(test)]
pub(in crate::store) mod tampering;
#[cfg(test)]
mod tests;
