//! The pure core of whodunit: events, deciders, fold, diff, what-if and the wire types.
//!
//! Owns the words (events, commands, decisions), the rules (deciders and models), and what is computed over a history
//! (fold, diff, blame, bisect, what-if, re-decide), plus the wire types that daemon and terminal share. Does no IO: no files, sockets, async
//! runtime, clock or randomness. Time, ids and secrets come in as arguments.
//!
//! Where to start: [`event`] and [`command`] for the words, [`decider`] and [`model`] for the rules, [`fold`] for how a
//! state is reached, [`api`] for what goes over the wire.

pub mod admission;
pub mod api;
pub mod bisect;
pub mod blame;
pub mod branch;
pub mod bundle;
pub mod caseless;
pub mod causes;
pub mod command;
pub mod consistency;
pub mod contrast;
pub mod counted;
pub mod decide;
pub mod decider;
pub mod diff;
pub mod event;
pub mod fold;
pub mod ids;
pub mod inevitable;
pub mod json;
pub mod keys;
pub mod mapping;
pub mod merge;
pub mod minimal;
pub mod model;
pub mod nearest;
pub mod note;
pub mod number;
pub mod payload;
pub mod pointer;
pub mod predicate;
pub mod query;
pub mod redecide;
pub mod same;
pub mod scenario;
pub mod search;
#[cfg(test)]
#[path = "../../tests/shared/seeded.rs"]
mod seeded;
pub mod sentence;
pub mod shown;
pub mod stop;
pub mod text;
pub mod time;
pub mod transfer;
pub mod undo;
pub mod users;
pub mod weight;
pub mod what_if;
