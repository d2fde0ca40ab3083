//! The clock and the source of ids.
//!
//! Owns the only places of the daemon that read the time of day or draw an id. Everything else gets them as values.

use whodunit_core::time::Timestamp;

/// A clock: the current time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everything else is given"
    )]
    fn now(&self) -> Timestamp {
        chrono::Utc::now().into()
    }
}

/// Draws ids.
pub trait Ids: Send + Sync + 'static {
    /// An id that was never drawn before.
    fn fresh(&self) -> String;
}

/// Version 7 UUIDs: unique, and in the order they were drawn.
#[derive(Debug, Clone, Copy, Default)]
pub struct UuidV7;

impl Ids for UuidV7 {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the id source that everything else is given"
    )]
    fn fresh(&self) -> String {
        uuid::Uuid::now_v7().to_string()
    }
}
