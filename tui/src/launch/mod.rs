//! The launcher: a daemon inside this program, and the screens on it.
//!
//! Owns `serve`, `open`, `demo`, `verify` and `check`, and what is done with the files of a store and its backups; with them the only
//! places of this program that know the daemon's library. Screens
//! and commands speak to such a daemon through HTTP like to any other.

pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod demo;
mod embedded;
mod history;
mod incident;
mod mailbox;
pub(crate) mod open;
mod play;
pub(crate) mod restore;
pub(crate) mod salvage;
pub(crate) mod screens;
pub(crate) mod serve;
mod story;
pub(crate) mod verify;

#[cfg(test)]
mod answers_tests;
#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod names_tests;
#[cfg(test)]
mod notes_tests;
#[cfg(test)]
mod tour_tests;
