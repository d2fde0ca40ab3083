//! The pure heart of whodunit.
//!
//! Owns the words (events, commands, decisions), the rules (deciders and models), and what is computed over a history
//! (fold, diff, what-if), plus the wire types that daemon and terminal share. Does no IO: no files, sockets, async
//! runtime, clock or randomness. Time, ids and secrets come in as arguments.
//!
//! Reading order is the order below.

pub mod ids;
pub mod text;
pub mod time;

pub mod json;

pub mod command;
pub mod event;
pub mod keys;
