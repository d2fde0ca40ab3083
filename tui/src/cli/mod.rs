//! The command line: what every screen shows, for scripts and for those who prefer typing.
//!
//! One file per command. Never speaks to a store: everything goes through the client.

pub(crate) mod append;
mod args;
pub(crate) mod backfill;
pub(crate) mod backtest;
pub(crate) mod bisect;
pub(crate) mod blame;
pub(crate) mod branch;
pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod decisions;
pub(crate) mod do_command;
pub(crate) mod doctor;
pub(crate) mod event;
pub(crate) mod events;
mod exit;
pub(crate) mod export;
pub(crate) mod files;
pub(crate) mod find;
mod follow;
pub(crate) mod import;
pub(crate) mod import_report;
mod inevitable;
pub(crate) mod lab;
pub(crate) mod link;
mod minimal;
pub(crate) mod models;
pub(crate) mod names;
pub(crate) mod note;
pub(crate) mod outbox;
pub(crate) mod output;
pub(crate) mod pager;
mod pages;
pub(crate) mod progress;
pub(crate) mod projections;
pub(crate) mod read_model;
pub(crate) mod rebuild;
pub(crate) mod scenario;
mod secret;
pub(crate) mod settings;
pub(crate) mod show;
pub(crate) mod state;
pub(crate) mod streams;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod trace;
mod undo;
pub(crate) mod verify;
pub(crate) mod version;
pub(crate) mod watch;
pub(crate) mod what_differs;
pub(crate) mod what_if;
pub(crate) mod why;
pub(crate) mod world;

#[cfg(test)]
mod backtest_tests;
#[cfg(test)]
mod branch_tests;
#[cfg(test)]
mod causes_tests;
#[cfg(test)]
mod find_tests;
#[cfg(test)]
mod investigate_tests;
#[cfg(test)]
mod pipeline_tests;

pub use exit::{CliError, Exit};
