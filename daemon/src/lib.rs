//! The whodunit daemon as a library: everything around the event store, up to the HTTP API.
//!
//! A write goes `http` → [`commands`] → [`store`], a read goes `http` → [`time_travel`] → [`store`]. The
//! binary `whodunitd` and the terminal's launcher both start it through [`run::run`].

mod backfill;
mod beside;
mod bisect;
mod branches;
pub mod builtin;
mod causes;
pub mod clock;
pub mod commands;
pub mod config;
mod daemon;
mod find;
#[cfg(test)]
mod fuzz;
pub mod handlers;
pub mod http;
mod import;
mod interleave;
pub mod limits;
mod live;
mod log;
mod memory;
mod metrics;
mod notes;
pub mod outbox;
pub mod passwords;
pub mod projections;
mod reading;
pub mod run;
mod runs;
#[cfg(test)]
#[path = "../../tests/shared/seeded.rs"]
mod seeded;
mod serve;
pub mod store;
pub mod time_travel;
pub mod verify;
pub mod what_if;
mod world;

pub use config::Config;
pub use daemon::Daemon;
pub use serve::serve;
